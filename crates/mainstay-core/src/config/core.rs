//! The core's own settings, one struct for each section. Their doc comments are the comments of the default file.

use std::{net::SocketAddr, path::PathBuf};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{ConfigError, Section, SettingFault, Settings, section};
use crate::secrets::{Secret, SecretUrl};

macro_rules! core_settings {
    ($($(#[$doc:meta])* $name:ident: $type:ident,)*) => {
        /// Every section of the core.
        #[derive(Debug, Clone, Default)]
        pub struct CoreSettings { $($(#[$doc])* pub $name: $type,)* }

        /// The core's sections, in the order of the default file.
        pub(super) fn sections() -> Vec<Section> {
            vec![$(Section::of::<$type>(stringify!($name)),)*]
        }

        /// Whether a section is one of the core's.
        pub(super) fn owns(name: &str) -> bool {
            [$(stringify!($name),)*].contains(&name)
        }

        impl CoreSettings {
            pub(super) fn from_sections(
                find: impl Fn(&str) -> Option<Value>,
            ) -> Result<Self, ConfigError> {
                Ok(Self { $($name: section::read(stringify!($name), find(stringify!($name)))?,)* })
            }
        }
    };
}

core_settings! {
    /// `[data]`
    data: DataSettings,
    /// `[db]`
    db: DbSettings,
    /// `[redis]`
    redis: RedisSettings,
    /// `[blobs]`
    blobs: BlobSettings,
    /// `[http]`
    http: HttpSettings,
    /// `[limit]`
    limit: LimitSettings,
    /// `[auth]`
    auth: AuthSettings,
    /// `[log]`
    log: LogSettings,
    /// `[events]`
    events: EventSettings,
    /// `[live]`
    live: LiveSettings,
    /// `[jobs]`
    jobs: JobSettings,
    /// `[secrets]`
    secrets: SecretSettings,
}

impl CoreSettings {
    /// The folder of the SQLite files if records are embedded; none if they are in Postgres.
    ///
    /// The address is the one that was read from `db.url`, which may come from a secret.
    pub fn sqlite_folder(&self, db_url: &str) -> Option<PathBuf> {
        let path = db_url.strip_prefix("sqlite:")?;
        let path = path.strip_prefix("//").unwrap_or(path);
        Some(if path.is_empty() { self.data.dir.join("db") } else { PathBuf::from(path) })
    }

    /// The folder of the blobs if they are not in a store elsewhere.
    pub fn blobs_folder(&self) -> Option<PathBuf> {
        match self.blobs.url.as_str() {
            "" => Some(self.data.dir.join("blobs")),
            url if url.contains("://") => url.strip_prefix("file://").map(PathBuf::from),
            path => Some(PathBuf::from(path)),
        }
    }
}

/// What this program keeps on its own disk.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DataSettings {
    /// The data folder: embedded records, blobs, keys, the lock and the control socket. A relative path starts at the
    /// working directory. One program owns the folder; a second one is refused.
    #[schemars(with = "String")]
    pub dir: PathBuf,
}

impl Default for DataSettings {
    fn default() -> Self {
        Self { dir: PathBuf::from("./data") }
    }
}

impl Settings for DataSettings {
    fn faults(&self) -> Vec<SettingFault> {
        match self.dir.as_os_str().is_empty() {
            true => vec![SettingFault::new("dir", "is empty; name a folder, such as ./data")],
            false => Vec::new(),
        }
    }
}

/// Records.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DbSettings {
    /// Where records are: `sqlite:` is the folder `db` in the data folder, `sqlite:/path` another folder, and
    /// `postgres://user:password@host:5432/database` a server, with one schema for each service.
    pub url: SecretUrl,
    /// The most connections to Postgres for each service. More than about twice the server's cores only moves the
    /// queue into the server. SQLite does not use it.
    #[schemars(range(min = 2, max = 1000))]
    pub connections_max: u32,
    /// The longest that one statement may run on Postgres, in milliseconds, so that a bad plan cannot hold a connection.
    #[schemars(range(min = 100, max = 3_600_000))]
    pub statement_timeout_ms: u32,
}

impl Default for DbSettings {
    fn default() -> Self {
        Self {
            url: SecretUrl::literal("sqlite:"),
            connections_max: 16,
            statement_timeout_ms: 10_000,
        }
    }
}

impl Settings for DbSettings {
    fn faults(&self) -> Vec<SettingFault> {
        let schemes = ["sqlite:", "postgres://", "postgresql://"];
        one_of_schemes("url", &self.url, &schemes, "`sqlite:` or `postgres://host/database`")
    }
}

/// Redis, as the second level of the cache and for limits and leases across instances.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RedisSettings {
    /// `redis://user:password@host:6379/0`, or `rediss://` for TLS. Empty: everything of this kind stays in the process,
    /// which is right for one instance.
    pub url: SecretUrl,
}

impl Settings for RedisSettings {
    fn faults(&self) -> Vec<SettingFault> {
        let schemes = ["", "redis://", "rediss://"];
        one_of_schemes("url", &self.url, &schemes, "`redis://host:6379` or leave it empty")
    }
}

/// Pictures, video and other files.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BlobSettings {
    /// Where they are: empty for the folder `blobs` in the data folder, a path for another folder, `s3://bucket/prefix`
    /// for an object store.
    pub url: String,
    /// The object store's address if it is not Amazon's, such as `https://minio.example.org:9000`.
    pub endpoint: String,
    /// The object store's region, such as `eu-central-1`.
    pub region: String,
    /// The access key's id. Empty: the machine's own role is used, where the store offers that.
    pub access_key: Secret,
    /// The access key's secret.
    pub secret_key: Secret,
    /// Where browsers fetch public files from if a CDN stands in front, such as `https://cdn.example.org`. Empty: from
    /// this program.
    pub public_url: String,
}

impl Settings for BlobSettings {
    fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        let schemes = ["s3://", "file://"];
        if self.url.contains("://") && !schemes.iter().any(|s| self.url.starts_with(s)) {
            let message = "has an unknown scheme; write s3://bucket, a path, or leave it empty";
            faults.push(SettingFault::new("url", message));
        }
        if self.access_key.is_empty() != self.secret_key.is_empty() {
            let message = "and `blobs.access_key` belong together; set both or none";
            faults.push(SettingFault::new("secret_key", message));
        }
        faults.extend(not_http("endpoint", &self.endpoint));
        faults.extend(not_http("public_url", &self.public_url));
        faults
    }
}

