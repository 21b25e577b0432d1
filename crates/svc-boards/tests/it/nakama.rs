//! What is wrong with the ranks of a well-known game server, each as a test of how it is here.

use futures_util::future::join_all;
use mainstay_testkit::program::{Engine, eventually};
use serde_json::{Value, json};

use crate::{
    admin, both_engines, both_engines_held,
    competitions::{compete, join, tomorrow, turn_to},
    make_board, ranks, setup, submit,
};

const SCORES: &str = "/api/v1/boards/b/scores";
const ENTRIES: &str = "/api/v1/boards/b/entries";

#[tokio::test]
async fn the_best_run_is_one_that_was_played() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        let columns = json!([{ "name": "score" }, { "name": "subscore" }]);
        make_board(&keeper, "b", json!({ "columns": columns })).await;
        let put = async |scores: Value| {
            let new = json!({ "owner": "ada", "scores": scores });
            keeper.post(SCORES, new).await.expect(200)["scores"].clone()
        };
        assert_eq!(put(json!([100, 5])).await, json!([100, 5]));
        assert_eq!(put(json!([90, 50])).await, json!([100, 5]), "not 100 with 50");
        assert_eq!(put(json!([100, 6])).await, json!([100, 6]));
    })
    .await;
}

#[tokio::test]
async fn an_attempt_too_many_is_refused_and_not_answered_with_what_was() {
    both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let begins = tomorrow(house);
        let id = compete(house, &keeper, json!({ "attempts_max": 1 })).await;
        join(&ada, &id).await;
        turn_to(house, begins, 3_600);
        let update = async |steps: i64| {
            let body = json!({ "competition_id": id, "steps": steps });
            ada.post("/api/v1/leaderboard/update", body).await
        };
        assert_eq!(update(500).await.expect(200)["score"], 500);
        update(900).await.expect_problem(409, "conflict");
        let top = ada.get(&format!("/api/v1/leaderboard/{id}")).await.expect(200);
        assert_eq!(top["entries"][0]["score"], 500);
    })
    .await;
}

#[tokio::test]
async fn a_neighbourhood_offers_no_cursor_that_leads_back_to_itself() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({})).await;
        submit(&keeper, "b", &[("ada", 1), ("bea", 2), ("cid", 3), ("dan", 4)]).await;
        let around = keeper.get(&format!("{ENTRIES}/bea/around?limit=2")).await.expect(200);
        assert_eq!(around["next_cursor"], Value::Null);
        // The rest is found by rank, and each page is another one.
        let rank = around["items"][0]["rank"].as_u64().unwrap();
        let page = keeper.get(&format!("{ENTRIES}?limit=1&from_rank={rank}")).await.expect(200);
        let next = page["next_cursor"].as_str().unwrap();
        let next = keeper.get(&format!("{ENTRIES}?limit=1&cursor={next}")).await.expect(200);
        assert_eq!(next["items"][0]["rank"], rank + 1);
    })
    .await;
}

#[tokio::test]
async fn equal_scores_go_by_who_was_first_and_not_by_name() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({})).await;
        submit(&keeper, "b", &[("zoe", 7), ("ada", 7), ("mia", 6)]).await;
        submit(&keeper, "b", &[("mia", 7)]).await;
        let order = ranks(&keeper.get(ENTRIES).await.expect(200));
        assert_eq!(order, [("zoe".into(), 1), ("ada".into(), 2), ("mia".into(), 3)]);
        // A score that changes nothing does not change who was first.
        submit(&keeper, "b", &[("zoe", 7), ("zoe", 3)]).await;
        assert_eq!(ranks(&keeper.get(ENTRIES).await.expect(200)), order);
    })
    .await;
}

#[tokio::test]
async fn ranks_of_periods_that_are_over_are_kept() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "reset": { "cron": "0 * * * *" } })).await;
        submit(&keeper, "b", &[("ada", 1), ("bea", 2)]).await;
        house.clock().advance_s(3_600);
        house.work("boards.close_periods").await;
        submit(&keeper, "b", &[("ada", 9)]).await;
        let past = keeper.get(&format!("{ENTRIES}/ada?window=1")).await.expect(200);
        assert_eq!((&past["rank"], &past["scores"]), (&json!(2), &json!([1])));
    })
    .await;
}

