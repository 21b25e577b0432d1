//! Background work that goes on: what ends or panics while the program runs is said, counted and begun again.
//!
//! Without it a task that has panicked would be missed only by whoever waits for its effect.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt as _;
use prometheus_client::metrics::counter::Counter;
use tokio::{sync::watch, task::JoinSet, time::sleep};

use crate::{
    error::Tolerate as _,
    jobs::Pulse,
    telemetry::{Family, Metrics, Unit},
};

/// The pause before work that has ended begins again; doubled with each time that it ends soon.
const PAUSE: Duration = Duration::from_millis(100);
/// The longest of these pauses.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// Work that has run this long does not fail again and again.
const STEADY: Duration = Duration::from_secs(60);
/// Failures in a row from which on work counts as failing.
const FAILING: u32 = 3;

/// Keeps background work going until the program ends.
pub(super) struct Supervisor {
    stop: watch::Sender<bool>,
    work: JoinSet<()>,
    failures: Family<Counter>,
    all: Watched,
}

/// All that is kept going, for the probe.
#[derive(Clone, Default)]
pub(super) struct Watched(Arc<Mutex<Vec<Pulse>>>);

impl Supervisor {
    /// With nothing to do.
    pub(super) fn new(metrics: &Metrics, stop: watch::Sender<bool>) -> Self {
        let help = "Times that background work failed, ended or panicked";
        let scope = metrics.scope("background");
        let failures = scope.counter_family("failures", help, Unit::None, &["task"]);
        Self { stop, work: JoinSet::new(), failures, all: Watched::default() }
    }

    /// What it keeps going.
    pub(super) fn watched(&self) -> Watched {
        self.all.clone()
    }

    /// Does `make` until the program ends; when what it made ends before, makes it anew after a pause.
    pub(super) fn keep<F, W>(&mut self, name: &str, make: F)
    where
        F: Fn(Pulse, watch::Receiver<bool>) -> W + Send + Sync + 'static,
        W: Future<Output = ()> + Send + 'static,
    {
        let pulse = Pulse::new(name, self.failures.with(&[name]));
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).push(pulse.clone());
        let mut stop = self.stop.subscribe();
        self.work.spawn(async move {
            let mut ended = 0;
            while !*stop.borrow() {
                let why = once(&make, &pulse, &stop, &mut ended).await;
                if *stop.borrow() {
                    return;
                }
                ended += 1;
                pulse.ended(ended, &why);
                let pause = PAUSE_MAX.min(PAUSE * 2_u32.saturating_pow(ended.min(16) - 1));
                let (task, pause_ms) = (pulse.name(), pause.as_millis() as u64);
                tracing::error!(task, why, pause_ms, "background work ended; it begins again");
                tokio::select! {
                    () = sleep(pause) => {}
                    over = stop.wait_for(|stop| *stop) => over.map(drop).tolerate("the program is gone"),
                }
            }
        });
    }

    /// Resolves when all of it has ended.
    pub(super) async fn ended(&mut self) {
        while self.work.join_next().await.is_some() {}
    }

    /// Drops what still runs.
    pub(super) fn abort(&mut self) {
        self.work.abort_all();
    }
}

/// Does the work once; says how it ended. Once it has gone on for long, what was before is forgotten.
async fn once<F, W>(
    make: &F,
    pulse: &Pulse,
    stop: &watch::Receiver<bool>,
    ended: &mut u32,
) -> String
where
    F: Fn(Pulse, watch::Receiver<bool>) -> W,
    W: Future<Output = ()>,
{
    let work = async { make(pulse.clone(), stop.clone()).await };
    let mut work = std::pin::pin!(AssertUnwindSafe(work).catch_unwind());
    let end = tokio::select! {
        end = &mut work => end,
        () = sleep(STEADY) => {
            *ended = 0;
            pulse.steady();
            work.await
        }
    };
    match end {
        Ok(()) => "it ended by itself".to_owned(),
        Err(panic) => format!("it panicked: {}", crate::error::panic_text(panic.as_ref())),
    }
}

impl Watched {
    /// Nothing, or what fails again and again.
    pub(super) fn check(&self) -> Result<(), String> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let failing = all.iter().filter_map(|pulse| {
            let (times, why) = pulse.failing().filter(|(times, _)| *times >= FAILING)?;
            Some(format!("{} failed {times} times in a row: {why}", pulse.name()))
        });
        let failing: Vec<String> = failing.collect();
        if failing.is_empty() { Ok(()) } else { Err(failing.join("; ")) }
    }
}
