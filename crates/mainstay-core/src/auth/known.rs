//! Credentials that were checked a moment ago, so that a request costs a lookup and no signature or record.
//!
//! A credential is found by its whole text, so no hash collision can pass for it. Each entry carries the epochs of its
//! user and of its session or key as they were before the check; ending a session or suspending somebody moves the
//! epoch on, which makes every entry of theirs worthless at once, in whatever order filling and revoking happen.
//! Epochs are hashed into a fixed table: two people who share a slot cost each other a second check, never a wrong
//! answer.

use std::{
    array,
    sync::atomic::{AtomicU64, Ordering},
};

use foldhash::quality::RandomState;
use mainstay_contract::{
    id::{Id, Kind},
    ts::Ts,
};
use quick_cache::{
    UnitWeighter,
    sync::{Cache, DefaultLifecycle},
};

use super::Caller;

/// Credentials that are remembered; about 700 bytes each.
const ENTRIES_MAX: usize = 16_384;
/// Slots of the epoch table.
const SLOTS: usize = 4_096;

/// What is known of a credential.
#[derive(Debug, Clone)]
struct Known {
    caller: Caller,
    /// When it expires or must be looked at again, whichever is first.
    until: Ts,
    epochs: Epochs,
}

/// The epochs of one user and one of their credentials at some moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Epochs {
    user: (u16, u64),
    credential: (u16, u64),
}

/// How many ends there were, at the moment before the records are read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(u64);

/// Checked credentials and the epochs that end them.
pub(crate) struct KnownCredentials {
    ends: AtomicU64,
    entries: Cache<Box<str>, Known, UnitWeighter, RandomState>,
    epochs: Box<[AtomicU64; SLOTS]>,
}

impl KnownCredentials {
    pub(crate) fn new() -> Self {
        let entries = Cache::with(
            ENTRIES_MAX,
            ENTRIES_MAX as u64,
            UnitWeighter,
            RandomState::default(),
            DefaultLifecycle::default(),
        );
        Self {
            ends: AtomicU64::new(0),
            entries,
            epochs: Box::new(array::from_fn(|_| AtomicU64::new(0))),
        }
    }

    /// Who uses this credential, if it was checked and nothing has ended it since.
    pub(crate) fn get(&self, credential: &str, now: Ts) -> Option<Caller> {
        let known = self.entries.get(credential)?;
        let live = now < known.until
            && self.now_at(known.epochs.user)
            && self.now_at(known.epochs.credential);
        live.then_some(known.caller)
    }

    /// To be taken before the records are read.
    pub(crate) fn moment(&self) -> Moment {
        Moment(self.ends.load(Ordering::Acquire))
    }

    /// Remembers a credential that was checked after `before`, unless anything ended meanwhile: it might have been
    /// this.
    pub(crate) fn insert<K: Kind>(
        &self,
        before: Moment,
        credential: &str,
        id: Id<K>,
        caller: Caller,
        until: Ts,
    ) {
        let epochs = Epochs { user: self.at(slot(caller.user)), credential: self.at(slot(id)) };
        if self.moment().0 == before.0 {
            self.entries.insert(credential.into(), Known { caller, until, epochs });
        }
    }

    /// Ends everything that is known of a user, session or key. Called after the commit that ended it.
    pub(crate) fn end<K: Kind>(&self, id: Id<K>) {
        // In this order: who sees the new epoch sees the new count too, and does not take the epoch for one of before.
        self.ends.fetch_add(1, Ordering::AcqRel);
        if let Some(epoch) = self.epochs.get(usize::from(slot(id))) {
            epoch.fetch_add(1, Ordering::AcqRel);
        }
    }

    fn at(&self, slot: u16) -> (u16, u64) {
        let epoch = self.epochs.get(usize::from(slot));
        (slot, epoch.map_or(0, |epoch| epoch.load(Ordering::Acquire)))
    }

    fn now_at(&self, seen: (u16, u64)) -> bool {
        self.at(seen.0) == seen
    }
}

/// The low bits of an id are random.
fn slot<K: Kind>(id: Id<K>) -> u16 {
    (id.bits() as usize % SLOTS) as u16
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mainstay_contract::{account::SessionId, id::UserId};

    use super::{
        super::model::{Credential, Role},
        *,
    };

    fn caller(user: UserId, session: SessionId) -> Caller {
        let handle = Arc::from("bob");
        Caller { user, handle, role: Role::User, credential: Credential::Session(session) }
    }

    #[test]
    fn what_was_checked_before_the_end_is_not_believed_after_it() {
        let (bob, laptop, phone) =
            (UserId::from_bits(1), SessionId::from_bits(2), SessionId::from_bits(3));
        let known = KnownCredentials::new();
        let (now, later) = (Ts::from_micros(0), Ts::from_micros(10));
        for session in [laptop, phone] {
            let text = session.to_string();
            known.insert(known.moment(), &text, session, caller(bob, session), later);
        }
        let live = |session: SessionId| known.get(&session.to_string(), now).is_some();
        assert!(live(laptop) && live(phone));
        known.end(laptop);
        assert!(!live(laptop) && live(phone));
        known.end(bob);
        assert!(!live(phone));
    }

    #[test]
    fn an_end_between_reading_and_remembering_counts() {
        let (bob, laptop) = (UserId::from_bits(1), SessionId::from_bits(2));
        let known = KnownCredentials::new();
        let before = known.moment();
        known.end(laptop);
        known.insert(before, "token", laptop, caller(bob, laptop), Ts::from_micros(10));
        assert_eq!(known.get("token", Ts::from_micros(0)), None);
    }

    #[test]
    fn an_entry_ends_by_itself() {
        let (bob, laptop) = (UserId::from_bits(1), SessionId::from_bits(2));
        let known = KnownCredentials::new();
        let until = Ts::from_micros(10);
        known.insert(known.moment(), "token", laptop, caller(bob, laptop), until);
        assert!(known.get("token", Ts::from_micros(9)).is_some());
        assert_eq!(known.get("token", Ts::from_micros(10)), None);
        assert_eq!(known.get("toke", Ts::from_micros(9)), None);
    }
}
