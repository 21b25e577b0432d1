//! .
pub mod cache;
pub mod health;
pub mod limit;
pub mod telemetry;
