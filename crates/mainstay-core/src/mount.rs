//! What the program gives to a service, and what a service hands to the program.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use serde_json::Value;

use crate::{
    auth::{self, Auth, Secrets},
    blobs::Blobs,
    cache::{CacheMetrics, Mono, SecondLevel, SecondLevelConfig},
    clock::Clock,
    config::{Config, ConfigError, Section},
    db::{BoxFuture, Db, DbError, Location, Sql, migrate::Migration},
    error::Problem,
    events::{Log, consumer::Consumer, snapshot::Snapshot},
    front::Front,
    http::{Cursors, Route},
    jobs::{Job, Periodic},
    live::{Figures, Live, LiveSettings},
    redis::Redis,
    telemetry::Metrics,
};

/// What the core is opened with.
pub struct CoreParts {
    /// The wall clock.
    pub clock: Clock,
    /// Where records are.
    pub location: Location,
    /// Where large bytes are.
    pub blobs: Blobs,
    /// What must stay secret.
    pub secrets: Secrets,
    /// How accounts behave.
    pub auth: auth::Settings,
    /// Bounds of the live channel.
    pub live: LiveSettings,
    /// Where figures are declared.
    pub metrics: Metrics,
    /// Where Redis is: the cache's second level, and what the fleet shares; without it every instance keeps its own.
    pub redis: Option<SecondLevelConfig>,
}

/// The logs of the services that are open, by name: what each of them says in public. Cloning keeps the same.
#[derive(Clone, Default)]
pub struct Logs(Arc<Mutex<BTreeMap<&'static str, Log>>>);

impl Logs {
    /// The log of this service, if it is there and opened its records already.
    pub fn find(&self, service: &str) -> Option<Log> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(service).cloned()
    }

    fn add(&self, log: &Log) {
        let mut logs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        logs.insert(log.db().schema(), log.clone());
    }
}

/// The parts of the core that every service shares. Cloning is cheap.
#[derive(Clone)]
pub struct Core {
    /// The wall clock.
    pub clock: Clock,
    /// The clock that never steps back.
    pub mono: Mono,
    /// Where records are.
    pub location: Location,
    /// Makes and reads cursors.
    pub cursors: Cursors,
    /// Where figures are declared.
    pub metrics: Metrics,
    /// Figures of the cache classes.
    pub cache_metrics: CacheMetrics,
    /// The cache's second level, which all instances share, if there is one.
    pub second_level: Option<Arc<SecondLevel>>,
    /// The same Redis for what all instances share and none keeps a copy of.
    pub redis: Option<Arc<Redis>>,
    /// Where large bytes are.
    pub blobs: Blobs,
    /// Accounts and credentials.
    pub auth: Auth,
    /// The log of accounts.
    pub accounts: Log,
    /// The logs of the core and of each service that was opened, for those who look back at what was told.
    pub logs: Logs,
    /// Updates to clients.
    pub live: Live,
    /// What services add to the console.
    pub front: Front,
}

impl Core {
    /// Opens accounts and what services share.
    ///
    /// # Errors
    /// If the records cannot be opened, or were written under another master key.
    pub async fn open(parts: CoreParts) -> Result<Self, MountError> {
        let CoreParts { clock, location, blobs, secrets, auth, live, metrics, redis } = parts;
        let mono = Mono::start().map_err(|error| MountError::because("start the clock", error))?;
        let db = Db::open(&location, "core", auth::MIGRATIONS, clock.clone()).await?;
        let accounts = Log::open(db.clone(), mono.clone()).await?;
        let auth = Auth::open(db, &secrets, auth, clock.clone())
            .await
            .map_err(|error| MountError::because("open accounts", error))?;
        let cursors = Cursors::new(&secrets.derive("cursors v1"));
        let live = Live::new(live, Figures::new(&metrics), clock.clone());
        live.follow(&accounts);
        let logs = Logs::default();
        logs.add(&accounts);
        let cache_metrics = CacheMetrics::new(&metrics);
        let second_level = redis
            .as_ref()
            .map(|redis| SecondLevel::new(redis, mono.clone()).map(Arc::new))
            .transpose()
            .map_err(|error| MountError::because("open the cache's second level", error))?;
        let redis = redis
            .map(|redis| Redis::new(&redis.url, mono.clone()).map(Arc::new))
            .transpose()
            .map_err(|error| MountError::because("open what the fleet shares", error))?;
        Ok(Self {
            clock,
            mono,
            location,
            cursors,
            metrics,
            cache_metrics,
            second_level,
            redis,
            blobs,
            auth,
            accounts,
            logs,
            live,
            front: Front::default(),
        })
    }

    /// Opens the records of a service and follows its log.
    ///
    /// # Errors
    /// As [`Db::open`].
    pub async fn log(
        &self,
        schema: &'static str,
        migrations: &'static [Migration],
    ) -> Result<Log, DbError> {
        let db = Db::open(&self.location, schema, migrations, self.clock.clone()).await?;
        let log = Log::open(db, self.mono.clone()).await?;
        self.live.follow(&log);
        self.logs.add(&log);
        Ok(log)
    }
}

/// Why the core or a service cannot run: read after "failed to".
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct MountError {
    message: String,
    #[source]
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl MountError {
    /// With a sentence for the operator.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), cause: None }
    }

    /// With its cause.
    pub fn because(
        message: impl Into<String>,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self { message: message.into(), cause: Some(cause.into()) }
    }
}

impl From<DbError> for MountError {
    fn from(error: DbError) -> Self {
        Self::because("open its records", error)
    }
}

impl From<ConfigError> for MountError {
    fn from(error: ConfigError) -> Self {
        Self::because("read its configuration", error)
    }
}

/// A service as the program names it: what is configured, and how it is opened.
#[derive(Clone, Copy)]
pub struct Service {
    /// Its section of the configuration.
    pub section: fn() -> Section,
    /// Opens it.
    pub mount: for<'a> fn(&'a Core, &'a Config) -> BoxFuture<'a, Result<Mount, MountError>>,
}

/// What the command line may ask of a service, on behalf of whoever owns the data folder.
#[derive(Clone)]
pub struct Order {
    /// Its stable name, such as `board.list`.
    pub name: &'static str,
    /// Carries it out with its arguments, and returns what there is to show; an answer has at most a megabyte.
    pub run: Arc<dyn Fn(Value) -> BoxFuture<'static, Result<Value, Problem>> + Send + Sync>,
}

/// A service, ready to be run. The program builds its router, consumers, jobs and documents from nothing else.
pub struct Mount {
    /// Its name: its schema, its configuration section, its metric prefix.
    pub name: &'static str,
    /// Its records and log.
    pub log: Log,
    /// Its API, files and pages.
    pub routes: Vec<Route>,
    /// Facts it takes, its own or others'.
    pub consumers: Vec<Consumer>,
    /// What it tells again of its present state when an operator asks, in this order; none if nobody builds on it.
    pub snapshots: Vec<Snapshot>,
    /// What the command line may ask of it.
    pub orders: Vec<Order>,
    /// Work it promises.
    pub jobs: Vec<Job>,
    /// Work it does again and again.
    pub periodic: Vec<Periodic>,
    /// What goes on besides while a demonstration is shown.
    pub demo: Vec<Periodic>,
    /// Every statement it runs, for the test that prepares them on both engines.
    pub statements: Vec<&'static Sql>,
}
