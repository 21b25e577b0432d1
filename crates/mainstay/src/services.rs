//! What the program is made of: the core and its services, opened from the configuration.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use mainstay_console::web::Console;
use mainstay_core::{
    auth::{Actor, Auth, Origin, Secrets, load_or_create_master_key},
    blobs::Blobs,
    cache::SecondLevelConfig,
    clock::Clock,
    config::{Config, Flag, Section, Sources},
    data_dir::DataDir,
    db::{Location, PgSettings},
    error::Problem,
    http::{Route, middleware::Gate, server::Drained},
    live::LiveSettings,
    mount::{Core, CoreParts, Mount, Order, Service},
    program::{AuditLogs, Facts, Program, ProgramSettings},
    telemetry::{AccessLog, Metrics, register_system_metrics},
};
use serde_json::Value;
use svc_feed::demo;
use tokio::net::TcpListener;

use crate::cmd;

/// Every service; the one place where they are named.
const SERVICES: &[Service] = &[
    // One line for each; `cargo xtask new-service` adds it.
    svc_feed::SERVICE,
    svc_boards::SERVICE,
];

/// The settings of every service.
pub(crate) fn sections() -> Vec<Section> {
    SERVICES.iter().map(|service| (service.section)()).collect()
}

/// The opened program. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct House {
    inner: Arc<Inner>,
}

struct Inner {
    auth: Auth,
    gate: Arc<Gate>,
    facts: Facts,
    audit: AuditLogs,
    orders: Vec<Order>,
    /// Taken by whoever serves or closes it.
    program: Mutex<Option<Program>>,
}

/// Opens everything that `config` names, on the data folder that is ours. Without `access` requests are not logged.
pub(crate) async fn open(
    config: &Config,
    data_dir: &DataDir,
    metrics: &Metrics,
    access: Option<AccessLog>,
) -> anyhow::Result<House> {
    open_as(config, data_dir, metrics, access, |_mount| ()).await
}

/// The same for a demonstration, in which things go on while it is shown. Requests are not logged: what the demo
/// printed is to stay in view.
pub(crate) async fn open_demo(
    config: &Config,
    data_dir: &DataDir,
    metrics: &Metrics,
) -> anyhow::Result<House> {
    open_as(config, data_dir, metrics, None, |mount| mount.periodic.append(&mut mount.demo)).await
}

async fn open_as(
    config: &Config,
    data_dir: &DataDir,
    metrics: &Metrics,
    access: Option<AccessLog>,
    dress: fn(&mut Mount),
) -> anyhow::Result<House> {
    let settings = config.core();
    register_system_metrics(metrics, vec![data_dir.path().to_owned()]);
    let location = location(config, data_dir).await?;
    let core = core(config, data_dir, metrics, (Clock::system(), location)).await?;
    let auth = core.auth.clone();
    let console = Console::new(&core, settings.http.gate().https);
    let mut services = Vec::with_capacity(SERVICES.len());
    for service in SERVICES {
        let mut mount = (service.mount)(&core, config).await.context("open a service")?;
        dress(&mut mount);
        services.push(mount);
    }
    let program = Program::assemble(
        core,
        services,
        console.routes(),
        ProgramSettings {
            gate: settings.http.gate(),
            limits: settings.limit.limits(),
            server: settings.http.server(),
            access,
            poll: Duration::from_millis(settings.events.poll_ms.into()),
            retention_days: settings.events.retention_days,
            job_workers: settings.jobs.workers,
            version: cmd::version_text(),
        },
    )?;
    console.attach(&program);
    let (gate, facts) = (Arc::clone(program.gate()), program.facts().clone());
    let (orders, audit) = (program.orders(), program.audit().clone());
    let program = Mutex::new(Some(program));
    Ok(House { inner: Arc::new(Inner { auth, gate, facts, audit, orders, program }) })
}

/// Opens the core on a clock and a place for records.
async fn core(
    config: &Config,
    data_dir: &DataDir,
    metrics: &Metrics,
    (clock, location): (Clock, Location),
) -> anyhow::Result<Core> {
    let settings = config.core();
    let parts = CoreParts {
        clock,
        location,
        blobs: blobs(config, data_dir).await?,
        secrets: secrets(config, data_dir).await?,
        auth: settings.auth.accounts(),
        live: LiveSettings {
            origins: origins(config),
            connections_max: settings.live.connections_max as usize,
            queue_len_max: settings.live.queue_len as usize,
            ..LiveSettings::default()
        },
        metrics: metrics.clone(),
        redis: redis(config).await?,
    };
    Core::open(parts).await.context("open the core")
}

/// Browsers on these pages may follow live updates: our own public address and those of CORS.
fn origins(config: &Config) -> Vec<String> {
    let http = &config.core().http;
    let own =
        (!http.public_url.is_empty()).then(|| http.public_url.trim_end_matches('/').to_owned());
    own.into_iter().chain(http.cors_origins.iter().cloned()).collect()
}

/// Where the configuration puts records.
pub(crate) async fn location(config: &Config, data_dir: &DataDir) -> anyhow::Result<Location> {
    let db = &config.core().db;
    let url = db.url.resolve().await.context("learn where the database is")?;
    let Some(folder) = config.core().sqlite_folder(url.reveal()) else {
        return Ok(Location::Postgres(PgSettings {
            url: url.reveal().to_owned(),
            connections_max: db.connections_max as usize,
            statement_timeout_ms: db.statement_timeout_ms,
        }));
    };
    let folder = if url.reveal() == "sqlite:" { data_dir.db() } else { folder };
    std::fs::create_dir_all(&folder)
        .with_context(|| format!("make the database's folder `{}`", folder.display()))?;
    Ok(Location::Sqlite { folder, durable: true })
}

