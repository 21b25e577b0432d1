//! Work in the background goes on, whatever becomes of one run of it.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use mainstay_core::{
    clock::Clock,
    config::{Section, Settings},
    contract::{Fact as _, account::AccountCreatedV1, id::UserId},
    db::{Db, DbError, migrate::Migration},
    events::consumer::{Consumer, Isolation},
    jobs::Periodic,
    mount::{Core, Mount, MountError, Service},
    params, statements,
};
use mainstay_testkit::program::{Engine, Program, Setup, eventually};

statements! {
    /// Notes that something took effect.
    SEE = "insert into demo.seen (what) values ($1)";
    /// How often it did.
    SEEN = "select count(*) from demo.seen where what = $1";
}

static MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "seen",
    text: "-- What took effect.\ncreate table demo.seen (\n    what text not null\n);\n",
}];

#[derive(Debug, Default, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}
impl Settings for Nothing {}

/// A service whose periodic work, consumer and memory panic at first.
static CLUMSY: &[Service] = &[Service {
    section: || Section::of::<Nothing>("demo"),
    mount: |core, _config| Box::pin(clumsy(core)),
}];

async fn clumsy(core: &Core) -> Result<Mount, MountError> {
    let log = core.log("demo", MIGRATIONS).await?;
    let (ticks, takes, told) = <(AtomicU32, AtomicU32, AtomicU32)>::default();
    log.on_fact(Box::new(move |_fact| {
        assert!(told.fetch_add(1, Ordering::Relaxed) > 1, "the memory panics twice");
    }));
    let db = log.db().clone();
    let ticks = Arc::new(ticks);
    let tick = Periodic {
        name: "demo.tick",
        every: Duration::from_millis(10),
        run: Arc::new(move || {
            let (db, tick) = (db.clone(), ticks.fetch_add(1, Ordering::Relaxed));
            Box::pin(async move {
                assert!(tick > 1, "the periodic work panics twice");
                see(&db, "tick").await.map_err(|error| error.to_string())
            })
        }),
    };
    let takes = Arc::new(takes);
    let consumer = Consumer {
        name: "accounts",
        source: "core",
        facts: &[AccountCreatedV1::NAME],
        isolation: Isolation::Serializable,
        take: Arc::new(move |tx, facts| {
            let takes = takes.fetch_add(1, Ordering::Relaxed);
            Box::pin(async move {
                assert!(takes > 0, "the consumer panics once");
                for fact in facts.iter() {
                    let created: AccountCreatedV1 = fact.read().unwrap();
                    tx.execute(&SEE, params![created.handle]).await?;
                }
                Ok(())
            })
        }),
    };
    Ok(Mount {
        name: "demo",
        log,
        routes: Vec::new(),
        consumers: vec![consumer],
        snapshots: Vec::new(),
        orders: Vec::new(),
        jobs: Vec::new(),
        periodic: vec![tick],
        demo: Vec::new(),
        statements: STATEMENTS.to_vec(),
    })
}

async fn see(db: &Db, what: &'static str) -> Result<(), DbError> {
    db.write(move |tx| Box::pin(async move { tx.execute(&SEE, params![what]).await.map(drop) }))
        .await
}

async fn seen(db: &Db, what: &str) -> i64 {
    db.read().await.unwrap().one::<(i64,)>(&SEEN, params![what]).await.unwrap().0
}

/// A line of `/metrics` that begins with `name`: its value.
pub(crate) async fn metric(house: &Program, name: &str) -> Option<u64> {
    let said = String::from_utf8(house.stranger().get("/metrics").await.body).unwrap();
    let value = said.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    value.map(|value| value.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_panics_is_counted_and_begun_again() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = Setup::of(CLUMSY).start(engine).await;
        let db = house.db("demo");
        eventually("the periodic work goes on", async || seen(db, "tick").await > 0).await;
        let failures = "background_failures_total{task=\"demo.tick\"}";
        assert_eq!(metric(&house, failures).await, Some(2));
        house.person("ada").await;
        eventually("the consumer goes on", async || seen(db, "ada").await == 1).await;
        house.end().await;
    }
}

/// The one who commits would meet the panic itself, so another program on the same records does.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_followed_on_after_a_panic() {
    let house = Setup::of(CLUMSY).start(Engine::Postgres).await;
    let elsewhere =
        Db::open(&house.core().location, "demo", MIGRATIONS, Clock::system()).await.unwrap();
    let failures = "background_failures_total{task=\"demo.follow\"}";
    let fact = AccountCreatedV1 { user: UserId::from_bits(7), handle: "ada".to_owned() };
    let tell = async || {
        let fact = fact.clone();
        let told = elsewhere.write::<_, DbError, _>(move |tx| {
            let fact = fact.clone();
            Box::pin(async move { tx.emit(&fact, &[]).await })
        });
        told.await.unwrap();
    };
    for panics in 1..=2 {
        tell().await;
        eventually("it met the fact", async || metric(&house, failures).await == Some(panics))
            .await;
    }
    house.end().await;
}
