//! Accounts, sign-ins, tokens and keys, through the core's interface.

mod audit;
mod http;
mod keys;
mod operators;
mod passwords;
mod registering;
mod sessions;
mod tokens;

use mainstay_core::{
    auth::{self, Auth, NewAccount, Origin, PasswordCost, Secrets, Settings, SignedIn},
    clock::Clock,
    contract::ts::Ts,
    db::{Db, Emitted, Location, PgSettings, Position, Sql},
    params, statements,
};
use mainstay_testkit::Postgres;

/// 2026-11-21, noon.
const NOON: Ts = Ts::from_micros(1_795_262_400_000_000);
const PASSWORD: &str = "correct horse battery";

statements! {
    /// Changes an entry of the audit log behind its back.
    FORGE = "update core.audit set origin = 'elsewhere' where seq = $1";
    /// Removes one.
    REMOVE = "delete from core.audit where seq = $1";
}

/// Accounts on one engine, and what a test turns.
struct House {
    auth: Auth,
    db: Db,
    clock: Clock,
    secrets: Secrets,
    folder: tempfile::TempDir,
}

/// A house on each engine that the tests run on.
async fn engines() -> Vec<House> {
    let folder = tempfile::tempdir().unwrap();
    let sqlite = Location::Sqlite { folder: folder.path().to_owned(), durable: true };
    let settings = PgSettings {
        url: Postgres::shared().create_database().await.unwrap(),
        connections_max: 8,
        statement_timeout_ms: 10_000,
    };
    let postgres = Location::Postgres(settings);
    vec![house(sqlite, folder).await, house(postgres, tempfile::tempdir().unwrap()).await]
}

/// A house in an empty place. The folder is the house's own, also where the records are not in it.
async fn house(location: Location, folder: tempfile::TempDir) -> House {
    let clock = Clock::manual(NOON);
    let db = Db::open(&location, "core", auth::MIGRATIONS, clock.clone()).await.unwrap();
    let secrets = Secrets { master: [7; 32] };
    let auth = Auth::open(db.clone(), &secrets, settings(), clock.clone()).await.unwrap();
    House { auth, db, clock, secrets, folder }
}

/// The default settings with a hash that is quick to compute: these tests are not about its cost.
fn settings() -> Settings {
    let password_cost = PasswordCost { memory_kib: 64, passes: 1, lanes: 1 };
    Settings { password_cost, password_queue_max: 1_024, ..Settings::default() }
}

fn new(handle: &str) -> NewAccount {
    let email = format!("{handle}@example.org");
    NewAccount { handle: handle.into(), email, password: PASSWORD.into() }
}

fn home() -> Origin {
    let agent = Some("a browser".to_owned());
    Origin { address: Some([192, 0, 2, 1].into()), agent }
}

impl House {
    async fn register(&self, handle: &str) -> SignedIn {
        self.auth.register(new(handle), &home()).await.unwrap()
    }

    async fn login(&self, login: &str) -> SignedIn {
        self.auth.login(login, PASSWORD, &home()).await.unwrap()
    }

    async fn caller(&self, signed_in: &SignedIn) -> mainstay_core::auth::Caller {
        self.auth.authenticate_bearer(&signed_in.access_token).await.unwrap()
    }

    /// Another instance of the program on the same records.
    async fn other_instance(&self) -> Auth {
        Auth::open(self.db.clone(), &self.secrets, settings(), self.clock.clone()).await.unwrap()
    }

    async fn facts(&self) -> Vec<Emitted> {
        let mut tx = self.db.read().await.unwrap();
        self.db.outbox().after(&mut tx, Position::default(), 1_000).await.unwrap()
    }

    async fn run(&self, statement: &'static Sql, seq: i64) {
        self.db
            .write::<_, mainstay_core::db::DbError, _>(move |tx| {
                Box::pin(async move { tx.execute(statement, params![seq]).await })
            })
            .await
            .unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_accounts_is_understood() {
    for house in engines().await {
        for statement in auth::store::STATEMENTS {
            house.db.prepare(statement).await.unwrap();
        }
        for statement in house.db.outbox().statements() {
            house.db.prepare(statement).await.unwrap();
        }
    }
}
