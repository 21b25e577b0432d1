//! What is looked at to know whether the program works, and how well.

use std::{sync::Arc, time::Duration};

use super::supervisor::Watched;
use crate::{
    db::BoxFuture,
    events::Log,
    health::{Health, Importance, Probe},
    mount::{Core, Mount},
    telemetry::{DbMetrics, Unit},
};

/// The longest that a look may take.
const PROBE_TIME: Duration = Duration::from_secs(2);
/// A log that was not read to its end for this long is not followed: what other instances write is not seen here.
const LAG_MAX: Duration = Duration::from_secs(10);

/// Registers a probe for each dependency, and for what works in the background.
pub(super) fn register(health: &Health, core: &Core, mounts: &[Mount], work: Watched) {
    for mount in mounts {
        let db = mount.log.db().clone();
        health.register(probe(mount.name, Importance::Required, move || {
            let db = db.clone();
            Box::pin(async move { db.ping().await.map_err(|error| error.to_string()) })
        }));
    }
    let logs: Arc<[(&'static str, Log)]> =
        mounts.iter().map(|mount| (mount.name, mount.log.clone())).collect();
    health.register(probe("facts", Importance::Required, move || {
        let followed = followed(&logs);
        Box::pin(async move { followed })
    }));
    // Another instance would fail at the same, so this one goes on taking requests.
    health.register(probe("background", Importance::Degrades, move || {
        let checked = work.check();
        Box::pin(async move { checked })
    }));
    let blobs = core.blobs.clone();
    health.register(probe("blobs", Importance::Degrades, move || {
        let blobs = blobs.clone();
        Box::pin(async move { blobs.check().await.map_err(|error| error.to_string()) })
    }));
    if let Some(redis) = core.second_level.clone() {
        health.register(probe("redis", Importance::Degrades, move || {
            let redis = redis.clone();
            Box::pin(async move { redis.ping().await.map_err(|error| error.to_string()) })
        }));
    }
}

/// Keeps the figures of each service's records: connections, commits, and how far behind its log this instance is.
pub(super) fn measure(core: &Core, mounts: &[Mount]) {
    let databases = DbMetrics::new(&core.metrics);
    let help = "Time since this instance began to read what it has read of the log to its end";
    let scope = core.metrics.scope("facts");
    let lag = scope.gauge_family("follow_lag", help, Unit::Seconds, &["log"]);
    for mount in mounts {
        let log = mount.log.clone();
        let handles = databases.database(mount.name, log.db().host());
        let lag = lag.with(&[mount.name]);
        log.db().measure_commits(databases.commits(mount.name, log.db().engine().name()));
        core.metrics.on_render(move || {
            let (active, max) = log.db().connections();
            handles.active.set(active as i64);
            handles.max.set(max as i64);
            let (attempts, failures) = log.db().take_attempts();
            handles.attempts.inc_by(attempts);
            handles.failures.inc_by(failures);
            lag.set(i64::try_from(log.lag().as_secs()).unwrap_or(i64::MAX));
        });
    }
}

fn probe(
    name: &'static str,
    importance: Importance,
    check: impl Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync + 'static,
) -> Probe {
    Probe { name, importance, timeout: PROBE_TIME, check: Arc::new(check) }
}

/// Nothing, or the logs that are not followed.
fn followed(logs: &[(&'static str, Log)]) -> Result<(), String> {
    let late = logs.iter().filter_map(|(name, log)| {
        let lag = log.lag();
        (lag > LAG_MAX)
            .then(|| format!("the log of `{name}` was last read {} s ago", lag.as_secs()))
    });
    let late: Vec<String> = late.collect();
    if late.is_empty() { Ok(()) } else { Err(late.join("; ")) }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use super::*;
    use crate::{
        cache::Mono,
        clock::Clock,
        db::{Db, Location},
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn a_log_that_is_not_read_for_ten_seconds_is_named_until_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite { folder: folder.path().to_owned(), durable: false };
        let db = Db::open(&location, "demo", &[], Clock::system()).await.unwrap();
        let mono = Mono::manual();
        let logs = [("demo", Log::open(db, mono.clone()).await.unwrap())];
        mono.advance_ms(10_000);
        assert_eq!(followed(&logs), Ok(()));
        mono.advance_ms(1_000);
        assert_eq!(followed(&logs).unwrap_err(), "the log of `demo` was last read 11 s ago");
        logs[0].1.poll_once().await.unwrap();
        assert_eq!(followed(&logs), Ok(()));
    }
}
