//! Live boards: what moved in the top, and how the reader stands, told at most ten times a second.
//!
//! Every fact notes whom it moved; after each pause what was noted becomes one message for everybody who watches a
//! board, however many scores came in between. A message names owners and where they are now, so it can be applied to
//! any older state: take out everybody it names, then put those of `entries` in at their places, in order.

mod patch;
mod watched;

use std::{sync::Arc, time::Duration};

use futures_util::{StreamExt as _, stream};
use mainstay_contract::id::UserId;
use mainstay_core::{
    auth::Caller,
    cache::Tag,
    error::{Code, Problem},
    live::{LiveMessage, RELOAD, Subscription, TopicKind},
};
use serde_json::json;

pub(crate) use self::{patch::LiveEntry, watched::Watched};
use self::{
    patch::Patch,
    watched::{Due, Words},
};
use super::{
    Boards,
    boards::Board,
    standings::{Found, Moved, Ranks, TOP},
};
use crate::{engine::Ranked, error::Error, store};

/// The pause between two messages of a board: with what a reader is told of themselves they are ten a second.
pub(crate) const TELL_EVERY: Duration = Duration::from_millis(120);
/// How long nothing may happen before the teller looks around anyway.
const QUIET: Duration = Duration::from_secs(1);
/// Boards that are told of at the same time: one that is being loaded keeps no other one waiting.
const TOLD_AT_ONCE: usize = 64;
/// How long a turn waits for a ranking that is being loaded, which goes on; it is asked for again by the next one.
const LOADED_WITHIN: Duration = Duration::from_millis(100);
/// Entries of a reader's neighbourhood.
const AROUND: u64 = 5;

/// What became of a look at a board.
enum Looked {
    Up,
    /// Its ranking is not there yet.
    Loading,
    /// It was deleted.
    Gone,
}

fn top_of(board_no: i64) -> Tag {
    Tag::of("boards top", u128::from(board_no.unsigned_abs()))
}

fn leaderboard_of(board_no: i64) -> Tag {
    Tag::of("boards leaderboard", u128::from(board_no.unsigned_abs()))
}

fn mine_of(board_no: i64, user: UserId) -> Tag {
    Tag::text("boards mine", &format!("{board_no} {user}"))
}

impl Boards {
    /// Offers the topic `board:NAME` and tells it of every fact from now on.
    pub(super) fn go_live(&self) {
        for (prefix, words) in [("board", Words::Board), ("leaderboard", Words::Leaderboard)] {
            let weak = Arc::downgrade(&self.inner);
            self.inner.live.topic(TopicKind {
                prefix,
                resolve: Arc::new(move |caller, id| match weak.upgrade() {
                    Some(inner) => {
                        let boards = Self { inner };
                        Box::pin(async move { boards.topic(caller, &id, words).await })
                    }
                    None => Box::pin(async {
                        Err(Problem::new(Code::Unavailable, "The program is ending."))
                    }),
                }),
            });
        }
        // After the standings, which `open` has made follow the log first.
        let watched = Arc::downgrade(&self.inner.watched);
        self.log().on_fact(Box::new(move |fact| {
            if let Some(watched) = watched.upgrade() {
                watched.heed(fact);
            }
        }));
    }

    async fn topic(
        &self,
        caller: Option<Caller>,
        id: &str,
        words: Words,
    ) -> Result<Subscription, Problem> {
        let board = self.board(caller.as_ref(), id).await?;
        let user = caller.as_ref().map(|caller| caller.user);
        let watching = self.inner.watched.add(&board, caller, words);
        // From here on everybody whom a score moves is noted. Before the first of those who watch, nobody was.
        self.watch(board.no, &board.id, Duration::MAX).await?;
        let since = self.inner.watched.since(board.no, || self.inner.live.point());
        let channels = match words {
            Words::Leaderboard => vec![leaderboard_of(board.no)],
            Words::Board => {
                let mine = user.map(|user| mine_of(board.no, user));
                [top_of(board.no)].into_iter().chain(mine).collect()
            }
        };
        let sees = move |_: &LiveMessage| watching.sees();
        let subscription = Subscription { channels, ..Subscription::default() };
        Ok(subscription.local(since).filtered(Arc::new(sees)))
    }

    /// How a board stands, as guide 2's socket begins: its top, each with one score.
    ///
    /// # Errors
    /// `NotFound` if `caller` may not see it, or not any more.
    pub(crate) async fn leaderboard_snapshot(
        &self,
        caller: Option<&Caller>,
        id: &str,
    ) -> Result<String, Error> {
        let read = self.read_period(caller, id, (None, None)).await?;
        let Found { ranked: top, as_of, .. } = read.ranks.top(TOP as usize).await?;
        let entry = |ranked: &Ranked| {
            let LiveEntry { rank, owner, scores } = LiveEntry::of(&read.board, ranked);
            json!({ "rank": rank, "user_id": owner, "score": scores.first() })
        };
        let entries: Vec<_> = top.iter().map(entry).collect();
        Ok(json!({ "type": "snapshot", "entries": entries, "as_of": as_of }).to_string())
    }

