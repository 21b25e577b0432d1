//! Boards as they are known and shown, with their periods.

mod changing;

use std::sync::Arc;

use mainstay_contract::{boards::CompetitionId, ts::Ts};
use mainstay_core::{
    auth::Caller,
    cache::{Loaded, Stamp, Tag},
    db::{DbError, Json, Tx},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::changing::{EditBoard, create_in, given, say_changed};
use super::{Boards, periods::PeriodView, standings::Ranks};
use crate::{
    error::Error,
    model::board::{Audience, BoardSettings},
    page::cut,
    store::{
        self,
        boards::{BoardRow, Head},
        scores::Place,
    },
};

/// What outdates a board that is kept in memory.
fn tag_of(id: &str) -> Tag {
    Tag::text("boards board", id)
}

/// A board as it is configured.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Board {
    pub(crate) id: String,
    pub(crate) no: i64,
    pub(crate) settings: BoardSettings,
    pub(crate) competition: Option<CompetitionId>,
    pub(crate) created_at: Ts,
    pub(crate) updated_at: Ts,
    pub(crate) version: i64,
    /// The build of its entries that is shown.
    pub(crate) edition: i64,
    /// The settings that this was made under. Others than `settings` only while a large board is built anew.
    pub(crate) ranked: BoardSettings,
    /// Whether it is built anew now.
    pub(crate) building: bool,
}

impl From<BoardRow> for Board {
    fn from(row: BoardRow) -> Self {
        let settings = row.settings.0;
        let building = row.shown.is_some();
        let ranked = match row.shown {
            Some(Json(shown)) => settings.ranked_as(&shown),
            None => settings.clone(),
        };
        Self {
            id: row.id,
            no: row.no,
            settings,
            competition: row.competition,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
            edition: row.edition,
            ranked,
            building,
        }
    }
}

impl Board {
    /// About how many bytes it takes.
    pub(crate) fn weight(&self) -> usize {
        1_024 + self.settings.columns.len() * 128
    }

    /// The entries that count now.
    pub(crate) fn place(&self, head: Head) -> Place {
        Place { board_no: self.no, edition: head.edition, period: head.period }
    }

    pub(crate) fn may_see(&self, caller: Option<&Caller>) -> bool {
        match self.settings.audience {
            Audience::Everybody => true,
            Audience::SignedIn => caller.is_some(),
            Audience::Administrators => caller.is_some_and(super::scores::is_server),
        }
    }
}

/// A board as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BoardView {
    /// Its name.
    pub(crate) id: String,
    /// How it is configured.
    #[serde(flatten)]
    pub(crate) settings: BoardSettings,
    /// The competition that it belongs to, if it does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) competition_id: Option<CompetitionId>,
    /// The period that scores go to now.
    pub(crate) period: PeriodView,
    /// When it was made.
    pub(crate) created_at: Ts,
    /// When its settings were changed last.
    pub(crate) updated_at: Ts,
    /// Its version, for `If-Match`.
    pub(crate) version: i64,
}

impl Boards {
    /// The board of this name as `caller` may see it.
    ///
    /// # Errors
    /// `NotFound` if there is none for them.
    pub(crate) async fn board(
        &self,
        caller: Option<&Caller>,
        id: &str,
    ) -> Result<Arc<Board>, Error> {
        let found = self.known_board(id).await?;
        found.filter(|board| board.may_see(caller)).ok_or(Error::NotFound)
    }

    pub(crate) async fn known_board(&self, id: &str) -> Result<Option<Arc<Board>>, Error> {
        let load = || async {
            let mut tx = self.db().read().await?;
            let stamp = Stamp(tx.stamp().await?);
            let row = store::boards::board(&mut tx, id).await?;
            Ok::<_, DbError>(match row {
                Some(row) => Loaded::found(Arc::new(Board::from(row)), [tag_of(id)], stamp),
                None => Loaded::absent([tag_of(id)], stamp),
            })
        };
        let found = self.inner.known.get_or_load(&id.to_owned(), load).await;
        let found = found.map_err(|error| Error::Db(shared(&error)))?;
        Ok(found.map(|hit| Arc::clone(&hit)))
    }

