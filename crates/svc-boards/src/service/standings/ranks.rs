//! Rankings, wherever they are held: in this instance's memory, or in Redis for the whole fleet. The same questions,
//! and the same answers.

use std::{
    collections::BTreeSet,
    sync::{Arc, atomic::Ordering},
};

use mainstay_contract::ts::Ts;
use mainstay_core::{clock::Clock, events::Log, redis::Redis};

use super::{
    Asked, FROZEN_S, FrozenName, Slice, Standing, Standings, TOP, Touched, held,
    shared::{Shared, SharedPlace},
};
use crate::{
    engine::Ranked,
    error::Error,
    model::board::BoardSettings,
    service::{
        checkpoints::Checkpoints,
        entries::{EntriesPage, first_around},
    },
    store::scores::Place,
};

/// All rankings.
pub(crate) enum Rankings {
    /// Each instance holds those that it is asked for.
    Memory(Arc<Standings>),
    /// Redis holds them.
    Shared(Arc<Shared>),
}

/// The ranking of one period of a board.
#[derive(Clone)]
pub(crate) enum Ranks {
    /// Here.
    Memory(Arc<Standing>),
    /// In Redis.
    Shared(Arc<Shared>, Arc<SharedPlace>),
}

/// Tells whether a ranking in memory has changed; there is none of those in Redis, whose pages are not kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Version(Option<u64>);

/// Entries in the order of their places.
pub(crate) struct Found {
    pub(crate) ranked: Vec<Ranked>,
    /// Entries in all.
    pub(crate) count: u64,
    /// The newest submission that is counted.
    pub(crate) as_of: u64,
}

/// A page of a ranking that stands still.
pub(crate) struct Page {
    pub(crate) found: Found,
    /// By what it is found again; nothing where there is nobody.
    pub(crate) name: Option<FrozenName>,
}

/// Where a page begins.
#[derive(Debug)]
pub(crate) enum Start {
    /// At this place of the ranking as it is now.
    Now(u64),
    /// At this place of a ranking as it was, behind this entry.
    Frozen(FrozenName, u64, Option<Ranked>),
    /// At this place of a past instant, which is as it was also if it is worked out again.
    Past(FrozenName, u64),
}

impl Start {
    /// The first place, from 0.
    pub(crate) fn first(&self) -> u64 {
        match self {
            Self::Now(first) | Self::Frozen(_, first, _) | Self::Past(_, first) => *first,
        }
    }
}

/// What those who watch have to be told.
pub(crate) enum Moved {
    /// Nothing happened.
    Nothing,
    /// Something, though not in the top.
    Below,
    /// Too much in the top to be named.
    Much,
    /// Who is where in the top now, and who is not in it.
    Top { found: Found, gone: Vec<String> },
}

impl Rankings {
    /// In memory, loaded by way of checkpoints and following the log.
    pub(crate) fn in_memory(
        log: &Log,
        checkpoints: &Arc<Checkpoints>,
        clock: Clock,
        entries_max: u64,
    ) -> Self {
        let standings =
            Standings::new(checkpoints.clone(), log.epochs().clone(), clock, entries_max);
        standings.follow(log);
        Self::Memory(standings)
    }

    /// In Redis, following the log; what nobody reads is kept for `idle_s`.
    pub(crate) fn in_redis(redis: Arc<Redis>, log: &Log, clock: Clock, idle_s: u32) -> Self {
        let shared = Shared::new(redis, log, clock, idle_s);
        shared.follow();
        Self::Shared(shared)
    }

    /// The entries of `place`.
    ///
    /// # Errors
    /// What the records say when they are loaded.
    pub(crate) async fn get(&self, settings: &BoardSettings, place: Place) -> Result<Ranks, Error> {
        Ok(match self {
            Self::Memory(standings) => Ranks::Memory(standings.get(settings, place).await?),
            Self::Shared(shared) => Ranks::Shared(shared.clone(), shared.get(settings, place)),
        })
    }

    /// Drops what nobody has asked for since `before`, and frozen pages whose time is over.
    pub(crate) fn forget_idle(&self, before: Ts, now: Ts) {
        match self {
            Self::Memory(standings) => standings.forget_idle(before, now),
            Self::Shared(shared) => shared.forget_idle(before),
        }
    }

