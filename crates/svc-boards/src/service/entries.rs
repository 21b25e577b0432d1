//! Reading a board: pages that stay as they were when they were begun, one owner, those around them, several at once.

mod among;
mod views;

use std::{collections::HashMap, sync::Arc};

use mainstay_contract::ts::Ts;
use mainstay_core::{auth::Caller, db::Json};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(super) use self::among::{KeptOrders, rank_among};
pub(crate) use self::views::{
    EntriesPage, EntriesQuery, EntryView, Items, StandingQuery, StandingView,
};
pub(super) use self::views::{first_around, slice_of};
use self::{
    among::Circle,
    views::{Window, limit_of, percentile},
};
use super::{
    Boards,
    boards::Board,
    history::Moment,
    standings::{Asked, FROZEN_S, Found, FrozenName, Ranks, Start},
    tiers,
};
use crate::{
    engine::Ranked,
    error::Error,
    store::{
        self,
        boards::{Head, PeriodRow},
        scores::{EntryRow, Place},
    },
};

/// The most entries of a page.
const PAGE_MAX: u32 = 1_000;
/// The most entries around one.
const AROUND_MAX: u32 = 100;
/// The most owners that are looked up at once.
const LOOKUP_MAX: usize = 1_000;
/// What is told of an owner who is not there.
const NO_ENTRY: Error = Error::Absent("This owner has no entry there.");

/// Where a cursor stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Mark {
    place: Place,
    frozen: FrozenName,
    /// The first entry of the page, from 0.
    next: u64,
    /// The last one of the page before, where rankings are held in Redis.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    last: Option<Last>,
}

/// The last entry of a page.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Last {
    owner: String,
    scores: Vec<i64>,
    seq: u64,
    rank: u64,
}

impl Last {
    fn of(ranked: &Ranked) -> Self {
        let Ranked { owner, scores, seq, rank, .. } = ranked.clone();
        Self { owner, scores, seq, rank }
    }

    /// It, before the place `next`.
    fn at(self, next: u64) -> Ranked {
        let Self { owner, scores, seq, rank } = self;
        Ranked { rank, place: next.saturating_sub(1), owner, scores, seq }
    }
}

/// A board's period and its ranking.
pub(super) struct Read {
    pub(super) board: Arc<Board>,
    place: Place,
    period: PeriodRow,
    pub(super) ranks: Ranks,
}

impl Boards {
    /// A page of a board.
    ///
    /// # Errors
    /// `NotFound` for a board or period that the caller may not see; `Invalid`; `CursorExpired` ten minutes after the
    /// first page, or when the board was built anew.
    pub(crate) async fn entries(
        &self,
        caller: Option<&Caller>,
        id: &str,
        query: &EntriesQuery,
    ) -> Result<EntriesPage, Error> {
        let board = self.board(caller, id).await?;
        match Circle::asked(caller, query.friends, query.cohort.as_deref())? {
            None => self.entries_of(board, query).await,
            Some(circle) => self.entries_among(board, &circle, query).await,
        }
    }

