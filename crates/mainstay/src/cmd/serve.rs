//! `mainstay serve`.

use std::time::Duration;

use anyhow::Context as _;
use mainstay_core::{
    config::Config,
    control::{ControlServer, Request, Response},
    data_dir::DataDir,
    db::BoxFuture,
    telemetry::{Logs, Metrics},
};
use serde_json::json;
use tokio::net::TcpListener;

use super::{settings::ServeFlags, user, version};
use crate::{
    exit::Exit,
    output,
    services::{self, House},
    shutdown::Shutdown,
};

/// Run the program until it is told to end.
///
/// When it is ready it prints one line with its address; logs go to standard error. SIGTERM or Ctrl-C answers what is
/// under way and ends; a second one ends at once.
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
const LOG_FLUSH_MAX: Duration = Duration::from_secs(2);

pub(super) async fn run(config: Config, json: bool) -> anyhow::Result<Exit> {
    // Before anything else, so that a signal during a long start is not lost.
    let shutdown = Shutdown::on_signals().context("listen for signals")?;
    let metrics = Metrics::new();
    let logs = Logs::install(&config.core().log.log(), &metrics)?;
    tracing::info!(version = version::long(), "starting");
    let ended = serve(&config, &metrics, &logs, shutdown, json).await;
    logs.flush(LOG_FLUSH_MAX);
    ended.map(|()| Exit::Done)
}

async fn serve(
    config: &Config,
    metrics: &Metrics,
    logs: &Logs,
    shutdown: Shutdown,
    json: bool,
) -> anyhow::Result<()> {
    let data_dir = DataDir::open(&config.core().data.dir)?;
    let house = services::open(config, &data_dir, metrics, Some(logs.access())).await?;
    let listen = config.core().http.listen;
    let listener = TcpListener::bind(listen).await.with_context(|| {
        format!("listen on {listen}; if another program does, choose another port with --listen")
    })?;
    let address = listener.local_addr().context("learn which address is listened on")?;
    let control = ControlServer::bind(&data_dir)?;
    let orders = tokio::spawn(control.serve(orders(house.clone()), shutdown.begun()));
    say_ready(&format!("http://{address}"), json)?;
    house.serve(listener, shutdown.begun()).await;
    orders.await.context("end the control socket")
}

fn say_ready(address: &str, json: bool) -> anyhow::Result<()> {
    match json {
        true => output::line(&json!({ "ready": address }).to_string()),
        false => output::line(&format!("mainstay is ready at {address}")),
    }
}

/// What the command line may ask of the running program.
fn orders(house: House) -> impl Fn(Request) -> BoxFuture<'static, Response> + Send + Sync {
    move |request| {
        let house = house.clone();
        Box::pin(async move {
            match request.order.as_str() {
                user::CREATE => user::create_as_ordered(&house, request.arguments).await,
                other => Response::Refused(format!(
                    "carry out `{other}`, which the running program does not know; use the program of its version"
                )),
            }
        })
    }
}
