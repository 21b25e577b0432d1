//! Scores as they are submitted: operators, ties, lists, players' own, bad input.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::join_all;
use serde_json::{Value, json};

use mainstay_core::{auth::Role, db::DbError, params, statements};
use mainstay_testkit::program::Engine;

use crate::{admin, both_engines, make_board, ranks, setup, submit};

statements! {
    /// Facts that say that scores were taken.
    FACTS = "select count(*) from boards.outbox where name = 'boards.scores_recorded.v1'";
    /// Leaves boards that can be written and not loaded.
    DAMAGE = "alter table boards.checkpoint rename to elsewhere";
}

const SCORES: &str = "/api/v1/boards/b/scores";
const ENTRIES: &str = "/api/v1/boards/b/entries";

#[tokio::test]
async fn a_score_is_answered_with_its_rank() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({})).await;
        submit(&keeper, "b", &[("ada", 5), ("bea", 7)]).await;
        let new = json!({ "owner": "cid", "scores": [6], "metadata": { "level": 3 } });
        let entry = keeper.post(SCORES, new).await.expect(200);
        assert_eq!((&entry["rank"], &entry["scores"]), (&json!(2), &json!([6])));
        assert_eq!(entry["metadata"]["level"], 3);
        let worse = keeper.post(SCORES, json!({ "owner": "cid", "scores": [1] })).await.expect(200);
        assert_eq!(
            (&worse["rank"], &worse["scores"]),
            (&json!(2), &json!([6])),
            "the best one stays"
        );
        assert_eq!(worse["updated_at"], entry["updated_at"]);
        let shown = house.stranger().get(&format!("{ENTRIES}/cid")).await.expect(200);
        assert_eq!(shown["percentile"], 50.0);
        assert_eq!(shown["metadata"]["level"], 3);
    })
    .await;
}

#[tokio::test]
async fn a_score_that_is_kept_is_answered_also_if_its_rank_cannot_be_told() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = setup().start(engine).await;
        let keeper = admin(&house).await;
        make_board(&keeper, "b", json!({ "operator": "incr" })).await;
        submit(&keeper, "b", &[("ada", 5)]).await;
        let damage = house.db("boards").write(|tx| {
            Box::pin(async move {
                tx.execute(&DAMAGE, &[]).await?;
                Ok::<_, DbError>(())
            })
        });
        damage.await.unwrap();
        let house = house.restart().await;
        let keeper = keeper.at(&house);
        keeper.get(ENTRIES).await.expect(503);
        for sum in [2, 4] {
            let new = json!({ "owner": "bea", "scores": [2] });
            let entry = keeper.post(SCORES, new).await.expect(200);
            assert_eq!((&entry["scores"], &entry["rank"]), (&json!([sum]), &json!(0)));
        }
        house.end().await;
    }
}

#[tokio::test]
async fn another_operator_for_one_score_says_what_it_may_be() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "operator": "incr" })).await;
        let one = |operator: &str, score: i64| json!({ "owner": "ada", "operator": operator, "scores": [score] });
        let refused = keeper.post(SCORES, one("decr", -5)).await.expect_problem(422, "invalid");
        assert_eq!(refused["errors"][0]["code"], "out_of_range");
        make_board(&keeper, "b", json!({ "operator": "decr" })).await;
        let entry = keeper.post(SCORES, one("set", -5)).await.expect(200);
        assert_eq!(entry["scores"], json!([-5]));
        keeper.post(SCORES, one("decr", -5)).await.expect_problem(422, "invalid");
    })
    .await;
}

#[tokio::test]
async fn a_list_is_taken_in_order_with_a_result_for_each() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        let columns = json!([{ "name": "points", "min": 0, "max": 100 }]);
        make_board(&keeper, "b", json!({ "columns": columns, "operator": "incr" })).await;
        let list = json!([
            { "owner": "ada", "scores": [10] },
            { "owner": "bea", "scores": [101] },
            { "owner": "", "scores": [1] },
            { "owner": "ada", "scores": [5] },
            { "owner": "cid", "scores": [1.5] },
            { "owner": "cid", "score": [1] },
            17,
        ]);
        let answer = keeper.post(SCORES, list).await.expect(200);
        let statuses: Vec<_> =
            answer["items"].as_array().unwrap().iter().map(|item| item["status"].clone()).collect();
        assert_eq!(statuses, [200, 422, 422, 200, 422, 422, 422]);
        assert_eq!(answer["items"][3]["entry"]["scores"], json!([15]));
        assert_eq!(answer["items"][1]["problem"]["errors"][0]["pointer"], "/scores/0");
        let page = keeper.get(ENTRIES).await.expect(200);
        assert_eq!(ranks(&page), [("ada".into(), 1)], "what was refused left nothing");
        let many = vec![json!({ "owner": "ada", "scores": [0] }); 10_001];
        keeper.post(SCORES, json!(many)).await.expect_problem(422, "invalid");
    })
    .await;
}

