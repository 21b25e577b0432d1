//! Postgres over TLS, as `sslmode` and `sslrootcert` in the address ask for it.

use std::process::Command;

use mainstay_core::{
    clock::Clock,
    db::{Db, DbError, Location, PgSettings},
    statements,
};
use mainstay_testkit::{Postgres, self_signed};

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
