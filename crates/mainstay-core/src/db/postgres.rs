//! Postgres: a pool of connections for transactions, and a few shared ones whose autocommit reads are pipelined.

use std::{
    sync::{
        Arc, OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use deadpool_postgres::{
    Manager, ManagerConfig, Object, Pool, PoolError, RecyclingMethod, Timeouts,
};
use futures_util::future::{join, join_all};
use mainstay_contract::ts::Ts;
use tokio_postgres::error::SqlState;

use super::{
    BoxFuture, DbError, Emitted, Outbox, Param, ReadTx, Sql, Tx,
    migrate::{self, Migration},
    tx::Conn,
    value::Value,
};
use crate::{clock::Clock, telemetry::CommitMetrics};

mod connect;
mod tls;
mod wire;

use connect::Connector;

/// How long a caller waits for a connection.
const CONNECTION_WAIT: Duration = Duration::from_secs(5);
/// How often a transaction is run again after a conflict, at most.
const ATTEMPTS_MAX: u32 = 40;
/// Pipelined connections for reads: two keep a slow query from holding up the others.
const SHARED_READERS: usize = 4;

/// How Postgres is reached.
#[derive(Clone)]
pub struct PgSettings {
    /// `postgres://user:password@host:port/database`.
    pub url: String,
    /// Most connections for transactions, for each service.
    pub connections_max: usize,
    /// The longest a statement may run.
    pub statement_timeout_ms: u32,
}

impl std::fmt::Debug for PgSettings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The address may hold a password.
        f.debug_struct("PgSettings")
            .field("connections_max", &self.connections_max)
            .finish_non_exhaustive()
    }
}

pub(super) struct Postgres {
    pool: Pool,
    shared: Pool,
    next: AtomicUsize,
    readers: tokio::sync::RwLock<Vec<Option<Arc<Object>>>>,
    commits: tokio::sync::watch::Sender<u64>,
    measured: OnceLock<CommitMetrics>,
    connector: Connector,
}

/// A connection in a transaction of its own, or a shared one for single statements.
pub(super) enum PgConn {
    /// In a transaction; dropped before its end, the connection closes and the server rolls back.
    Own { object: Option<Box<Object>>, conflicted: bool },
    /// Shared with other readers.
    Shared(Arc<Object>),
}

impl Postgres {
    pub(super) async fn open(
        settings: &PgSettings,
        schema: &'static str,
        migrations: &'static [Migration],
        now: Ts,
    ) -> Result<Self, DbError> {
        let (connector, mut config) = Connector::read(&settings.url)?;
        config.application_name(format!("mainstay-{schema}"));
        config.connect_timeout(CONNECTION_WAIT);
        config.options(format!("-c statement_timeout={}", settings.statement_timeout_ms));
        let (mut client, driver) = connector.open(&config).await?;
        migrate::postgres(&mut client, schema, migrations, now).await?;
        drop(client);
        // The connection's task ends with its client; what it says then is of no use.
        drop(driver.await);
        let pool = |size| {
            let manager = Manager::from_connect(
                config.clone(),
                connector.clone(),
                ManagerConfig { recycling_method: RecyclingMethod::Fast },
            );
            let wait = Timeouts {
                wait: Some(CONNECTION_WAIT),
                create: Some(CONNECTION_WAIT),
                recycle: Some(CONNECTION_WAIT),
            };
            Pool::builder(manager)
                .max_size(size)
                .runtime(deadpool_postgres::Runtime::Tokio1)
                .timeouts(wait)
                .build()
                .map_err(|error| DbError::Unavailable(error.to_string()))
        };
        Ok(Self {
            pool: pool(settings.connections_max.max(1))?,
            shared: pool(SHARED_READERS)?,
            next: AtomicUsize::new(0),
            readers: tokio::sync::RwLock::new(vec![None; SHARED_READERS]),
            commits: tokio::sync::watch::channel(0).0,
            measured: OnceLock::new(),
            connector,
        })
    }

