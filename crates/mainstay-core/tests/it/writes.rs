//! One closure is one transaction, on every engine.

use mainstay_core::{
    db::{Db, DbError, EngineKind, migrate::Migration},
    params, statements,
};

use crate::engines::Place;

statements! {
    /// Adds.
    ADD = "insert into demo.entry (v) values ($1)";
    /// Counts.
    COUNT = "select count(*) from demo.entry";
}

static MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "entry",
    text: "-- Entries.\ncreate table demo.entry (\n    v bigint not null unique\n);\n",
}];

async fn count(db: &Db) -> i64 {
    db.read().await.unwrap().one::<(i64,)>(&COUNT, &[]).await.unwrap().0
}

#[tokio::test(flavor = "multi_thread")]
async fn every_statement_of_the_base_tables_is_understood() {
    for place in Place::on_each_engine().await {
        let db = place.open(MIGRATIONS).await;
        for statement in db.outbox().statements() {
            db.prepare(statement).await.unwrap();
        }
    }
}

/// SQLite has one writer, which would wait; on Postgres the transaction keeps only its own connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_closure_that_awaits_something_else_is_rolled_back_where_others_would_wait_for_it() {
    for place in Place::on_each_engine().await {
        let db = place.open(MIGRATIONS).await;
        let result: Result<(), DbError> = db
            .write(|tx| {
                Box::pin(async move {
                    tx.execute(&ADD, params![1_i64]).await?;
                    tokio::task::yield_now().await;
                    Ok(())
                })
            })
            .await;
        match db.engine() {
            EngineKind::Sqlite => {
                assert!(matches!(result, Err(DbError::AwaitedOutside)), "{result:?}");
                assert_eq!(count(&db).await, 0);
            }
            EngineKind::Postgres => {
                result.unwrap();
                assert_eq!(count(&db).await, 1);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_closure_that_fails_or_panics_takes_nothing_else_with_it() {
    for place in Place::on_each_engine().await {
        let db = place.open(MIGRATIONS).await;
        let mut tasks = tokio::task::JoinSet::new();
        for n in 0..200_i64 {
            let db = db.clone();
            tasks.spawn(async move {
                let result: Result<(), DbError> = db
                    .write(move |tx| {
                        Box::pin(async move {
                            tx.execute(&ADD, params![n]).await?;
                            match n % 3 {
                                0 => Ok(()),
                                1 => tx.execute(&ADD, params![n]).await.map(drop),
                                _ => panic!("on purpose"),
                            }
                        })
                    })
                    .await;
                match n % 3 {
                    0 => result.unwrap(),
                    1 => assert!(matches!(result, Err(DbError::Constraint(_))), "{n}: {result:?}"),
                    _ => assert!(matches!(result, Err(DbError::Panicked)), "{n}: {result:?}"),
                }
            });
        }
        while let Some(done) = tasks.join_next().await {
            done.unwrap();
        }
        assert_eq!(count(&db).await, 67);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_is_there_after_opening_again() {
    for place in Place::on_each_engine().await {
        let db = place.open(MIGRATIONS).await;
        db.write::<_, DbError, _>(|tx| {
            Box::pin(async move { tx.execute(&ADD, params![7_i64]).await })
        })
        .await
        .unwrap();
        db.close().await;
        drop(db);
        assert_eq!(count(&place.open(MIGRATIONS).await).await, 1);
    }
}