/// The server. Limits on size, number and time hold for every route; a route may have a tighter one.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSettings {
    /// Address and port to listen on; port 0 takes a free one. The default is reached from this machine only;
    /// `0.0.0.0:8080` is reached from everywhere.
    #[schemars(with = "String")]
    pub listen: SocketAddr,
    /// The address that people use, such as `https://example.org`: for links, cookies and origin checks. Empty: taken
    /// from `http.listen`.
    pub public_url: String,
    /// The most requests that are worked on at once; one more is answered 503 at once, which keeps the others fast.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub in_flight_max: u32,
    /// The most bytes of all headers of a request; more is answered 431.
    #[schemars(range(min = 1024, max = 1_048_576))]
    pub header_bytes_max: u32,
    /// The most bytes of a body where the route does not say otherwise; more is answered 413.
    #[schemars(range(min = 1024, max = 1_073_741_824))]
    pub body_bytes_max: u32,
    /// The longest that a request may take where the route does not say otherwise, in milliseconds; then 503.
    #[schemars(range(min = 100, max = 3_600_000))]
    pub request_timeout_ms: u32,
    /// How long requests under way may go on after SIGTERM, in milliseconds. Less than the grace period of whatever
    /// stops the program, which is 30 s in Kubernetes and 10 s in Docker.
    #[schemars(range(max = 600_000))]
    pub drain_ms: u32,
    /// Networks of proxies whose `X-Forwarded-For` and `X-Forwarded-Proto` are believed, such as `10.0.0.0/8`. From
    /// anybody else those headers are ignored, because whoever sends them chooses the address that limits count.
    #[schemars(with = "Vec<String>")]
    pub trusted_proxies: Vec<IpNet>,
    /// Origins whose scripts may call the interface, such as `https://app.example.org`. Empty: only this site's own.
    pub cors_origins: Vec<String>,
}

