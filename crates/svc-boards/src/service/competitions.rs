//! Competitions.
