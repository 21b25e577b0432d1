//! Bans: an owner's entries are gone at once, and so is what they gave others.

use mainstay_contract::{boards::EntriesRemovedV1, id::UserId, ts::Ts};
use mainstay_core::{
    db::{Once, Tx},
    params,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Boards,
    boards::{Board, advance, hold, say_changed},
    competitions::ban_changed,
    scores::rebuild,
};
use crate::{
    error::Error,
    model::board::is_owner,
    store::{self, scores::Place},
};

/// The longest reason, in characters.
const REASON_CHARS_MAX: usize = 500;
/// Periods that are looked at for entries of a banned owner, the newest ones.
const PERIODS_MAX: i64 = 10_000;

/// A ban.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct BanView {
    /// Who.
    pub(crate) owner: String,
    /// Why.
    pub(crate) reason: String,
    /// Which administrator has said so.
    pub(crate) banned_by: UserId,
    /// Since when.
    pub(crate) banned_at: Ts,
}

impl Boards {
    /// Bans an owner on a board: their entries are gone, in all periods, and every score that came from them. Banning
    /// twice changes nothing.
    ///
    /// # Errors
    /// `NotFound` for a board that is not there, or an owner that cannot be; `Invalid` for a reason that is too long.
    pub(crate) async fn ban(
        &self,
        by: UserId,
        id: &str,
        owner: &str,
        reason: String,
        once: Option<Once>,
    ) -> Result<BanView, Error> {
        if !is_owner(owner) {
            return Err(Error::NotFound);
        }
        if !(1..=REASON_CHARS_MAX).contains(&reason.trim().chars().count()) {
            let detail = format!("Say why, in 1 to {REASON_CHARS_MAX} characters.");
            return Err(Error::invalid("/reason", "length", detail));
        }
        let no = self.any_board(id).await?.no;
        let (id, owner) = (id.to_owned(), owner.to_owned());
        self.db()
            .write_locking(&store::boards::LOCK_HEAD, params![no], once, move |tx| {
                let (id, owner, reason) = (id.clone(), owner.clone(), reason.clone());
                Box::pin(async move {
                    let board = board(tx, &id, no).await?;
                    let now = tx.now();
                    if store::boards::ban(tx, no, &owner, &reason, by, now).await? {
                        let caused = store::scores::caused(tx, no, &owner).await?;
                        match caused {
                            true => build_anew(tx, &board).await?,
                            false => take_out(tx, &board, &owner).await?,
                        }
                        team_follows(tx, &board, &owner).await?;
                    }
                    let row =
                        store::boards::ban_of(tx, no, &owner).await?.ok_or(Error::NotFound)?;
                    Ok(view(row))
                })
            })
            .await
    }

    /// Lifts a ban: what the owner has submitted counts again, as if there had been none.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    pub(crate) async fn unban(
        &self,
        id: &str,
        owner: &str,
        once: Option<Once>,
    ) -> Result<(), Error> {
        let no = self.any_board(id).await?.no;
        let (id, owner) = (id.to_owned(), owner.to_owned());
        self.db()
            .write_locking(&store::boards::LOCK_HEAD, params![no], once, move |tx| {
                let (id, owner) = (id.clone(), owner.clone());
                Box::pin(async move {
                    let board = board(tx, &id, no).await?;
                    hold(tx, no).await?;
                    match store::boards::unban(tx, no, &owner).await? {
                        true => {
                            build_anew(tx, &board).await?;
                            team_follows(tx, &board, &owner).await
                        }
                        false => Err(Error::NotFound),
                    }
                })
            })
            .await
    }

    /// Bans on a board behind an owner, by name.
    ///
    /// # Errors
    /// `NotFound` for a board that is not there.
    pub(crate) async fn bans(
        &self,
        id: &str,
        after: &str,
        limit: usize,
    ) -> Result<Vec<BanView>, Error> {
        let no = self.any_board(id).await?.no;
        let mut tx = self.db().read().await?;
        let rows = store::boards::bans(&mut tx, no, after, limit as i64).await?;
        Ok(rows.into_iter().map(view).collect())
    }
}

fn view(row: store::boards::BanRow) -> BanView {
    let store::boards::BanRow { owner, reason, banned_by, banned_at } = row;
    BanView { owner, reason, banned_by, banned_at }
}

async fn board(tx: &mut Tx, id: &str, no: i64) -> Result<Board, Error> {
    let row = store::boards::board(tx, id).await?.filter(|row| row.no == no);
    Ok(row.ok_or(Error::NotFound)?.into())
}

/// What a banned player has given their team goes with them.
async fn team_follows(tx: &mut Tx, board: &Board, owner: &str) -> Result<(), Error> {
    match board.competition {
        Some(competition) => ban_changed(tx, competition, owner).await,
        None => Ok(()),
    }
}

/// Removes the entries of `owner` in every period.
async fn take_out(tx: &mut Tx, board: &Board, owner: &str) -> Result<(), Error> {
    let before = hold(tx, board.no).await?;
    let mut head = advance(tx, board, before).await?;
    // What is removed is newer than whatever the owner has submitted.
    head.last_seq += 1;
    for period in store::boards::periods(tx, board.no, i64::MAX, PERIODS_MAX).await? {
        let place = Place { board_no: board.no, edition: head.edition, period: period.no };
        if store::scores::remove_entry(tx, place, owner).await? {
            let fact = EntriesRemovedV1 {
                board: board.id.clone(),
                board_no: board.no,
                edition: head.edition,
                period: period.no,
                owners: vec![owner.to_owned()],
                seq: head.last_seq,
            };
            tx.emit(&fact, &[]).await?;
        }
    }
    Ok(store::boards::move_head(tx, board.no, head).await?)
}

/// Builds the board from what was submitted, with the bans that there are now.
async fn build_anew(tx: &mut Tx, board: &Board) -> Result<(), Error> {
    let before = hold(tx, board.no).await?;
    let head = advance(tx, board, before).await?;
    let head = rebuild(tx, board, head).await?;
    store::boards::move_head(tx, board.no, head).await?;
    say_changed(tx, board, head, board.version, false).await
}
