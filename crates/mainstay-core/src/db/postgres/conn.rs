//! A connection as a transaction holds it. What nobody waits for travels with what somebody waits for: the beginning of
//! a transaction and its lock with its first question, its last writes with its commit. So a transaction takes as many
//! journeys as it has questions, and one.

use std::sync::Arc;

use deadpool_postgres::Object;
use futures_util::future::{join, join_all};
use smallvec::SmallVec;
use tokio_postgres::{Error, Row, Statement, error::SqlState};

use crate::db::{
    DbError, Param, Position, Sql,
    cell::{Cell, Look},
    value::Value,
};

/// Most statements that wait to be sent.
const UNSENT_MAX: usize = 16;

/// A connection in a transaction of its own, or a shared one for single statements.
pub(in crate::db) enum PgConn {
    /// In a transaction.
    Own(Own),
    /// Shared with other readers.
    Shared(Arc<Object>),
}

/// A connection in a transaction. Dropped before its end, it closes, and the server rolls back.
pub(in crate::db) struct Own {
    object: Option<Box<Object>>,
    /// What waits to be sent, in order.
    unsent: Vec<Unsent>,
    /// The server knows of the transaction.
    begun: bool,
    /// The statement that failed; the server refuses every other from then on.
    failed: Option<&'static str>,
    /// The engine asks for another attempt, whatever the closure made of the error.
    conflicted: bool,
    /// Where the rows stand that were appended to the outbox, in order.
    appended: Vec<Position>,
}

enum Unsent {
    Begin(&'static str),
    Lock(&'static Sql, Vec<Param<'static>>),
    Run(&'static Sql, Vec<Param<'static>>),
    /// It answers with the position of its row.
    Append(&'static Sql, Vec<Param<'static>>),
}

impl Unsent {
    fn text(&self) -> &'static str {
        match self {
            Self::Begin(text) => text,
            Self::Lock(sql, _) | Self::Run(sql, _) | Self::Append(sql, _) => sql.text(),
        }
    }
}

