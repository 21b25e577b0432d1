//! Facts: written with the change, followed by every instance, consumed at least once and taken once.
//!
//! [`Log`] follows one service's outbox in this process: it outdates cache entries and tells memory and live topics.
//! [`consumer`] takes facts of any log and writes their effect into another service's records; [`dead`] has those that
//! it could not take; [`snapshot`] tells a service's present state again, for consumers that are new.

pub mod consumer;
pub mod dead;
pub mod snapshot;

use std::{
    collections::{BTreeSet, HashMap},
    sync::{Arc, Mutex, PoisonError, RwLock},
    time::Duration,
};

use mainstay_contract::id::FactId;
use tokio::sync::watch;

use crate::{
    cache::{Epochs, LogChanged, Mono, Stamp},
    db::{Db, DbError, Emitted, EngineKind, Position, Tx},
};

/// Facts that one poll applies before it looks at the time again.
const BATCH: i64 = 1_000;
/// How long a log that cannot be read is left alone.
const PAUSE: Duration = Duration::from_millis(500);

/// What this process does with each fact, once, in the order in which it learns of them. It must not block.
pub type Apply = Box<dyn Fn(&Emitted) + Send + Sync>;

/// One service's outbox, as this process follows it. Cloning is cheap.
#[derive(Clone)]
pub struct Log {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    epochs: Arc<Epochs>,
    appliers: RwLock<Vec<Apply>>,
    /// Told of the facts that are committed here.
    witnesses: RwLock<Vec<Apply>>,
    applied: Mutex<Applied>,
}

/// Facts at or above the horizon that were applied already: a commit here and the tailer both bring them.
#[derive(Default)]
struct Applied {
    horizon: i64,
    ids: HashMap<FactId, i64>,
    /// Where they stand.
    positions: BTreeSet<Position>,
}

impl Applied {
    /// Moves the horizon over what commits here brought, which the tailer then need not read again. On SQLite, where
    /// each fact is a transaction number of its own.
    fn pass_applied(&mut self) {
        while self.positions.remove(&Position { xid: self.horizon, seq: self.horizon }) {
            self.horizon += 1;
        }
    }

    /// Forgets what lies below the horizon.
    fn forget_passed(&mut self) {
        let horizon = self.horizon;
        self.ids.retain(|_, xid| *xid >= horizon);
        self.positions = self.positions.split_off(&Position { xid: horizon, seq: i64::MIN });
    }
}

impl Log {
    /// Follows the outbox of `db`. From now on its commits are applied before their callers go on.
    ///
    /// # Errors
    /// `Unavailable` if the log's epoch cannot be read.
    pub async fn open(db: Db, mono: Mono) -> Result<Self, DbError> {
        let epoch = crate::db::outbox::log_epoch(&db).await?;
        let epochs = Arc::new(Epochs::new(epoch, mono));
        let inner = Inner {
            db,
            epochs,
            appliers: RwLock::default(),
            witnesses: RwLock::default(),
            applied: Mutex::default(),
        };
        let log = Self { inner: Arc::new(inner) };
        log.first_poll().await?;
        let weak = Arc::downgrade(&log.inner);
        log.inner.db.on_commit(Box::new(move |facts| {
            if let Some(inner) = weak.upgrade() {
                for fact in facts {
                    inner
                        .witnesses
                        .read()
                        .unwrap_or_else(PoisonError::into_inner)
                        .iter()
                        .for_each(|w| w(fact));
                    inner.apply(fact);
                }
            }
        }));
        Ok(log)
    }

    /// The records behind the log.
    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    /// What is outdated, for cache classes.
    pub fn epochs(&self) -> &Arc<Epochs> {
        &self.inner.epochs
    }

    /// How long ago this instance began to read what it has read to its end.
    pub fn lag(&self) -> Duration {
        let epochs = &self.inner.epochs;
        let lag_us = epochs.lag_us(epochs.mono().now());
        Duration::from_micros(lag_us.unsigned_abs())
    }

    /// The lowest transaction of which nothing is applied yet. On Postgres it may lie above the horizon: while an older
    /// transaction is open, what was committed after it is applied again and again.
    pub(crate) fn begins(&self) -> i64 {
        let applied = self.inner.applied.lock().unwrap_or_else(PoisonError::into_inner);
        let above = applied.ids.values().max().map_or(i64::MIN, |xid| xid.saturating_add(1));
        applied.horizon.max(above)
    }

    /// Resolves once this instance has applied the fact at `position` of the log `log_epoch`, whatever older
    /// transaction may still be open. The caller bounds the wait.
    ///
    /// # Errors
    /// [`LogChanged`] when the log is another one, now or while waiting.
    pub async fn seen(&self, log_epoch: u64, position: Position) -> Result<(), LogChanged> {
        let applied = |horizon: i64| {
            horizon > position.xid || {
                let applied = self.inner.applied.lock().unwrap_or_else(PoisonError::into_inner);
                applied.horizon > position.xid || applied.positions.contains(&position)
            }
        };
        self.inner.epochs.wait_until(log_epoch, applied).await
    }

