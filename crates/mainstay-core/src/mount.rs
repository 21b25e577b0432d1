//! What the program gives to a service, and what a service hands to the program.

use crate::{
    blobs::Blobs,
    cache::{CacheMetrics, Mono},
    clock::Clock,
    db::{Db, DbError, Location, Sql, migrate::Migration},
    events::{Log, consumer::Consumer},
    http::{Cursors, Route},
    jobs::{Job, Periodic},
};

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
    /// Figures of the cache classes.
    pub cache_metrics: CacheMetrics,
    /// Where large bytes are.
    pub blobs: Blobs,
}

impl Core {
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
        Log::open(db, self.mono.clone()).await
    }
}

/// Why a service cannot run: read after "failed to start".
#[derive(Debug, thiserror::Error)]
#[error("{message}")]
pub struct MountError {
    message: String,
    #[source]
    cause: Option<DbError>,
}

impl MountError {
    /// With a sentence for the operator.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), cause: None }
    }
}

impl From<DbError> for MountError {
    fn from(error: DbError) -> Self {
        Self { message: "open its records".into(), cause: Some(error) }
    }
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
    /// Work it promises.
    pub jobs: Vec<Job>,
    /// Work it does again and again.
    pub periodic: Vec<Periodic>,
    /// Every statement it runs, for the test that prepares them on both engines.
    pub statements: Vec<&'static Sql>,
}
