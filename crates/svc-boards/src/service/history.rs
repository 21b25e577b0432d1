//! How a board stood at a past instant: what was submitted up to it, worked through again under the settings and bans
//! of now. There are no checkpoints, so that a period's submissions are read from its beginning on.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use mainstay_contract::{boards::ScoredV1, ts::Ts};
use mainstay_core::{
    db::{DbError, Tx},
    error::{Code, Problem},
};
use tokio::sync::Semaphore;

use super::{
    Boards,
    boards::Board,
    scores::Fold,
    standings::{Sliced, Standing},
};
use crate::{
    error::Error,
    store::{self, scores::Place},
};

/// The most submissions that are worked through for one instant.
const SUBMISSIONS_MAX: i64 = 1_000_000;
/// Instants that an instance works out at the same time.
const AT_ONCE: usize = 2;
/// Submissions that are read at a time.
const BATCH: i64 = 5_000;
/// How long an instant is kept, in seconds, and how many are.
const KEPT_S: i64 = 60;
const KEPT_MAX: usize = 8;
const S_PER_DAY: i64 = 86_400;

type Kept = HashMap<(Place, Ts), (Ts, Arc<Standing>)>;

/// Instants that were asked for a short while ago.
pub(super) struct History {
    kept: Mutex<Kept>,
    room: Semaphore,
}

impl Default for History {
    fn default() -> Self {
        Self { kept: Mutex::default(), room: Semaphore::new(AT_ONCE) }
    }
}

impl History {
    fn find(&self, place: Place, at: Ts, now: Ts) -> Option<Arc<Standing>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (since, _)| *since >= now.plus_s(-KEPT_S));
        kept.get(&(place, at)).map(|(_, standing)| standing.clone())
    }

    fn keep(&self, place: Place, at: Ts, now: Ts, standing: &Arc<Standing>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            let oldest = kept.iter().min_by_key(|(_, (since, _))| *since).map(|(key, _)| *key);
            oldest.and_then(|oldest| kept.remove(&oldest));
        }
        kept.insert((place, at), (now, standing.clone()));
    }

    /// Forgets the instants of a board, from which somebody was taken.
    pub(super) fn forget(&self, board_no: i64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|(place, _), _| place.board_no != board_no);
    }
}

impl Boards {
    /// `at`, if it lies in the past, and not further back than ranks are kept.
    pub(super) fn in_the_past(&self, at: Ts) -> Result<Ts, Error> {
        let now = self.inner.clock.now();
        let days = i64::from(self.inner.config.history_days);
        let said = |detail: String| Err(Error::invalid("?at", "out_of_range", detail));
        match at {
            at if at > now => said("Ask for an instant that is past.".into()),
            at if at < now.plus_s(-days * S_PER_DAY) => {
                said(format!("Ranks are kept for {days} days; ask for an instant in them."))
            }
            at => Ok(at),
        }
    }

    /// The entries of `place` as they stood at `at`.
    ///
    /// # Errors
    /// `Overloaded` while two others are worked out here; `Invalid` for a period with too many submissions.
    pub(super) async fn past(
        &self,
        board: &Board,
        place: Place,
        at: Ts,
    ) -> Result<Arc<Standing>, Error> {
        let history = &self.inner.history;
        let now = self.inner.clock.now();
        if let Some(known) = history.find(place, at, now) {
            return Ok(known);
        }
        let Ok(_room) = history.room.try_acquire() else {
            let detail = "Ranks of past instants are worked out two at a time. Try again soon.";
            return Err(Problem::new(Code::Overloaded, detail).retry_after_s(1).into());
        };
        let entries = self.replay(board, place, at).await?;
        let settings = board.settings.clone();
        let built =
            tokio::task::spawn_blocking(move || Sliced::load(&settings, entries.into_iter()));
        let sliced = built.await.map_err(|error| DbError::Unavailable(error.to_string()))?;
        let standing = Arc::new(Standing::of(sliced));
        history.keep(place, at, now, &standing);
        Ok(standing)
    }

    async fn replay(&self, board: &Board, place: Place, at: Ts) -> Result<Vec<ScoredV1>, Error> {
        let mut tx = self.db().read().await?;
        let head = store::boards::head(&mut tx, board.no).await?.ok_or(Error::NotFound)?;
        let first = first_of(&mut tx, place.period, (board.no, head.last_seq)).await?;
        let end = first_of(&mut tx, place.period + 1, (board.no, head.last_seq)).await?;
        if end - first > SUBMISSIONS_MAX {
            let detail = format!(
                "This period has more than {SUBMISSIONS_MAX} submissions, too many to find how it stood at an instant."
            );
            return Err(Error::invalid("?at", "too_many", detail));
        }
        let mut fold = Fold::new(board, place.edition);
        let mut after = first - 1;
        while after < end - 1 {
            let mut rows =
                store::scores::submissions_after(&mut tx, board.no, after, BATCH).await?;
            let Some(last) = rows.last() else { break };
            after = last.seq;
            rows.retain(|row| row.period == place.period && row.submitted_at <= at);
            fold.take(&mut tx, rows).await?;
            tokio::task::yield_now().await;
        }
        Ok(fold.scored().collect())
    }
}

/// The number of the first submission of `period` or a later one; one more than the last if there is none. Numbers and
/// periods ascend together.
async fn first_of(
    tx: &mut Tx,
    period: i64,
    (board_no, last_seq): (i64, i64),
) -> Result<i64, Error> {
    let (mut low, mut high) = (1, last_seq + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        match store::scores::period_from(tx, board_no, middle).await? {
            Some(found) if found < period => low = middle + 1,
            _ => high = middle,
        }
    }
    Ok(low)
}