    pub(super) async fn write<T, E, F>(
        &self,
        outbox: &'static Outbox,
        clock: Clock,
        lock: Option<(&'static Sql, &[Param<'_>])>,
        work: F,
    ) -> Result<(T, Vec<Arc<Emitted>>), E>
    where
        E: From<DbError>,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, E>>,
    {
        for attempt in 1..=ATTEMPTS_MAX {
            let object = self.pool.get().await.map_err(no_connection)?;
            let begin = if lock.is_some() {
                "begin isolation level read committed"
            } else {
                "begin isolation level serializable"
            };
            let mut conn = PgConn::Own { object: Some(Box::new(object)), conflicted: false };
            let begun = conn.begin(begin, lock).await;
            let mut tx = Tx::new(Conn::Postgres(conn), outbox, clock.clone(), None);
            let result = match begun {
                Ok(()) => work(&mut tx).await,
                Err(error) => Err(error.into()),
            };
            let facts = tx.take_emitted();
            let Conn::Postgres(mut conn) = tx.take_conn() else {
                return Err(
                    DbError::Unavailable("the transaction lost its connection".into()).into()
                );
            };
            match result {
                Ok(value) => {
                    let began = Instant::now();
                    if conn.commit().await? {
                        if let Some(measured) = self.measured.get() {
                            measured.observe(1, began.elapsed());
                        }
                        self.commits.send_modify(|count| *count += 1);
                        return Ok((value, facts));
                    }
                }
                Err(error) => {
                    let again = conn.conflicted();
                    conn.roll_back().await;
                    if !again {
                        return Err(error);
                    }
                }
            }
            // Full jitter: those who met once do not meet again at the same moment.
            let ceiling = 1_u64 << attempt.min(6);
            tokio::time::sleep(Duration::from_micros(crate::ids::random_u64() % (ceiling * 500)))
                .await;
        }
        Err(DbError::Conflict(ATTEMPTS_MAX).into())
    }

    pub(super) async fn read(
        &self,
        outbox: &'static Outbox,
        clock: Clock,
    ) -> Result<ReadTx, DbError> {
        let slot = self.next.fetch_add(1, Ordering::Relaxed) % SHARED_READERS;
        let ready = self
            .readers
            .read()
            .await
            .get(slot)
            .cloned()
            .flatten()
            .filter(|object| !object.is_closed());
        let object = match ready {
            Some(object) => object,
            None => {
                let mut readers = self.readers.write().await;
                let held =
                    readers.get(slot).cloned().flatten().filter(|object| !object.is_closed());
                match held {
                    Some(object) => object,
                    None => {
                        if let Some(place) = readers.get_mut(slot) {
                            *place = None;
                        }
                        let object = Arc::new(self.shared.get().await.map_err(no_connection)?);
                        if let Some(place) = readers.get_mut(slot) {
                            *place = Some(object.clone());
                        }
                        object
                    }
                }
            }
        };
        let tx = Tx::new(Conn::Postgres(PgConn::Shared(object)), outbox, clock, None);
        Ok(ReadTx { tx, home: None })
    }

    pub(super) async fn changed(&self, at_most: Duration) {
        let mut commits = self.commits.subscribe();
        // Other instances commit too, so this is only a hint and the time is the rule.
        drop(tokio::time::timeout(at_most, commits.changed()).await);
    }

    pub(super) fn measured(&self) -> &OnceLock<CommitMetrics> {
        &self.measured
    }

    /// Attempts to connect, and those that failed, since this was last asked.
    pub(super) fn take_attempts(&self) -> (u64, u64) {
        self.connector.take_counts()
    }

    /// The host that is asked for first.
    pub(super) fn host(&self) -> &str {
        self.connector.host()
    }

    pub(super) fn connections(&self) -> (usize, usize) {
        let (pool, shared) = (self.pool.status(), self.shared.status());
        (
            pool.size.saturating_sub(pool.available) + shared.size.saturating_sub(shared.available),
            pool.max_size + shared.max_size,
        )
    }
}

impl PgConn {
    fn object(&self) -> Result<&Object, DbError> {
        match self {
            Self::Own { object: Some(object), .. } => Ok(object),
            Self::Own { object: None, .. } => {
                Err(DbError::Unavailable("the transaction has ended".into()))
            }
            Self::Shared(object) => Ok(object),
        }
    }

    fn conflicted(&self) -> bool {
        matches!(self, Self::Own { conflicted: true, .. })
    }

    async fn control(&self, text: &str) -> Result<(), DbError> {
        self.object()?.batch_execute(text).await.map_err(|error| refused(&error, text))
    }

