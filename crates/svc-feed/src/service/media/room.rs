//! How much a person's uploads may take before they stand in a post.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use mainstay_contract::id::UserId;

/// Bytes that are on their way in at this instance, for everybody who uploads at the moment.
#[derive(Debug, Default, Clone)]
pub(crate) struct Rooms(Arc<Mutex<HashMap<UserId, u64>>>);

/// One upload on its way in. What it has taken is given back when it is dropped: stored bytes are in the records then.
#[derive(Debug)]
pub(crate) struct Room {
    rooms: Rooms,
    owner: UserId,
    /// What the records say of earlier uploads.
    used: u64,
    max_bytes: u64,
    taken: AtomicU64,
}

/// The owner's uploads that stand in no post take too much.
#[derive(Debug, thiserror::Error)]
#[error("keep more than {max_bytes} bytes that stand in no post")]
pub(crate) struct NoRoom {
    max_bytes: u64,
}

impl Rooms {
    /// An upload of `owner`, whose earlier ones take `used` bytes of at most `max_bytes`.
    pub(crate) fn enter(&self, owner: UserId, used: u64, max_bytes: u64) -> Room {
        Room { rooms: self.clone(), owner, used, max_bytes, taken: AtomicU64::new(0) }
    }

    fn change(&self, owner: UserId, by: impl FnOnce(u64) -> u64) -> u64 {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = by(all.remove(&owner).unwrap_or_default());
        if sum > 0 {
            all.insert(owner, sum);
        }
        sum
    }
}

impl Room {
    /// Takes `bytes` more.
    ///
    /// # Errors
    /// If there is no room for them.
    pub(crate) fn grow(&self, bytes: u64) -> Result<(), NoRoom> {
        self.taken.fetch_add(bytes, Ordering::Relaxed);
        let under_way = self.rooms.change(self.owner, |sum| sum.saturating_add(bytes));
        if self.used.saturating_add(under_way) > self.max_bytes {
            return Err(NoRoom { max_bytes: self.max_bytes });
        }
        Ok(())
    }
}

impl Drop for Room {
    fn drop(&mut self) {
        let taken = self.taken.load(Ordering::Relaxed);
        self.rooms.change(self.owner, |sum| sum.saturating_sub(taken));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn uploads_of_one_person_share_their_room_and_give_it_back() {
        let rooms = Rooms::default();
        let (ada, bea) = (UserId::from_bits(1), UserId::from_bits(2));
        let (first, second) = (rooms.enter(ada, 10, 100), rooms.enter(ada, 10, 100));
        assert!(first.grow(60).is_ok() && second.grow(30).is_ok());
        assert!(first.grow(1).is_err(), "both together have what there is");
        assert!(rooms.enter(bea, 0, 100).grow(100).is_ok(), "somebody else has their own");
        drop(first);
        assert!(second.grow(60).is_ok());
        drop(second);
        assert!(rooms.0.lock().is_ok_and(|all| all.is_empty()), "nothing is kept of who is done");
    }
}
