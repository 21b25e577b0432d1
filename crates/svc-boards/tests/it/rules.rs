//! Rules that score from facts: here from Boards' own, such as a finished activity.

use mainstay_core::contract::ts::Ts;
use mainstay_testkit::program::{Client, Engine, Program, eventually};
use serde_json::{Value, json};

use crate::{admin, both_engines, make_board, ranks, setup};

const RULES: &str = "/api/v1/boards/rules";
const ON: &str = "boards.activity_recorded.v1";

fn yesterday(house: &Program) -> Ts {
    let now_s = house.clock().now().as_micros().div_euclid(1_000_000);
    Ts::from_micros((now_s.div_euclid(86_400) - 1) * 86_400 * 1_000_000)
}

async fn sync(person: &Client, metric: &str, start: Ts, value: i64) {
    let end = start.plus_s(3_600);
    let new =
        json!({ "source": "watch", "metric": metric, "start": start, "end": end, "value": value });
    person.post("/api/v1/activities", new).await.expect(200);
}

/// Waits until the first entry of a board has this score.
async fn leads_with(reader: &Client, board: &str, owner: &str, score: i64) {
    eventually(&format!("{owner} leads with {score}"), async || {
        let page = reader.get(&format!("/api/v1/boards/{board}/entries")).await.expect(200);
        page["items"][0]["owner"] == owner && page["items"][0]["scores"][0] == score
    })
    .await;
}

#[tokio::test]
async fn a_finished_activity_adds_points_and_one_that_is_taken_back_takes_them() {
    both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        make_board(&keeper, "walkers", json!({ "operator": "incr" })).await;
        let rule = json!({
            "on": ON, "when": "metric == 'steps'", "owner": "user", "board": "walkers", "value": "added",
        });
        keeper.put(&format!("{RULES}/walks")).json(&rule).await.expect(200);
        let day = yesterday(house);
        sync(&ada, "steps", day, 4_000).await;
        sync(&ada, "distance", day, 3_000).await;
        leads_with(&keeper, "walkers", &ada.id, 4_000).await;
        sync(&ada, "steps", day, 1_500).await;
        leads_with(&keeper, "walkers", &ada.id, 1_500).await;
        sync(&ada, "steps", day.plus_s(7_200), 500).await;
        leads_with(&keeper, "walkers", &ada.id, 2_000).await;
    })
    .await;
}

#[tokio::test]
async fn a_dry_run_shows_what_would_be_and_writes_nothing() {
    both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        make_board(&keeper, "walkers", json!({ "operator": "incr" })).await;
        let day = yesterday(house);
        sync(&ada, "steps", day, 4_000).await;
        sync(&ada, "minutes", day, 30).await;
        let rule = json!({
            "on": ON, "when": "metric == 'steps' || day_total > nothing", "owner": "user", "board": "walkers",
            "value": "max(added, 0) / 100",
        });
        keeper.put(&format!("{RULES}/walks")).json(&rule).await.expect(200);
        let tried = keeper.post(&format!("{RULES}/walks/dry-run"), json!({ "last": 10 })).await.expect(200);
        let items = tried["items"].as_array().unwrap();
        assert_eq!(items.len(), 2);
        assert!(items[0]["error"].as_str().unwrap().contains("no field `nothing`"), "{tried}");
        assert_eq!((&items[1]["owner"], &items[1]["values"]), (&json!(ada.id), &json!([40])));
        let page = keeper.get("/api/v1/boards/walkers/entries").await.expect(200);
        assert_eq!(page["count"], 0, "a rule takes what happens after it was made");
        let many = json!({ "last": 1_001 });
        keeper.post(&format!("{RULES}/walks/dry-run"), many).await.expect_problem(422, "invalid");
    })
    .await;
}