#[tokio::test]
async fn an_idempotency_key_counts_a_list_once() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "operator": "incr" })).await;
        let list = json!([{ "owner": "ada", "scores": [2] }, { "owner": "bea", "scores": [1] }]);
        let first = keeper.post(SCORES, list.clone()).once("k1").await.expect(200);
        let again = keeper.post(SCORES, list).once("k1").await.expect(200);
        assert_eq!(first, again);
        assert_eq!(keeper.get(&format!("{ENTRIES}/ada")).await.expect(200)["scores"], json!([2]));
    })
    .await;
}

#[tokio::test]
async fn sixty_four_at_once_lose_nothing() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "operator": "incr" })).await;
        let writes = (0..64).map(|n| {
            let owner = format!("owner{}", n % 4);
            keeper.post(SCORES, json!({ "owner": owner, "scores": [1] })).into_future()
        });
        for answer in join_all(writes).await {
            answer.expect(200);
        }
        let mut tx = house.db("boards").read().await.unwrap();
        let (facts,): (i64,) = tx.one(&FACTS, params![]).await.unwrap();
        assert!(facts < 48, "{facts} commits for 64 requests: what waits is taken together");
        let page = keeper.get(ENTRIES).await.expect(200);
        let scores: Vec<_> = page["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|item| item["scores"][0].clone())
            .collect();
        assert_eq!(scores, [16, 16, 16, 16]);
    })
    .await;
}

#[tokio::test]
async fn players_submit_their_own_scores_and_nobody_elses() {
    both_engines(async |house| {
        let (keeper, ada, bea) =
            (admin(house).await, house.person("ada").await, house.person("bea").await);
        make_board(&keeper, "b", json!({ "authoritative": false, "evidence": true })).await;
        let own = json!({ "scores": [5], "evidence": { "replay": "abc" } });
        let entry = ada.post(SCORES, own.clone()).await.expect(200);
        assert_eq!(entry["owner"], ada.id);
        let others = json!({ "owner": bea.id, "scores": [5], "evidence": {} });
        ada.post(SCORES, others).await.expect_problem(403, "forbidden");
        let bare = json!({ "scores": [5] });
        let problem = ada.post(SCORES, bare).await.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/evidence");
        house.stranger().post(SCORES, own.clone()).await.expect_problem(401, "unauthenticated");
        let override_ = json!({ "scores": [5], "evidence": {}, "operator": "set" });
        ada.post(SCORES, override_).await.expect_problem(403, "forbidden");
        make_board(&keeper, "server", json!({})).await;
        ada.post("/api/v1/boards/server/scores", own).await.expect_problem(403, "forbidden");
        bea.delete(&format!("{ENTRIES}/{}", ada.id)).await.expect_problem(403, "forbidden");
        ada.delete(&format!("{ENTRIES}/{}", ada.id)).await.expect(204);
        ada.get(&format!("{ENTRIES}/{}", ada.id)).await.expect_problem(404, "not_found");
    })
    .await;
}

#[tokio::test]
async fn a_key_with_the_scope_for_boards_writes_for_everybody_and_does_nothing_else() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({})).await;
        let new = json!({ "name": "server", "scopes": ["write", "boards:write"] });
        let made = keeper.post("/api/v1/api-keys", new).await.expect(201);
        let secret = ["secret", "key"].iter().find_map(|name| made.get(*name)?.as_str()).unwrap();
        let server = house.stranger().with_token(secret);
        server.post(SCORES, json!({ "owner": "ada", "scores": [1] })).await.expect(200);
        server.put("/api/v1/boards/c").json(&crate::settings(json!({}))).await.expect(200);
        server.get("/api/v1/users?limit=1").await.expect_problem(404, "not_found");
    })
    .await;
}