    /// Keeps what is shared current, for a second; what is in memory is.
    ///
    /// # Errors
    /// What the records say.
    pub(crate) async fn tend(&self) -> Result<(), Error> {
        match self {
            Self::Memory(_) => Ok(()),
            Self::Shared(shared) => shared.tend().await,
        }
    }
}

impl Ranks {
    /// Whether they are the same ranking, followed without a gap.
    pub(crate) fn is(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Memory(one), Self::Memory(other)) => Arc::ptr_eq(one, other),
            (Self::Shared(_, one), Self::Shared(_, other)) => Arc::ptr_eq(one, other),
            _ => false,
        }
    }

    /// At most `len` entries.
    ///
    /// # Errors
    /// `CursorExpired` if the ranking as it was is not to be had any more.
    pub(crate) async fn page(
        &self,
        slice: Option<&Slice>,
        start: &Start,
        len: usize,
        now: Ts,
    ) -> Result<Page, Error> {
        let (shared, place) = match self {
            Self::Memory(standing) => return page_here(standing, slice, start, len, now),
            Self::Shared(shared, place) => (shared, place),
        };
        let (answer, name) = match start {
            Start::Now(first) => {
                let answer = shared.range(place, slice, (*first, len), true).await?;
                let (as_of, version, count) = (answer.as_of, answer.version, answer.count);
                (answer, FrozenName { as_of, since: now, version, count })
            }
            Start::Frozen(name, _, Some(last)) if name.since >= now.plus_s(-FROZEN_S) => {
                (shared.range_after(place, slice, *name, (last, len)).await?, *name)
            }
            // Too old, or of a ranking in memory.
            Start::Frozen(..) | Start::Past(..) => return Err(Error::CursorExpired),
        };
        let ranked = answer.parts.into_iter().flatten().collect();
        let found = Found { ranked, count: answer.count, as_of: name.as_of };
        Ok(Page { found, name: Some(name) })
    }

    /// How a page of the ranking as it is now was shown, if it has not changed since; and its version, by which
    /// [`Ranks::keep_shown`] keeps what is shown now.
    pub(crate) fn shown(&self, asked: &Asked, now: Ts) -> (Option<EntriesPage>, Version) {
        let Self::Memory(standing) = self else { return (None, Version(None)) };
        let version = standing.version.load(Ordering::Acquire);
        let page = held(&standing.shown).get(version, asked, now);
        (page, Version(Some(version)))
    }

    /// Keeps how a page was shown, unless the ranking has changed since `version`.
    pub(crate) fn keep_shown(&self, version: Version, asked: Asked, page: &EntriesPage, now: Ts) {
        if let (Self::Memory(standing), Version(Some(version))) = (self, version)
            && standing.version.load(Ordering::Acquire) == version
        {
            held(&standing.shown).keep(version, asked, page, now);
        }
    }

    /// Those of `owners` who have an entry, each once.
    ///
    /// # Errors
    /// `RankingsAway`.
    pub(crate) async fn among(
        &self,
        slice: Option<&Slice>,
        owners: &[&str],
    ) -> Result<Found, Error> {
        match self {
            Self::Memory(standing) => Ok(standing
                .look(|sliced| {
                    let (as_of, ranking) = (sliced.as_of(), sliced.ranking(slice));
                    let Some(ranking) = ranking else { return nobody(as_of) };
                    let owners = owners.iter();
                    let mut places: Vec<u64> =
                        owners.filter_map(|owner| Some(ranking.standing(owner)?.place)).collect();
                    places.sort_unstable();
                    places.dedup();
                    let ranked = places.into_iter().flat_map(|place| ranking.range(place, 1));
                    Found { ranked: ranked.collect(), count: ranking.len(), as_of }
                })
                .unwrap_or_else(|| nobody(0))),
            Self::Shared(shared, place) => {
                let owners: BTreeSet<&str> = owners.iter().copied().collect();
                let owners: Vec<&str> = owners.into_iter().collect();
                let answer = match owners.is_empty() {
                    true => shared.range(place, slice, (0, 0), false).await?,
                    false => shared.among(place, slice, &owners).await?,
                };
                let mut ranked: Vec<Ranked> = answer.parts.into_iter().flatten().collect();
                ranked.sort_unstable_by_key(|one| one.place);
                Ok(Found { ranked, count: answer.count, as_of: answer.as_of })
            }
        }
    }

    /// `owner` and those around them, `len` in all: half of the rest behind, the other half before, moved at the ends.
    /// Nothing if they have no entry.
    ///
    /// # Errors
    /// `RankingsAway`.
    pub(crate) async fn around(
        &self,
        slice: Option<&Slice>,
        owner: &str,
        len: u64,
    ) -> Result<Option<Found>, Error> {
        match self {
            Self::Memory(standing) => Ok(around_here(standing, slice, owner, len)),
            Self::Shared(shared, place) => {
                let answer = shared.around(place, slice, (&[owner], len)).await?;
                let (count, as_of) = (answer.count, answer.as_of);
                let ranked: Vec<Ranked> = answer.parts.into_iter().flatten().collect();
                Ok((!ranked.is_empty()).then_some(Found { ranked, count, as_of }))
            }
        }
    }

    /// Those around each of `owners`; nobody where they have no entry.
    ///
    /// # Errors
    /// `RankingsAway`.
    pub(crate) async fn around_each(
        &self,
        owners: &[String],
        len: u64,
    ) -> Result<Vec<Vec<Ranked>>, Error> {
        match self {
            Self::Memory(standing) => {
                let around = |owner: &String| around_here(standing, None, owner, len);
                let each = owners.iter().map(around);
                Ok(each.map(|found| found.map(|found| found.ranked).unwrap_or_default()).collect())
            }
            Self::Shared(..) if owners.is_empty() => Ok(Vec::new()),
            Self::Shared(shared, place) => {
                let owners: Vec<&str> = owners.iter().map(|owner| &**owner).collect();
                Ok(shared.around(place, None, (&owners, len)).await?.parts)
            }
        }
    }

    /// The ranks of `owners` among everybody, in their order; 0 without an entry, and while Redis does not answer: then
    /// what was written is written nevertheless.
    ///
    /// # Errors
    /// What the records say when the ranking is built.
    pub(crate) async fn ranks_of(&self, owners: &[&str]) -> Result<Vec<u64>, Error> {
        match self {
            Self::Memory(standing) => Ok(standing.ranks_of(owners)),
            Self::Shared(..) if owners.is_empty() => Ok(Vec::new()),
            Self::Shared(shared, place) => {
                let parts = match shared.among(place, None, owners).await {
                    Ok(answer) => answer.parts,
                    Err(Error::RankingsAway(_)) => return Ok(vec![0; owners.len()]),
                    Err(error) => return Err(error),
                };
                Ok(parts.iter().map(|part| part.first().map_or(0, |one| one.rank)).collect())
            }
        }
    }

    /// The first `len` of everybody.
    ///
    /// # Errors
    /// `RankingsAway`.
    pub(crate) async fn top(&self, len: usize) -> Result<Found, Error> {
        match self {
            Self::Memory(standing) => Ok(standing
                .look(|sliced| {
                    let all = sliced.ranking(None);
                    let ranked = all.map(|all| all.range(0, len)).unwrap_or_default();
                    let count = all.map_or(0, |all| all.len());
                    Found { ranked, count, as_of: sliced.as_of() }
                })
                .unwrap_or_else(|| nobody(0))),
            Self::Shared(shared, place) => {
                let answer = shared.range(place, None, (0, len), false).await?;
                let ranked = answer.parts.into_iter().flatten().collect();
                Ok(Found { ranked, count: answer.count, as_of: answer.as_of })
            }
        }
    }

    /// From now on it is noted whom scores move.
    ///
    /// # Errors
    /// `RankingsAway`.
    pub(crate) async fn watch(&self) -> Result<(), Error> {
        match self {
            Self::Memory(standing) => standing.watch(),
            Self::Shared(shared, place) => shared.watch(place).await?,
        }
        Ok(())
    }

    /// Nobody watches any more.
    pub(crate) fn unwatch(&self) {
        match self {
            Self::Memory(standing) => standing.unwatch(),
            Self::Shared(_, place) => place.unwatch(),
        }
    }

    /// Something is still to be told, though not of the top.
    pub(crate) fn note_any(&self) {
        match self {
            Self::Memory(standing) => standing.note_any(),
            Self::Shared(_, place) => place.note_any(),
        }
    }

    /// What those who watch have to be told since the last time.
    ///
    /// # Errors
    /// `RankingsAway`; then it is told the next time.
    pub(crate) async fn take_moved(&self) -> Result<Moved, Error> {
        match self {
            Self::Memory(standing) => Ok(moved_here(standing)),
            Self::Shared(shared, place) => {
                let Some((touched, answer)) = shared.take_touched(place).await? else {
                    return Ok(Moved::Nothing);
                };
                if touched.many {
                    return Ok(Moved::Much);
                }
                let (count, as_of) = (answer.count, answer.as_of);
                let top = answer.parts.into_iter().flatten();
                let named = top.filter(|one| touched.owners.contains(&one.owner));
                let found = Found { ranked: named.collect(), count, as_of };
                Ok(moved(touched, found))
            }
        }
    }
}

