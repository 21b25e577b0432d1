//! Records: one facade over SQLite and Postgres.
//!
//! Reading order: [`sql`] (statements), [`value`] and [`row`] (what goes in and comes out), [`tx`] (what a use case
//! holds), then the engines `sqlite` and `postgres`, and [`migrate`].
//!
//! A write is one closure, which may run more than once and changes nothing outside its transaction:
//!
//! ```text
//! db.write(move |tx| Box::pin(async move { store::insert_like(tx, like).await })).await?;
//! ```
//!
//! On SQLite the closure runs on the file's one writer thread, grouped with whatever else waits into one durable
//! commit, and is polled once: a closure that stays pending has awaited something outside of the transaction and is
//! rolled back. On Postgres it runs at SERIALIZABLE and is retried on a conflict. Either way nobody is answered
//! before the commit is durable, and the facts that it emitted are applied in this process before the caller goes on.

pub mod cell;
pub mod migrate;
pub mod outbox;
mod postgres;
pub mod row;
pub mod sql;
mod sqlite;
pub mod tx;
pub mod value;

use std::{
    panic::AssertUnwindSafe,
    path::PathBuf,
    pin::Pin,
    sync::{Arc, OnceLock},
    time::Duration,
};

pub use self::{
    cell::Cell,
    outbox::{Emitted, Once, Outbox, Position},
    postgres::PgSettings,
    row::{FromRow, Row},
    sql::Sql,
    tx::{ReadTx, Tx},
    value::{FromValue, Json, Param, ToParam},
};
use futures_util::FutureExt as _;
use serde::{Serialize, de::DeserializeOwned};

use crate::{clock::Clock, telemetry::CommitMetrics};

/// A future in a box, as closures over a transaction return.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Why a statement or transaction failed.
#[derive(Debug, thiserror::Error)]
pub enum DbError {
    /// The engine could not be reached, or has no room or connection left; trying later may help.
    #[error("reach the database: {0}")]
    Unavailable(String),
    /// Others kept changing the same rows until the time was up; nothing was written.
    #[error("write because others changed the same rows {0} times")]
    Conflict(u32),
    /// A rule of the schema was broken: unique, foreign key, check or not null.
    #[error("keep the rule {0}")]
    Constraint(String),
    /// The closure awaited something that is not its transaction; it was rolled back.
    #[error("finish a transaction that awaited something outside of it; it was rolled back")]
    AwaitedOutside,
    /// The closure panicked; it was rolled back.
    #[error("finish a transaction that panicked; it was rolled back")]
    Panicked,
    /// The idempotency key was used for another request.
    #[error("use an idempotency key twice for different requests")]
    KeyReused,
    /// A statement asked for one row and there is none.
    #[error("find the one row of `{0}`")]
    NoRow(&'static str),
    /// A column does not hold what the code expects.
    #[error("read column {column} as {expected}")]
    Decode {
        /// The column's place, from 0.
        column: usize,
        /// The type that was expected.
        expected: &'static str,
    },
    /// The program's role may not do this, or this kind of server does not offer it.
    #[error("be allowed to run `{statement}`: {message}")]
    NotPermitted {
        /// The statement's text.
        statement: String,
        /// What the engine says.
        message: String,
    },
    /// The engine refused a statement.
    #[error("run `{statement}`: {message}")]
    Statement {
        /// The statement's text.
        statement: String,
        /// What the engine says.
        message: String,
    },
    /// A migration cannot be applied.
    #[error("migrate `{schema}`: {message}")]
    Migration {
        /// Whose schema.
        schema: &'static str,
        /// What is wrong and what to do.
        message: String,
    },
}

/// Where a database is.
#[derive(Debug, Clone)]
pub enum Location {
    /// A folder of SQLite files, one for each service.
    Sqlite {
        /// The folder; it exists.
        folder: PathBuf,
        /// `synchronous=FULL`; only a test that shows what is lost otherwise turns it off.
        durable: bool,
    },
    /// A Postgres database with one schema for each service.
    Postgres(PgSettings),
}

/// What happens with the facts of a commit before its caller goes on.
pub type OnCommit = Box<dyn Fn(&[Arc<Emitted>]) + Send + Sync>;

/// One service's records: its SQLite file or its Postgres schema. Cloning is cheap.
#[derive(Clone)]
pub struct Db {
    inner: Arc<Inner>,
}

struct Inner {
    schema: &'static str,
    outbox: &'static Outbox,
    clock: Clock,
    engine: Engine,
    on_commit: OnceLock<OnCommit>,
    /// Says which log this is, by what the program's role may ask.
    log_named_by: OnceLock<&'static Sql>,
}

enum Engine {
    Sqlite(sqlite::Sqlite),
    Postgres(postgres::Postgres),
}

/// Which engine a database is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EngineKind {
    /// Embedded.
    Sqlite,
    /// A server.
    Postgres,
}

impl EngineKind {
    /// `sqlite` or `postgres`, for figures.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Postgres => "postgres",
        }
    }
}