#[tokio::test]
async fn moderators_read_what_was_sent_as_evidence_and_nobody_else_does() {
    both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let judge = house.person_as(Role::Moderator, "judge").await;
        let own = json!({ "authoritative": false, "evidence": true, "operator": "best" });
        make_board(&keeper, "b", own).await;
        for (score, replay) in
            [(5, json!("https://example.org/1")), (3, json!({ "frames": [1, 2] }))]
        {
            ada.post(SCORES, json!({ "scores": [score], "evidence": replay })).await.expect(200);
        }
        keeper.post(SCORES, json!({ "owner": ada.id, "scores": [9] })).await.expect(200);
        let path = format!("{ENTRIES}/{}/evidence", ada.id);
        let first = judge.get(&format!("{path}?limit=1")).await.expect(200);
        let item = &first["items"][0];
        assert_eq!((&item["scores"], &item["seq"]), (&json!([3]), &json!(2)), "it moved nothing");
        assert_eq!(item["evidence"], json!({ "frames": [1, 2] }));
        let next = format!("{path}?limit=1&cursor={}", first["next_cursor"].as_str().unwrap());
        let second = judge.get(&next).await.expect(200);
        assert_eq!(second["items"][0]["evidence"], "https://example.org/1");
        assert_eq!(second["next_cursor"], Value::Null);
        let why = json!({ "reason": "a script" });
        judge.put(&format!("/api/v1/boards/b/bans/{}", ada.id)).json(&why).await.expect(200);
        assert_eq!(judge.get(&path).await.expect(200)["items"].as_array().unwrap().len(), 2);
        ada.get(&path).await.expect_problem(403, "forbidden");
        house.stranger().get(&path).await.expect_problem(401, "unauthenticated");
        let nowhere = format!("/api/v1/boards/nowhere/entries/{}/evidence", ada.id);
        judge.get(&nowhere).await.expect_problem(404, "not_found");
    })
    .await;
}

#[tokio::test]
async fn a_rate_holds_each_person_for_themselves() {
    crate::both_engines_held(async |house| {
        let (keeper, ada, bea) =
            (admin(house).await, house.person("ada").await, house.person("bea").await);
        let rate = json!({ "authoritative": false, "rate": { "max": 2, "per_s": 60 } });
        make_board(&keeper, "b", rate).await;
        let own = json!({ "scores": [5] });
        for _ in 0..2 {
            ada.post(SCORES, own.clone()).await.expect(200);
        }
        let refused = ada.post(SCORES, own.clone()).await;
        assert_eq!(refused.header("retry-after"), "30");
        refused.expect_problem(429, "rate_limited");
        bea.post(SCORES, own.clone()).await.expect(200);
        house.clock().advance_s(31);
        // A list is taken whole or costs nothing: whoever waits as they are told gets it in.
        let both = json!([own, own]);
        let refused = ada.post(SCORES, both.clone()).await;
        assert_eq!(refused.header("retry-after"), "29");
        refused.expect_problem(429, "rate_limited");
        house.clock().advance_s(29);
        ada.post(SCORES, both).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn new_bounds_hold_at_once_also_while_many_submit() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        let up_to = |max: i64| json!({ "columns": [{ "name": "points", "max": max }] });
        make_board(&keeper, "b", up_to(100)).await;
        let (begun, is_changed) = (AtomicUsize::new(0), AtomicBool::new(false));
        let writer = async |number: usize| {
            let new = |score: i64| match number % 4 {
                // While a long list is written, others wait: somebody always does.
                0 => json!(vec![
                    json!({ "owner": format!("owner{number}"), "scores": [score] });
                    1_000
                ]),
                _ => json!({ "owner": format!("owner{number}"), "scores": [score] }),
            };
            while !is_changed.load(Ordering::SeqCst) {
                begun.fetch_add(1, Ordering::SeqCst);
                // It may meet the change.
                let status = keeper.post(SCORES, new(50)).await.status;
                assert!([200, 409].contains(&status), "{status}");
            }
            for score in 500..504 {
                keeper.post(SCORES, new(score)).await.expect(200);
            }
        };
        let change = async {
            while begun.load(Ordering::SeqCst) < 60 {
                tokio::task::yield_now().await;
            }
            let settings = crate::settings(up_to(1_000));
            keeper.put("/api/v1/boards/b").json(&settings).await.expect(200);
            is_changed.store(true, Ordering::SeqCst);
        };
        tokio::join!(change, join_all((0..20).map(writer)));
    })
    .await;
}

#[tokio::test]
async fn equals_are_told_the_same_percentile() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "ties": "shared" })).await;
        submit(&keeper, "b", &[("ada", 9), ("bea", 9), ("cid", 5), ("dan", 5), ("eve", 1)]).await;
        for (owner, percentile) in [("ada", 100.0), ("bea", 100.0), ("cid", 50.0), ("dan", 50.0)] {
            let shown = keeper.get(&format!("{ENTRIES}/{owner}")).await.expect(200);
            assert_eq!(shown["percentile"], percentile, "{owner}");
        }
    })
    .await;
}