    /// A page of a board, whoever reads it.
    ///
    /// # Errors
    /// As [`Boards::entries`].
    pub(crate) async fn entries_of(
        &self,
        board: Arc<Board>,
        query: &EntriesQuery,
    ) -> Result<EntriesPage, Error> {
        let limit = limit_of(query.limit, 20, PAGE_MAX)? as usize;
        let slice = slice_of(&board, query.slice.as_deref())?;
        let list = format!("entries {} {:?} {:?} {:?}", board.no, query.window, query.at, slice);
        let read = self.read_period_of(board, (query.window.as_deref(), query.at)).await?;
        let start = match &query.cursor {
            None => Start::Now(query.first()),
            Some(cursor) => {
                let Mark { place, frozen, next, last } = self.inner.cursors.open(&list, cursor)?;
                match query.at {
                    _ if place != read.place => return Err(Error::CursorExpired),
                    Some(_) => Start::Past(frozen, next),
                    None => Start::Frozen(frozen, next, last.map(|last| last.at(next))),
                }
            }
        };
        let now = self.inner.clock.now();
        let asked = Asked { list, first: start.first(), len: limit };
        // Tiers are of another moment than the ranking.
        let keep = matches!(start, Start::Now(_))
            && query.at.is_none()
            && read.board.settings.tiers.is_none();
        let (shown, version) = read.ranks.shown(&asked, now);
        if let Some(page) = shown.filter(|_| keep) {
            return Ok(EntriesPage { period: read.period.into(), ..page });
        }
        let slice = slice.as_ref();
        let page = match (read.ranks.page(slice, &start, limit, now).await, &start) {
            // Of another instance, or of so many that it went, or Redis forgot it: it can be worked out again.
            (Err(Error::CursorExpired), Start::Frozen(name, first, last)) => {
                let past = self.as_of(&read, *name).await?;
                // Redis may have had a submission before another one that came first: where the page before ended it
                // shows whether the ranking is the same.
                let again = usize::from(last.is_some());
                let start = Start::Past(*name, first.saturating_sub(again as u64));
                let mut page = past.page(slice, &start, limit + again, now).await?;
                let again = again.min(page.found.ranked.len());
                let before = page.found.ranked.drain(..again).next();
                if page.found.count != name.count || before != *last {
                    return Err(Error::CursorExpired);
                }
                page
            }
            (page, _) => page?,
        };
        let next = start.first() + page.found.ranked.len() as u64;
        let next_cursor = page.name.filter(|_| next < page.found.count).map(|frozen| {
            let last = page.found.ranked.last().filter(|_| frozen.version > 0).map(Last::of);
            self.inner.cursors.seal(&asked.list, &Mark { place: read.place, frozen, next, last })
        });
        let page = EntriesPage { next_cursor, ..self.show_page(&read, page.found).await? };
        if keep {
            read.ranks.keep_shown(version, asked, &page, now);
        }
        Ok(page)
    }

    /// A ranking as it was less than ten minutes ago.
    ///
    /// # Errors
    /// `CursorExpired` if it is longer ago, too much was submitted to work it out, or the board is built anew: what is
    /// shown then does not follow from what was submitted and who is banned now.
    async fn as_of(&self, read: &Read, name: FrozenName) -> Result<Ranks, Error> {
        let oldest = self.inner.clock.now().plus_s(-FROZEN_S);
        if name.since < oldest || read.board.building {
            return Err(Error::CursorExpired);
        }
        let moment = Moment::Behind(name.as_of.cast_signed(), name.since);
        match self.past(&read.board, read.place, moment).await {
            Ok(past) => Ok(Ranks::Memory(past)),
            Err(Error::Invalid(_)) => Err(Error::CursorExpired),
            Err(error) => Err(error),
        }
    }

    /// How one owner stands.
    ///
    /// # Errors
    /// `NotFound` if the owner has no entry there.
    pub(crate) async fn entry(
        &self,
        caller: Option<&Caller>,
        id: &str,
        owner: &str,
        query: &StandingQuery,
    ) -> Result<StandingView, Error> {
        let board = self.board(caller, id).await?;
        match Circle::asked(caller, query.friends, query.cohort.as_deref())? {
            None => self.entry_of(board, owner, query).await,
            Some(circle) => self.entry_among(board, &circle, owner, query).await,
        }
    }

    /// How one owner stands, whoever reads it.
    ///
    /// # Errors
    /// As [`Boards::entry`].
    pub(crate) async fn entry_of(
        &self,
        board: Arc<Board>,
        owner: &str,
        query: &StandingQuery,
    ) -> Result<StandingView, Error> {
        let slice = slice_of(&board, query.slice.as_deref())?;
        let read = self.read_period_of(board, (query.window.as_deref(), query.at)).await?;
        let found = read.ranks.among(slice.as_ref(), &[owner]).await?;
        let (count, as_of) = (found.count, found.as_of);
        let ranked = found.ranked.into_iter().next().ok_or(NO_ENTRY)?;
        let percentile = percentile(read.board.ranked.ties, &ranked, count);
        let entry = self.show(&read.board, read.place, vec![ranked]).await?.pop();
        Ok(StandingView { entry: entry.ok_or(NO_ENTRY)?, percentile, count, as_of })
    }

