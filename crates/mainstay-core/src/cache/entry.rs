//! What a class keeps and what it hands out.

use std::{
    borrow::Borrow,
    fmt,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
};

use super::tag::{Stamp, Tag, Tags};

/// What a loader has read.
#[derive(Debug)]
pub struct Loaded<V> {
    /// The value, or `None` when there is none (which is kept for the class's negative lifetime).
    pub value: Option<V>,
    /// Everything that the value depends on; also what it would depend on if it existed.
    pub tags: Tags,
    /// The stamp of the *first* snapshot that was read (see [`crate::cache`] on what a stamp is).
    pub stamp: Stamp,
    /// The log epoch stored in the database that was read, if the loader has read it. A load from a replica must: one
    /// that still shows the time before a failover would otherwise pass for the new log.
    pub log_epoch: Option<u64>,
}

impl<V> Loaded<V> {
    /// A value that was found.
    pub fn found(value: V, tags: impl IntoIterator<Item: Borrow<Tag>>, stamp: Stamp) -> Self {
        Self { value: Some(value), tags: collect(tags), stamp, log_epoch: None }
    }

    /// The same, read in a snapshot that shows this log epoch.
    #[must_use]
    pub fn in_log(self, log_epoch: u64) -> Self {
        Self { log_epoch: Some(log_epoch), ..self }
    }

    /// There is no such thing.
    pub fn absent(tags: impl IntoIterator<Item: Borrow<Tag>>, stamp: Stamp) -> Self {
        Self { value: None, tags: collect(tags), stamp, log_epoch: None }
    }
}

fn collect(tags: impl IntoIterator<Item: Borrow<Tag>>) -> Tags {
    tags.into_iter().map(|tag| *tag.borrow()).collect()
}

/// The facts about an entry that decide whether it may be used. Times are [`super::Mono`] microseconds.
#[derive(Debug)]
pub(super) struct Meta {
    pub(super) log_epoch: u64,
    pub(super) stamp: Stamp,
    pub(super) tags: Tags,
    pub(super) filled: i64,
    /// From here on one caller refreshes; moved on when a refresh fails.
    pub(super) soft: AtomicI64,
    pub(super) hard: i64,
}

impl Meta {
    pub(super) fn due(&self, now: i64) -> bool {
        now >= self.soft.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
pub(super) struct Entry<V> {
    pub(super) meta: Meta,
    pub(super) value: V,
}

/// One key's content: a value, or the knowledge that there is none.
#[derive(Debug)]
pub(super) enum Slot<V> {
    Found(Arc<Entry<V>>),
    Absent(Arc<Meta>),
}

impl<V> Clone for Slot<V> {
    fn clone(&self) -> Self {
        match self {
            Self::Found(entry) => Self::Found(entry.clone()),
            Self::Absent(meta) => Self::Absent(meta.clone()),
        }
    }
}

impl<V> Slot<V> {
    pub(super) fn new(value: Option<V>, meta: Meta) -> Self {
        match value {
            Some(value) => Self::Found(Arc::new(Entry { meta, value })),
            None => Self::Absent(Arc::new(meta)),
        }
    }

    pub(super) fn meta(&self) -> &Meta {
        match self {
            Self::Found(entry) => &entry.meta,
            Self::Absent(meta) => meta,
        }
    }

    pub(super) fn into_hit(self, stale: bool) -> Option<Hit<V>> {
        match self {
            Self::Found(entry) => Some(Hit { entry, stale }),
            Self::Absent(_) => None,
        }
    }
}

/// A value handed out by a class. Cheap to clone; keeps the value alive, not current.
pub struct Hit<V> {
    entry: Arc<Entry<V>>,
    stale: bool,
}

impl<V> Hit<V> {
    /// Whether the value could not be confirmed (the log could not be followed) or is known to be outdated. Only
    /// classes whose policy permits it hand such values out; an HTTP answer then says so.
    pub fn is_stale(&self) -> bool {
        self.stale
    }

    /// Microseconds, on the class's clock, at which the value was filled in.
    pub fn filled_at(&self) -> i64 {
        self.entry.meta.filled
    }

    /// The snapshot that the value was read in, for whoever builds another entry from it.
    pub fn stamp(&self) -> Stamp {
        self.entry.meta.stamp
    }

    /// The tags of the value, for whoever builds another entry from it.
    pub fn tags(&self) -> &Tags {
        &self.entry.meta.tags
    }
}

impl<V> Clone for Hit<V> {
    fn clone(&self) -> Self {
        Self { entry: self.entry.clone(), stale: self.stale }
    }
}

impl<V> Deref for Hit<V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.entry.value
    }
}

impl<V: fmt::Debug> fmt::Debug for Hit<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hit")
            .field("value", &self.entry.value)
            .field("stamp", &self.entry.meta.stamp)
            .field("stale", &self.stale)
            .finish_non_exhaustive()
    }
}

/// What memory knows about a key, without loading.
#[derive(Debug)]
pub enum Lookup<V> {
    /// The value, current within the class's bound.
    Hit(Hit<V>),
    /// It is known that there is none.
    Absent,
    /// Nothing usable is kept.
    Miss,
}
