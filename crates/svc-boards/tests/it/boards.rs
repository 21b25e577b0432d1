//! Boards as they are made, changed and deleted; who may; their periods.

use mainstay_core::contract::ts::Ts;
use serde_json::{Value, json};

use crate::{admin, both_engines, both_engines_held, make_board, ranks, settings, submit};

#[tokio::test]
async fn a_board_is_made_read_listed_changed_and_deleted() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "weekly", json!({})).await;
        make_board(&keeper, "daily", json!({ "ties": "shared" })).await;
        let board = house.stranger().get("/api/v1/boards/weekly").await.expect(200);
        assert_eq!(board["operator"], "best");
        assert_eq!(board["period"]["number"], 1);
        let list = house.stranger().get("/api/v1/boards?limit=1").await.expect(200);
        assert_eq!(list["items"][0]["id"], "daily");
        let next =
            format!("/api/v1/boards?limit=1&cursor={}", list["next_cursor"].as_str().unwrap());
        let list = house.stranger().get(&next).await.expect(200);
        assert_eq!(
            (&list["items"][0]["id"], &list["next_cursor"]),
            (&json!("weekly"), &Value::Null)
        );
        let edited = keeper.patch("/api/v1/boards/weekly", json!({ "title": "Walks" }));
        let edited = edited.header("if-match", "\"v1\"").await.expect(200);
        assert_eq!((&edited["title"], &edited["version"]), (&json!("Walks"), &json!(2)));
        let late = keeper.patch("/api/v1/boards/weekly", json!({ "title": "Late" }));
        late.header("if-match", "\"v1\"").await.expect_problem(412, "precondition_failed");
        submit(&keeper, "weekly", &[("ada", 5)]).await;
        keeper.delete("/api/v1/boards/weekly").await.expect(204);
        house.stranger().get("/api/v1/boards/weekly").await.expect_problem(404, "not_found");
        make_board(&keeper, "weekly", json!({})).await;
        let page = house.stranger().get("/api/v1/boards/weekly/entries").await.expect(200);
        assert_eq!(page["count"], 0, "another board of the same name begins empty");
    })
    .await;
}

#[tokio::test]
async fn every_setting_can_be_changed_alone() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        let reset = json!({ "cron": "0 0 * * *", "time_zone": "UTC" });
        make_board(&keeper, "b", json!({ "operator": "set", "reset": reset })).await;
        submit(&keeper, "b", &[("ada", 5), ("bea", 7), ("ada", 3)]).await;
        let changes = [
            ("title", json!("Walks")),
            ("audience", json!("signed_in")),
            ("operator", json!("incr")),
            ("columns", json!([{ "name": "points", "direction": "asc", "scale": 0 }])),
            ("ties", json!("shared")),
            ("authoritative", json!(false)),
            ("reset", json!({ "cron": "0 0 * * 1", "time_zone": "Europe/Berlin" })),
            (
                "tiers",
                json!({
                    "names": ["bronze", "gold"], "cohort_size": 5, "promote": { "count": 1 },
                    "relegate": { "percent": 20 }, "inactive": "stay",
                }),
            ),
            ("periods_kept", json!(4)),
            ("rate", json!({ "max": 2, "per_s": 60 })),
            ("evidence", json!(true)),
            ("slices", json!(["country"])),
        ];
        let known = &house.document()["components"]["schemas"]["BoardSettings"]["properties"];
        let named = changes.iter().map(|(name, _)| ((*name).to_owned(), known[name].clone()));
        assert_eq!(*known, Value::Object(named.collect()), "this test knows every setting");
        for (name, value) in &changes {
            let mut edit = json!({});
            edit[*name] = value.clone();
            let board = keeper.patch("/api/v1/boards/b", edit).await.expect(200);
            assert_eq!(board[*name], *value);
        }
        let board = keeper.get("/api/v1/boards/b").await.expect(200);
        for (name, value) in &changes {
            assert_eq!(board[*name], *value, "{name} stays");
        }
        let page = keeper.get("/api/v1/boards/b/entries").await.expect(200);
        assert_eq!(ranks(&page), [("bea".into(), 1), ("ada".into(), 2)], "7 before 5 + 3");
        let more = json!({ "columns": [{ "name": "points" }, { "name": "seconds" }] });
        keeper.patch("/api/v1/boards/b", more).await.expect_problem(409, "conflict");
    })
    .await;
}