    /// An owner and those around them: half of the rest behind, the other half before, moved at the ends.
    ///
    /// # Errors
    /// `NotFound` if the owner has no entry there.
    pub(crate) async fn around(
        &self,
        caller: Option<&Caller>,
        id: &str,
        owner: &str,
        query: &StandingQuery,
    ) -> Result<EntriesPage, Error> {
        let limit = u64::from(limit_of(query.limit, 11, AROUND_MAX)?);
        let circle = Circle::asked(caller, query.friends, query.cohort.as_deref())?;
        let board = self.board(caller, id).await?;
        if let Some(circle) = circle {
            return self.around_among(board, &circle, owner, query).await;
        }
        let slice = slice_of(&board, query.slice.as_deref())?;
        let read = self.read_period_of(board, (query.window.as_deref(), query.at)).await?;
        let found = read.ranks.around(slice.as_ref(), owner, limit).await?;
        self.show_page(&read, found.ok_or(NO_ENTRY)?).await
    }

    /// How several owners stand, in the order of their ranks; those without an entry are left out.
    ///
    /// # Errors
    /// `Invalid` for more than 1,000 owners.
    pub(crate) async fn lookup(
        &self,
        caller: Option<&Caller>,
        id: &str,
        owners: &[String],
        query: &StandingQuery,
    ) -> Result<EntriesPage, Error> {
        if owners.len() > LOOKUP_MAX {
            let detail = format!("Ask for at most {LOOKUP_MAX} owners.");
            return Err(Error::invalid("/owners", "too_many", detail));
        }
        let circle = Circle::asked(caller, query.friends, query.cohort.as_deref())?;
        let board = self.board(caller, id).await?;
        if let Some(circle) = circle {
            return self.lookup_among(board, &circle, owners, query).await;
        }
        let slice = slice_of(&board, query.slice.as_deref())?;
        let read = self.read_period_of(board, (query.window.as_deref(), query.at)).await?;
        let owners: Vec<&str> = owners.iter().map(|owner| &**owner).collect();
        let found = read.ranks.among(slice.as_ref(), &owners).await?;
        self.show_page(&read, found).await
    }

    /// A page without a next one.
    async fn show_page(&self, read: &Read, found: Found) -> Result<EntriesPage, Error> {
        Ok(EntriesPage {
            items: self.show(&read.board, read.place, found.ranked).await?.into(),
            next_cursor: None,
            count: found.count,
            period: read.period.into(),
            as_of: found.as_of,
        })
    }

    /// A period that `caller` may see, with its ranking.
    pub(super) async fn read_period(
        &self,
        caller: Option<&Caller>,
        id: &str,
        instant: (Option<&str>, Option<Ts>),
    ) -> Result<Read, Error> {
        self.read_period_of(self.board(caller, id).await?, instant).await
    }

    async fn read_period_of(
        &self,
        board: Arc<Board>,
        (window, at): (Option<&str>, Option<Ts>),
    ) -> Result<Read, Error> {
        if at.is_some() && window.is_some() {
            let detail = "Ask for a window or for an instant, not for both.";
            return Err(Error::invalid("?at", "contradicts", detail));
        }
        let window = match at {
            Some(at) => Window::At(self.in_the_past(at)?),
            None => Window::parse(window)?,
        };
        let (head, period) = self.find_period(&board, window).await?;
        let place = Place { board_no: board.no, edition: head.edition, period: period.no };
        let (board, ranks) = match at {
            Some(at) => {
                let board = self.board_of(board, place).await?;
                let past = self.past(&board, place, Moment::At(at)).await?;
                (board, Ranks::Memory(past))
            }
            None => self.ranks_of(board, place).await?,
        };
        Ok(Read { board, place, period, ranks })
    }

