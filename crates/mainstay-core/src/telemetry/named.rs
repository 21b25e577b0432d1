//! The metrics whose names operators' rules rely on, with handles for the hot path.

use std::{sync::OnceLock, time::Duration};

use prometheus_client::metrics::{counter::Counter, gauge::Gauge, histogram::Histogram};

use super::metrics::{Family, Metrics, Unit};

/// Upper bounds of request times in seconds, from a cache hit to a time-out.
const REQUEST_S: [f64; 14] =
    [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// Upper bounds of the times of commits in seconds, from a disk that keeps its cache to one that is stuck.
const COMMIT_S: [f64; 14] = [
    0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0,
    5.0,
];

/// Upper bounds of the writes in one commit; the last is the most that there are.
const COMMIT_WRITES: [f64; 9] = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0];

/// Statuses that have a handle of their own on each route; others are looked up.
const STATUSES: [u16; 30] = [
    101, 200, 201, 202, 204, 206, 301, 302, 303, 304, 307, 308, 400, 401, 403, 404, 405, 408, 409,
    410, 412, 413, 414, 415, 422, 429, 431, 500, 503, 504,
];

/// `http_requests_total` and what belongs to it.
#[derive(Debug, Clone)]
pub struct HttpMetrics {
    requests: Family<Counter>,
    durations: Family<Histogram>,
    /// `http_requests_in_flight`
    pub in_flight: Gauge,
    /// `websocket_connections_active`
    pub websockets: Gauge,
}

impl HttpMetrics {
    /// Declares them.
    pub fn new(metrics: &Metrics) -> Self {
        let http = metrics.scope("http");
        Self {
            requests: http.counter_family(
                "requests",
                "Requests answered",
                Unit::None,
                &["method", "route", "status"],
            ),
            durations: http.histogram_family(
                "request_duration",
                "Time from the request's head to the answer's head",
                Unit::Seconds,
                &["method", "route"],
                &REQUEST_S,
            ),
            in_flight: http.gauge("requests_in_flight", "Requests being answered", Unit::None),
            websockets: metrics.scope("websocket").gauge(
                "connections_active",
                "Open WebSocket connections",
                Unit::None,
            ),
        }
    }

    /// Requests being answered.
    pub fn in_flight(&self) -> &Gauge {
        &self.in_flight
    }

    /// The handles of one route, resolved once at start. `route` is the declared path, never that of a request.
    pub fn route(&self, method: &'static str, route: &'static str) -> RouteMetrics {
        RouteMetrics {
            requests: self.requests.clone(),
            duration: self.durations.with(&[method, route]),
            statuses: Default::default(),
            method,
            route,
        }
    }
}

/// What one route counts.
#[derive(Debug)]
pub struct RouteMetrics {
    requests: Family<Counter>,
    duration: Histogram,
    /// Made when a status occurs first, so that a scrape shows only what happens.
    statuses: [OnceLock<Counter>; STATUSES.len()],
    method: &'static str,
    route: &'static str,
}

impl RouteMetrics {
    /// Counts an answer; no lookup for the usual statuses.
    pub fn observe(&self, status: u16, seconds: f64) {
        self.duration.observe(seconds);
        match STATUSES.binary_search(&status) {
            Ok(at) => {
                self.statuses[at].get_or_init(|| self.counter(status)).inc();
            }
            Err(_unusual) => {
                self.counter(status).inc();
            }
        }
    }

    fn counter(&self, status: u16) -> Counter {
        self.requests.with(&[self.method, self.route, itoa::Buffer::new().format(status)])
    }
}

/// Connections to the databases, and what is committed.
#[derive(Debug, Clone)]
pub struct DbMetrics {
    active: Family<Gauge>,
    max: Family<Gauge>,
    attempts: Family<Counter>,
    failures: Family<Counter>,
    commit_writes: Family<Histogram>,
    commit_durations: Family<Histogram>,
}

/// The handles for one database and host.
#[derive(Debug, Clone)]
pub struct DbHandles {
    /// `db_connections_active`: in use now.
    pub active: Gauge,
    /// `db_connections_max`: how many there may be.
    pub max: Gauge,
    /// `db_connection_attempts_total`
    pub attempts: Counter,
    /// `db_connection_failures_total`
    pub failures: Counter,
}

/// The handles for what is committed to one database.
#[derive(Debug, Clone)]
pub struct CommitMetrics {
    writes: Histogram,
    duration: Histogram,
}

impl CommitMetrics {
    /// Notes a commit of so many writes that took so long; two short locks.
    pub fn observe(&self, writes: usize, took: Duration) {
        self.writes.observe(writes as f64);
        self.duration.observe(took.as_secs_f64());
    }
}

impl DbMetrics {
    /// Declares them.
    pub fn new(metrics: &Metrics) -> Self {
        let db = metrics.scope("db");
        let gauge = |name, help| db.gauge_family(name, help, Unit::None, &["database"]);
        let counter = |name, help| db.counter_family(name, help, Unit::None, &["host"]);
        let of_commit = |name, help, unit, buckets| {
            db.histogram_family(name, help, unit, &["database", "engine"], buckets)
        };
        Self {
            active: gauge("connections_active", "Connections in use"),
            max: gauge("connections_max", "Connections there may be"),
            attempts: counter("connection_attempts", "Attempts to connect"),
            failures: counter("connection_failures", "Attempts to connect that failed"),
            commit_writes: of_commit(
                "commit_writes",
                "Writes made durable by one commit",
                Unit::None,
                &COMMIT_WRITES[..],
            ),
            commit_durations: of_commit(
                "commit_duration",
                "Time from asking for a commit until it is durable",
                Unit::Seconds,
                &COMMIT_S[..],
            ),
        }
    }

    /// The handles of one database (`core`, `feed` …) on one host (`localhost` for a file).
    pub fn database(&self, database: &str, host: &str) -> DbHandles {
        DbHandles {
            active: self.active.with(&[database]),
            max: self.max.with(&[database]),
            attempts: self.attempts.with(&[host]),
            failures: self.failures.with(&[host]),
        }
    }

    /// The handles for commits to one database (`core`, `feed` …) on `engine`, `sqlite` or `postgres`.
    pub fn commits(&self, database: &str, engine: &str) -> CommitMetrics {
        CommitMetrics {
            writes: self.commit_writes.with(&[database, engine]),
            duration: self.commit_durations.with(&[database, engine]),
        }
    }
}
