//! Activity as it is synced: counted once, whatever is sent again, late or twice.

use futures_util::future::join_all;
use mainstay_core::contract::ts::Ts;
use mainstay_testkit::{
    Dice,
    program::{Client, Program},
    soak,
};
use serde_json::{Value, json};

use crate::{admin, both_engines, both_engines_held};

pub(crate) const PATH: &str = "/api/v1/activities";
pub(crate) const DAY_S: i64 = 86_400;

/// Midnight of yesterday.
pub(crate) fn yesterday(house: &Program) -> Ts {
    let now_s = house.clock().now().as_micros().div_euclid(1_000_000);
    Ts::from_micros((now_s.div_euclid(DAY_S) - 1) * DAY_S * 1_000_000)
}

/// What a source says of so many minutes from a minute of the day on.
pub(crate) fn said(day: Ts, source: &str, from_min: i64, minutes: i64, value: i64) -> Value {
    let (start, end) = (day.plus_s(from_min * 60), day.plus_s((from_min + minutes) * 60));
    json!({ "source": source, "metric": "steps", "start": start, "end": end, "value": value })
}

fn with(mut body: Value, name: &str, value: impl Into<Value>) -> Value {
    body[name] = value.into();
    body
}

pub(crate) async fn total(person: &Client, day: Ts) -> i64 {
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

/// Sends the same revisions of a day so many times, in any order and eight at once.
async fn resync(house: &Program, times: u64) {
    let ada = house.person("ada").await;
    let day = yesterday(house);
    let mut dice = Dice::of(soak::seed(11));
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
    // A tenth of the thousand that `cargo xtask soak resync` sends.
    both_engines(async |house| resync(house, soak::rounds(104)).await).await;
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
        ada.post(PATH, said(day, "phone", 720, 60, 1_000)).await.expect(200);
        ada.post(PATH, said(day, "watch", 720, 30, 200)).await.expect(200);
        assert_eq!(
            total(&ada, day).await,
            1_700 + 200 + 500,
            "who comes first takes what others had"
        );
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
        let split =
            ada.post(PATH, said(day, "watch", 0, 1, 418)).await.expect_problem(422, "invalid");
        let detail = split["errors"][0]["detail"].as_str().unwrap();
        assert!(detail.contains("417 steps"), "an hour in short pieces holds no more: {detail}");
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
        let key = async |scopes: Value| {
            let new = json!({ "name": "server", "scopes": scopes });
            let made = keeper.post("/api/v1/api-keys", new).await.expect(201);
            let secret =
                ["secret", "key"].iter().find_map(|name| made.get(*name)?.as_str()).unwrap();
            house.stranger().with_token(secret)
        };
        let more = with(said(day, "watch", 60, 60, 5), "user_id", bea.id.clone());
        let plain = key(json!(["write"])).await;
        plain.post(PATH, more.clone()).await.expect_problem(403, "forbidden");
        assert_eq!(total(&bea, day).await, 10);
        key(json!(["write", "boards:write"])).await.post(PATH, more).await.expect(200);
        assert_eq!(total(&bea, day).await, 15);
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
        assert_eq!(ada.get(&format!("{goals}/steps")).await.expect(200), goal);
        ada.get(&format!("{goals}/minutes")).await.expect_problem(404, "not_found");
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

#[tokio::test]
async fn sixty_four_at_once_do_not_pass_what_is_plausible_of_a_day() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        let sends =
            (0..64).map(|n| ada.post(PATH, said(day, "watch", n * 20, 20, 8_000)).into_future());
        let mut taken = 0;
        for answer in join_all(sends).await {
            match answer.status {
                200 => taken += 1,
                _ => drop(answer.expect_problem(422, "invalid")),
            }
        }
        assert_eq!((taken, total(&ada, day).await), (18, 144_000));
    })
    .await;
}