impl Default for HttpSettings {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            public_url: String::new(),
            in_flight_max: 4096,
            header_bytes_max: 32 * 1024,
            body_bytes_max: 1024 * 1024,
            request_timeout_ms: 10_000,
            drain_ms: 8_000,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
        }
    }
}

impl Settings for HttpSettings {
    fn faults(&self) -> Vec<SettingFault> {
        let mut faults = not_http("public_url", &self.public_url);
        for origin in &self.cors_origins {
            let bare = url::Url::parse(origin).is_ok_and(|url| {
                ["http", "https"].contains(&url.scheme())
                    && url.origin().ascii_serialization() == *origin
            });
            if !bare {
                let message = format!(
                    "holds `{origin}`, which is no origin; write scheme and host without a path, \
                     such as https://app.example.org"
                );
                faults.push(SettingFault::new("cors_origins", message));
            }
        }
        faults
    }
}

/// How often a caller may do something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rate {
    /// Requests in a minute, evenly spread.
    #[schemars(range(min = 1, max = 60_000_000), extend("x-reloads" = true))]
    pub per_min: u32,
    /// How many may come at once before the even spread counts.
    #[schemars(range(min = 1, max = 1_000_000), extend("x-reloads" = true))]
    pub burst: u32,
}

impl Default for Rate {
    fn default() -> Self {
        Self { per_min: 600, burst: 20 }
    }
}

/// Rates, per caller: key, person or address. Health, metrics, static files and media are not counted. Whoever goes
/// over is answered 429 with `Retry-After`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// `false` turns the rates off, and nothing else: limits on size, time and number at once stay.
    #[schemars(extend("x-reloads" = true))]
    pub enabled: bool,
    /// Everything from one address, before anybody is recognised. Wide, because many people can share an address.
    pub address: Rate,
    /// Reading.
    pub read: Rate,
    /// Writing.
    pub write: Rate,
    /// Signing in, registering, refreshing. Tight, because guessing passwords needs many tries.
    pub auth: Rate,
    /// Uploading files.
    pub upload: Rate,
    /// Searching.
    pub search: Rate,
}

impl Default for LimitSettings {
    fn default() -> Self {
        let rate = |per_min, burst| Rate { per_min, burst };
        Self {
            enabled: true,
            address: rate(30_000, 1_000),
            read: rate(6_000, 200),
            write: rate(600, 20),
            auth: rate(20, 10),
            upload: rate(60, 20),
            search: rate(600, 30),
        }
    }
}

impl Settings for LimitSettings {}

/// Who may sign up.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Everybody.
    #[default]
    Open,
    /// Nobody; accounts are made with `mainstay user create`.
    Closed,
}

/// Accounts and sessions.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct AuthSettings {
    /// How long an access token is good, in seconds. Shorter costs more refreshes; sign-out and suspension take effect
    /// at once in any case.
    #[schemars(range(min = 30, max = 86_400))]
    pub access_token_s: u32,
    /// How long somebody who does not come back stays signed in, in days.
    #[schemars(range(min = 1, max = 3_650))]
    pub refresh_token_days: u32,
    /// Who may sign up: `open` for everybody, `closed` for nobody; then `mainstay user create` makes the accounts.
    pub registration: Registration,
}

impl Default for AuthSettings {
    fn default() -> Self {
        Self { access_token_s: 900, refresh_token_days: 30, registration: Registration::Open }
    }
}

