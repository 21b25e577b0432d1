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
    db::{Db, DbError, Position},
    params, request,
};
use tokio::sync::oneshot;

use super::{Outcome, Submission, record};
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
/// The same, with the positions for the consistency token.
type Answer = Result<(Taken, Vec<(&'static str, Position)>), Error>;

struct Waiting {
    list: Arc<[Submission]>,
    answer: oneshot::Sender<Answer>,
}

/// Requests that wait, by board. A board is there while somebody works on it.
#[derive(Default)]
pub(crate) struct Intake(Mutex<HashMap<i64, VecDeque<Waiting>>>);

impl Intake {
    fn queues(&self) -> MutexGuard<'_, HashMap<i64, VecDeque<Waiting>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes `list` on `board`, with whatever else waits for it. Goes on when the caller has gone.
    ///
    /// # Errors
    /// As [`record()`]; `Unavailable` if too many wait.
    pub(crate) async fn take(
        self: &Arc<Self>,
        db: &Db,
        board: &Arc<Board>,
        list: Arc<[Submission]>,
    ) -> Result<Taken, Error> {
        let (answer, answered) = oneshot::channel();
        let waiting = Waiting { list, answer };
        let begin = {
            let mut queues = self.queues();
            match queues.get_mut(&board.no) {
                Some(queue) if queue.len() >= WAITING_MAX => {
                    return Err(DbError::Unavailable("too many wait for this board".into()).into());
                }
                Some(queue) => {
                    queue.push_back(waiting);
                    false
                }
                None => {
                    queues.insert(board.no, VecDeque::from([waiting]));
                    true
                }
            }
        };
        if begin {
            let (intake, db, board) = (self.clone(), db.clone(), board.clone());
            tokio::spawn(async move { intake.work(&db, &board).await });
        }
        let ended = |_gone| DbError::Unavailable("the program is ending".into());
        let (taken, written) = answered.await.map_err(ended)??;
        request::note(&written);
        Ok(taken)
    }

    async fn work(&self, db: &Db, board: &Arc<Board>) {
        while let Some(some) = self.next(board.no) {
            if let Err(some) = together(db, board, some).await {
                // One of them is at fault, and nothing was written: each is told for itself.
                for one in some {
                    let answer = write(db, board, one.list).await;
                    drop(one.answer.send(answer));
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
                count += one.list.len();
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
async fn together(db: &Db, board: &Arc<Board>, mut some: Vec<Waiting>) -> Result<(), Vec<Waiting>> {
    if let [_alone] = &*some
        && let Some(one) = some.pop()
    {
        let answer = write(db, board, one.list).await;
        drop(one.answer.send(answer));
        return Ok(());
    }
    let list: Arc<[Submission]> = some.iter().flat_map(|one| one.list.iter().cloned()).collect();
    let ((place, outcomes), written) = match write(db, board, list).await {
        Ok(taken) => taken,
        Err(error) => match shared(&error) {
            Some(same) => {
                some.into_iter().for_each(|one| drop(one.answer.send(Err(same()))));
                return Ok(());
            }
            None => return Err(some),
        },
    };
    let mut outcomes = outcomes.into_iter();
    for one in some {
        let own: Vec<Outcome> = outcomes.by_ref().take(one.list.len()).collect();
        drop(one.answer.send(Ok(((place, own), written.clone()))));
    }
    Ok(())
}

/// The same for everybody, unless it is the fault of one of them.
fn shared(error: &Error) -> Option<Box<dyn Fn() -> Error + Send + '_>> {
    match error {
        Error::NotFound => Some(Box::new(|| Error::NotFound)),
        Error::Conflict(detail) => Some(Box::new(|| Error::Conflict(detail.clone()))),
        Error::Db(DbError::Unavailable(why)) => {
            Some(Box::new(|| DbError::Unavailable(why.clone()).into()))
        }
        Error::Db(DbError::Conflict(times)) => Some(Box::new(|| DbError::Conflict(*times).into())),
        _ => None,
    }
}

async fn write(db: &Db, board: &Arc<Board>, list: Arc<[Submission]>) -> Answer {
    let (board, no) = (board.clone(), board.no);
    let lock = params![no];
    let work = db.write_queued(&store::boards::LOCK_HEAD, lock, move |tx| {
        let (board, list) = (board.clone(), list.clone());
        Box::pin(async move { record_on(tx, &board, &list).await })
    });
    let (taken, written) = request::collect_writes(work).await;
    taken.map(|taken| (taken, written))
}

/// Takes `list`, which fits the columns of `board`, on the board as it is configured now.
///
/// # Errors
/// `NotFound` if it is gone; `Conflict` if it has other columns now.
pub(super) async fn record_on(
    tx: &mut mainstay_core::db::Tx,
    board: &Board,
    list: &[Submission],
) -> Result<Taken, Error> {
    let row = store::boards::board(tx, &board.id).await?;
    let row = row.filter(|row| row.no == board.no).ok_or(Error::NotFound)?;
    let now = Board::from(row);
    if now.settings.columns != board.settings.columns {
        return Err(Error::conflict("The board has got other columns just now. Send it again."));
    }
    record(tx, &now, list).await
}