#[tokio::test]
async fn a_list_is_taken_in_order_with_an_answer_for_each_and_once_for_its_key() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        let list = json!([
            said(day, "watch", 0, 60, 100),
            said(day, "watch", 30, 60, 100),
            said(day, "watch", 60, 60, -5),
            17,
            with(said(day, "watch", 0, 60, 1), "metric", "floors"),
            said(day, "watch", 0, 60, 300),
        ]);
        let answer = ada.post(PATH, list.clone()).once("k1").await.expect(200);
        let items = answer["items"].as_array().unwrap();
        let statuses: Vec<_> = items.iter().map(|item| item["status"].clone()).collect();
        assert_eq!(statuses, [200, 409, 422, 422, 200, 200]);
        assert_eq!(items[2]["problem"]["errors"][0]["pointer"], "/value");
        assert_eq!(items[4]["activity"]["metric"], "floors");
        assert_eq!(total(&ada, day).await, 300);
        ada.post(PATH, said(day, "watch", 0, 60, 50)).await.expect(200);
        assert_eq!(ada.post(PATH, list.clone()).once("k1").await.expect(200), answer);
        assert_eq!(total(&ada, day).await, 50, "the key was used");
        let many = vec![list[0].clone(); 1_001];
        ada.post(PATH, json!(many)).await.expect_problem(422, "invalid");
    })
    .await;
}

#[tokio::test]
async fn a_day_of_minutes_from_two_sources_is_taken_in_a_few_lists() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        for (source, value) in [("phone", 10), ("watch", 20)] {
            for part in 0..2 {
                let minutes = (0..720).map(|minute| said(day, source, part * 720 + minute, 1, value));
                let list: Vec<Value> = minutes.collect();
                let answer = ada.post(PATH, json!(list)).await.expect(200);
                for item in answer["items"].as_array().unwrap() {
                    assert_eq!(item["status"], 200, "{item}");
                }
            }
        }
        assert_eq!(total(&ada, day).await, 14_400);
        ada.put(&format!("{PATH}/sources")).json(&json!({ "priority": ["watch"] })).await.expect(200);
        assert_eq!(total(&ada, day).await, 28_800);
        let more = (0..121).map(|second| {
            let start = day.plus_s(second * 500);
            json!({ "source": "ring", "metric": "steps", "start": start, "end": start.plus_s(1), "value": 1 })
        });
        let answer = ada.post(PATH, json!(more.collect::<Vec<_>>())).await.expect(200);
        let refused = &answer["items"][120];
        assert_eq!((&answer["items"][119]["status"], &refused["status"]), (&json!(200), &json!(422)));
        assert_eq!(refused["problem"]["errors"][0]["code"], "too_many", "3,000 a day");
    })
    .await;
}

#[tokio::test]
async fn a_person_has_so_many_goals_and_metrics() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        let goal = json!({ "per_day": 5 });
        for number in 0..32 {
            let path = format!("{PATH}/goals/metric{number}");
            ada.put(&path).json(&goal).await.expect(200);
        }
        let more = format!("{PATH}/goals/more");
        ada.put(&more).json(&goal).await.expect_problem(409, "conflict");
        ada.put(&format!("{PATH}/goals/metric7")).json(&json!({ "per_day": 6 })).await.expect(200);
        let of = |metric: String| with(said(day, "watch", 0, 60, 1), "metric", metric);
        let list: Vec<Value> = (0..33).map(|number| of(format!("m{number}"))).collect();
        let answer = ada.post(PATH, json!(list)).await.expect(200);
        let statuses = answer["items"].as_array().unwrap().iter().map(|item| &item["status"]);
        assert_eq!(statuses.filter(|status| **status == 422).count(), 1, "{answer}");
        ada.post(PATH, of("m0".into())).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_person_has_so_many_sources_of_a_metric() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let day = yesterday(house);
        let list: Vec<Value> = (0..21).map(|n| said(day, &format!("s{n:02}"), 0, 1, 1)).collect();
        let answer = ada.post(PATH, json!(list)).await.expect(200);
        let statuses: Vec<&Value> =
            answer["items"].as_array().unwrap().iter().map(|item| &item["status"]).collect();
        assert!(statuses[..20].iter().all(|status| **status == 200), "{statuses:?}");
        assert_eq!(answer["items"][20]["problem"]["errors"][0]["pointer"], "/source");
        let one = said(day, "another", 2, 1, 1);
        ada.post(PATH, one).await.expect_problem(422, "invalid");
        let known = said(day, "s00", 2, 1, 1);
        ada.post(PATH, known).await.expect(200);
    })
    .await;
}
