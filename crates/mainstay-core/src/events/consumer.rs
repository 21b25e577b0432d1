//! Consumers: a fact of any log takes effect once in a service's records.
//!
//! A consumer's position is moved in the transaction of its effect, and only over facts that are final: those of
//! transactions below which every other has ended. A fact above that is taken too, and recorded, so that it is passed
//! over when it is met again. So a crash between any two lines repeats nothing, and an old transaction that stays open
//! holds nobody up. A fact that fails again and again is put aside as a dead letter, where an operator sees and replays
//! it; while the database is away nothing is.

use std::{collections::HashSet, sync::Arc, time::Duration};

use mainstay_contract::id::FactId;
use tokio::sync::{Notify, watch};

use super::Log;
use crate::{
    db::{BoxFuture, Db, DbError, Emitted, EngineKind, Position, Tx},
    error::Tolerate as _,
    params,
};

/// Facts taken in one transaction while all goes well.
const BATCH_OF_SQLITE: i64 = 512;
/// Fewer, because a transaction that is open keeps every reader of a log from what was committed after it began.
const BATCH_OF_POSTGRES: i64 = 64;
/// The pause after a look that met many facts, unless somebody waits for the next: what comes close together is then
/// taken together, and a page of records that much of it changes is written once.
const PACE: Duration = Duration::from_millis(100);
/// How many facts are many.
const PACED_LEN: usize = 32;
/// Batches above what is final that one look takes.
const AHEAD_MAX: usize = 256;
/// Attempts before a fact is put aside.
const ATTEMPTS_MAX: u32 = 8;
/// The longest pause between two attempts.
const PAUSE_MAX: Duration = Duration::from_secs(10);
/// How often a log is looked at when nothing hints at a change.
const POLL: Duration = Duration::from_millis(250);

/// What a consumer does with facts, oldest first, inside the transaction that moves its position.
pub type Take = Arc<
    dyn for<'t> Fn(&'t mut Tx, Arc<[Arc<Emitted>]>) -> BoxFuture<'t, Result<(), DbError>>
        + Send
        + Sync,
>;

/// How a consumer's transactions meet others' on Postgres. On SQLite there is one writer, and they do not meet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Isolation {
    /// Serializable: what met another is tried again. Right for whatever the consumer reads and writes.
    #[default]
    Serializable,
    /// READ COMMITTED, behind the lock of the consumer's position. For one that changes rows which many writers queue
    /// up for: it waits with them instead of failing against them. It is for its `take` to lock what it reads and then
    /// changes; that no fact takes effect twice follows from the position's lock alone, for all that tells what was
    /// taken is read after it, and a statement at READ COMMITTED sees whatever was committed before it began.
    Queued,
}

/// Takes facts of one log into a service's records.
#[derive(Clone)]
pub struct Consumer {
    /// Its stable name; its position is kept under it.
    pub name: &'static str,
    /// The service whose facts it takes.
    pub source: &'static str,
    /// The facts it takes; others are passed over.
    pub facts: &'static [&'static str],
    /// How its transactions meet others'.
    pub isolation: Isolation,
    /// What it does.
    pub take: Take,
}

/// How far a consumer has come, as this instance knows it. Cloning keeps the same.
#[derive(Clone)]
pub struct Progress {
    reached: Arc<watch::Sender<Reached>>,
    /// Somebody waits for a fact.
    awaited: Arc<Notify>,
}

/// Looks are numbered from 1.
#[derive(Clone, Copy)]
struct Reached {
    position: Position,
    /// The look that was begun last.
    begun: u64,
    /// The last look that came to the log's end.
    whole: u64,
}

impl Default for Progress {
    fn default() -> Self {
        let none = Reached { position: Position::default(), begun: 0, whole: 0 };
        Self { reached: Arc::new(watch::Sender::new(none)), awaited: Arc::default() }
    }
}

impl Progress {
    /// Resolves once the fact at `position`, which is committed, was taken. The caller bounds the wait.
    pub async fn taken(&self, position: Position) {
        let mut reached = self.reached.subscribe();
        // A look that begins from now on meets the fact, whatever holds the position back.
        let begun = reached.borrow().begun;
        let taken = |now: &Reached| now.position >= position || now.whole > begun;
        if !taken(&reached.borrow()) {
            self.awaited.notify_one();
        }
        reached
            .wait_for(taken)
            .await
            .tolerate("the consumer ends with the program; so does the wait");
    }

    fn begin(&self) {
        self.reached.send_modify(|reached| reached.begun += 1);
    }

    fn end(&self, position: Position, whole: bool) {
        self.reached.send_modify(|reached| {
            reached.position = reached.position.max(position);
            if whole {
                reached.whole = reached.begun;
            }
        });
    }
}

/// Why a look at the log ended early.
struct Failure {
    /// The fact that could not be taken, if it was one fact's fault.
    fact: Option<FactId>,
    error: DbError,
}

impl From<DbError> for Failure {
    fn from(error: DbError) -> Self {
        Self { fact: None, error }
    }
}

impl Failure {
    /// Whether trying later may help without anybody's doing.
    fn is_outage(&self) -> bool {
        matches!(self.error, DbError::Unavailable(_) | DbError::Conflict(_))
    }
}

