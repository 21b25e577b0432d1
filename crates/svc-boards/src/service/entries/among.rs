//! Ranks among few: the entries of a circle of people, exact among themselves.
//!
//! Whoever is in the circle is looked up in the whole ranking, at one moment and in O(log n) each; what is found is
//! ranked in an order of its own. A page that is not the last keeps that order in memory for the pages after it, so
//! that they show it as it stood. Another instance works it out again, as long as the circle is the same.

use std::{
    collections::VecDeque,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mainstay_contract::{id::UserId, ts::Ts};
use mainstay_core::{
    auth::Caller,
    error::{Code, Problem},
    ids,
};
use serde::{Deserialize, Serialize};

use super::{
    AROUND_MAX, NO_ENTRY, PAGE_MAX, Read,
    views::{
        EntriesPage, EntriesQuery, StandingQuery, StandingView, first_around, limit_of, percentile,
        slice_of,
    },
};
use crate::{
    engine::{Loader, Order, Ranked},
    error::Error,
    service::{
        Boards,
        boards::Board,
        standings::{FrozenName, Ranks, Slice},
        tiers::CohortOf,
    },
    store::scores::Place,
};

/// Entries of all the orders that are kept for somebody to page on; with one more the oldest order goes.
const KEPT_ENTRIES_MAX: usize = 200_000;

/// How long an order is kept, in seconds.
const KEPT_S: i64 = 600;

/// Among whom ranks are asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::service) enum Circle {
    /// This person and whom they follow.
    Friends(UserId),
    /// A cohort of the season that is read.
    Cohort(CohortOf),
}

impl Circle {
    /// What `caller` asks for; `None` for everybody.
    ///
    /// # Errors
    /// `Unauthenticated` for the friends or the cohort of nobody; `Invalid` for what is no cohort, and for both.
    pub(in crate::service) fn asked(
        caller: Option<&Caller>,
        friends: bool,
        cohort: Option<&str>,
    ) -> Result<Option<Self>, Error> {
        let user = |detail: &'static str| match caller {
            Some(caller) => Ok(caller.user),
            None => Err(Problem::new(Code::Unauthenticated, detail)),
        };
        match (friends, cohort) {
            (false, None) => Ok(None),
            (true, None) => {
                let user = user("Sign in to see how you stand among those whom you follow.")?;
                Ok(Some(Self::Friends(user)))
            }
            (false, Some("me")) => {
                let user = user("Sign in to see your cohort, or ask for one by its number.")?;
                Ok(Some(Self::Cohort(CohortOf::Owner(user.to_string()))))
            }
            (false, Some(number)) => {
                let number = number.parse().map_err(|_odd| {
                    let detail = "Ask for a cohort's number, or for `me`.";
                    Error::invalid("?cohort", "malformed", detail)
                })?;
                Ok(Some(Self::Cohort(CohortOf::Number(number))))
            }
            (true, Some(_)) => {
                let detail = "Ask for friends or for a cohort, not for both.";
                Err(Error::invalid("?cohort", "contradicts", detail))
            }
        }
    }
}

/// Entries in the order of their ranks among themselves.
#[derive(Clone)]
struct Among {
    entries: Arc<[Ranked]>,
    /// The newest submission that is counted.
    as_of: u64,
}

impl Among {
    fn find(&self, owner: &str) -> Option<&Ranked> {
        self.entries.iter().find(|ranked| *ranked.owner == *owner)
    }

    fn page(&self, first: usize, limit: usize) -> Vec<Ranked> {
        self.entries.iter().skip(first).take(limit).cloned().collect()
    }

    fn count(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Tells it from other orders.
    fn hash(&self) -> u64 {
        // Always with the same keys; a program of another version may say that a cursor has expired.
        let mut hasher = DefaultHasher::new();
        self.entries.iter().for_each(|one| (&*one.owner, one.seq).hash(&mut hasher));
        hasher.finish()
    }
}

/// Orders that somebody pages through, oldest first.
#[derive(Default)]
pub(in crate::service) struct KeptOrders(Mutex<VecDeque<KeptOrder>>);

struct KeptOrder {
    name: u64,
    since: Ts,
    among: Among,
}

impl KeptOrders {
    fn orders(&self) -> MutexGuard<'_, VecDeque<KeptOrder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps an order by its name for ten minutes from `since` on.
    fn keep(&self, name: u64, among: &Among, since: Ts) {
        self.forget_old(since);
        let mut orders = self.orders();
        orders.retain(|kept| kept.name != name);
        let mut total: usize = orders.iter().map(|kept| kept.among.entries.len()).sum();
        total += among.entries.len();
        while total > KEPT_ENTRIES_MAX
            && let Some(oldest) = orders.pop_front()
        {
            total -= oldest.among.entries.len();
        }
        orders.push_back(KeptOrder { name, since, among: among.clone() });
    }

