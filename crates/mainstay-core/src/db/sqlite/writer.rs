//! The writer thread of one file: what waits is run and committed as a group, and answered after it is durable.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll, Waker},
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

/// Something that the writer does: a caller's transaction, or the end.
pub(super) trait Job: Send {
    /// Runs it inside of the group's transaction and gives the connection back.
    fn attempt(&mut self, conn: SqliteConn) -> (SqliteConn, Option<i64>);
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
    fn attempt(&mut self, conn: SqliteConn) -> (SqliteConn, Option<i64>) {
        (conn, None)
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
    fn attempt(&mut self, conn: SqliteConn) -> (SqliteConn, Option<i64>) {
        if let Err(error) = conn.control("savepoint s") {
            self.outcome = Some(Err(error.into()));
            return (conn, None);
        }
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
        let facts = tx.take_emitted();
        let Conn::Sqlite(conn) = tx.take_conn() else {
            unreachable!("a transaction gives its connection back")
        };
        // Where the engine rolled everything back there is no savepoint left; the loop sees that by itself.
        let kept = result.is_ok() && conn.control("release s").is_ok();
        if !kept && !conn.conn.is_autocommit() {
            let undone = conn.control("rollback to s").and_then(|()| conn.control("release s"));
            if undone.is_err() {
                drop(conn.control("rollback"));
            }
        }
        self.outcome = Some(match result {
            Ok(_) if !kept => {
                Err(DbError::Unavailable("the transaction could not be kept".into()).into())
            }
            result => result.map(|value| (value, facts)),
        });
        (conn, position.filter(|_| kept))
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

/// Runs a group in one transaction. When the engine rolls all of it back, the job at fault is answered as not written
/// and the others run again; when the commit fails, each runs alone.
fn commit_group(mut conn: SqliteConn, mut group: Vec<Box<dyn Job>>, shared: &Shared) -> SqliteConn {
    loop {
        if let Err(error) = conn.control("begin immediate") {
            group.into_iter().for_each(|job| job.finish(Err(&error.to_string())));
            return conn;
        }
        let mut last = None;
        let mut at_fault = None;
        for (place, job) in group.iter_mut().enumerate() {
            let position;
            (conn, position) = job.attempt(conn);
            if conn.conn.is_autocommit() {
                at_fault = Some(place);
                break;
            }
            last = last.max(position);
        }
        if let Some(place) = at_fault {
            tracing::error!(schema = shared.schema, "the engine rolled a group of writes back");
            group
                .remove(place)
                .finish(Err("the database rolled the write back; is its disk full?"));
            if group.is_empty() {
                return conn;
            }
            continue;
        }
        match conn.control("commit") {
            Ok(()) => {
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
