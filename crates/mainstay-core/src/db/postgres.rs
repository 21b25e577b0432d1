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
use mainstay_contract::ts::Ts;

use super::{
    BoxFuture, DbError, Emitted, Outbox, Param, ReadTx, Sql, Tx,
    migrate::{self, Migration},
    tx::Conn,
};
use crate::{clock::Clock, telemetry::CommitMetrics};

mod conn;
mod connect;
mod tls;
mod wire;

pub(super) use conn::PgConn;
use connect::Connector;
pub(super) use wire::POSTGRES_EPOCH;

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
            let conn = PgConn::begin(object, begin, lock);
            let mut tx = Tx::new(Conn::Postgres(conn), outbox, clock.clone(), None);
            let result = work(&mut tx).await;
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
                        let positions = conn.take_appended();
                        let facts = facts.into_iter().zip(positions);
                        let facts = facts.map(|(fact, position)| Emitted { position, ..fact });
                        return Ok((value, facts.map(Arc::new).collect()));
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

fn no_connection(error: PoolError) -> DbError {
    DbError::Unavailable(format!("no connection to Postgres: {}", connect::chain(&error)))
}