    async fn find_period(&self, board: &Board, window: Window) -> Result<(Head, PeriodRow), Error> {
        let mut tx = self.db().read().await?;
        let present = store::boards::present(&mut tx, board.no).await?;
        let (head, period) = present.ok_or(Error::NotFound)?;
        let now = self.inner.clock.now();
        // A period that is over is so for readers too, before anybody has written that down.
        let over = head.period_ends_at.is_some_and(|ends_at| ends_at <= now);
        let period = match window {
            Window::Current if over => {
                drop(tx);
                self.close_period(&board.id).await?;
                let mut tx = self.db().read().await?;
                let present = store::boards::present(&mut tx, board.no).await?;
                return present.ok_or(Error::NotFound);
            }
            Window::Current => Some(period),
            Window::Previous if over => Some(period),
            Window::Previous => store::boards::period(&mut tx, board.no, head.period - 1).await?,
            Window::Number(no) => store::boards::period(&mut tx, board.no, no).await?,
            Window::At(at) => store::boards::period_at(&mut tx, board.no, at)
                .await?
                .filter(|period| period.ends_at.is_none_or(|ends_at| at < ends_at)),
        };
        let no_period = match window {
            Window::At(_) => "This board had no period at that instant.",
            _ => "This board has no such period.",
        };
        Ok((head, period.ok_or(Error::Absent(no_period))?))
    }

    /// Entries with what the records say of them besides.
    async fn show(
        &self,
        board: &Board,
        place: Place,
        ranked: Vec<Ranked>,
    ) -> Result<Vec<EntryView>, Error> {
        let owners: Vec<String> = ranked.iter().map(|ranked| ranked.owner.to_string()).collect();
        let mut tx = self.db().read().await?;
        let rows = store::scores::entries_among(&mut tx, place, &owners).await?;
        let rows: HashMap<String, EntryRow> =
            rows.into_iter().map(|row| (row.owner.clone(), row)).collect();
        let current = |ranked: &Ranked| {
            rows.get(&*ranked.owner).filter(|row| row.seq.unsigned_abs() == ranked.seq)
        };
        // What has moved on since: its submission says how it was.
        let moved: Vec<i64> = ranked
            .iter()
            .filter(|ranked| current(ranked).is_none())
            .map(|ranked| ranked.seq.cast_signed())
            .collect();
        // Or it is gone, by a ban perhaps, which pages that are being walked heed too.
        let gone: Vec<String> =
            owners.into_iter().filter(|owner| !rows.contains_key(owner)).collect();
        let banned = match gone.is_empty() {
            true => Vec::new(),
            false => store::boards::banned_among(&mut tx, board.no, &gone).await?,
        };
        let found = store::scores::submissions(&mut tx, board.no, &moved).await?;
        let earlier: HashMap<i64, (Ts, Option<Json<Value>>)> = moved
            .into_iter()
            .zip(found)
            .filter_map(|(seq, found)| found.map(|found| (seq, found)))
            .collect();
        let shown = ranked.iter().map(|ranked| &*ranked.owner);
        let seats = tiers::seats_of(&mut tx, board, place.period, shown).await?;
        let view = |ranked: &Ranked| {
            let seat = seats.get(&*ranked.owner);
            let (updated_at, metadata) = match current(ranked) {
                Some(row) => (row.updated_at, row.metadata.clone()),
                None if banned.iter().any(|owner| **owner == *ranked.owner) => return None,
                None => earlier.get(&ranked.seq.cast_signed())?.clone(),
            };
            Some(EntryView {
                rank: ranked.rank,
                owner: ranked.owner.to_string(),
                scores: board.settings.show_scores(&ranked.scores),
                updated_at,
                tier: seat.map(|(tier, _)| tier.clone()),
                cohort: seat.map(|(_, cohort)| *cohort),
                metadata: metadata.map(|Json(value)| value),
            })
        };
        Ok(ranked.iter().filter_map(view).collect())
    }
}