#[tokio::test]
async fn pages_do_not_drift_while_others_write() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "operator": "set" })).await;
        let names: Vec<String> = (0..40).map(|n| format!("owner{n:02}")).collect();
        let scores: Vec<(&str, i64)> = names.iter().map(|name| &**name).zip(100..).collect();
        submit(&keeper, "b", &scores).await;
        let (mut seen, mut path) = (Vec::new(), format!("{ENTRIES}?limit=7"));
        loop {
            let page = keeper.get(&path).await.expect(200);
            seen.extend(ranks(&page));
            // Whoever was last is first now.
            let last = &names[seen.len() % 40];
            submit(&keeper, "b", &[(last, 1_000 + seen.len() as i64)]).await;
            match page["next_cursor"].as_str() {
                Some(next) => path = format!("{ENTRIES}?limit=7&cursor={next}"),
                None => break,
            }
        }
        let expected: Vec<(String, u64)> = names.iter().rev().cloned().zip(1..).collect();
        assert_eq!(seen, expected);
    })
    .await;
}

#[tokio::test]
async fn ranks_that_are_read_while_scores_are_written_are_never_odd() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "operator": "set" })).await;
        let names: Vec<String> = (0..20).map(|n| format!("owner{n:02}")).collect();
        let scores: Vec<(&str, i64)> = names.iter().map(|name| &**name).zip(0..).collect();
        submit(&keeper, "b", &scores).await;
        let writes = (0..60).map(async |n: usize| {
            let score = (n * 37 % 50) as i64;
            submit(&keeper, "b", &[(&names[n % 20], score)]).await;
        });
        let reads = (0..60).map(async |n: usize| {
            let page = keeper.get(&format!("{ENTRIES}?limit=20")).await.expect(200);
            let found = ranks(&page);
            assert_eq!(
                found.iter().map(|(_, rank)| *rank).collect::<Vec<_>>(),
                (1..=20).collect::<Vec<_>>()
            );
            let scores: Vec<i64> = page["items"]
                .as_array()
                .unwrap()
                .iter()
                .map(|item| item["scores"][0].as_i64().unwrap())
                .collect();
            assert!(scores.is_sorted_by(|a, b| a >= b), "{scores:?}");
            let around = keeper.get(&format!("{ENTRIES}/{}/around?limit=5", names[n % 20])).await;
            assert_eq!(around.expect(200)["items"].as_array().unwrap().len(), 5);
        });
        tokio::join!(join_all(writes), join_all(reads));
    })
    .await;
}

#[tokio::test]
async fn two_instances_answer_with_the_same_ranks_and_a_new_one_with_those_of_the_records() {
    let house = setup().start(Engine::Postgres).await;
    let keeper = admin(&house).await;
    make_board(&keeper, "b", json!({ "operator": "incr" })).await;
    submit(&keeper, "b", &[("ada", 1), ("bea", 2)]).await;
    let other = house.twin().await;
    let there = keeper.at(&other);
    let expected = json!([["bea", 1], ["ada", 2]]);
    let order = |page: &Value| json!(ranks(page));
    assert_eq!(order(&there.get(ENTRIES).await.expect(200)), expected, "loaded from the records");
    submit(&keeper, "b", &[("ada", 5)]).await;
    submit(&there, "b", &[("cid", 4)]).await;
    let expected = json!([["ada", 1], ["cid", 2], ["bea", 3]]);
    for reader in [&keeper, &there] {
        eventually("both have both", async || {
            order(&reader.get(ENTRIES).await.expect(200)) == expected
        })
        .await;
    }
    other.end().await;
    house.end().await;
}

#[tokio::test]
async fn sort_operator_and_reset_can_be_changed_later() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "operator": "best" })).await;
        submit(&keeper, "b", &[("ada", 5), ("ada", 3), ("bea", 4)]).await;
        let fastest = json!({
            "operator": "best", "columns": [{ "name": "seconds", "direction": "asc" }],
            "reset": { "cron": "0 0 1 * *", "time_zone": "America/Sao_Paulo" }, "ties": "dense",
        });
        make_board(&keeper, "b", fastest).await;
        let page = keeper.get(ENTRIES).await.expect(200);
        assert_eq!(ranks(&page), [("ada".into(), 1), ("bea".into(), 2)]);
        assert_eq!(page["items"][0]["scores"], json!([3]), "the best one by the new order");
        assert_ne!(page["period"]["ends_at"], Value::Null);
    })
    .await;
}
