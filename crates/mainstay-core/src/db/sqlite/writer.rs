//! The writer thread of one file: what waits is run and committed as a group, and answered after it is durable.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
    time::Instant,
};

use tokio::sync::{mpsc, oneshot};

use super::{Shared, SqliteConn, stopped};
use crate::{
    clock::Clock,
    db::{BoxFuture, DbError, Emitted, Outbox, Tx, tx::Conn},
    error::Tolerate as _,
};

/// Most closures in one commit: bounds what one fault makes run again, and the wait of the first.
const GROUP_LEN_MAX: usize = 256;

/// What keeps the changes of one closure apart from those of the others in its group.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Apart {
    /// Nothing: a savepoint copies each page before its first change, which costs as much as the change. A closure
    /// that fails after it changed something spoils the group.
    No,
    /// A savepoint each, which undoes one closure alone.
    Savepoints,
}

/// What became of one closure.
pub(super) enum Attempt {
    /// It is in the group's transaction, or changed nothing. With it the last position that it wrote.
    Whole(Option<i64>),
    /// It failed and left changes behind.
    Spoilt,
}

/// Something that the writer does: a caller's transaction, or the end.
pub(super) trait Job: Send {
    /// Runs it inside of the group's transaction and gives the connection back.
    fn attempt(&mut self, conn: SqliteConn, apart: Apart) -> (SqliteConn, Attempt);
    /// Answers the caller.
    fn finish(self: Box<Self>, committed: Result<(), &str>);
    /// Ends the writer after this group.
    fn ends(&self) -> bool {
        false
    }
}

pub(super) struct Close {
    pub(super) reply: oneshot::Sender<()>,
}

impl Job for Close {
    fn attempt(&mut self, conn: SqliteConn, _apart: Apart) -> (SqliteConn, Attempt) {
        (conn, Attempt::Whole(None))
    }
    fn finish(self: Box<Self>, _committed: Result<(), &str>) {
        self.reply.send(()).tolerate("whoever asked has gone; the writer ends all the same");
    }
    fn ends(&self) -> bool {
        true
    }
}

type Outcome<T, E> = Result<(T, Vec<Arc<Emitted>>), E>;

pub(super) struct Write<T, E, F> {
    pub(super) work: F,
    pub(super) outbox: &'static Outbox,
    pub(super) clock: Clock,
    pub(super) outcome: Option<Outcome<T, E>>,
    pub(super) reply: oneshot::Sender<Outcome<T, E>>,
}

impl<T, E, F> Job for Write<T, E, F>
where
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
{
    fn attempt(&mut self, conn: SqliteConn, apart: Apart) -> (SqliteConn, Attempt) {
        if apart == Apart::Savepoints
            && let Err(error) = conn.control("savepoint s")
        {
            self.outcome = Some(Err(error.into()));
            return (conn, Attempt::Whole(None));
        }
        let changes_before = conn.conn.total_changes();
        let mut tx = Tx::new(Conn::Sqlite(conn), self.outbox, self.clock.clone(), None);
        let polled = catch_unwind(AssertUnwindSafe(|| {
            pin!((self.work)(&mut tx)).as_mut().poll(&mut Context::from_waker(Waker::noop()))
        }));
        let result = match polled {
            Ok(Poll::Ready(result)) => result,
            Ok(Poll::Pending) => Err(DbError::AwaitedOutside.into()),
            Err(_panic) => Err(DbError::Panicked.into()),
        };
        let position = tx.last_position().map(|position| position.seq);
        let facts = tx.take_emitted().into_iter().map(Arc::new).collect();
        let Conn::Sqlite(conn) = tx.take_conn() else {
            unreachable!("a transaction gives its connection back")
        };
        let changed = conn.conn.total_changes() != changes_before;
        let attempt = match (apart, result.is_ok()) {
            (Apart::No, false) if changed => Attempt::Spoilt,
            (Apart::No, true) => Attempt::Whole(position),
            (Apart::No, false) => Attempt::Whole(None),
            (Apart::Savepoints, succeeded) => {
                let kept = close_savepoint(&conn, succeeded);
                if succeeded && !kept {
                    let lost = DbError::Unavailable("the transaction could not be kept".into());
                    self.outcome = Some(Err(lost.into()));
                    return (conn, Attempt::Whole(None));
                }
                Attempt::Whole(position.filter(|_| kept))
            }
        };
        self.outcome = Some(result.map(|value| (value, facts)));
        (conn, attempt)
    }

    fn finish(self: Box<Self>, committed: Result<(), &str>) {
        let answer = match (self.outcome, committed) {
            (Some(Err(error)), _) => Err(error),
            (_, Err(why)) => Err(DbError::Unavailable(why.to_owned()).into()),
            (Some(outcome), Ok(())) => outcome,
            (None, Ok(())) => Err(stopped().into()),
        };
        // The caller may have gone; what was committed stays, and the tailer applies its facts.
        drop(self.reply.send(answer));
    }
}

