//! Activity as it is synced: counted once, whatever is sent again, late or twice.

use futures_util::future::join_all;
use mainstay_core::contract::ts::Ts;
use mainstay_testkit::{
    Dice,
    program::{Client, Program},
};
use serde_json::{Value, json};

use crate::{admin, both_engines, both_engines_held};

const PATH: &str = "/api/v1/activities";
const DAY_S: i64 = 86_400;

/// Midnight of yesterday.
fn yesterday(house: &Program) -> Ts {
    let now_s = house.clock().now().as_micros().div_euclid(1_000_000);
    Ts::from_micros((now_s.div_euclid(DAY_S) - 1) * DAY_S * 1_000_000)
}

/// What a source says of so many minutes from a minute of the day on.
fn said(day: Ts, source: &str, from_min: i64, minutes: i64, value: i64) -> Value {
    let (start, end) = (day.plus_s(from_min * 60), day.plus_s((from_min + minutes) * 60));
    json!({ "source": source, "metric": "steps", "start": start, "end": end, "value": value })
}

fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

async fn total(person: &Client, day: Ts) -> i64 {
    let path = format!("{PATH}/totals?metric=steps&from={day}&to={}", day.plus_s(DAY_S));
    person.get(&path).await.expect(200)["total"].as_i64().unwrap()
}

#[tokio::test]
async fn a_sync_that_is_sent_again_replaces_and_never_adds_twice() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        for value in [1_000, 1_000, 1_500] {
            ada.post(PATH, said(day, "watch", 600, 60, value)).await.expect(200);
        }
        assert_eq!(total(&ada, day).await, 1_500);
        let list = json!([said(day, "watch", 660, 30, 200), said(day, "watch", 600, 60, 900)]);
        let answer = ada.post(PATH, list).await.expect(200);
        assert_eq!(answer["items"][1]["activity"]["changed"], true);
        assert_eq!(total(&ada, day).await, 1_100);
        let again = ada.post(PATH, said(day, "watch", 600, 60, 900)).await.expect(200);
        assert_eq!(again["changed"], false);
    })
    .await;
}

/// Sends the same revisions of a day so many times, in any order and at once.
async fn resync(house: &Program, times: usize) {
    let ada = house.person("ada").await;
    let day = yesterday(house);
    let mut dice = Dice::of(11);
    let mut revisions = Vec::new();
    for hour in 0..4 {
        for (revision, value) in [(1, 100), (2, 900), (3, 400 + hour)] {
            let sync = said(day, "watch", hour * 60, 60, value);
            revisions.push(with(sync, "revision", revision));
        }
    }
    let expected = (0..4).map(|hour| 400 + hour).sum::<i64>();
    for round in 0..times.div_ceil(8) {
        let sends = (0..8).map(|_| {
            let mut order = revisions.clone();
            for place in (1..order.len()).rev() {
                order.swap(place, dice.below(place + 1));
            }
            ada.post(PATH, json!(order)).into_future()
        });
        for answer in join_all(sends.collect::<Vec<_>>()).await {
            answer.expect(200);
        }
        assert_eq!(total(&ada, day).await, expected, "round {round}");
    }
}

#[tokio::test]
async fn the_same_revisions_give_the_same_total_however_often_and_in_any_order() {
    // A tenth of the thousand that the soak sends.
    both_engines(async |house| resync(house, 104).await).await;
}

#[tokio::test]
async fn an_interval_that_overlaps_another_of_its_source_is_refused_with_its_name() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        ada.post(PATH, said(day, "watch", 600, 60, 500)).await.expect(200);
        for (from, minutes) in [(630, 60), (570, 60), (590, 100), (610, 10), (600, 30)] {
            let answer = ada.post(PATH, said(day, "watch", from, minutes, 1)).await;
            let problem = answer.expect_problem(409, "conflict");
            let detail = problem["detail"].as_str().unwrap();
            assert!(detail.contains("T10:00:00"), "{detail}");
        }
        ada.post(PATH, said(day, "watch", 660, 60, 1)).await.expect(200);
        ada.post(PATH, said(day, "watch", 540, 60, 1)).await.expect(200);
        assert_eq!(total(&ada, day).await, 502);
    })
    .await;
}

#[tokio::test]
async fn time_that_two_sources_tell_of_counts_once() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        ada.post(PATH, said(day, "phone", 600, 60, 1_000)).await.expect(200);
        ada.post(PATH, said(day, "watch", 630, 60, 1_200)).await.expect(200);
        assert_eq!(total(&ada, day).await, 1_000 + 600, "by name at first");
        let order = json!({ "priority": ["watch", "phone"] });
        ada.put(&format!("{PATH}/sources")).json(&order).await.expect(200);
        assert_eq!(total(&ada, day).await, 1_200 + 500);
        assert_eq!(ada.get(&format!("{PATH}/sources")).await.expect(200), order);
        let odd = json!({ "priority": ["watch", "watch"] });
        ada.put(&format!("{PATH}/sources")).json(&odd).await.expect_problem(422, "invalid");
    })
    .await;
}

