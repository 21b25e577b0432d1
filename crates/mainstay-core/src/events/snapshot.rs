//! Snapshots: what a service's records say now, told once more as facts.
//!
//! A log is kept for so many days, so what is older is no longer in it. Who is new, or has lost records, takes the
//! facts of a snapshot instead: one for each record, with the version that it is at. They are facts of their own that
//! say what is and not what happened, so that nobody is told of an old like again, and whoever knows that version or a
//! newer one passes them over. So a snapshot may be told at any time, in part, and as often as one likes.

use std::sync::Arc;

use crate::db::{BoxFuture, DbError, Tx};

/// How one kind of record is told.
#[derive(Clone)]
pub struct Snapshot {
    /// The records, such as `posts`.
    pub of: &'static str,
    /// Tells those with an id above the first number, at most so many as the second says, in the order of ids.
    pub tell: Tell,
}

/// Writes a fact for each of some records, in the transaction that reads them.
pub type Tell = Arc<
    dyn for<'t> Fn(&'t mut Tx, u128, i64) -> BoxFuture<'t, Result<Told, DbError>> + Send + Sync,
>;

/// How far a snapshot has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    /// Records that were told.
    pub count: usize,
    /// The id of the last of them; 0 if there was none.
    pub last: u128,
}

impl Told {
    /// These records, in the order of ids.
    pub fn of(ids: impl ExactSizeIterator<Item = u128>) -> Self {
        Self { count: ids.len(), last: ids.last().unwrap_or(0) }
    }
}
