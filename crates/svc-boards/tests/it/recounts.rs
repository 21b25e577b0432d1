//! What counts of activity when the order of sources changes, and what facts say of it.

use mainstay_core::{
    contract::{
        Fact,
        boards::{ActivityRecordedV1, ActivityRecountedV1},
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
        for round in 0..40 {
            let source = ["phone", "ring", "watch"][dice.below(3)];
            // Around midnight, so that one covers the end of the day before.
            let from = 1_320 + 30 * i64::try_from(dice.below(8)).unwrap();
            let value = i64::try_from(dice.below(900)).unwrap();
            let sync = said(before, source, from, 30 + 15 * i64::from(round % 4), value);
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
