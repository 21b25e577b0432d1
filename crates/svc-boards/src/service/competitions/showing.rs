//! Competitions as they are shown.

use mainstay_contract::{boards::CompetitionId, id::UserId, ts::Ts};
use mainstay_core::{
    auth::Caller,
    db::{Json, Tx},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::DAYS_MAX;
use crate::{
    error::Error,
    model::competition::{Phase, Teams, phase, state},
    page::cut,
    service::{
        Boards,
        ledger::{Money, pool_of},
    },
    store::{
        self,
        competitions::{CompetitionRow, Listed, ParticipantRow},
    },
};

/// A competition as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct CompetitionView {
    /// The competition; also the name of its board.
    pub(crate) id: CompetitionId,
    /// What people see.
    pub(crate) name: String,
    /// More about it.
    pub(crate) description: String,
    /// Which activity counts.
    pub(crate) metric: String,
    /// What happens with it now.
    pub(crate) phase: Phase,
    /// When it begins.
    pub(crate) starts_at: Ts,
    /// When it ends.
    pub(crate) ends_at: Ts,
    /// Until when people can join.
    pub(crate) join_until: Ts,
    /// The most people.
    pub(crate) capacity: Option<i64>,
    /// How often somebody may send a day's figures.
    pub(crate) attempts_max: Option<i64>,
    /// What joining costs.
    pub(crate) fee: Money,
    /// What is charged besides.
    pub(crate) convenience_fee: Money,
    /// What of the fees goes to the pool, in per cent.
    pub(crate) pool_percent: i64,
    /// How the pool is split.
    pub(crate) prize_split: Vec<u32>,
    /// How teams score, if people play in teams.
    pub(crate) teams: Option<Teams>,
    /// Who takes part.
    pub(crate) participant_count: i64,
    /// What can be won so far; nothing any more once it is paid.
    pub(crate) pool: Money,
    /// Whether the results are final.
    pub(crate) settled: bool,
    /// Whether the caller takes part.
    pub(crate) joined: bool,
    /// The caller's team.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) team: Option<String>,
    /// When it was made.
    pub(crate) created_at: Ts,
    /// Its version, for `If-Match`; who joins or leaves makes no new one.
    pub(crate) version: i64,
}

/// Where a list goes on: behind this beginning and id.
pub(crate) type After = (Ts, CompetitionId);

impl Boards {
    /// A competition as `caller` sees it.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub(crate) async fn competition(
        &self,
        caller: Option<&Caller>,
        id: CompetitionId,
    ) -> Result<CompetitionView, Error> {
        let mut tx = self.db().read().await?;
        let row = store::competitions::one(&mut tx, id).await?.ok_or(Error::NotFound)?;
        view(&mut tx, row, caller.map(|caller| caller.user)).await
    }

    /// Competitions behind `after`, the one that begins last first, of those that have not begun the one that begins
    /// first; with `mine` those that the caller is in.
    pub(crate) async fn competitions(
        &self,
        caller: Option<&Caller>,
        mine: bool,
        wanted: Option<Phase>,
        after: Option<After>,
        limit: usize,
    ) -> Result<(Vec<CompetitionView>, Option<After>), Error> {
        let user = caller.map(|caller| caller.user);
        if mine && user.is_none() {
            return Ok((Vec::new(), None));
        }
        let now = self.inner.clock.now();
        // None lasts longer, so what runs has not begun before: only that part of the list is looked at.
        let since = match wanted {
            Some(Phase::Upcoming) => now,
            Some(Phase::Active) => now.plus_s(-DAYS_MAX * 86_400),
            Some(Phase::Completed | Phase::Cancelled) | None => Ts::from_micros(0),
        };
        let soonest = wanted == Some(Phase::Upcoming);
        let first = if soonest { now } else { Ts::from_micros(i64::MAX / 2) };
        let listed = Listed {
            soonest,
            after: after.unwrap_or((first, CompetitionId::from_bits(u128::MAX))),
            since,
            phase: wanted.map(Phase::as_str).unwrap_or_default(),
            now,
            limit: limit as i64 + 1,
        };
        let mut tx = self.db().read().await?;
        let of = user.filter(|_| mine);
        let mut rows = store::competitions::list(&mut tx, listed, of).await?;
        let last = cut(&mut rows, limit).map(|row| (row.starts_at, row.id));
        Ok((views(&mut tx, rows, user).await?, last))
    }
}

/// A competition as `user` sees it.
pub(super) async fn view(
    tx: &mut Tx,
    row: CompetitionRow,
    user: Option<UserId>,
) -> Result<CompetitionView, Error> {
    views(tx, vec![row], user).await?.pop().ok_or(Error::NotFound)
}

/// The same of several, with as many questions as for one.
async fn views(
    tx: &mut Tx,
    rows: Vec<CompetitionRow>,
    user: Option<UserId>,
) -> Result<Vec<CompetitionView>, Error> {
    let now = tx.now();
    let ids: Vec<CompetitionId> = rows.iter().map(|row| row.id).collect();
    let pools: Vec<_> = rows.iter().map(|row| (pool_of(row.id), row.currency.clone())).collect();
    let pools = store::ledger::balances_in(tx, &pools).await?;
    let theirs = match user {
        Some(user) => store::competitions::participations(tx, &ids, user).await?,
        None => vec![None; ids.len()],
    };
    let all = rows.into_iter().zip(pools).zip(theirs);
    Ok(all.map(|((row, pool), theirs)| shown(row, pool, theirs, now)).collect())
}

fn shown(
    row: CompetitionRow,
    pool: i64,
    participant: Option<ParticipantRow>,
    now: Ts,
) -> CompetitionView {
    let money = |minor| Money { minor, currency: row.currency.clone() };
    CompetitionView {
        phase: phase(row.state, row.starts_at, row.ends_at, now),
        fee: money(row.fee),
        convenience_fee: money(row.convenience_fee),
        pool: money(pool),
        id: row.id,
        name: row.name,
        description: row.description,
        metric: row.metric,
        starts_at: row.starts_at,
        ends_at: row.ends_at,
        join_until: row.join_until,
        capacity: row.capacity,
        attempts_max: row.attempts_max,
        pool_percent: row.pool_percent,
        prize_split: row.prize_split.0,
        teams: row.teams.map(|Json(teams)| teams),
        participant_count: row.participant_count,
        settled: row.state == state::SETTLED,
        joined: participant.is_some(),
        team: participant.and_then(|participant| participant.team),
        created_at: row.created_at,
        version: row.version,
    }
}
