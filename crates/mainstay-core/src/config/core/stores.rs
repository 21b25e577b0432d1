//! Where things are kept: the data folder, records, Redis, blobs, keys.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::not_http;
use crate::{
    blobs::{S3Addressing, S3Settings},
    config::{ConfigError, SettingFault, Settings},
    secrets::{Secret, SecretError, SecretUrl},
};

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
    /// `postgres://user:password@host:5432/database` a server, with one schema for each service. `?sslmode=` takes
    /// `disable`, `prefer`, `require`, `verify-ca`, `verify-full`, and `sslrootcert=` a file of authorities, as with
    /// libpq.
    pub url: SecretUrl,
    /// The most connections to Postgres for each service. More than about twice the server's cores only moves the
    /// queue into the server. SQLite does not use it.
    #[schemars(range(min = 2, max = 1000))]
    pub connections_max: u32,
    /// The longest that one statement may run on Postgres, in milliseconds, so that a bad plan holds no connection.
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

impl DbSettings {
    /// Whether records are in the data folder and nowhere else.
    pub fn is_in_data_folder(&self) -> bool {
        self.url == SecretUrl::literal("sqlite:")
    }
}

impl Settings for DbSettings {
    fn faults(&self) -> Vec<SettingFault> {
        let schemes = ["sqlite:", "postgres://", "postgresql://"];
        one_of_schemes("url", &self.url, &schemes, "`sqlite:` or `postgres://host/database`")
    }
}

/// Redis, as a second level of the cache that all instances share.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RedisSettings {
    /// `redis://user:password@host:6379/0`, or `rediss://` for TLS. Empty: each instance keeps its own. An authority
    /// that the system does not know is named as for Postgres, such as
    /// `rediss://host:6380/0?sslrootcert=/etc/ssl/redis-ca.pem`.
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
    /// Where browsers fetch pictures and films of public posts from, such as `https://cdn.example.org`: a CDN that
    /// asks this program for `/media/…` and keeps the answer as its `Cache-Control` says. Private ones never go there.
    /// What was public once stays in the CDN until it is purged there. Empty: from this program.
    pub public_url: String,
    /// The object store's address if it is not Amazon's, such as `https://minio.example.org:9000`.
    pub endpoint: String,
    /// Where the bucket's name stands: `path` for `https://endpoint/bucket`, which every store takes; `host` for
    /// `https://bucket.endpoint`.
    pub addressing: S3Addressing,
    /// `true` lets `blobs.endpoint` be plain `http://`, for a store on the same machine.
    pub allow_http: bool,
    /// The object store's region, such as `eu-central-1`.
    pub region: String,
    /// The access key's id. Empty: the machine's own role is used, where the store offers that.
    pub access_key: Secret,
    /// The access key's secret.
    pub secret_key: Secret,
}

impl BlobSettings {
    /// What the object store's client is given.
    ///
    /// # Errors
    /// If a secret cannot be had.
    pub async fn s3(&self) -> Result<S3Settings, SecretError> {
        Ok(S3Settings {
            endpoint: self.endpoint.clone(),
            region: self.region.clone(),
            access_key_id: self.access_key.resolve().await?.reveal().clone(),
            secret_access_key: self.secret_key.resolve().await?.reveal().clone(),
            addressing: self.addressing,
            allow_http: self.allow_http,
        })
    }
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
        // An address is made by writing a path behind it.
        let more = url::Url::parse(&self.public_url).is_ok_and(|url| {
            let named = !url.username().is_empty() || url.password().is_some();
            named || url.query().is_some() || url.fragment().is_some()
        });
        if more {
            let message = "is more than a place; write scheme, host and path, such as https://cdn.example.org";
            faults.push(SettingFault::new("public_url", message));
        }
        faults
    }
}

/// Keys that protect data.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SecretSettings {
    /// The key that encrypts personal data, as 64 hexadecimal digits. Empty: the file `keys/master.key` in the data
    /// folder, made at the first start. Instances that share a database need the same key. Whoever loses it loses every
    /// address; keep a copy apart from the backups.
    pub master_key: Secret,
}

impl SecretSettings {
    /// The master key if the configuration gives it; none if it is the file in the data folder.
    ///
    /// # Errors
    /// `Section` if it cannot be had or is no key.
    pub async fn master(&self) -> Result<Option<[u8; 32]>, ConfigError> {
        if self.master_key.is_empty() {
            return Ok(None);
        }
        let failed = |message| ConfigError::Section { name: "secrets", message };
        let text = self.master_key.resolve().await.map_err(|error| failed(error.to_string()))?;
        let mut master = [0_u8; 32];
        match hex::decode_to_slice(text.reveal().trim(), &mut master) {
            Ok(()) => Ok(Some(master)),
            // What it says could hold a part of the key.
            Err(_) => {
                Err(failed("`secrets.master_key` must hold 64 hexadecimal digits".to_owned()))
            }
        }
    }
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
