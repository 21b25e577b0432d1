//! Consumers: a fact of any log takes effect once in a service's records.
//!
//! The fact is recorded as consumed in the transaction of its effect, and the position moves only over facts that are
//! final, so a crash between any two lines repeats at most work that the record then skips. A fact that fails again and
//! again is put aside as a dead letter, where an operator sees and replays it.

use std::{sync::Arc, time::Duration};

use tokio::sync::watch;

use super::Log;
use crate::{
    db::{BoxFuture, Db, DbError, Emitted, Position, Tx},
    params,
};

/// Facts taken in one transaction while all goes well.
const BATCH: i64 = 64;
/// Attempts before a fact is put aside.
const ATTEMPTS_MAX: u32 = 8;
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often a log is looked at when nothing hints at a change.
const POLL: Duration = Duration::from_millis(250);

/// What a consumer does with one fact, inside the transaction that records it.
pub type Take = Arc<
    dyn for<'t> Fn(&'t mut Tx, Arc<Emitted>) -> BoxFuture<'t, Result<(), DbError>> + Send + Sync,
>;

/// Takes facts of one log into a service's records.
#[derive(Clone)]
pub struct Consumer {
    /// Its stable name; its position is kept under it.
    pub name: &'static str,
    /// The service whose facts it takes.
    pub source: &'static str,
    /// The facts it takes; others are passed over.
    pub facts: &'static [&'static str],
    /// What it does.
    pub take: Take,
}

impl Consumer {
    /// Takes facts until `stop` says so.
    pub async fn run(self, source: Log, target: Db, mut stop: watch::Receiver<bool>) {
        let mut failures = 0_u32;
        while !*stop.borrow() {
            let wait = match self.step(&source, &target, failures).await {
                Ok(Taken::More) => {
                    failures = 0;
                    continue;
                }
                Ok(Taken::All) => {
                    failures = 0;
                    POLL
                }
                Err(error) => {
                    failures = failures.saturating_add(1);
                    tracing::warn!(consumer = self.name, attempt = failures, %error, "take a fact");
                    PAUSE_MAX.min(Duration::from_millis(50 << failures.min(10)))
                }
            };
            tokio::select! {
                () = source.db().changed(wait), if failures == 0 => {}
                () = tokio::time::sleep(wait), if failures > 0 => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Takes every fact that is there, for whoever fills records before the program runs.
    ///
    /// # Errors
    /// What the engine says, or what the consumer says of a fact; nothing of that batch was taken then.
    pub async fn catch_up(&self, source: &Log, target: &Db) -> Result<(), DbError> {
        while matches!(self.step(source, target, 0).await?, Taken::More) {}
        Ok(())
    }

    /// One look at the log: takes what is there as one transaction; after a failure, fact by fact.
    async fn step(&self, source: &Log, target: &Db, failures: u32) -> Result<Taken, DbError> {
        let position = self.position(target).await?;
        let mut tx = source.db().read().await?;
        let xmin = tx.stamp().await?;
        let facts = source.db().outbox().after(&mut tx, position, BATCH).await?;
        drop(tx);
        if facts.is_empty() {
            return Ok(Taken::All);
        }
        let full = facts.len() as i64 == BATCH;
        let last = facts.iter().rev().map(|fact| fact.position).find(|at| at.xid < xmin);
        let facts: Vec<Arc<Emitted>> = facts.into_iter().map(Arc::new).collect();
        if failures == 0 {
            self.take_all(target, facts, last).await?;
        } else {
            for fact in facts {
                let end = Some(fact.position).filter(|at| at.xid < xmin);
                let taken = self.take_all(target, vec![fact.clone()], end).await;
                match taken {
                    Ok(()) => {}
                    Err(error) if failures >= ATTEMPTS_MAX => {
                        self.bury(target, fact, end, error, failures).await?
                    }
                    Err(error) => return Err(error),
                }
            }
        }
        // Facts that are not final yet are looked at again, but not in a busy loop.
        Ok(if full && last.is_some() { Taken::More } else { Taken::All })
    }

    async fn position(&self, target: &Db) -> Result<Position, DbError> {
        let mut tx = target.read().await?;
        let outbox = target.outbox();
        let at: Option<(i64, i64)> =
            tx.optional(&outbox.position, params![self.name, self.source]).await?;
        Ok(at.map_or(Position { xid: 0, seq: 0 }, |(xid, seq)| Position { xid, seq }))
    }

    async fn take_all(
        &self,
        target: &Db,
        facts: Vec<Arc<Emitted>>,
        end: Option<Position>,
    ) -> Result<(), DbError> {
        let consumer = self.clone();
        target
            .write(move |tx| {
                let (consumer, facts) = (consumer.clone(), facts.clone());
                Box::pin(async move {
                    for fact in facts {
                        consumer.take_one(tx, fact).await?;
                    }
                    consumer.advance(tx, end).await
                })
            })
            .await
    }

    async fn take_one(&self, tx: &mut Tx, fact: Arc<Emitted>) -> Result<(), DbError> {
        if !self.facts.contains(&&*fact.name) {
            return Ok(());
        }
        let (outbox, now) = (tx.outbox(), tx.now());
        let new = tx.execute(&outbox.consume, params![self.name, fact.id, now]).await?;
        if new == 0 {
            return Ok(());
        }
        (self.take)(tx, fact).await
    }

    async fn advance(&self, tx: &mut Tx, end: Option<Position>) -> Result<(), DbError> {
        let Some(end) = end else { return Ok(()) };
        let outbox = tx.outbox();
        tx.execute(&outbox.set_position, params![self.name, self.source, end.xid, end.seq])
            .await
            .map(drop)
    }

    async fn bury(
        &self,
        target: &Db,
        fact: Arc<Emitted>,
        end: Option<Position>,
        error: DbError,
        attempts: u32,
    ) -> Result<(), DbError> {
        tracing::error!(consumer = self.name, fact = %fact.id, name = &*fact.name, %error, "put a fact aside");
        let consumer = self.clone();
        let text = error.to_string();
        target
            .write(move |tx| {
                let (consumer, fact, text) = (consumer.clone(), fact.clone(), text.clone());
                Box::pin(async move {
                    let (outbox, now) = (tx.outbox(), tx.now());
                    tx.execute(&outbox.consume, params![consumer.name, fact.id, now]).await?;
                    let payload = crate::db::Param::Json(fact.payload.clone());
                    let params = [
                        crate::db::Param::Text(consumer.name),
                        crate::db::ToParam::to_param(&fact.id),
                        crate::db::Param::Text(consumer.source),
                        crate::db::Param::Text(&fact.name),
                        payload,
                        crate::db::Param::Text(&text),
                        crate::db::Param::I64(attempts.into()),
                        crate::db::Param::Ts(now),
                    ];
                    tx.execute(&outbox.bury, &params).await?;
                    consumer.advance(tx, end).await
                })
            })
            .await
    }
}

enum Taken {
    /// There may be more.
    More,
    /// Everything that is final was taken.
    All,
}
