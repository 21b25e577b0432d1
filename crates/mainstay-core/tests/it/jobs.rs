//! Jobs: promised in a transaction, done afterwards, at least once and by one worker at a time.

use std::{sync::Arc, time::Duration};

use mainstay_core::{
    config::{Section, Settings},
    contract::ts::Ts,
    db::{Db, DbError, migrate::Migration},
    jobs::{self, Job, JobId},
    mount::{Core, Mount, MountError, Service},
    params, statements,
};
use mainstay_testkit::program::{Engine, Program, Setup, eventually};

statements! {
    /// Notes that a job ran.
    RAN = "insert into demo.ran (name, key, payload) values ($1, $2, $3)";
    /// With what a job ran under a key.
    RUNS = "select payload from demo.ran where key = $1 order by payload";
    /// Jobs that are left, with their error.
    LEFT = "select key, attempts, error from demo.job order by key limit 100";
}

static MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "ran",
    text: "-- What ran.\ncreate table demo.ran (\n    name text not null,\n    \
           key text not null,\n    payload text not null\n);\n",
}];

#[derive(Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}
impl Settings for Nothing {}

static DEMO: &[Service] = &[Service {
    section: || Section::of::<Nothing>("demo"),
    mount: |core, _config| Box::pin(mount(core)),
}];

async fn mount(core: &Core) -> Result<Mount, MountError> {
    let log = core.log("demo", MIGRATIONS).await?;
    let job = |name: &'static str, end: fn(usize) -> Result<(), String>| {
        let db = log.db().clone();
        Job {
            name,
            deadline: Duration::from_secs(60),
            run: Arc::new(move |key, payload| {
                let db = db.clone();
                Box::pin(async move {
                    note(&db, name, key.clone(), payload).await.unwrap();
                    end(runs(&db, &key).await.len())
                })
            }),
        }
    };
    let jobs = vec![
        job("demo.works", |_| Ok(())),
        job("demo.fails_once", |run| if run > 1 { Ok(()) } else { Err("not yet".to_owned()) }),
        job("demo.panics_once", |run| if run > 1 { Ok(()) } else { panic!("on purpose") }),
        replaces_itself(log.db().clone()),
    ];
    Ok(Mount {
        name: "demo",
        log,
        routes: Vec::new(),
        consumers: Vec::new(),
        snapshots: Vec::new(),
        orders: Vec::new(),
        jobs,
        periodic: Vec::new(),
        demo: Vec::new(),
        statements: STATEMENTS.to_vec(),
    })
}

/// While it runs with "1", somebody promises the same with "2".
fn replaces_itself(db: Db) -> Job {
    let name = "demo.replaces_itself";
    Job {
        name,
        deadline: Duration::from_secs(60),
        run: Arc::new(move |key, payload| {
            let db = db.clone();
            Box::pin(async move {
                note(&db, name, key.clone(), payload.clone()).await.unwrap();
                if payload == "1" {
                    add(&db, name, &[&key], "2", db.clock().now()).await;
                }
                Ok(())
            })
        }),
    }
}

async fn note(db: &Db, name: &'static str, key: String, payload: String) -> Result<(), DbError> {
    db.write(move |tx| {
        let (key, payload) = (key.clone(), payload.clone());
        Box::pin(async move { tx.execute(&RAN, params![name, key, payload]).await.map(drop) })
    })
    .await
}

async fn runs(db: &Db, key: &str) -> Vec<String> {
    let rows: Vec<(String,)> = db.read().await.unwrap().all(&RUNS, params![key]).await.unwrap();
    rows.into_iter().map(|(payload,)| payload).collect()
}

async fn left(db: &Db) -> Vec<(String, i64, Option<String>)> {
    db.read().await.unwrap().all(&LEFT, &[]).await.unwrap()
}

async fn add(db: &Db, name: &'static str, keys: &[&str], payload: &'static str, at: Ts) {
    let keys: Vec<String> = keys.iter().map(ToString::to_string).collect();
    db.write::<_, DbError, _>(move |tx| {
        let keys = keys.clone();
        Box::pin(async move {
            for key in &keys {
                jobs::add(tx, name, key, payload, at).await?;
            }
            Ok(())
        })
    })
    .await
    .unwrap();
}

/// Promises "key" and leases it in one transaction, as a worker does that then is slow, or that a crash takes away.
async fn lease_elsewhere(db: &Db, now: Ts) {
    let leased = db.write::<_, DbError, _>(move |tx| {
        Box::pin(async move {
            jobs::add(tx, "demo.works", "key", "1", now).await?;
            let lease = &tx.outbox().lease_job;
            let leased: Option<(JobId, String, String, String, i64)> =
                tx.optional(lease, params![now, now.plus_s(65)]).await?;
            Ok(leased.map(|(_, name, ..)| name))
        })
    });
    assert_eq!(leased.await.unwrap().as_deref(), Some("demo.works"));
}

async fn gone(db: &Db) {
    eventually("every job is done", async || left(db).await.is_empty()).await;
}

