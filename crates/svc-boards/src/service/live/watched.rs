//! Who watches which board, and what has to be told of it.

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
use mainstay_core::{auth::Caller, db::Emitted, live::Point};
use tokio::sync::Notify;

use super::LiveEntry;
use crate::service::{boards::Board, standings::Ranks};

/// To tell more people than this takes longer than half of a pause, so they are told more seldom.
const TOLD_IN_A_PAUSE: usize = 5_000;
/// Every so many turns each reader learns how they stand.
const TURNS_OF_MINE: u64 = 5;

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
pub(super) enum Due {
    #[default]
    Nothing,
    /// Who has moved.
    Moves,
    /// Its period or settings changed: it is looked up again, and its readers load it anew.
    Renewal,
}

/// In which words somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Words {
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
pub(super) struct Watching {
    watched: Arc<Watched>,
    board_no: i64,
    number: u64,
    watcher: Arc<Watcher>,
}

impl Watching {
    /// Whether they may still see the board.
    pub(super) fn sees(&self) -> bool {
        self.watcher.sees.load(Ordering::Relaxed)
    }
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
    /// Waits until something happened, or for `quiet`.
    pub(super) async fn wait(&self, quiet: Duration) {
        drop(tokio::time::timeout(quiet, self.bell.notified()).await);
    }

    fn boards(&self) -> MutexGuard<'_, HashMap<i64, BoardWatch>> {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn add(
        self: &Arc<Self>,
        board: &Board,
        caller: Option<Caller>,
        words: Words,
    ) -> Watching {
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
        if let (Words::Board, Some(caller)) = (words, &watcher.caller) {
            // Told how they stand also if they know it in another window.
            watch.mine.remove(&caller.user);
        }
        watch.watchers.insert(number, watcher.clone());
        Watching { watched: self.clone(), board_no: board.no, number, watcher }
    }

    /// A fact of Boards.
    pub(super) fn heed(&self, fact: &Emitted) {
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
    pub(super) fn heed_epoch(&self, epoch: u64) {
        // None before the first time.
        let before = self.epoch.swap(epoch, Ordering::Relaxed);
        if before != 0 && before != epoch {
            for watch in self.boards().values_mut() {
                watch.due = watch.due.max(Due::Renewal);
            }
        }
    }

    /// Notes what has to be told of a board; `false` if nobody watches it.
    pub(super) fn owe(&self, board_no: i64, due: Due) -> bool {
        let mut boards = self.boards();
        let Some(watch) = boards.get_mut(&board_no) else { return false };
        watch.due = watch.due.max(due);
        true
    }

    /// Since when a board is told without a gap; `now` if nobody has said so yet.
    pub(super) fn since(&self, board_no: i64, now: impl FnOnce() -> Point) -> Point {
        let known = self.boards().get(&board_no).and_then(|watch| watch.since);
        let since = known.unwrap_or_else(now);
        if let Some(watch) = self.boards().get_mut(&board_no) {
            watch.since.get_or_insert(since);
        }
        since
    }

    /// Whether a board has another ranking than those who watch it were told of; from now on they are.
    pub(super) fn take_another(&self, board_no: i64) -> bool {
        let mut boards = self.boards();
        boards.get_mut(&board_no).is_some_and(|watch| std::mem::take(&mut watch.is_another))
    }

    /// Whether anybody is told of a board in these words.
    pub(super) fn speaks(&self, board_no: i64, words: Words) -> bool {
        let boards = self.boards();
        boards
            .get(&board_no)
            .is_some_and(|watch| watch.watchers.values().any(|watcher| watcher.words == words))
    }

    /// The ranking of a board, as it was looked up last.
    pub(super) fn ranks_of(&self, board_no: i64) -> Option<Ranks> {
        self.boards().get(&board_no).and_then(|watch| watch.ranks.clone())
    }

    /// Notes the present ranking of a board, and who may see it now. It is not watched if the last of those who watch
    /// has gone.
    pub(super) fn look_at(&self, board: &Board, ranks: &Ranks) {
        let mut boards = self.boards();
        let Some(watch) = boards.get_mut(&board.no) else { return ranks.unwatch() };
        let before = watch.ranks.replace(ranks.clone());
        if let Some(before) = before.filter(|before| !before.is(ranks)) {
            before.unwatch();
            // Also if a newcomer looked it up, ahead of whoever tells; or so long ago that it is an old one now.
            watch.is_another = true;
            watch.due = Due::Renewal;
            self.bell.notify_one();
        }
        for watcher in watch.watchers.values() {
            let sees = board.may_see(watcher.caller.as_ref());
            watcher.sees.store(sees, Ordering::Relaxed);
        }
    }

    /// Who has to be told how they stand on a board, if that is done in this turn; else one of the next is due.
    pub(super) fn take_turn_of_mine(&self, board_no: i64) -> Option<Vec<UserId>> {
        let mut boards = self.boards();
        let Some(watch) = boards.get_mut(&board_no) else { return Some(Vec::new()) };
        if watch.turn % TURNS_OF_MINE != 1 {
            watch.due = watch.due.max(Due::Moves);
            self.bell.notify_one();
            return None;
        }
        let readers = watch.watchers.values().filter(|watcher| watcher.words == Words::Board);
        let users: Vec<UserId> =
            readers.filter_map(|watcher| Some(watcher.caller.as_ref()?.user)).collect();
        let present: HashSet<&UserId> = users.iter().collect();
        watch.mine.retain(|user, _| present.contains(user));
        Some(users)
    }

    /// Those of `stand` for whom it is not what they were told last. Whoever has come since is told, also of no entry.
    pub(super) fn take_changed(
        &self,
        board_no: i64,
        mut stand: Vec<(UserId, Vec<LiveEntry>)>,
    ) -> Vec<(UserId, Vec<LiveEntry>)> {
        let mut boards = self.boards();
        let Some(watch) = boards.get_mut(&board_no) else { return Vec::new() };
        stand.retain(|(user, around)| watch.mine.get(user).is_none_or(|before| before != around));
        watch.mine.extend(stand.iter().cloned());
        stand
    }

    /// Boards of which something has to be told now, and what.
    pub(super) fn take_due(&self) -> Vec<(i64, String, Due)> {
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

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use mainstay_core::db::Json;
    use serde_json::json;

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