#[tokio::test]
async fn who_makes_changes_and_deletes_boards_and_rules_is_audited() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        for _twice in 0..2 {
            make_board(&keeper, "b", json!({})).await;
        }
        keeper.patch("/api/v1/boards/b", json!({ "title": "Walks" })).await.expect(200);
        let rule =
            json!({ "on": "feed.post_liked.v1", "owner": "author", "board": "b", "value": 1 });
        for value in [1, 1, 2] {
            let mut rule = rule.clone();
            rule["value"] = json!(value);
            keeper.put("/api/v1/boards/rules/r").json(&rule).await.expect(200);
        }
        keeper.delete("/api/v1/boards/rules/r").await.expect(204);
        keeper.delete("/api/v1/boards/b").await.expect(204);
        let audit = keeper.get("/api/v1/audit").await.expect(200);
        let ours = audit["items"].as_array().unwrap().iter().rev();
        let ours = ours.filter(|one| one["action"].as_str().unwrap().starts_with("boards."));
        let ours: Vec<_> =
            ours.map(|one| (&one["action"], &one["target"], &one["actor"])).collect();
        let said = |action: &str, target: &str| (json!(action), json!(target), json!(keeper.id));
        let expected = [
            said("boards.make_board", "b"),
            said("boards.change_board", "b"),
            said("boards.make_rule", "r"),
            said("boards.change_rule", "r"),
            said("boards.delete_rule", "r"),
            said("boards.delete_board", "b"),
        ];
        let expected: Vec<_> = expected.iter().map(|(one, two, three)| (one, two, three)).collect();
        assert_eq!(ours, expected);
    })
    .await;
}

