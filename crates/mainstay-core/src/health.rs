//! Whether the program and what it depends on work, known before anybody asks.
//!
//! Probes run in the background, all at the same time, each with its own time limit; a request only reads what
//! they found last. A dependency is *required* (without it the program is not ready) or *degrades* (without it
//! something is missing). At start-up every required one must have answered once; later a required one may miss
//! [`LENIENCE`] rounds in a row before the instance stops taking requests, since taking all instances out of a
//! balancer because of one slow moment of the database would turn a hiccup into an outage.

use std::{
    fmt,
    pin::Pin,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::future::join_all;
use serde::Serialize;
use tokio::{sync::watch, time::timeout};

/// Failures in a row after which a required dependency that once worked counts as gone.
pub const LENIENCE: u32 = 3;
/// Characters of an error shown to whoever may see the report.
const ERROR_CHARS_MAX: usize = 200;

/// What one look at a dependency gives: nothing, or a reason that holds no secret, since people read it.
pub type Checked = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// How much depends on a dependency.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Importance {
    /// Without it nothing useful can be answered.
    Required,
    /// Without it the program works with something missing or slower.
    Degrades,
}

/// One dependency and how to look at it.
#[derive(Clone)]
pub struct Probe {
    /// Stable lower-case name, for example `db`.
    pub name: &'static str,
    /// What its absence means.
    pub importance: Importance,
    /// A look that takes longer counts as failed.
    pub timeout: Duration,
    /// The look itself. It is dropped at the time limit, so it must not hold anything that needs an orderly end.
    pub check: Arc<dyn Fn() -> Checked + Send + Sync>,
}

impl fmt::Debug for Probe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Probe")
            .field("name", &self.name)
            .field("importance", &self.importance)
            .finish_non_exhaustive()
    }
}

/// How a dependency, or all of it together, is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Works.
    Ok,
    /// Works with something missing.
    Degraded,
    /// Does not work.
    Unavailable,
}

/// What is known about one dependency.
#[derive(Debug, Clone, Serialize)]
pub struct Check {
    /// The probe's name.
    pub name: &'static str,
    /// What its absence means.
    pub importance: Importance,
    /// `ok`; `degraded` while a required dependency is given time; `unavailable`.
    pub status: Status,
    /// Milliseconds since it last worked; nothing if it never has.
    pub last_ok_ms_ago: Option<u64>,
    /// How long the last look took, in milliseconds; nothing before the first.
    pub elapsed_ms: Option<u64>,
    /// Why the last look failed.
    pub error: Option<String>,
}

/// The whole picture, as `/health` answers it.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// The worst that the dependencies together allow.
    pub status: Status,
    /// Whether this instance is ending and should get no new requests.
    pub draining: bool,
    /// Each dependency, in the order of registration.
    pub checks: Vec<Check>,
}

impl Report {
    /// The same for whoever must not learn more than the names and states: what an engine says can hold addresses.
    #[must_use]
    pub fn without_details(mut self) -> Self {
        for check in &mut self.checks {
            (check.last_ok_ms_ago, check.elapsed_ms, check.error) = (None, None, None);
        }
        self
    }
}

/// The health of this instance. Cheap to clone; every clone shows the same.
#[derive(Clone, Default)]
pub struct Health(Arc<Inner>);

#[derive(Default)]
struct Inner {
    watched: Mutex<Vec<Watched>>,
    draining: AtomicBool,
}

struct Watched {
    probe: Probe,
    last: Option<Look>,
    last_ok: Option<Instant>,
    failures: u32,
}

#[derive(Clone)]
struct Look {
    elapsed: Duration,
    error: Option<String>,
}

impl Health {
    /// Nothing is watched yet; with nothing to watch, everything is well.
    pub fn new() -> Self {
        Self::default()
    }

    /// Watches one more dependency from the next round on.
    pub fn register(&self, probe: Probe) {
        self.watched().push(Watched { probe, last: None, last_ok: None, failures: 0 });
    }