#[tokio::test]
async fn equal_scores_rank_as_the_board_says() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        let owners = [("cid", 5), ("bea", 7), ("ada", 7), ("dan", 7), ("eve", 1)];
        let expected: [(&str, [(&str, u64); 5]); 4] = [
            ("earliest", [("bea", 1), ("ada", 2), ("dan", 3), ("cid", 4), ("eve", 5)]),
            ("owner", [("ada", 1), ("bea", 2), ("dan", 3), ("cid", 4), ("eve", 5)]),
            ("shared", [("bea", 1), ("ada", 1), ("dan", 1), ("cid", 4), ("eve", 5)]),
            ("dense", [("bea", 1), ("ada", 1), ("dan", 1), ("cid", 2), ("eve", 3)]),
        ];
        make_board(&keeper, "b", json!({})).await;
        submit(&keeper, "b", &owners).await;
        for (ties, order) in expected {
            make_board(&keeper, "b", json!({ "ties": ties })).await;
            let page = keeper.get(ENTRIES).await.expect(200);
            let order: Vec<(String, u64)> =
                order.iter().map(|(owner, rank)| ((*owner).to_owned(), *rank)).collect();
            assert_eq!(ranks(&page), order, "{ties}");
        }
    })
    .await;
}

#[tokio::test]
async fn decimals_and_several_columns_are_exact() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        let columns = json!([
            { "name": "money", "scale": 2 }, { "name": "seconds", "direction": "asc", "scale": 3 },
        ]);
        make_board(&keeper, "b", json!({ "columns": columns })).await;
        let put = async |owner: &str, scores: Value| {
            keeper.post(SCORES, json!({ "owner": owner, "scores": scores })).await.expect(200)
        };
        put("ada", json!(["0.30", "12.500"])).await;
        put("bea", json!(["0.30", "12.499"])).await;
        let top = put("cid", json!(["92233720368547758.07", 1])).await;
        assert_eq!(top["scores"], json!(["92233720368547758.07", "1.000"]));
        let page = keeper.get(ENTRIES).await.expect(200);
        assert_eq!(ranks(&page), [("cid".into(), 1), ("bea".into(), 2), ("ada".into(), 3)]);
        for odd in [json!([0.3, 1]), json!(["0.305", 1]), json!(["NaN", 1]), json!([null, 1])] {
            let body = json!({ "owner": "dan", "scores": odd });
            keeper.post(SCORES, body).await.expect_problem(422, "invalid");
        }
    })
    .await;
}

#[tokio::test]
async fn a_repeat_is_answered_as_the_first_time_also_when_the_board_has_changed() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "operator": "incr" })).await;
        let list = json!([
            { "owner": "ada", "scores": [900] }, { "owner": "bea", "scores": ["odd"] },
            { "owner": "cid", "scores": [5] },
        ]);
        let send = async || keeper.post(SCORES, list.clone()).once("a key").await.expect(200);
        let first = send().await;
        let narrow = json!({ "operator": "incr", "columns": [{ "name": "points", "max": 100 }] });
        make_board(&keeper, "b", narrow).await;
        let again = send().await;
        for place in 0..3 {
            let of = |answer: &Value| {
                let item = &answer["items"][place];
                (
                    item["status"].clone(),
                    item["entry"]["owner"].clone(),
                    item["entry"]["scores"].clone(),
                )
            };
            assert_eq!(of(&again), of(&first), "{place}");
        }
        assert_eq!(keeper.get("/api/v1/boards/b/entries/ada").await.expect(200)["scores"][0], 900);
    })
    .await;
}

#[tokio::test]
async fn a_repeat_costs_nothing_of_the_rate_and_a_list_above_it_is_refused_at_once() {
    crate::both_engines_held(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let rate = json!({ "authoritative": false, "rate": { "max": 2, "per_s": 3_600 } });
        make_board(&keeper, "b", rate).await;
        let score = |points: i64| json!({ "scores": [points] });
        let three = json!([score(1), score(2), score(3)]);
        ada.post(SCORES, three).await.expect_problem(422, "invalid");
        for _ in 0..3 {
            ada.post(SCORES, score(7)).once("a key").await.expect(200);
        }
        ada.post(SCORES, score(8)).await.expect(200);
        ada.post(SCORES, score(9)).await.expect_problem(429, "rate_limited");
    })
    .await;
}