pub(super) fn write_loop(
    mut conn: SqliteConn,
    mut queue: mpsc::Receiver<Box<dyn Job>>,
    shared: &Shared,
) {
    while let Some(first) = queue.blocking_recv() {
        let mut group = vec![first];
        while group.len() < GROUP_LEN_MAX && !group.last().is_some_and(|job| job.ends()) {
            match queue.try_recv() {
                Ok(job) => group.push(job),
                Err(_) => break,
            }
        }
        let ends = group.last().is_some_and(|job| job.ends());
        conn = commit_group(conn, group, shared);
        if ends {
            return;
        }
    }
}

/// Keeps what was done since the savepoint if it `succeeded`, else undoes it; `true` if it was kept.
fn close_savepoint(conn: &SqliteConn, succeeded: bool) -> bool {
    // Where the engine rolled everything back there is no savepoint left; the loop sees that by itself.
    let kept = succeeded && conn.control("release s").is_ok();
    if !kept && !conn.conn.is_autocommit() {
        let undone = conn.control("rollback to s").and_then(|()| conn.control("release s"));
        if undone.is_err() {
            drop(conn.control("rollback"));
        }
    }
    kept
}

/// How far a group came.
enum Ran {
    /// To its end; with the last position that was written.
    All(Option<i64>),
    /// The engine rolled all of it back in this job.
    RolledBack(usize),
    /// A job failed and left changes behind that nothing keeps apart from those of the others.
    Spoilt,
}

fn run(mut conn: SqliteConn, group: &mut [Box<dyn Job>], apart: Apart) -> (SqliteConn, Ran) {
    let mut last = None;
    for (place, job) in group.iter_mut().enumerate() {
        let attempt;
        (conn, attempt) = job.attempt(conn, apart);
        if conn.conn.is_autocommit() {
            return (conn, Ran::RolledBack(place));
        }
        match attempt {
            Attempt::Whole(position) => last = last.max(position),
            Attempt::Spoilt => return (conn, Ran::Spoilt),
        }
    }
    (conn, Ran::All(last))
}

/// Runs a group in one transaction. When a job fails half way, the group runs again with savepoints, which few groups
/// need; when the engine rolls all of it back, the job at fault is answered as not written and the others run again;
/// when the commit fails, each runs alone.
fn commit_group(mut conn: SqliteConn, mut group: Vec<Box<dyn Job>>, shared: &Shared) -> SqliteConn {
    let mut apart = Apart::No;
    loop {
        if let Err(error) = conn.control("begin immediate") {
            group.into_iter().for_each(|job| job.finish(Err(&error.to_string())));
            return conn;
        }
        let ran;
        (conn, ran) = run(conn, &mut group, apart);
        let last = match ran {
            Ran::All(last) => last,
            Ran::Spoilt => {
                drop(conn.control("rollback"));
                if group.len() == 1 {
                    group.into_iter().for_each(|job| job.finish(Ok(())));
                    return conn;
                }
                apart = Apart::Savepoints;
                continue;
            }
            Ran::RolledBack(place) => {
                tracing::error!(schema = shared.schema, "the engine rolled a group of writes back");
                group
                    .remove(place)
                    .finish(Err("the database rolled the write back; is its disk full?"));
                if group.is_empty() {
                    return conn;
                }
                continue;
            }
        };
        let began = Instant::now();
        match conn.control("commit") {
            Ok(()) => {
                let writes = group.iter().filter(|job| !job.ends()).count();
                if let Some(measured) = shared.measured.get().filter(|_| writes > 0) {
                    measured.observe(writes, began.elapsed());
                }
                if let Some(position) = last {
                    shared.committed.fetch_max(position, Ordering::Release);
                    shared.commits.send_modify(|count| *count += 1);
                }
                group.into_iter().for_each(|job| job.finish(Ok(())));
                return conn;
            }
            Err(error) => {
                tracing::error!(schema = shared.schema, %error, "a commit failed");
                drop(conn.control("rollback"));
                if group.len() == 1 {
                    group.into_iter().for_each(|job| job.finish(Err(&error.to_string())));
                    return conn;
                }
                for job in group {
                    conn = commit_group(conn, vec![job], shared);
                }
                return conn;
            }
        }
    }
}
