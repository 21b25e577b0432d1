//! How a board stood at a past instant, and how an owner's rank went: what was submitted, worked through again under
//! the settings and bans of now, from the last checkpoint before on.
//!
//! A board stood at an instant as what was submitted before the first submission that is later makes it. So what is
//! found has been shown once, also where the clocks of instances differ a little.

pub(super) mod walk;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use mainstay_contract::ts::Ts;
use mainstay_core::{
    auth::Caller,
    error::{Code, Problem},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, SemaphorePermit};

use self::walk::Walk;
use super::{Boards, boards::Board, entries::slice_of, scores::Banned, standings::Standing};
use crate::{
    error::Error,
    model::score::Written,
    store::{self, scores::Place},
};

/// Instants that an instance works out at the same time.
const AT_ONCE: usize = 2;
/// How long an instant is kept, in seconds, how many are, and how many entries they may have together.
const KEPT_S: i64 = 60;
const KEPT_MAX: usize = 8;
const KEPT_ENTRIES_MAX: u64 = 4_000_000;
/// The most points of an owner's history, and the usual number.
const POINTS_MAX: u32 = 100;
const POINTS_USUAL: u32 = 30;
/// How far back an owner's history goes when nobody says.
const USUAL_DAYS: i64 = 30;
const S_PER_DAY: i64 = 86_400;

type Kept = HashMap<(Place, Moment), (Ts, Arc<Standing>)>;

/// A past state of a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Moment {
    /// As it stood at this instant, without those who are banned now.
    At(Ts),
    /// As it stood behind this submission, without those who were banned at this instant already.
    Behind(i64, Ts),
}

/// Instants that were asked for a short while ago.
pub(super) struct History {
    kept: Mutex<Kept>,
    /// How often something was forgotten.
    forgotten: AtomicU64,
    room: Semaphore,
}

impl Default for History {
    fn default() -> Self {
        let forgotten = AtomicU64::new(0);
        Self { kept: Mutex::default(), forgotten, room: Semaphore::new(AT_ONCE) }
    }
}

impl History {
    fn find(&self, place: Place, moment: Moment, now: Ts) -> Option<Arc<Standing>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.retain(|_, (since, _)| *since >= now.plus_s(-KEPT_S));
        kept.get(&(place, moment)).map(|(_, standing)| standing.clone())
    }

    /// Keeps what was worked out since `forgotten` was read, unless something was forgotten meanwhile: it may still
    /// have who was taken from it.
    fn keep(&self, key: (Place, Moment), now: Ts, standing: &Arc<Standing>, forgotten: u64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if self.forgotten.load(Ordering::Relaxed) != forgotten {
            return;
        }
        kept.insert(key, (now, standing.clone()));
        let entries = |kept: &Kept| kept.values().map(|(_, standing)| standing.len()).sum::<u64>();
        // What was found just now stays, however large.
        while kept.len() > 1 && (kept.len() > KEPT_MAX || entries(&kept) > KEPT_ENTRIES_MAX) {
            let others = kept.iter().filter(|(other, _)| **other != key);
            let oldest = others.min_by_key(|(_, (since, _))| *since).map(|(key, _)| *key);
            if oldest.and_then(|oldest| kept.remove(&oldest)).is_none() {
                break;
            }
        }
    }

    /// A place among those who work out the past.
    fn enter(&self) -> Result<SemaphorePermit<'_>, Error> {
        self.room.try_acquire().map_err(|_full| {
            let detail = "Ranks of past instants are worked out two at a time. Try again soon.";
            Problem::new(Code::Overloaded, detail).retry_after_s(1).into()
        })
    }

    /// Forgets the instants of a board, from which somebody was taken or which is another now.
    pub(super) fn forget(&self, board_no: i64) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        self.forgotten.fetch_add(1, Ordering::Relaxed);
        kept.retain(|(place, _), _| place.board_no != board_no);
    }
}

/// Which part of an owner's history.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct HistoryQuery {
    /// The first instant; 30 days before the last one if absent, or as far back as ranks are kept.
    from: Option<Ts>,
    /// The last instant; now if absent.
    to: Option<Ts>,
    /// How many instants, evenly spread; 2 to 100, usually 30.
    #[schemars(range(min = 2, max = 100))]
    points: Option<u32>,
    /// Ranks among one's like only: kind and value, such as `country:IN`.
    slice: Option<String>,
}