    /// The ranking of `place`, which is of `board`, and the board as it was configured when that was built: what is
    /// kept of a board may be older than what is read of its entries.
    ///
    /// # Errors
    /// `NotFound` if the board was deleted.
    pub(crate) async fn ranks_of(
        &self,
        board: Arc<Board>,
        place: Place,
    ) -> Result<(Arc<Board>, Ranks), Error> {
        let board = self.board_of(board, place).await?;
        let ranks = self.inner.rankings.get(&board.ranked, place).await?;
        Ok((board, ranks))
    }

    /// The board as it was configured when `place`, which is of it, was built.
    ///
    /// # Errors
    /// `NotFound` if the board was deleted.
    pub(crate) async fn board_of(
        &self,
        board: Arc<Board>,
        place: Place,
    ) -> Result<Arc<Board>, Error> {
        if board.edition == place.edition {
            return Ok(board);
        }
        let row = store::boards::board(&mut *self.db().read().await?, &board.id).await?;
        let row = row.filter(|row| row.no == board.no).ok_or(Error::NotFound)?;
        Ok(Arc::new(row.into()))
    }

    /// A board with its present period.
    ///
    /// # Errors
    /// As [`Boards::board`].
    pub(crate) async fn show_board(
        &self,
        caller: Option<&Caller>,
        id: &str,
    ) -> Result<BoardView, Error> {
        let board = self.board(caller, id).await?;
        let mut tx = self.db().read().await?;
        view(&mut tx, &board).await
    }

    /// The board of this name, whoever asks.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub(crate) async fn any_board(&self, id: &str) -> Result<Arc<Board>, Error> {
        self.known_board(id).await?.ok_or(Error::NotFound)
    }

    /// A board with its present period.
    ///
    /// # Errors
    /// `NotFound` if it has been deleted.
    pub(crate) async fn view_of(&self, board: &Board) -> Result<BoardView, Error> {
        let mut tx = self.db().read().await?;
        view(&mut tx, board).await
    }

    /// All boards, by name, after `after`; and the name to go on from.
    pub(crate) async fn all_boards(
        &self,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<BoardView>, Option<String>), Error> {
        self.boards_that(after, limit, |_| true).await
    }

    /// Boards that `caller` may see, by name, after `after`; and the name to go on from.
    pub(crate) async fn list_boards(
        &self,
        caller: Option<&Caller>,
        after: &str,
        limit: usize,
    ) -> Result<(Vec<BoardView>, Option<String>), Error> {
        self.boards_that(after, limit, |board| board.may_see(caller)).await
    }

    async fn boards_that(
        &self,
        after: &str,
        limit: usize,
        shown: impl Fn(&Board) -> bool,
    ) -> Result<(Vec<BoardView>, Option<String>), Error> {
        let mut tx = self.db().read().await?;
        let mut rows = store::boards::boards(&mut tx, after, limit as i64 + 1).await?;
        let last = cut(&mut rows, limit).map(|row| row.id.clone());
        let mut views = Vec::new();
        for row in rows {
            let board = Board::from(row);
            if shown(&board) {
                views.push(view(&mut tx, &board).await?);
            }
        }
        Ok((views, last))
    }
}

/// The error that several callers got.
fn shared(error: &DbError) -> DbError {
    DbError::Unavailable(error.to_string())
}

async fn view(tx: &mut Tx, board: &Board) -> Result<BoardView, Error> {
    let head = store::boards::head(tx, board.no).await?.ok_or(Error::NotFound)?;
    let period = store::boards::period(tx, board.no, head.period).await?.ok_or(Error::NotFound)?;
    Ok(BoardView {
        id: board.id.clone(),
        settings: board.settings.clone(),
        competition_id: board.competition,
        period: period.into(),
        created_at: board.created_at,
        updated_at: board.updated_at,
        version: board.version,
    })
}
