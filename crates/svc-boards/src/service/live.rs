//! Live boards: what moved in the top, and how the reader stands, told at most ten times a second.
//!
//! Every fact notes whom it moved; ten times a second what was noted becomes one message for everybody who watches a
//! board, however many scores came in between. A message names owners and where they are now, so it can be applied to
//! any older state: take out everybody it names, then put those of `entries` in at their places, in order.

mod patch;

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use mainstay_contract::{
    boards::{BoardChangedV1, EntriesRemovedV1, PeriodClosedV1, ScoresRecordedV1},
    id::UserId,
};
use mainstay_core::{
    auth::Caller,
    cache::Tag,
    db::Emitted,
    error::{Code, Problem},
    live::{LiveMessage, Point, RELOAD, Subscription, TopicKind},
};
use serde_json::json;
use tokio::sync::Notify;

pub(crate) use self::patch::LiveEntry;
use self::patch::Patch;
use super::{
    Boards,
    boards::Board,
    standings::{Found, Moved, Ranks, TOP},
};
use crate::{engine::Ranked, error::Error, store};

/// The pause between two messages of a board.
pub(crate) const TELL_EVERY: Duration = Duration::from_millis(100);
/// To tell more people than this takes longer than half of that pause, so they are told more seldom.
const TOLD_IN_A_PAUSE: usize = 5_000;
/// How long nothing may happen before the teller looks around anyway.
const QUIET: Duration = Duration::from_secs(1);
/// Every so many turns each reader learns how they stand.
const TURNS_OF_MINE: u64 = 5;
/// Entries of a reader's neighbourhood.
const AROUND: u64 = 5;

fn top_of(board_no: i64) -> Tag {
    Tag::of("boards top", u128::from(board_no.unsigned_abs()))
}

fn leaderboard_of(board_no: i64) -> Tag {
    Tag::of("boards leaderboard", u128::from(board_no.unsigned_abs()))
}

fn mine_of(board_no: i64, user: UserId) -> Tag {
    Tag::text("boards mine", &format!("{board_no} {user}"))
}

/// Boards that somebody watches, by number.
#[derive(Default)]
pub(crate) struct Watched {
    boards: Mutex<HashMap<i64, BoardWatch>>,
    /// Rung when something happened on one of them.
    bell: Notify,
    /// Which log they were told of; 0 before the first time.
    epoch: AtomicU64,
}

/// A board that somebody watches.
struct BoardWatch {
    id: String,
    watchers: HashMap<u64, Arc<Watcher>>,
    /// What each reader was told last of how they stand.
    mine: HashMap<UserId, Vec<LiveEntry>>,
    /// The period, as it was looked up last.
    ranks: Option<Ranks>,
    /// Whether that is another one than those who watch were told of.
    is_another: bool,
    /// Since when it is told without a gap.
    since: Option<Point>,
    due: Due,
    /// Pauses that are still to be made, because very many watch.
    rest: usize,
    turn: u64,
}

/// What has to be told of a board.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
enum Due {
    #[default]
    Nothing,
    /// Who has moved.
    Moves,
    /// Its period or settings changed: it is looked up again, and its readers load it anew.
    Renewal,
}

/// In which words somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Words {
    /// Owners and all their scores.
    Board,
    /// Users and their one score, as guide 2 has it.
    Leaderboard,
}

/// Somebody who watches.
struct Watcher {
    caller: Option<Caller>,
    words: Words,
    /// Whether they may still see the board.
    sees: AtomicBool,
}

/// A watcher's place, given back when the topic ends.
struct Watching {
    watched: Arc<Watched>,
    board_no: i64,
    number: u64,
    watcher: Arc<Watcher>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        let mut boards = self.watched.boards();
        if let Some(watch) = boards.get_mut(&self.board_no) {
            watch.watchers.remove(&self.number);
            if watch.watchers.is_empty() {
                if let Some(ranks) = &watch.ranks {
                    ranks.unwatch();
                }
                boards.remove(&self.board_no);
            }
        }
    }
}

