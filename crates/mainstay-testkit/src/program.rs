//! A whole program for tests: the services that it is given, on port 0, on either engine.
//!
//! Reading order: [`Setup`] (what a test chooses), [`Program`] (what it gets), `client.rs` (who talks to it),
//! `contract.rs` (each answer is compared with the document of the interface, in every test).
#![expect(clippy::panic, reason = "a test that cannot go on must fail")]

mod again;
mod blobs;
mod client;
mod contract;
mod listener;

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use futures_util::FutureExt as _;
use mainstay_core::{
    auth::{self, Actor, NewUser, Origin, PasswordCost, Role, Secrets},
    blobs::Blobs,
    cache::SecondLevelConfig,
    clock::Clock,
    config::{Config, Flag, Sources},
    db::{Db, Location, PgSettings, Sql},
    error::Tolerate as _,
    http::{Route, openapi, server::Drained},
    jobs::Periodic,
    live::LiveSettings,
    mount::{Core, CoreParts, Service},
    program::{self, ProgramSettings},
    telemetry::Metrics,
};
use serde_json::{Value, json};
use tokio::{net::TcpListener, sync::oneshot, task::JoinHandle};

use self::contract::Contract;
pub use self::{
    client::{Answer, Client, Request, id_of},
    listener::{Listener, Transport},
};
use crate::Postgres;

/// What a test's people sign in with.
pub const PASSWORD: &str = "correct horse battery";
/// How long a condition may take to come true.
const EVENTUALLY: Duration = Duration::from_secs(20);
/// How often a condition is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(10);
/// Tokens outlive every turn of a test's clock.
const TOKEN_S: i64 = 400 * 24 * 60 * 60;

/// Where the records of a program are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Engine {
    /// Files in the program's folder.
    Sqlite,
    /// A database of its own on the server that the tests of this process share.
    Postgres,
}

/// What a test chooses about its program.
#[derive(Clone)]
pub struct Setup {
    services: &'static [Service],
    flags: Vec<Flag>,
    holds_clock: bool,
    syncs: bool,
}

impl Setup {
    /// A program of these services: without rate limits, with cheap passwords, on the machine's clock.
    pub fn of(services: &'static [Service]) -> Self {
        Self { services, flags: Vec::new(), holds_clock: false, syncs: true }
            .set("limit.enabled", "false")
    }

