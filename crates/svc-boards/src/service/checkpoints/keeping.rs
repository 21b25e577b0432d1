//! When a checkpoint is made, in which steps it is kept, and when it goes.
//!
//! The bytes are staged, the row says that they are being stored, they are stored, the row says that they are kept.
//! What a crash leaves between two of these is bytes in staging, which are cleaned up, or a row that is not in use,
//! which is erased with its bytes like any other. A checkpoint goes the other way: out of use first, its bytes an hour
//! later, its row last. So no row in use is without its bytes, and no bytes are without a row.

use bytes::Bytes;
use futures_util::stream;
use mainstay_contract::ts::Ts;
use mainstay_core::{
    blobs::{BlobError, BoxError, Staged},
    db::DbError,
    jobs,
};

use super::{
    CHECKPOINT_BYTES_MAX, Checkpoints, basis, cut_short, filling::End, label, reading::Exact,
};
use crate::{
    error::Error,
    service::{Boards, boards::Board},
    store::{
        self,
        boards::Head,
        checkpoints::{AdvancedRow, NewCheckpoint, UnusedRow},
        scores::Place,
    },
};

/// Makes a checkpoint of a board's present period; its key is the board's number.
pub(crate) const CHECKPOINT_JOB: &str = "boards.checkpoint";

/// Boards that are looked at at a time.
const BOARDS_BATCH: i64 = 1_000;
/// Checkpoints that are erased at a time.
const ERASE_BATCH: i64 = 500;
/// A larger board waits for more submissions: for one of so many entries each.
const ENTRIES_PER_SUBMISSION: i64 = 20;
/// Past instants need one after so many submissions, in units of those after which one is made.
const HISTORY_EVERY: i64 = 10;
/// And of a larger board after one submission of so many entries each.
const HISTORY_ENTRIES_PER_SUBMISSION: i64 = 4;
/// From staging to the row that says that bytes are kept, and from a row to whoever reads its bytes, with room for
/// clocks that differ.
const UNUSED_S: i64 = 60 * 60;
/// The longest that bytes may stand in staging; the largest are stored in minutes.
const STAGING_S: i64 = 2 * 60 * 60;
const S_PER_DAY: i64 = 86_400;

/// After how many submissions a checkpoint is due.
pub(super) fn due_after(entry_count: i64, at_least: i64) -> i64 {
    at_least.max(entry_count / ENTRIES_PER_SUBMISSION)
}

/// How many submissions may lie between two checkpoints that are kept for the past.
pub(super) fn apart_max(entry_count: i64, at_least: i64) -> i64 {
    (at_least * HISTORY_EVERY).max(entry_count / HISTORY_ENTRIES_PER_SUBMISSION)
}

/// Which checkpoints are more than the past needs, of those with these numbers and entries, the oldest first. The two
/// newest stay: the newest for the next start, the one before for when that cannot be read.
fn superfluous(kept: &[(i64, i64)], begin: i64, at_least: i64) -> Vec<i64> {
    let mut gone = Vec::new();
    let mut before = begin;
    let newest = kept.len().saturating_sub(2);
    for (place, (seq, _)) in kept.iter().enumerate().take(newest) {
        let Some((next, entries)) = kept.get(place + 1) else { break };
        if next - before <= apart_max(*entries, at_least) {
            gone.push(*seq);
        } else {
            before = *seq;
        }
    }
    gone
}

/// A ranking as bytes, and what is to be known of it.
pub(super) struct Made {
    pub(super) place: Place,
    pub(super) seq: i64,
    pub(super) newest_at: Ts,
    pub(super) entry_count: i64,
    pub(super) bytes: Vec<u8>,
}

fn storage(error: BlobError) -> Error {
    Error::Db(DbError::Unavailable(error.to_string()))
}

impl Boards {
    /// Has checkpoints made of boards that need one.
    pub(crate) async fn keep_checkpoints(&self) -> Result<(), Error> {
        let (at_least, mut after) = (self.inner.checkpoints.at_least, 0);
        if at_least == 0 {
            return Ok(());
        }
        loop {
            let mut tx = self.db().read().await?;
            let rows = store::checkpoints::advanced(&mut tx, after, at_least, BOARDS_BATCH).await?;
            drop(tx);
            let more = rows.len() as i64 == BOARDS_BATCH;
            for row in rows {
                after = row.no;
                if self.is_due(row, at_least).await? {
                    self.make_later(CHECKPOINT_JOB, row.no).await?;
                }
            }
            if !more {
                return Ok(());
            }
        }
    }

