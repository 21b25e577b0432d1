//! What people's activity is worth in the competitions that they are in.

use mainstay_contract::{boards::CompetitionId, id::UserId};
use mainstay_core::{
    auth::Caller,
    db::{Json, Once, Tx},
    params,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::teams_board;
use crate::{
    error::Error,
    model::{
        activity::{day_of, day_start, limits::ActivityLimits},
        competition::{Phase, Teams, phase, state},
        score::Written,
    },
    service::{
        Boards,
        activities::{day_begin, set_day, total_in},
        boards::Board,
        scores::{Submission, is_server, record, remove},
    },
    store::{self, activities::Of, competitions::CompetitionRow},
};

/// Somebody's day, as guide 2 has it.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct DayUpdate {
    /// Whose day; one's own if absent. Another's only from keys with the scope `boards:write`.
    #[serde(default)]
    pub(crate) user_id: Option<UserId>,
    /// In which competition.
    pub(crate) competition_id: CompetitionId,
    /// Steps of today, UTC; on the day on which the competition begins, since then.
    #[serde(default)]
    pub(crate) steps: Option<i64>,
    /// Metres of today.
    #[serde(default)]
    pub(crate) distance: Option<i64>,
    /// Kilocalories of today.
    #[serde(default)]
    pub(crate) calories: Option<i64>,
}

/// An entry as guide 2 has it.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub(crate) struct LeaderboardEntry {
    /// From 1; those who are tied share it.
    pub(crate) rank: u64,
    /// Whose.
    pub(crate) user_id: String,
    /// The score: a whole number, or a text with its decimals on a board whose scores have some.
    pub(crate) score: Written,
}

