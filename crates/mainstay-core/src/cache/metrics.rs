//! What the cache counts, for each class.

use std::sync::Arc;

use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};

use crate::telemetry::{Metrics, Scope, Unit};

/// The cache's metrics; made once, then each class resolves its own handles.
#[derive(Debug, Clone)]
pub struct CacheMetrics {
    scope: Arc<Scope>,
}

/// The handles of one class.
#[derive(Debug, Clone)]
pub(super) struct ClassMetrics {
    pub(super) hits: Counter,
    pub(super) misses: Counter,
    pub(super) stale: Counter,
    pub(super) second_hits: Counter,
    pub(super) second_errors: Counter,
    pub(super) loads: Counter,
    pub(super) load_errors: Counter,
    pub(super) entries: Gauge,
    pub(super) bytes: Gauge,
    pub(super) age: Histogram,
}

/// Ages at which values are served, in seconds.
const AGES_S: [f64; 8] = [0.01, 0.1, 1.0, 5.0, 30.0, 60.0, 300.0, 3_600.0];

impl CacheMetrics {
    /// Declares the metrics in `metrics`.
    pub fn new(metrics: &Metrics) -> Self {
        Self { scope: Arc::new(metrics.scope("cache")) }
    }

    /// Declares the metrics of a class that is not made yet.
    #[cfg(test)]
    pub(crate) fn declare_class(&self, name: &'static str) {
        self.class(name);
    }

    pub(super) fn class(&self, name: &'static str) -> ClassMetrics {
        let counter = |metric: &'static str, help: &'static str| {
            self.scope.counter_family(metric, help, Unit::None, &["class"]).with(&[name])
        };
        let gauge = |metric: &'static str, help: &'static str, unit| {
            self.scope.gauge_family(metric, help, unit, &["class"]).with(&[name])
        };
        ClassMetrics {
            hits: counter("hits", "Reads answered from this instance's memory"),
            misses: counter("misses", "Reads that memory could not answer"),
            stale: counter("stale", "Values served although outdated or not confirmed"),
            second_hits: counter("second_level_hits", "Misses answered from the second level"),
            second_errors: counter("second_level_errors", "Second-level calls that failed"),
            loads: counter("loads", "Loads from the database"),
            load_errors: counter("load_errors", "Loads that failed"),
            entries: gauge("entries", "Entries in memory", Unit::None),
            bytes: gauge("size", "Weight of the entries in memory", Unit::Bytes),
            age: self
                .scope
                .histogram_family(
                    "age",
                    "Age of served values, one of 64",
                    Unit::Seconds,
                    &["class"],
                    &AGES_S,
                )
                .with(&[name]),
        }
    }
}
