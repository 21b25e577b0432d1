//! One class of cached values: lookup, single flight, refresh, and what happens when the database is away.

use std::{fmt, hash::Hash, sync::Arc};

use quick_cache::{Weighter, sync::Cache};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    entry::{Hit, Loaded, Lookup, Meta, Slot},
    epochs::Epochs,
    flight::Flights,
    metrics::{CacheMetrics, ClassMetrics},
    policy::{Policy, Staleness},
    second::{SecondLevel, Shelf},
    tag::mix,
};

/// Memory of an entry besides what the weigher counts: meta data, the table's slot, two allocations.
const ENTRY_OVERHEAD_BYTES: u64 = 192;
/// One of this many hits records its age; a power of two.
const AGE_SAMPLE: u64 = 64;

/// Values of one kind under one policy, kept in this process and perhaps in a second level.
///
/// `K` is what is asked for, `V` the value; both are kept in memory until evicted by weight.
pub struct Class<K, V> {
    pub(super) policy: Policy,
    pub(super) epochs: Arc<Epochs>,
    pub(super) memory: Cache<K, Slot<V>, Weigh<K, V>>,
    pub(super) flights: Flights<K, V>,
    pub(super) shelf: Option<Shelf<K, V>>,
    pub(super) metrics: ClassMetrics,
}

/// Counts the bytes of an entry; called once when it is kept.
pub(super) struct Weigh<K, V>(fn(&K, &V) -> usize);

impl<K, V> Clone for Weigh<K, V> {
    fn clone(&self) -> Self {
        Self(self.0)
    }
}

impl<K, V> Weighter<K, Slot<V>> for Weigh<K, V> {
    fn weight(&self, key: &K, slot: &Slot<V>) -> u64 {
        let value = match slot {
            Slot::Found(entry) => (self.0)(key, &entry.value),
            Slot::Absent(_) => 0,
        };
        ENTRY_OVERHEAD_BYTES + u64::try_from(value).unwrap_or(u64::MAX >> 1)
    }
}

/// How an entry stands to what this instance knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    /// Current within the bound.
    Fresh,
    /// Nothing is known against it, but the log was not followed within the bound.
    Unverified,
    /// An applied fact has outdated it.
    Outdated,
    /// Too old, or of another log.
    Gone,
}