fn nobody(as_of: u64) -> Found {
    Found { ranked: Vec::new(), count: 0, as_of }
}

fn page_here(
    standing: &Standing,
    slice: Option<&Slice>,
    start: &Start,
    len: usize,
    now: Ts,
) -> Result<Page, Error> {
    let as_it_is = || standing.freeze(slice, now);
    let expired = || Error::CursorExpired;
    if let Start::Now(first) = start
        && let Some(found) = last_page(standing, slice, *first, len)
    {
        return Ok(Page { found, name: None });
    }
    let (name, snapshot, first) = match start {
        Start::Now(first) => match as_it_is() {
            Some((name, snapshot)) => (name, snapshot, *first),
            None => {
                let as_of = standing.look(|sliced| sliced.as_of()).unwrap_or_default();
                return Ok(Page { found: nobody(as_of), name: None });
            }
        },
        Start::Frozen(name, first, _) => {
            (*name, standing.frozen(*name, slice).ok_or_else(expired)?, *first)
        }
        Start::Past(name, first) => {
            let kept = standing.frozen(*name, slice);
            let again = || as_it_is().map(|(_, snapshot)| snapshot);
            (*name, kept.or_else(again).ok_or_else(expired)?, *first)
        }
    };
    let ranked = standing.look(|sliced| {
        // Of a slice that everybody has left since, or of one that was empty in between, the names are gone.
        sliced.ranking(slice)?.range_of(&snapshot, first, len)
    });
    let ranked = ranked.flatten().ok_or_else(expired)?;
    let found = Found { ranked, count: snapshot.len(), as_of: name.as_of };
    Ok(Page { found, name: Some(name) })
}

