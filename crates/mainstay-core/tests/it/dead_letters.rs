//! Facts that a consumer cannot take: put aside, seen, and taken after all, once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use mainstay_core::{
    auth::Role,
    cache::Mono,
    clock::Clock,
    config::{Section, Settings},
    contract::{
        Fact,
        account::AccountCreatedV1,
        id::{FactId, UserId},
    },
    db::{Db, DbError, Location, Param, ToParam as _, migrate::Migration},
    events::{
        Log,
        consumer::{Consumer, Isolation, Progress},
        dead::{self, Again, By},
    },
    ids,
    mount::{Mount, Service},
    params, statements,
};
use mainstay_testkit::program::{Engine, Setup, eventually};
use serde_json::json;

use crate::engines::Place;

statements! {
    /// Notes that a fact took effect; twice if it did so twice.
    SEE = "insert into demo.seen (handle) values ($1)";
    /// What took effect.
    SEEN = "select handle from demo.seen order by handle limit 1000";
}

static MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "seen",
    text: "-- What was taken.\ncreate table demo.seen (\n    handle text not null\n);\n",
}];

/// Takes accounts; those whose handle begins with `bad` only once `mended` is true.
fn consumer(mended: Arc<AtomicBool>) -> Consumer {
    Consumer {
        name: "accounts",
        source: "core",
        facts: &[AccountCreatedV1::NAME],
        isolation: Isolation::Serializable,
        take: Arc::new(move |tx, facts| {
            let mended = mended.load(Ordering::Relaxed);
            Box::pin(async move {
                for fact in facts.iter() {
                    let created: AccountCreatedV1 = fact.read().unwrap();
                    // The effect comes first, so that a failure has something to take back.
                    tx.execute(&SEE, params![created.handle]).await?;
                    if created.handle.starts_with("bad") && !mended {
                        let (statement, message) = (created.handle, "not today".to_owned());
                        return Err(DbError::Statement { statement, message });
                    }
                }
                Ok(())
            })
        }),
    }
}

fn created(handle: &str) -> AccountCreatedV1 {
    AccountCreatedV1 { user: UserId::from_bits(7), handle: handle.to_owned() }
}

/// Puts a fact aside, as the consumer does after its last attempt.
async fn put_aside(db: &Db, handle: &'static str) -> FactId {
    let fact: FactId = ids::new_id(db.clock().now());
    db.write::<_, DbError, _>(move |tx| {
        Box::pin(async move {
            let (outbox, now) = (tx.outbox(), tx.now());
            let letter = [
                Param::Text("accounts".into()),
                fact.to_param(),
                Param::Text("core".into()),
                Param::Text(AccountCreatedV1::NAME.into()),
                Param::Json(serde_json::to_string(&created(handle)).unwrap()),
                Param::Text("once upon a time".into()),
                Param::I64(8),
                Param::Ts(now),
            ];
            tx.execute(&outbox.bury, &letter).await
        })
    })
    .await
    .unwrap();
    fact
}

async fn seen(db: &Db) -> Vec<String> {
    let rows: Vec<(String,)> = db.read().await.unwrap().all(&SEEN, &[]).await.unwrap();
    rows.into_iter().map(|(handle,)| handle).collect()
}