    /// Looks up the present period of a board that is watched, whose ranking is waited for so long.
    async fn watch(&self, no: i64, id: &str, within: Duration) -> Result<Looked, Error> {
        let Some(board) = self.known_board(id).await?.filter(|board| board.no == no) else {
            return Ok(Looked::Gone);
        };
        let head = store::boards::head(&mut *self.db().read().await?, no).await?;
        let place = board.place(head.ok_or(Error::NotFound)?);
        let load = async {
            let (board, ranks) = self.ranks_of(board, place).await?;
            ranks.watch().await?;
            Ok::<_, Error>((board, ranks))
        };
        let Ok(loaded) = tokio::time::timeout(within, load).await else {
            return Ok(Looked::Loading);
        };
        let (board, ranks) = loaded?;
        self.inner.watched.look_at(&board, &ranks);
        Ok(Looked::Up)
    }

    /// Waits for something to happen and tells those who watch.
    pub(crate) async fn tell(&self) -> Result<(), Error> {
        self.inner.watched.wait(QUIET).await;
        self.inner.watched.heed_epoch(self.log().epochs().log_epoch());
        let turns = self.inner.watched.take_due().into_iter().map(|(no, id, due)| async move {
            let told = self.tell_of(no, &id, due).await;
            if told.is_err() {
                // Told later, and of the others now.
                self.inner.watched.owe(no, due);
            }
            told
        });
        let mut turns = stream::iter(turns).buffer_unordered(TOLD_AT_ONCE);
        let mut failed = Ok(());
        while let Some(told) = turns.next().await {
            match told {
                // Said once where Redis is called.
                Ok(()) | Err(Error::RankingsAway(_)) => {}
                Err(error) => failed = Err(error),
            }
        }
        failed
    }

    async fn tell_of(&self, no: i64, id: &str, due: Due) -> Result<(), Error> {
        if due == Due::Renewal {
            match self.watch(no, id, LOADED_WITHIN).await? {
                Looked::Up => {}
                Looked::Loading => {
                    self.inner.watched.owe(no, due);
                    return Ok(());
                }
                Looked::Gone => return self.publish_to_all(no, "gone", &json!({})),
            }
            if self.inner.watched.take_another(no) {
                self.publish_to_all(no, RELOAD, &json!({}))?;
            }
        }
        let Some(board) = self.known_board(id).await? else { return Ok(()) };
        let Some(ranks) = self.inner.watched.ranks_of(no) else { return Ok(()) };
        match ranks.take_moved().await? {
            Moved::Nothing => return Ok(()),
            Moved::Below => {}
            Moved::Much => self.publish_to_all(no, RELOAD, &json!({}))?,
            Moved::Top { found, gone } => {
                let patch = Patch::of(&board, found, gone);
                self.publish(top_of(no), LiveMessage::summary("patch", &patch))?;
                if self.inner.watched.speaks(no, Words::Leaderboard) {
                    let patch = patch.as_leaderboard();
                    self.publish(leaderboard_of(no), LiveMessage::summary("patch", &patch))?;
                }
            }
        }
        self.tell_mine(&board, &ranks).await
    }

    /// Tells readers how they stand, those for whom it has changed.
    async fn tell_mine(&self, board: &Board, ranks: &Ranks) -> Result<(), Error> {
        let Some(users) = self.inner.watched.take_turn_of_mine(board.no) else {
            ranks.note_any();
            return Ok(());
        };
        let owners: Vec<String> = users.iter().map(ToString::to_string).collect();
        let around = ranks.around_each(&owners, AROUND).await;
        let around = around.inspect_err(|_| ranks.note_any())?;
        let entries = |ranked: &Vec<Ranked>| -> Vec<LiveEntry> {
            ranked.iter().map(|one| LiveEntry::of(board, one)).collect()
        };
        let stand = users.into_iter().zip(around.iter().map(entries)).collect();
        for (user, around) in self.inner.watched.take_changed(board.no, stand) {
            let mine = json!({ "around": around });
            let message = LiveMessage::summary("mine", &mine).map(LiveMessage::passing);
            self.publish(mine_of(board.no, user), message)?;
        }
        Ok(())
    }

    fn publish_to_all(
        &self,
        no: i64,
        kind: &'static str,
        data: &serde_json::Value,
    ) -> Result<(), Error> {
        self.publish(top_of(no), LiveMessage::summary(kind, data))?;
        self.publish(leaderboard_of(no), LiveMessage::summary(kind, data))
    }

    fn publish(
        &self,
        channel: Tag,
        message: Result<LiveMessage, serde_json::Error>,
    ) -> Result<(), Error> {
        let message = message.map_err(Problem::internal)?;
        self.inner.live.publish(channel, message);
        Ok(())
    }
}
