//! What the program is made of: the core and its services, opened from the configuration.

use std::{path::PathBuf, sync::Arc};

use anyhow::Context as _;
use mainstay_core::{
    auth::Auth,
    clock::Clock,
    config::{Config, Section},
    data_dir::DataDir,
    db::{Location, PgSettings},
    http::{
        Route,
        middleware::Gate,
        router,
        server::{self, Drained, ServerSettings},
    },
    telemetry::{AccessLog, HttpMetrics, Metrics},
};
use serde_json::Value;
use tokio::net::TcpListener;

use crate::{
    cmd::{NewUser, Size},
    exit::Exit,
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
    let _location = location(config, data_dir).await?;
    let gate = Arc::new(Gate::new(
        core.http.gate(),
        Auth,
        Clock::system(),
        core.limit.limits(),
        HttpMetrics::new(metrics),
        access,
    ));
    let router = router::router(Vec::new(), &gate);
    Ok(House { inner: Arc::new(Inner { gate, settings: core.http.server(), router }) })
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
    pub(crate) async fn create_user(&self, _user: NewUser) -> anyhow::Result<Value> {
        anyhow::bail!("make the account; this program has no accounts yet")
    }

    /// Closes the records, for a command that ends right after.
    pub(crate) async fn close(&self) {}
}

/// Every route of the program.
pub(crate) async fn routes() -> anyhow::Result<Vec<Route>> {
    Ok(Vec::new())
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
