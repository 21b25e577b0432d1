//! How a board stood at a past instant.

use mainstay_core::contract::ts::Ts;
use serde_json::{Value, json};

use crate::{admin, both_engines_held, make_board, ranks, submit};

const ENTRIES: &str = "/api/v1/boards/b/entries";

#[tokio::test]
async fn ranks_of_a_past_instant_are_those_that_were_shown_then() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let reset = json!({ "operator": "incr", "reset": { "cron": "0 0 * * *" } });
        make_board(&keeper, "b", reset).await;
        let mut shown: Vec<(Ts, Value)> = Vec::new();
        let see = async || keeper.get(ENTRIES).await.expect(200);
        for (step, scores) in
            [[("ada", 5), ("bea", 7)], [("ada", 4), ("cid", 1)], [("bea", 1), ("dan", 20)]]
                .iter()
                .enumerate()
        {
            submit(&keeper, "b", scores).await;
            if step == 1 {
                keeper.delete(&format!("{ENTRIES}/bea")).await.expect(204);
            }
            shown.push((house.clock().now(), see().await));
            house.clock().advance_s(60);
        }
        // Another period, and what came later, change nothing of it.
        house.clock().advance_s(86_400);
        submit(&keeper, "b", &[("ada", 100), ("eve", 3)]).await;
        shown.push((house.clock().now(), see().await));
        house.clock().advance_s(60);
        submit(&keeper, "b", &[("eve", 300)]).await;
        for (at, then) in &shown {
            let now = keeper.get(&format!("{ENTRIES}?at={at}")).await.expect(200);
            assert_eq!((&now["items"], &now["count"]), (&then["items"], &then["count"]), "{at}");
            assert_eq!(now["period"]["number"], then["period"]["number"]);
            let ada = keeper.get(&format!("{ENTRIES}/ada?at={at}")).await.expect(200);
            let was = then["items"].as_array().unwrap().iter().find(|it| it["owner"] == "ada");
            assert_eq!(ada["rank"], was.unwrap()["rank"]);
        }
        let third = shown[2].0;
        let first = keeper.get(&format!("{ENTRIES}?at={third}&limit=2")).await.expect(200);
        let cursor = first["next_cursor"].as_str().unwrap();
        // What is kept of it is gone by then, and it is found again.
        house.clock().advance_s(120);
        let next =
            keeper.get(&format!("{ENTRIES}?at={third}&limit=2&cursor={cursor}")).await.expect(200);
        let all: Vec<_> = ranks(&first).into_iter().chain(ranks(&next)).collect();
        assert_eq!(all, ranks(&shown[2].1));
        // Somebody who is banned now was never there.
        let reason = json!({ "reason": "cheats" });
        keeper.put("/api/v1/boards/b/bans/dan").json(&reason).await.expect(200);
        let banned = keeper.get(&format!("{ENTRIES}?at={third}")).await.expect(200);
        assert_eq!(ranks(&banned), [("ada".into(), 1), ("cid".into(), 2), ("bea".into(), 3)]);
        keeper.get(&format!("{ENTRIES}/eve?at={third}")).await.expect_problem(404, "not_found");
    })
    .await;
}

#[tokio::test]
async fn an_instant_that_is_not_past_or_too_long_ago_is_refused() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({})).await;
        let now = house.clock().now();
        for odd in [now.plus_s(1), now.plus_s(-401 * 86_400)] {
            let problem =
                keeper.get(&format!("{ENTRIES}?at={odd}")).await.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], "?at");
        }
        let both = format!("{ENTRIES}?at={now}&window=previous");
        keeper.get(&both).await.expect_problem(422, "invalid");
        let before = now.plus_s(-60);
        keeper.get(&format!("{ENTRIES}?at={before}")).await.expect_problem(404, "not_found");
        keeper
            .get(&format!("{ENTRIES}?at=yesterday"))
            .await
            .expect_problem(400, "malformed_parameter");
    })
    .await;
}
