//! Seasons and tiers: who takes which seat, and what a season that is over has brought them.
//!
//! A period of a board with tiers is a season. Whoever scores in it for the first time takes a seat in the
//! transaction of the score, in the cohort of their tier that is being filled. When the season ends, `settle` finds
//! out what everybody has earned: in the transaction that ends it if few played, else step by step by a job. Until
//! that is known the next season gives out no seats: scores are taken, and the seats follow in the order of first
//! scores.

mod settle;
mod shown;

use std::collections::{HashMap, HashSet};

use mainstay_core::{
    auth::Caller,
    db::{Json, Tx},
    jobs,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::shown::moved;
pub(crate) use self::{
    settle::SETTLE_JOB,
    shown::{CohortPart, SeasonPhase, SeasonShown},
};
use super::{Boards, boards::Board};
use crate::{
    error::Error,
    model::tier::{Cohorts, Tiers},
    page::cut,
    store::{
        self,
        boards::Head,
        tiers::{EarnedRow, PlayedRow, SeasonRow, SeatRow, state},
    },
};

/// In which tier and cohort owners play a period, by owner.
pub(super) type Seats = HashMap<String, (String, i64)>;

/// What a season brought.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SeasonOutcome {
    /// Up a tier.
    Promoted,
    /// The same tier.
    Stayed,
    /// Down a tier.
    Relegated,
}

/// A season that somebody has played or plays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct SeasonView {
    /// The period's number, for `window`.
    pub(crate) period: i64,
    /// The tier that they play it in.
    pub(crate) tier: String,
    /// Their cohort, counted from the season's first.
    pub(crate) cohort: i64,
    /// Their rank in the cohort at the end; absent before, and for whoever had no score then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rank: Option<i64>,
    /// What it brought; absent before its end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) outcome: Option<SeasonOutcome>,
}

/// Which cohort is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum CohortOf {
    /// The one that this owner plays in.
    Owner(String),
    /// The one of this number.
    Number(i64),
}

/// Begins a season in a period of a board with tiers, which gives out seats at once or waits.
pub(super) async fn begin(
    tx: &mut Tx,
    board: &Board,
    period: i64,
    (last_seq, waits): (i64, bool),
) -> Result<(), Error> {
    let Some(tiers) = &board.settings.tiers else { return Ok(()) };
    let before = store::tiers::last_season(tx, board.no).await?;
    let season = SeasonRow {
        period,
        no: before.map_or(1, |before| before.no + 1),
        tiers: Json(tiers.clone()),
        state: if waits { state::WAITING } else { state::OPEN },
        placed_seq: last_seq,
        settled_cohort: 0,
    };
    Ok(store::tiers::add_season(tx, board.no, &season).await?)
}

/// The period of `head` is over, and `next` begins. The caller holds the board's head.
pub(super) async fn turn(tx: &mut Tx, board: &Board, head: Head, next: i64) -> Result<(), Error> {
    if board.settings.tiers.is_none() {
        return Ok(());
    }
    let waits = match store::tiers::first_unsettled(tx, board.no).await? {
        None => false,
        Some(season) => !settle::at_once(tx, board, head, season).await?,
    };
    if waits {
        let now = tx.now();
        jobs::add(tx, SETTLE_JOB, &board.no.to_string(), "{}", now).await?;
    }
    begin(tx, board, next, (head.last_seq, waits)).await
}

/// Gives seats to those of `owners` who have none in this period, in this order. The caller holds the board's head.
pub(super) async fn seat_new(
    tx: &mut Tx,
    board: &Board,
    period: i64,
    owners: &[String],
) -> Result<(), Error> {
    if board.settings.tiers.is_none() || owners.is_empty() {
        return Ok(());
    }
    match store::tiers::season(tx, board.no, period).await? {
        Some(season) if season.state == state::OPEN => seat(tx, board.no, &season, owners).await,
        _ => Ok(()),
    }
}

