//! What can be changed of a competition before it begins.

use mainstay_contract::{boards::CompetitionId, ts::Ts};
use mainstay_core::{
    db::{Json, Once, Tx},
    http::IfMatch,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{CompetitionView, NewCompetition, say_changed, teams_board, view};
use crate::{
    error::Error,
    model::{
        activity::AHEAD_US_MAX,
        board::BoardSettings,
        competition::{Phase, phase},
    },
    service::{
        Acting, Boards,
        boards::{Board, given, say_changed as say_board_changed},
        ledger::Money,
        periods::hold,
    },
    store::{self, competitions::CompetitionRow},
};

/// What to change of a competition that has not begun; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EditCompetition {
    /// What people see.
    pub(crate) name: Option<String>,
    /// More about it.
    pub(crate) description: Option<String>,
    /// When it begins.
    pub(crate) starts_at: Option<Ts>,
    /// When it ends.
    pub(crate) ends_at: Option<Ts>,
    /// Until when people can join.
    pub(crate) join_until: Option<Ts>,
    /// The most people, not fewer than take part; `null` for 100,000.
    #[serde(deserialize_with = "given")]
    pub(crate) capacity: Option<Option<i64>>,
    /// How often somebody may send a day's figures; `null` for any number.
    #[serde(deserialize_with = "given")]
    pub(crate) attempts_max: Option<Option<i64>>,
    /// What joining costs; only as long as nobody has joined, and so are the following.
    pub(crate) fee: Option<Money>,
    /// What is charged besides.
    pub(crate) convenience_fee: Option<Money>,
    /// What of the fees goes to the pool, in per cent.
    pub(crate) pool_percent: Option<i64>,
    /// How the pool is split, in per cent.
    pub(crate) prize_split: Option<Vec<u32>>,
}

impl EditCompetition {
    fn moves_time(&self) -> bool {
        self.starts_at.is_some() || self.ends_at.is_some()
    }

    fn moves_money(&self) -> bool {
        let fees = self.fee.is_some() || self.convenience_fee.is_some();
        fees || self.pool_percent.is_some() || self.prize_split.is_some()
    }

    /// The competition as it would have been made with these settings.
    fn apply(self, row: &CompetitionRow) -> NewCompetition {
        let money = |minor| Money { minor, currency: row.currency.clone() };
        NewCompetition {
            name: self.name.unwrap_or_else(|| row.name.clone()),
            description: self.description.unwrap_or_else(|| row.description.clone()),
            metric: row.metric.clone(),
            starts_at: self.starts_at.unwrap_or(row.starts_at),
            ends_at: self.ends_at.unwrap_or(row.ends_at),
            join_until: Some(self.join_until.unwrap_or(row.join_until)),
            capacity: self.capacity.unwrap_or(row.capacity),
            attempts_max: self.attempts_max.unwrap_or(row.attempts_max),
            fee: Some(self.fee.unwrap_or_else(|| money(row.fee))),
            convenience_fee: Some(
                self.convenience_fee.unwrap_or_else(|| money(row.convenience_fee)),
            ),
            pool_percent: Some(self.pool_percent.unwrap_or(row.pool_percent)),
            prize_split: Some(self.prize_split.unwrap_or_else(|| row.prize_split.0.clone())),
            teams: row.teams.as_ref().map(|Json(teams)| *teams),
        }
    }
}

impl Boards {
    /// Changes a competition that has not begun. Metric and teams stay.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` with every fault; `Conflict` once it has begun or is called off, for what people have paid
    /// for, and for its times when somebody is in it and it begins within minutes; what `wanted` says of another
    /// version.
    pub(crate) async fn edit_competition(
        &self,
        by: Acting,
        id: CompetitionId,
        edit: EditCompetition,
        wanted: IfMatch,
        once: Option<Once>,
    ) -> Result<CompetitionView, Error> {
        self.db()
            // The table of boards first: its name is its boards' title.
            .write_locking(&store::boards::LOCK_NUMBERS, &[], once, move |tx| {
                let (by, edit, wanted) = (by.clone(), edit.clone(), wanted.clone());
                Box::pin(async move {
                    let row = store::competitions::lock(tx, id).await?.ok_or(Error::NotFound)?;
                    wanted.check(row.version)?;
                    let before = row.version;
                    let view = edit_in(tx, row, edit).await?;
                    if view.version != before {
                        let detail = json!({ "name": view.name, "version": view.version });
                        by.note(tx, "boards.change_competition", id, detail).await?;
                    }
                    Ok(view)
                })
            })
            .await
    }
}

async fn edit_in(
    tx: &mut Tx,
    row: CompetitionRow,
    edit: EditCompetition,
) -> Result<CompetitionView, Error> {
    let now = tx.now();
    if phase(row.state, row.starts_at, row.ends_at, now) != Phase::Upcoming {
        return Err(Error::conflict("Only what has not begun can be changed."));
    }
    let (moves_money, moves_time) = (edit.moves_money(), edit.moves_time());
    let new = edit.apply(&row).check(row.id, &row.currency, now)?;
    let taken = row.participant_count;
    if taken > 0 && moves_money {
        return Err(Error::conflict(
            "People have joined for this fee and these prizes: call it off and make another.",
        ));
    }
    // Activity is taken a little ahead of the clock. Until then all scores are 0, whatever the times are.
    let soon = now.plus_micros(AHEAD_US_MAX);
    if taken > 0 && moves_time && (row.starts_at <= soon || new.starts_at <= soon) {
        return Err(Error::conflict(
            "People have joined: its times can be moved until five minutes before it begins, and not to earlier than that.",
        ));
    }
    if new.capacity.is_some_and(|capacity| capacity < taken) {
        let detail = format!("{taken} people take part already.");
        return Err(Error::invalid("/capacity", "out_of_range", detail));
    }
    let new = CompetitionRow {
        state: row.state,
        participant_count: taken,
        created_at: row.created_at,
        version: row.version + 1,
        ..new
    };
    store::competitions::change(tx, &new).await?;
    if new.name != row.name {
        retitle_in(tx, &row.id.to_string(), new.name.clone()).await?;
        if new.teams.is_some() {
            retitle_in(tx, &teams_board(row.id), format!("{}: teams", new.name)).await?;
        }
    }
    say_changed(tx, &new).await?;
    view(tx, new, None).await
}

/// Gives a competition's board another title.
async fn retitle_in(tx: &mut Tx, id: &str, title: String) -> Result<(), Error> {
    let board: Board = store::boards::board(tx, id).await?.ok_or(Error::NotFound)?.into();
    let (head, now) = (hold(tx, board.no).await?, tx.now());
    let settings = BoardSettings { title, ..board.settings.clone() };
    let version = board.version + 1;
    store::boards::change(tx, board.no, &settings, now, version).await?;
    say_board_changed(tx, &board, head, version, false).await
}