    fn find(&self, name: u64) -> Option<Among> {
        self.orders().iter().find(|kept| kept.name == name).map(|kept| kept.among.clone())
    }

    /// Forgets those whose time is over.
    pub(in crate::service) fn forget_old(&self, now: Ts) {
        let oldest = now.plus_s(-KEPT_S);
        self.orders().retain(|kept| kept.since >= oldest);
    }
}

/// Where a cursor stands.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Mark {
    place: Place,
    order: u64,
    /// What it was made of; earlier versions do not say.
    #[serde(default)]
    made: Option<Made>,
    /// The first entry of the page, from 0.
    next: usize,
}

/// What an order was made of, by which it is made again.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Made {
    frozen: FrozenName,
    /// The entries.
    of: u64,
}

/// Entries ranked among themselves.
pub(in crate::service) fn rank_among<'a>(
    order: Order,
    entries: impl IntoIterator<Item = (&'a str, &'a [i64], u64)>,
) -> Vec<Ranked> {
    let mut loader = Loader::new(order);
    for (owner, scores, seq) in entries {
        loader.push(owner, scores, seq);
    }
    let ranking = loader.finish();
    ranking.range(0, usize::try_from(ranking.len()).unwrap_or(usize::MAX))
}

impl Boards {
    /// Everybody in a circle, with or without an entry.
    async fn members(&self, read: &Read, circle: &Circle) -> Result<Vec<String>, Error> {
        match circle {
            Circle::Friends(user) => self.friends_of(*user).await,
            Circle::Cohort(cohort) => {
                self.cohort_members(read.board.no, read.place.period, cohort).await
            }
        }
    }

    async fn among(
        &self,
        read: &Read,
        ranks: &Ranks,
        circle: &Circle,
        slice: Option<&Slice>,
    ) -> Result<Among, Error> {
        let members = self.members(read, circle).await?;
        let members: Vec<&str> = members.iter().map(|owner| &**owner).collect();
        let found = ranks.among(slice, &members).await?;
        let as_of = found.as_of;
        let entries = found.ranked.iter().map(|one| (&*one.owner, &*one.scores, one.seq));
        let entries = rank_among(read.board.ranked.order(), entries);
        Ok(Among { entries: entries.into(), as_of })
    }

    /// A page of the entries of a circle.
    ///
    /// # Errors
    /// As [`Boards::entries`].
    pub(super) async fn entries_among(
        &self,
        board: Arc<Board>,
        circle: &Circle,
        query: &EntriesQuery,
    ) -> Result<EntriesPage, Error> {
        let limit = limit_of(query.limit, 20, PAGE_MAX)? as usize;
        let slice = slice_of(&board, query.slice.as_deref())?;
        let (window, at) = (query.window.as_deref(), query.at);
        let list = format!("entries {} {circle:?} {window:?} {at:?} {slice:?}", board.no);
        let read = self.read_period_of(board, (window, at)).await?;
        let (known, among, first) = match &query.cursor {
            Some(cursor) => {
                let mark: Mark = self.inner.cursors.open(&list, cursor)?;
                if mark.place != read.place {
                    return Err(Error::CursorExpired);
                }
                let among = match self.inner.orders.find(mark.order) {
                    Some(kept) => kept,
                    None => self.among_again(&read, circle, slice.as_ref(), (at, &mark)).await?,
                };
                (Some((mark.order, mark.made)), among, mark.next)
            }
            None => {
                let among = self.among(&read, &read.ranks, circle, slice.as_ref()).await?;
                (None, among, usize::try_from(query.first()).unwrap_or(usize::MAX))
            }
        };
        let ranked = among.page(first, limit);
        let next = first.saturating_add(ranked.len());
        let next_cursor = (next < among.entries.len()).then(|| {
            let (order, made) = known.unwrap_or_else(|| {
                let since = self.inner.clock.now();
                let (as_of, count) = (among.as_of, among.count());
                let order = ids::random_u64();
                self.inner.orders.keep(order, &among, since);
                let frozen = FrozenName { as_of, since, version: 0, count };
                (order, Some(Made { frozen, of: among.hash() }))
            });
            self.inner.cursors.seal(&list, &Mark { place: read.place, order, made, next })
        });
        Ok(EntriesPage { next_cursor, ..self.page_of(&read, &among, ranked).await? })
    }