    /// Begins a transaction and takes its lock, in one journey.
    async fn begin(
        &mut self,
        begin: &str,
        lock: Option<(&'static Sql, &[Param<'_>])>,
    ) -> Result<(), DbError> {
        let Some((sql, params)) = lock else { return self.control(begin).await };
        let object = self.object()?;
        let (begun, locked) = join(self.control(begin), execute(object, sql, params)).await;
        begun?;
        self.note(&locked);
        locked.map(drop).map_err(|error| refused(&error, sql.text()))
    }

    /// Commits; `false` if the engine asks for another attempt.
    async fn commit(&mut self) -> Result<bool, DbError> {
        let result = match self.object() {
            Ok(object) => object.batch_execute("commit").await,
            Err(error) => return Err(error),
        };
        match result {
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

    async fn roll_back(&mut self) {
        // A connection that cannot roll back is dropped, which makes the server roll back.
        if self.control("rollback").await.is_ok() {
            self.release();
        }
    }

    /// Gives the connection back to its pool; it is outside of any transaction.
    fn release(&mut self) {
        if let Self::Own { object, .. } = self {
            drop(object.take());
        }
    }

    pub(super) async fn prepare(&self, sql: &'static Sql) -> Result<(), DbError> {
        let prepared = self.object()?.prepare_cached(sql.text()).await;
        prepared.map(drop).map_err(|error| refused(&error, sql.text()))
    }

    pub(super) async fn execute(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
    ) -> Result<u64, DbError> {
        let result = execute(self.object()?, sql, params).await;
        self.note(&result);
        result.map_err(|error| refused(&error, sql.text()))
    }

    pub(super) async fn query(
        &mut self,
        sql: &'static Sql,
        params: &[Param<'_>],
    ) -> Result<Vec<Vec<Value>>, DbError> {
        let result = query(self.object()?, sql, params).await;
        self.note(&result);
        result.map_err(|error| refused(&error, sql.text()))
    }

    /// The same for several statements in one journey.
    pub(super) async fn execute_all(
        &mut self,
        statements: &[(&'static Sql, Vec<Param<'_>>)],
    ) -> Result<Vec<u64>, DbError> {
        let object = self.object()?;
        let sent = statements.iter().map(|(sql, params)| execute(object, sql, params));
        let results = join_all(sent).await;
        let texts = statements.iter().map(|(sql, _)| sql.text());
        self.settle(results.into_iter().zip(texts))
    }

    /// The same for several sets of parameters in one journey.
    pub(super) async fn query_all(
        &mut self,
        sql: &'static Sql,
        params: &[Vec<Param<'_>>],
    ) -> Result<Vec<Vec<Vec<Value>>>, DbError> {
        let object = self.object()?;
        let results = join_all(params.iter().map(|params| query(object, sql, params))).await;
        self.settle(results.into_iter().map(|result| (result, sql.text())))
    }

    /// What statements that travelled together came to; the first that failed is the one at fault, because the server
    /// refuses those behind it.
    fn settle<T>(
        &mut self,
        results: impl Iterator<Item = (Result<T, tokio_postgres::Error>, &'static str)>,
    ) -> Result<Vec<T>, DbError> {
        let mut all = Vec::new();
        for (result, text) in results {
            self.note(&result);
            all.push(result.map_err(|error| refused(&error, text))?);
        }
        Ok(all)
    }

    /// Remembers that the engine asked for another attempt, whatever the closure makes of the error.
    fn note<T>(&mut self, result: &Result<T, tokio_postgres::Error>) {
        if let (Err(error), Self::Own { conflicted, .. }) = (result, self) {
            *conflicted |= is_conflict(error);
        }
    }
}

impl Drop for PgConn {
    fn drop(&mut self) {
        if let Self::Own { object, .. } = self
            && let Some(object) = object.take()
        {
            // Still in its transaction: taken out of the pool and closed, so that the server rolls it back.
            drop(Object::take(*object));
        }
    }
}

async fn execute(
    object: &Object,
    sql: &'static Sql,
    params: &[Param<'_>],
) -> Result<u64, tokio_postgres::Error> {
    let statement = object.prepare_cached(sql.text()).await?;
    object.execute(&statement, &references(params)).await
}

async fn query(
    object: &Object,
    sql: &'static Sql,
    params: &[Param<'_>],
) -> Result<Vec<Vec<Value>>, tokio_postgres::Error> {
    let statement = object.prepare_cached(sql.text()).await?;
    let rows = object.query(&statement, &references(params)).await?;
    rows.iter().map(|row| (0..row.len()).map(|column| row.try_get(column)).collect()).collect()
}

fn references<'a>(params: &'a [Param<'a>]) -> Vec<&'a (dyn tokio_postgres::types::ToSql + Sync)> {
    params.iter().map(|param| param as _).collect()
}

fn is_conflict(error: &tokio_postgres::Error) -> bool {
    let code = error.code();
    // Two requests with the same idempotency key at the same moment: the one that comes second meets the first's record
    // when it tries again.
    let same_key = code == Some(&SqlState::UNIQUE_VIOLATION)
        && error.as_db_error().and_then(|error| error.table()) == Some("once");
    same_key
        || code == Some(&SqlState::T_R_SERIALIZATION_FAILURE)
        || code == Some(&SqlState::T_R_DEADLOCK_DETECTED)
}

fn no_connection(error: PoolError) -> DbError {
    DbError::Unavailable(format!("no connection to Postgres: {}", connect::chain(&error)))
}

fn refused(error: &tokio_postgres::Error, statement: &str) -> DbError {
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