/// Gives seats of a season to those of `owners` who have none.
async fn seat(
    tx: &mut Tx,
    board_no: i64,
    season: &SeasonRow,
    owners: &[String],
) -> Result<(), Error> {
    let seats = store::tiers::seats_among(tx, board_no, season.period, owners).await?;
    let mut seated: HashSet<String> = seats.into_iter().map(|seat| seat.owner).collect();
    let new: Vec<&String> = owners.iter().filter(|owner| seated.insert((*owner).clone())).collect();
    let new: Vec<String> = new.into_iter().cloned().collect();
    if new.is_empty() {
        return Ok(());
    }
    let Json(rules) = &season.tiers;
    let earned = store::tiers::earned_among(tx, board_no, season.period, &new).await?;
    let earned: HashMap<String, i64> = earned
        .into_iter()
        .map(|row| (row.owner, rules.begins(row.tier, season.no - row.season - 1)))
        .collect();
    let tier_of = |owner: &String| earned.get(owner).copied().unwrap_or(0);
    let tiers: HashSet<i64> = new.iter().map(tier_of).collect();
    let filling = store::tiers::filling(tx, board_no, season.period, tiers.into_iter()).await?;
    let newest = store::tiers::newest_cohort(tx, board_no, season.period).await?;
    let mut cohorts = Cohorts::new(rules, newest, filling);
    let seats: Vec<(&str, i64, i64)> = new
        .iter()
        .map(|owner| {
            let tier = tier_of(owner);
            (owner.as_str(), tier, cohorts.seat(tier))
        })
        .collect();
    let changed = cohorts.changed();
    Ok(store::tiers::give_out(tx, board_no, season.period, changed, &seats).await?)
}

/// Whether `name`s can become those of a board where they were `before`: owners in a tier stay in it.
fn keeps_names(before: &Tiers, new: &Tiers) -> bool {
    new.names.starts_with(&before.names)
}

/// A board gets other settings. The rules of a season in which somebody has a seat stay; other ones take effect with
/// the next. The caller holds the board's head.
///
/// # Errors
/// `Conflict` where it would be open what becomes of those who have a tier.
pub(super) async fn settings_changed(
    tx: &mut Tx,
    old: &Board,
    new: &Board,
    head: Head,
) -> Result<(), Error> {
    if old.settings.tiers == new.settings.tiers {
        return Ok(());
    }
    let present = store::tiers::season(tx, new.no, head.period).await?;
    let Some(rules) = &new.settings.tiers else {
        let first = store::tiers::first_unsettled(tx, new.no).await?;
        if first.is_some_and(|first| first.period < head.period) {
            return Err(Error::conflict(
                "What the last season brought is still being worked out; take the tiers away in a while.",
            ));
        }
        // The present season ends without moving anybody.
        if let Some(present) = present {
            let over = SeasonRow { state: state::OVER, ..present };
            store::tiers::move_season(tx, new.no, &over).await?;
        }
        return Ok(());
    };
    let last = store::tiers::last_season(tx, new.no).await?;
    let keeps = last.is_none_or(|last| keeps_names(&last.tiers.0, rules));
    if !keeps && store::tiers::is_seated(tx, new.no).await? {
        return Err(Error::conflict(
            "Owners play in these tiers: keep their names in their order, and add new ones above the highest. For other \
             tiers make another board.",
        ));
    }
    match present {
        Some(present) if present.state != state::OVER => {
            if store::tiers::newest_cohort(tx, new.no, head.period).await? == 0 {
                store::tiers::set_rules(tx, new.no, head.period, rules).await?;
            }
            Ok(())
        }
        None if store::tiers::last_period(tx, new.no).await? < head.period => {
            begin(tx, new, head.period, (head.last_seq, false)).await
        }
        // Somebody has scored in it without a seat, or it was ended.
        _ => Ok(()),
    }
}

