//! Weak points.
