//! What counts of activity when the order of sources changes, and what facts say of it.

use std::future::IntoFuture as _;

use mainstay_core::{
    contract::{
        Fact,
        boards::{ActivityRecordedV1, ActivityRecountedV1, GoalReachedV1},
        id::UserId,
    },
    db::{DbError, Json, Position},
    params, statements,
};
use mainstay_testkit::{
    Dice,
    program::{Client, Program},
};
use serde_json::{Value, json};

use crate::{
    activities::{DAY_S, PATH, said, total, yesterday},
    both_engines,
};

statements! {
    /// What a change of the order leaves behind when the program ends right after it.
    CHANGE_ORDER = "update boards.activity_person set source_priority = $2, recount_metric = '', recount_day = 0
                    where user_id = $1";
}

/// The facts of this kind in the log.
async fn facts<F: Fact>(house: &Program) -> Vec<F> {
    let db = house.db("boards");
    let mut tx = db.read().await.unwrap();
    let all = db.outbox().after(&mut tx, Position::default(), 10_000).await.unwrap();
    all.iter().filter_map(|fact| fact.read()).collect()
}

/// What facts say was added in all.
async fn told(house: &Program) -> i64 {
    let recorded =
        facts::<ActivityRecordedV1>(house).await.iter().map(|fact| fact.added).sum::<i64>();
    let recounted =
        facts::<ActivityRecountedV1>(house).await.iter().map(|fact| fact.added).sum::<i64>();
    recorded + recounted
}

async fn order(person: &Client, sources: &[&str]) {
    let body = json!({ "priority": sources });
    person.put(&format!("{PATH}/sources")).json(&body).await.expect(200);
}

#[tokio::test]
async fn what_facts_say_was_added_is_what_counts() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        let before = day.plus_s(-DAY_S);
        let mut dice = Dice::of(7);
        let orders: [&[&str]; 3] = [&["watch"], &["phone", "ring"], &["ring", "phone", "watch"]];
        for round in 0..60 {
            let source = ["phone", "ring", "watch"][dice.below(3)];
            // Around midnight, so that one covers the end of the day before.
            let from = 1_350 + 30 * i64::try_from(dice.below(6)).unwrap();
            let value = i64::try_from(dice.below(900)).unwrap();
            let sync = said(before, source, from, 60 + 30 * i64::from(round % 3), value);
            let answer = ada.post(PATH, sync).await;
            assert!([200, 409].contains(&answer.status), "{answer:?}");
            if round % 5 == 0 {
                order(&ada, orders[dice.below(3)]).await;
            }
            let counts = total(&ada, before).await + total(&ada, day).await;
            assert_eq!(told(house).await, counts, "round {round}");
        }
        assert!(!facts::<ActivityRecountedV1>(house).await.is_empty());
    })
    .await;
}

#[tokio::test]
async fn an_order_of_sources_that_was_interrupted_is_applied_later() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        for back in 0..150 {
            let day = day.plus_s(-back * DAY_S);
            let list = json!([said(day, "phone", 600, 60, 100), said(day, "watch", 600, 60, 300)]);
            ada.post(PATH, list).await.expect(200);
        }
        let user: UserId = ada.id.parse().unwrap();
        let change = house.db("boards").write(move |tx| {
            Box::pin(async move {
                tx.execute(&CHANGE_ORDER, params![user, Json(vec!["watch"])]).await?;
                Ok::<_, DbError>(())
            })
        });
        change.await.unwrap();
        let path = format!(
            "{PATH}/totals?metric=steps&from={}&to={}",
            day.plus_s(-200 * DAY_S),
            day.plus_s(DAY_S),
        );
        let all = async || ada.get(&path).await.expect(200)["total"].clone();
        // Somebody syncs while it is not applied yet.
        ada.post(PATH, said(day, "watch", 700, 60, 7)).await.expect(200);
        house.work("boards.recount_activity").await;
        assert_eq!(all().await, 150 * 300 + 7);
        assert_eq!(told(house).await, 150 * 300 + 7);
        order(&ada, &["phone"]).await;
        assert_eq!(all().await, 150 * 100 + 7);
    })
    .await;
}

