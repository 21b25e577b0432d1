//! A tag cache that cannot serve what an applied fact has outdated.
//!
//! Every value is kept with the tags it was built from and the [`Stamp`] of the database snapshot that was read.
//! Every instance keeps, per tag, the position of the newest fact it has applied ([`Epochs`]). A value may be
//! used if its stamp is above the epoch of each of its tags. That is tested when the value is *read*, so it does
//! not matter whether a fill or an invalidation came first, and nothing in the second level has to be believed.
//!
//! # What a position and a stamp are
//!
//! | Engine | Position of a fact | Stamp of a read |
//! |---|---|---|
//! | SQLite | its number in the outbox, given by the one writer | `committed_seq + 1`, taken before the read begins |
//! | Postgres | `pg_current_xact_id()` of its transaction | `pg_snapshot_xmin(pg_current_snapshot())` of the read |
//!
//! A stamp promises: *each transaction with a lower position is finished, and its effect is in what was read*.
//! Anything weaker breaks the proof: the own transaction's position, the newest position, the position applied
//! locally, or a stamp taken when the value arrives. `model.rs` finds a stale read for each of them.
//!
//! # What one instance does
//!
//! 1. The tailer polls the log, calls [`Epochs::apply`] for each tag of each fact, then [`Epochs::polled`] with the
//!    moment at which the poll began and the horizon (the stamp) of its snapshot. Hints may apply facts earlier.
//! 2. A commit on this instance applies its own facts before the caller is answered.
//! 3. [`Class::get_or_load`] answers from memory, then from the second level, then from the database.
//!
//! The first horizon becomes the floor: an entry stamped below it may be outdated by facts that this instance will
//! never be shown, and is refused. When the log itself is another one (a restore, a failover that lost commits),
//! [`Epochs::restart`] gives it a new random epoch, which is part of every entry and of every second-level key. The
//! epoch belongs in the database too: a load from a replica reads it in the same snapshot ([`Loaded::in_log`]).
//!
//! **Invariant:** what is served unmarked contains every fact that this instance had applied when it looked.

mod class;
mod entry;
mod epochs;
mod fill;
mod flight;
mod metrics;
#[cfg(test)]
mod model;
mod monotonic;
mod policy;
mod second;
mod tag;
#[cfg(test)]
mod tests;

pub use class::Class;
pub use entry::{Hit, Loaded, Lookup};
pub use epochs::{Epochs, LogChanged, random_log_epoch};
pub use metrics::CacheMetrics;
pub use monotonic::Mono;
pub use policy::{Policy, Staleness};
pub use second::{SecondLevel, SecondLevelConfig, SecondLevelError, SecondLevelPing};
pub use tag::{Stamp, Tag, Tags};
