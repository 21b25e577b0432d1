//! What the program tells about itself: logs, metrics and the access log.

mod metrics;

pub use metrics::{Declared, Family, Kind, Metrics, Scope, Unit};