#[tokio::test]
async fn another_order_of_sources_earns_what_it_makes_of_a_day() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        ada.post(PATH, said(day, "phone", 600, 60, 100)).await.expect(200);
        ada.post(PATH, said(day, "watch", 600, 60, 11_000)).await.expect(200);
        let earned =
            async || ada.get(&format!("{PATH}/achievements")).await.expect(200)["items"].clone();
        assert_eq!(earned().await, Value::Array(Vec::new()));
        order(&ada, &["watch"]).await;
        assert_eq!(earned().await[0]["code"], "steps_10k");
    })
    .await;
}

#[tokio::test]
async fn no_order_of_sources_makes_more_of_a_day_than_is_plausible() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        ada.post(PATH, said(day, "a", 0, 1_440, 0)).await.expect(200);
        // All of it lies behind what the first source covers.
        for quarter in 0..4 {
            ada.post(PATH, said(day, "b", quarter * 360, 360, 150_000)).await.expect(200);
        }
        assert_eq!(total(&ada, day).await, 0);
        order(&ada, &["b"]).await;
        assert_eq!(total(&ada, day).await, 150_000);
        ada.post(PATH, said(day, "b", 0, 360, 149_999)).await.expect(200);
        ada.post(PATH, said(day, "c", 0, 60, 25_000)).await.expect(200);
        assert!(total(&ada, day).await <= 150_000);
        assert_eq!(told(house).await, total(&ada, day).await);
        order(&ada, &["a"]).await;
        assert_eq!(total(&ada, day).await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_goal_of_today_earns_nothing_for_days_that_are_over() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        for back in 0..8 {
            ada.post(PATH, said(day.plus_s(-back * DAY_S), "watch", 600, 60, 5)).await.expect(200);
        }
        ada.put(&format!("{PATH}/goals/steps")).json(&json!({ "per_day": 1 })).await.expect(200);
        ada.post(PATH, said(day, "watch", 700, 60, 5)).await.expect(200);
        let earned = ada.get(&format!("{PATH}/achievements")).await.expect(200);
        assert_eq!(earned["items"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_goal_is_reached_once_a_day_whatever_is_synced_later() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        let goal = |per_day: i64| {
            let body = json!({ "per_day": per_day });
            ada.put(&format!("{PATH}/goals/steps")).json(&body).into_future()
        };
        goal(1_000).await.expect(200);
        let reached = async || facts::<GoalReachedV1>(house).await;
        for (value, count) in [(999, 0), (1_000, 1), (5, 1), (1_200, 1)] {
            ada.post(PATH, said(day, "watch", 600, 60, value)).await.expect(200);
            assert_eq!(reached().await.len(), count, "{value}");
        }
        assert_eq!((reached().await[0].day, reached().await[0].per_day), (day, 1_000));
        ada.post(PATH, said(day.plus_s(-DAY_S), "watch", 600, 60, 1_000)).await.expect(200);
        assert_eq!(reached().await.len(), 2, "another day");
    })
    .await;
}

#[tokio::test]
async fn what_is_plausible_is_a_setting() {
    let setup = crate::setup().set("boards.activity.steps_per_hour_max", "1000");
    let setup = setup.set("boards.activity.steps_per_day_max", "1500");
    setup
        .on_both_engines(async |house| {
            let ada = house.person("ada").await;
            let day = yesterday(house);
            ada.post(PATH, said(day, "watch", 0, 60, 1_001)).await.expect_problem(422, "invalid");
            ada.post(PATH, said(day, "watch", 0, 60, 1_000)).await.expect(200);
            let more = ada.post(PATH, said(day, "watch", 60, 60, 501)).await;
            let problem = more.expect_problem(422, "invalid");
            let detail = problem["errors"][0]["detail"].as_str().unwrap();
            assert!(detail.contains("more than 1500 steps"), "{detail}");
            ada.post(PATH, said(day, "watch", 60, 60, 500)).await.expect(200);
        })
        .await;
}