    /// Sets a key of the configuration, such as `feed.fetch_allow`.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.flags.push(Flag { name: "a test".to_owned(), key, value });
        self
    }

    /// Counts requests against the rate limits.
    #[must_use]
    pub fn limited(self) -> Self {
        self.set("limit.enabled", "true")
    }

    /// Holds the clock at the present instant until the test turns it: `house.clock().advance_s(60)`.
    #[must_use]
    pub fn holding_the_clock(mut self) -> Self {
        self.holds_clock = true;
        self
    }

    /// Lets SQLite answer before the disk has the data: the variant that a test about power cuts must see fail.
    #[must_use]
    pub fn without_syncing(mut self) -> Self {
        self.syncs = false;
        self
    }

    /// Starts the program on an empty place.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start(&self, engine: Engine) -> Program {
        let own = done(tempfile::tempdir(), "make a folder");
        let folder = own.path().to_owned();
        self.start_on(engine, folder, Some(Arc::new(own))).await
    }

    /// Starts the program on SQLite in `folder`, with what an earlier one has left there.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_in(&self, folder: &Path) -> Program {
        self.start_on(Engine::Sqlite, folder.to_owned(), None).await
    }

    async fn start_on(
        &self,
        engine: Engine,
        folder: PathBuf,
        own: Option<Arc<tempfile::TempDir>>,
    ) -> Program {
        let location = match engine {
            Engine::Sqlite => {
                let db = folder.join("db");
                done(fs::create_dir_all(&db), "make a folder for records");
                Location::Sqlite { folder: db, durable: self.syncs }
            }
            Engine::Postgres => {
                let url = Postgres::shared().create_database().await;
                let url = done(url, "make a database");
                Location::Postgres(PgSettings {
                    url,
                    connections_max: 8,
                    statement_timeout_ms: 10_000,
                })
            }
        };
        let clock = match self.holds_clock {
            // From now on: the times of files are the machine's.
            true => Clock::manual(Clock::system().now()),
            false => Clock::system(),
        };
        self.start_at(Place { engine, location, folder, clock, _own: own }).await
    }

    /// Runs `test` against a fresh program on each engine; a failure names the engine.
    ///
    /// # Panics
    /// When the test does.
    pub async fn on_both_engines(&self, test: impl AsyncFn(&Program)) {
        for engine in [Engine::Sqlite, Engine::Postgres] {
            let house = self.start(engine).await;
            let run = std::panic::AssertUnwindSafe(test(&house)).catch_unwind();
            if run.await.is_err() {
                panic!("it failed on {engine:?}; what failed is said above");
            }
            house.end().await;
        }
    }

    async fn start_at(&self, place: Place) -> Program {
        let sections = self.services.iter().map(|service| (service.section)()).collect();
        let sources = Sources { flags: self.flags.clone(), ..Sources::default() };
        let config = done(Config::load(sections, sources), "read the configuration");
        let blobs = blobs(&config, &place.folder).await;
        let core = Core::open(CoreParts {
            clock: place.clock.clone(),
            location: place.location.clone(),
            blobs: blobs.public_at(&config.core().blobs.public_url),
            secrets: Secrets { master: [7; 32] },
            auth: accounts(&config),
            live: LiveSettings::default(),
            metrics: Metrics::new(),
            redis: redis(&config).await,
        });
        let core = done(core.await, "open the core");
        let mut mounts = Vec::new();
        for service in self.services {
            mounts.push(done((service.mount)(&core, &config).await, "open a service"));
        }
        let periodic = mounts.iter().flat_map(|mount| mount.periodic.iter().cloned()).collect();
        let settings = config.core();
        let program = program::Program::assemble(
            core.clone(),
            mounts,
            Vec::new(),
            ProgramSettings {
                gate: settings.http.gate(),
                limits: settings.limit.limits(),
                server: settings.http.server(),
                access: None,
                poll: Duration::from_millis(settings.events.poll_ms.into()),
                retention_days: settings.events.retention_days,
                job_workers: settings.jobs.workers,
                version: "test".to_owned(),
            },
        );
        let mut program = done(program, "assemble the program");
        let records = program.statements().into_iter().map(|(mount, statements)| Records {
            name: mount.name,
            db: mount.log.db().clone(),
            statements,
        });
        let records = records.collect();
        let routes = program.routes().to_vec();
        let contract = Arc::new(Contract::new(openapi::document(&routes, "test")));
        let listener = done(TcpListener::bind("127.0.0.1:0").await, "listen");
        let address = done(listener.local_addr(), "learn the port");
        program.start();
        program.look().await;
        let (stop, stopped) = oneshot::channel::<()>();
        let serving = tokio::spawn(program.serve(listener, stopped.map(drop)));
        let http = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build();
        let http = done(http, "make a client");
        Program {
            setup: self.clone(),
            place,
            core,
            address,
            routes,
            contract,
            records,
            periodic,
            http,
            stop: Mutex::new(Some(stop)),
            serving,
        }
    }
}

/// The blobs: in a folder, unless the test names a bucket.
async fn blobs(config: &Config, folder: &Path) -> Blobs {
    let settings = &config.core().blobs;
    let url = match settings.url.as_str() {
        "" => folder.join("blobs").display().to_string(),
        url => url.to_owned(),
    };
    let s3 = done(settings.s3().await, "learn the keys of the bucket");
    done(Blobs::open(&url, &s3), "open the blobs")
}

/// Where the cache's second level is, if the test names one.
async fn redis(config: &Config) -> Option<SecondLevelConfig> {
    let url = &config.core().redis.url;
    if url.is_empty() {
        return None;
    }
    let url = done(url.resolve().await, "learn where Redis is");
    Some(SecondLevelConfig::new(url.reveal().as_str()))
}

/// What is configured, with hashes that are quick to compute and tokens that outlive a turned clock.
fn accounts(config: &Config) -> auth::Settings {
    auth::Settings {
        access_ttl_s: TOKEN_S,
        refresh_ttl_s: TOKEN_S,
        password_cost: PasswordCost { memory_kib: 64, passes: 1, lanes: 1 },
        password_queue_max: 4_096,
        ..config.core().auth.accounts()
    }
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