/// How an owner stood at an instant.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct PastStandingView {
    /// When.
    at: Ts,
    /// The period that was open then; absent before the first one.
    period: Option<i64>,
    /// From 1; absent while the owner had no entry.
    rank: Option<u64>,
    /// One for each column; absent while the owner had no entry.
    scores: Option<Vec<Written>>,
    /// How many entries there were.
    count: u64,
}

/// How an owner's rank went.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct EntryHistoryView {
    /// In the order of time.
    items: Vec<PastStandingView>,
}

impl HistoryQuery {
    /// The instants that are asked for, in the order of time.
    fn instants(&self, now: Ts, oldest: Ts) -> Result<Vec<Ts>, Error> {
        let to = self.to.unwrap_or(now);
        let from = self.from.unwrap_or_else(|| to.plus_s(-USUAL_DAYS * S_PER_DAY).max(oldest));
        let said = |pointer, code, detail: &str| Err(Error::invalid(pointer, code, detail));
        let points = self.points.unwrap_or(POINTS_USUAL);
        if !(2..=POINTS_MAX).contains(&points) {
            return said("?points", "out_of_range", "Ask for 2 to 100 instants.");
        }
        if from >= to {
            return said("?from", "contradicts", "Ask for a span that begins before it ends.");
        }
        let (span, steps) = (to.micros_since(from), i64::from(points - 1));
        // Of a span of years a step times a hundred still fits.
        Ok((0..=steps)
            .map(|step| from.plus_micros(span / steps * step + span % steps * step / steps))
            .collect())
    }
}

impl Boards {
    /// `at`, if it lies in the past, and not further back than ranks are kept.
    pub(super) fn in_the_past(&self, at: Ts) -> Result<Ts, Error> {
        self.in_the_past_as("?at", at)
    }

    fn in_the_past_as(&self, pointer: &'static str, at: Ts) -> Result<Ts, Error> {
        let now = self.inner.clock.now();
        let days = i64::from(self.inner.config.history_days);
        let said = |detail: String| Err(Error::invalid(pointer, "out_of_range", detail));
        match at {
            at if at > now => said("Ask for an instant that is past.".into()),
            at if at < now.plus_s(-days * S_PER_DAY) => {
                said(format!("Ranks are kept for {days} days; ask for an instant in them."))
            }
            at => Ok(at),
        }
    }

    /// The entries of `place` as they stood once.
    ///
    /// # Errors
    /// `Overloaded` while two others are worked out here; `Invalid` for a period with too many submissions.
    pub(super) async fn past(
        &self,
        board: &Board,
        place: Place,
        moment: Moment,
    ) -> Result<Arc<Standing>, Error> {
        let history = &self.inner.history;
        let now = self.inner.clock.now();
        if let Some(known) = history.find(place, moment, now) {
            return Ok(known);
        }
        let _room = history.enter()?;
        let forgotten = history.forgotten.load(Ordering::Relaxed);
        let checkpoints = &self.inner.checkpoints;
        let walk = match moment {
            Moment::At(at) => {
                let mut walk = self.walk(board, place).await?;
                walk.advance_to(at).await?;
                walk
            }
            Moment::Behind(seq, since) => {
                let banned = Banned::all(checkpoints.banned_by(board.no, since).await?);
                let mut walk = Walk::begin(checkpoints, board, place, banned).await?;
                walk.advance_behind(seq).await?;
                walk
            }
        };
        let standing = Arc::new(Standing::of(walk.finish()));
        history.keep((place, moment), now, &standing, forgotten);
        Ok(standing)
    }