fn by() -> By {
    By { actor: "operator".to_owned(), origin: String::new() }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_put_aside_takes_effect_once_however_many_try() {
    for place in Place::on_each_engine().await {
        let db = place.open(MIGRATIONS).await;
        let consumer = consumer(Arc::default());
        let fact = put_aside(&db, "ada").await;
        let tries = (0..16).map(|_| dead::take_again(&db, &consumer, fact, by()));
        let tried: Result<Vec<Again>, DbError> =
            futures_util::future::join_all(tries).await.into_iter().collect();
        let tried = tried.unwrap();
        let taken = tried.iter().filter(|again| **again == Again::Taken).count();
        let gone = tried.iter().filter(|again| **again == Again::Gone).count();
        assert_eq!((taken, gone), (1, 15), "{tried:?}");
        assert_eq!(seen(&db).await, ["ada"]);
        assert_eq!(dead::list(&db, None, None, 10).await.unwrap(), []);
        let mut tx = db.read().await.unwrap();
        let audit = mainstay_core::audit::list(&mut tx, i64::MAX, 10).await.unwrap();
        assert_eq!(audit.len(), 1);
        assert_eq!((&*audit[0].action, &audit[0].target), ("fact.take", &fact.to_string()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_fails_again_stays_with_its_new_error_and_without_effect() {
    for place in Place::on_each_engine().await {
        let db = place.open(MIGRATIONS).await;
        let mended = Arc::new(AtomicBool::new(false));
        let consumer = consumer(mended.clone());
        let fact = put_aside(&db, "bad").await;
        let failed = dead::take_again(&db, &consumer, fact, by()).await.unwrap();
        assert!(matches!(&failed, Again::Failed(why) if why.contains("not today")), "{failed:?}");
        let letters = dead::list(&db, Some("accounts"), None, 10).await.unwrap();
        assert_eq!((letters.len(), letters[0].attempts), (1, 9));
        assert!(letters[0].error.contains("not today"), "{letters:?}");
        assert_eq!(seen(&db).await, [""; 0]);
        assert_eq!(dead::count(&db).await.unwrap(), [("accounts".to_owned(), 1)]);

        mended.store(true, Ordering::Relaxed);
        assert_eq!(dead::take_again(&db, &consumer, fact, by()).await.unwrap(), Again::Taken);
        assert_eq!(seen(&db).await, ["bad"]);
    }
}

/// With a paused clock: eight attempts with their pauses would take half a minute.
#[tokio::test(start_paused = true)]
async fn a_fact_that_fails_eight_times_is_put_aside_and_those_after_it_are_taken() {
    let folder = tempfile::tempdir().unwrap();
    let location = Location::Sqlite { folder: folder.path().to_owned(), durable: false };
    let core = Db::open(&location, "core", &[], Clock::system()).await.unwrap();
    let source = Log::open(core, Mono::start().unwrap()).await.unwrap();
    let db = Db::open(&location, "demo", MIGRATIONS, Clock::system()).await.unwrap();
    for handle in ["ada", "bad one", "bob"] {
        source
            .db()
            .write::<_, DbError, _>(move |tx| {
                Box::pin(async move { tx.emit(&created(handle), &[]).await })
            })
            .await
            .unwrap();
    }
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let running = tokio::spawn(consumer(Arc::default()).run(
        source,
        db.clone(),
        Progress::default(),
        stopped,
    ));
    let both = async {
        while seen(&db).await != ["ada", "bob"] {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(600), both).await.unwrap();
    let letters = dead::list(&db, None, None, 10).await.unwrap();
    assert_eq!(
        (letters.len(), &*letters[0].consumer, letters[0].attempts),
        (1, "demo.accounts", 8)
    );
    assert_eq!(letters[0].payload, serde_json::to_value(created("bad one")).unwrap());
    stop.send_replace(true);
    running.await.unwrap();
}

#[derive(Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}
impl Settings for Nothing {}

/// A service that takes accounts and fails on the bad ones.
static DEMO: &[Service] = &[Service {
    section: || Section::of::<Nothing>("demo"),
    mount: |core, _config| {
        Box::pin(async move {
            Ok(Mount {
                name: "demo",
                log: core.log("demo", MIGRATIONS).await?,
                routes: Vec::new(),
                consumers: vec![consumer(Arc::default())],
                snapshots: Vec::new(),
                orders: Vec::new(),
                jobs: Vec::new(),
                periodic: Vec::new(),
                demo: Vec::new(),
                statements: STATEMENTS.to_vec(),
            })
        })
    },
}];

#[tokio::test]
async fn administrators_list_and_retry_over_the_api_and_nobody_else() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = Setup::of(DEMO).start(engine).await;
        let admin = house.person_as(Role::Admin, "root").await;
        let (list, retry) = ("/api/v1/facts/dead", "/api/v1/facts/retry");
        let all = json!({ "consumer": "demo.accounts" });
        let moderator = house.person_as(Role::Moderator, "moderator").await;
        moderator.get(list).await.expect_problem(403, "forbidden");
        moderator.post(retry, all.clone()).await.expect_problem(403, "forbidden");
        house.stranger().get(list).await.expect_problem(401, "unauthenticated");

        let db = house.db("demo");
        // The accounts of this test are taken first, so that what is seen below is what was retried.
        eventually("the consumer is at work", async || seen(db).await.len() == 2).await;
        let (good, bad) = (put_aside(db, "good").await, put_aside(db, "bad").await);
        let other = put_aside(db, "other").await;
        let mut listed = Vec::new();
        let mut cursor = String::new();
        loop {
            let page = admin.get(&format!("{list}?limit=1{cursor}")).await.expect(200);
            listed.extend(page["items"].as_array().unwrap().iter().cloned());
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = format!("&cursor={next}");
        }
        let facts: Vec<&str> = listed.iter().map(|item| item["fact"].as_str().unwrap()).collect();
        assert_eq!(facts, [good, bad, other].map(|fact| fact.to_string()));
        assert_eq!(listed[1]["payload"]["handle"], "bad");
        admin.get(&format!("{list}?cursor=x")).await.expect_problem(400, "malformed_cursor");

        let one = json!({ "consumer": "demo.accounts", "fact": other });
        let retried = admin.post(retry, one.clone()).await.expect(200);
        assert_eq!((&retried["taken"], &retried["failed"]), (&json!(1), &json!([])));
        admin.post(retry, one).await.expect_problem(404, "not_found");
        let retried = admin.post(retry, all).await.expect(200);
        assert_eq!((&retried["taken"], &retried["next"]), (&json!(1), &json!(null)));
        assert_eq!(retried["failed"][0]["fact"], bad.to_string());
        assert!(retried["failed"][0]["error"].as_str().unwrap().contains("not today"));
        let unknown = json!({ "consumer": "demo.nobody" });
        let refused = admin.post(retry, unknown).await.expect_problem(422, "invalid");
        let detail = refused["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains("there are core.suspensions, demo.accounts"), "{detail}");
        assert_eq!(seen(db).await, ["good", "moderator", "other", "root"]);

        let house = house.reopen(&Setup::of(DEMO)).await;
        eventually("the figures are there", async || {
            let said = String::from_utf8(house.stranger().get("/metrics").await.body).unwrap();
            said.contains("facts_dead{consumer=\"demo.accounts\"} 1")
                && said.contains("facts_lag_seconds{consumer=\"demo.accounts\"} 0")
        })
        .await;
        house.end().await;
    }
}
