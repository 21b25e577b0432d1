//! Jobs: work that was promised in a business transaction and is done afterwards, at least once.
//!
//! A job is a row (name, key, payload, when); one of the same name and key replaces the one that waits, and begins
//! after the one that runs. A worker leases the next due row for [`Job::deadline`], runs it and deletes it; a crash
//! lets the lease run out and another worker takes it, on SQLite the same one as soon as it is there again. Jobs are
//! therefore idempotent. A failed one is put back with a growing pause and its error.

use std::{
    collections::HashMap,
    panic::AssertUnwindSafe,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt as _;
use mainstay_contract::ts::Ts;
use prometheus_client::metrics::counter::Counter;
use tokio::sync::watch;

use crate::{
    db::{BoxFuture, Db, DbError, EngineKind, Param, ToParam as _, Tx},
    error::panic_text,
    ids, params,
};

mainstay_contract::define_id!(
    /// A job.
    JobKind => JobId, "job"
);

/// How often the queue is looked at when nothing is due.
const POLL: Duration = Duration::from_secs(1);
/// The longest pause after a failure.
const PAUSE_MAX_S: i64 = 600;

/// Does one job; gets its key and payload.
pub type Run = Arc<dyn Fn(String, String) -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// A kind of job.
#[derive(Clone)]
pub struct Job {
    /// Its stable name, as `add` is given it.
    pub name: &'static str,
    /// The longest that one run may take; after it another worker may take the job.
    pub deadline: Duration,
    /// What it does.
    pub run: Run,
}

/// Something done again and again by each instance; it must be harmless when two do it at once.
#[derive(Clone)]
pub struct Periodic {
    /// Its name in logs.
    pub name: &'static str,
    /// The pause between two runs.
    pub every: Duration,
    /// What it does.
    pub run: Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>,
}

/// How one piece of background work is doing. Cloning keeps the same.
#[derive(Clone)]
pub(crate) struct Pulse(Arc<Beat>);

struct Beat {
    name: String,
    failures: Counter,
    /// In a row, as the work itself says.
    failed: Mutex<(u32, String)>,
    /// In a row, as whoever keeps it going says.
    ended: Mutex<(u32, String)>,
}

impl Pulse {
    /// Of work that has not failed.
    pub(crate) fn new(name: &str, failures: Counter) -> Self {
        let (failed, ended) = Default::default();
        Self(Arc::new(Beat { name: name.to_owned(), failures, failed, ended }))
    }

    /// The work's name.
    pub(crate) fn name(&self) -> &str {
        &self.0.name
    }

    /// It did what it does, once.
    pub(crate) fn well(&self) {
        held(&self.0.failed).0 = 0;
    }

    /// It failed and goes on.
    pub(crate) fn failed(&self, why: &str) {
        self.0.failures.inc();
        let mut failed = held(&self.0.failed);
        *failed = (failed.0.saturating_add(1), why.to_owned());
    }

    /// It ended the `times`th time in a row, which it must not.
    pub(crate) fn ended(&self, times: u32, why: &str) {
        self.0.failures.inc();
        *held(&self.0.ended) = (times, why.to_owned());
    }

    /// It runs on.
    pub(crate) fn steady(&self) {
        held(&self.0.ended).0 = 0;
    }

    /// How many times in a row it failed or ended, and why the last time; nothing if it did not.
    pub(crate) fn failing(&self) -> Option<(u32, String)> {
        let worst = [held(&self.0.failed).clone(), held(&self.0.ended).clone()];
        worst.into_iter().max_by_key(|(times, _)| *times).filter(|(times, _)| *times > 0)
    }
}

fn held<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts a job into the queue, in the transaction that promises it.
///
/// # Errors
/// What the engine says.
pub async fn add(
    tx: &mut Tx,
    name: &'static str,
    key: &str,
    payload: &str,
    run_at: Ts,
) -> Result<(), DbError> {
    let (outbox, now) = (tx.outbox(), tx.now());
    let id: JobId = ids::new_id(now);
    let payload = Param::Json(payload.to_owned());
    let params = [
        id.to_param(),
        Param::Text(name.into()),
        Param::Text(key.into()),
        payload,
        Param::Ts(run_at),
        Param::Ts(now),
    ];
    tx.run(&outbox.add_job, &params).await
}

/// Takes a waiting job back.
///
/// # Errors
/// What the engine says.
pub async fn cancel(tx: &mut Tx, name: &'static str, key: &str) -> Result<(), DbError> {
    let outbox = tx.outbox();
    tx.run(&outbox.drop_job, params![name, key]).await
}

type Leased = (JobId, String, String, String, i64);

/// Works on one service's queue until `stop` says so.
pub(crate) async fn work(db: Db, kinds: Vec<Job>, pulse: Pulse, mut stop: watch::Receiver<bool>) {
    let kinds: HashMap<&'static str, Job> = kinds.into_iter().map(|job| (job.name, job)).collect();
    if db.engine() == EngineKind::Sqlite
        && let Err(error) = free_all(&db).await
    {
        tracing::warn!(queue = db.schema(), %error, "free the jobs of a program that was killed; their leases run out");
    }
    let lease_s = kinds.values().map(|job| job.deadline.as_secs()).max().unwrap_or(60) + 5;
    while !*stop.borrow() {
        match lease(&db, i64::try_from(lease_s).unwrap_or(600)).await {
            Ok(Some(leased)) => {
                pulse.well();
                finish(&db, &kinds, leased).await;
            }
            Ok(None) => {
                pulse.well();
                wait(&mut stop, POLL).await;
            }
            Err(error) => {
                pulse.failed(&error.to_string());
                tracing::warn!(queue = db.schema(), %error, "lease a job");
                wait(&mut stop, POLL).await;
            }
        }
    }
}

/// Frees every job. Who owns the files is the only worker, so nobody is at work when it begins.
async fn free_all(db: &Db) -> Result<(), DbError> {
    let (leased,): (i64,) = db.read().await?.one(&db.outbox().leased_jobs, &[]).await?;
    if leased == 0 {
        return Ok(());
    }
    db.write(move |tx| {
        Box::pin(async move {
            let outbox = tx.outbox();
            tx.run(&outbox.free_jobs, &[]).await
        })
    })
    .await
}

async fn wait(stop: &mut watch::Receiver<bool>, pause: Duration) {
    tokio::select! {
        () = tokio::time::sleep(pause) => {}
        _ = stop.changed() => {}
    }
}

async fn lease(db: &Db, lease_s: i64) -> Result<Option<Leased>, DbError> {
    // Looking is free; leasing is a write, which an idle program does not make.
    let due: (Option<Ts>,) = db.read().await?.one(&db.outbox().next_job, &[]).await?;
    if due.0.is_none_or(|due| due > db.clock().now()) {
        return Ok(None);
    }
    db.write(move |tx| {
        Box::pin(async move {
            let (outbox, now) = (tx.outbox(), tx.now());
            tx.optional(&outbox.lease_job, params![now, now.plus_s(lease_s)]).await
        })
    })
    .await
}

async fn finish(
    db: &Db,
    kinds: &HashMap<&'static str, Job>,
    (id, name, key, payload, attempt): Leased,
) {
    let result = match kinds.get(name.as_str()) {
        Some(job) => {
            // A panic is a failure of this job, not the end of the worker and of those that wait behind it.
            let key = key.clone();
            let run = AssertUnwindSafe(async { (job.run)(key, payload).await }).catch_unwind();
            match tokio::time::timeout(job.deadline, run).await {
                Ok(Ok(result)) => result,
                Ok(Err(panic)) => Err(format!("it panicked: {}", panic_text(panic.as_ref()))),
                Err(_late) => Err(format!("it took longer than {} s", job.deadline.as_secs())),
            }
        }
        None => Err("this program does not know this kind of job".to_owned()),
    };
    if let Err(error) = &result {
        tracing::warn!(job = name, attempt, error, "do a job");
    }
    let named = name.clone();
    let ended = db
        .write::<_, DbError, _>(move |tx| {
            let (error, name, key) = (result.clone().err(), named.clone(), key.clone());
            Box::pin(async move {
                let (outbox, now) = (tx.outbox(), tx.now());
                let ended = match error {
                    None => tx.execute(&outbox.end_job, params![id, attempt]).await,
                    Some(error) => {
                        let pause_s = PAUSE_MAX_S.min(1_i64 << attempt.clamp(0, 10));
                        tx.execute(
                            &outbox.retry_job,
                            params![id, attempt, now.plus_s(pause_s), error],
                        )
                        .await
                    }
                };
                if ended? == 0 {
                    tx.run(&outbox.free_job, params![name, key]).await?;
                }
                Ok(())
            })
        })
        .await;
    if let Err(error) = ended {
        tracing::warn!(job = name, %error, "record a job's end; its lease will run out and it runs again");
    }
}

/// Does something again and again until `stop` says so.
pub(crate) async fn repeat(periodic: Periodic, pulse: Pulse, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        match (periodic.run)().await {
            Ok(()) => pulse.well(),
            Err(error) => {
                pulse.failed(&error);
                tracing::warn!(task = periodic.name, error, "periodic work");
            }
        }
        wait(&mut stop, periodic.every).await;
    }
}