/// How often the fact at which a consumer stands has failed.
#[derive(Default)]
struct Failing {
    fact: Option<FactId>,
    attempts: u32,
}

impl Failing {
    /// Counts a failure; attempts at one fact, or looks that failed in a row.
    fn count(&mut self, failure: &Failure) {
        let same = failure.fact.is_none() || self.fact == failure.fact;
        self.attempts = if same { self.attempts.saturating_add(1) } else { 1 };
        self.fact = failure.fact.or(self.fact);
    }

    /// How long to wait before the next attempt.
    fn pause(&self) -> Duration {
        PAUSE_MAX.min(Duration::from_millis(50 << self.attempts.min(10)))
    }

    /// How this fact is to be taken: whether it has had its last attempt.
    fn is_over(&self, fact: FactId) -> bool {
        self.fact == Some(fact) && self.attempts + 1 >= ATTEMPTS_MAX
    }
}

impl Consumer {
    /// Takes facts until `stop` says so.
    pub async fn run(
        self,
        source: Log,
        target: Db,
        progress: Progress,
        mut stop: watch::Receiver<bool>,
    ) {
        let mut failing = Failing::default();
        while !*stop.borrow() {
            progress.begin();
            let met = match self.look(&source, &target, &failing, &progress).await {
                Ok(met) => {
                    failing = Failing::default();
                    met
                }
                Err(failure) => {
                    failing.count(&failure);
                    let attempt = failing.attempts;
                    tracing::warn!(consumer = self.name, attempt, error = %failure.error, "take a fact");
                    0
                }
            };
            let fails = failing.attempts > 0;
            let pause = async {
                match met {
                    _ if fails => tokio::time::sleep(failing.pause()).await,
                    0 => source.db().changed(POLL).await,
                    PACED_LEN.. => tokio::time::sleep(PACE).await,
                    _ => {}
                }
            };
            tokio::select! {
                () = pause => {}
                () = progress.awaited.notified(), if !fails => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Takes every fact that is there, for whoever fills records before the program runs.
    ///
    /// # Errors
    /// What the engine says, or what the consumer says of a fact; nothing of that batch was taken then.
    pub async fn catch_up(&self, source: &Log, target: &Db) -> Result<(), DbError> {
        self.look(source, target, &Failing::default(), &Progress::default())
            .await
            .map(drop)
            .map_err(|failure| failure.error)
    }

    /// Takes what is there, batch by batch; how many facts it met on its way on.
    async fn look(
        &self,
        source: &Log,
        target: &Db,
        failing: &Failing,
        progress: &Progress,
    ) -> Result<usize, Failure> {
        let batch_len = match target.engine() {
            EngineKind::Sqlite => BATCH_OF_SQLITE,
            EngineKind::Postgres => BATCH_OF_POSTGRES,
        };
        let mut met = 0;
        let mut position = self.position(target).await?;
        let mut from = position;
        let mut ahead = 0;
        while ahead < AHEAD_MAX {
            let mut tx = source.db().read().await?;
            let xmin = tx.stamp().await?;
            let facts = source.db().outbox().after(&mut tx, from, batch_len).await?;
            drop(tx);
            let last = facts.last().map(|fact| fact.position);
            let full = facts.len() as i64 == batch_len;
            let len = facts.len();
            if last.is_some() {
                let facts: Vec<Arc<Emitted>> = facts.into_iter().map(Arc::new).collect();
                let batch = Batch { facts: facts.into(), position, xmin };
                let Some(moved) = self.take_batch(target, batch, failing).await? else {
                    // Another instance has taken them.
                    return Ok(met);
                };
                // What was taken ahead is met again until it is final, which is nothing new.
                met += if moved == position { 0 } else { len };
                ahead = if moved == position { ahead + 1 } else { 0 };
                position = moved;
            }
            progress.end(position, !full);
            match last {
                Some(last) if full => from = last,
                _ => return Ok(met),
            }
        }
        Ok(met)
    }

    async fn position(&self, target: &Db) -> Result<Position, DbError> {
        let mut tx = target.read().await?;
        let outbox = target.outbox();
        let at: Option<(i64, i64)> =
            tx.optional(&outbox.position, params![self.name, self.source]).await?;
        drop(tx);
        if at.is_none() && self.isolation == Isolation::Queued {
            self.begin(target).await?;
        }
        Ok(at.map_or(Position { xid: 0, seq: 0 }, |(xid, seq)| Position { xid, seq }))
    }

    /// Makes the row that its transactions lock: a lock on a row that is not there keeps nobody out.
    async fn begin(&self, target: &Db) -> Result<(), DbError> {
        let names = (self.name, self.source);
        target
            .write(move |tx| {
                let outbox = tx.outbox();
                Box::pin(
                    async move { tx.run(&outbox.begin_position, params![names.0, names.1]).await },
                )
            })
            .await
    }

    /// Takes a batch as one transaction; after a failure, fact by fact, so that the one at fault is known. Returns the
    /// new position; `None` if another instance moved it meanwhile.
    async fn take_batch(
        &self,
        target: &Db,
        batch: Batch,
        failing: &Failing,
    ) -> Result<Option<Position>, Failure> {
        if failing.attempts == 0 {
            return Ok(self.commit(target, batch, None).await?);
        }
        let mut position = batch.position;
        for fact in batch.facts.iter() {
            let one = Batch { facts: Arc::new([fact.clone()]), position, xmin: batch.xmin };
            let taken = match self.commit(target, one.clone(), None).await {
                Err(error) => {
                    let failure = Failure { fact: Some(fact.id), error };
                    if failure.is_outage() || !failing.is_over(fact.id) {
                        return Err(failure);
                    }
                    let why = (failure.error.to_string(), failing.attempts + 1);
                    tracing::error!(consumer = self.name, fact = %fact.id, name = &*fact.name, error = why.0, "put a fact aside");
                    self.commit(target, one, Some(why)).await?
                }
                Ok(taken) => taken,
            };
            match taken {
                Some(moved) => position = moved,
                None => return Ok(None),
            }
        }
        Ok(Some(position))
    }

    /// One transaction: the effect of the batch, or its burial, what was taken ahead, and the new position.
    async fn commit(
        &self,
        target: &Db,
        batch: Batch,
        bury: Option<(String, u32)>,
    ) -> Result<Option<Position>, DbError> {
        let (consumer, bury) = (self.clone(), bury.map(Arc::new));
        let position: &[crate::db::Param<'_>] = params![self.name, self.source];
        let lock = match self.isolation {
            Isolation::Serializable => None,
            Isolation::Queued => Some((&target.outbox().lock_position, position)),
        };
        target
            .write_with(lock, move |tx| {
                let (consumer, batch, bury) = (consumer.clone(), batch.clone(), bury.clone());
                Box::pin(async move { consumer.take_in(tx, &batch, bury.as_deref()).await })
            })
            .await
    }

    async fn take_in(
        &self,
        tx: &mut Tx,
        batch: &Batch,
        bury: Option<&(String, u32)>,
    ) -> Result<Option<Position>, DbError> {
        let outbox = tx.outbox();
        let at: Option<(i64, i64)> =
            tx.optional(&outbox.lock_position, params![self.name, self.source]).await?;
        let at = at.map_or(Position { xid: 0, seq: 0 }, |(xid, seq)| Position { xid, seq });
        if at != batch.position {
            return Ok(None);
        }
        let ids: Vec<FactId> = batch.facts.iter().map(|fact| fact.id).collect();
        let taken: Vec<(FactId,)> = tx.all(&outbox.consumed_among, params![self.name, ids]).await?;
        let taken: HashSet<FactId> = taken.into_iter().map(|(id,)| id).collect();
        let wanted = batch
            .facts
            .iter()
            .filter(|fact| self.facts.contains(&&*fact.name) && !taken.contains(&fact.id));
        let wanted: Arc<[Arc<Emitted>]> = wanted.cloned().collect();
        match bury {
            Some(why) => self.bury(tx, &wanted, why).await?,
            None if wanted.is_empty() => {}
            None => (self.take)(tx, wanted.clone()).await?,
        }
        let now = tx.now();
        let ahead = wanted.iter().filter(|fact| fact.position.xid >= batch.xmin);
        let consumed =
            ahead.map(|fact| (&outbox.consume, params![self.name, fact.id, now].to_vec()));
        tx.execute_all(&consumed.collect::<Vec<_>>()).await?;
        let end = batch.facts.iter().rev().map(|fact| fact.position).find(|at| at.xid < batch.xmin);
        let Some(end) = end else { return Ok(Some(at)) };
        tx.run(&outbox.set_position, params![self.name, self.source, end.xid, end.seq]).await?;
        if !taken.is_empty() {
            let passed = batch.facts.iter().filter(|fact| fact.position <= end);
            let passed: Vec<FactId> = passed.map(|fact| fact.id).collect();
            tx.run(&outbox.forget_consumed, params![self.name, passed]).await?;
        }
        Ok(Some(end))
    }

    async fn bury(
        &self,
        tx: &mut Tx,
        facts: &[Arc<Emitted>],
        (error, attempts): &(String, u32),
    ) -> Result<(), DbError> {
        let (outbox, now) = (tx.outbox(), tx.now());
        for fact in facts {
            let params = [
                crate::db::Param::Text(self.name.into()),
                crate::db::ToParam::to_param(&fact.id),
                crate::db::Param::Text(self.source.into()),
                crate::db::Param::Text((&*fact.name).into()),
                crate::db::Param::Json(fact.payload.clone()),
                crate::db::Param::Text(error.into()),
                crate::db::Param::I64((*attempts).into()),
                crate::db::Param::Ts(now),
            ];
            tx.run(&outbox.bury, &params).await?;
        }
        Ok(())
    }
}

/// Facts that are taken together, and what was known of the log when they were read.
#[derive(Clone)]
struct Batch {
    facts: Arc<[Arc<Emitted>]>,
    /// Where the consumer stood.
    position: Position,
    /// Facts of transactions below it are final.
    xmin: i64,
}
