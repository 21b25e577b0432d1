//! What the program is made of: the core and its services, opened from the configuration.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use mainstay_core::{
    auth::{self, Actor, Auth, AuthError, Origin, Secrets},
    cache::Mono,
    clock::Clock,
    config::{Config, Flag, Section, Sources},
    data_dir::DataDir,
    db::{Db, Location, PgSettings},
    events::Log,
    http::{
        Route,
        middleware::Gate,
        router,
        server::{self, Drained, ServerSettings},
    },
    mount::Mount,
    telemetry::{AccessLog, HttpMetrics, Metrics},
};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{
    cmd::{NewUser, Size},
    exit::{Exit, Refusal},
};

/// The settings of every service.
pub(crate) fn sections() -> Vec<Section> {
    vec![Section::of::<svc_feed::Config>("feed")]
}

/// The opened program. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct House {
    inner: Arc<Inner>,
}

struct Inner {
    auth: Auth,
    gate: Arc<Gate>,
    settings: ServerSettings,
    router: axum::Router,
}

/// Opens everything that `config` names, on the data folder that is ours. Without `access` requests are not logged.
pub(crate) async fn open(
    config: &Config,
    data_dir: &DataDir,
    metrics: &Metrics,
    access: Option<AccessLog>,
) -> anyhow::Result<House> {
    let core = config.core();
    let (clock, mono) = (Clock::system(), Mono::start().context("start the clock")?);
    let location = location(config, data_dir).await?;
    let (auth, accounts) = accounts(config, data_dir, &location, &clock, mono).await?;
    let gate = Arc::new(Gate::new(
        core.http.gate(),
        auth.clone(),
        clock,
        core.limit.limits(),
        HttpMetrics::new(metrics),
        access,
    ));
    let router = router::router(accounts.routes, &gate);
    Ok(House { inner: Arc::new(Inner { auth, gate, settings: core.http.server(), router }) })
}

/// Accounts, which every service needs.
async fn accounts(
    config: &Config,
    data_dir: &DataDir,
    location: &Location,
    clock: &Clock,
    mono: Mono,
) -> anyhow::Result<(Auth, Mount)> {
    let core = config.core();
    let secrets = match core.secrets.master().await? {
        Some(master) => Secrets { master },
        None => auth::load_or_create_master_key(data_dir.path())?,
    };
    let db = Db::open(location, "core", auth::MIGRATIONS, clock.clone()).await?;
    let auth = Auth::open(db.clone(), &secrets, core.auth.accounts(), clock.clone());
    let auth = auth.await.context("open the accounts")?;
    let log = Log::open(db, mono).await.context("follow the accounts")?;
    let mount = auth::mount(&auth, log);
    Ok((auth, mount))
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

impl House {
    /// Serves until `shutdown`, then drains.
    pub(crate) async fn serve(&self, listener: TcpListener, shutdown: impl Future<Output = ()>) {
        let inner = &self.inner;
        let (gate, settings) = (Arc::clone(&inner.gate), inner.settings.clone());
        match server::serve(listener, inner.router.clone(), gate, settings, shutdown).await {
            Drained::Whole => tracing::info!("ended: every request was answered"),
            Drained::Cut => tracing::warn!("ended: the time was up and some requests were cut"),
        }
    }

    /// Takes over what may change while the program runs.
    pub(crate) fn take_over(&self, config: &Config) {
        self.inner.gate.set_limits(config.core().limit.limits());
    }

    /// Makes an account and returns it as it is shown.
    pub(crate) async fn create_user(&self, user: NewUser) -> anyhow::Result<Value> {
        let new = auth::NewUser {
            handle: user.handle,
            email: user.email,
            password: Some(user.password),
            role: user.role.into(),
        };
        let made = self.inner.auth.create_user(new, Actor::Operator, &Origin::default()).await;
        match made {
            Ok(account) => serde_json::to_value(account).context("show the account"),
            Err(AuthError::Invalid(faults) | AuthError::Taken(faults)) => {
                let said = faults.iter().map(|fault| {
                    format!("{}: {}", fault.pointer.trim_start_matches('/'), fault.detail)
                });
                let said: Vec<String> = said.collect();
                Err(Refusal(format!("make the account: {}", said.join(" "))).into())
            }
            Err(error) => Err(anyhow::Error::from(error).context("make the account")),
        }
    }

    /// Closes the records, for a command that ends right after.
    pub(crate) async fn close(&self) {
        self.inner.auth.db().close().await;
    }
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
    let location = location(&config, &data_dir).await?;
    let (clock, mono) = (Clock::system(), Mono::start().context("start the clock")?);
    let (auth, mount) = accounts(&config, &data_dir, &location, &clock, mono).await?;
    auth.db().close().await;
    Ok(mount.routes)
}

/// Fills a folder and serves it.
pub(crate) async fn demo(
    _size: Size,
    _listen: &str,
    _data: Option<PathBuf>,
    _json: bool,
) -> anyhow::Result<Exit> {
    anyhow::bail!("start the demo; this program has nothing to fill it with yet")
}
