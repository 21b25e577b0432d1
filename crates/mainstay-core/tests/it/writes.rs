//! One closure is one transaction, on every engine.

use std::sync::{Mutex, mpsc};

use futures_util::future::join_all;
use mainstay_core::{
    db::{Db, DbError, EngineKind, migrate::Migration},
    params, statements,
    telemetry::{DbMetrics, Metrics},
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

/// What is shown of this series of the demonstration's commits.
fn shown(metrics: &Metrics, db: &Db, series: &str) -> f64 {
    let labels = format!("database=\"demo\",engine=\"{}\"}} ", db.engine().name());
    let text = metrics.render();
    let line = text.lines().find(|line| line.starts_with(series) && line.contains(&labels));
    let line = line.unwrap_or_else(|| panic!("{series} is not in\n{text}"));
    line.rsplit_once(' ').unwrap().1.parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_is_measured_with_the_writes_that_it_makes_durable() {
    for place in Place::on_each_engine().await {
        let db = place.open(MIGRATIONS).await;
        let metrics = Metrics::new();
        db.measure_commits(DbMetrics::new(&metrics).commits("demo", db.engine().name()));
        // One holds the writer until the others stand behind it.
        let (entered, is_in) = mpsc::channel::<()>();
        let (leave, may_leave) = mpsc::channel::<()>();
        let (entered, may_leave) = (Mutex::new(entered), Mutex::new(may_leave));
        let (of_first, others) = (db.clone(), db.clone());
        let first = tokio::spawn(async move {
            let held = of_first.write::<_, DbError, _>(move |tx| {
                entered.lock().unwrap().send(()).unwrap();
                may_leave.lock().unwrap().recv().unwrap();
                Box::pin(async move { tx.execute(&ADD, params![100_i64]).await })
            });
            held.await.unwrap();
        });
        is_in.recv().unwrap();
        let mut others = join_all((0..8_i64).map(|n| {
            others.write::<_, DbError, _>(move |tx| {
                Box::pin(async move { tx.execute(&ADD, params![n]).await })
            })
        }));
        assert!(futures_util::poll!(&mut others).is_pending());
        leave.send(()).unwrap();
        first.await.unwrap();
        others.await.into_iter().for_each(|written| assert_eq!(written.unwrap(), 1));

        let commits = match db.engine() {
            EngineKind::Sqlite => 2.0,
            // A server commits each by itself.
            EngineKind::Postgres => 9.0,
        };
        assert_eq!(shown(&metrics, &db, "db_commit_writes_sum{"), 9.0);
        assert_eq!(shown(&metrics, &db, "db_commit_writes_count{"), commits);
        assert_eq!(shown(&metrics, &db, "db_commit_duration_seconds_count{"), commits);
        assert!(shown(&metrics, &db, "db_commit_duration_seconds_sum{") > 0.0);
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