impl Boards {
    /// The tier that an owner plays in now, or would if they scored now; the seasons before the period `before` that
    /// they have played, newest first; and the period to go on from.
    ///
    /// # Errors
    /// `NotFound` for a board that the caller may not see, or that never had tiers; and for whoever played no season.
    pub(crate) async fn tiers_of(
        &self,
        caller: Option<&Caller>,
        (id, owner): (&str, &str),
        (before, limit): (i64, usize),
    ) -> Result<(String, Vec<SeasonView>, Option<i64>), Error> {
        let board = self.board(caller, id).await?;
        let mut tx = self.db().read().await?;
        let season = store::tiers::last_season(&mut tx, board.no).await?.ok_or(Error::NotFound)?;
        let Json(rules) = &season.tiers;
        let newest = store::tiers::history(&mut tx, board.no, owner, (i64::MAX, 1)).await?;
        let newest = newest.first().ok_or(Error::NotFound)?;
        let plays = newest.period == season.period && season.state != state::OVER;
        let tier =
            if plays { newest.tier } else { next_tier(&mut tx, board.no, &season, owner).await? };
        let page = (before, limit as i64 + 1);
        let mut rows = store::tiers::history(&mut tx, board.no, owner, page).await?;
        let last = cut(&mut rows, limit).map(|last| last.period);
        let items = rows.iter().map(|row| season_view(rules, row)).collect();
        Ok((rules.name(tier).to_owned(), items, last))
    }

    /// In which tier and cohort `owners` play a period; of a board without tiers nothing is read.
    pub(super) async fn seats(
        &self,
        board: &Board,
        period: i64,
        owners: &[&str],
    ) -> Result<Seats, Error> {
        if board.settings.tiers.is_none() || owners.is_empty() {
            return Ok(HashMap::new());
        }
        seats_of(&mut *self.db().read().await?, board, period, owners.iter().copied()).await
    }

    /// Owners of a cohort of a period, by name.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub(super) async fn cohort_members(
        &self,
        board_no: i64,
        period: i64,
        cohort: &CohortOf,
    ) -> Result<Vec<String>, Error> {
        let mut tx = self.db().read().await?;
        let no = match cohort {
            CohortOf::Number(no) => *no,
            CohortOf::Owner(owner) => {
                let owners = [owner.clone()];
                let seats = store::tiers::seats_among(&mut tx, board_no, period, &owners).await?;
                seats.first().ok_or(Error::NotFound)?.cohort
            }
        };
        let members = store::tiers::members(&mut tx, board_no, period, no).await?;
        if members.is_empty() { Err(Error::NotFound) } else { Ok(members) }
    }
}

/// The tier in which somebody would begin now who does not play the board's newest season.
async fn next_tier(
    tx: &mut Tx,
    board_no: i64,
    season: &SeasonRow,
    owner: &str,
) -> Result<i64, Error> {
    let owners = [owner.to_owned()];
    let earned = store::tiers::earned_among(tx, board_no, i64::MAX, &owners).await?;
    // One that is over was left out; one that goes on was not yet.
    let open = i64::from(season.state != state::OVER);
    let begins = |row: &EarnedRow| season.tiers.0.begins(row.tier, season.no - row.season - open);
    Ok(earned.first().map_or(0, begins))
}

fn season_view(rules: &Tiers, row: &PlayedRow) -> SeasonView {
    let outcome = row.next_tier.map(|next| moved(row.tier, next));
    SeasonView {
        period: row.period,
        tier: rules.name(row.tier).to_owned(),
        cohort: row.cohort,
        rank: row.rank,
        outcome,
    }
}

/// In which tier and cohort owners play a period of a board with tiers.
pub(super) async fn seats_of(
    tx: &mut Tx,
    board: &Board,
    period: i64,
    owners: impl Iterator<Item = &str>,
) -> Result<Seats, Error> {
    let Some(rules) = &board.settings.tiers else { return Ok(HashMap::new()) };
    let owners: Vec<String> = owners.map(str::to_owned).collect();
    let seats = store::tiers::seats_among(tx, board.no, period, &owners).await?;
    let named =
        |SeatRow { owner, tier, cohort, .. }| (owner, (rules.name(tier).to_owned(), cohort));
    Ok(seats.into_iter().map(named).collect())
}
