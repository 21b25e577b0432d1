//! Bans: whose scores do not count, on one board or on all of them, and what that takes from boards.
//!
//! A ban changes a board under the lock of its head, behind which scores are taken too, so that each score is either
//! there for the ban to take away, or met by it. What it takes is remembered as a mark, and nothing that was submitted
//! is erased: lifted, the board is built anew from that.

use mainstay_contract::{id::UserId, ts::Ts};
use mainstay_core::{
    auth::Caller,
    db::{Once, Tx},
    params,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Boards,
    acting::Acting,
    boards::{Board, say_changed},
    competitions::ban_changed,
    periods::hold,
    scores::{AT_ONCE_MAX, rebuild_within, say_removed},
};
use crate::{
    error::Error,
    model::board::is_owner,
    store::{self, boards::BanRow},
};

/// The number that stands for every board.
const EVERYWHERE: i64 = 0;
/// The longest reason, in characters.
const REASON_CHARS_MAX: usize = 500;

/// Why somebody is banned.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewBan {
    /// Why, 1 to 500 characters; kept in the audit log.
    #[schemars(length(min = 1, max = 500))]
    pub(crate) reason: String,
}

/// A ban as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BanView {
    /// Whose scores do not count.
    pub(crate) owner: String,
    /// On which board; absent if on none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) board: Option<String>,
    /// Why.
    pub(crate) reason: String,
    /// Who banned them.
    pub(crate) banned_by: UserId,
    /// When.
    pub(crate) banned_at: Ts,
}

impl BanView {
    fn of(row: BanRow, board: Option<&str>) -> Self {
        let BanRow { owner, reason, banned_by, banned_at, .. } = row;
        Self { owner, board: board.map(str::to_owned), reason, banned_by, banned_at }
    }
}

/// Who bans whom, or no longer does.
#[derive(Clone)]
struct Banning {
    by: Acting,
    owner: String,
    board: Option<String>,
}

impl Banning {
    async fn note(
        &self,
        tx: &mut Tx,
        action: &'static str,
        reason: Option<&str>,
    ) -> Result<(), Error> {
        let detail = json!({ "board": self.board, "reason": reason });
        self.by.note(tx, action, &self.owner, detail).await
    }
}

/// Submissions that may still be worked through in this transaction.
struct Budget(i64);

impl Budget {
    /// Builds the entries of a board anew, now or by a job.
    async fn build(&mut self, tx: &mut Tx, board: &Board) -> Result<(), Error> {
        let head = hold(tx, board.no).await?;
        let (head, count) = rebuild_within(tx, board, head, self.0).await?;
        self.0 -= count;
        store::boards::move_head(tx, board.no, head).await?;
        say_changed(tx, board, head, board.version, false).await
    }
}

impl Boards {
    /// Bans `owner` on a board. Their entries are gone from every period when this returns, and so is what they brought
    /// to others, unless the board has more than 20,000 submissions: then that follows. A repeat only gives the reason
    /// anew.
    ///
    /// # Errors
    /// `NotFound` for a board that the caller may not see; `Invalid` for the reason.
    pub(crate) async fn ban(
        &self,
        (caller, origin): (&Caller, String),
        (id, owner): (&str, &str),
        new: &NewBan,
        once: Option<Once>,
    ) -> Result<BanView, Error> {
        let reason = checked(owner, &new.reason)?;
        let no = self.board(Some(caller), id).await?.no;
        let banning = banning(caller, origin, owner, Some(id));
        self.db()
            .write_locking(&store::boards::LOCK_HEAD, params![no], once, move |tx| {
                let (banning, reason) = (banning.clone(), reason.clone());
                Box::pin(async move {
                    hold(tx, no).await?;
                    let Some(board) = board_of(tx, no).await? else { return Err(Error::NotFound) };
                    let owner = &banning.owner;
                    let was = is_banned(tx, no, owner).await?;
                    let row = put(tx, no, &banning, reason).await?;
                    if !was {
                        take_away(tx, &board, owner, &mut Budget(AT_ONCE_MAX)).await?;
                    }
                    banning.note(tx, "boards.ban", Some(&row.reason)).await?;
                    Ok(BanView::of(row, Some(&board.id)))
                })
            })
            .await
    }

