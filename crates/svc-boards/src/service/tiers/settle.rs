//! What a season that is over has brought to those who played it: cohort by cohort, from the records, each once.
//!
//! Cohorts are settled in the order of their numbers, and how far that has come is kept in the transaction of each
//! step: who is cut short, or starts again, goes on from there. The entries of a period that is over change by bans and
//! other settings alone; a cohort is settled from them as they are in that moment, and what was earned then stays.

use std::{collections::HashSet, ops::ControlFlow};

use mainstay_contract::boards::{CohortEndedV1, SeasonEndedV1};
use mainstay_core::{
    db::{Json, Tx},
    params,
};

use super::seat;
use crate::{
    error::Error,
    service::{Boards, boards::Board, entries::rank_among, periods::hold},
    store::{
        self,
        boards::Head,
        scores::{Place, SubmissionKind, SubmissionRow},
        tiers::{CohortRow, SeasonRow, state},
    },
};

/// Settles seasons that are over and gives out the seats of the one after; its key is the board's number.
pub(crate) const SETTLE_JOB: &str = "boards.settle_seasons";

/// The most who play a season that is settled in the transaction that ends it; a larger one is settled by a job.
const AT_ONCE_MAX: i64 = 5_000;
/// Owners who are settled at a time, unless one cohort has more.
const OWNERS_STEP: i64 = 2_000;
/// Cohorts that are looked at at a time.
const COHORTS_STEP: i64 = 100;
/// Submissions that are worked through at a time to give out seats.
const BATCH: i64 = 5_000;

/// Settles the season that ends now, if it is the only one and few played it; `false` if that is left to the job. The
/// caller holds the board's head.
pub(super) async fn at_once(
    tx: &mut Tx,
    board: &Board,
    head: Head,
    mut season: SeasonRow,
) -> Result<bool, Error> {
    let only = season.period == head.period && season.state == state::OPEN;
    if !only || store::tiers::players(tx, board.no, season.period).await? > AT_ONCE_MAX {
        return Ok(false);
    }
    while season.state == state::OPEN {
        settle_some(tx, board, head.edition, &mut season).await?;
    }
    Ok(true)
}

/// Settles some cohorts of a season that is over, or says that there are no more.
async fn settle_some(
    tx: &mut Tx,
    board: &Board,
    edition: i64,
    season: &mut SeasonRow,
) -> Result<(), Error> {
    let place = Place { board_no: board.no, edition, period: season.period };
    let page = (season.settled_cohort, COHORTS_STEP);
    let cohorts = store::tiers::cohorts_after(tx, board.no, season.period, page).await?;
    let mut owners = 0;
    for cohort in &cohorts {
        owners += cohort.members;
        if owners > OWNERS_STEP && owners > cohort.members {
            break;
        }
        settle_cohort(tx, board, place, (season, cohort)).await?;
        season.settled_cohort = cohort.no;
    }
    if cohorts.is_empty() {
        season.state = state::OVER;
        let fact = SeasonEndedV1 {
            board: board.id.clone(),
            board_no: board.no,
            period: season.period,
            cohort_count: season.settled_cohort,
        };
        tx.emit(&fact, &[]).await?;
    }
    Ok(store::tiers::move_season(tx, board.no, season).await?)
}

async fn settle_cohort(
    tx: &mut Tx,
    board: &Board,
    place: Place,
    (season, cohort): (&SeasonRow, &CohortRow),
) -> Result<(), Error> {
    let Json(rules) = &season.tiers;
    let members = store::tiers::members(tx, board.no, season.period, cohort.no).await?;
    let mut entries = Vec::with_capacity(members.len());
    for row in store::scores::entries_among(tx, place, &members).await? {
        entries.push((row.scores()?, row.seq.unsigned_abs(), row.owner));
    }
    let ranked = entries.iter().map(|(scores, seq, owner)| (&**owner, &**scores, *seq));
    let ranked = rank_among(board.ranked.order(), ranked);
    let (tier, count) = (cohort.tier, ranked.len() as u64);
    let mut ends: Vec<(&str, Option<i64>, i64)> = Vec::with_capacity(members.len());
    for one in &ranked {
        let next = rules.after(tier, one.place, count);
        ends.push((&one.owner, i64::try_from(one.rank).ok(), next));
    }
    let scored: HashSet<&str> = ranked.iter().map(|one| &*one.owner).collect();
    let nothing = members.iter().map(String::as_str).filter(|owner| !scored.contains(owner));
    ends.extend(nothing.map(|owner| (owner, None, rules.after_nothing(tier))));
    store::tiers::end_seats(tx, board.no, season.period, &ends).await?;
    let who = |moved: fn(i64, i64) -> bool| {
        let those = ends.iter().filter(|(_, _, next)| moved(*next, tier));
        those.map(|(owner, ..)| (*owner).to_owned()).collect::<Vec<_>>()
    };
    let fact = CohortEndedV1 {
        board: board.id.clone(),
        board_no: board.no,
        period: season.period,
        cohort: cohort.no,
        tier: rules.name(tier).to_owned(),
        promoted: who(|next, tier| next > tier),
        relegated: who(|next, tier| next < tier),
    };
    tx.emit(&fact, &[]).await?;
    Ok(())
}

/// What the job does next with a board.
enum Next {
    /// The season of this period is over: settle some of it.
    Settle(i64),
    /// The season of this period waits: give out some of its seats.
    GiveOut(i64),
}