/// Runs `test` on both engines, with a clock that stands until the test turns it.
async fn both_engines(test: impl AsyncFn(&Program)) {
    Setup::of(DEMO).holding_the_clock().on_both_engines(test).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_job_is_taken_by_one_worker() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = Setup::of(DEMO).holding_the_clock().start(engine).await;
        let twin = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(house.twin().await),
        };
        let (db, now) = (house.db("demo"), house.clock().now());
        let keys: Vec<String> = (0..40).map(|n| format!("job {n}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        add(db, "demo.works", &keys, "{}", now).await;
        gone(db).await;
        for key in keys {
            assert_eq!(runs(db, key).await.len(), 1, "{key}");
        }
        if let Some(twin) = twin {
            twin.end().await;
        }
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_fails_or_panics_is_tried_again_after_a_pause() {
    both_engines(async |house| {
        let (db, now) = (house.db("demo"), house.clock().now());
        add(db, "demo.fails_once", &["fails"], "{}", now).await;
        add(db, "demo.panics_once", &["panics"], "{}", now).await;
        eventually("both have failed", async || {
            left(db).await.iter().all(|(_, attempts, error)| *attempts == 1 && error.is_some())
        })
        .await;
        let errors: Vec<String> = left(db).await.into_iter().filter_map(|job| job.2).collect();
        assert_eq!(errors, ["not yet", "it panicked: on purpose"]);
        // The clock stands, so neither is due; one that is added now is done.
        add(db, "demo.works", &["other"], "{}", now).await;
        eventually("another is done", async || runs(db, "other").await.len() == 1).await;
        assert_eq!((runs(db, "fails").await.len(), runs(db, "panics").await.len()), (1, 1));
        house.clock().advance_s(3);
        gone(db).await;
        assert_eq!((runs(db, "fails").await.len(), runs(db, "panics").await.len()), (2, 2));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_waits_is_replaced_by_one_of_its_name_and_key_or_taken_back() {
    both_engines(async |house| {
        let (db, now) = (house.db("demo"), house.clock().now());
        add(db, "demo.works", &["key", "other"], "1", now.plus_s(60)).await;
        add(db, "demo.works", &["key"], "2", now.plus_s(90)).await;
        add(db, "demo.works", &["taken back"], "3", now.plus_s(60)).await;
        let taken_back = db.write::<_, DbError, _>(|tx| {
            Box::pin(async move { jobs::cancel(tx, "demo.works", "taken back").await })
        });
        taken_back.await.unwrap();
        house.clock().advance_s(61);
        eventually("the other is done", async || runs(db, "other").await == ["1"]).await;
        assert_eq!(runs(db, "key").await, [""; 0]);
        house.clock().advance_s(30);
        gone(db).await;
        assert_eq!(runs(db, "key").await, ["2"]);
        assert_eq!(runs(db, "taken back").await, [""; 0]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_promised_anew_while_it_runs_runs_again_at_once() {
    both_engines(async |house| {
        let (db, now) = (house.db("demo"), house.clock().now());
        add(db, "demo.replaces_itself", &["key"], "1", now).await;
        // The clock stands: nothing waits for a lease to run out.
        gone(db).await;
        assert_eq!(runs(db, "key").await, ["1", "2"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_promised_anew_does_not_begin_beside_the_one_that_runs() {
    both_engines(async |house| {
        let (db, now) = (house.db("demo"), house.clock().now());
        lease_elsewhere(db, now).await;
        house.clock().advance_s(2);
        add(db, "demo.works", &["key"], "2", now).await;
        // It is due before this one, so a worker that could take it would have.
        add(db, "demo.works", &["other"], "3", now.plus_s(1)).await;
        eventually("the other is done", async || runs(db, "other").await == ["3"]).await;
        assert_eq!(runs(db, "key").await, [""; 0]);
        house.clock().advance_s(65);
        gone(db).await;
        assert_eq!(runs(db, "key").await, ["2"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_outlives_the_program_that_promised_it() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = Setup::of(DEMO).holding_the_clock().start(engine).await;
        let at = house.clock().now().plus_s(60);
        add(house.db("demo"), "demo.works", &["key"], "1", at).await;
        let house = house.restart().await;
        assert_eq!(left(house.db("demo")).await.len(), 1);
        house.clock().advance_s(61);
        gone(house.db("demo")).await;
        assert_eq!(runs(house.db("demo"), "key").await, ["1"]);
        house.end().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn on_sqlite_a_job_whose_worker_was_killed_begins_with_the_program() {
    let house = Setup::of(DEMO).holding_the_clock().start(Engine::Sqlite).await;
    lease_elsewhere(house.db("demo"), house.clock().now()).await;
    let house = house.restart().await;
    // The clock stands: nothing waits for a lease to run out.
    gone(house.db("demo")).await;
    assert_eq!(runs(house.db("demo"), "key").await, ["1"]);
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_whose_worker_is_gone_is_taken_again_when_its_lease_has_run_out() {
    both_engines(async |house| {
        let (db, now) = (house.db("demo"), house.clock().now());
        lease_elsewhere(db, now).await;
        house.clock().advance_s(60);
        add(db, "demo.works", &["other"], "2", now).await;
        eventually("the other is done", async || runs(db, "other").await == ["2"]).await;
        assert_eq!(runs(db, "key").await, [""; 0]);
        house.clock().advance_s(6);
        gone(db).await;
        assert_eq!(runs(db, "key").await, ["1"]);
    })
    .await;
}