/// A page behind which there is nothing: nobody comes back for another one, so nothing has to stand still.
fn last_page(standing: &Standing, slice: Option<&Slice>, first: u64, len: usize) -> Option<Found> {
    let found = standing.look(|sliced| {
        let (as_of, ranking) = (sliced.as_of(), sliced.ranking(slice)?);
        let count = ranking.len();
        let last = first.saturating_add(len as u64) >= count;
        last.then(|| Found { ranked: ranking.range(first, len), count, as_of })
    });
    found.flatten()
}

fn around_here(standing: &Standing, slice: Option<&Slice>, owner: &str, len: u64) -> Option<Found> {
    let found = standing.look(|sliced| {
        let ranking = sliced.ranking(slice)?;
        let place = ranking.standing(owner)?.place;
        let first = first_around(place, len, ranking.len());
        let ranked = ranking.range(first, len as usize);
        Some(Found { ranked, count: ranking.len(), as_of: sliced.as_of() })
    });
    found.flatten()
}

fn moved_here(standing: &Standing) -> Moved {
    let touched = standing.take_touched();
    if !touched.any {
        return Moved::Nothing;
    }
    if touched.many {
        return Moved::Much;
    }
    let found = standing.look(|sliced| {
        let all = sliced.ranking(None)?;
        let owners = touched.owners.iter();
        let mut places: Vec<u64> = owners
            .filter_map(|owner| Some(all.standing(owner)?.place))
            .filter(|place| *place < TOP)
            .collect();
        places.sort_unstable();
        let ranked = places.into_iter().flat_map(|place| all.range(place, 1)).collect();
        Some(Found { ranked, count: all.len(), as_of: sliced.as_of() })
    });
    match found.flatten() {
        Some(found) => moved(touched, found),
        None => Moved::Nothing,
    }
}

/// Those who were touched and are not among those found in the top are gone from it.
fn moved(mut touched: Touched, found: Found) -> Moved {
    if touched.owners.is_empty() {
        return Moved::Below;
    }
    for one in &found.ranked {
        touched.owners.remove(&one.owner);
    }
    Moved::Top { found, gone: touched.owners.into_iter().collect() }
}