async fn blobs(config: &Config, data_dir: &DataDir) -> anyhow::Result<Blobs> {
    let settings = &config.core().blobs;
    let url = match settings.url.as_str() {
        "" => data_dir.blobs().display().to_string(),
        url => url.to_owned(),
    };
    let blobs = Blobs::open(&url, &settings.s3().await?).context("open the blob store")?;
    Ok(blobs.public_at(&settings.public_url))
}

/// Where the cache's second level is, if one is named.
async fn redis(config: &Config) -> anyhow::Result<Option<SecondLevelConfig>> {
    let url = &config.core().redis.url;
    if url.is_empty() {
        return Ok(None);
    }
    let url = url.resolve().await.context("learn where Redis is")?;
    Ok(Some(SecondLevelConfig::new(url.reveal().as_str())))
}

async fn secrets(config: &Config, data_dir: &DataDir) -> anyhow::Result<Secrets> {
    match config.core().secrets.master().await? {
        Some(master) => Ok(Secrets { master }),
        None => load_or_create_master_key(data_dir.path()).context("open the master key"),
    }
}

impl House {
    /// Serves until `shutdown`, then drains.
    pub(crate) async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let Some(mut program) = self.take() else { return };
        program.start();
        program.look().await;
        match program.serve(listener, shutdown).await {
            Drained::Whole => tracing::info!("ended: every request was answered"),
            Drained::Cut => tracing::warn!("ended: the time was up and some requests were cut"),
        }
    }

    fn take(&self) -> Option<Program> {
        self.inner.program.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Takes over what may change while the program runs.
    pub(crate) fn take_over(&self, config: &Config) {
        self.inner.gate.set_limits(config.core().limit.limits());
    }

    /// Accounts and credentials.
    pub(crate) fn auth(&self) -> &Auth {
        &self.inner.auth
    }

    /// Who did what, in all services.
    pub(crate) fn audit(&self) -> &AuditLogs {
        &self.inner.audit
    }

    /// What consumers put aside.
    pub(crate) fn facts(&self) -> &Facts {
        &self.inner.facts
    }

    /// Carries out an order that a service takes; `None` if none takes it.
    pub(crate) async fn service_order(
        &self,
        name: &str,
        arguments: Value,
    ) -> Option<Result<Value, Problem>> {
        let order = self.inner.orders.iter().find(|order| order.name == name)?;
        Some((order.run)(arguments).await)
    }

    /// Gives accounts another password.
    pub(crate) async fn renew_passwords(
        &self,
        handles: impl Iterator<Item = &str>,
        password: &str,
    ) -> anyhow::Result<()> {
        let auth = &self.inner.auth;
        for handle in handles {
            let account = auth.find_by_handle(handle).await.context("find an account")?;
            let account = account.with_context(|| format!("find the account `{handle}`"))?;
            auth.set_password(account.id, password.to_owned(), Actor::Operator, &Origin::default())
                .await
                .with_context(|| format!("give `{handle}` another password"))?;
        }
        Ok(())
    }

    /// Closes the records, for a command that ends right after.
    pub(crate) async fn close(&self) {
        if let Some(mut program) = self.take() {
            program.end().await;
        }
    }
}

/// Fills an empty data folder with a demonstration, unless `stop` comes first; `false` then, and the folder is of no
/// use.
///
/// What is written is not synced at each commit: a demo that a crash interrupted is made anew.
pub(crate) async fn fill_demo(
    config: &Config,
    data_dir: &DataDir,
    (size, password): (demo::Size, &str),
    progress: &(dyn Fn(demo::Progress) + Send + Sync),
    stop: impl Future<Output = ()>,
) -> anyhow::Result<bool> {
    let clock = Clock::manual(demo::begins(Clock::system().now()));
    let folder = data_dir.db();
    let location = Location::Sqlite { folder, durable: false };
    let core = core(config, data_dir, &Metrics::new(), (clock, location)).await?;
    let (feed, mount) =
        svc_feed::mount(&core, config.section("feed")?).await.context("open a service")?;
    // Before anything happens: its rules count what is told from then on.
    let (boards, boards_mount) =
        svc_boards::mount(&core, config.section("boards")?).await.context("open a service")?;
    let fill = async {
        let people = demo::fill(&core, &feed, &mount, size, password, progress).await?;
        svc_boards::demo::fill(&boards, &core.clock, &people).await?;
        anyhow::Ok(true)
    };
    let filled = tokio::select! {
        filled = fill => filled,
        () = stop => Ok(false),
    };
    mount.log.db().close().await;
    boards_mount.log.db().close().await;
    core.auth.db().close().await;
    filled
}

/// Every route of the program. They are asked of the parts themselves, opened on a folder that goes right after.
pub(crate) async fn routes() -> anyhow::Result<Vec<Route>> {
    let folder = tempfile::tempdir().context("make a temporary folder")?;
    let dir = Flag {
        name: "--data".to_owned(),
        key: "data.dir".to_owned(),
        value: folder.path().display().to_string(),
    };
    let config = Config::load(sections(), Sources { flags: vec![dir], ..Sources::default() })?;
    let data_dir = DataDir::open(folder.path())?;
    let house = open(&config, &data_dir, &Metrics::new(), None).await?;
    let mut program = house.take().context("open the program")?;
    let routes = program.routes().to_vec();
    program.end().await;
    Ok(routes)
}