#[tokio::test]
async fn a_rule_that_cannot_score_says_which_event_and_why_and_others_go_on() {
    both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        make_board(&keeper, "walkers", json!({ "operator": "incr" })).await;
        let rule = |owner: &str, board: &str, value: &str| {
            json!({ "on": ON, "owner": owner, "board": board, "value": value })
        };
        for (id, rule) in [
            ("a-broken", rule("user", "walkers", "1 / (value - value)")),
            ("b-gone", rule("user", "no-such-board", "1")),
            ("c-wide", rule("user", "walkers", "1; 2")),
            ("d-good", rule("user", "walkers", "7")),
        ] {
            keeper.put(&format!("{RULES}/{id}")).json(&rule).await.expect(200);
        }
        sync(&ada, "steps", yesterday(house), 4_000).await;
        leads_with(&keeper, "walkers", &ada.id, 7).await;
        for (id, part) in [("a-broken", "by 0"), ("b-gone", "no board"), ("c-wide", "1 columns")] {
            let shown = keeper.get(&format!("{RULES}/{id}")).await.expect(200);
            let error = &shown["errors"][0];
            assert!(error["message"].as_str().unwrap().contains(part), "{shown}");
            assert!(error["fact_id"].as_str().unwrap().starts_with("fact_"), "{shown}");
        }
        let good = keeper.get(&format!("{RULES}/d-good")).await.expect(200);
        assert_eq!(good["errors"], json!([]));
    })
    .await;
}

#[tokio::test]
async fn rules_are_kept_by_administrators_and_odd_ones_are_refused_with_their_place() {
    both_engines(async |house| {
        let (keeper, ada) = (admin(house).await, house.person("ada").await);
        let rule = json!({ "on": ON, "owner": "user", "board": "walkers", "value": "1" });
        let path = format!("{RULES}/walks");
        ada.put(&path).json(&rule).await.expect_problem(403, "forbidden");
        ada.get(RULES).await.expect_problem(403, "forbidden");
        keeper.put(&path).json(&rule).await.expect(200);
        let list = keeper.get(RULES).await.expect(200);
        assert_eq!((&list["items"][0]["id"], &list["items"][0]["version"]), (&json!("walks"), &json!(1)));
        let odd = json!({ "on": "x", "when": "(", "owner": "", "board": "a b", "value": "1 +", "by": "'" });
        let problem = keeper.put(&path).json(&odd).await.expect_problem(422, "invalid");
        let at: Vec<&Value> =
            problem["errors"].as_array().unwrap().iter().map(|fault| &fault["pointer"]).collect();
        assert_eq!(at, ["/on", "/board", "/when", "/owner", "/by", "/value"]);
        keeper.delete(&path).await.expect(204);
        keeper.delete(&path).await.expect_problem(404, "not_found");
        keeper.get(&path).await.expect_problem(404, "not_found");
    })
    .await;
}

#[tokio::test]
async fn each_event_scores_once_also_when_the_program_begins_again() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = setup().start(engine).await;
        let (keeper, ada) = (admin(&house).await, house.person("ada").await);
        make_board(&keeper, "walkers", json!({ "operator": "incr" })).await;
        let rule = json!({ "on": ON, "owner": "user", "board": "walkers", "value": "1" });
        keeper.put(&format!("{RULES}/walks")).json(&rule).await.expect(200);
        let day = yesterday(&house);
        for hour in 0..5 {
            sync(&ada, "steps", day.plus_s(hour * 3_600), 100).await;
        }
        // It may be in the middle of them.
        let house = house.restart().await;
        let (keeper, ada) = (keeper.at(&house), ada.at(&house));
        for hour in 5..9 {
            sync(&ada, "steps", day.plus_s(hour * 3_600), 100).await;
        }
        leads_with(&keeper, "walkers", &ada.id, 9).await;
        let house = house.restart().await;
        let keeper = keeper.at(&house);
        let page = keeper.get("/api/v1/boards/walkers/entries").await.expect(200);
        assert_eq!(ranks(&page), [(ada.id.clone(), 1)]);
        leads_with(&keeper, "walkers", &ada.id, 9).await;
        house.end().await;
    }
}
