//! Bans: gone at once, with what came from them, and back again.

use mainstay_testkit::program::{Client, eventually};
use serde_json::{Value, json};

use crate::{admin, both_engines, both_engines_held, make_board, ranks, submit};

fn ban_of(board: &str, owner: &str) -> String {
    format!("/api/v1/boards/{board}/bans/{owner}")
}

async fn order(reader: &Client, board: &str, query: &str) -> Vec<String> {
    let page = reader.get(&format!("/api/v1/boards/{board}/entries{query}")).await.expect(200);
    ranks(&page).into_iter().map(|(owner, _)| owner).collect()
}

#[tokio::test]
async fn a_banned_owner_is_gone_from_every_period_and_comes_back_whole() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "operator": "incr", "reset": { "cron": "0 * * * *" } }))
            .await;
        submit(&keeper, "b", &[("ada", 5), ("bea", 4), ("cid", 3)]).await;
        house.clock().advance_s(3_600);
        submit(&keeper, "b", &[("ada", 1), ("bea", 2), ("ada", 3)]).await;
        let reason = json!({ "reason": "a bot" });
        keeper.put(&ban_of("b", "ada")).json(&reason).await.expect(200);
        keeper.put(&ban_of("b", "ada")).json(&reason).await.expect(200);
        assert_eq!(order(&keeper, "b", "").await, ["bea"]);
        assert_eq!(order(&keeper, "b", "?window=1").await, ["bea", "cid"]);
        let new = json!({ "owner": "ada", "scores": [9] });
        keeper.post("/api/v1/boards/b/scores", new).await.expect_problem(403, "forbidden");
        let bans = keeper.get("/api/v1/boards/b/bans").await.expect(200);
        assert_eq!(
            (&bans["items"][0]["owner"], &bans["items"][0]["reason"]),
            (&json!("ada"), &json!("a bot"))
        );
        keeper.delete(&ban_of("b", "ada")).await.expect(204);
        keeper.delete(&ban_of("b", "ada")).await.expect_problem(404, "not_found");
        assert_eq!(order(&keeper, "b", "").await, ["ada", "bea"]);
        assert_eq!(order(&keeper, "b", "?window=1").await, ["ada", "bea", "cid"]);
        let ada = keeper.get("/api/v1/boards/b/entries/ada").await.expect(200);
        assert_eq!(ada["scores"], json!([4]), "what was refused meanwhile does not count");
    })
    .await;
}

#[tokio::test]
async fn what_a_banned_person_gave_others_is_taken_back() {
    both_engines(async |house| {
        let (keeper, ada, eve) =
            (admin(house).await, house.person("ada").await, house.person("eve").await);
        make_board(&keeper, "b", json!({ "operator": "incr" })).await;
        // Each activity of theirs gives Ada a point.
        let rule = json!({
            "on": "boards.activity_recorded.v1", "owner": format!("'{}'", ada.id), "board": "b", "value": "1",
        });
        keeper.put("/api/v1/boards/rules/gives").json(&rule).await.expect(200);
        let sync = async |person: &Client, hour: i64| {
            let now_s = house.clock().now().as_micros() / 1_000_000;
            let start = mainstay_core::contract::ts::Ts::from_micros((now_s - 100_000 + hour * 3_600) * 1_000_000);
            let new = json!({
                "source": format!("s{hour}"), "metric": "steps", "start": start, "end": start.plus_s(60), "value": 9,
            });
            person.post("/api/v1/activities", new).await.expect(200);
        };
        sync(&keeper, 1).await;
        for hour in 2..6 {
            sync(&eve, hour).await;
        }
        let score = async || {
            let answer = keeper.get(&format!("/api/v1/boards/b/entries/{}", ada.id)).await;
            answer.json()["scores"][0].as_i64().unwrap_or_default()
        };
        eventually("all points are there", async || score().await == 5).await;
        keeper.put(&ban_of("b", &eve.id)).json(&json!({ "reason": "a farm" })).await.expect(200);
        assert_eq!(score().await, 1);
        sync(&eve, 7).await;
        sync(&keeper, 8).await;
        eventually("one more", async || score().await == 2).await;
        keeper.delete(&ban_of("b", &eve.id)).await.expect(204);
        assert_eq!(score().await, 6);
    })
    .await;
}

#[tokio::test]
async fn only_administrators_ban_and_a_ban_has_a_reason() {
    both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        make_board(&keeper, "b", json!({})).await;
        let reason = json!({ "reason": "x" });
        ada.put(&ban_of("b", "bea")).json(&reason).await.expect_problem(403, "forbidden");
        ada.get("/api/v1/boards/b/bans").await.expect_problem(403, "forbidden");
        let empty: Value = json!({ "reason": " " });
        keeper.put(&ban_of("b", "bea")).json(&empty).await.expect_problem(422, "invalid");
        keeper.put(&ban_of("nothing", "bea")).json(&reason).await.expect_problem(404, "not_found");
    })
    .await;
}