    async fn is_due(&self, row: AdvancedRow, at_least: i64) -> Result<bool, Error> {
        let AdvancedRow { no: board_no, edition, period, last_seq, seq, entry_count } = row;
        let from = match seq {
            Some(seq) => seq,
            None => self.inner.checkpoints.bounds(Place { board_no, edition, period }).await?.0,
        };
        Ok(last_seq - from >= due_after(entry_count.unwrap_or_default(), at_least))
    }

    pub(super) async fn make_later(&self, job: &'static str, board_no: i64) -> Result<(), Error> {
        self.db()
            .write(move |tx| {
                Box::pin(async move {
                    let now = tx.now();
                    Ok(jobs::add(tx, job, &board_no.to_string(), "{}", now).await?)
                })
            })
            .await
    }

    /// Makes a checkpoint of a board's present period, if it still needs one.
    pub(crate) async fn make_checkpoint(&self, board_no: i64) -> Result<(), Error> {
        let checkpoints = &self.inner.checkpoints;
        let at_least = checkpoints.at_least;
        let Ok(_alone) = checkpoints.making.acquire().await else { return Ok(()) };
        let Some((board, head)) = self.steady(board_no).await? else { return Ok(()) };
        let place = board.place(head);
        let mut tx = self.db().read().await?;
        let newest = store::checkpoints::list(&mut tx, place).await?.pop();
        // What a crash has left under this number is erased first; until then it would be made for nothing.
        let taken = store::checkpoints::is_taken(&mut tx, place, head.last_seq).await?;
        drop(tx);
        let (seq, entry_count) = newest.unzip();
        let Head { edition, period, last_seq, .. } = head;
        let row = AdvancedRow { no: board_no, edition, period, last_seq, seq, entry_count };
        if at_least == 0 {
            return Ok(());
        }
        if !taken && self.is_due(row, at_least).await? {
            let exact = checkpoints.exact(place, &board.ranked).await?;
            if !self.is_still(&board, place).await? {
                return Ok(());
            }
            let Exact { sliced, seq, newest_at } = exact;
            let encode = move || (sliced.len(), sliced.encode(label(place, seq)));
            let (count, bytes) = tokio::task::spawn_blocking(encode).await.map_err(cut_short)?;
            let entry_count = count.cast_signed();
            let made = Made { place, seq, newest_at, entry_count, bytes };
            checkpoints.keep(&board, made).await?;
            self.thin(place, at_least).await?;
        }
        if self.fill_past(&board, place, (End::Open, at_least)).await? {
            self.make_later(CHECKPOINT_JOB, board_no).await?;
        }
        Ok(())
    }

    /// Whether a board is as it was: entries that are read while settings change are some of the one and some of the
    /// other.
    pub(super) async fn is_still(&self, board: &Board, place: Place) -> Result<bool, Error> {
        let now = self.steady(board.no).await?;
        Ok(now.is_some_and(|(now, head)| {
            now.version == board.version && head.edition == place.edition
        }))
    }

    /// The board and where it stands, unless it is gone or being built anew.
    pub(super) async fn steady(&self, board_no: i64) -> Result<Option<(Board, Head)>, Error> {
        let mut tx = self.db().read().await?;
        if store::bans::builds(&mut tx).await?.contains(&board_no) {
            return Ok(None);
        }
        let Some(id) = store::bans::board_by_no(&mut tx, board_no).await? else { return Ok(None) };
        let row = store::boards::board(&mut tx, &id).await?.filter(|row| row.no == board_no);
        let head = store::boards::head(&mut tx, board_no).await?;
        Ok(row.map(Board::from).zip(head))
    }

    /// Takes out of use what past instants do not need.
    async fn thin(&self, place: Place, at_least: i64) -> Result<(), Error> {
        let mut tx = self.db().read().await?;
        let kept = store::checkpoints::list(&mut tx, place).await?;
        drop(tx);
        let (begin, _) = self.inner.checkpoints.bounds(place).await?;
        for seq in superfluous(&kept, begin, at_least) {
            self.inner.checkpoints.leave(place, seq).await?;
        }
        Ok(())
    }

    /// Since when past instants are told.
    pub(super) fn told_since(&self) -> Ts {
        self.inner.clock.now().plus_s(-i64::from(self.inner.config.history_days) * S_PER_DAY)
    }

