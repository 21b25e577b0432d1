//! Redis for what a whole fleet shares and nobody keeps a copy of: scripts, each bounded in time.
//!
//! The cache's second level is skipped when Redis is slow; who asks here cannot go on without an answer, so a call may
//! take longer, is tried a second time on a new connection, and says that Redis is away. It is therefore only for
//! scripts that may run twice.

use std::{
    fmt, fs, io,
    sync::atomic::{AtomicI64, AtomicU32, Ordering},
    time::Duration,
};

use ::redis::{
    Client, RedisResult, TlsCertificates, Value,
    aio::{ConnectionManager, ConnectionManagerConfig},
};

use rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::{cache::Mono, engine_address::take_parameter, telemetry::Masked};

/// The longest that a script may take.
const TIMEOUT: Duration = Duration::from_secs(3);
/// Calls that may wait for answers at the same time.
const CALLS_MAX: usize = 1_024;
/// How long calls fail at once after one that failed; doubled with each failure in a row.
const AWAY_MS_MIN: i64 = 50;
const AWAY_MS_MAX: i64 = 1_000;

/// A script, by its text.
pub struct Script(::redis::Script);

impl Script {
    /// Of this text. `KEYS` has one key, and every other key that it uses has the same hash tag.
    pub fn new(text: &str) -> Self {
        Self(::redis::Script::new(text))
    }
}

/// What a script returned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Nothing.
    Nothing,
    /// A whole number.
    Number(i64),
    /// Bytes or a text.
    Bytes(Vec<u8>),
    /// Several.
    List(Vec<Reply>),
}

impl Reply {
    /// The number, also where it came as a text.
    pub fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Bytes(bytes) => std::str::from_utf8(bytes).ok()?.parse().ok(),
            Self::Nothing | Self::List(_) => None,
        }
    }

    /// The bytes; none if it is something else.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Bytes(bytes) => bytes,
            Self::Nothing | Self::Number(_) | Self::List(_) => &[],
        }
    }

    /// What the list holds; nothing if it is something else.
    pub fn list(&self) -> &[Self] {
        match self {
            Self::List(list) => list,
            Self::Nothing | Self::Number(_) | Self::Bytes(_) => &[],
        }
    }
}

impl From<Value> for Reply {
    fn from(value: Value) -> Self {
        match value {
            Value::Int(number) => Self::Number(number),
            Value::BulkString(bytes) => Self::Bytes(bytes),
            Value::SimpleString(text) => Self::Bytes(text.into_bytes()),
            Value::Okay => Self::Bytes(b"OK".to_vec()),
            Value::Array(list) => Self::List(list.into_iter().map(Self::from).collect()),
            // Scripts return nothing else in the protocol's second version.
            _ => Self::Nothing,
        }
    }
}

/// Redis does not answer.
#[derive(Debug, Clone, thiserror::Error)]
#[error("reach Redis: {0}")]
pub struct RedisAway(String);

/// `redis.url` is not one.
#[derive(Debug, thiserror::Error)]
#[error("open Redis; check `redis.url`")]
pub struct RedisError(#[source] ::redis::RedisError);

/// What connects to `url`. With `rediss://` it does so over TLS, to whom an authority vouches for: one that the system
/// knows, or instead one of those in the PEM file that `sslrootcert` in the query names.
///
/// # Errors
/// When it is no address of Redis, or the file cannot be read.
pub(crate) fn client(url: &Masked<String>) -> RedisResult<Client> {
    let (address, root) = take_parameter(url.reveal(), "sslrootcert");
    let Some(root) = root else { return Client::open(address) };
    let unread = |error| io::Error::other(format!("read `{root}` of `sslrootcert`: {error}"));
    let certificates = fs::read(&root).map_err(unread)?;
    if CertificateDer::pem_slice_iter(&certificates).next().is_none() {
        return Err(unread(io::Error::other("it holds no certificate in PEM")).into());
    }
    let tls = TlsCertificates { client_tls: None, root_cert: Some(certificates) };
    Client::build_with_tls(address, tls)
}

/// A Redis that instances share. Connects when it is first used.
pub struct Redis {
    connection: ConnectionManager,
    mono: Mono,
    /// Calls fail at once until then, in [`Mono`] microseconds.
    away_until: AtomicI64,
    failures: AtomicU32,
}

impl Redis {
    /// Prepares the connection without opening it, so that a start does not depend on Redis. Needs a Tokio runtime.
    ///
    /// # Errors
    /// When the address is not one of Redis.
    pub fn new(url: &Masked<String>, mono: Mono) -> Result<Self, RedisError> {
        let client = client(url).map_err(RedisError)?;
        let settings = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_response_timeout(Some(TIMEOUT))
            .set_number_of_retries(1)
            .set_concurrency_limit(CALLS_MAX);
        let connection =
            ConnectionManager::new_lazy_with_config(client, settings).map_err(RedisError)?;
        let (away_until, failures) = (AtomicI64::new(i64::MIN), AtomicU32::new(0));
        Ok(Self { connection, mono, away_until, failures })
    }

    /// Runs a script that may run twice.
    ///
    /// # Errors
    /// When Redis does not answer in time, or did not a moment ago.
    pub async fn run(
        &self,
        script: &Script,
        key: &str,
        arguments: &[Vec<u8>],
    ) -> Result<Reply, RedisAway> {
        if self.mono.now() < self.away_until.load(Ordering::Acquire) {
            return Err(RedisAway("it did not answer a moment ago".to_owned()));
        }
        let mut call = script.0.key(key);
        for argument in arguments {
            call.arg(argument.as_slice());
        }
        let calls = async {
            let mut connection = self.connection.clone();
            let first: RedisResult<Value> = call.invoke_async(&mut connection).await;
            match first {
                // A connection that had ended unnoticed; the manager makes a new one.
                Err(error) if error.is_io_error() || error.is_connection_dropped() => {
                    call.invoke_async(&mut connection).await
                }
                first => first,
            }
        };
        match tokio::time::timeout(TIMEOUT, calls).await {
            Ok(Ok(value)) => {
                if self.failures.swap(0, Ordering::AcqRel) > 0 {
                    tracing::info!("Redis answers again");
                }
                Ok(value.into())
            }
            Ok(Err(error)) => Err(self.pause(&error)),
            Err(elapsed) => Err(self.pause(&elapsed)),
        }
    }

    fn pause(&self, error: &dyn fmt::Display) -> RedisAway {
        let failures = self.failures.fetch_add(1, Ordering::AcqRel);
        let pause_ms = (AWAY_MS_MIN << failures.min(6)).min(AWAY_MS_MAX);
        let until = self.mono.now().saturating_add(pause_ms * 1_000);
        self.away_until.fetch_max(until, Ordering::AcqRel);
        if failures == 0 {
            tracing::warn!(%error, "Redis is away; what is held there alone is not served");
        }
        RedisAway(error.to_string())
    }
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}
