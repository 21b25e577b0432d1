//! Postgres and Redis over TLS, as `sslmode` and `sslrootcert` in their addresses ask for it.

use std::process::Command;

use mainstay_core::{
    cache::{Mono, SecondLevel, SecondLevelConfig},
    clock::Clock,
    db::{Db, DbError, Location, PgSettings},
    redis::{Redis, Reply, Script},
    statements,
    telemetry::Masked,
};
use mainstay_testkit::{self as testkit, Postgres, self_signed};

statements! {
    /// Whether this connection is encrypted.
    ENCRYPTED = "select ssl from pg_stat_ssl where pid = pg_backend_pid()";
}

/// Whether connections to `url` are encrypted, once records are opened there.
async fn encrypted(url: String) -> Result<bool, DbError> {
    let settings = PgSettings { url, connections_max: 2, statement_timeout_ms: 10_000 };
    let db = Db::open(&Location::Postgres(settings), "demo", &[], Clock::system()).await?;
    let reading: (bool,) = db.read().await?.one(&ENCRYPTED, &[]).await?;
    let writing: (bool,) = db
        .write::<_, DbError, _>(|tx| Box::pin(async move { tx.one(&ENCRYPTED, &[]).await }))
        .await?;
    assert_eq!(reading, writing);
    Ok(reading.0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_is_believed_as_far_as_the_mode_says() {
    let server = Postgres::encrypted().unwrap();
    let url = server.create_database().await.unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    self_signed(&mut Command::new("openssl"), elsewhere.path(), "127.0.0.1").unwrap();
    let right = server.certificate().display().to_string();
    let wrong = elsewhere.path().join("server.crt").display().to_string();
    let open = async |query: String| encrypted(format!("{url}?{query}")).await;

    assert!(!open("sslmode=disable".into()).await.unwrap());
    assert!(encrypted(url.clone()).await.unwrap(), "what can be encrypted is");
    for mode in ["prefer", "require"] {
        assert!(open(format!("sslmode={mode}")).await.unwrap(), "{mode}");
    }
    for mode in ["require", "verify-ca", "verify-full"] {
        let trusted = open(format!("sslmode={mode}&sslrootcert={right}")).await;
        assert!(trusted.unwrap(), "{mode}");
        let refused = open(format!("sslmode={mode}&sslrootcert={wrong}")).await;
        let said = refused.unwrap_err().to_string();
        assert!(said.contains("reach the database") && said.contains("certificate"), "{said}");
        assert!(said.contains("UnknownIssuer"), "{mode}: {said}");
    }
    // The authorities that the system knows have not heard of it.
    let refused = open("sslmode=verify-full".into()).await.unwrap_err().to_string();
    assert!(refused.contains("certificate"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_for_another_host_is_refused_only_where_the_name_counts() {
    let server = Postgres::encrypted().unwrap();
    let url = server.create_database().await.unwrap().replace("127.0.0.1", "localhost");
    let root = server.certificate().display().to_string();
    let open = async |mode| encrypted(format!("{url}?sslmode={mode}&sslrootcert={root}")).await;
    assert!(open("verify-ca").await.unwrap());
    let said = open("verify-full").await.unwrap_err().to_string();
    assert!(said.contains("not valid for name"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_cannot_encrypt_is_refused_where_that_is_asked_for() {
    let url = Postgres::shared().create_database().await.unwrap();
    assert!(!encrypted(format!("{url}?sslmode=prefer")).await.unwrap());
    let said = encrypted(format!("{url}?sslmode=require")).await.unwrap_err().to_string();
    assert!(said.contains("server does not support TLS"), "{said}");
}

/// What a script returns over a connection to `url`, or why there is none; the cache's second level agrees.
async fn asked_of_redis(url: &str) -> Result<Reply, String> {
    let mono = Mono::start().unwrap();
    let redis = Redis::new(&Masked::new(url.to_owned()), mono.clone()).map_err(told)?;
    let replied = redis.run(&Script::new("return 7"), "key", &[]).await.map_err(told);
    let mut config = SecondLevelConfig::new(url);
    config.timeout_ms = 3_000;
    let pinged = SecondLevel::new(&config, mono).unwrap().ping().await;
    assert_eq!(pinged.is_ok(), replied.is_ok(), "{pinged:?}");
    replied
}

/// An error with its causes.
fn told(error: impl std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_is_spoken_to_over_tls_where_its_authority_is_known() {
    let server = testkit::Redis::encrypted().unwrap();
    let url = server.create_database().unwrap();
    assert!(url.starts_with("rediss://"), "{url}");
    let authority = server.authority().display().to_string();
    let known = format!("{url}?sslrootcert={authority}");
    assert_eq!(asked_of_redis(&known).await.unwrap(), Reply::Number(7));

    let elsewhere = tempfile::tempdir().unwrap();
    self_signed(&mut Command::new("openssl"), elsewhere.path(), "127.0.0.1").unwrap();
    let wrong = elsewhere.path().join("server.crt").display().to_string();
    for unknown in [format!("{url}?sslrootcert={wrong}"), url.clone()] {
        let said = asked_of_redis(&unknown).await.unwrap_err();
        assert!(said.contains("certificate"), "{said}");
    }
    let other_host = known.replace("127.0.0.1", "localhost");
    let said = asked_of_redis(&other_host).await.unwrap_err();
    assert!(said.contains("not valid for name"), "{said}");
    let plain = known.replace("rediss://", "redis://").replace(&authority, "");
    assert!(asked_of_redis(plain.trim_end_matches("?sslrootcert=")).await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_the_authority_of_redis_is_said() {
    let said = asked_of_redis("rediss://127.0.0.1:1/0?sslrootcert=/no/such.pem").await.unwrap_err();
    assert!(said.contains("/no/such.pem"), "{said}");
    let said = asked_of_redis("rediss://127.0.0.1:1/0?sslrootcert=/dev/null").await.unwrap_err();
    assert!(said.contains("no certificate"), "{said}");
    let folder = tempfile::tempdir().unwrap();
    self_signed(&mut Command::new("openssl"), folder.path(), "127.0.0.1").unwrap();
    let root = folder.path().join("server.crt");
    let plain = format!("redis://127.0.0.1:1/0?sslrootcert={}", root.display());
    let said = asked_of_redis(&plain).await.unwrap_err();
    assert!(said.contains("rediss://"), "{said}");
}
