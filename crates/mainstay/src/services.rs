//! What the program is made of: the core and its services, opened from the configuration.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context as _;
use mainstay_core::{
    auth::{self, Actor, Auth, Origin, Role, Secrets, load_or_create_master_key},
    blobs::{Blobs, S3Settings},
    clock::Clock,
    config::{Config, Section},
    data_dir::DataDir,
    db::{Location, PgSettings},
    http::{Route, middleware::Gate, server::Drained},
    live::LiveSettings,
    mount::{Core, CoreParts, Service},
    program::{Program, ProgramSettings},
    telemetry::{AccessLog, Metrics, register_system_metrics},
};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::cmd::{self, NewUser, RoleName};

/// Every service; the one place where they are named.
const SERVICES: &[Service] = &[
    // One line for each; `cargo xtask new-service` adds it.
    svc_feed::SERVICE,
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
    let settings = config.core();
    register_system_metrics(metrics, vec![data_dir.path().to_owned()]);
    let core = Core::open(CoreParts {
        clock: Clock::system(),
        location: location(config, data_dir).await?,
        blobs: blobs(config, data_dir).await?,
        secrets: secrets(config, data_dir).await?,
        auth: auth::Settings {
            access_ttl_s: settings.auth.access_token_s.into(),
            refresh_ttl_s: i64::from(settings.auth.refresh_token_days) * 24 * 3_600,
            ..auth::Settings::default()
        },
        live: LiveSettings {
            origins: origins(config),
            connections_max: settings.live.connections_max as usize,
            queue_len_max: settings.live.queue_len as usize,
            ..LiveSettings::default()
        },
        metrics: metrics.clone(),
    })
    .await
    .context("open the core")?;
    let auth = core.auth.clone();
    let mut services = Vec::with_capacity(SERVICES.len());
    for service in SERVICES {
        services.push((service.mount)(&core, config).await.context("open a service")?);
    }
    let program = Program::assemble(
        core,
        services,
        Vec::new(),
        ProgramSettings {
            gate: settings.http.gate(),
            limits: settings.limit.limits(),
            server: settings.http.server(),
            access,
            poll: Duration::from_millis(settings.events.poll_ms.into()),
            retention_days: settings.events.retention_days,
            version: cmd::version_text(),
        },
    )?;
    let gate = Arc::clone(program.gate());
    Ok(House { inner: Arc::new(Inner { auth, gate, program: Mutex::new(Some(program)) }) })
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
    let blobs = &config.core().blobs;
    let url = match blobs.url.as_str() {
        "" => data_dir.blobs().display().to_string(),
        url => url.to_owned(),
    };
    let secret = async |secret: &mainstay_core::secrets::Secret| -> anyhow::Result<String> {
        if secret.is_empty() {
            return Ok(String::new());
        }
        Ok(secret.resolve().await.context("read the blob store's key")?.reveal().to_owned())
    };
    let s3 = S3Settings {
        endpoint: blobs.endpoint.clone(),
        region: blobs.region.clone(),
        access_key_id: secret(&blobs.access_key).await?,
        secret_access_key: secret(&blobs.secret_key).await?,
        addressing: blobs.addressing,
        allow_http: blobs.allow_http,
    };
    Blobs::open(&url, &s3).context("open the blob store")
}

async fn secrets(config: &Config, data_dir: &DataDir) -> anyhow::Result<Secrets> {
    let setting = &config.core().secrets.master_key;
    if setting.is_empty() {
        return from_file(data_dir.path());
    }
    let text = setting.resolve().await.context("read secrets.master_key")?;
    Secrets::from_hex(text.reveal()).context("use secrets.master_key; write 64 hexadecimal digits")
}

fn from_file(folder: &Path) -> anyhow::Result<Secrets> {
    load_or_create_master_key(folder).context("open the master key")
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

    /// Makes an account and returns it as it is shown.
    pub(crate) async fn create_user(&self, user: NewUser) -> anyhow::Result<Value> {
        let NewUser { handle, email, role, password } = user;
        let role = match role {
            RoleName::User => Role::User,
            RoleName::Moderator => Role::Moderator,
            RoleName::Admin => Role::Admin,
        };
        let new = auth::NewUser { handle, email, password: Some(password), role };
        let made = self.inner.auth.create_user(new, Actor::Operator, &Origin::default()).await?;
        Ok(json!({ "id": made.id, "handle": made.handle, "role": made.role }))
    }

    /// Closes the records, for a command that ends right after.
    pub(crate) async fn close(&self) {
        if let Some(mut program) = self.take() {
            program.end().await;
        }
    }
}

/// Every route of the program, opened on a folder that goes away again.
pub(crate) async fn routes() -> anyhow::Result<Vec<Route>> {
    let folder = tempfile::tempdir().context("make a folder")?;
    let data_dir = DataDir::open(folder.path())?;
    let config = Config::defaults(sections())?;
    let house = open(&config, &data_dir, &Metrics::new(), None).await?;
    let mut program = house.take().context("open the program")?;
    let routes = program.routes().to_vec();
    program.end().await;
    Ok(routes)
}
