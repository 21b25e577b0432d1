//! The metric registry as data: declared once with name, help, unit and labels; handles are resolved at start.
//!
//! The list of what is declared is readable ([`Metrics::declared`]): the reference page, alert rules and dashboards
//! are made from it.

use std::{
    any::Any,
    collections::BTreeMap,
    fmt,
    sync::{
        Arc, Mutex, PoisonError, RwLock,
        atomic::{AtomicUsize, Ordering},
    },
};

use prometheus_client::{
    collector::Collector,
    encoding::{EncodeMetric, MetricEncoder},
    metrics::{
        MetricType,
        counter::Counter,
        family::{Family as Series, MetricConstructor},
        gauge::Gauge,
        histogram::Histogram,
    },
    registry::{self, Metric, Registry},
};

/// Series of one family; further label values are counted together under `other`.
const SERIES_MAX: usize = 2_000;
/// The label value that stands for all beyond [`SERIES_MAX`].
const OVERFLOW: &str = "other";

/// What a metric measures; becomes the end of its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things that are counted.
    None,
    /// Seconds, also for what is measured in microseconds: Prometheus wants base units.
    Seconds,
    /// Bytes.
    Bytes,
    /// A share between 0 and 1.
    Ratio,
}

impl Unit {
    pub(super) fn suffix(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Seconds => Some("seconds"),
            Self::Bytes => Some("bytes"),
            Self::Ratio => Some("ratio"),
        }
    }
}

/// How a metric behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    /// Goes up and down.
    Gauge,
    /// Counts by size.
    Histogram,
}

/// A metric that exists, for documents and rules.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Declared {
    /// The name as scraped, for example `cache_hits_total`. A histogram's adds `_bucket`, `_sum` and `_count`.
    pub name: String,
    /// Counter, gauge or histogram.
    pub kind: Kind,
    /// What it measures.
    pub unit: Unit,
    /// One sentence without a full stop.
    pub help: &'static str,
    /// Its label names.
    pub labels: &'static [&'static str],
}

/// All metrics of the program. Cheap to clone.
#[derive(Clone, Default)]
pub struct Metrics(Arc<Inner>);

/// Brings values up to date right before they are read.
type Update = Box<dyn Fn() + Send + Sync>;

#[derive(Default)]
struct Inner {
    updates: RwLock<Vec<Update>>,
    registry: RwLock<Registry>,
    declared: Mutex<BTreeMap<String, Entry>>,
}

struct Entry {
    declared: Declared,
    /// The family or the single metric, for whoever declares the same again.
    handle: Box<dyn Any + Send + Sync>,
}

impl Metrics {
    /// No metrics yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The metrics whose names begin with `prefix_`; `""` for none.
    pub fn scope(&self, prefix: &'static str) -> Scope {
        Scope { metrics: self.clone(), prefix }
    }

    /// Everything declared so far, by name.
    pub fn declared(&self) -> Vec<Declared> {
        let declared = self.0.declared.lock().unwrap_or_else(PoisonError::into_inner);
        declared.values().map(|entry| entry.declared.clone()).collect()
    }

    /// The current values in the OpenMetrics text format (content type [`Metrics::CONTENT_TYPE`]).
    pub fn render(&self) -> String {
        for update in self.0.updates.read().unwrap_or_else(PoisonError::into_inner).iter() {
            update();
        }
        let mut text = String::with_capacity(16 << 10);
        let registry = self.0.registry.read().unwrap_or_else(PoisonError::into_inner);
        if let Err(error) = prometheus_client::encoding::text::encode(&mut text, &registry) {
            // Writing into a string does not fail, so a collector refused its own values.
            tracing::error!(%error, "metrics could not be written");
        }
        text
    }

    /// From now on `update` brings values up to date before each [`Metrics::render`]. It must not wait for anything.
    pub fn on_render(&self, update: impl Fn() + Send + Sync + 'static) {
        let mut updates = self.0.updates.write().unwrap_or_else(PoisonError::into_inner);
        updates.push(Box::new(update));
    }

    /// What [`Metrics::render`] is.
    pub const CONTENT_TYPE: &'static str =
        "application/openmetrics-text; version=1.0.0; charset=utf-8";

    /// Finds a metric that was declared the same way, or registers the one that `make` gives.
    fn declare<M: Metric + Clone + Sync>(
        &self,
        declared: Declared,
        base: String,
        make: impl FnOnce() -> M,
    ) -> M {
        let mut known = self.0.declared.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = known.get(&declared.name) {
            match entry.handle.downcast_ref::<M>() {
                Some(metric) if entry.declared == declared => return metric.clone(),
                _ => {
                    // Two declarations that disagree are a mistake in the program: found by any test that starts it.
                    debug_assert!(false, "{} is declared in two ways", declared.name);
                    tracing::error!(metric = declared.name, "declared in two ways; not exported");
                    return make();
                }
            }
        }
        let metric = make();
        let mut registry = self.0.registry.write().unwrap_or_else(PoisonError::into_inner);
        match declared.unit.suffix() {
            Some(unit) => {
                let unit = registry::Unit::Other(unit.to_owned());
                registry.register_with_unit(base, declared.help, unit, metric.clone());
            }
            None => registry.register(base, declared.help, metric.clone()),
        }
        let handle = Box::new(metric.clone());
        known.insert(declared.name.clone(), Entry { declared, handle });
        metric
    }

    /// Adds values that are read when somebody scrapes.
    pub(super) fn collect(&self, declared: Vec<Declared>, collector: Box<dyn Collector>) {
        let mut known = self.0.declared.lock().unwrap_or_else(PoisonError::into_inner);
        for declared in declared {
            known.insert(declared.name.clone(), Entry { declared, handle: Box::new(()) });
        }
        let mut registry = self.0.registry.write().unwrap_or_else(PoisonError::into_inner);
        registry.register_collector(collector);
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").field("declared", &self.declared().len()).finish()
    }
}

