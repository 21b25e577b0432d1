//! Statements that travel together are what they are one by one.

use mainstay_core::{
    contract::ts::Ts,
    db::{Db, DbError, Json, Param, migrate::Migration},
    params, statements,
};
use serde_json::{Value, json};

use crate::engines::Place;

statements! {
    /// Adds.
    ADD = "insert into demo.entry (v) values ($1)";
    /// One.
    GET = "select v from demo.entry where v = $1";
    /// Moves one.
    MOVE = "update demo.entry set v = $2 where v = $1";
    /// Adds things.
    ADD_THINGS = "insert into demo.thing (no, name, bytes, said, at)
                  select * from unnest($1::bigint[], $2::text[], $3::bytea[], $4::jsonb[], $5::timestamptz[])",
        sqlite "insert into demo.thing (no, name, bytes, said, at) values ($1, $2, $3, $4, $5)";
    /// Things.
    THINGS = "select no, name, bytes, said, at from demo.thing order by no limit 10000";
    /// Counts.
    COUNT = "select count(*) from demo.entry";
}

static MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "entry",
    text: "-- Entries.\ncreate table demo.entry (\n    v bigint not null unique\n);\n\
           -- Things.\ncreate table demo.thing (\n    no bigint not null primary key,\n    name text,\n    bytes bytea,\n    said jsonb,\n    at timestamptz not null\n);\n",
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

async fn count(db: &Db) -> i64 {
    let (count,): (i64,) = db.read().await.unwrap().one(&COUNT, &[]).await.unwrap();
    count
}

type Thing = (i64, Option<String>, Option<Vec<u8>>, Option<Json<Value>>, Ts);

/// More than travel as one statement, with and without each value.
#[tokio::test(flavor = "multi_thread")]
async fn rows_of_one_statement_are_written_as_they_are() {
    let thing = |no: i64| -> Thing {
        let name = (no % 2 == 0).then(|| format!("thing \"{no}\", {{}}"));
        let bytes = (no % 3 > 0).then(|| no.to_be_bytes()[..(no % 8) as usize].to_vec());
        let said = (no % 5 > 0).then(|| Json(json!({ "no": no, "of": [null, "x"] })));
        (no, name, bytes, said, Ts::from_micros(no * 1_000_003))
    };
    let row = |(no, name, bytes, said, at): Thing| {
        let said = said.map_or(Param::Null, |Json(said)| Param::Json(said.to_string()));
        let name = name.map_or(Param::Null, |name| Param::Text(name.into()));
        let bytes = bytes.map_or(Param::Null, |bytes| Param::Bytes(bytes.into()));
        vec![Param::I64(no), name, bytes, said, Param::Ts(at)]
    };
    for place in Place::on_each_engine().await {
        let db = place.open(MIGRATIONS).await;
        let add = async |numbers: std::ops::Range<i64>| {
            let rows: Vec<_> = numbers.map(|no| row(thing(no))).collect();
            db.write::<_, DbError, _>(move |tx| {
                let rows = rows.clone();
                Box::pin(async move { tx.run_rows(&ADD_THINGS, rows).await })
            })
            .await
        };
        add(0..2_500).await.unwrap();
        add(0..0).await.unwrap();
        let refused = add(2_499..2_600).await;
        assert!(matches!(refused, Err(DbError::Constraint(_))), "{refused:?}");
        let things: Vec<Thing> = db.read().await.unwrap().all(&THINGS, &[]).await.unwrap();
        let expected: Vec<Thing> = (0..2_500).map(thing).collect();
        assert_eq!(things, expected);
    }
}

/// More than travel at once.
#[tokio::test(flavor = "multi_thread")]
async fn statements_that_nobody_waits_for_run_in_their_order() {
    for place in Place::on_each_engine().await {
        let db = place.open(MIGRATIONS).await;
        let seen = db.write::<_, DbError, _>(|tx| {
            Box::pin(async move {
                tx.run(&ADD, params![0_i64]).await?;
                for value in 0..50_i64 {
                    tx.run(&MOVE, params![value, value + 1]).await?;
                }
                tx.optional::<(i64,)>(&GET, params![50_i64]).await
            })
        });
        assert_eq!(seen.await.unwrap(), Some((50,)));
        assert_eq!(count(&db).await, 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_nobody_waits_for_fails_the_transaction_however_late_it_fails() {
    for place in Place::on_each_engine().await {
        let db = place.open(MIGRATIONS).await;
        add(&db, &[1]).await.unwrap();
        let last = db.write::<_, DbError, _>(|tx| {
            Box::pin(async move {
                tx.run(&ADD, params![2_i64]).await?;
                tx.run(&ADD, params![1_i64]).await
            })
        });
        let last = last.await;
        assert!(matches!(last, Err(DbError::Constraint(_))), "{last:?}");
        assert_eq!(count(&db).await, 1);
        add(&db, &[3]).await.unwrap();
    }
}

/// SQLite takes back the statement alone; Postgres refuses whatever comes after it, and its commit must not pass for
/// one.
#[tokio::test(flavor = "multi_thread")]
async fn who_goes_on_after_a_failed_statement_is_told_of_no_more_than_was_written() {
    for place in Place::on_each_engine().await {
        let db = place.open(MIGRATIONS).await;
        let gone_on = db.write::<_, DbError, _>(|tx| {
            Box::pin(async move {
                tx.execute(&ADD, params![1_i64]).await?;
                assert!(tx.execute(&ADD, params![1_i64]).await.is_err());
                Ok(())
            })
        });
        let written = gone_on.await.is_ok();
        assert_eq!(count(&db).await, i64::from(written));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_asks_nothing_leaves_its_connection_to_the_next() {
    for place in Place::on_each_engine().await {
        let db = place.open(MIGRATIONS).await;
        for _ in 0..20 {
            db.write::<_, DbError, _>(|_| Box::pin(async { Ok(()) })).await.unwrap();
            let refused: Result<(), DbError> = db
                .write(|_| Box::pin(async { Err(DbError::Unavailable("as it wants".into())) }))
                .await;
            assert!(refused.is_err());
        }
        add(&db, &[1]).await.unwrap();
        assert_eq!(count(&db).await, 1);
    }
}