    /// Looks at everything every `period`, until `stop` becomes true or its sender is gone.
    pub async fn watch(self, period: Duration, mut stop: watch::Receiver<bool>) {
        let rounds = async {
            let mut ticks = tokio::time::interval(period);
            ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                ticks.tick().await;
                self.round().await;
            }
        };
        tokio::select! {
            () = rounds => {}
            _ended = stop.wait_for(|stop| *stop) => {}
        }
    }

    /// Looks at everything once, at the same time; takes as long as the slowest, at most the longest time limit.
    pub async fn round(&self) {
        let probes = self.watched().iter().map(|w| w.probe.clone()).collect::<Vec<_>>();
        let looks = join_all(probes.iter().map(look)).await;
        let mut watched = self.watched();
        // Probes are only ever added at the end.
        for (watched, look) in watched.iter_mut().zip(looks) {
            watched.note(look);
        }
    }

    /// Whether the process runs at all; no I/O, no lock.
    pub fn live(&self) -> bool {
        true
    }

    /// Whether new requests should come here: not draining, and every required dependency works or worked lately.
    pub fn ready(&self) -> bool {
        !self.is_draining()
            && self.watched().iter().all(|watched| {
                watched.status() != Status::Unavailable
                    || watched.probe.importance == Importance::Degrades
            })
    }

    /// From now on `ready` is false, so that balancers send nothing new.
    pub fn drain(&self) {
        self.0.draining.store(true, Ordering::Release);
    }

    /// Whether [`Health::drain`] was called.
    pub fn is_draining(&self) -> bool {
        self.0.draining.load(Ordering::Acquire)
    }

    /// Everything that is known.
    pub fn report(&self) -> Report {
        let now = Instant::now();
        let checks = self.watched().iter().map(|w| w.check(now)).collect::<Vec<_>>();
        let worst = |check: &Check| match (check.status, check.importance) {
            (Status::Unavailable, Importance::Degrades) => 1,
            (status, _) => status as u8,
        };
        let status = match checks.iter().map(worst).max() {
            None | Some(0) => Status::Ok,
            Some(1) => Status::Degraded,
            Some(_) => Status::Unavailable,
        };
        Report { status, draining: self.is_draining(), checks }
    }

    fn watched(&self) -> std::sync::MutexGuard<'_, Vec<Watched>> {
        self.0.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Health {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Health").field("report", &self.report()).finish()
    }
}

impl Watched {
    fn note(&mut self, look: Look) {
        let name = self.probe.name;
        match &look.error {
            None => {
                if self.failures > 0 {
                    tracing::info!(
                        probe = name,
                        failures = self.failures,
                        "dependency works again"
                    );
                }
                self.failures = 0;
                self.last_ok = Some(Instant::now());
            }
            Some(error) => {
                if self.failures == 0 {
                    tracing::warn!(probe = name, error, "dependency does not work");
                }
                self.failures = self.failures.saturating_add(1);
            }
        }
        self.last = Some(look);
    }

    /// Strict until it has worked once, lenient afterwards.
    fn status(&self) -> Status {
        let working = self.failures == 0 && self.last_ok.is_some();
        let required = self.probe.importance == Importance::Required;
        if working {
            Status::Ok
        } else if required && self.last_ok.is_some() && self.failures < LENIENCE {
            Status::Degraded
        } else {
            Status::Unavailable
        }
    }

    fn check(&self, now: Instant) -> Check {
        let ms = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        Check {
            name: self.probe.name,
            importance: self.probe.importance,
            status: self.status(),
            last_ok_ms_ago: self.last_ok.map(|at| ms(now.saturating_duration_since(at))),
            elapsed_ms: self.last.as_ref().map(|look| ms(look.elapsed)),
            error: self.last.as_ref().and_then(|look| look.error.clone()),
        }
    }
}

async fn look(probe: &Probe) -> Look {
    let began = Instant::now();
    // In its own task, so that a probe that panics is a failed look and not the end of all probes.
    let mut task = tokio::spawn((probe.check)());
    let error = match timeout(probe.timeout, &mut task).await {
        Ok(Ok(Ok(()))) => None,
        Ok(Ok(Err(reason))) => Some(reason.chars().take(ERROR_CHARS_MAX).collect()),
        Ok(Err(_panicked)) => Some("the probe ended unexpectedly; see the log".to_owned()),
        Err(_elapsed) => {
            task.abort();
            Some(format!("no answer within {} ms", probe.timeout.as_millis()))
        }
    };
    Look { elapsed: began.elapsed(), error }
}

#[cfg(test)]
mod tests;
