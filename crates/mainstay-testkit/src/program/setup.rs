//! What a test chooses about its program, and how that starts.
#![expect(clippy::panic, reason = "a test that cannot go on must fail")]

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::FutureExt as _;
use mainstay_core::{
    auth::{self, PasswordCost, Secrets},
    blobs::Blobs,
    cache::SecondLevelConfig,
    clock::Clock,
    config::{Config, Flag, Sources},
    db::{Location, PgSettings},
    http::openapi,
    live::LiveSettings,
    mount::{Core, CoreParts, Service},
    program::{self, ProgramSettings},
    telemetry::Metrics,
};
use tokio::{net::TcpListener, sync::oneshot};

use super::{Contract, Engine, Place, Program, Records, done};
use crate::{Link, Postgres};

/// Tokens outlive every turn of a test's clock.
const TOKEN_S: i64 = 400 * 24 * 60 * 60;
/// What a test chooses about its program.
#[derive(Clone)]
pub struct Setup {
    services: &'static [Service],
    flags: Vec<Flag>,
    holds_clock: bool,
    holds_work: bool,
    syncs: bool,
}

impl Setup {
    /// A program of these services: without rate limits, with cheap passwords, on the machine's clock.
    pub fn of(services: &'static [Service]) -> Self {
        Self { services, flags: Vec::new(), holds_clock: false, holds_work: false, syncs: true }
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

    /// Leaves what services do again and again to the test: `house.work("boards.move_money").await`.
    #[must_use]
    pub fn holding_periodic_work(mut self) -> Self {
        self.holds_work = true;
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

    /// Starts the program on the Postgres database at `url` and with blobs in `folder`, with what an earlier one has
    /// left in both.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_with(&self, url: &str, folder: &Path) -> Program {
        let location = postgres(url.to_owned());
        let (engine, folder, clock) = (Engine::Postgres, folder.to_owned(), self.clock());
        self.start_at(Place { engine, location, folder, clock, _own: None }).await
    }

    /// Starts the program on Postgres, with a link between the two.
    ///
    /// # Panics
    /// When it does not start.
    pub async fn start_behind_a_link(&self) -> (Program, Link) {
        let url = done(Postgres::shared().create_database().await, "make a database");
        let mut url: url::Url = done(url.parse(), "read the database's address");
        let port = url.port().unwrap_or_else(|| panic!("{url} has no port"));
        let link = done(Link::to_port(port).await, "make a link");
        assert!(url.set_port(Some(link.port())).is_ok(), "{url} cannot have a port");
        let own = done(tempfile::tempdir(), "make a folder");
        let folder = own.path().to_owned();
        let location = postgres(url.into());
        let place = Place {
            engine: Engine::Postgres,
            location,
            folder,
            clock: self.clock(),
            _own: Some(Arc::new(own)),
        };
        (self.start_at(place).await, link)
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
                postgres(done(url, "make a database"))
            }
        };
        self.start_at(Place { engine, location, folder, clock: self.clock(), _own: own }).await
    }

    fn clock(&self) -> Clock {
        match self.holds_clock {
            // From now on: the times of files are the machine's.
            true => Clock::manual(Clock::system().now()),
            false => Clock::system(),
        }
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

    pub(super) async fn start_at(&self, place: Place) -> Program {
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
        if self.holds_work {
            mounts.iter_mut().for_each(|mount| mount.periodic.clear());
        }
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

fn postgres(url: String) -> Location {
    Location::Postgres(PgSettings { url, connections_max: 8, statement_timeout_ms: 10_000 })
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
