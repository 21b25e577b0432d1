//! Jobs: work that was promised in a business transaction and is done afterwards, at least once.
//!
//! A job is a row (name, key, payload, when); one of the same name and key replaces the one that waits. A worker leases
//! the next due row for [`Job::deadline`], runs it and deletes it; a crash lets the lease run out and another worker
//! takes it. Jobs are therefore idempotent. A failed one is put back with a growing pause and its error.

use std::{collections::HashMap, sync::Arc, time::Duration};

use mainstay_contract::ts::Ts;
use tokio::sync::watch;

use crate::{
    db::{BoxFuture, Db, DbError, Param, ToParam as _, Tx},
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
        Param::Text(name),
        Param::Text(key),
        payload,
        Param::Ts(run_at),
        Param::Ts(now),
    ];
    tx.execute(&outbox.add_job, &params).await.map(drop)
}

/// Takes a waiting job back.
///
/// # Errors
/// What the engine says.
pub async fn cancel(tx: &mut Tx, name: &'static str, key: &str) -> Result<(), DbError> {
    let outbox = tx.outbox();
    tx.execute(&outbox.drop_job, params![name, key]).await.map(drop)
}

type Leased = (JobId, String, String, String, i64);

/// Works on one service's queue until `stop` says so.
pub async fn work(db: Db, kinds: Vec<Job>, mut stop: watch::Receiver<bool>) {
    let kinds: HashMap<&'static str, Job> = kinds.into_iter().map(|job| (job.name, job)).collect();
    let lease_s = kinds.values().map(|job| job.deadline.as_secs()).max().unwrap_or(60) + 5;
    while !*stop.borrow() {
        match lease(&db, i64::try_from(lease_s).unwrap_or(600)).await {
            Ok(Some(leased)) => finish(&db, &kinds, leased).await,
            Ok(None) => wait(&mut stop, POLL).await,
            Err(error) => {
                tracing::warn!(queue = db.schema(), %error, "lease a job");
                wait(&mut stop, POLL).await;
            }
        }
    }
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
        Some(job) => match tokio::time::timeout(job.deadline, (job.run)(key, payload)).await {
            Ok(result) => result,
            Err(_late) => Err(format!("it took longer than {} s", job.deadline.as_secs())),
        },
        None => Err("this program does not know this kind of job".to_owned()),
    };
    if let Err(error) = &result {
        tracing::warn!(job = name, attempt, error, "do a job");
    }
    let ended = db
        .write::<_, DbError, _>(move |tx| {
            let error = result.clone().err();
            Box::pin(async move {
                let (outbox, now) = (tx.outbox(), tx.now());
                match error {
                    None => tx.execute(&outbox.end_job, params![id, attempt]).await,
                    Some(error) => {
                        let pause_s = PAUSE_MAX_S.min(1_i64 << attempt.clamp(0, 10));
                        tx.execute(
                            &outbox.retry_job,
                            params![id, attempt, now.plus_s(pause_s), error],
                        )
                        .await
                    }
                }
            })
        })
        .await;
    if let Err(error) = ended {
        tracing::warn!(job = name, %error, "record a job's end; its lease will run out and it runs again");
    }
}

/// Does something again and again until `stop` says so.
pub async fn repeat(periodic: Periodic, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if let Err(error) = (periodic.run)().await {
            tracing::warn!(task = periodic.name, error, "periodic work");
        }
        wait(&mut stop, periodic.every).await;
    }
}