impl Db {
    /// Opens the records of `schema`, creating what is missing and applying `migrations` in order.
    ///
    /// # Errors
    /// `Unavailable` if the engine cannot be reached; `Migration` if an applied migration was edited or a newer program
    /// wrote this database.
    pub async fn open(
        location: &Location,
        schema: &'static str,
        migrations: &'static [migrate::Migration],
        clock: Clock,
    ) -> Result<Self, DbError> {
        let outbox = Outbox::of(schema);
        let engine = match location {
            Location::Sqlite { folder, durable } => Engine::Sqlite(
                sqlite::Sqlite::open(folder, schema, migrations, *durable, clock.now()).await?,
            ),
            Location::Postgres(settings) => Engine::Postgres(
                postgres::Postgres::open(settings, schema, migrations, clock.now()).await?,
            ),
        };
        let (on_commit, log_named_by) = (OnceLock::new(), OnceLock::new());
        let inner = Inner { schema, outbox, clock, engine, on_commit, log_named_by };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The schema's name, which is the service's name.
    pub fn schema(&self) -> &'static str {
        self.inner.schema
    }

    /// Which engine this is.
    pub fn engine(&self) -> EngineKind {
        match &self.inner.engine {
            Engine::Sqlite(_) => EngineKind::Sqlite,
            Engine::Postgres(_) => EngineKind::Postgres,
        }
    }

    /// The clock that this database was opened with.
    pub fn clock(&self) -> &Clock {
        &self.inner.clock
    }

    /// The statements of this service's outbox and the tables beside it.
    pub fn outbox(&self) -> &'static Outbox {
        self.inner.outbox
    }

    /// Names what is done with the facts of each commit, before its caller goes on. Set once, at start.
    pub fn on_commit(&self, hook: OnCommit) {
        // A second hook would silently lose one of them; the first stays.
        if self.inner.on_commit.set(hook).is_err() {
            tracing::error!(schema = self.inner.schema, "a second commit hook was refused");
        }
    }

    /// Names where the size and time of each commit are noted from now on. Set once, at start; the first stays.
    pub fn measure_commits(&self, commits: CommitMetrics) {
        let measured = match &self.inner.engine {
            Engine::Sqlite(engine) => engine.measured(),
            Engine::Postgres(engine) => engine.measured(),
        };
        measured.get_or_init(|| commits);
    }

    /// Runs one transaction and returns what the closure returned, once it is durable.
    ///
    /// # Errors
    /// The closure's own error, after a roll-back; or a [`DbError`] turned into the closure's error type.
    pub async fn write<T, E, F>(&self, work: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        self.write_with(None, work).await
    }

    /// The same as [`Db::write_once`], for a row that many writers change: on Postgres it runs at READ COMMITTED and
    /// first takes the lock that `lock` names with `params`, so that writers queue up instead of failing. On SQLite,
    /// where writers queue up anyway, the lock is left out.
    ///
    /// # Errors
    /// As [`Db::write_once`].
    pub async fn write_locking<T, E, F>(
        &self,
        lock: &'static Sql,
        params: &[Param<'_>],
        once: Option<Once>,
        work: F,
    ) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        let lock = Some((lock, params));
        match once {
            Some(once) => self.write_with(lock, answered_once(once, work)).await,
            None => self.write_with(lock, work).await,
        }
    }

    /// The same as [`Db::write_locking`] without an idempotency key, for outcomes that must not be kept, such as
    /// secrets.
    ///
    /// # Errors
    /// As [`Db::write`].
    pub async fn write_queued<T, E, F>(
        &self,
        lock: &'static Sql,
        params: &[Param<'_>],
        work: F,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        self.write_with(Some((lock, params)), work).await
    }

    /// The same as [`Db::write`], once for each idempotency key: what the closure returned is recorded in its own
    /// transaction, and a repeat of the request returns it again without running the closure.
    ///
    /// # Errors
    /// As [`Db::write`]; `KeyReused` if the key was used for another request.
    pub async fn write_once<T, E, F>(&self, once: Option<Once>, work: F) -> Result<T, E>
    where
        T: Serialize + DeserializeOwned + Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        match once {
            Some(once) => self.write_with(None, answered_once(once, work)).await,
            None => self.write_with(None, work).await,
        }
    }

    /// What was answered to this key before, for use cases that do something before their transaction.
    ///
    /// # Errors
    /// `KeyReused` if the key was used for another request.
    pub async fn first_answer<T: DeserializeOwned>(
        &self,
        once: &Once,
    ) -> Result<Option<T>, DbError> {
        let mut tx = self.read().await?;
        outbox::first_answer(&mut tx, once).await
    }

    /// As [`Db::write`], or behind a lock as [`Db::write_queued`].
    pub(crate) async fn write_with<T, E, F>(
        &self,
        lock: Option<(&'static Sql, &[Param<'_>])>,
        work: F,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<DbError> + Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
    {
        let inner = &self.inner;
        let (value, facts) = match &inner.engine {
            Engine::Sqlite(engine) => engine.write(inner.outbox, inner.clock.clone(), work).await?,
            Engine::Postgres(engine) => {
                engine.write(inner.outbox, inner.clock.clone(), lock, caught(work)).await?
            }
        };
        if !facts.is_empty() {
            crate::request::wrote(inner.schema, &facts);
            if let Some(hook) = inner.on_commit.get() {
                hook(&facts);
            }
        }
        Ok(value)
    }

    /// A transaction to read with. On SQLite every statement sees one snapshot; on Postgres each statement sees what
    /// was committed when it began, and [`Tx::stamp`] is the oldest of them.
    ///
    /// # Errors
    /// `Unavailable` if there is no connection.
    pub async fn read(&self) -> Result<ReadTx, DbError> {
        match &self.inner.engine {
            Engine::Sqlite(engine) => {
                engine.read(self.inner.outbox, self.inner.clock.clone()).await
            }
            Engine::Postgres(engine) => {
                engine.read(self.inner.outbox, self.inner.clock.clone()).await
            }
        }
    }

    /// Waits until something may have been committed, at most `at_most`.
    pub async fn changed(&self, at_most: Duration) {
        match &self.inner.engine {
            Engine::Sqlite(engine) => engine.changed(at_most).await,
            Engine::Postgres(engine) => engine.changed(at_most).await,
        }
    }

    /// Connections in use and the most there can be.
    pub fn connections(&self) -> (usize, usize) {
        match &self.inner.engine {
            Engine::Sqlite(engine) => engine.connections(),
            Engine::Postgres(engine) => engine.connections(),
        }
    }

    /// The host of the server; `localhost` for a file.
    pub fn host(&self) -> &str {
        match &self.inner.engine {
            Engine::Sqlite(_) => "localhost",
            Engine::Postgres(engine) => engine.host(),
        }
    }

    /// Attempts to connect, and those that failed, since this was last asked; for figures. None for a file.
    pub fn take_attempts(&self) -> (u64, u64) {
        match &self.inner.engine {
            Engine::Sqlite(_) => (0, 0),
            Engine::Postgres(engine) => engine.take_attempts(),
        }
    }

    /// Asks the engine for an answer; for health probes.
    ///
    /// # Errors
    /// `Unavailable` or what the engine says.
    pub async fn ping(&self) -> Result<(), DbError> {
        static PING: Sql = Sql::new("select 1");
        let mut tx = self.read().await?;
        let _one: (i64,) = tx.one(&PING, &[]).await?;
        Ok(())
    }

    /// Prepares `statement` without running it; a test calls this for every statement of every service.
    ///
    /// # Errors
    /// `Statement` with what the engine says.
    pub async fn prepare(&self, statement: &'static Sql) -> Result<(), DbError> {
        let mut tx = self.read().await?;
        tx.prepare(statement).await
    }

    /// Ends the writer after what is queued, so that the file can be opened again. Postgres connections just close.
    pub async fn close(&self) {
        if let Engine::Sqlite(engine) = &self.inner.engine {
            engine.close().await;
        }
    }
}