    /// Takes out of use what nothing is read from any more, and erases what is out of use for an hour.
    pub(crate) async fn erase_checkpoints(&self) -> Result<(), Error> {
        let now = self.inner.clock.now();
        let old = self.told_since();
        let leave = self.db().write::<_, Error, _>(move |tx| {
            Box::pin(async move { Ok(store::checkpoints::leave_outdated(tx, old, now).await?) })
        });
        leave.await?;
        let before = now.plus_s(-UNUSED_S);
        let mut tx = self.db().read().await?;
        let unused = store::checkpoints::unused(&mut tx, before, ERASE_BATCH).await?;
        drop(tx);
        for row in unused {
            self.erase(row).await?;
        }
        let cleaned = self.inner.checkpoints.blobs.clean_staging(now.plus_s(-STAGING_S));
        cleaned.await.map(drop).map_err(storage)
    }

    async fn erase(&self, row: UnusedRow) -> Result<(), Error> {
        let before = self.inner.clock.now().plus_s(-UNUSED_S);
        // Bytes that were stored again meanwhile stay, and so does the row that knows of them.
        if !self.inner.checkpoints.blobs.delete(&row.hash()?, before).await.map_err(storage)? {
            return Ok(());
        }
        let (place, seq) = (row.place(), row.seq);
        self.db()
            .write(move |tx| {
                Box::pin(
                    async move { Ok(store::checkpoints::forget(tx, place, seq, before).await?) },
                )
            })
            .await
    }
}

impl Checkpoints {
    /// Keeps a ranking; `false` if it is too large, or there is one with its number already.
    pub(super) async fn keep(&self, board: &Board, made: Made) -> Result<bool, Error> {
        let Made { place, seq, newest_at, entry_count, bytes } = made;
        let size_bytes = bytes.len();
        let body = stream::iter([Ok::<_, BoxError>(Bytes::from(bytes))]);
        let staged = match self.blobs.stage(body, CHECKPOINT_BYTES_MAX).await {
            Err(BlobError::TooLarge { max_bytes }) => {
                let board_no = place.board_no;
                tracing::warn!(
                    board_no,
                    size_bytes,
                    max_bytes,
                    "board {board_no} is too large for a checkpoint"
                );
                return Ok(false);
            }
            staged => staged.map_err(storage)?,
        };
        let new = NewCheckpoint {
            place,
            seq,
            hash: staged.hash(),
            size_bytes: staged.size_bytes().cast_signed(),
            entry_count,
            basis: basis(&board.ranked),
            newest_at,
        };
        self.store(new, staged).await
    }

    async fn store(&self, new: NewCheckpoint, staged: Staged) -> Result<bool, Error> {
        let adding = new.clone();
        let added = self.db.write::<_, Error, _>(move |tx| {
            let new = adding.clone();
            Box::pin(async move {
                let now = tx.now();
                Ok(store::checkpoints::add(tx, &new, now).await?)
            })
        });
        if !added.await? {
            self.blobs.discard(staged).await;
            return Ok(false);
        }
        self.blobs.commit(staged).await.map_err(storage)?;
        self.db
            .write(move |tx| {
                let new = new.clone();
                Box::pin(async move {
                    let now = tx.now();
                    store::checkpoints::keep(tx, &new, now).await?;
                    Ok(true)
                })
            })
            .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_needs_a_checkpoint_after_submissions_in_measure_of_its_size() {
        assert_eq!(due_after(0, 20_000), 20_000);
        assert_eq!(due_after(1_000_000, 20_000), 50_000);
        assert_eq!(apart_max(1_000_000, 20_000), 250_000);
        assert_eq!(apart_max(10_000, 20_000), 200_000);
    }

    #[test]
    fn checkpoints_of_the_past_are_as_far_apart_as_they_may_be_and_no_further() {
        let mut kept: Vec<(i64, i64)> = Vec::new();
        for seq in (1..=300).map(|number| number * 100) {
            kept.push((seq, 10));
            let gone = superfluous(&kept, 0, 100);
            kept.retain(|(seq, _)| !gone.contains(seq));
            let mut before = 0;
            for (seq, _) in &kept {
                assert!(seq - before <= 1_000, "{before} and {seq}");
                before = *seq;
            }
        }
        assert!(kept.len() <= 35, "{kept:?}");
        assert_eq!(
            kept.iter().rev().take(2).map(|(seq, _)| *seq).collect::<Vec<_>>(),
            [30_000, 29_900]
        );
        assert_eq!(superfluous(&[], 0, 100), Vec::<i64>::new());
    }
}
