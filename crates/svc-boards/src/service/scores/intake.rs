//! Scores of several requests for one board, written in one commit.
//!
//! Whoever writes a board locks its head, so writers of one board come one after the other, and each commit costs a
//! sync of the disk. What arrives while one is under way is taken together by the next. Each request still gets its
//! own answer, after the commit; the order is that of arrival.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use mainstay_core::{
    db::{Db, DbError, Position, Tx},
    params, request,
};
use tokio::sync::oneshot;

use super::{Outcome, Submission, are_checked_alike, record};
use crate::{
    error::Error,
    service::boards::Board,
    store::{self, scores::Place},
};

/// Submissions after which a commit takes no more requests.
const TOGETHER_MAX: usize = 1_000;
/// Requests that may wait for one board; more are told to come back.
const WAITING_MAX: usize = 4_096;

/// Where the scores of a request went, and what became of each.
type Taken = (Place, Vec<Outcome>);
/// With the positions for the consistency token.
type Written<T> = (T, Vec<(&'static str, Position)>);

/// Scores of a request, and the board that they were found sound for.
#[derive(Clone)]
pub(super) struct Checked {
    pub(super) board: Arc<Board>,
    pub(super) list: Arc<[Submission]>,
}

struct Waiting {
    scores: Checked,
    answer: oneshot::Sender<Result<Written<Taken>, Error>>,
}

/// Requests that wait, by board. A board is there while somebody works on it.
#[derive(Default)]
pub(crate) struct Intake(Mutex<HashMap<i64, VecDeque<Waiting>>>);

impl Intake {
    fn queues(&self) -> MutexGuard<'_, HashMap<i64, VecDeque<Waiting>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `scores`, with whatever else waits for their board. Goes on when the caller has gone.
    ///
    /// # Errors
    /// As [`record_on`]; `Unavailable` if too many wait.
    pub(super) async fn take(self: &Arc<Self>, db: &Db, scores: Checked) -> Result<Taken, Error> {
        let board_no = scores.board.no;
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { scores, answer };
        let begin = {
            let mut queues = self.queues();
            match queues.get_mut(&board_no) {
                Some(queue) if queue.len() >= WAITING_MAX => {
                    return Err(DbError::Unavailable("too many wait for this board".into()).into());
                }
                Some(queue) => {
                    queue.push_back(waiting);
                    false
                }
                None => {
                    queues.insert(board_no, VecDeque::from([waiting]));
                    true
                }
            }
        };
        if begin {
            let (intake, db) = (self.clone(), db.clone());
            tokio::spawn(async move { intake.work(&db, board_no).await });
        }
        let ended = |_gone| DbError::Unavailable("the program is ending".into());
        let (taken, written) = answered.await.map_err(ended)??;
        request::note(&written);
        Ok(taken)
    }

    async fn work(&self, db: &Db, board_no: i64) {
        while let Some(some) = self.next(board_no) {
            if let Err(some) = together(db, board_no, some).await {
                // One of them is at fault, and nothing was written: each is told for itself.
                for one in some {
                    drop(together(db, board_no, vec![one]).await);
                }
            }
        }
    }

    /// The requests of the next commit; nothing, and the board is left alone, when none waits.
    fn next(&self, board_no: i64) -> Option<Vec<Waiting>> {
        let mut queues = self.queues();
        let queue = queues.get_mut(&board_no)?;
        let (mut some, mut count) = (Vec::new(), 0);
        while count < TOGETHER_MAX
            && let Some(one) = queue.pop_front()
        {
            // Whoever has gone was told that it failed.
            if !one.answer.is_closed() {
                count += one.scores.list.len();
                some.push(one);
            }
        }
        if some.is_empty() {
            queues.remove(&board_no);
            return None;
        }
        Some(some)
    }
}

/// Writes the scores of several requests in one commit and answers each; gives them back if the engine refused them all
/// for one and wrote nothing. What may be written is not tried again: it would count twice.
async fn together(db: &Db, board_no: i64, mut some: Vec<Waiting>) -> Result<(), Vec<Waiting>> {
    let all = some.iter().map(|one| one.scores.clone()).collect();
    match write(db, board_no, all).await {
        Ok((taken, written)) => {
            for (one, taken) in some.into_iter().zip(taken) {
                drop(one.answer.send(taken.map(|taken| (taken, written.clone()))));
            }
        }
        Err(error) if some.len() == 1 => drop(some.pop().map(|one| one.answer.send(Err(error)))),
        Err(error) => {
            let Some(same) = shared(&error) else { return Err(some) };
            some.into_iter().for_each(|one| drop(one.answer.send(Err(same()))));
        }
    }
    Ok(())
}

/// The same for everybody, unless it is the fault of one of them.
fn shared(error: &Error) -> Option<Box<dyn Fn() -> Error + Send + '_>> {
    match error {
        Error::NotFound => Some(Box::new(|| Error::NotFound)),
        Error::Db(DbError::Unavailable(why)) => {
            Some(Box::new(|| DbError::Unavailable(why.clone()).into()))
        }
        Error::Db(DbError::Conflict(times)) => Some(Box::new(|| DbError::Conflict(*times).into())),
        _ => None,
    }
}

async fn write(
    db: &Db,
    board_no: i64,
    all: Arc<[Checked]>,
) -> Result<Written<Vec<Result<Taken, Error>>>, Error> {
    let lock = params![board_no];
    let work = db.write_queued(&store::boards::LOCK_HEAD, lock, move |tx| {
        let all = all.clone();
        Box::pin(async move { record_on(tx, &all).await })
    });
    let (taken, written) = request::collect_writes(work).await;
    taken.map(|taken| (taken, written))
}

/// Takes the scores of `all`, which are for one board, as it is configured now; what became of those of each.
/// `Conflict` for those that were found sound for a board that was configured otherwise.
///
/// # Errors
/// `NotFound` if the board is gone.
pub(super) async fn record_on(
    tx: &mut Tx,
    all: &[Checked],
) -> Result<Vec<Result<Taken, Error>>, Error> {
    let board = all.first().map(|scores| &scores.board).ok_or(Error::NotFound)?;
    let row = store::boards::board(tx, &board.id).await?;
    let row = row.filter(|row| row.no == board.no).ok_or(Error::NotFound)?;
    let now = Board::from(row);
    let fits = |scores: &Checked| are_checked_alike(&scores.board.settings, &now.settings);
    let mut list = Vec::new();
    for scores in all.iter().filter(|scores| fits(scores)) {
        list.extend(scores.list.iter().cloned());
    }
    let (place, outcomes) = record(tx, &now, &list).await?;
    let mut outcomes = outcomes.into_iter();
    let taken = all.iter().map(|scores| match fits(scores) {
        true => Ok((place, outcomes.by_ref().take(scores.list.len()).collect())),
        false => Err(Error::conflict("The board was changed just now. Send it again.")),
    });
    Ok(taken.collect())
}