    /// An order that this instance does not keep: of another one, or of so many that it went.
    ///
    /// # Errors
    /// `CursorExpired` if it cannot be worked out as it was, or the circle is another one since.
    async fn among_again(
        &self,
        read: &Read,
        circle: &Circle,
        slice: Option<&Slice>,
        (at, mark): (Option<Ts>, &Mark),
    ) -> Result<Among, Error> {
        let Made { frozen, of } = mark.made.ok_or(Error::CursorExpired)?;
        let among = match at {
            // Of a past instant it is what it was.
            Some(_past) => self.among(read, &read.ranks, circle, slice).await?,
            None => {
                let past = self.as_of(read, frozen).await?;
                self.among(read, &past, circle, slice).await?
            }
        };
        if among.hash() != of {
            return Err(Error::CursorExpired);
        }
        self.inner.orders.keep(mark.order, &among, frozen.since);
        Ok(among)
    }

    /// How one owner stands in a circle.
    ///
    /// # Errors
    /// `NotFound` if they are not in it, or have no entry.
    pub(super) async fn entry_among(
        &self,
        board: Arc<Board>,
        circle: &Circle,
        owner: &str,
        query: &StandingQuery,
    ) -> Result<StandingView, Error> {
        let slice = slice_of(&board, query.slice.as_deref())?;
        let read = self.read_period_of(board, (query.window.as_deref(), query.at)).await?;
        let among = self.among(&read, &read.ranks, circle, slice.as_ref()).await?;
        let ranked = among.find(owner).cloned().ok_or(NO_ENTRY)?;
        let (count, as_of) = (among.count(), among.as_of);
        let percentile = percentile(read.board.ranked.ties, &ranked, count);
        let entry = self.show(&read.board, read.place, vec![ranked]).await?.pop();
        Ok(StandingView { entry: entry.ok_or(NO_ENTRY)?, percentile, count, as_of })
    }

    /// An owner and those around them in a circle.
    ///
    /// # Errors
    /// `NotFound` if they are not in it, or have no entry.
    pub(super) async fn around_among(
        &self,
        board: Arc<Board>,
        circle: &Circle,
        owner: &str,
        query: &StandingQuery,
    ) -> Result<EntriesPage, Error> {
        let limit = u64::from(limit_of(query.limit, 11, AROUND_MAX)?);
        let slice = slice_of(&board, query.slice.as_deref())?;
        let read = self.read_period_of(board, (query.window.as_deref(), query.at)).await?;
        let among = self.among(&read, &read.ranks, circle, slice.as_ref()).await?;
        let place = among.find(owner).ok_or(NO_ENTRY)?.place;
        let first = first_around(place, limit, among.count());
        let ranked = among.page(usize::try_from(first).unwrap_or(usize::MAX), limit as usize);
        self.page_of(&read, &among, ranked).await
    }

    /// How several owners stand in a circle; those who are not in it are left out.
    ///
    /// # Errors
    /// What the records say.
    pub(super) async fn lookup_among(
        &self,
        board: Arc<Board>,
        circle: &Circle,
        owners: &[String],
        query: &StandingQuery,
    ) -> Result<EntriesPage, Error> {
        let slice = slice_of(&board, query.slice.as_deref())?;
        let read = self.read_period_of(board, (query.window.as_deref(), query.at)).await?;
        let among = self.among(&read, &read.ranks, circle, slice.as_ref()).await?;
        let asked: std::collections::HashSet<&str> = owners.iter().map(String::as_str).collect();
        let ranked = among.entries.iter().filter(|one| asked.contains(&*one.owner));
        self.page_of(&read, &among, ranked.cloned().collect()).await
    }

    async fn page_of(
        &self,
        read: &Read,
        among: &Among,
        ranked: Vec<Ranked>,
    ) -> Result<EntriesPage, Error> {
        Ok(EntriesPage {
            items: self.show(&read.board, read.place, ranked).await?.into(),
            next_cursor: None,
            count: among.count(),
            period: read.period.into(),
            as_of: among.as_of,
        })
    }
}
