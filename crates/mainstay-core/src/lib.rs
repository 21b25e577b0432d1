//! .
pub mod cache;
pub mod telemetry;