#[tokio::test]
async fn an_interval_counts_in_the_utc_day_in_which_it_starts() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let (day, before) = (yesterday(house), yesterday(house).plus_s(-DAY_S));
        ada.post(PATH, said(before, "watch", 23 * 60 + 30, 60, 700)).await.expect(200);
        ada.post(PATH, said(day, "watch", 30, 60, 100)).await.expect(200);
        assert_eq!((total(&ada, before).await, total(&ada, day).await), (700, 100));
        let days = format!("{PATH}/days?metric=steps&from={before}&to={}", day.plus_s(DAY_S));
        let days = ada.get(&days).await.expect(200);
        let values: Vec<&Value> =
            days["items"].as_array().unwrap().iter().map(|day| &day["value"]).collect();
        assert_eq!(values, [700, 100]);
        assert_eq!(days["items"][0]["day"], before.to_string()[..10]);
        let list = ada.get(&format!("{PATH}?limit=1")).await.expect(200);
        assert_eq!(list["items"][0]["value"], 100);
        let next = list["next_cursor"].as_str().unwrap();
        let list = ada.get(&format!("{PATH}?limit=5&cursor={next}")).await.expect(200);
        assert_eq!((&list["items"][0]["value"], &list["next_cursor"]), (&json!(700), &Value::Null));
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_is_refused_and_leaves_nothing() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        let now = house.clock().now();
        let odd = [
            with(said(day, "watch", 0, 60, 25_001), "x", Value::Null),
            said(day, "watch", 0, 60, 25_001),
            said(day, "watch", 0, 60, -1),
            said(day, "watch", 60, 0, 1),
            said(day, "watch", 0, 24 * 60 + 1, 1),
            said(day, "Watch 1", 0, 60, 1),
            with(
                with(said(day, "watch", 0, 60, 1), "start", json!(now.plus_s(3_600))),
                "end",
                json!(now.plus_s(7_200)),
            ),
            said(day.plus_s(-500 * DAY_S), "watch", 0, 60, 1),
        ];
        for body in odd {
            ada.post(PATH, body.clone()).await.expect_problem(422, "invalid");
        }
        for hour in 0..6 {
            ada.post(PATH, said(day, "watch", hour * 60, 60, 25_000)).await.expect(200);
        }
        ada.post(PATH, said(day, "watch", 720, 60, 1)).await.expect_problem(422, "invalid");
        assert_eq!(total(&ada, day).await, 150_000);
        let bad = format!("{PATH}/totals?metric=steps&from=yesterday&to=2026-01-01");
        ada.get(&bad).await.expect_problem(422, "invalid");
    })
    .await;
}

#[tokio::test]
async fn people_sync_their_own_and_a_server_syncs_anybodys() {
    both_engines(async |house| {
        let (keeper, ada, bea) =
            (admin(house).await, house.person("ada").await, house.person("bea").await);
        let day = yesterday(house);
        let hers = with(said(day, "watch", 0, 60, 10), "user_id", bea.id.clone());
        ada.post(PATH, hers.clone()).await.expect_problem(403, "forbidden");
        house
            .stranger()
            .post(PATH, said(day, "watch", 0, 60, 1))
            .await
            .expect_problem(401, "unauthenticated");
        let list = json!([hers, with(said(day, "watch", 0, 60, 20), "user_id", ada.id.clone())]);
        keeper.post(PATH, list).await.expect(200);
        assert_eq!((total(&ada, day).await, total(&bea, day).await), (20, 10));
        assert_eq!(total(&keeper, day).await, 0);
    })
    .await;
}

#[tokio::test]
async fn goals_make_streaks_and_streaks_make_achievements_that_stay() {
    both_engines_held(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        let goals = format!("{PATH}/goals");
        ada.put(&format!("{goals}/steps")).json(&json!({ "per_day": 8_000 })).await.expect(200);
        for back in 0..7 {
            let sync = said(day.plus_s(-back * DAY_S), "watch", 600, 60, 8_000 + back);
            ada.post(PATH, sync).await.expect(200);
        }
        let goal = ada.get(&goals).await.expect(200)["items"][0].clone();
        assert_eq!(
            (&goal["streak_days"], &goal["today"]),
            (&json!(7), &json!(0)),
            "today is not over"
        );
        let earned = async || {
            let list = ada.get(&format!("{PATH}/achievements")).await.expect(200);
            let codes: Vec<String> = list["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["code"].as_str().unwrap().to_owned())
                .collect();
            codes
        };
        assert_eq!(earned().await, ["streak_7"]);
        ada.post(PATH, said(day, "watch", 600, 60, 12_000)).await.expect(200);
        assert_eq!(earned().await, ["steps_10k", "streak_7"]);
        ada.post(PATH, said(day, "watch", 600, 60, 10)).await.expect(200);
        assert_eq!(earned().await, ["steps_10k", "streak_7"], "what was achieved stays");
        assert_eq!(ada.get(&goals).await.expect(200)["items"][0]["streak_days"], 0);
        ada.put(&format!("{goals}/steps"))
            .json(&json!({ "per_day": 0 }))
            .await
            .expect_problem(422, "invalid");
        ada.delete(&format!("{goals}/steps")).await.expect(204);
        ada.delete(&format!("{goals}/steps")).await.expect_problem(404, "not_found");
    })
    .await;
}