impl Watched {
    fn boards(&self) -> MutexGuard<'_, HashMap<i64, BoardWatch>> {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(self: &Arc<Self>, board: &Board, caller: Option<Caller>, words: Words) -> Watching {
        let watcher = Arc::new(Watcher { caller, words, sees: AtomicBool::new(true) });
        let number = mainstay_core::ids::random_u64();
        let mut boards = self.boards();
        let watch = boards.entry(board.no).or_insert_with(|| BoardWatch {
            id: board.id.clone(),
            watchers: HashMap::new(),
            mine: HashMap::new(),
            ranks: None,
            is_another: false,
            since: None,
            due: Due::Nothing,
            rest: 0,
            turn: 0,
        });
        watch.watchers.insert(number, watcher.clone());
        Watching { watched: self.clone(), board_no: board.no, number, watcher }
    }

    /// A fact of Boards.
    fn heed(&self, fact: &Emitted) {
        let (no, due) = if let Some(told) = fact.read::<ScoresRecordedV1>() {
            (told.board_no, Due::Moves)
        } else if let Some(told) = fact.read::<EntriesRemovedV1>() {
            (told.board_no, Due::Moves)
        } else if let Some(told) = fact.read::<BoardChangedV1>() {
            (told.board_no, Due::Renewal)
        } else if let Some(told) = fact.read::<PeriodClosedV1>() {
            (told.board_no, Due::Renewal)
        } else {
            return;
        };
        if self.owe(no, due) {
            self.bell.notify_one();
        }
    }

    /// When the records are another log, what everybody watches is looked up again.
    fn heed_epoch(&self, epoch: u64) {
        // None before the first time.
        let before = self.epoch.swap(epoch, Ordering::Relaxed);
        if before != 0 && before != epoch {
            for watch in self.boards().values_mut() {
                watch.due = watch.due.max(Due::Renewal);
            }
        }
    }

    /// Notes what has to be told of a board; `false` if nobody watches it.
    fn owe(&self, board_no: i64, due: Due) -> bool {
        let mut boards = self.boards();
        let Some(watch) = boards.get_mut(&board_no) else { return false };
        watch.due = watch.due.max(due);
        true
    }

    /// Since when a board is told without a gap; `now` if nobody has said so yet.
    fn since(&self, board_no: i64, now: impl FnOnce() -> Point) -> Point {
        let known = self.boards().get(&board_no).and_then(|watch| watch.since);
        let since = known.unwrap_or_else(now);
        if let Some(watch) = self.boards().get_mut(&board_no) {
            watch.since.get_or_insert(since);
        }
        since
    }

    /// Whether a board has another ranking than those who watch it were told of; from now on they are.
    fn take_another(&self, board_no: i64) -> bool {
        let mut boards = self.boards();
        boards.get_mut(&board_no).is_some_and(|watch| std::mem::take(&mut watch.is_another))
    }

    /// Whether anybody is told of a board in these words.
    fn speaks(&self, board_no: i64, words: Words) -> bool {
        let boards = self.boards();
        boards
            .get(&board_no)
            .is_some_and(|watch| watch.watchers.values().any(|watcher| watcher.words == words))
    }

    /// Boards of which something has to be told now, and what.
    fn take_due(&self) -> Vec<(i64, String, Due)> {
        let mut boards = self.boards();
        let due = boards.iter_mut().filter_map(|(no, watch)| {
            let due = match watch.ranks {
                Some(_) => watch.due,
                None => Due::Renewal,
            };
            if due == Due::Nothing {
                return None;
            }
            if let Some(rest) = watch.rest.checked_sub(1) {
                watch.rest = rest;
                self.bell.notify_one();
                return None;
            }
            watch.due = Due::Nothing;
            watch.rest = watch.watchers.len().saturating_sub(1) / TOLD_IN_A_PAUSE;
            watch.turn += 1;
            Some((*no, watch.id.clone(), due))
        });
        due.collect()
    }
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
        self.watch(board.no, &board.id).await?;
        let since = self.inner.watched.since(board.no, || self.inner.live.point());
        let channels = match words {
            Words::Leaderboard => vec![leaderboard_of(board.no)],
            Words::Board => {
                let mine = user.map(|user| mine_of(board.no, user));
                [top_of(board.no)].into_iter().chain(mine).collect()
            }
        };
        let sees = move |_: &LiveMessage| watching.watcher.sees.load(Ordering::Relaxed);
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

    /// Looks up the present period of a board that is watched.
    async fn watch(&self, no: i64, id: &str) -> Result<Option<Ranks>, Error> {
        let Some(board) = self.known_board(id).await?.filter(|board| board.no == no) else {
            return Ok(None);
        };
        let head = store::boards::head(&mut *self.db().read().await?, no).await?;
        let head = head.ok_or(Error::NotFound)?;
        let place = board.place(head);
        let (board, ranks) = self.ranks_of(board, place).await?;
        ranks.watch().await?;
        let mut boards = self.inner.watched.boards();
        let Some(watch) = boards.get_mut(&no) else {
            // The last of them has gone meanwhile.
            ranks.unwatch();
            return Ok(Some(ranks));
        };
        let before = watch.ranks.replace(ranks.clone());
        if let Some(before) = before.filter(|before| !before.is(&ranks)) {
            before.unwatch();
            // Also if a newcomer looked it up, ahead of whoever tells.
            watch.is_another = true;
        }
        for watcher in watch.watchers.values() {
            let sees = board.may_see(watcher.caller.as_ref());
            watcher.sees.store(sees, Ordering::Relaxed);
        }
        drop(boards);
        Ok(Some(ranks))
    }

    /// Waits for something to happen and tells those who watch.
    pub(crate) async fn tell(&self) -> Result<(), Error> {
        let rung = self.inner.watched.bell.notified();
        drop(tokio::time::timeout(QUIET, rung).await);
        self.inner.watched.heed_epoch(self.log().epochs().log_epoch());
        let mut failed = Ok(());
        for (no, id, due) in self.inner.watched.take_due() {
            let told = self.tell_of(no, &id, due).await;
            // What one board cannot be told of is told later, and the others are told now.
            if let Err(error) = told {
                self.inner.watched.owe(no, due);
                // Said once where Redis is called.
                if !matches!(error, Error::RankingsAway(_)) {
                    failed = Err(error);
                }
            }
        }
        failed
    }

    async fn tell_of(&self, no: i64, id: &str, due: Due) -> Result<(), Error> {
        if due == Due::Renewal {
            if self.watch(no, id).await?.is_none() {
                return self.publish_to_all(no, "gone", &json!({}));
            }
            if self.inner.watched.take_another(no) {
                self.publish_to_all(no, RELOAD, &json!({}))?;
            }
        }
        let Some(board) = self.known_board(id).await? else { return Ok(()) };
        let ranks = self.inner.watched.boards().get(&no).and_then(|one| one.ranks.clone());
        let Some(ranks) = ranks else { return Ok(()) };
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
        let users: Vec<UserId> = {
            let mut boards = self.inner.watched.boards();
            let Some(watch) = boards.get_mut(&board.no) else { return Ok(()) };
            if watch.turn % TURNS_OF_MINE != 1 {
                // Said with one of the next turns.
                watch.due = watch.due.max(Due::Moves);
                ranks.note_any();
                self.inner.watched.bell.notify_one();
                return Ok(());
            }
            let users: Vec<UserId> = watch
                .watchers
                .values()
                .filter(|watcher| watcher.words == Words::Board)
                .filter_map(|watcher| Some(watcher.caller.as_ref()?.user))
                .collect();
            let present: HashSet<&UserId> = users.iter().collect();
            watch.mine.retain(|user, _| present.contains(user));
            users
        };
        let owners: Vec<String> = users.iter().map(ToString::to_string).collect();
        let around = ranks.around_each(&owners, AROUND).await;
        let around = around.inspect_err(|_| ranks.note_any())?;
        let mut messages = Vec::new();
        if let Some(watch) = self.inner.watched.boards().get_mut(&board.no) {
            for (user, ranked) in users.into_iter().zip(around) {
                let around: Vec<LiveEntry> =
                    ranked.iter().map(|one| LiveEntry::of(board, one)).collect();
                // Who has no entry is told so only if they had one.
                let before = watch.mine.get(&user).map(Vec::as_slice).unwrap_or_default();
                if before != around {
                    messages.push((mine_of(board.no, user), json!({ "around": around })));
                    watch.mine.insert(user, around);
                }
            }
        }
        for (channel, mine) in messages {
            let message = LiveMessage::summary("mine", &mine).map(LiveMessage::passing);
            self.publish(channel, message)?;
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use mainstay_core::db::Json;

    use super::*;
    use crate::store::boards::BoardRow;

    fn board() -> Board {
        let settings =
            json!({ "title": "Runs", "operator": "best", "columns": [{ "name": "points" }] });
        let settings = Json(serde_json::from_value(settings).unwrap());
        let created_at = mainstay_contract::ts::Ts::from_micros(0);
        Board::from(BoardRow {
            id: "runs".into(),
            no: 1,
            settings,
            competition: None,
            created_at,
            updated_at: created_at,
            version: 1,
            edition: 1,
            shown: None,
        })
    }

    #[test]
    fn a_board_that_very_many_watch_is_told_more_seldom() {
        let watched = Arc::new(Watched::default());
        let board = board();
        let mut all: Vec<Watching> =
            (0..TOLD_IN_A_PAUSE).map(|_| watched.add(&board, None, Words::Board)).collect();
        let told = || {
            watched.owe(1, Due::Moves);
            watched.take_due().len()
        };
        assert_eq!([told(), told(), told()], [1, 1, 1]);
        all.push(watched.add(&board, None, Words::Board));
        assert_eq!([told(), told(), told(), told()], [1, 0, 1, 0]);
        drop(all);
        assert_eq!(told(), 0);
    }
}
