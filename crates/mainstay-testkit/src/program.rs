//! A whole program for tests: the services that it is given, on port 0, on either engine.
//!
//! Reading order: `setup.rs` (what a test chooses), [`Program`] (what it gets), `client.rs` (who talks to it),
//! `contract.rs` (each answer is compared with the document of the interface, in every test).
#![expect(clippy::panic, reason = "a test that cannot go on must fail")]

mod again;
mod blobs;
mod client;
mod contract;
mod examine;
mod listener;
mod setup;

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mainstay_core::{
    auth::{Actor, NewUser, Origin, Role},
    clock::Clock,
    db::{Db, Location, Sql},
    error::Tolerate as _,
    http::{Route, server::Drained},
    jobs::Periodic,
    mount::{Core, Service},
};
use serde_json::{Value, json};
use tokio::{sync::oneshot, task::JoinHandle};

use self::contract::Contract;
pub use self::{
    client::{Answer, Client, Request, id_of},
    listener::{Listener, Transport},
    setup::Setup,
};

/// What a test's people sign in with.
pub const PASSWORD: &str = "correct horse battery";
/// How long a condition may take to come true.
const EVENTUALLY: Duration = Duration::from_secs(20);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Where the records of a program are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Files in the program's folder.
    Sqlite,
    /// A database of its own on the server that the tests of this process share.
    Postgres,
}

/// Where a program keeps its things.
#[derive(Clone)]
struct Place {
    engine: Engine,
    location: Location,
    folder: PathBuf,
    clock: Clock,
    /// Goes with the last program on it.
    _own: Option<Arc<tempfile::TempDir>>,
}

/// The records of one service.
struct Records {
    name: &'static str,
    db: Db,
    statements: Vec<&'static Sql>,
}

/// A running program. Its folder goes with it.
pub struct Program {
    setup: Setup,
    place: Place,
    core: Core,
    address: SocketAddr,
    routes: Vec<Route>,
    contract: Arc<Contract>,
    records: Vec<Records>,
    periodic: Vec<Periodic>,
    http: reqwest::Client,
    stop: Mutex<Option<oneshot::Sender<()>>>,
    serving: JoinHandle<Drained>,
}

impl Program {
    /// Starts a program of `services`, as [`Setup::of`] has it.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(engine: Engine, services: &'static [Service]) -> Self {
        Setup::of(services).start(engine).await
    }

    /// Where its records are.
    pub fn engine(&self) -> Engine {
        self.place.engine
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its clock; it stands still if the setup holds it.
    pub fn clock(&self) -> &Clock {
        &self.place.clock
    }

    /// What its services share.
    pub fn core(&self) -> &Core {
        &self.core
    }

    /// Every route, as declared.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// The OpenAPI document of its routes.
    pub fn document(&self) -> &Value {
        self.contract.document()
    }

    /// The records of a service, `core` for those of accounts.
    ///
    /// # Panics
    /// If there is no such service.
    pub fn db(&self, name: &str) -> &Db {
        let found = self.records.iter().find(|records| records.name == name);
        &found.unwrap_or_else(|| panic!("there is no service `{name}`")).db
    }

    /// Asks the engine to understand every statement of every service; returns how many there are.
    ///
    /// # Panics
    /// With every statement that is not understood, and why.
    pub async fn prepare_every_statement(&self) -> usize {
        let (mut count, mut faults) = (0, Vec::new());
        for records in &self.records {
            for statement in &records.statements {
                count += 1;
                if let Err(error) = records.db.prepare(statement).await {
                    faults.push(format!("{}: {error}", records.name));
                }
            }
        }
        assert!(faults.is_empty(), "{}", faults.join("\n"));
        count
    }

    /// Does once, now, what a service does again and again, such as `feed.sweep_media`.
    ///
    /// # Panics
    /// If there is no such work, or it fails.
    pub async fn work(&self, name: &str) {
        let found = self.periodic.iter().find(|periodic| periodic.name == name);
        let periodic = found.unwrap_or_else(|| panic!("there is no periodic work `{name}`"));
        if let Err(error) = (periodic.run)().await {
            panic!("failed to do `{name}`: {error}");
        }
    }

    /// Somebody who is not signed in.
    pub fn stranger(&self) -> Client {
        Client::new(self.http.clone(), self.address, self.contract.clone())
    }

    /// A person who has registered.
    ///
    /// # Panics
    /// If the handle is taken or not allowed.
    pub async fn person(&self, handle: &str) -> Client {
        let new = json!({ "handle": handle, "email": email(handle), "password": PASSWORD });
        let answer = self.stranger().post("/api/v1/auth/register", new).await;
        self.stranger().signed_in(&answer.expect(201))
    }

    /// Several people who have registered.
    ///
    /// # Panics
    /// As [`Program::person`].
    pub async fn people(&self, prefix: &str, count: usize) -> Vec<Client> {
        let each = (0..count).map(|n| async move { self.person(&format!("{prefix}{n}")).await });
        futures_util::future::join_all(each).await
    }

    /// A person with a role, made by the operator and signed in.
    ///
    /// # Panics
    /// As [`Program::person`].
    pub async fn person_as(&self, role: Role, handle: &str) -> Client {
        let new = NewUser {
            handle: handle.to_owned(),
            email: email(handle),
            password: Some(PASSWORD.to_owned()),
            role,
        };
        let made = self.core.auth.create_user(new, Actor::Operator, &Origin::default()).await;
        done(made, "make an account");
        let login = json!({ "login": handle, "password": PASSWORD });
        let answer = self.stranger().post("/api/v1/auth/login", login).await;
        self.stranger().signed_in(&answer.expect(200))
    }

    /// Ends it as SIGTERM would.
    ///
    /// # Panics
    /// If a request under way had to be cut.
    pub async fn end(self) {
        self.tell();
        // Its idle connections would hold up the end until they are given up.
        drop(self.http);
        let drained = done(self.serving.await, "serve to the end");
        assert_eq!(drained, Drained::Whole, "requests were cut at the end");
    }

    fn tell(&self) {
        let stop = self.stop.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(stop) = stop {
            stop.send(()).tolerate("it has ended already");
        }
    }
}

fn email(handle: &str) -> String {
    format!("{handle}@example.org")
}

/// What was done, or the end of the test with all causes.
fn done<T, E: std::error::Error>(result: Result<T, E>, doing: &str) -> T {
    result.unwrap_or_else(|error| {
        let mut text = format!("failed to {doing}: {error}");
        let mut cause = error.source();
        while let Some(error) = cause {
            text.push_str(&format!(": {error}"));
            cause = error.source();
        }
        panic!("{text}")
    })
}

/// Waits, by looking every few milliseconds, until `condition` holds.
///
/// # Panics
/// When it does not hold within 20 seconds.
pub async fn eventually(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let look = async {
        let mut tick = tokio::time::interval(LOOK_EVERY);
        while !condition().await {
            tick.tick().await;
        }
    };
    assert!(tokio::time::timeout(EVENTUALLY, look).await.is_ok(), "{what}: it did not happen");
}
