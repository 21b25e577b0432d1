//! What is kept no longer: periods of a board that are over for long, and what deleted boards held.
//!
//! A period that need not be kept is forgotten first, under the lock of its board's head, and nobody finds it from then
//! on; its rows are erased afterwards, some at a time, by a job that goes on from wherever it was cut short. All that
//! belongs to a period goes together, so that what is kept can be built anew at any time. The present period and a
//! competition's boards are never touched.

use mainstay_core::{db::Tx, jobs, params};

use super::{Boards, boards::Board, periods::hold};
use crate::{
    error::Error,
    store::{self, retention},
};

/// Erases what periods held that are forgotten; its key is the board's number.
pub(crate) const PERIODS_JOB: &str = "boards.erase_periods";
/// Erases what a deleted board held; its key is the board's number.
pub(crate) const BOARD_JOB: &str = "boards.erase_board";

/// Boards that are looked at at a time.
const BOARDS_STEP: i64 = 100;
/// Periods that are forgotten at a time.
const PERIODS_STEP: i64 = 1_000;
/// Rows that are erased at a time.
const ROWS_STEP: i64 = 5_000;
const S_PER_DAY: i64 = 86_400;

impl Boards {
    /// Forgets periods that need not be kept, and has their rows and those of deleted boards erased.
    pub(crate) async fn retain(&self) -> Result<(), Error> {
        let days = i64::from(self.inner.config.history_days);
        let before = self.inner.clock.now().plus_s(-days * S_PER_DAY);
        let mut tx = self.db().read().await?;
        let boards = retention::with_old_periods(&mut tx, before, BOARDS_STEP).await?;
        let deleted = retention::deleted_boards(&mut tx, BOARDS_STEP).await?;
        drop(tx);
        let mut failed = None;
        for no in boards {
            let lock = params![no];
            let work = self.db().write_queued(&store::boards::LOCK_HEAD, lock, move |tx| {
                Box::pin(async move { forget_old(tx, no, days).await })
            });
            failed = work.await.err().or(failed);
        }
        let work = self.db().write(move |tx| {
            let deleted = deleted.clone();
            Box::pin(async move {
                let now = tx.now();
                for no in deleted {
                    jobs::add(tx, BOARD_JOB, &no.to_string(), "{}", now).await?;
                }
                Ok::<_, Error>(retention::forget_boards(tx).await?)
            })
        });
        work.await?;
        failed.map_or(Ok(()), Err)
    }

    /// Erases what periods of a board held that are forgotten.
    pub(crate) async fn erase_periods(&self, board_no: i64) -> Result<(), Error> {
        for by in retention::OF_PERIODS {
            while self.erase_some_of_periods(board_no, by).await? {}
        }
        Ok(())
    }

    async fn erase_some_of_periods(
        &self,
        board_no: i64,
        by: &'static mainstay_core::db::Sql,
    ) -> Result<bool, Error> {
        let work = self.db().write(move |tx| {
            Box::pin(async move {
                // Of a deleted board all is erased, by another job.
                let Some(first) = retention::oldest_period(tx, board_no).await? else {
                    return Ok(false);
                };
                let of = (board_no, first);
                Ok::<_, Error>(retention::erase_of_periods(tx, by, of, ROWS_STEP).await?)
            })
        });
        work.await
    }

    /// Erases what a deleted board held, the row that tells of it last.
    pub(crate) async fn erase_board(&self, board_no: i64) -> Result<(), Error> {
        if store::bans::board_by_no(&mut *self.db().read().await?, board_no).await?.is_some() {
            return Ok(());
        }
        for by in retention::OF_BOARD {
            let some = || {
                self.db().write(move |tx| {
                    Box::pin(async move {
                        let more = retention::erase_of_board(tx, by, board_no, ROWS_STEP).await?;
                        Ok::<_, Error>(more)
                    })
                })
            };
            while some().await? {}
        }
        let work = self.db().write(move |tx| {
            Box::pin(async move { Ok::<_, Error>(retention::forget_head(tx, board_no).await?) })
        });
        work.await
    }
}

/// Forgets the periods of a board that need not be kept. The caller holds the board's head.
async fn forget_old(tx: &mut Tx, board_no: i64, days: i64) -> Result<(), Error> {
    let head = match hold(tx, board_no).await {
        Ok(head) => head,
        Err(Error::NotFound) => return Ok(()),
        Err(error) => return Err(error),
    };
    let Some(id) = store::bans::board_by_no(tx, board_no).await? else { return Ok(()) };
    let Some(row) = store::boards::board(tx, &id).await? else { return Ok(()) };
    let board = Board::from(row);
    let Some(oldest) = retention::oldest_period(tx, board_no).await? else { return Ok(()) };
    if board.competition.is_some() {
        return Ok(());
    }
    let since = tx.now().plus_s(-days * S_PER_DAY);
    let kept = match board.settings.periods_kept {
        Some(kept) => Some(head.period - i64::from(kept)),
        None => retention::first_since(tx, board_no, since).await?,
    };
    // What a season has brought is found out from its entries.
    let unsettled = store::tiers::first_unsettled(tx, board_no).await?;
    let played = unsettled.map_or(head.period, |season| season.period);
    let first = kept.unwrap_or(oldest).min(played).min(head.period).min(oldest + PERIODS_STEP);
    if first <= oldest {
        return Ok(());
    }
    retention::forget_periods(tx, board_no, first).await?;
    let now = tx.now();
    Ok(jobs::add(tx, PERIODS_JOB, &board_no.to_string(), "{}", now).await?)
}