    /// From now on `apply` is told of every fact.
    pub fn on_fact(&self, apply: Apply) {
        self.inner.appliers.write().unwrap_or_else(PoisonError::into_inner).push(apply);
    }

    /// From now on `witness` is told of every fact that this instance itself commits, once and never of others': for
    /// counters, which are added up over all instances.
    pub fn on_own_fact(&self, witness: Apply) {
        self.inner.witnesses.write().unwrap_or_else(PoisonError::into_inner).push(witness);
    }

    /// The first look sets the horizon: what lies before it is in the records that are read from now on. Facts at or
    /// above it may be committed already while an older transaction is open, so they are applied before anything kept
    /// elsewhere is believed.
    async fn first_poll(&self) -> Result<(), DbError> {
        let stamp = self.inner.db.read().await?.stamp().await?;
        self.inner.applied.lock().unwrap_or_else(PoisonError::into_inner).horizon = stamp;
        self.poll_once().await
    }

    /// Follows the log until `stop` says so; polls at least every `poll`.
    pub async fn follow(self, poll: Duration, mut stop: watch::Receiver<bool>) {
        while !*stop.borrow() {
            let wait = match self.poll_once().await {
                Ok(()) => poll,
                Err(error) => {
                    tracing::warn!(log = self.inner.db.schema(), %error, "follow the log");
                    PAUSE
                }
            };
            tokio::select! {
                () = self.inner.db.changed(wait) => {}
                _ = stop.changed() => {}
            }
        }
    }

    /// Applies every fact that was committed and not applied, and moves the horizon on.
    ///
    /// # Errors
    /// What the engine says; nothing was moved on then.
    pub async fn poll_once(&self) -> Result<(), DbError> {
        let inner = &self.inner;
        let began = inner.epochs.mono().now();
        let mut tx = inner.db.read().await?;
        let stamp = tx.stamp().await?;
        self.heed_restore(&mut tx, stamp).await?;
        let horizon = {
            let mut applied = inner.applied.lock().unwrap_or_else(PoisonError::into_inner);
            if inner.db.engine() == EngineKind::Sqlite {
                applied.pass_applied();
            }
            applied.horizon
        };
        let mut position = Position { xid: horizon, seq: i64::MIN };
        if inner.db.engine() == EngineKind::Sqlite {
            position.seq = horizon - 1;
        }
        loop {
            let facts = inner.db.outbox().after(&mut tx, position, BATCH).await?;
            facts.iter().for_each(|fact| inner.apply(fact));
            match facts.last() {
                Some(last) if facts.len() as i64 == BATCH => position = last.position,
                _ => break,
            }
        }
        let mut applied = inner.applied.lock().unwrap_or_else(PoisonError::into_inner);
        applied.horizon = applied.horizon.max(stamp);
        applied.forget_passed();
        drop(applied);
        inner.epochs.polled(began, Stamp(stamp));
        Ok(())
    }
}

impl Log {
    /// When the records are another log now (a restore gave it a new number, or a standby took over), everything kept
    /// of the old one is refused.
    async fn heed_restore(&self, tx: &mut Tx, stamp: i64) -> Result<(), DbError> {
        let named_by = crate::db::outbox::log_named_by(&self.inner.db).await?;
        let named = crate::db::outbox::epoch_seen(tx, named_by).await?;
        let epoch = named.ok_or(DbError::NoRow(named_by.text()))?;
        if epoch != self.inner.epochs.log_epoch() {
            tracing::warn!(
                log = self.inner.db.schema(),
                "the log was replaced; what was kept of the old one is dropped"
            );
            let mut applied = self.inner.applied.lock().unwrap_or_else(PoisonError::into_inner);
            *applied = Applied { horizon: stamp, ..Applied::default() };
            self.inner.epochs.restart(epoch);
        }
        Ok(())
    }
}

impl Inner {
    /// Tags always, appliers once. They run under the lock, so that whoever sees the horizon sees their effect.
    fn apply(&self, fact: &Emitted) {
        for tag in fact.tags.iter() {
            self.epochs.apply(*tag, fact.position.xid);
        }
        let mut applied = self.applied.lock().unwrap_or_else(PoisonError::into_inner);
        if fact.position.xid < applied.horizon
            || applied.ids.insert(fact.id, fact.position.xid).is_some()
        {
            return;
        }
        applied.positions.insert(fact.position);
        for apply in self.appliers.read().unwrap_or_else(PoisonError::into_inner).iter() {
            apply(fact);
        }
    }
}
