//! Postgres and Redis.

use std::net::{Ipv4Addr, TcpStream};

use mainstay_testkit::{Postgres, Redis, S3};
use object_store::aws::AmazonS3Builder;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutPayload};
use tokio_postgres::{Client, NoTls};

async fn connect(url: &str) -> Client {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap();
    // It ends when the client is dropped or the server dies; either is part of a test.
    let mut tasks = tokio::task::JoinSet::new();
    tasks.spawn(async move { connection.await.ok() });
    tasks.detach_all();
    client
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}

async fn number(client: &Client, sql: &str) -> i64 {
    client.query_one(sql, &[]).await.unwrap().get(0)
}

#[tokio::test]
async fn each_test_has_a_postgres_database_of_its_own() {
    let (one, two) =
        tokio::join!(Postgres::shared().create_database(), Postgres::shared().create_database(),);
    let (one, two) = (one.unwrap(), two.unwrap());
    assert_ne!(one, two);
    let (one, two) = (connect(&one).await, connect(&two).await);
    one.batch_execute("create table t (n bigint); insert into t values (7)").await.unwrap();
    assert_eq!(number(&one, "select n from t").await, 7);
    assert!(two.query("select n from t", &[]).await.is_err(), "the other database sees the table");
}

#[tokio::test]
async fn a_killed_postgres_comes_back_on_its_port_with_what_it_acknowledged() {
    let mut postgres = Postgres::durable().unwrap();
    let url = postgres.create_database().await.unwrap();
    let client = connect(&url).await;
    client.batch_execute("create table t (n bigint); insert into t values (41)").await.unwrap();

    postgres.kill9().unwrap();
    assert!(client.query("select 1", &[]).await.is_err(), "a dead server answered");
    assert!(!listens(postgres.port()));

    postgres.restart().unwrap();
    let client = connect(&url).await;
    assert_eq!(number(&client, "select n + 1 from t").await, 42);
    assert_eq!(number(&client, "select count(*) from t").await, 1);
}

#[tokio::test]
async fn postgres_is_gone_after_drop() {
    let postgres = Postgres::start().unwrap();
    let port = postgres.port();
    assert!(listens(port));
    drop(postgres);
    assert!(!listens(port));
}

#[tokio::test]
async fn only_the_durable_postgres_syncs() {
    let quick = connect(&Postgres::shared().create_database().await.unwrap()).await;
    let durable = Postgres::durable().unwrap();
    let slow = connect(&durable.create_database().await.unwrap()).await;
    let fsync = async |client: &Client| -> String {
        client.query_one("show fsync", &[]).await.unwrap().get(0)
    };
    assert_eq!((fsync(&quick).await, fsync(&slow).await), ("off".to_owned(), "on".to_owned()));
}

async fn redis(url: &str) -> redis::aio::MultiplexedConnection {
    redis::Client::open(url).unwrap().get_multiplexed_async_connection().await.unwrap()
}

async fn get(connection: &mut redis::aio::MultiplexedConnection) -> Option<i64> {
    redis::cmd("GET").arg("key").query_async(connection).await.unwrap()
}

async fn set(connection: &mut redis::aio::MultiplexedConnection, value: i64) {
    redis::cmd("SET").arg("key").arg(value).exec_async(connection).await.unwrap();
}

#[tokio::test]
async fn each_test_has_a_redis_database_of_its_own() {
    let one = Redis::shared().create_database().unwrap();
    let two = Redis::shared().create_database().unwrap();
    let (mut one, mut two) = (redis(&one).await, redis(&two).await);
    set(&mut one, 7).await;
    assert_eq!((get(&mut one).await, get(&mut two).await), (Some(7), None));
}

#[tokio::test]
async fn a_killed_redis_forgets_unless_it_is_durable() {
    for (mut server, expected) in
        [(Redis::start().unwrap(), None), (Redis::durable().unwrap(), Some(7))]
    {
        let url = server.create_database().unwrap();
        set(&mut redis(&url).await, 7).await;
        server.kill9().unwrap();
        assert!(!listens(server.port()));
        server.restart().unwrap();
        assert_eq!(get(&mut redis(&url).await).await, expected);
    }
}

#[tokio::test]
async fn redis_is_gone_after_drop() {
    let redis = Redis::start().unwrap();
    let port = redis.port();
    assert!(listens(port));
    drop(redis);
    assert!(!listens(port));
}

#[test]
fn schemathesis_is_where_setup_puts_it() {
    let program = mainstay_testkit::schemathesis().unwrap();
    let output = std::process::Command::new(program).arg("--version").output().unwrap();
    assert!(output.status.success(), "{output:?}");
}

#[tokio::test]
async fn s3_keeps_objects_and_refuses_to_replace_one_that_must_be_new() {
    let s3 = S3::shared();
    let bucket = s3.create_bucket().await.unwrap();
    let store = AmazonS3Builder::new()
        .with_endpoint(s3.endpoint())
        .with_allow_http(true)
        .with_region(S3::REGION)
        .with_access_key_id(S3::ACCESS_KEY)
        .with_secret_access_key(S3::SECRET_KEY)
        .with_bucket_name(bucket)
        .build()
        .unwrap();
    let path = object_store::path::Path::from("a/b");
    let new = || store.put_opts(&path, PutPayload::from_static(b"one"), PutMode::Create.into());
    new().await.unwrap();
    assert!(matches!(new().await, Err(object_store::Error::AlreadyExists { .. })));
    assert_eq!(store.get(&path).await.unwrap().bytes().await.unwrap(), "one");
}
