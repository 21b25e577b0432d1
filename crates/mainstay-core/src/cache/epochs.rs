//! What this instance has applied of one log.

use std::{
    fmt,
    sync::{
        OnceLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use tokio::sync::watch;

use super::{
    monotonic::Mono,
    tag::{Stamp, Tag},
};

/// Buckets per log. With 50 facts a second, entries of three tags and a lifetime of 60 s, 3.4 % of the entries
/// are refused although nothing of theirs changed.
const BUCKETS: usize = 1 << 18;
/// Buckets in one piece of memory; pieces are made when the first fact falls into them (2 MiB when all are). So
/// large that the list of pieces stays in the processor's first cache.
const CHUNK: usize = 512;

type Chunk = Box<[AtomicI64; CHUNK]>;

/// The facts of one log that this instance has applied, per hashed tag, and how current that is.
///
/// Every service has its own log, so its own `Epochs`. Applying and checking take no lock.
pub struct Epochs {
    /// Which log the positions belong to; read last by a check, written before the buckets are cleared.
    log_epoch: AtomicU64,
    /// Entries with a stamp at or below it are refused.
    floor: AtomicI64,
    /// When the last poll began whose facts are all applied.
    verified_at: AtomicI64,
    /// Every fact below it is applied.
    horizon: watch::Sender<i64>,
    chunks: Box<[OnceLock<Chunk>]>,
    mono: Mono,
}

/// The log was restored or has failed over, so a position of the old one means nothing here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the log was replaced since this token was given; read again without it")]
pub struct LogChanged;

impl Epochs {
    /// The epochs of the log with this random number. Nothing is usable before the first [`Epochs::polled`].
    pub fn new(log_epoch: u64, mono: Mono) -> Self {
        Self {
            log_epoch: AtomicU64::new(log_epoch),
            floor: AtomicI64::new(i64::MAX),
            verified_at: AtomicI64::new(i64::MIN),
            horizon: watch::Sender::new(i64::MIN),
            chunks: (0..BUCKETS / CHUNK).map(|_| OnceLock::new()).collect(),
            mono,
        }
    }

    /// Which log this is; part of every entry, second-level key and consistency token.
    pub fn log_epoch(&self) -> u64 {
        self.log_epoch.load(Ordering::Acquire)
    }

    /// The clock that `polled` and the cache classes of this log share.
    pub fn mono(&self) -> &Mono {
        &self.mono
    }

    /// A fact at `position` changed what `tag` names: entries of that tag with a stamp up to `position` are refused
    /// from now on. Facts may be applied in any order and more than once.
    pub fn apply(&self, tag: Tag, position: i64) {
        let (chunk, at) = place(tag);
        let chunk = self.chunks[chunk]
            .get_or_init(|| Box::new([const { AtomicI64::new(i64::MIN) }; CHUNK]));
        chunk[at].fetch_max(position, Ordering::AcqRel);
    }

    /// A poll that began at `began` ([`Mono::now`] before its snapshot was taken) has applied all facts of its
    /// snapshot from the previous horizon on, and every fact below `horizon` is finished.
    ///
    /// The first one opens the cache: entries stamped below its horizon stay refused, since facts that outdate them
    /// may lie before what this instance was shown. Called by one tailer, one poll after the other.
    pub fn polled(&self, began: i64, horizon: Stamp) {
        if self.floor.load(Ordering::Acquire) == i64::MAX {
            self.floor.store(horizon.0.saturating_sub(1), Ordering::Release);
        }
        self.verified_at.fetch_max(began, Ordering::AcqRel);
        // Each poll is told, also one that an old transaction holds back: it may have brought what somebody waits for.
        self.horizon.send_modify(|seen| *seen = horizon.0.max(*seen));
    }

    /// The log is another one now. Everything kept is refused, and nothing is usable before the next `polled`.
    ///
    /// Called by the tailer, between two polls. A commit that applies its fact at the same time loses nothing: the
    /// next poll applies it again.
    pub fn restart(&self, log_epoch: u64) {
        self.floor.store(i64::MAX, Ordering::Release);
        self.verified_at.store(i64::MIN, Ordering::Release);
        self.log_epoch.store(log_epoch, Ordering::Release);
        self.horizon.send_replace(i64::MIN);
        for chunk in self.chunks.iter().filter_map(OnceLock::get) {
            for bucket in chunk.iter() {
                bucket.store(i64::MIN, Ordering::Release);
            }
        }
    }

    /// Whether a value of this log, stamp and tags contains every fact applied so far.
    ///
    /// The log's epoch is read last: a reader that has met a cleared bucket or the new floor sees the new one.
    pub fn current(&self, log_epoch: u64, stamp: Stamp, tags: &[Tag]) -> bool {
        stamp.0 > self.floor.load(Ordering::Acquire)
            && tags.iter().all(|tag| stamp.0 > self.epoch(*tag))
            && log_epoch == self.log_epoch.load(Ordering::Acquire)
    }

    /// The highest applied position of this tag (or of one that shares its bucket).
    fn epoch(&self, tag: Tag) -> i64 {
        let (chunk, at) = place(tag);
        self.chunks[chunk].get().map_or(i64::MIN, |chunk| chunk[at].load(Ordering::Acquire))
    }

    /// Microseconds since the beginning of the last complete poll, seen from `now`; huge before the first one.
    pub fn lag_us(&self, now: i64) -> i64 {
        now.saturating_sub(self.verified_at.load(Ordering::Acquire)).max(0)
    }

    /// Every fact below this is applied; `i64::MIN` before the first poll.
    pub fn horizon(&self) -> i64 {
        *self.horizon.borrow()
    }

    /// Resolves once `done` says so of the horizon, asked now and after each poll. The caller bounds the wait.
    ///
    /// # Errors
    /// [`LogChanged`] when the log is another one, now or while waiting.
    pub async fn wait_until(
        &self,
        log_epoch: u64,
        done: impl Fn(i64) -> bool,
    ) -> Result<(), LogChanged> {
        let mut horizon = self.horizon.subscribe();
        let done = |horizon: &i64| done(*horizon) || self.log_epoch() != log_epoch;
        let waited = horizon.wait_for(done).await.is_ok();
        if waited && self.log_epoch() == log_epoch { Ok(()) } else { Err(LogChanged) }
    }
}

impl fmt::Debug for Epochs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Epochs")
            .field("log_epoch", &self.log_epoch())
            .field("floor", &self.floor.load(Ordering::Relaxed))
            .field("horizon", &self.horizon())
            .finish_non_exhaustive()
    }
}

fn place(tag: Tag) -> (usize, usize) {
    let bucket = tag.bits() as usize % BUCKETS;
    (bucket / CHUNK, bucket % CHUNK)
}

/// A new random number for a log that was created, restored or failed over; never 0.
pub fn random_log_epoch() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    // The standard library seeds it from the system's generator; an epoch must be unlikely to repeat, not secret.
    RandomState::new().hash_one("log epoch").max(1)
}