/// A part of the program's metrics that shares the beginning of its names.
///
/// Declaring the same metric again gives the same handle. A name is given without the scope, the unit and `_total`.
#[derive(Debug, Clone)]
pub struct Scope {
    metrics: Metrics,
    prefix: &'static str,
}

impl Scope {
    /// A number that only grows.
    pub fn counter(&self, name: &str, help: &'static str, unit: Unit) -> Counter {
        self.declare(name, help, unit, Kind::Counter, &[], Counter::default)
    }

    /// A number that goes up and down.
    pub fn gauge(&self, name: &str, help: &'static str, unit: Unit) -> Gauge {
        self.declare(name, help, unit, Kind::Gauge, &[], Gauge::default)
    }

    /// A distribution over `buckets`, the upper bounds in base units, ascending.
    pub fn histogram(
        &self,
        name: &str,
        help: &'static str,
        unit: Unit,
        buckets: &[f64],
    ) -> Histogram {
        let make = || Histogram::new(buckets.iter().copied());
        self.declare(name, help, unit, Kind::Histogram, &[], make)
    }

    /// One counter for each combination of label values.
    pub fn counter_family(
        &self,
        name: &str,
        help: &'static str,
        unit: Unit,
        labels: &'static [&'static str],
    ) -> Family<Counter> {
        self.family(name, help, unit, Kind::Counter, labels, Counter::default)
    }

    /// One gauge for each combination of label values.
    pub fn gauge_family(
        &self,
        name: &str,
        help: &'static str,
        unit: Unit,
        labels: &'static [&'static str],
    ) -> Family<Gauge> {
        self.family(name, help, unit, Kind::Gauge, labels, Gauge::default)
    }

    /// One distribution for each combination of label values.
    pub fn histogram_family(
        &self,
        name: &str,
        help: &'static str,
        unit: Unit,
        labels: &'static [&'static str],
        buckets: &[f64],
    ) -> Family<Histogram> {
        let buckets: Arc<[f64]> = buckets.into();
        let make = move || Histogram::new(buckets.iter().copied());
        self.family(name, help, unit, Kind::Histogram, labels, make)
    }

    fn family<M: Metric + Clone + Sync>(
        &self,
        name: &str,
        help: &'static str,
        unit: Unit,
        kind: Kind,
        labels: &'static [&'static str],
        make: impl Fn() -> M + Send + Sync + 'static,
    ) -> Family<M>
    where
        Family<M>: Metric,
    {
        let made = Arc::new(AtomicUsize::new(0));
        let make = Make { make: Arc::new(make), made: made.clone() };
        self.declare(name, help, unit, kind, labels, || Family {
            series: Series::new_with_constructor(make),
            made,
            labels,
        })
    }

    fn declare<M: Metric + Clone + Sync>(
        &self,
        name: &str,
        help: &'static str,
        unit: Unit,
        kind: Kind,
        labels: &'static [&'static str],
        make: impl FnOnce() -> M,
    ) -> M {
        let base = match self.prefix {
            "" => name.to_owned(),
            prefix => format!("{prefix}_{name}"),
        };
        let full = full_name(&base, unit, kind);
        self.metrics.declare(Declared { name: full, kind, unit, help, labels }, base, make)
    }
}

/// The name as scraped.
pub(super) fn full_name(base: &str, unit: Unit, kind: Kind) -> String {
    let mut name = base.to_owned();
    if let Some(unit) = unit.suffix() {
        name.push('_');
        name.push_str(unit);
    }
    if kind == Kind::Counter {
        name.push_str("_total");
    }
    name
}

type Labels = Vec<(&'static str, String)>;

/// How a family makes a new series, and how many it has made.
struct Make<M> {
    make: Arc<dyn Fn() -> M + Send + Sync>,
    made: Arc<AtomicUsize>,
}

impl<M> Clone for Make<M> {
    fn clone(&self) -> Self {
        Self { make: self.make.clone(), made: self.made.clone() }
    }
}

impl<M> MetricConstructor<M> for Make<M> {
    fn new_metric(&self) -> M {
        self.made.fetch_add(1, Ordering::Relaxed);
        (self.make)()
    }
}

/// Metrics that differ in their label values. Looking one up takes a lock: resolve handles at start.
#[derive(Clone)]
pub struct Family<M> {
    series: Series<Labels, M, Make<M>>,
    made: Arc<AtomicUsize>,
    labels: &'static [&'static str],
}

impl<M: Clone> Family<M> {
    /// The series with these label values, in the order of the declared names; missing ones are empty.
    ///
    /// Beyond 2,000 combinations the values are replaced by `other`, so that no caller can fill the memory.
    pub fn with(&self, values: &[&str]) -> M {
        let label = |value: fn(&str) -> &str| -> Labels {
            let values = values.iter().copied().chain(std::iter::repeat(""));
            self.labels.iter().zip(values).map(|(name, v)| (*name, value(v).to_owned())).collect()
        };
        let wanted = label(|value| value);
        let room =
            self.made.load(Ordering::Relaxed) < SERIES_MAX || self.series.get(&wanted).is_some();
        let labels = if room { wanted } else { label(|_| OVERFLOW) };
        self.series.get_or_create_owned(&labels)
    }
}

impl<M> EncodeMetric for Family<M>
where
    Series<Labels, M, Make<M>>: EncodeMetric,
{
    fn encode(&self, encoder: MetricEncoder) -> fmt::Result {
        self.series.encode(encoder)
    }

    fn metric_type(&self) -> MetricType {
        self.series.metric_type()
    }
}

impl<M> fmt::Debug for Family<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Family").field("labels", &self.labels).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
