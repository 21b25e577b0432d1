//! Periods of a board: how it is held while it is written, and what ends one and begins the next.

use mainstay_contract::{boards::PeriodClosedV1, ts::Ts};
use mainstay_core::{auth::Caller, db::Tx};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Boards, boards::Board, tiers};
use crate::{
    error::Error,
    store::{
        self,
        boards::{Head, PeriodRow},
    },
};

/// Resets that are looked at to find the one that a pause of a board ends with.
const RESETS_SKIPPED_MAX: usize = 10_000;

/// A period: from one reset to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct PeriodView {
    /// Counted from the board's first, which is 1.
    pub(crate) number: i64,
    /// When it began.
    pub(crate) starts_at: Ts,
    /// When it ends or ended; absent if the board is never reset.
    pub(crate) ends_at: Option<Ts>,
}

impl From<PeriodRow> for PeriodView {
    fn from(row: PeriodRow) -> Self {
        Self { number: row.no, starts_at: row.starts_at, ends_at: row.ends_at }
    }
}

impl Boards {
    /// Periods of a board before `before`, newest first.
    ///
    /// # Errors
    /// As [`Boards::board`].
    pub(crate) async fn periods(
        &self,
        caller: Option<&Caller>,
        id: &str,
        before: i64,
        limit: usize,
    ) -> Result<Vec<PeriodView>, Error> {
        let board = self.board(caller, id).await?;
        let mut tx = self.db().read().await?;
        let rows = store::boards::periods(&mut tx, board.no, before, limit as i64).await?;
        Ok(rows.into_iter().map(PeriodView::from).collect())
    }

    /// Ends every period whose time has come.
    pub(crate) async fn close_periods(&self) -> Result<(), Error> {
        let now = self.inner.clock.now();
        let due = store::boards::due(&mut *self.db().read().await?, now).await?;
        let mut failed = None;
        for id in due {
            failed = self.close_period(&id).await.err().or(failed);
        }
        failed.map_or(Ok(()), Err)
    }

    /// Ends the period of a board if its time has come; nothing if there is no such board.
    pub(crate) async fn close_period(&self, id: &str) -> Result<(), Error> {
        let Some(board) = self.known_board(id).await? else { return Ok(()) };
        let no = board.no;
        let lock = mainstay_core::params![no];
        self.db()
            .write_queued(&store::boards::LOCK_HEAD, lock, move |tx| {
                let board = board.clone();
                Box::pin(async move {
                    let row = store::boards::board(tx, &board.id).await?;
                    let Some(row) = row.filter(|row| row.no == no) else { return Ok(()) };
                    let board = Board::from(row);
                    let head = hold(tx, board.no).await?;
                    let moved = advance(tx, &board, head).await?;
                    if moved != head {
                        store::boards::move_head(tx, board.no, moved).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}

/// Where a board stands, locked for whoever writes it.
pub(crate) async fn hold(tx: &mut Tx, board_no: i64) -> Result<Head, Error> {
    store::boards::lock_head(tx, board_no).await?.ok_or(Error::NotFound)
}

/// Ends the period if its time has come, and begins the one that `now` is in. Time that steps back changes nothing: a
/// period that has ended stays so. The caller keeps what is returned.
pub(crate) async fn advance(tx: &mut Tx, board: &Board, head: Head) -> Result<Head, Error> {
    let now = tx.now();
    let (Some(ends_at), Some(reset)) = (head.period_ends_at, &board.settings.reset) else {
        return Ok(head);
    };
    if now < ends_at {
        return Ok(head);
    }
    let row = store::boards::period(tx, board.no, head.period).await?.ok_or(Error::NotFound)?;
    store::boards::close_period(tx, board.no, head.period, (now, ends_at)).await?;
    let fact = PeriodClosedV1 {
        board: board.id.clone(),
        board_no: board.no,
        edition: head.edition,
        period: head.period,
        starts_at: row.starts_at,
        ends_at,
    };
    tx.emit(&fact, &[]).await?;
    // Periods in which nobody could have written are left out.
    let mut starts_at = ends_at;
    let mut next = reset.next(starts_at);
    for _ in 0..RESETS_SKIPPED_MAX {
        match next {
            Some(end) if end <= now => (starts_at, next) = (end, reset.next(end)),
            _ => break,
        }
    }
    if next.is_some_and(|end| end <= now) {
        (starts_at, next) = (now, reset.next(now));
    }
    let period = head.period + 1;
    store::boards::add_period(tx, board.no, period, (starts_at, next)).await?;
    tiers::turn(tx, board, head, period).await?;
    Ok(Head { period, period_ends_at: next, ..head })
}
