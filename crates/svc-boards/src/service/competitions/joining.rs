//! Joining and leaving, and the money that goes with it.

use mainstay_contract::{
    boards::{CompetitionId, CompetitionJoinedV1},
    id::UserId,
};
use mainstay_core::{
    db::{Json, Once, Tx},
    params,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{CAPACITY_MAX, CompetitionView, scoring, view};
use crate::{
    error::Error,
    model::{
        board::{OWNER_BYTES_MAX, is_owner},
        competition::{Phase, TEAM_SIZE_MAX, phase, state},
        money,
    },
    service::{
        Boards,
        ledger::{self, HOUSE_CONVENIENCE, HOUSE_FEES, NewTransfer, account_of, pool_of},
    },
    store::{self, competitions::CompetitionRow},
};

/// The longest name of a team, in characters.
const TEAM_CHARS_MAX: usize = 60;
/// The most competitions of one metric that somebody is in at a time: each of them follows every sync.
const OPEN_MAX: usize = 100;
/// People who get their money back in one commit.
const REFUNDS_AT_ONCE: i64 = 500;

/// How somebody joins.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Join {
    /// In which team, where people play in teams.
    #[schemars(length(max = 60))]
    pub(crate) team: Option<String>,
    /// What they agree to pay in all, in minor units. If it costs something else by now, they are told so and do not
    /// join.
    pub(crate) total_minor: Option<i64>,
}

impl Boards {
    /// Joins a competition, in a team where people play in teams, and pays for it. Joining twice changes nothing.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` for whoever is banned from its board; `Conflict` after the time for it, when it is full,
    /// called off, or the team is full, when it costs something else than was agreed to, and for whoever is in a
    /// hundred others of the metric; `Invalid` for a team that cannot be.
    pub(crate) async fn join_competition(
        &self,
        user: UserId,
        id: CompetitionId,
        join: Join,
        once: Option<Once>,
    ) -> Result<CompetitionView, Error> {
        // The person first: their activity stands still while it is counted, else a sync at the same time would be
        // missed by both.
        self.db()
            .write_locking(&store::activities::LOCK_PERSON, params![user], once, move |tx| {
                let join = join.clone();
                Box::pin(async move { join_in(tx, user, id, join).await })
            })
            .await
    }

    /// Leaves a competition before it begins, and has the money back. Leaving twice changes nothing.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` once it has begun, and when it is called off.
    pub(crate) async fn leave_competition(
        &self,
        user: UserId,
        id: CompetitionId,
        once: Option<Once>,
    ) -> Result<CompetitionView, Error> {
        self.db()
            .write_locking(&store::competitions::LOCK, params![id], once, move |tx| {
                Box::pin(async move {
                    let mut row =
                        store::competitions::lock(tx, id).await?.ok_or(Error::NotFound)?;
                    let Some(participant) = store::competitions::participant(tx, id, user).await?
                    else {
                        return view(tx, row, Some(user)).await;
                    };
                    match phase(row.state, row.starts_at, row.ends_at, tx.now()) {
                        Phase::Upcoming => {}
                        Phase::Cancelled => {
                            return Err(Error::conflict(
                                "It has been called off: whoever paid has the money back without leaving.",
                            ));
                        }
                        Phase::Active | Phase::Completed => {
                            return Err(Error::conflict(
                                "It has begun: whoever takes part stays until it ends.",
                            ));
                        }
                    }
                    store::competitions::leave(tx, id, user).await?;
                    let payers = row.participant_count;
                    row.participant_count -= 1;
                    store::competitions::count(tx, &row).await?;
                    scoring::forget(tx, &row, user, participant.team.as_deref()).await?;
                    let left = moved(&row, user, participant.team);
                    tx.emit(&CompetitionJoinedV1 { joined: false, ..left }, &[]).await?;
                    ledger::transfer(tx, fees(&row, user, Way::Back { payers })).await?;
                    view(tx, row, Some(user)).await
                })
            })
            .await
    }
}

async fn join_in(
    tx: &mut Tx,
    user: UserId,
    id: CompetitionId,
    Join { team, total_minor }: Join,
) -> Result<CompetitionView, Error> {
    let now = tx.now();
    store::activities::lock_person(tx, user, now).await?;
    let mut row = store::competitions::lock(tx, id).await?.ok_or(Error::NotFound)?;
    if store::competitions::participant(tx, id, user).await?.is_none() {
        let team = team_of(&row, team)?;
        may_join(tx, &row, team.as_deref()).await?;
        let total = row.fee + row.convenience_fee;
        if total_minor.is_some_and(|agreed| agreed != total) {
            return Err(Error::conflict(format!(
                "It costs {} now, {total} in minor units. Look at it again, and join if you agree.",
                money::shown(total, &row.currency)
            )));
        }
        let board_no = scoring::board(tx, &row.id.to_string()).await?.no;
        if !store::boards::banned_among(tx, board_no, &[user.to_string()]).await?.is_empty() {
            return Err(Error::Forbidden("You are banned from this competition.".into()));
        }
        let others = store::competitions::open_of_user(tx, user, &row.metric).await?;
        if others >= OPEN_MAX as i64 {
            return Err(Error::conflict(format!(
                "You are in {OPEN_MAX} others of {}. Leave one, or wait until one has ended.",
                row.metric
            )));
        }
        store::competitions::join(tx, id, user, team.as_deref(), now).await?;
        row.participant_count += 1;
        store::competitions::count(tx, &row).await?;
        scoring::score(tx, &row, user, team.as_deref()).await?;
        tx.emit(&moved(&row, user, team), &[]).await?;
        // Last, because everybody who pays waits for the house's accounts.
        let fees = fees(&row, user, Way::In { payers: row.participant_count });
        ledger::transfer(tx, fees).await?;
    }
    view(tx, row, Some(user)).await
}

