//! What the program tells about itself: logs, metrics and the access log.
//!
//! Metrics are declared once and their handles resolved at start ([`Metrics`]); log events and requests go through one
//! bounded buffer to one writing thread ([`Logs`], [`AccessLog`]), so no caller waits for a disk or a terminal.
//! What is personal is wrapped in [`Masked`], what opens doors in
//! [`Secret`](crate::secrets::Secret); neither can be printed.

mod access;
mod line;
mod logs;
mod masked;
mod metrics;
mod named;
mod pipe;
mod rotate;
mod system;

pub use access::{Access, AccessLog};
pub use logs::{LogConfig, LogError, LogFormat, Logs, request_id, with_request_id};
pub use masked::Masked;
pub use metrics::{Declared, Family, Kind, Metrics, Scope, Unit};
pub use named::{CommitMetrics, DbHandles, DbMetrics, HttpMetrics, RouteMetrics};
pub use rotate::RotatingFile;
pub use system::register_system_metrics;
