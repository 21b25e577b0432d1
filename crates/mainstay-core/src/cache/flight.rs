//! One load per key at a time on this instance.

use std::{
    any::Any,
    collections::{HashMap, hash_map},
    hash::{BuildHasher, Hash},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use foldhash::fast::RandomState;
use tokio::sync::watch;

use super::entry::Slot;

const SHARDS: usize = 16;

/// How a flight ended. A leader that went away leaves no outcome: its followers see the channel close.
pub(super) enum Outcome<V> {
    Loaded(Slot<V>),
    Failed(Arc<dyn Any + Send + Sync>),
}

impl<V> Clone for Outcome<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Loaded(slot) => Self::Loaded(slot.clone()),
            Self::Failed(error) => Self::Failed(error.clone()),
        }
    }
}

struct Flight<V> {
    began: u64,
    done: watch::Receiver<Option<Outcome<V>>>,
}

type Shard<K, V> = Mutex<HashMap<K, Flight<V>, RandomState>>;

/// The loads under way, at most one for each key; bounded by the number of callers.
pub(super) struct Flights<K, V> {
    shards: Box<[Shard<K, V>]>,
    hasher: RandomState,
    /// Orders the beginnings of calls and of flights.
    ticket: AtomicU64,
}

/// What a caller is to do.
pub(super) enum Join<'a, K: Hash + Eq + Clone, V> {
    /// Load, then land.
    Lead(Lead<'a, K, V>),
    /// Wait for another caller's load.
    Follow(Follow<V>),
}

impl<K: Hash + Eq + Clone, V> Flights<K, V> {
    pub(super) fn new() -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            hasher: RandomState::default(),
            ticket: AtomicU64::new(0),
        }
    }

    /// A moment in the order of calls and flights.
    pub(super) fn ticket(&self) -> u64 {
        self.ticket.fetch_add(1, Ordering::AcqRel)
    }

    pub(super) fn join(&self, key: &K) -> Join<'_, K, V> {
        match self.shard(key).entry(key.clone()) {
            hash_map::Entry::Occupied(flight) => {
                let Flight { began, done } = flight.get();
                Join::Follow(Follow { began: *began, done: done.clone() })
            }
            hash_map::Entry::Vacant(free) => {
                let (done, watched) = watch::channel(None);
                let began = self.ticket();
                free.insert(Flight { began, done: watched });
                Join::Lead(Lead { flights: self, key: key.clone(), began, done })
            }
        }
    }

    fn shard(&self, key: &K) -> MutexGuard<'_, HashMap<K, Flight<V>, RandomState>> {
        let at = (self.hasher.hash_one(key) >> 32) as usize % SHARDS;
        // Nothing panics while it is held; a poisoned map is still whole.
        self.shards[at].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The right to load a key. Dropped without landing (the caller went away), it lets a follower take over.
pub(super) struct Lead<'a, K: Hash + Eq + Clone, V> {
    flights: &'a Flights<K, V>,
    key: K,
    began: u64,
    done: watch::Sender<Option<Outcome<V>>>,
}

impl<K: Hash + Eq + Clone, V> Lead<'_, K, V> {
    pub(super) fn land(self, outcome: Outcome<V>) {
        // Callers that arrive from here on start a new flight; those that wait get this outcome.
        self.flights.shard(&self.key).remove(&self.key);
        self.done.send_replace(Some(outcome));
    }
}

impl<K: Hash + Eq + Clone, V> Drop for Lead<'_, K, V> {
    fn drop(&mut self) {
        let mut shard = self.flights.shard(&self.key);
        // After `land` the key may already belong to the next flight.
        if shard.get(&self.key).is_some_and(|flight| flight.began == self.began) {
            shard.remove(&self.key);
        }
    }
}

/// Another caller's load.
pub(super) struct Follow<V> {
    /// When the flight began, in the order of [`Flights::ticket`].
    pub(super) began: u64,
    done: watch::Receiver<Option<Outcome<V>>>,
}

impl<V> Follow<V> {
    /// The outcome, or `None` when the leader went away.
    pub(super) async fn outcome(mut self) -> Option<Outcome<V>> {
        let outcome = self.done.wait_for(Option::is_some).await.ok()?;
        outcome.clone()
    }
}