impl<K, V> Class<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// A class kept in this process only. `weigh` gives the bytes of a key and its value, heap included.
    pub fn new(
        policy: Policy,
        epochs: Arc<Epochs>,
        metrics: &CacheMetrics,
        weigh: fn(&K, &V) -> usize,
    ) -> Self {
        let memory = Cache::with_weighter(policy.items.max(1), policy.capacity_bytes, Weigh(weigh));
        let metrics = metrics.class(policy.name);
        Self { policy, epochs, memory, flights: Flights::new(), shelf: None, metrics }
    }

    /// The value of `key` if it is in memory and current within the class's bound. Never waits.
    pub fn get(&self, key: &K) -> Lookup<V> {
        match self.memory.get(key) {
            Some(slot) if self.verdict(slot.meta(), self.now()) == Verdict::Fresh => {
                self.count_hit(slot.meta());
                match slot.into_hit(false) {
                    Some(hit) => Lookup::Hit(hit),
                    None => Lookup::Absent,
                }
            }
            _ => {
                self.metrics.misses.inc();
                Lookup::Miss
            }
        }
    }

    /// The value of `key`, from memory, the second level or `load`; `None` when there is none.
    ///
    /// `load` runs at most once, and on this instance one at a time for each key: others wait for it. What a caller
    /// gets unmarked contains every fact that this instance had applied when the call began, even if a later
    /// fact has outdated it meanwhile (then it is not kept). Dropping the call leaves nothing behind: another loads.
    /// A caller that meets a value due for refresh loads while the others are answered from memory.
    ///
    /// # Errors
    /// What `load` answered, here or in the call that was waited for, unless the class may serve what it has.
    pub async fn get_or_load<E, F, Fut>(&self, key: &K, load: F) -> Result<Option<Hit<V>>, Arc<E>>
    where
        E: Send + Sync + 'static,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Loaded<V>, E>>,
    {
        let now = self.now();
        let kept = self.memory.get(key).map(|slot| {
            let verdict = self.verdict(slot.meta(), now);
            (slot, verdict)
        });
        match kept {
            Some((slot, Verdict::Fresh)) if !slot.meta().due(now) => {
                self.count_hit(slot.meta());
                Ok(slot.into_hit(false))
            }
            Some((slot, Verdict::Fresh)) => {
                self.count_hit(slot.meta());
                // In boxes, here and below: a hit would carry the room for a load from call to call otherwise.
                Ok(Box::pin(self.refresh(key, slot, load)).await)
            }
            Some((slot, Verdict::Unverified)) if self.is_fail_safe() => {
                self.metrics.stale.inc();
                Ok(slot.into_hit(true))
            }
            kept => {
                self.metrics.misses.inc();
                match Box::pin(self.fill(key, load)).await {
                    Ok(slot) => Ok(slot.into_hit(false)),
                    Err(error) => self.instead_of(kept, error),
                }
            }
        }
    }

    /// Puts what a writer or another load knows, if it is current. A writer stamps it with the stamp of its own
    /// snapshot, never with its own position.
    pub fn put(&self, key: K, loaded: Loaded<V>) {
        let slot = self.slot(loaded, self.epochs.log_epoch(), self.now());
        self.keep(&key, &slot);
    }

    /// Loads those of `keys` that memory lacks, one after the other, until the first error.
    ///
    /// # Errors
    /// What `load` answered.
    pub async fn warm<E, F, Fut>(
        &self,
        keys: impl IntoIterator<Item = K>,
        load: F,
    ) -> Result<usize, Arc<E>>
    where
        E: Send + Sync + 'static,
        F: Fn(K) -> Fut,
        Fut: Future<Output = Result<Loaded<V>, E>>,
    {
        let mut warmed = 0;
        for key in keys {
            self.get_or_load(&key, || load(key.clone())).await?;
            warmed += 1;
        }
        Ok(warmed)
    }

    /// Forgets a key on this instance. Never needed for correctness: facts outdate entries.
    pub fn forget(&self, key: &K) {
        self.memory.remove(key);
        self.gauge();
    }

    /// Forgets everything on this instance.
    pub fn clear(&self) {
        self.memory.clear();
        self.gauge();
    }

    /// Milliseconds since the load that gave this value began: an HTTP answer's `Age`, in thousandths.
    pub fn age_ms(&self, hit: &Hit<V>) -> i64 {
        (self.epochs.mono().now() - hit.filled_at()).max(0) / 1_000
    }

    /// Entries in memory and their weight in bytes.
    pub fn size(&self) -> (usize, u64) {
        (self.memory.len(), self.memory.weight())
    }

    /// The settings this class was made with.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// Puts the class's values into a second level as well.
    #[must_use]
    pub fn with_second_level(self, second: Arc<SecondLevel>) -> Self
    where
        K: Serialize,
        V: Serialize + DeserializeOwned,
    {
        let shelf = Some(Shelf::new(second, self.policy.name));
        Self { shelf, ..self }
    }

    /// What may be served when loading failed.
    fn instead_of<E>(
        &self,
        kept: Option<(Slot<V>, Verdict)>,
        error: Arc<E>,
    ) -> Result<Option<Hit<V>>, Arc<E>> {
        match (self.policy.staleness, kept) {
            (Staleness::Bounded { .. }, Some((slot, Verdict::Unverified)))
            | (Staleness::FailSafe { .. }, Some((slot, Verdict::Unverified | Verdict::Outdated)))
                if self.now() < slot.meta().hard =>
            {
                self.metrics.stale.inc();
                Ok(slot.into_hit(true))
            }
            _ => Err(error),
        }
    }

    fn is_fail_safe(&self) -> bool {
        matches!(self.policy.staleness, Staleness::FailSafe { .. })
    }

    /// Exact where the bound decides about rights, cheap elsewhere.
    pub(super) fn now(&self) -> i64 {
        match self.policy.staleness {
            Staleness::Strict { .. } => self.epochs.mono().now(),
            _ => self.epochs.mono().coarse(),
        }
    }

    fn verdict(&self, meta: &Meta, now: i64) -> Verdict {
        if now >= meta.hard {
            Verdict::Gone
        } else if !self.epochs.current(meta.log_epoch, meta.stamp, &meta.tags) {
            let own_log = meta.log_epoch == self.epochs.log_epoch();
            if own_log { Verdict::Outdated } else { Verdict::Gone }
        } else if self.epochs.lag_us(now) > self.policy.staleness.within_us() {
            Verdict::Unverified
        } else {
            Verdict::Fresh
        }
    }

    pub(super) fn is_fresh(&self, slot: &Slot<V>) -> bool {
        self.verdict(slot.meta(), self.now()) == Verdict::Fresh
    }

    /// An entry from a load that began at `began`, when the log was `log_epoch`.
    pub(super) fn slot(&self, loaded: Loaded<V>, log_epoch: u64, began: i64) -> Slot<V> {
        let Policy { soft_ttl_ms, hard_ttl_ms, negative_ttl_ms, .. } = self.policy;
        let ms = |ms: u32| i64::from(ms) * 1_000;
        let (soft, hard) = match loaded.value {
            Some(_) => (ms(soft_ttl_ms), ms(hard_ttl_ms)),
            None => (ms(negative_ttl_ms), ms(negative_ttl_ms)),
        };
        // Up to a tenth earlier, so that entries filled together are not refreshed together.
        let jitter = mix(self.flights.ticket() ^ (began as u64)) % (soft as u64 / 10 + 1);
        let meta = Meta {
            log_epoch: loaded.log_epoch.unwrap_or(log_epoch),
            stamp: loaded.stamp,
            tags: loaded.tags,
            filled: began,
            soft: began.saturating_add(soft - jitter as i64).into(),
            hard: began.saturating_add(hard),
        };
        Slot::new(loaded.value, meta)
    }

    /// Keeps what is current, unless something newer is already kept.
    pub(super) fn keep(&self, key: &K, slot: &Slot<V>) {
        let meta = slot.meta();
        if !self.epochs.current(meta.log_epoch, meta.stamp, &meta.tags) {
            return;
        }
        let newer = self.memory.peek(key).is_some_and(|kept| {
            kept.meta().stamp > meta.stamp && self.is_fresh(&kept) && !kept.meta().due(self.now())
        });
        if !newer {
            self.memory.insert(key.clone(), slot.clone());
            self.gauge();
        }
    }

    fn count_hit(&self, meta: &Meta) {
        if self.metrics.hits.inc() & (AGE_SAMPLE - 1) == 0 {
            let age_us = self.now().saturating_sub(meta.filled).max(0);
            self.metrics.age.observe(age_us as f64 / 1e6);
        }
    }

    fn gauge(&self) {
        let (entries, bytes) = self.size();
        self.metrics.entries.set(i64::try_from(entries).unwrap_or(i64::MAX));
        self.metrics.bytes.set(i64::try_from(bytes).unwrap_or(i64::MAX));
    }
}

impl<K, V> fmt::Debug for Class<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Class").field("policy", &self.policy).finish_non_exhaustive()
    }
}
