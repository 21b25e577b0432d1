//! Boards as they are made, changed and deleted.

use mainstay_contract::boards::{BoardChangedV1, CompetitionId};
use mainstay_core::{
    db::{Once, Tx},
    http::IfMatch,
};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::{Board, BoardView, tag_of, view};
use crate::{
    error::Error,
    model::{
        board::{self, Audience, BoardSettings, Column, Rate, Ties},
        operate::Operator,
        schedule::Reset,
        tier::Tiers,
    },
    service::{
        Boards,
        acting::{Acting, note},
        periods::{advance, hold},
        scores::{AT_ONCE_MAX, differ, rebuild_within},
        tiers,
    },
    store::{self, boards::Head},
};

/// What to change of a board; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EditBoard {
    /// What people see.
    pub(crate) title: Option<String>,
    /// Who sees it.
    pub(crate) audience: Option<Audience>,
    /// How scores are taken.
    pub(crate) operator: Option<Operator>,
    /// One to five; the first one counts first.
    pub(crate) columns: Option<Vec<Column>>,
    /// What happens with equal scores.
    pub(crate) ties: Option<Ties>,
    /// Only administrators submit scores.
    pub(crate) authoritative: Option<bool>,
    /// When the board begins anew; `null` for never.
    #[serde(deserialize_with = "given")]
    pub(crate) reset: Option<Option<Reset>>,
    /// How its periods are played as seasons; `null` for not at all.
    #[serde(deserialize_with = "given")]
    pub(crate) tiers: Option<Option<Tiers>>,
    /// How many past periods are kept; `null` for the usual.
    #[serde(deserialize_with = "given")]
    #[schemars(range(min = 1, max = 10_000))]
    pub(crate) periods_kept: Option<Option<u32>>,
    /// How often one owner may submit; `null` for no limit.
    #[serde(deserialize_with = "given")]
    pub(crate) rate: Option<Option<Rate>>,
    /// People send evidence with each score.
    pub(crate) evidence: Option<bool>,
    /// By what owners can be ranked among their like.
    pub(crate) slices: Option<Vec<String>>,
}

/// `null` is something else than nothing.
pub(crate) fn given<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

impl EditBoard {
    fn apply(&self, settings: &BoardSettings) -> BoardSettings {
        let mut new = settings.clone();
        if let Some(title) = &self.title {
            new.title.clone_from(title);
        }
        if let Some(reset) = &self.reset {
            new.reset.clone_from(reset);
        }
        if let Some(tiers) = &self.tiers {
            new.tiers.clone_from(tiers);
        }
        if let Some(columns) = &self.columns {
            new.columns.clone_from(columns);
        }
        if let Some(slices) = &self.slices {
            new.slices.clone_from(slices);
        }
        new.audience = self.audience.unwrap_or(new.audience);
        new.operator = self.operator.unwrap_or(new.operator);
        new.ties = self.ties.unwrap_or(new.ties);
        new.periods_kept = self.periods_kept.unwrap_or(new.periods_kept);
        new.authoritative = self.authoritative.unwrap_or(new.authoritative);
        new.rate = self.rate.unwrap_or(new.rate);
        new.evidence = self.evidence.unwrap_or(new.evidence);
        new
    }
}

impl Boards {
    /// Makes a board, or, to `replace` what it has, gives the one of this name these settings. Entries stay; what the
    /// new settings make of them is computed anew where it can differ.
    ///
    /// # Errors
    /// `Invalid` with every fault; `Conflict` for a board that a competition has made.
    pub(crate) async fn put_board(
        &self,
        by: Option<Acting>,
        id: &str,
        settings: BoardSettings,
        replace: bool,
        once: Option<Once>,
    ) -> Result<BoardView, Error> {
        if !board::is_board_id(id) {
            let detail = "Name a board in 1 to 128 letters, digits, `-`, `_`, `.` and `:`.";
            return Err(Error::invalid("", "name", detail));
        }
        let faults = settings.faults();
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        let id = id.to_owned();
        self.db()
            .write_locking(&store::boards::LOCK_NUMBERS, &[], once, move |tx| {
                let (by, id, settings) = (by.clone(), id.clone(), settings.clone());
                Box::pin(async move {
                    match store::boards::board(tx, &id).await? {
                        Some(row) if !replace && row.settings.0 != settings => {
                            Err(Error::conflict(format!(
                                "There is a board `{id}` with other settings; see them with `board show {id}`. To give \
                                 it these instead of all of its own, add --replace."
                            )))
                        }
                        Some(row) => {
                            let (board, head) = held(tx, &row.id, row.no).await?;
                            change_in(tx, by.as_ref(), (board, head), settings).await
                        }
                        None => {
                            let board = create_in(tx, &id, settings, None).await?;
                            let detail = json!(board.settings);
                            note(tx, by.as_ref(), "boards.make_board", id, detail).await?;
                            view(tx, &board).await
                        }
                    }
                })
            })
            .await
    }

    /// Changes some settings of a board.
    ///
    /// # Errors
    /// `NotFound`, `Invalid`, `Conflict` as [`Boards::put_board`]; what `wanted` says of another version.
    pub(crate) async fn edit_board(
        &self,
        by: Acting,
        id: &str,
        edit: EditBoard,
        wanted: IfMatch,
        once: Option<Once>,
    ) -> Result<BoardView, Error> {
        let id = id.to_owned();
        self.db()
            .write_locking(&store::boards::LOCK_NUMBERS, &[], once, move |tx| {
                let (by, id) = (by.clone(), id.clone());
                let (edit, wanted) = (edit.clone(), wanted.clone());
                Box::pin(async move {
                    let row = store::boards::board(tx, &id).await?.ok_or(Error::NotFound)?;
                    let (board, head) = held(tx, &id, row.no).await?;
                    wanted.check(board.version)?;
                    let settings = edit.apply(&board.settings);
                    let faults = settings.faults();
                    if !faults.is_empty() {
                        return Err(Error::Invalid(faults));
                    }
                    change_in(tx, Some(&by), (board, head), settings).await
                })
            })
            .await
    }