    /// Lifts a ban on a board: what was submitted before counts again, as if there had been no ban.
    ///
    /// # Errors
    /// `NotFound` for a board that the caller may not see, and where there is no ban.
    pub(crate) async fn unban(
        &self,
        (caller, origin): (&Caller, String),
        (id, owner): (&str, &str),
        once: Option<Once>,
    ) -> Result<(), Error> {
        let no = self.board(Some(caller), id).await?.no;
        let banning = banning(caller, origin, owner, Some(id));
        self.db()
            .write_locking(&store::boards::LOCK_HEAD, params![no], once, move |tx| {
                let banning = banning.clone();
                Box::pin(async move {
                    hold(tx, no).await?;
                    let Some(board) = board_of(tx, no).await? else { return Err(Error::NotFound) };
                    if !store::boards::unban(tx, &banning.owner, no).await? {
                        return Err(Error::NotFound);
                    }
                    give_back(tx, &board, &banning.owner, &mut Budget(AT_ONCE_MAX)).await?;
                    banning.note(tx, "boards.unban", None).await
                })
            })
            .await
    }

    /// Bans `owner` on every board, those that are made later too; else as [`Boards::ban`], where the 20,000 count for
    /// all boards together.
    ///
    /// # Errors
    /// `Invalid` for the reason.
    pub(crate) async fn ban_everywhere(
        &self,
        (caller, origin): (&Caller, String),
        owner: &str,
        new: &NewBan,
        once: Option<Once>,
    ) -> Result<BanView, Error> {
        let reason = checked(owner, &new.reason)?;
        let banning = banning(caller, origin, owner, None);
        self.db()
            .write_locking(&store::boards::LOCK_NUMBERS, &[], once, move |tx| {
                let (banning, reason) = (banning.clone(), reason.clone());
                Box::pin(async move {
                    // A board that is not locked could take a score that the ban does not meet.
                    store::bans::lock_heads(tx).await?;
                    let owner = &banning.owner;
                    let mut boards = store::bans::boards_of(tx, owner).await?;
                    boards.extend(store::bans::builds(tx).await?);
                    boards.sort_unstable();
                    boards.dedup();
                    let mut met = Vec::new();
                    for no in boards {
                        let board = board_of(tx, no).await?;
                        if let Some(board) = board
                            && !is_banned(tx, no, owner).await?
                        {
                            met.push(board);
                        }
                    }
                    let row = put(tx, EVERYWHERE, &banning, reason).await?;
                    let mut budget = Budget(AT_ONCE_MAX);
                    for board in &met {
                        take_away(tx, board, owner, &mut budget).await?;
                    }
                    banning.note(tx, "boards.ban", Some(&row.reason)).await?;
                    Ok(BanView::of(row, None))
                })
            })
            .await
    }

    /// Lifts a ban on every board. One on a single board stays.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub(crate) async fn unban_everywhere(
        &self,
        (caller, origin): (&Caller, String),
        owner: &str,
        once: Option<Once>,
    ) -> Result<(), Error> {
        let banning = banning(caller, origin, owner, None);
        self.db()
            .write_locking(&store::boards::LOCK_NUMBERS, &[], once, move |tx| {
                let banning = banning.clone();
                Box::pin(async move {
                    store::bans::lock_heads(tx).await?;
                    if !store::boards::unban(tx, &banning.owner, EVERYWHERE).await? {
                        return Err(Error::NotFound);
                    }
                    let mut budget = Budget(AT_ONCE_MAX);
                    for no in store::bans::marks(tx, &banning.owner).await? {
                        match board_of(tx, no).await? {
                            Some(board) => {
                                give_back(tx, &board, &banning.owner, &mut budget).await?;
                            }
                            None => store::bans::unmark(tx, &banning.owner, no).await?,
                        }
                    }
                    banning.note(tx, "boards.unban", None).await
                })
            })
            .await
    }

    /// The ban of `owner` on a board, or the one on every board if none is named.
    ///
    /// # Errors
    /// `NotFound` if there is none, or the caller may not see the board.
    pub(crate) async fn show_ban(
        &self,
        caller: &Caller,
        id: Option<&str>,
        owner: &str,
    ) -> Result<BanView, Error> {
        let no = self.board_no(caller, id).await?;
        let row = store::boards::ban_of(&mut *self.db().read().await?, owner, no).await?;
        Ok(BanView::of(row.ok_or(Error::NotFound)?, id))
    }

    /// Bans on a board, or those on every board if none is named, of owners after `after`, by owner.
    ///
    /// # Errors
    /// `NotFound` for a board that the caller may not see.
    pub(crate) async fn list_bans(
        &self,
        caller: &Caller,
        id: Option<&str>,
        after: &str,
        limit: usize,
    ) -> Result<Vec<BanView>, Error> {
        let no = self.board_no(caller, id).await?;
        let mut tx = self.db().read().await?;
        let rows = store::boards::bans(&mut tx, no, after, limit as i64).await?;
        Ok(rows.into_iter().map(|row| BanView::of(row, id)).collect())
    }

    async fn board_no(&self, caller: &Caller, id: Option<&str>) -> Result<i64, Error> {
        match id {
            Some(id) => Ok(self.board(Some(caller), id).await?.no),
            None => Ok(EVERYWHERE),
        }
    }
}

