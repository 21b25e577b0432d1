//! `mainstay serve`.

use std::time::Duration;

use anyhow::Context as _;
use mainstay_core::{
    config::{Changed, Config},
    control::{ControlServer, Request, Response},
    data_dir::DataDir,
    db::BoxFuture,
    telemetry::{Logs, Metrics},
};
use serde_json::json;
use tokio::{
    net::TcpListener,
    signal::unix::{Signal, SignalKind, signal},
};

use super::{order, settings::ServeFlags, version};
use crate::{
    exit::{self, Exit},
    output,
    services::{self, House},
    shutdown::Shutdown,
};

/// Run the program until it is told to end.
///
/// When it is ready it prints one line with its address; logs go to standard error. SIGTERM or Ctrl-C answers what is
/// under way and ends; a second one ends at once. SIGHUP reads the configuration file anew and takes over what it can.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mainstay serve
  mainstay serve --data /var/lib/mainstay --listen 0.0.0.0:8080
  mainstay serve --config /etc/mainstay.toml --set log.level=debug")]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) settings: ServeFlags,
}

/// What was logged last has this long to reach its file or terminal.
pub(super) const LOG_FLUSH_MAX: Duration = Duration::from_secs(2);

pub(super) async fn run(config: Config, json: bool) -> anyhow::Result<Exit> {
    // Before anything else, so that a signal during a long start is not lost.
    let signals = Signals::listen()?;
    let metrics = Metrics::new();
    let logs = Logs::install(&config.core().log.log(), &metrics)?;
    tracing::info!(version = version::long(), "starting");
    let ended = serve(&config, &metrics, &logs, signals, json).await;
    logs.flush(LOG_FLUSH_MAX);
    ended.map(|()| Exit::Done)
}

/// What the outside may tell the program while it runs.
pub(super) struct Signals {
    pub(super) shutdown: Shutdown,
    hangup: Signal,
}

impl Signals {
    /// Listens from now on.
    pub(super) fn listen() -> anyhow::Result<Self> {
        let shutdown = Shutdown::on_signals().context("listen for signals")?;
        let hangup = signal(SignalKind::hangup()).context("listen for SIGHUP")?;
        Ok(Self { shutdown, hangup })
    }
}

async fn serve(
    config: &Config,
    metrics: &Metrics,
    logs: &Logs,
    signals: Signals,
    json: bool,
) -> anyhow::Result<()> {
    let data_dir = DataDir::open(&config.core().data.dir)?;
    let house = services::open(config, &data_dir, metrics, Some(logs.access())).await?;
    let listener = listen(config).await?;
    let running = Running { config, logs, signals, data_dir: &data_dir, house };
    running.serve(listener, |address| say_ready(address, json)).await
}

/// The socket that the configuration names.
pub(super) async fn listen(config: &Config) -> anyhow::Result<TcpListener> {
    let listen = config.core().http.listen;
    TcpListener::bind(listen).await.with_context(|| {
        format!("listen on {listen}; if another program does, choose another port with --listen")
    })
}

/// What is opened and can be served.
pub(super) struct Running<'a> {
    pub(super) config: &'a Config,
    pub(super) logs: &'a Logs,
    pub(super) signals: Signals,
    pub(super) data_dir: &'a DataDir,
    pub(super) house: House,
}

impl Running<'_> {
    /// Serves until it is told to end; `ready` is told the address first.
    pub(super) async fn serve(
        self,
        listener: TcpListener,
        ready: impl FnOnce(&str) -> anyhow::Result<()>,
    ) -> anyhow::Result<()> {
        let Self { config, logs, signals: Signals { shutdown, hangup }, data_dir, house } = self;
        let address = listener.local_addr().context("learn which address is listened on")?;
        let control = ControlServer::bind(data_dir)?;
        let (begun, announce) = (shutdown.begun(), config.core().http.server().announce);
        // As long as requests are taken, so are orders.
        let ended = async move {
            begun.await;
            tokio::time::sleep(announce).await;
        };
        let orders = tokio::spawn(control.serve(orders(house.clone()), ended));
        ready(&format!("http://{address}"))?;
        tokio::select! {
            () = house.serve(listener, shutdown.begun()) => {}
            () = reload_on_hangup(hangup, config.clone(), logs, &house) => {}
        }
        orders.await.context("end the control socket")
    }
}

fn say_ready(address: &str, json: bool) -> anyhow::Result<()> {
    match json {
        true => output::line(&json!({ "ready": address }).to_string()),
        false => output::line(&format!("mainstay is ready at {address}")),
    }
}

/// Reads the configuration anew at each SIGHUP. If it is not valid, the one in force stays.
async fn reload_on_hangup(mut hangup: Signal, mut config: Config, logs: &Logs, house: &House) {
    while hangup.recv().await.is_some() {
        let reload = match config.reload() {
            Ok(reload) => reload,
            Err(error) => {
                let why = exit::sentence(&error.into());
                tracing::error!(why, "the configuration was not reloaded; what was in force stays");
                continue;
            }
        };
        config = reload.config;
        if let Err(error) = logs.set_level(&config.core().log.level) {
            tracing::error!(%error, "the log level was not changed");
        }
        if reload.applied.iter().any(|changed| changed.key.starts_with("limit.")) {
            house.take_over(&config);
        }
        let keys = |changed: &[Changed]| {
            changed.iter().map(|changed| changed.key.as_str()).collect::<Vec<_>>().join(", ")
        };
        let (applied, needs_restart) = (keys(&reload.applied), keys(&reload.needs_restart));
        tracing::info!(applied, needs_restart, "the configuration was reloaded");
    }
    std::future::pending().await
}

/// What the command line may ask of the running program.
fn orders(house: House) -> impl Fn(Request) -> BoxFuture<'static, Response> + Send + Sync {
    move |request| {
        let house = house.clone();
        Box::pin(async move { order::answer(&house, request).await })
    }
}
