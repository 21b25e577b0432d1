//! What this instance has learned of a place and Redis may not have yet.

use std::{
    collections::{BTreeSet, HashMap},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicI64, AtomicU64},
    },
};

use mainstay_contract::{boards::ScoredV1, ts::Ts};

use super::member::{Held, Shape};
use crate::{
    service::standings::{TOP, Touched, held},
    store::scores::Place,
};

/// Owners whose changes wait for Redis; with more the place is built anew.
const WAITING_MAX: usize = 50_000;
/// Removals that are remembered here, beside those that Redis remembers.
const REMOVED_MAX: usize = 10_000;
/// How long a change may wait; afterwards the place is built anew, since Redis may have forgotten what was removed.
const WAITING_S: i64 = 300;

/// What a fact does to an entry: it is so now, or it is gone.
#[derive(Debug, Clone)]
pub(super) struct Change {
    pub(super) seq: i64,
    pub(super) now: Option<ScoredV1>,
}

/// A place in Redis, as this instance knows it.
pub(crate) struct SharedPlace {
    pub(super) place: Place,
    pub(super) shape: OnceLock<Shape>,
    pub(super) waiting: Mutex<Waiting>,
    /// Held by who brings changes to Redis or builds the place.
    pub(super) work: tokio::sync::Mutex<()>,
    /// The newest submission that Redis is known to count.
    pub(super) as_of: AtomicU64,
    pub(super) used_at: AtomicI64,
    pub(super) renewed_at: AtomicI64,
    pub(super) noted: Mutex<Option<Noted>>,
}

/// Changes by owner, the newest of each.
#[derive(Clone, Default)]
pub(super) struct Waiting {
    pub(super) changes: HashMap<String, Change>,
    /// Those that are on their way; they stay until Redis has said that it has them.
    pub(super) flying: HashMap<String, Change>,
    /// Who was removed lately, so that an older score which arrives later does not bring them back to a place that was
    /// built anew meanwhile, and knows nothing of it.
    removed: HashMap<String, i64>,
    since: Option<Ts>,
    /// This instance has committed one of them, so it brings them at once.
    pub(super) own: bool,
    /// There were too many, or for too long: the place has to be built anew.
    pub(super) lost: bool,
}

/// For those who watch: what they were told last, and whom facts have named since.
pub(super) struct Noted {
    pub(super) touched: Touched,
    /// The top as it was told last.
    pub(super) top: Vec<Held>,
    /// Somebody left the top, so that others may have been in it meanwhile: everybody is noted.
    open: bool,
}

impl SharedPlace {
    pub(super) fn new(place: Place) -> Self {
        Self {
            place,
            shape: OnceLock::new(),
            waiting: Mutex::default(),
            work: tokio::sync::Mutex::new(()),
            as_of: AtomicU64::new(0),
            used_at: AtomicI64::new(0),
            renewed_at: AtomicI64::new(i64::MIN),
            noted: Mutex::default(),
        }
    }

    /// Whether Redis has everything that this instance has learned.
    pub(super) fn is_settled(&self) -> bool {
        let waiting = held(&self.waiting);
        !waiting.lost && waiting.changes.is_empty() && waiting.flying.is_empty()
    }

    /// Something is still to be told to those who watch.
    pub(crate) fn note_any(&self) {
        if let Some(noted) = &mut *held(&self.noted) {
            noted.touched.any = true;
        }
    }

    /// Nobody watches any more.
    pub(crate) fn unwatch(&self) {
        held(&self.noted).take();
    }

    pub(super) fn note(&self, owner: &str, change: Change, own: bool, now: Ts) {
        if let (Some(noted), Some(shape)) = (&mut *held(&self.noted), self.shape.get()) {
            noted.note(shape, owner, &change);
        }
        let mut waiting = held(&self.waiting);
        waiting.own |= own;
        let since = *waiting.since.get_or_insert(now);
        if waiting.changes.len() >= WAITING_MAX || since < now.plus_s(-WAITING_S) {
            // What is built from records has them.
            *waiting = Waiting { lost: true, since: Some(now), ..Waiting::default() };
        }
        if waiting.is_outdated(owner, &change) {
            return;
        }
        match waiting.changes.get_mut(owner) {
            Some(known) if known.seq >= change.seq => {}
            Some(known) => *known = change,
            None => drop(waiting.changes.insert(owner.to_owned(), change)),
        }
    }
}

impl Waiting {
    /// Whether the owner was removed by a later submission than this one, as far as is remembered.
    fn is_outdated(&mut self, owner: &str, change: &Change) -> bool {
        if self.removed.get(owner).is_some_and(|removed| *removed > change.seq) {
            return true;
        }
        if change.now.is_some() {
            self.removed.remove(owner);
        } else {
            if self.removed.len() >= REMOVED_MAX {
                self.removed.clear();
            }
            self.removed.insert(owner.to_owned(), change.seq);
        }
        false
    }

    /// Sends off what has come in.
    pub(super) fn take_off(&mut self) {
        self.own = false;
        for (owner, change) in std::mem::take(&mut self.changes) {
            match self.flying.get(&owner) {
                Some(known) if known.seq >= change.seq => {}
                _ => drop(self.flying.insert(owner, change)),
            }
        }
    }

    /// The place does not count any more.
    pub(super) fn give_up(&mut self) {
        *self = Self::default();
    }

    /// Redis has these, or needs none.
    pub(super) fn arrived(&mut self, owners: Option<&[String]>) {
        match owners {
            Some(owners) => owners.iter().for_each(|owner| drop(self.flying.remove(owner))),
            None => self.flying.clear(),
        }
        if self.flying.is_empty() {
            self.since = None;
        }
    }
}

impl Noted {
    /// From now on, with the top as it is.
    pub(super) fn new(top: Vec<Held>) -> Self {
        Self { touched: Touched::default(), top, open: false }
    }

    fn note(&mut self, shape: &Shape, owner: &str, change: &Change) {
        self.touched.any = true;
        let was_in = self.top.iter().any(|one| one.owner == owner);
        // Who leaves the top or falls lets others in, for a moment perhaps.
        self.open |= was_in;
        let edge = match self.top.get(TOP as usize - 1) {
            Some(last) if !self.open => last,
            _ => return self.touched.note(owner),
        };
        let edge = shape.member(&edge.owner, &edge.scores, edge.seq);
        let comes_in = change.now.as_ref().is_some_and(|now| {
            shape.member(&now.owner, &now.scores, now.seq.unsigned_abs()) <= edge
        });
        if comes_in {
            self.touched.note(owner);
        }
    }

    /// Whom those who watch have to be told of, now that the top is this one; `touched` was taken before it was read.
    pub(super) fn tell(&mut self, mut touched: Touched, top: Vec<Held>) -> Touched {
        let before: BTreeSet<_> = self.top.iter().map(key).collect();
        let after: BTreeSet<_> = top.iter().map(key).collect();
        for (owner, ..) in before.symmetric_difference(&after) {
            touched.note(owner);
        }
        self.top = top;
        touched
    }

    /// What was noted, which is not told a second time.
    pub(super) fn take(&mut self) -> Touched {
        self.open = false;
        std::mem::take(&mut self.touched)
    }
}

fn key(held: &Held) -> (&str, &[i64], u64) {
    (&held.owner, &held.scores, held.seq)
}