    /// Deletes a board with all that it holds. Its name is free at once.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` for a board of a competition.
    pub(crate) async fn delete_board(
        &self,
        by: Option<Acting>,
        id: &str,
        wanted: IfMatch,
        once: Option<Once>,
    ) -> Result<(), Error> {
        let id = id.to_owned();
        self.db()
            .write_locking(&store::boards::LOCK_NUMBERS, &[], once, move |tx| {
                let (by, id, wanted) = (by.clone(), id.clone(), wanted.clone());
                Box::pin(async move {
                    let row = store::boards::board(tx, &id).await?.ok_or(Error::NotFound)?;
                    wanted.check(row.version)?;
                    let board = Board::from(row);
                    owned_by_nobody(&board)?;
                    let head = hold(tx, board.no).await?;
                    let now = tx.now();
                    store::boards::delete(tx, board.no, now).await?;
                    say_changed(tx, &board, head, board.version + 1, true).await?;
                    let detail = json!({ "title": board.settings.title });
                    note(tx, by.as_ref(), "boards.delete_board", id, detail).await
                })
            })
            .await
    }
}

/// A board as it is behind the lock of its head, so that no build ends meanwhile.
async fn held(tx: &mut Tx, id: &str, no: i64) -> Result<(Board, Head), Error> {
    let head = hold(tx, no).await?;
    let row = store::boards::board(tx, id).await?.ok_or(Error::NotFound)?;
    Ok((row.into(), head))
}

/// Makes a board; `competition` if only that writes it.
pub(crate) async fn create_in(
    tx: &mut Tx,
    id: &str,
    settings: BoardSettings,
    competition: Option<CompetitionId>,
) -> Result<Board, Error> {
    let (no, now) = (store::boards::next_no(tx).await?, tx.now());
    let ends_at = settings.reset.as_ref().and_then(|reset| reset.next(now));
    store::boards::add(tx, (id, no), &settings, competition, (now, ends_at)).await?;
    let id = id.to_owned();
    let (created_at, updated_at, version, edition) = (now, now, 1, 1);
    let (ranked, building) = (settings.clone(), false);
    let board = Board {
        id,
        no,
        settings,
        competition,
        created_at,
        updated_at,
        version,
        edition,
        ranked,
        building,
    };
    let head = Head { edition: 1, period: 1, last_seq: 0, period_ends_at: ends_at };
    tiers::begin(tx, &board, head.period, (0, false)).await?;
    say_changed(tx, &board, head, version, false).await?;
    Ok(board)
}

async fn change_in(
    tx: &mut Tx,
    by: Option<&Acting>,
    (board, head): (Board, Head),
    settings: BoardSettings,
) -> Result<BoardView, Error> {
    owned_by_nobody(&board)?;
    if board.settings == settings {
        return view(tx, &board).await;
    }
    keeps_columns(&board, head, &settings)?;
    let now = tx.now();
    let mut head = advance(tx, &board, head).await?;
    let mut new = board.clone();
    (new.version, new.updated_at, new.settings) = (board.version + 1, now, settings);
    if new.settings.reset != board.settings.reset {
        head.period_ends_at = new.settings.reset.as_ref().and_then(|reset| reset.next(now));
        store::boards::plan_period(tx, board.no, head.period, head.period_ends_at).await?;
    }
    tiers::settings_changed(tx, &board, &new, head).await?;
    if differ(&board.settings, &new.settings) {
        (head, _) = rebuild_within(tx, &new, head, AT_ONCE_MAX).await?;
    }
    store::boards::change(tx, board.no, &new.settings, now, new.version).await?;
    store::boards::move_head(tx, board.no, head).await?;
    say_changed(tx, &new, head, new.version, false).await?;
    note(tx, by, "boards.change_board", &new.id, json!(new.settings)).await?;
    view(tx, &new).await
}

/// Scores that are there mean what they meant: their columns and decimals stay.
fn keeps_columns(board: &Board, head: Head, new: &BoardSettings) -> Result<(), Error> {
    let scales = |settings: &BoardSettings| {
        settings.columns.iter().map(|column| column.scale).collect::<Vec<_>>()
    };
    let used = head.last_seq > 0;
    if used && scales(&board.settings) != scales(new) {
        return Err(Error::conflict(
            "There are scores already: the columns stay as many as they are, with their decimals. Make another board.",
        ));
    }
    Ok(())
}

fn owned_by_nobody(board: &Board) -> Result<(), Error> {
    match board.competition {
        None => Ok(()),
        Some(_) => {
            Err(Error::conflict("This board belongs to a competition, which alone changes it."))
        }
    }
}

/// Says that a board is another now; memory drops earlier editions of its entries.
pub(crate) async fn say_changed(
    tx: &mut Tx,
    board: &Board,
    head: Head,
    version: i64,
    deleted: bool,
) -> Result<(), Error> {
    let fact = BoardChangedV1 {
        board: board.id.clone(),
        board_no: board.no,
        edition: head.edition,
        deleted,
        version,
    };
    Ok(tx.emit(&fact, &[tag_of(&board.id)]).await?)
}