impl Boards {
    /// Sets what somebody has done today, and answers with how they stand.
    ///
    /// # Errors
    /// `Forbidden` for another's day, and for whoever is banned from it; `NotFound` for a competition that they are not
    /// in; `Conflict` if it does not run, all attempts are used, or what was set of today begins at another time;
    /// `Invalid` for figures that cannot be.
    pub(crate) async fn update_day(
        &self,
        caller: &Caller,
        update: DayUpdate,
        once: Option<Once>,
    ) -> Result<LeaderboardEntry, Error> {
        let user = update.user_id.unwrap_or(caller.user);
        if user != caller.user && !is_server(caller) {
            return Err(Error::Forbidden("People set their own day only.".into()));
        }
        let id = update.competition_id;
        // By name, as a sync goes through its metrics: who writes two waits for nobody who waits for them.
        let figures =
            [("calories", update.calories), ("distance", update.distance), ("steps", update.steps)];
        let figures: Vec<(&'static str, i64)> =
            figures.into_iter().filter_map(|(metric, value)| Some((metric, value?))).collect();
        if figures.is_empty() {
            let detail = "Send steps, distance or calories of today.";
            return Err(Error::invalid("", "required", detail));
        }
        let limits = self.inner.config.activity;
        self.db()
            .write_locking(&store::activities::LOCK_PERSON, params![user], once, move |tx| {
                let figures = figures.clone();
                Box::pin(async move { update_in(tx, user, id, &figures, &limits).await })
            })
            .await?;
        let board = self.any_board(&id.to_string()).await?;
        let stands = self.entry_of(board, &user.to_string(), &Default::default()).await?;
        Ok(LeaderboardEntry {
            rank: stands.entry.rank,
            user_id: stands.entry.owner,
            score: stands.entry.scores.first().cloned().unwrap_or(Written::Whole(0)),
        })
    }
}

async fn update_in(
    tx: &mut Tx,
    user: UserId,
    id: CompetitionId,
    figures: &[(&'static str, i64)],
    limits: &ActivityLimits,
) -> Result<(), Error> {
    let now = tx.now();
    store::activities::lock_person(tx, user, now).await?;
    let row = store::competitions::one(tx, id).await?.ok_or(Error::NotFound)?;
    let participant = store::competitions::participant(tx, id, user).await?;
    let participant = participant.ok_or(Error::NotFound)?;
    if phase(row.state, row.starts_at, row.ends_at, now) != Phase::Active {
        return Err(Error::conflict("It does not run now, so nothing counts for it."));
    }
    if row.attempts_max.is_some_and(|most| participant.attempts >= most) {
        return Err(Error::conflict(
            "All attempts are used. What is synced with `POST /api/v1/activities` counts all the same.",
        ));
    }
    let board_no = board(tx, &id.to_string()).await?.no;
    if !store::boards::banned_among(tx, board_no, &[user.to_string()]).await?.is_empty() {
        return Err(Error::Forbidden("This person is banned from this competition.".into()));
    }
    let start = day_start(day_of(now)).max(row.starts_at);
    for (metric, value) in figures {
        let of = Of { user, metric };
        if let Some(other) = day_begin(tx, of, day_of(now)).await?.filter(|known| *known != start) {
            return Err(Error::conflict(format!(
                "What was set of today counts from {other} on, for another competition, and not from {start} on. Send \
                 what was done since then with `POST /api/v1/activities`."
            )));
        }
        set_day(tx, of, start, *value, limits).await?;
    }
    Ok(store::competitions::attempt(tx, id, user).await?)
}

/// A person's activity changed in some of the days from the first to the last: their scores in what they are in then
/// follow, in the same transaction. What is synced late counts until the results are final.
pub(crate) async fn activity_changed(
    tx: &mut Tx,
    of: Of<'_>,
    (first, last): (i64, i64),
) -> Result<(), Error> {
    let (from, to) = (day_start(first), day_start(last + 1));
    for row in store::competitions::running_of_user(tx, of.user, of.metric).await? {
        if row.starts_at >= to || row.ends_at <= from {
            continue;
        }
        if let Some(participant) = store::competitions::participant(tx, row.id, of.user).await? {
            score(tx, &row, of.user, participant.team.as_deref()).await?;
        }
    }
    Ok(())
}

/// Somebody was banned from a competition's board, or is no longer: what they and their team have follows. The board is
/// held by this transaction.
pub(crate) async fn ban_changed(
    tx: &mut Tx,
    competition: CompetitionId,
    owner: &str,
) -> Result<(), Error> {
    let Ok(user) = owner.parse::<UserId>() else { return Ok(()) };
    let Some(row) = store::competitions::one(tx, competition).await? else { return Ok(()) };
    match store::competitions::participant(tx, competition, user).await? {
        // What they did while they were banned was not taken, and counts now if they are not any more.
        Some(participant) if row.state == state::OPEN => {
            score(tx, &row, user, participant.team.as_deref()).await
        }
        // What is final stays.
        _ => Ok(()),
    }
}

/// Sets somebody's score to what counts of their activity, and their team's to what follows from that. Nothing is kept
/// of a score that stays as it is.
pub(super) async fn score(
    tx: &mut Tx,
    row: &CompetitionRow,
    user: UserId,
    team: Option<&str>,
) -> Result<(), Error> {
    let total = total_in(tx, user, &row.metric, row.starts_at, row.ends_at).await?;
    if scores_of(tx, row, &[user]).await? == [total] {
        return Ok(());
    }
    let board = board(tx, &row.id.to_string()).await?;
    record(tx, &board, &[Submission::of(user.to_string(), vec![total])]).await?;
    score_team(tx, row, team).await
}

/// Takes somebody off the boards.
pub(super) async fn forget(
    tx: &mut Tx,
    row: &CompetitionRow,
    user: UserId,
    team: Option<&str>,
) -> Result<(), Error> {
    let board = board(tx, &row.id.to_string()).await?;
    remove(tx, &board, &user.to_string()).await?;
    score_team(tx, row, team).await
}

async fn score_team(tx: &mut Tx, row: &CompetitionRow, team: Option<&str>) -> Result<(), Error> {
    let (Some(Json(teams)), Some(team)) = (&row.teams, team) else { return Ok(()) };
    let members = store::competitions::team(tx, row.id, team).await?;
    let board_of_teams = board(tx, &teams_board(row.id)).await?;
    if members.is_empty() {
        remove(tx, &board_of_teams, team).await?;
        return Ok(());
    }
    let scores = scores_of(tx, row, &members).await?;
    let score = Teams::score_of(teams, scores);
    record(tx, &board_of_teams, &[Submission::of(team, vec![score])]).await?;
    Ok(())
}

async fn scores_of(
    tx: &mut Tx,
    row: &CompetitionRow,
    members: &[UserId],
) -> Result<Vec<i64>, Error> {
    let board = board(tx, &row.id.to_string()).await?;
    let head = store::boards::head(tx, board.no).await?.ok_or(Error::NotFound)?;
    let owners: Vec<String> = members.iter().map(ToString::to_string).collect();
    let entries = store::scores::entries_among(tx, board.place(head), &owners).await?;
    let scores: Result<Vec<_>, _> = entries.iter().map(|entry| entry.scores()).collect();
    Ok(scores?.into_iter().filter_map(|scores| scores.first().copied()).collect())
}

/// The board of a competition.
pub(super) async fn board(tx: &mut Tx, id: &str) -> Result<Board, Error> {
    Ok(store::boards::board(tx, id).await?.ok_or(Error::NotFound)?.into())
}