impl PgConn {
    /// A transaction that begins with the first statement, behind its lock.
    pub(super) fn begin(
        object: Object,
        begin: &'static str,
        lock: Option<(&'static Sql, &[Param<'_>])>,
    ) -> Self {
        let lock = lock.map(|(sql, params)| Unsent::Lock(sql, owned(params)));
        let unsent = std::iter::once(Unsent::Begin(begin)).chain(lock).collect();
        Self::Own(Own {
            object: Some(Box::new(object)),
            unsent,
            begun: false,
            failed: None,
            conflicted: false,
            appended: Vec::new(),
        })
    }

    fn object(&self) -> Result<&Object, DbError> {
        match self {
            Self::Own(Own { object: Some(object), .. }) => Ok(object),
            Self::Own(_) => Err(DbError::Unavailable("the transaction has ended".into())),
            Self::Shared(object) => Ok(object),
        }
    }

    pub(super) fn conflicted(&self) -> bool {
        matches!(self, Self::Own(Own { conflicted: true, .. }))
    }

    /// Where the rows stand that were appended, in order; known once the transaction is committed.
    pub(super) fn take_appended(&mut self) -> Vec<Position> {
        match self {
            Self::Own(own) => std::mem::take(&mut own.appended),
            Self::Shared(_) => Vec::new(),
        }
    }

    pub(in crate::db) async fn prepare(&self, sql: &'static Sql) -> Result<(), DbError> {
        let prepared = self.object()?.prepare_cached(sql.text()).await;
        prepared.map(drop).map_err(|error| refused(&error, sql.text()))
    }

    pub(in crate::db) async fn execute(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
    ) -> Result<u64, DbError> {
        let ahead = self.prepare_unsent().await?;
        let object = self.object()?;
        let (sent, result) = join(send(object, &ahead), execute(object, sql, params)).await;
        self.settle_unsent(sent, &ahead)?;
        self.settled(result, sql.text())
    }

    pub(in crate::db) async fn query(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
    ) -> Result<Vec<Vec<Value>>, DbError> {
        let ahead = self.prepare_unsent().await?;
        let object = self.object()?;
        let (sent, result) = join(send(object, &ahead), query(object, sql, params)).await;
        self.settle_unsent(sent, &ahead)?;
        self.settled(result, sql.text())
    }

    /// Lets `look` see each row in place.
    pub(in crate::db) async fn each(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
        look: &mut Look<'_>,
    ) -> Result<(), DbError> {
        let ahead = self.prepare_unsent().await?;
        let object = self.object()?;
        let (sent, result) = join(send(object, &ahead), query_rows(object, sql, params)).await;
        self.settle_unsent(sent, &ahead)?;
        for row in self.settled(result, sql.text())? {
            let cells: Result<SmallVec<[Cell<'_>; 8]>, Error> =
                (0..row.len()).map(|column| row.try_get(column)).collect();
            look(&cells.map_err(|error| refused(&error, sql.text()))?)?;
        }
        Ok(())
    }

    /// The same for several statements in one journey. The first that failed is the one at fault, because the server
    /// refuses those behind it.
    pub(in crate::db) async fn execute_all(
        &mut self,
        statements: &[(&'static Sql, Vec<Param<'_>>)],
    ) -> Result<Vec<u64>, DbError> {
        let ahead = self.prepare_unsent().await?;
        let object = self.object()?;
        let all = join_all(statements.iter().map(|(sql, params)| execute(object, sql, params)));
        let (sent, results) = join(send(object, &ahead), all).await;
        self.settle_unsent(sent, &ahead)?;
        let results = results.into_iter().zip(statements);
        results.map(|(result, (sql, _))| self.settled(result, sql.text())).collect()
    }

    /// The same for several sets of parameters.
    pub(in crate::db) async fn query_all(
        &mut self,
        sql: &'static Sql,
        params: &[Vec<Param<'_>>],
    ) -> Result<Vec<Vec<Vec<Value>>>, DbError> {
        let ahead = self.prepare_unsent().await?;
        let object = self.object()?;
        let all = join_all(params.iter().map(|params| query(object, sql, params)));
        let (sent, results) = join(send(object, &ahead), all).await;
        self.settle_unsent(sent, &ahead)?;
        results.into_iter().map(|result| self.settled(result, sql.text())).collect()
    }

    /// Runs a statement whose answer nobody waits for. If it fails, so does what comes after it, the commit at last.
    pub(in crate::db) async fn run(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
    ) -> Result<(), DbError> {
        match self {
            Self::Own(own) => own.unsent.push(Unsent::Run(sql, owned(params))),
            Self::Shared(_) => return self.execute(sql, params).await.map(drop),
        }
        self.send_if_many().await
    }

    /// Appends a row to the outbox; where it stands is known once the transaction is committed.
    pub(in crate::db) async fn append(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
    ) -> Result<(), DbError> {
        match self {
            Self::Own(own) => own.unsent.push(Unsent::Append(sql, owned(params))),
            Self::Shared(_) => return Err(DbError::Unavailable("this transaction reads".into())),
        }
        self.send_if_many().await
    }

    async fn send_if_many(&mut self) -> Result<(), DbError> {
        let many = matches!(self, Self::Own(own) if own.unsent.len() >= UNSENT_MAX);
        if !many {
            return Ok(());
        }
        let ahead = self.prepare_unsent().await?;
        let sent = send(self.object()?, &ahead).await;
        self.settle_unsent(sent, &ahead)
    }

    /// Commits; `false` if the engine asks for another attempt.
    pub(super) async fn commit(&mut self) -> Result<bool, DbError> {
        if let Self::Own(Own { failed: Some(statement), conflicted, .. }) = self {
            let (again, statement) = (*conflicted, *statement);
            self.roll_back().await;
            return if again { Ok(false) } else { Err(gone_on(statement)) };
        }
        if !self.asked() {
            self.release();
            return Ok(true);
        }
        let ahead = match self.prepare_unsent().await {
            Ok(ahead) => ahead,
            Err(error) => {
                self.roll_back().await;
                return Err(error);
            }
        };
        let object = self.object()?;
        let (sent, committed) = join(send(object, &ahead), object.batch_execute("commit")).await;
        if let Err(error) = self.settle_unsent(sent, &ahead) {
            // The server has made a roll-back of the commit.
            let again = self.conflicted();
            if committed.is_ok() {
                self.release();
            }
            return if again { Ok(false) } else { Err(error) };
        }
        match committed {
            Ok(()) => {
                self.release();
                Ok(true)
            }
            Err(error) if is_conflict(&error) => {
                self.roll_back().await;
                Ok(false)
            }
            Err(error) => Err(refused(&error, "commit")),
        }
    }

    /// Whether there is anything to commit.
    fn asked(&self) -> bool {
        let does = |unsent: &Unsent| matches!(unsent, Unsent::Run(..) | Unsent::Append(..));
        matches!(self, Self::Own(own) if own.begun || own.unsent.iter().any(does))
    }

    pub(super) async fn roll_back(&mut self) {
        if let Self::Own(own) = self {
            own.unsent.clear();
            if !own.begun {
                return self.release();
            }
        }
        let Ok(object) = self.object() else { return };
        // A connection that cannot roll back is dropped, which makes the server roll back.
        if object.batch_execute("rollback").await.is_ok() {
            self.release();
        }
    }

    /// Gives the connection back to its pool; it is outside of any transaction.
    fn release(&mut self) {
        if let Self::Own(own) = self {
            drop(own.object.take());
        }
    }

    /// Takes what waits, prepared, so that it is sent in order and ahead of what is sent next.
    async fn prepare_unsent(&mut self) -> Result<Vec<(Unsent, Option<Statement>)>, DbError> {
        let Self::Own(own) = self else { return Ok(Vec::new()) };
        if let Some(statement) = own.failed {
            return Err(gone_on(statement));
        }
        let unsent = std::mem::take(&mut own.unsent);
        let mut ahead = Vec::with_capacity(unsent.len());
        for unsent in unsent {
            let text = unsent.text();
            let statement = match unsent {
                Unsent::Begin(_) => None,
                Unsent::Lock(_, ref params)
                | Unsent::Run(_, ref params)
                | Unsent::Append(_, ref params) => {
                    let prepared = self.object()?.prepare_cached(text).await;
                    let statement = self.settled(prepared, text)?;
                    // What the server never sees it does not refuse, nor what comes after it.
                    if statement.params().len() != params.len() {
                        return Err(self.mistaken(text));
                    }
                    Some(statement)
                }
            };
            ahead.push((unsent, statement));
        }
        if let Self::Own(own) = self {
            own.begun |= !ahead.is_empty();
        }
        Ok(ahead)
    }

    /// What came of what was sent ahead: the positions of appended rows, or the first error.
    fn settle_unsent(
        &mut self,
        sent: Vec<Result<Option<Position>, Error>>,
        ahead: &[(Unsent, Option<Statement>)],
    ) -> Result<(), DbError> {
        for (result, (unsent, _)) in sent.into_iter().zip(ahead) {
            let position = self.settled(result, unsent.text())?;
            if let Self::Own(own) = self {
                own.appended.extend(position);
            }
        }
        Ok(())
    }

    /// A statement that was given another number of parameters than it has.
    fn mistaken(&mut self, text: &'static str) -> DbError {
        if let Self::Own(own) = self {
            own.failed.get_or_insert(text);
        }
        let message = "it has another number of parameters";
        DbError::Statement { statement: text.into(), message: message.into() }
    }

    /// Remembers a failure.
    fn settled<T>(&mut self, result: Result<T, Error>, text: &'static str) -> Result<T, DbError> {
        if let (Err(error), Self::Own(own)) = (&result, self) {
            own.failed.get_or_insert(text);
            own.conflicted |= is_conflict(error);
        }
        result.map_err(|error| refused(&error, text))
    }
}

impl Drop for Own {
    fn drop(&mut self) {
        if let Some(object) = self.object.take()
            && self.begun
        {
            // Still in its transaction: taken out of the pool and closed, so that the server rolls it back.
            drop(Object::take(*object));
        }
    }
}

/// The error of whoever goes on after `statement` has failed.
fn gone_on(statement: &str) -> DbError {
    let message = "it failed, so the transaction that went on was not written";
    DbError::Statement { statement: statement.into(), message: message.into() }
}

fn owned(params: &[Param<'_>]) -> Vec<Param<'static>> {
    params.iter().cloned().map(Param::into_owned).collect()
}

/// Sends what waited, in order: it is few, and prepared, so each is on its way before the next is looked at.
async fn send(
    object: &Object,
    ahead: &[(Unsent, Option<Statement>)],
) -> Vec<Result<Option<Position>, Error>> {
    join_all(ahead.iter().map(|(unsent, statement)| send_one(object, unsent, statement.as_ref())))
        .await
}

async fn send_one(
    object: &Object,
    unsent: &Unsent,
    statement: Option<&Statement>,
) -> Result<Option<Position>, Error> {
    match (unsent, statement) {
        (Unsent::Lock(_, params) | Unsent::Run(_, params), Some(statement)) => {
            object.execute(statement, &references(params)).await.map(|_rows| None)
        }
        (Unsent::Append(_, params), Some(statement)) => {
            let row = object.query_one(statement, &references(params)).await?;
            Ok(Some(Position { xid: row.try_get(0)?, seq: row.try_get(1)? }))
        }
        (unsent, _) => object.batch_execute(unsent.text()).await.map(|()| None),
    }
}

async fn execute(object: &Object, sql: &'static Sql, params: &[Param<'_>]) -> Result<u64, Error> {
    let statement = object.prepare_cached(sql.text()).await?;
    object.execute(&statement, &references(params)).await
}

async fn query_rows(
    object: &Object,
    sql: &'static Sql,
    params: &[Param<'_>],
) -> Result<Vec<Row>, Error> {
    let statement = object.prepare_cached(sql.text()).await?;
    object.query(&statement, &references(params)).await
}

async fn query(
    object: &Object,
    sql: &'static Sql,
    params: &[Param<'_>],
) -> Result<Vec<Vec<Value>>, Error> {
    let rows = query_rows(object, sql, params).await?;
    rows.iter().map(|row| (0..row.len()).map(|column| row.try_get(column)).collect()).collect()
}

fn references<'a>(params: &'a [Param<'a>]) -> Vec<&'a (dyn tokio_postgres::types::ToSql + Sync)> {
    params.iter().map(|param| param as _).collect()
}

fn is_conflict(error: &Error) -> bool {
    let code = error.code();
    // Two requests with the same idempotency key at the same moment: the one that comes second meets the first's record
    // when it tries again.
    let same_key = code == Some(&SqlState::UNIQUE_VIOLATION)
        && error.as_db_error().and_then(|error| error.table()) == Some("once");
    same_key
        || code == Some(&SqlState::T_R_SERIALIZATION_FAILURE)
        || code == Some(&SqlState::T_R_DEADLOCK_DETECTED)
}

fn refused(error: &Error, statement: &str) -> DbError {
    let Some(db) = error.as_db_error() else { return DbError::Unavailable(error.to_string()) };
    let class = db.code().code().get(..2).unwrap_or_default();
    match class {
        "23" => DbError::Constraint(db.constraint().unwrap_or(db.message()).to_owned()),
        // Connection, resources, operator intervention, system: later may help.
        "08" | "53" | "57" | "58" => DbError::Unavailable(db.message().to_owned()),
        _ if ["42501", "0A000"].contains(&db.code().code()) => DbError::NotPermitted {
            statement: statement.to_owned(),
            message: db.message().to_owned(),
        },
        _ => {
            DbError::Statement { statement: statement.to_owned(), message: db.message().to_owned() }
        }
    }
}