impl Settings for AuthSettings {}

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Text on a terminal, JSON otherwise.
    #[default]
    Auto,
    /// For people.
    Text,
    /// For programs, one object a line.
    Json,
}

/// Logs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// The least level that is written: `error`, `warn`, `info`, `debug` or `trace`, also for one part alone, as in
    /// `info,svc_feed=debug`.
    #[schemars(extend("x-reloads" = true))]
    pub level: String,
    /// `auto` writes text on a terminal and JSON otherwise; `text` and `json` do so always.
    pub format: LogFormat,
    /// A file to write to, rotated at 10 MB, three kept. Empty: standard error.
    pub file: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto, file: String::new() }
    }
}

impl Settings for LogSettings {
    fn faults(&self) -> Vec<SettingFault> {
        // By hand, because the filter's parser takes a misspelt level for the name of a part.
        let levels = ["error", "warn", "info", "debug", "trace", "off"];
        let fits = |part: &str| match part.split_once('=') {
            Some((target, level)) => !target.is_empty() && levels.contains(&level),
            None => levels.contains(&part),
        };
        if self.level.split(',').map(str::trim).all(fits) {
            return Vec::new();
        }
        let message = "is no level; write error, warn, info, debug, trace or off, or for one part \
                       info,svc_feed=debug";
        vec![SettingFault::new("level", message)]
    }
}

/// Facts: what was changed, for caches, live readers and the other services.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EventSettings {
    /// How long facts are kept, in days. A consumer that was away longer has to start anew.
    #[schemars(range(min = 1, max = 3_650))]
    pub retention_days: u32,
    /// How often other instances' facts are looked for where no notice arrives, in milliseconds. It is the most by which
    /// a cache can be behind.
    #[schemars(range(min = 10, max = 60_000))]
    pub poll_ms: u32,
}

impl Default for EventSettings {
    fn default() -> Self {
        Self { retention_days: 30, poll_ms: 250 }
    }
}

impl Settings for EventSettings {}

/// Live updates over WebSocket and SSE.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LiveSettings {
    /// The most open connections; one more is answered 503.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub connections_max: u32,
    /// The most messages that wait for one reader. Whoever is slower is told to load anew and is never waited for.
    #[schemars(range(min = 8, max = 65_536))]
    pub queue_len: u32,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self { connections_max: 10_000, queue_len: 256 }
    }
}

impl Settings for LiveSettings {}

/// Work in the background.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JobSettings {
    /// The most jobs of a service that run at once.
    #[schemars(range(min = 1, max = 256))]
    pub workers: u32,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self { workers: 4 }
    }
}

impl Settings for JobSettings {}

/// Keys that protect data.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecretSettings {
    /// The key that encrypts personal data, 32 bytes in base 64. Empty: a file in the folder `keys` of the data folder,
    /// made at the first start. Instances that share a database need the same key.
    pub master_key: Secret,
}

impl Settings for SecretSettings {}

fn one_of_schemes(
    key: &'static str,
    url: &SecretUrl,
    schemes: &[&str],
    instead: &str,
) -> Vec<SettingFault> {
    let fits = |text: &str| match text {
        "" => schemes.contains(&""),
        text => schemes.iter().any(|scheme| !scheme.is_empty() && text.starts_with(scheme)),
    };
    // An address from elsewhere is only known when it is read.
    match url.as_literal() {
        Some(text) if !fits(text) => {
            vec![SettingFault::new(key, format!("has an unknown scheme; write {instead}"))]
        }
        _ => Vec::new(),
    }
}

fn not_http(key: &'static str, text: &str) -> Vec<SettingFault> {
    let http = url::Url::parse(text)
        .is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    match text.is_empty() || http {
        true => Vec::new(),
        false => {
            let message = "is no web address; write it with http:// or https://, or leave it empty";
            vec![SettingFault::new(key, message)]
        }
    }
}
