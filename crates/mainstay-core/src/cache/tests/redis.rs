//! Several instances over a real Redis that lives in a folder of the test and listens on a socket file there.

use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use tokio::sync::Barrier;

use super::*;

struct Redis {
    child: Child,
    folder: TempDir,
}

impl Redis {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let child = serve(folder.path());
        Self { child, folder }
    }

    fn second(&self, epochs: &Epochs) -> Arc<SecondLevel> {
        let socket = self.folder.path().join("redis.sock");
        let mut config = SecondLevelConfig::new(format!("redis+unix://{}", socket.display()));
        config.timeout_ms = 500; // the machine of a test may be busy
        Arc::new(SecondLevel::new(&config, epochs.mono().clone()).unwrap())
    }

    fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().unwrap().success());
    }
}

/// Starts a server and returns when it accepts connections.
fn serve(folder: &Path) -> Child {
    let mut child = Command::new("redis-server")
        .args(["--port", "0", "--unixsocket", "redis.sock", "--save", "", "--appendonly", "no"])
        .current_dir(folder)
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| format!("start redis-server: {error}; run `cargo xtask setup`"))
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let ready =
        lines.map_while(Result::ok).find(|line| line.to_lowercase().contains("ready to accept"));
    assert!(ready.is_some(), "redis-server ended before it was ready");
    child
}

impl Drop for Redis {
    fn drop(&mut self) {
        // A server that is gone already is what the test wanted.
        let _gone = self.child.kill();
        let _waited = self.child.wait();
    }
}

/// One instance of a fleet: its own epochs and memory over the shared second level.
struct Node {
    epochs: Arc<Epochs>,
    posts: Arc<Posts>,
}

fn node(redis: &Redis, log_epoch: u64, horizon: i64) -> Node {
    let epochs = Arc::new(Epochs::new(log_epoch, Mono::manual()));
    epochs.polled(0, Stamp(horizon));
    let metrics = CacheMetrics::new(&Metrics::new());
    let posts = Class::new(policy(BOUNDED), epochs.clone(), &metrics, |_, _| 8)
        .with_second_level(redis.second(&epochs));
    Node { epochs, posts: Arc::new(posts) }
}

#[tokio::test]
async fn a_value_loaded_by_one_instance_serves_the_others_until_a_fact_outdates_it() {
    let redis = Redis::start();
    let (a, b) = (node(&redis, 1, 1), node(&redis, 1, 1));
    assert_eq!(load(&a.posts, 10, 5).await, 10);
    assert_eq!(load(&b.posts, 99, 5).await, 10, "from the second level");
    b.epochs.apply(POST, 5);
    assert_eq!(load(&b.posts, 11, 6).await, 11, "what Redis holds is refused");
    a.epochs.apply(POST, 5);
    assert_eq!(load(&a.posts, 99, 6).await, 11);
    let absent = || async { Ok::<_, Failed>(Loaded::absent([POST], Stamp(6))) };
    assert!(a.posts.get_or_load(&8, absent).await.unwrap().is_none());
    let known = b.posts.get_or_load(&8, || async { read(1, 6) }).await;
    assert!(known.unwrap().is_none(), "that there is nothing is shared too");
}

#[tokio::test]
async fn a_redis_that_survives_a_restart_and_a_restore_is_not_believed() {
    let redis = Redis::start();
    let before = node(&redis, 1, 1);
    load(&before.posts, 10, 5).await;
    let restarted = node(&redis, 1, 8);
    assert_eq!(load(&restarted.posts, 12, 8).await, 12, "facts 5 to 7 were never shown to it");
    let restored = node(&redis, 2, 1);
    assert_eq!(load(&restored.posts, 9, 2).await, 9, "another log has other keys");
    assert_eq!(load(&node(&redis, 1, 8).posts, 99, 8).await, 12);
}

#[tokio::test]
async fn a_fleet_loads_a_key_once_while_the_lease_holds() {
    let redis = Redis::start();
    let nodes = (0..4).map(|_| node(&redis, 1, 1)).collect::<Vec<_>>();
    let (loads, start) = (Arc::new(AtomicU32::new(0)), Arc::new(Barrier::new(1_000)));
    let callers = (0..1_000).map(|caller| {
        let (loads, start) = (loads.clone(), start.clone());
        let posts = nodes[caller % nodes.len()].posts.clone();
        tokio::spawn(async move {
            start.wait().await;
            let load = || async move {
                loads.fetch_add(1, Ordering::Relaxed);
                settle().await;
                read(10, 5)
            };
            *posts.get_or_load(&7, load).await.unwrap().unwrap()
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert_eq!(caller.await.unwrap(), 10);
    }
    assert_eq!(loads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn without_redis_everything_is_loaded_and_redis_is_left_alone_for_a_while() {
    let mut redis = Redis::start();
    let (a, b) = (node(&redis, 1, 1), node(&redis, 1, 1));
    load(&a.posts, 10, 5).await;
    redis.child.kill().unwrap();
    redis.child.wait().unwrap();
    assert_eq!(load(&b.posts, 11, 5).await, 11);
    let away = redis.second(&b.epochs);
    let metrics = CacheMetrics::new(&Metrics::new());
    let other = Class::new(policy(BOUNDED), b.epochs.clone(), &metrics, |_: &u64, _: &u64| 8)
        .with_second_level(away.clone());
    assert_eq!(load(&other, 12, 5).await, 12);
    assert!(away.is_away());
    // A server without the values comes back: nobody notices but the database.
    redis.child = serve(redis.folder.path());
    b.epochs.mono().advance_ms(5_000);
    b.epochs.polled(b.epochs.mono().now(), Stamp(5));
    assert!(!away.is_away());
    b.epochs.apply(POST, 6);
    assert_eq!(load(&other, 13, 7).await, 13);
}

#[tokio::test]
async fn a_redis_that_hangs_costs_one_time_limit_and_then_nothing() {
    let redis = Redis::start();
    let a = node(&redis, 1, 1);
    load(&a.posts, 10, 5).await;
    redis.signal("-STOP");
    a.epochs.apply(POST, 5);
    assert_eq!(load(&a.posts, 11, 6).await, 11);
    let began = std::time::Instant::now();
    for fact in 6..106 {
        a.epochs.apply(POST, fact);
        assert_eq!(load(&a.posts, fact as u64, fact + 1).await, fact as u64);
    }
    // One hundred calls that each waited would take 50 s.
    assert!(began.elapsed().as_secs() < 10);
    redis.signal("-CONT");
}