/// `work`, whose panic is an error and a roll-back, as on SQLite, and not the end of whoever called.
fn caught<T, E, F>(work: F) -> impl for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>
where
    T: Send + 'static,
    E: From<DbError> + Send + 'static,
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
{
    move |tx: &mut Tx| {
        let work = AssertUnwindSafe(work(tx)).catch_unwind();
        Box::pin(async move { work.await.unwrap_or_else(|_said| Err(DbError::Panicked.into())) })
    }
}

/// `work` with the record of its answer around it, in the same transaction.
fn answered_once<T, E, F>(
    once: Once,
    work: F,
) -> impl for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static
where
    T: Serialize + DeserializeOwned + Send + 'static,
    E: From<DbError> + Send + 'static,
    F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + Sync + 'static,
{
    let (once, work) = (Arc::new(once), Arc::new(work));
    move |tx: &mut Tx| {
        let (once, work) = (once.clone(), work.clone());
        Box::pin(async move {
            if let Some(first) = outbox::first_answer(tx, &once).await? {
                return Ok(first);
            }
            let value = work(tx).await?;
            let answer = serde_json::to_string(&value).unwrap_or_default();
            outbox::record_answer(tx, &once, answer).await?;
            Ok(value)
        })
    }
}

impl From<DbError> for crate::error::Problem {
    fn from(error: DbError) -> Self {
        use crate::error::{Code, Problem};
        match error {
            DbError::KeyReused => Problem::new(
                Code::KeyReused,
                "This idempotency key was used for another request; use a new key for a new request.",
            ),
            DbError::Unavailable(_) | DbError::Conflict(_) => Problem::new(
                Code::Unavailable,
                "The database does not answer at the moment. Try again in a second; with the same `Idempotency-Key` a write is not done twice.",
            )
            .retry_after_s(1)
            .because(error),
            other => Problem::internal(other),
        }
    }
}
