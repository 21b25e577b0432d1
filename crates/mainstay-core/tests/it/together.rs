//! Statements that travel together are what they are one by one.

use mainstay_core::{
    clock::Clock,
    db::{Db, DbError, Location, PgSettings, migrate::Migration},
    params, statements,
};

statements! {
    /// Adds.
    ADD = "insert into together.entry (v) values ($1)";
    /// One.
    GET = "select v from together.entry where v = $1";
    /// Counts.
    COUNT = "select count(*) from together.entry";
}

static MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "entry",
    text: "-- Entries.\ncreate table together.entry (\n    v bigint not null unique\n);\n",
}];

async fn on_both(folder: &std::path::Path) -> Vec<Db> {
    let url = mainstay_testkit::Postgres::shared().create_database().await.unwrap();
    let settings = PgSettings { url, connections_max: 4, statement_timeout_ms: 10_000 };
    let mut both = Vec::new();
    for location in [
        Location::Sqlite { folder: folder.to_owned(), durable: true },
        Location::Postgres(settings),
    ] {
        both.push(Db::open(&location, "together", MIGRATIONS, Clock::system()).await.unwrap());
    }
    both
}

async fn add(db: &Db, values: &'static [i64]) -> Result<Vec<u64>, DbError> {
    db.write(move |tx| {
        Box::pin(async move {
            let all = values.iter().map(|value| (&ADD, params![*value].to_vec()));
            tx.execute_all(&all.collect::<Vec<_>>()).await
        })
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn each_statement_of_many_is_answered_in_its_place() {
    let folder = tempfile::tempdir().unwrap();
    for db in on_both(folder.path()).await {
        assert_eq!(add(&db, &[1, 2, 3]).await.unwrap(), [1, 1, 1]);
        let asked: Vec<_> = [3_i64, 7, 1].iter().map(|value| params![*value].to_vec()).collect();
        let mut tx = db.read().await.unwrap();
        let found: Vec<Option<(i64,)>> = tx.optional_all(&GET, &asked).await.unwrap();
        assert_eq!(found, [Some((3,)), None, Some((1,))]);
        assert_eq!(add(&db, &[]).await.unwrap(), [0_u64; 0]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_statement_at_fault_is_named_and_nothing_of_the_others_stays() {
    let folder = tempfile::tempdir().unwrap();
    for db in on_both(folder.path()).await {
        add(&db, &[1]).await.unwrap();
        let refused = add(&db, &[2, 1, 3]).await;
        assert!(matches!(refused, Err(DbError::Constraint(_))), "{refused:?}");
        let (count,): (i64,) = db.read().await.unwrap().one(&COUNT, &[]).await.unwrap();
        assert_eq!(count, 1);
    }
}