#[tokio::test]
async fn only_administrators_make_boards_and_odd_settings_are_refused() {
    both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let put = |id: &str| format!("/api/v1/boards/{id}");
        ada.put(&put("mine")).json(&settings(json!({}))).await.expect_problem(403, "forbidden");
        let odd = settings(json!({ "columns": [], "reset": { "cron": "* *" }, "title": "" }));
        let problem = keeper.put(&put("odd")).json(&odd).await.expect_problem(422, "invalid");
        let at = |fault: &Value| fault["pointer"].as_str().unwrap().to_owned();
        let at: Vec<_> = problem["errors"].as_array().unwrap().iter().map(at).collect();
        assert_eq!(at, ["/title", "/columns", "/reset/cron"]);
        for id in ["a%20b", "a%2Fb"] {
            let answer = keeper.put(&put(id)).json(&settings(json!({}))).await;
            let said = answer.expect_problem(422, "invalid");
            assert_eq!(said["errors"][0]["code"], "name");
        }
        let reserved = keeper.put(&put("rules")).json(&settings(json!({}))).await;
        reserved.expect_problem(405, "method_not_allowed");
        let hidden = json!({ "audience": "administrators" });
        make_board(&keeper, "hidden", hidden).await;
        ada.get(&put("hidden")).await.expect_problem(404, "not_found");
        ada.get("/api/v1/boards/hidden/entries").await.expect_problem(404, "not_found");
        let list = ada.get("/api/v1/boards").await.expect(200);
        assert_eq!(list["items"], json!([]));
        keeper.get(&put("hidden")).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_board_begins_anew_at_each_reset_and_keeps_what_was() {
    both_engines_held(async |house| {
        let keeper = admin(house).await;
        let zone = json!({ "reset": { "cron": "0 0 * * *", "time_zone": "Asia/Kolkata" } });
        make_board(&keeper, "daily", zone).await;
        submit(&keeper, "daily", &[("ada", 5), ("bea", 7)]).await;
        let entries = "/api/v1/boards/daily/entries";
        let before = keeper.get(entries).await.expect(200);
        assert_eq!(ranks(&before), [("bea".into(), 1), ("ada".into(), 2)]);
        let ends_at = before["period"]["ends_at"].as_str().unwrap();
        assert!(ends_at.ends_with("T18:30:00.000000Z"), "midnight in Kolkata: {ends_at}");
        let ends: Ts = ends_at.parse().unwrap();
        let left_us = ends.micros_since(house.clock().now());
        house.clock().advance_s(left_us / 1_000_000 + 1);
        let now = keeper.get(entries).await.expect(200);
        assert_eq!((&now["count"], &now["period"]["number"]), (&json!(0), &json!(2)));
        submit(&keeper, "daily", &[("ada", 9)]).await;
        for window in ["previous", "1", &ends.plus_s(-60).to_string()] {
            let past = keeper.get(&format!("{entries}?window={window}")).await.expect(200);
            assert_eq!(past["items"], before["items"], "{window}");
            let one = format!("{entries}/ada?window={window}");
            assert_eq!(keeper.get(&one).await.expect(200)["rank"], 2, "a past rank is kept");
        }
        assert_eq!(ranks(&keeper.get(entries).await.expect(200)), [("ada".into(), 1)]);
        // On other clocks the open period ends at their midnight.
        let utc = json!({ "reset": { "cron": "0 0 * * *", "time_zone": "UTC" } });
        let board = keeper.patch("/api/v1/boards/daily", utc).await.expect(200);
        let moved: Ts = board["period"]["ends_at"].as_str().unwrap().parse().unwrap();
        assert_eq!(moved.as_micros() % 86_400_000_000, 0, "{moved}");
        assert_eq!(board["period"]["number"], 2);
        house.clock().advance_s(moved.micros_since(house.clock().now()) / 1_000_000 - 1);
        assert_eq!(keeper.get(entries).await.expect(200)["period"]["number"], 2);
        house.clock().advance_s(2);
        assert_eq!(keeper.get(entries).await.expect(200)["period"]["number"], 3);
        // A board that nobody used for a week does not count the days.
        house.clock().advance_s(7 * 86_400);
        submit(&keeper, "daily", &[("bea", 1)]).await;
        let periods = keeper.get("/api/v1/boards/daily/periods").await.expect(200);
        let numbers: Vec<_> =
            periods["items"].as_array().unwrap().iter().map(|one| one["number"].clone()).collect();
        assert_eq!(numbers, [4, 3, 2, 1]);
        keeper.get(&format!("{entries}?window=9")).await.expect_problem(404, "not_found");
        keeper.get(&format!("{entries}?window=soon")).await.expect_problem(422, "invalid");
    })
    .await;
}

#[tokio::test]
async fn settings_changed_after_the_fact_are_applied_to_what_was_submitted() {
    both_engines(async |house| {
        let keeper = admin(house).await;
        make_board(&keeper, "runs", json!({ "operator": "set" })).await;
        submit(&keeper, "runs", &[("ada", 5), ("bea", 6), ("ada", 3), ("cid", 4)]).await;
        let entries = "/api/v1/boards/runs/entries";
        let order = async || ranks(&keeper.get(entries).await.expect(200));
        let named =
            |names: [&str; 3]| names.map(str::to_owned).into_iter().zip(1..).collect::<Vec<_>>();
        assert_eq!(order().await, named(["bea", "cid", "ada"]));
        make_board(&keeper, "runs", json!({ "operator": "best" })).await;
        assert_eq!(order().await, named(["bea", "ada", "cid"]));
        make_board(&keeper, "runs", json!({ "operator": "incr" })).await;
        assert_eq!(order().await, named(["ada", "bea", "cid"]));
        let lowest =
            json!({ "operator": "incr", "columns": [{ "name": "points", "direction": "asc" }] });
        make_board(&keeper, "runs", lowest).await;
        assert_eq!(order().await, named(["cid", "bea", "ada"]));
        let wider = settings(json!({ "columns": [{ "name": "points", "scale": 2 }] }));
        keeper.put("/api/v1/boards/runs").json(&wider).await.expect_problem(409, "conflict");
        submit(&keeper, "runs", &[("cid", 1)]).await;
        let cid = keeper.get(&format!("{entries}/cid")).await.expect(200);
        assert_eq!(cid["scores"], json!([5]), "it goes on from there");
    })
    .await;
}