/// The board of this number, with its head and the first season that is not over; `None` if there is none of them.
async fn unsettled(tx: &mut Tx, board_no: i64) -> Result<Option<(Board, Head, SeasonRow)>, Error> {
    let Some(id) = store::bans::board_by_no(tx, board_no).await? else { return Ok(None) };
    let row = store::boards::board(tx, &id).await?;
    let head = store::boards::head(tx, board_no).await?;
    let season = store::tiers::first_unsettled(tx, board_no).await?;
    Ok(match (row, head, season) {
        (Some(row), Some(head), Some(season)) => Some((row.into(), head, season)),
        _ => None,
    })
}

/// Gives out the seats of those who scored in these submissions for the first time.
async fn seat_from(
    tx: &mut Tx,
    board: &Board,
    season: &SeasonRow,
    rows: &[SubmissionRow],
) -> Result<(), Error> {
    let score =
        |row: &&SubmissionRow| row.period == season.period && row.kind() == SubmissionKind::Score;
    let scores: Vec<&SubmissionRow> = rows.iter().filter(score).collect();
    let mut names: Vec<String> = scores.iter().map(|row| row.owner.clone()).collect();
    names.extend(scores.iter().filter_map(|row| row.cause.clone()));
    names.sort_unstable();
    names.dedup();
    let banned = store::boards::banned_among(tx, board.no, &names).await?;
    let banned: HashSet<&String> = banned.iter().collect();
    let counts = |row: &&SubmissionRow| {
        !banned.contains(&row.owner) && row.cause.as_ref().is_none_or(|who| !banned.contains(who))
    };
    let owners: Vec<String> =
        scores.into_iter().filter(counts).map(|row| row.owner.clone()).collect();
    seat(tx, board.no, season, &owners).await
}

/// Gives out seats of a season that waits, from a batch of submissions. Without the lock of the board's head the last
/// ones are left: more may be coming.
async fn give_out_some(
    tx: &mut Tx,
    board: &Board,
    head: Head,
    mut season: SeasonRow,
    holds_head: bool,
) -> Result<ControlFlow<()>, Error> {
    let rows = store::scores::submissions_after(tx, board.no, season.placed_seq, BATCH).await?;
    let more =
        rows.len() as i64 == BATCH && rows.last().is_some_and(|last| last.period <= season.period);
    if !more && !holds_head && season.period == head.period {
        return Ok(ControlFlow::Break(()));
    }
    seat_from(tx, board, &season, &rows).await?;
    season.placed_seq = rows.last().map_or(season.placed_seq, |last| last.seq);
    if !more {
        season.state = state::OPEN;
    }
    store::tiers::move_season(tx, board.no, &season).await?;
    Ok(ControlFlow::Continue(()))
}

impl Boards {
    /// Settles the seasons of a board that are over, and gives out the seats of those after, in the order of first
    /// scores. Each step is kept, so that a job that is cut short, or a program that ends, goes on from there.
    pub(crate) async fn settle_seasons(&self, board_no: i64) -> Result<(), Error> {
        loop {
            let found = unsettled(&mut *self.db().read().await?, board_no).await?;
            let next = match found {
                Some((_, _, season)) if season.state == state::WAITING => {
                    Next::GiveOut(season.period)
                }
                Some((_, head, season)) if season.period < head.period => {
                    Next::Settle(season.period)
                }
                _ => return Ok(()),
            };
            match next {
                Next::Settle(period) => self.settle_step(board_no, period).await?,
                Next::GiveOut(period) => {
                    if self.seats_step(board_no, period).await?.is_break() {
                        self.last_seats_step(board_no, period).await?;
                    }
                }
            }
        }
    }

    async fn settle_step(&self, board_no: i64, period: i64) -> Result<(), Error> {
        let lock = params![board_no, period];
        let work = self.db().write_queued(&store::tiers::LOCK_SEASON, lock, move |tx| {
            Box::pin(async move {
                store::tiers::lock_season(tx, board_no, period).await?;
                match unsettled(tx, board_no).await? {
                    Some((board, head, mut season))
                        if season.period == period
                            && season.state == state::OPEN
                            && period < head.period =>
                    {
                        settle_some(tx, &board, head.edition, &mut season).await
                    }
                    // Another was faster.
                    _ => Ok(()),
                }
            })
        });
        work.await
    }

    /// Gives out some seats without keeping writers from the board; breaks once there are few left.
    async fn seats_step(&self, board_no: i64, period: i64) -> Result<ControlFlow<()>, Error> {
        let lock = params![board_no, period];
        let work = self.db().write_queued(&store::tiers::LOCK_SEASON, lock, move |tx| {
            Box::pin(async move {
                store::tiers::lock_season(tx, board_no, period).await?;
                match unsettled(tx, board_no).await? {
                    Some((board, head, season))
                        if season.period == period && season.state == state::WAITING =>
                    {
                        give_out_some(tx, &board, head, season, false).await
                    }
                    _ => Ok::<_, Error>(ControlFlow::Continue(())),
                }
            })
        });
        work.await
    }

    /// Gives out the seats that are left while writers wait; from then on each takes theirs with the first score.
    async fn last_seats_step(&self, board_no: i64, period: i64) -> Result<(), Error> {
        let lock = params![board_no];
        let work = self.db().write_queued(&store::boards::LOCK_HEAD, lock, move |tx| {
            Box::pin(async move {
                let head = match hold(tx, board_no).await {
                    Ok(head) => head,
                    Err(Error::NotFound) => return Ok(()),
                    Err(error) => return Err(error),
                };
                store::tiers::lock_season(tx, board_no, period).await?;
                match unsettled(tx, board_no).await? {
                    Some((board, _, season))
                        if season.period == period && season.state == state::WAITING =>
                    {
                        give_out_some(tx, &board, head, season, true).await.map(drop)
                    }
                    _ => Ok(()),
                }
            })
        });
        work.await
    }
}