/// What is told when `user` comes or goes.
fn moved(row: &CompetitionRow, user: UserId, team: Option<String>) -> CompetitionJoinedV1 {
    let (competition, participant_count) = (row.id, row.participant_count);
    CompetitionJoinedV1 { competition, user, team, joined: true, participant_count }
}

fn team_of(row: &CompetitionRow, team: Option<String>) -> Result<Option<String>, Error> {
    match (&row.teams, team.map(|team| team.trim().to_owned())) {
        (None, None) => Ok(None),
        (None, Some(_)) => {
            Err(Error::invalid("/team", "unknown", "Here everybody plays for themselves."))
        }
        (Some(_), Some(team))
            if (1..=TEAM_CHARS_MAX).contains(&team.chars().count())
                && is_owner(&team)
                && team.parse::<UserId>().is_err() =>
        {
            Ok(Some(team))
        }
        (Some(_), _) => {
            let detail = format!(
                "Name your team in 1 to {TEAM_CHARS_MAX} characters and at most {OWNER_BYTES_MAX} bytes, and not like \
                 somebody's id."
            );
            Err(Error::invalid("/team", "required", detail))
        }
    }
}

async fn may_join(tx: &mut Tx, row: &CompetitionRow, team: Option<&str>) -> Result<(), Error> {
    if row.state == state::CANCELLED {
        return Err(Error::conflict("It has been called off."));
    }
    let now = tx.now();
    if now >= row.join_until || now >= row.ends_at || row.state == state::SETTLED {
        return Err(Error::conflict(format!("People could join until {}.", row.join_until)));
    }
    if row.participant_count >= row.capacity.unwrap_or(CAPACITY_MAX) {
        return Err(Error::conflict(match now < row.starts_at {
            true => "It is full. Somebody may still leave before it begins.",
            false => "It is full, and nobody leaves once it has begun.",
        }));
    }
    if let (Some(team), Some(Json(teams))) = (team, &row.teams) {
        let size_max = teams.size_max.unwrap_or(TEAM_SIZE_MAX);
        let members = store::competitions::team(tx, row.id, team).await?;
        if members.len() >= size_max as usize {
            return Err(Error::conflict(format!(
                "This team has its {size_max} members. Name another one, or a new one."
            )));
        }
    }
    Ok(())
}

/// Which way somebody's money goes; and how many have paid, they among them.
#[derive(Debug, Clone, Copy)]
enum Way {
    In { payers: i64 },
    Back { payers: i64 },
}

/// What somebody pays to take part, or gets back.
fn fees(row: &CompetitionRow, user: UserId, way: Way) -> NewTransfer<'_> {
    let (kind, sign, payers) = match way {
        Way::In { payers } => ("entry_fee", 1, payers),
        Way::Back { payers } => ("refund", -1, payers),
    };
    // Of what all have paid together, rounded down: what is left of a unit is with the house until it is whole.
    let of_all = |payers: i64| row.fee * payers * row.pool_percent / 100;
    let pool = of_all(payers) - of_all(payers - 1);
    let entries = vec![
        (account_of(user), -sign * (row.fee + row.convenience_fee)),
        (pool_of(row.id), sign * pool),
        (HOUSE_FEES.to_owned(), sign * (row.fee - pool)),
        (HOUSE_CONVENIENCE.to_owned(), sign * row.convenience_fee),
    ];
    NewTransfer { kind, reference: row.id.to_string(), currency: &row.currency, entries }
}

/// Gives the next of those who took part in what was called off their money back, and notes who had it last: in the
/// same commit, so that everybody has it once, whatever happens in between.
pub(super) async fn refund_some(tx: &mut Tx, row: &CompetitionRow) -> Result<(), Error> {
    let after = row.refunded_to.unwrap_or(UserId::from_bits(0));
    let some = store::competitions::participants(tx, row.id, after, REFUNDS_AT_ONCE).await?;
    let left = store::competitions::participants_after(tx, row.id, after).await?;
    for (participant, payers) in some.iter().zip((1..=left).rev()) {
        ledger::transfer(tx, fees(row, participant.user, Way::Back { payers })).await?;
    }
    let full = some.len() as i64 == REFUNDS_AT_ONCE;
    let last = some.last().filter(|_| full).map(|last| last.user);
    Ok(store::competitions::refund_to(tx, row.id, last).await?)
}
