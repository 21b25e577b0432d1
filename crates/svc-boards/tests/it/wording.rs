//! What is wrong with a request is said where it is wrong, in the words of the interface.

use serde_json::{Value, json};

use crate::{admin, both_engines, competitions::compete, make_board, settings, submit};

/// Pointer, code and sentence of the first fault.
fn first(problem: &Value) -> (String, String, String) {
    let part = |name: &str| problem["errors"][0][name].as_str().unwrap().to_owned();
    (part("pointer"), part("code"), part("detail"))
}

#[tokio::test]
async fn a_body_of_another_shape_is_told_where_and_what_to_send() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        let reset = json!({ "cron": "0 0 * * 1" });
        let tiers = json!({ "names": ["a", "b"], "promote": 5, "relegate": 5, "cohort_size": 30 });
        let mut nothing = settings(json!({}));
        nothing.as_object_mut().unwrap().remove("operator");
        for (board, wanted) in [
            (nothing, ("/operator", "required", "This is needed.")),
            (
                settings(json!({ "reset": reset, "tiers": tiers })),
                ("/tiers/promote", "wrong_shape", "Send what the API reference shows for this."),
            ),
            (
                settings(json!({ "reset": "weekly" })),
                ("/reset", "wrong_shape", "Send an object, not the text \"weekly\"."),
            ),
            (
                settings(json!({ "operator": "max" })),
                ("/operator", "wrong_shape", "Send one of best, set, incr, decr, not max."),
            ),
            (
                settings(json!({ "periods_kept": -1 })),
                (
                    "/periods_kept",
                    "wrong_shape",
                    "Send a whole number from 0 to 4294967295, not -1.",
                ),
            ),
        ] {
            let put = keeper.put("/api/v1/boards/b").json(&board).await;
            let said = first(&put.expect_problem(422, "invalid"));
            assert_eq!((&*said.0, &*said.1, &*said.2), wanted);
        }
        let odd = settings(json!({ "colour": "red" }));
        let put = keeper.put("/api/v1/boards/b").json(&odd).await;
        let (pointer, code, detail) = first(&put.expect_problem(422, "invalid"));
        assert_eq!((&*pointer, &*code), ("/colour", "unknown"));
        assert!(detail.starts_with("There is no such field; known are title,"), "{detail}");

        let broken = keeper.put("/api/v1/boards/b").body("application/json", "{\"title\":");
        broken.await.expect_problem(400, "malformed_body");
    })
    .await;
}

#[tokio::test]
async fn parameters_that_are_missing_or_odd_are_named() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({ "slices": ["country"] })).await;
        submit(&keeper, "b", &[("ada", 5)]).await;
        for (path, wanted) in [
            ("activities/totals", ("?metric", "required", "This is needed.")),
            ("boards/b/entries?limit=1&limit=2", ("?limit", "repeated", "Send it once.")),
            ("boards/b/entries?limit=-1", ("?limit", "malformed", "Send a whole number.")),
            ("boards/b/entries?friends=yes", ("?friends", "malformed", "Send true or false.")),
        ] {
            let asked = keeper.get(&format!("/api/v1/{path}")).await;
            let said = first(&asked.expect_problem(400, "malformed_parameter"));
            assert_eq!((&*said.0, &*said.1, &*said.2), wanted, "{path}");
        }
        // Misspelt, it would look as if nobody were there.
        for path in ["entries", "entries/ada", "entries/ada/around"] {
            let asked = keeper.get(&format!("/api/v1/boards/b/{path}?slice=planet:x")).await;
            let (pointer, code, detail) = first(&asked.expect_problem(422, "invalid"));
            assert_eq!((&*pointer, &*code), ("?slice", "unknown"), "{path}");
            assert_eq!(detail, "This board has no slices by `planet`, but by country.");
        }
    })
    .await;
}

#[tokio::test]
async fn what_is_not_there_on_a_board_that_is_there_is_named() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({})).await;
        submit(&keeper, "b", &[("ada", 5)]).await;
        for (path, detail) in [
            ("entries/zoe", "This owner has no entry there."),
            ("entries/zoe/around", "This owner has no entry there."),
            ("entries?window=7", "This board has no such period."),
            ("entries?window=previous", "This board has no such period."),
            ("entries?window=2020-01-01T00:00:00Z", "This board had no period at that instant."),
        ] {
            let asked = house.stranger().get(&format!("/api/v1/boards/b/{path}")).await;
            let problem = asked.expect_problem(404, "not_found");
            assert_eq!(problem["detail"], detail, "{path}");
        }
        // What one may not see is as if it were not there.
        make_board(&keeper, "hidden", json!({ "audience": "administrators" })).await;
        for board in ["hidden", "nowhere"] {
            let asked = house.stranger().get(&format!("/api/v1/boards/{board}/entries/zoe")).await;
            let problem = asked.expect_problem(404, "not_found");
            assert_eq!(problem["detail"], "There is nothing here, or it is not for you to see.");
        }
    })
    .await;
}

#[tokio::test]
async fn a_rule_about_what_is_not_there_is_refused() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "b", json!({})).await;
        let rule = |changes: Value| {
            let mut rule = json!({
                "on": "feed.post_liked.v1", "when": "user != author", "owner": "author", "board": "b", "value": 1,
            });
            rule.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
            rule
        };
        for (changes, pointer, said) in [
            (json!({ "owner": "autor" }), "/owner", "has no field `autor`; it has "),
            (json!({ "when": "usr != author" }), "/when", "has no field `usr`"),
            (json!({ "value": "min(like_cnt, 10)" }), "/value", "has no field `like_cnt`"),
            (json!({ "board": "nope" }), "/board", "There is no board of this name"),
        ] {
            let put = keeper.put("/api/v1/boards/rules/r").json(&rule(changes)).await;
            let fault = first(&put.expect_problem(422, "invalid"));
            assert_eq!(fault.0, pointer);
            assert!(fault.2.contains(said), "{fault:?}");
        }
        let competition = compete(house, &keeper, json!({})).await;
        let put = keeper.put("/api/v1/boards/rules/r").json(&rule(json!({ "board": competition })));
        let fault = first(&put.await.expect_problem(422, "invalid"));
        assert_eq!((&*fault.0, &*fault.2), ("/board", "Only its competition scores on this board."));
        keeper.put("/api/v1/boards/rules/r").json(&rule(json!({}))).await.expect(200);
        // A rule that stands is not asked again: a repeat changes nothing, though its board is gone.
        keeper.delete("/api/v1/boards/b").await.expect(204);
        keeper.put("/api/v1/boards/rules/r").json(&rule(json!({}))).await.expect(200);
        let changed = keeper.put("/api/v1/boards/rules/r").json(&rule(json!({ "value": 2 })));
        assert_eq!(first(&changed.await.expect_problem(422, "invalid")).0, "/board");
    })
    .await;
}

#[tokio::test]
async fn who_joins_needs_no_body() {
    both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let path =
            format!("/api/v1/competitions/{}/join", compete(house, &keeper, json!({})).await);
        let joined = ada.request(http::Method::POST, &path).await.expect(200);
        assert_eq!(joined["joined"], true);
        let odd = ada.request(http::Method::POST, &path).body("application/json", "[]").await;
        odd.expect_problem(422, "invalid");
    })
    .await;
}
