//! Statements that travel together are what they are one by one.

use mainstay_core::{
    db::{Db, DbError, migrate::Migration},
    params, statements,
};

use crate::engines::Place;

statements! {
    /// Adds.
    ADD = "insert into demo.entry (v) values ($1)";
    /// One.
    GET = "select v from demo.entry where v = $1";
    /// Counts.
    COUNT = "select count(*) from demo.entry";
}

static MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "entry",
    text: "-- Entries.\ncreate table demo.entry (\n    v bigint not null unique\n);\n",
}];

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
    for place in Place::on_each_engine().await {
        let db = place.open(MIGRATIONS).await;
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
    for place in Place::on_each_engine().await {
        let db = place.open(MIGRATIONS).await;
        add(&db, &[1]).await.unwrap();
        let refused = add(&db, &[2, 1, 3]).await;
        assert!(matches!(refused, Err(DbError::Constraint(_))), "{refused:?}");
        let (count,): (i64,) = db.read().await.unwrap().one(&COUNT, &[]).await.unwrap();
        assert_eq!(count, 1);
    }
}
