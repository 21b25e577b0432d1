//! Records of a demonstration on each engine.

use mainstay_core::{
    clock::Clock,
    db::{Db, Location, PgSettings, migrate::Migration},
};
use mainstay_testkit::Postgres;

/// A place for records that is empty.
pub(crate) struct Place {
    pub(crate) location: Location,
    _folder: Option<tempfile::TempDir>,
}

impl Place {
    /// One on each engine.
    pub(crate) async fn on_each_engine() -> Vec<Self> {
        let folder = tempfile::tempdir().unwrap();
        let sqlite = Location::Sqlite { folder: folder.path().to_owned(), durable: true };
        let postgres = Location::Postgres(PgSettings {
            url: Postgres::shared().create_database().await.unwrap(),
            connections_max: 8,
            statement_timeout_ms: 10_000,
        });
        vec![
            Self { location: sqlite, _folder: Some(folder) },
            Self { location: postgres, _folder: None },
        ]
    }

    /// Opens the records, with what was left there before.
    pub(crate) async fn open(&self, migrations: &'static [Migration]) -> Db {
        Db::open(&self.location, "demo", migrations, Clock::system()).await.unwrap()
    }
}
