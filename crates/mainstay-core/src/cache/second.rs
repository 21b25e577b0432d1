//! The second level: Redis, shared by the fleet, and never believed.
//!
//! A value from it is used only if its stamp passes the same check as one from memory, so a Redis that is flushed,
//! rolled back or promoted from a lagging replica costs loads and nothing else. When it is away or slow, calls are
//! skipped for a while that doubles up to [`AWAY_MS_MAX`].

mod record;
mod shelf;

use std::{
    fmt,
    sync::atomic::{AtomicI64, AtomicU32, Ordering},
    time::Duration,
};

use redis::{
    AsyncCommands, ExistenceCheck, FromRedisValue, RedisResult, Script, SetExpiry, SetOptions,
    aio::{ConnectionManager, ConnectionManagerConfig},
};
pub(super) use shelf::{Lease, Place, Shelf};

use super::monotonic::Mono;
use crate::telemetry::Masked;

/// The longest pause before Redis is tried again.
const AWAY_MS_MAX: i64 = 5_000;
/// The first pause; doubled with each failure in a row.
const AWAY_MS_MIN: i64 = 100;
/// Gives a lease back only if it is still ours.
const RELEASE: &str =
    "if redis.call('get', KEYS[1]) == ARGV[1] then return redis.call('del', KEYS[1]) end return 0";

/// How Redis is reached.
#[derive(Debug, Clone)]
pub struct SecondLevelConfig {
    /// `redis://[user:password@]host:port[/db]`, `rediss://` for TLS or `redis+unix:///path`; masked, as it may hold a
    /// password.
    pub url: Masked<String>,
    /// Each call takes at most this long, then the level is skipped (default 20).
    pub timeout_ms: u32,
    /// Longer values are not written (default 1 MiB).
    pub value_bytes_max: usize,
}

impl SecondLevelConfig {
    /// The defaults with this address.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: Masked::new(url.into()), timeout_ms: 20, value_bytes_max: 1 << 20 }
    }
}

/// Redis cannot be used as the second level.
#[derive(Debug, thiserror::Error)]
#[error("open the second cache level; check `redis.url`")]
pub struct SecondLevelError(#[source] redis::RedisError);

/// Redis does not answer.
#[derive(Debug, thiserror::Error)]
#[error("reach Redis: {0}")]
pub struct SecondLevelPing(redis::RedisError);

/// A call to Redis did not succeed; the reason is counted, not told, since the caller goes on without it.
#[derive(Debug)]
pub(super) struct Away;

/// A shared Redis under the classes that have a second level. Cheap to keep, connects when first used.
pub struct SecondLevel {
    redis: ConnectionManager,
    timeout: Duration,
    value_bytes_max: usize,
    mono: Mono,
    release: Script,
    /// Calls are skipped until then, in [`Mono`] microseconds.
    away_until: AtomicI64,
    failures: AtomicU32,
}

impl SecondLevel {
    /// Prepares the connection without opening it, so that a start does not depend on Redis. Needs a Tokio runtime.
    ///
    /// # Errors
    /// When the address is not one of Redis.
    pub fn new(config: &SecondLevelConfig, mono: Mono) -> Result<Self, SecondLevelError> {
        let client = crate::redis::client(&config.url).map_err(SecondLevelError)?;
        let timeout = Duration::from_millis(u64::from(config.timeout_ms.max(1)));
        let settings = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(Duration::from_secs(1)))
            .set_response_timeout(Some(timeout))
            .set_number_of_retries(1)
            .set_concurrency_limit(1_024);
        let redis =
            ConnectionManager::new_lazy_with_config(client, settings).map_err(SecondLevelError)?;
        Ok(Self {
            redis,
            timeout,
            value_bytes_max: config.value_bytes_max,
            mono,
            release: Script::new(RELEASE),
            away_until: AtomicI64::new(i64::MIN),
            failures: AtomicU32::new(0),
        })
    }

    /// Whether calls are being skipped because the last one failed.
    pub fn is_away(&self) -> bool {
        self.mono.now() < self.away_until.load(Ordering::Acquire)
    }

    /// Asks Redis for an answer within the time of a call; for the health probe, so it is asked also while calls are
    /// skipped.
    ///
    /// # Errors
    /// What keeps Redis from answering.
    pub async fn ping(&self) -> Result<(), SecondLevelPing> {
        let mut redis = self.redis.clone();
        let answered: RedisResult<String> = redis.ping().await;
        answered.map(drop).map_err(SecondLevelPing)
    }

    async fn read(&self, key: &str) -> Result<Option<Vec<u8>>, Away> {
        let mut redis = self.redis.clone();
        self.call(async move { redis.get(key).await }).await
    }

    async fn write(&self, key: &str, value: &[u8], ttl_ms: u64) -> Result<(), Away> {
        if value.len() > self.value_bytes_max {
            return Ok(());
        }
        let mut redis = self.redis.clone();
        self.call(async move { redis.pset_ex(key, value, ttl_ms.max(1)).await }).await
    }

    /// Whether this caller now holds the lease.
    async fn take_lease(&self, key: &str, token: u64, ttl_ms: u64) -> Result<bool, Away> {
        let mut redis = self.redis.clone();
        let options = SetOptions::default()
            .conditional_set(ExistenceCheck::NX)
            .with_expiration(SetExpiry::PX(ttl_ms.max(1)));
        let taken: Option<String> =
            self.call(async move { redis.set_options(key, token, options).await }).await?;
        Ok(taken.is_some())
    }

    async fn give_lease_back(&self, key: &str, token: u64) -> Result<(), Away> {
        let mut redis = self.redis.clone();
        let mut script = self.release.key(key);
        script.arg(token);
        self.call(async move { script.invoke_async::<i64>(&mut redis).await }).await?;
        Ok(())
    }

    /// One bounded call, skipped while Redis is away.
    async fn call<T: FromRedisValue>(
        &self,
        call: impl Future<Output = RedisResult<T>>,
    ) -> Result<T, Away> {
        if self.is_away() {
            return Err(Away);
        }
        match tokio::time::timeout(self.timeout, call).await {
            Ok(Ok(answer)) => {
                if self.failures.swap(0, Ordering::AcqRel) > 0 {
                    tracing::info!("second cache level answers again");
                }
                Ok(answer)
            }
            Ok(Err(error)) => {
                self.pause(&error);
                Err(Away)
            }
            Err(elapsed) => {
                self.pause(&elapsed);
                Err(Away)
            }
        }
    }

    fn pause(&self, error: &dyn fmt::Display) {
        let failures = self.failures.fetch_add(1, Ordering::AcqRel);
        let pause_ms = (AWAY_MS_MIN << failures.min(6)).min(AWAY_MS_MAX);
        let until = self.mono.now().saturating_add(pause_ms * 1_000);
        self.away_until.fetch_max(until, Ordering::AcqRel);
        if failures == 0 {
            tracing::warn!(%error, pause_ms, "second cache level is away; loads go to the database");
        }
    }
}

impl fmt::Debug for SecondLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The address may hold a password.
        f.debug_struct("SecondLevel").field("away", &self.is_away()).finish_non_exhaustive()
    }
}
