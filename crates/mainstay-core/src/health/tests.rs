//! Dependencies that fail, hang and come back.

#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

use std::future::pending;

use super::*;

/// A dependency whose state a test sets.
fn switch(health: &Health, name: &'static str, importance: Importance) -> Arc<AtomicBool> {
    let works = Arc::new(AtomicBool::new(true));
    let seen = works.clone();
    let check = move || -> Checked {
        let works = seen.load(Ordering::Acquire);
        Box::pin(async move { if works { Ok(()) } else { Err("refused".to_owned()) } })
    };
    let timeout = Duration::from_secs(1);
    health.register(Probe { name, importance, timeout, check: Arc::new(check) });
    works
}

#[tokio::test]
async fn before_its_first_answer_a_required_dependency_keeps_the_instance_out() {
    let health = Health::new();
    assert!(health.ready() && health.live());
    let db = switch(&health, "db", Importance::Required);
    assert!(!health.ready());
    assert_eq!(health.report().status, Status::Unavailable);
    db.store(false, Ordering::Release);
    health.round().await;
    assert!(!health.ready(), "one failure is enough at start-up");
    db.store(true, Ordering::Release);
    health.round().await;
    assert!(health.ready());
    assert_eq!(health.report().status, Status::Ok);
}

#[tokio::test]
async fn a_required_dependency_that_worked_may_miss_two_rounds() {
    let health = Health::new();
    let db = switch(&health, "db", Importance::Required);
    health.round().await;
    db.store(false, Ordering::Release);
    for _ in 1..LENIENCE {
        health.round().await;
        assert!(health.ready());
        assert_eq!(health.report().status, Status::Degraded);
    }
    health.round().await;
    assert!(!health.ready());
    assert_eq!(health.report().status, Status::Unavailable);
    db.store(true, Ordering::Release);
    health.round().await;
    assert!(health.ready());
}

#[tokio::test]
async fn a_dependency_that_only_degrades_never_takes_the_instance_out() {
    let health = Health::new();
    let redis = switch(&health, "redis", Importance::Degrades);
    redis.store(false, Ordering::Release);
    for _ in 0..=LENIENCE {
        health.round().await;
    }
    assert!(health.ready());
    let report = serde_json::to_value(health.report()).unwrap();
    assert_eq!(report["status"], "degraded");
    assert_eq!(report["checks"][0]["name"], "redis");
    assert_eq!(report["checks"][0]["status"], "unavailable");
    assert_eq!(report["checks"][0]["error"], "refused");
    assert_eq!(report["checks"][0]["last_ok_ms_ago"], serde_json::Value::Null);
}

#[tokio::test(start_paused = true)]
async fn probes_run_together_and_a_hanging_one_is_cut_off() {
    let health = Health::new();
    for name in ["a", "b", "c"] {
        let check = || -> Checked { Box::pin(pending()) };
        let timeout = Duration::from_secs(5);
        let importance = Importance::Degrades;
        health.register(Probe { name, importance, timeout, check: Arc::new(check) });
    }
    let began = tokio::time::Instant::now();
    health.round().await;
    assert!(began.elapsed() < Duration::from_secs(6), "not one after the other");
    let error = health.report().checks.pop().unwrap().error.unwrap();
    assert_eq!(error, "no answer within 5000 ms");
}

#[tokio::test]
async fn a_probe_that_panics_is_a_failed_look() {
    let health = Health::new();
    let check = || -> Checked { Box::pin(async { std::panic::resume_unwind(Box::new("gone")) }) };
    let timeout = Duration::from_secs(1);
    let importance = Importance::Required;
    health.register(Probe { name: "db", importance, timeout, check: Arc::new(check) });
    health.round().await;
    assert!(!health.ready());
}

/// Moves the paused time and lets the background task and its probes run.
async fn moved(seconds: u64) {
    tokio::time::advance(Duration::from_secs(seconds)).await;
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_background_task_looks_every_period_and_ends_when_told() {
    let health = Health::new();
    let db = switch(&health, "db", Importance::Required);
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(health.clone().watch(Duration::from_secs(10), stopped));
    moved(1).await;
    assert!(health.ready());
    db.store(false, Ordering::Release);
    for _ in 0..LENIENCE {
        moved(10).await;
    }
    assert!(!health.ready());
    stop.send(true).unwrap();
    task.await.unwrap();
}

#[tokio::test]
async fn draining_ends_readiness_and_not_life() {
    let health = Health::new();
    health.drain();
    assert!(health.live() && !health.ready() && health.report().draining);
}