fn checked(owner: &str, reason: &str) -> Result<String, Error> {
    if !is_owner(owner) {
        return Err(Error::NotFound);
    }
    let reason = reason.trim();
    match reason.chars().count() {
        0 => Err(Error::invalid("/reason", "required", "Say why.")),
        1..=REASON_CHARS_MAX => Ok(reason.to_owned()),
        chars => {
            let detail =
                format!("A reason has at most {REASON_CHARS_MAX} characters; this has {chars}.");
            Err(Error::invalid("/reason", "too_long", detail))
        }
    }
}

fn banning(caller: &Caller, origin: String, owner: &str, board: Option<&str>) -> Banning {
    let by = Acting { user: caller.user, origin };
    Banning { by, owner: owner.to_owned(), board: board.map(str::to_owned) }
}

async fn board_of(tx: &mut Tx, no: i64) -> Result<Option<Board>, Error> {
    let Some(id) = store::bans::board_by_no(tx, no).await? else { return Ok(None) };
    Ok(store::boards::board(tx, &id).await?.map(Board::from))
}

/// Whether `owner` is banned on a board, by a ban on it or on all.
async fn is_banned(tx: &mut Tx, board_no: i64, owner: &str) -> Result<bool, Error> {
    Ok(!store::boards::banned_among(tx, board_no, &[owner.to_owned()]).await?.is_empty())
}

/// Writes the ban, or its new reason.
async fn put(tx: &mut Tx, no: i64, banning: &Banning, reason: String) -> Result<BanRow, Error> {
    let row = BanRow {
        owner: banning.owner.clone(),
        board_no: no,
        reason,
        banned_by: banning.by.user,
        banned_at: tx.now(),
    };
    store::boards::ban(tx, &row).await?;
    store::boards::ban_of(tx, &banning.owner, no).await?.ok_or(Error::NotFound)
}

/// Takes from a board what a ban that was written takes from it. The caller holds the board's head.
async fn take_away(
    tx: &mut Tx,
    board: &Board,
    owner: &str,
    budget: &mut Budget,
) -> Result<(), Error> {
    let mut head = hold(tx, board.no).await?;
    let places = store::bans::periods_of(tx, board.no, head.edition, owner).await?;
    let caused = store::bans::caused(tx, board.no, owner).await?;
    let building = store::bans::lock_build(tx, board.no).await?;
    if places.is_empty() && !caused && building.is_none() {
        return Ok(());
    }
    store::bans::mark(tx, owner, board.no).await?;
    for place in places {
        store::scores::remove_entry(tx, place, owner).await?;
        head.last_seq += 1;
        say_removed(tx, board, place, owner, head.last_seq).await?;
    }
    store::boards::move_head(tx, board.no, head).await?;
    if caused {
        budget.build(tx, board).await?;
    } else if let Some(build) = building {
        // It goes on without them.
        for place in store::bans::periods_of(tx, board.no, build.edition, owner).await? {
            store::scores::remove_entry(tx, place, owner).await?;
        }
    }
    team_follows(tx, board, owner).await
}

/// Gives back to a board what a ban that was lifted took from it, unless another one still does. The caller holds the
/// board's head.
async fn give_back(
    tx: &mut Tx,
    board: &Board,
    owner: &str,
    budget: &mut Budget,
) -> Result<(), Error> {
    if is_banned(tx, board.no, owner).await? || !store::bans::is_marked(tx, owner, board.no).await?
    {
        return Ok(());
    }
    store::bans::unmark(tx, owner, board.no).await?;
    budget.build(tx, board).await?;
    team_follows(tx, board, owner).await
}

/// What a player has given their team goes and comes with them.
async fn team_follows(tx: &mut Tx, board: &Board, owner: &str) -> Result<(), Error> {
    match board.competition {
        Some(competition) => ban_changed(tx, competition, owner).await,
        None => Ok(()),
    }
}
