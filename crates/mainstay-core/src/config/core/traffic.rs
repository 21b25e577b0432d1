//! Who is let in and how much: the server, rates, accounts, live connections.

use std::{net::SocketAddr, time::Duration};

use ipnet::IpNet;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::not_http;
use crate::{
    auth,
    config::{SettingFault, Settings},
    http::{
        middleware::{GateSettings, Limits},
        server::ServerSettings,
    },
    limit::Limit,
};

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
    /// The most open connections; one more waits until another closes.
    #[schemars(range(min = 16, max = 1_000_000))]
    pub connections_max: u32,
    /// The most requests that are worked on at once; one more is answered 503 at once, which keeps the others fast.
    #[schemars(range(min = 1, max = 1_000_000))]
    pub in_flight_max: u32,
    /// The most bytes of all headers of a request; more is answered 431. The address may have 8,192 more; a longer one
    /// is answered 414.
    #[schemars(range(min = 1024, max = 1_048_576))]
    pub header_bytes_max: u32,
    /// Behind a balancer: how long requests are still taken after SIGTERM, in milliseconds, while `/health/ready`
    /// answers 503, so that no new ones come by the time none is taken. A little more than the balancer needs to
    /// notice.
    #[schemars(range(max = 600_000))]
    pub announce_ms: u32,
    /// How long requests under way may go on after that, in milliseconds. Both together are less than the grace period
    /// of whatever stops the program, which is 30 s in Kubernetes and 10 s in Docker.
    #[schemars(range(max = 600_000))]
    pub drain_ms: u32,
    /// Networks of proxies whose `X-Forwarded-For` is believed, such as `10.0.0.0/8`. From anybody else it is ignored,
    /// because whoever sends it chooses the address that limits count.
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
            connections_max: 20_000,
            in_flight_max: 4096,
            header_bytes_max: 32 * 1024,
            announce_ms: 0,
            drain_ms: 8_000,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
        }
    }
}

impl HttpSettings {
    /// What the gate is given.
    pub fn gate(&self) -> GateSettings {
        GateSettings {
            in_flight_max: self.in_flight_max as usize,
            header_bytes_max: self.header_bytes_max as usize,
            trusted_proxies: self.trusted_proxies.clone(),
            cors_origins: self.cors_origins.clone(),
            https: self.public_url.starts_with("https://"),
        }
    }

    /// What the sockets are given.
    pub fn server(&self) -> ServerSettings {
        ServerSettings {
            header_bytes_max: self.header_bytes_max as usize,
            connections_max: self.connections_max as usize,
            announce: Duration::from_millis(self.announce_ms.into()),
            drain: Duration::from_millis(self.drain_ms.into()),
            ..ServerSettings::default()
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

/// Rates, per caller: the person, or the address of whoever is not signed in. Health, metrics, static files and media
/// are not counted; credentials that are no good are, wherever an address sends them, as `limit.read` says. Whoever
/// goes over is answered 429 with `Retry-After`.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LimitSettings {
    /// `false` turns the rates off, and nothing else: limits on size, time and number at once stay.
    #[schemars(extend("x-reloads" = true))]
    pub enabled: bool,
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
            read: rate(6_000, 200),
            write: rate(600, 20),
            auth: rate(20, 10),
            upload: rate(60, 20),
            search: rate(600, 30),
        }
    }
}

impl From<Rate> for Limit {
    fn from(rate: Rate) -> Self {
        Self::per_min(rate.per_min, rate.burst)
    }
}

impl LimitSettings {
    /// What the gate is given.
    pub fn limits(&self) -> Limits {
        let rates = [self.read, self.write, self.auth, self.upload, self.search];
        Limits::new(rates.map(Limit::from), self.enabled)
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

impl AuthSettings {
    /// What accounts are given.
    pub fn accounts(&self) -> auth::Settings {
        auth::Settings {
            access_ttl_s: self.access_token_s.into(),
            refresh_ttl_s: i64::from(self.refresh_token_days) * 24 * 3_600,
            console_ttl_s: i64::from(self.refresh_token_days) * 24 * 3_600,
            registration_open: self.registration == Registration::Open,
            ..auth::Settings::default()
        }
    }
}

impl Settings for AuthSettings {}

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
