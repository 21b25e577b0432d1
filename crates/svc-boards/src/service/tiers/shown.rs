//! A season as a page shows it: who plays where, what is to come, and what it brought.

use std::{cmp::Ordering, collections::HashMap};

use mainstay_core::{
    auth::Caller,
    db::{Json, Tx},
};

use super::SeasonOutcome;
use crate::{
    error::Error,
    model::tier::Tiers,
    service::{Boards, boards::Board},
    store::{
        self,
        tiers::{SeasonRow, SeatRow, state},
    },
};

/// The most cohorts whose players are counted for a page.
const COUNTED_MAX: i64 = 10_000;

/// How far a season is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SeasonPhase {
    /// The period is played without tiers: they begin with the next one.
    Next,
    /// It gives out no seats until it is known what the one before brought.
    Waits,
    /// It is played.
    Plays,
    /// It is over, and what it brought is being worked out.
    Settles,
    /// It is over.
    Over,
}

/// A seat in a season.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct SeatShown {
    /// Of the tier, from 0, the lowest.
    pub(crate) tier: i64,
    pub(crate) cohort: i64,
    /// What it brought; absent until that is known.
    pub(crate) outcome: Option<SeasonOutcome>,
}

/// A season.
#[derive(Debug, Clone)]
pub(crate) struct SeasonShown {
    pub(crate) rules: Tiers,
    pub(crate) phase: SeasonPhase,
    /// How many play in each tier, the lowest first; absent where there are too many cohorts to count them for a page.
    pub(crate) players: Option<Vec<i64>>,
    /// Where the reader plays.
    pub(crate) seat: Option<SeatShown>,
}

/// A part of a cohort's ranking.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CohortPart<'a> {
    /// The place of its first owner, from 0.
    pub(crate) first: u64,
    pub(crate) owners: &'a [&'a str],
    /// How many the whole ranking has.
    pub(crate) count: u64,
}

impl SeatShown {
    fn of(row: &SeatRow) -> Self {
        let outcome = row.next_tier.map(|next| moved(row.tier, next));
        Self { tier: row.tier, cohort: row.cohort, outcome }
    }
}

pub(super) fn moved(tier: i64, next: i64) -> SeasonOutcome {
    match next.cmp(&tier) {
        Ordering::Greater => SeasonOutcome::Promoted,
        Ordering::Equal => SeasonOutcome::Stayed,
        Ordering::Less => SeasonOutcome::Relegated,
    }
}

impl Boards {
    /// The season of a period, and where `owner` plays in it; `None` for a board without tiers.
    ///
    /// # Errors
    /// `NotFound` for a board that the caller may not see.
    pub(crate) async fn season_shown(
        &self,
        caller: Option<&Caller>,
        id: &str,
        period: i64,
        owner: Option<&str>,
    ) -> Result<Option<SeasonShown>, Error> {
        let board = self.board(caller, id).await?;
        let Some(now) = &board.settings.tiers else { return Ok(None) };
        let mut tx = self.db().read().await?;
        let Some(season) = store::tiers::season(&mut tx, board.no, period).await? else {
            let (rules, phase) = (now.clone(), SeasonPhase::Next);
            return Ok(Some(SeasonShown { rules, phase, players: None, seat: None }));
        };
        let head = store::boards::head(&mut tx, board.no).await?.ok_or(Error::NotFound)?;
        let phase = match season.state {
            state::WAITING => SeasonPhase::Waits,
            state::OPEN if period == head.period => SeasonPhase::Plays,
            state::OPEN => SeasonPhase::Settles,
            _ => SeasonPhase::Over,
        };
        let players = players(&mut tx, &board, &season).await?;
        let seat = match owner {
            Some(owner) => {
                let owners = [owner.to_owned()];
                let seats = store::tiers::seats_among(&mut tx, board.no, period, &owners).await?;
                seats.first().map(SeatShown::of)
            }
            None => None,
        };
        let Json(rules) = season.tiers;
        Ok(Some(SeasonShown { rules, phase, players, seat }))
    }

    /// What the season of a period brings to each of a part of a cohort as it stands; or has brought, once it is over.
    /// `None` while that is worked out, and for whoever has no seat.
    ///
    /// # Errors
    /// `NotFound` for a board that the caller may not see.
    pub(crate) async fn season_brings(
        &self,
        caller: Option<&Caller>,
        (id, period): (&str, i64),
        season: &SeasonShown,
        part: CohortPart<'_>,
    ) -> Result<Vec<Option<SeasonOutcome>>, Error> {
        let board = self.board(caller, id).await?;
        let owners: Vec<String> = part.owners.iter().map(|owner| (*owner).to_owned()).collect();
        let mut tx = self.db().read().await?;
        let seats = store::tiers::seats_among(&mut tx, board.no, period, &owners).await?;
        let seats: HashMap<&str, &SeatRow> = seats.iter().map(|row| (&*row.owner, row)).collect();
        let brings = |(place, owner): (u64, &&str)| {
            let seat = seats.get(owner)?;
            match season.phase {
                SeasonPhase::Plays => {
                    let next = season.rules.after(seat.tier, place, part.count);
                    Some(moved(seat.tier, next))
                }
                _ => SeatShown::of(seat).outcome,
            }
        };
        Ok((part.first..).zip(part.owners).map(brings).collect())
    }
}

async fn players(
    tx: &mut Tx,
    board: &Board,
    season: &SeasonRow,
) -> Result<Option<Vec<i64>>, Error> {
    if store::tiers::newest_cohort(tx, board.no, season.period).await? > COUNTED_MAX {
        return Ok(None);
    }
    let known: HashMap<i64, i64> =
        store::tiers::players_by_tier(tx, board.no, season.period).await?.into_iter().collect();
    let tiers = 0..season.tiers.0.names.len() as i64;
    Ok(Some(tiers.map(|tier| known.get(&tier).copied().unwrap_or_default()).collect()))
}
