//! What is kept of a log must not outlive it: a standby that takes over may lack the last commits.

use mainstay_core::{
    cache::{LogChanged, Mono, Tag},
    clock::Clock,
    contract::{account::AccountCreatedV1, id::UserId},
    db::{Db, DbError, Location, PgSettings, Position},
    events::Log,
};
use mainstay_testkit::{Postgres, program::eventually};

const PERSON: Tag = Tag::named("person");

async fn open(url: &str) -> Log {
    let location = Location::Postgres(PgSettings {
        url: url.to_owned(),
        connections_max: 2,
        statement_timeout_ms: 10_000,
    });
    let db = Db::open(&location, "demo", &[], Clock::system()).await.unwrap();
    Log::open(db, Mono::start().unwrap()).await.unwrap()
}

async fn write(log: &Log, n: u128) -> Result<(), DbError> {
    let fact = AccountCreatedV1 { user: UserId::from_bits(n), handle: "somebody".into() };
    log.db()
        .write(move |tx| {
            let fact = fact.clone();
            Box::pin(async move { tx.emit(&fact, &[PERSON]).await })
        })
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_standby_that_takes_over_begins_another_log() {
    let mut postgres = Postgres::durable().unwrap();
    let url = postgres.create_database().await.unwrap();
    let log = open(&url).await;
    write(&log, 1).await.unwrap();
    let before = log.epochs().log_epoch();
    postgres.restart().unwrap();
    eventually("the log is followed again", async || log.poll_once().await.is_ok()).await;
    assert_eq!(log.epochs().log_epoch(), before, "a restart is no failover");

    let (log, of_lost) = (&log, std::sync::Mutex::new(None));
    let lost = async {
        eventually("it is written again", async || write(log, 2).await.is_ok()).await;
        log.poll_once().await.unwrap();
        let mut tx = log.db().read().await.unwrap();
        let stamp = mainstay_core::cache::Stamp(tx.stamp().await.unwrap());
        assert!(log.epochs().current(before, stamp, &[PERSON]));
        *of_lost.lock().unwrap() = Some(stamp);
    };
    postgres.fail_over(lost).await.unwrap();
    let stamp = of_lost.lock().unwrap().unwrap();
    eventually("the new server is noticed", async || {
        log.poll_once().await.is_ok() && log.epochs().log_epoch() != before
    })
    .await;
    // An entry with the lost commit in it, and a token of its writer, are refused.
    assert!(!log.epochs().current(before, stamp, &[PERSON]));
    assert_eq!(log.seen(before, Position { xid: stamp.0, seq: 0 }).await, Err(LogChanged));
    // Every instance gives the new log the same name.
    assert_eq!(open(&url).await.epochs().log_epoch(), log.epochs().log_epoch());
    write(log, 3).await.unwrap();
}

/// Managed servers keep some functions from their customers.
#[tokio::test(flavor = "multi_thread")]
async fn a_role_that_may_not_ask_for_cluster_or_timeline_follows_a_log_all_the_same() {
    let url = Postgres::shared().create_database().await.unwrap();
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    let name = url.rsplit('/').next().unwrap();
    let run = async |statement: &str| client.batch_execute(statement).await.unwrap();
    run(&format!("create role managed login; grant create on database {name} to managed")).await;
    let of_plain = url.replace("mainstay@", "managed@");
    let (cluster, timeline) = ("pg_control_system()", "pg_walfile_name(pg_lsn)");
    let mut epochs = std::collections::BTreeSet::new();
    for (order, function) in
        [("revoke", cluster), ("revoke", timeline), ("grant", cluster), ("grant", timeline)]
    {
        let whom = if order == "revoke" { "from" } else { "to" };
        run(&format!("{order} execute on function {function} {whom} public")).await;
        let log = open(&of_plain).await;
        write(&log, 1).await.unwrap();
        log.poll_once().await.unwrap();
        let epoch = log.epochs().log_epoch();
        assert_eq!(open(&of_plain).await.epochs().log_epoch(), epoch, "a restart finds the same");
        epochs.insert(epoch);
    }
    // Timeline alone, neither, cluster alone, both.
    assert_eq!(epochs.len(), 4);
    drop(client);
    driver.await.unwrap().unwrap();
}

/// Who runs the program need not be a superuser to read which log it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_role_may_follow_a_log() {
    let url = Postgres::shared().create_database().await.unwrap();
    let (client, connection) = tokio_postgres::connect(&url, tokio_postgres::NoTls).await.unwrap();
    let driver = tokio::spawn(connection);
    let name = url.rsplit('/').next().unwrap();
    let make = format!("create role plain login; grant create on database {name} to plain");
    client.batch_execute(&make).await.unwrap();
    drop(client);
    driver.await.unwrap().unwrap();
    let log = open(&url.replace("mainstay@", "plain@")).await;
    write(&log, 1).await.unwrap();
    log.poll_once().await.unwrap();
    assert_ne!(log.epochs().log_epoch(), 0);
}