    /// How an owner stood at instants of a span, evenly spread.
    ///
    /// # Errors
    /// `NotFound` for a board that the caller may not see, and for an owner who had no entry at any of them; else as
    /// [`Boards::past`].
    pub(crate) async fn entry_history(
        &self,
        caller: Option<&Caller>,
        id: &str,
        owner: &str,
        query: &HistoryQuery,
    ) -> Result<EntryHistoryView, Error> {
        let board = self.board(caller, id).await?;
        let now = self.inner.clock.now();
        let days = i64::from(self.inner.config.history_days);
        let instants = query.instants(now, now.plus_s(-days * S_PER_DAY))?;
        for (pointer, at) in [("?from", instants.first()), ("?to", instants.last())] {
            at.map(|at| self.in_the_past_as(pointer, *at)).transpose()?;
        }
        let slice = slice_of(&board, query.slice.as_deref())?;
        let periods = self.periods_at(&board, &instants).await?;
        let board = match periods.iter().flatten().next() {
            Some(place) => self.board_of(board, *place).await?,
            None => board,
        };
        let _room = self.inner.history.enter()?;
        let mut walk: Option<Walk> = None;
        let mut items = Vec::with_capacity(instants.len());
        for (at, place) in instants.into_iter().zip(periods) {
            let Some(place) = place else {
                items.push(PastStandingView {
                    at,
                    period: None,
                    rank: None,
                    scores: None,
                    count: 0,
                });
                continue;
            };
            let mut going = match walk.take().filter(|walk| walk.place() == place) {
                Some(walk) => walk,
                None => self.walk(&board, place).await?,
            };
            going.advance_to(at).await?;
            let ranking = going.sliced().and_then(|sliced| sliced.ranking(slice.as_ref()));
            let count = ranking.map_or(0, |ranking| ranking.len());
            let found = ranking.and_then(|ranking| {
                let rank = ranking.standing(owner)?.rank;
                Some((rank, board.settings.show_scores(&ranking.entry(owner)?.0)))
            });
            let (rank, scores) = found.unzip();
            items.push(PastStandingView { at, period: Some(place.period), rank, scores, count });
            walk = Some(going);
        }
        match items.iter().any(|item| item.rank.is_some()) {
            true => Ok(EntryHistoryView { items }),
            false => Err(Error::Absent("This owner had no entry at any of these instants.")),
        }
    }

    async fn walk(&self, board: &Board, place: Place) -> Result<Walk, Error> {
        let checkpoints = &self.inner.checkpoints;
        let banned = Banned::all(checkpoints.banned(board.no).await?);
        Walk::begin(checkpoints, board, place, banned).await
    }

    /// The periods that were open at these instants.
    async fn periods_at(
        &self,
        board: &Board,
        instants: &[Ts],
    ) -> Result<Vec<Option<Place>>, Error> {
        let mut tx = self.db().read().await?;
        let head = store::boards::head(&mut tx, board.no).await?.ok_or(Error::NotFound)?;
        let mut places = Vec::with_capacity(instants.len());
        for at in instants {
            let period = store::boards::period_at(&mut tx, board.no, *at).await?;
            let period = period.filter(|period| period.ends_at.is_none_or(|ends_at| *at < ends_at));
            places.push(period.map(|period| Place { period: period.no, ..board.place(head) }));
        }
        Ok(places)
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]
    use super::*;

    #[test]
    fn instants_are_spread_evenly_from_the_first_to_the_last() {
        let query = |from, to, points| HistoryQuery {
            from: Some(Ts::from_micros(from)),
            to: Some(Ts::from_micros(to)),
            points: Some(points),
            slice: None,
        };
        let micros = |query: &HistoryQuery| -> Vec<i64> {
            let all = query.instants(Ts::from_micros(0), Ts::from_micros(0)).unwrap();
            all.into_iter().map(Ts::as_micros).collect()
        };
        assert_eq!(micros(&query(10, 20, 2)), [10, 20]);
        assert_eq!(micros(&query(0, 10, 4)), [0, 3, 6, 10]);
        let long = micros(&query(0, 3_650 * 86_400 * 1_000_000, 100));
        assert_eq!((long.len(), *long.last().unwrap()), (100, 3_650 * 86_400 * 1_000_000));
        assert!(long.windows(2).all(|two| two[0] < two[1]));
        for odd in [query(5, 5, 2), query(6, 5, 2), query(0, 9, 1), query(0, 9, 101)] {
            odd.instants(Ts::from_micros(0), Ts::from_micros(0)).unwrap_err();
        }
    }
}
