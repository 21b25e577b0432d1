//! What `/health` and `/metrics` say, and to whom.

use std::{sync::Arc, time::Duration};

use mainstay_core::{
    auth::Role,
    config::{Section, Settings},
    jobs::Periodic,
    mount::{Mount, Service},
};
use mainstay_testkit::{
    Redis,
    program::{Engine, Program, Setup, eventually},
};
use serde_json::{Value, json};

use crate::background::metric;

#[derive(Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}
impl Settings for Nothing {}

/// A service whose periodic work fails each time.
static FAILING: &[Service] = &[Service {
    section: || Section::of::<Nothing>("demo"),
    mount: |core, _config| {
        Box::pin(async move {
            let broken = Periodic {
                name: "demo.broken",
                every: Duration::from_millis(10),
                run: Arc::new(|| {
                    Box::pin(async { Err("refused at the address 10.1.2.3".to_owned()) })
                }),
            };
            Ok(Mount {
                name: "demo",
                log: core.log("demo", &[]).await?,
                routes: Vec::new(),
                consumers: Vec::new(),
                snapshots: Vec::new(),
                orders: Vec::new(),
                jobs: Vec::new(),
                periodic: vec![broken],
                demo: Vec::new(),
                statements: Vec::new(),
            })
        })
    },
}];

/// One check, as the machine itself sees it.
async fn check(house: &Program, name: &str) -> Value {
    let report = house.stranger().get("/health").await.expect(200);
    let checks = report["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).cloned().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn work_that_keeps_failing_is_said_and_why_only_to_those_who_may_know() {
    let house = Setup::of(FAILING).start(Engine::Sqlite).await;
    eventually("it is noticed", async || {
        check(&house, "background").await["status"] == "unavailable"
    })
    .await;
    let why = check(&house, "background").await["error"].as_str().unwrap().to_owned();
    assert!(why.starts_with("demo.broken failed "), "{why}");
    assert!(why.contains("10.1.2.3"), "{why}");
    house.stranger().get("/health/ready").await.expect(200);

    let (ada, root) = (house.person("ada").await, house.person_as(Role::Admin, "root").await);
    let outside = ("x-forwarded-for", "203.0.113.7");
    for (client, knows) in [(house.stranger(), false), (ada, false), (root, true)] {
        let report = client.get("/health").header(outside.0, outside.1).await.expect(200);
        assert_eq!(report["status"], "degraded");
        let checks = report["checks"].as_array().unwrap();
        let found = checks.iter().find(|check| check["name"] == "background").unwrap();
        assert_eq!(found["status"], "unavailable");
        assert_eq!(found["error"] != json!(null), knows, "{}: {found}", client.handle);
        assert_eq!(report.to_string().contains("10.1.2.3"), knows, "{}", client.handle);
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_it_is_degraded_and_goes_on_taking_requests() {
    let mut redis = Redis::start().unwrap();
    let url = redis.create_database().unwrap();
    let house = Setup::of(&[]).set("redis.url", &url).start(Engine::Sqlite).await;
    eventually("Redis answers", async || check(&house, "redis").await["status"] == "ok").await;
    redis.kill9().unwrap();
    eventually("it is missed", async || check(&house, "redis").await["status"] == "unavailable")
        .await;
    assert_eq!(house.stranger().get("/health").await.expect(200)["status"], "degraded");
    house.stranger().get("/health/ready").await.expect(200);
    redis.restart().unwrap();
    eventually("it is back", async || check(&house, "redis").await["status"] == "ok").await;
    house.end().await;
    // Whoever has none is not told of it.
    let house = Setup::of(&[]).start(Engine::Sqlite).await;
    assert_eq!(check(&house, "redis").await, json!(null));
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_are_shown_for_each_service_and_host() {
    Setup::of(&[])
        .on_both_engines(async |house| {
            house.person("ada").await;
            let max = metric(house, "db_connections_max{database=\"core\"}").await.unwrap();
            let active = metric(house, "db_connections_active{database=\"core\"}").await.unwrap();
            assert!(active > 0 && active <= max, "{active} of {max}");
            let (host, tried) = match house.engine() {
                Engine::Sqlite => ("localhost", false),
                Engine::Postgres => ("127.0.0.1", true),
            };
            let count = async |name| metric(house, &format!("{name}{{host=\"{host}\"}}")).await;
            assert_eq!(count("db_connection_attempts_total").await.unwrap() > 0, tried);
            assert_eq!(count("db_connection_failures_total").await, Some(0));
        })
        .await;
}
