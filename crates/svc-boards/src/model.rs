//! What there is and which rules hold, as plain values: no I/O, no clock.

pub mod activity;
pub mod board;
pub mod competition;
pub mod money;
pub mod operate;
pub mod prize;
pub mod rule;
pub mod schedule;
pub mod score;
pub mod tier;
