//! Boards over HTTP, on SQLite and on Postgres: each test is written once and run on both.
#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

mod activities;
mod bans;
mod boards;
mod checkpoints;
mod competitions;
mod engine;
mod entries;
mod fleet;
mod friends;
mod history;
mod interface;
mod joining;
mod killed;
mod ledger;
mod live;
mod nakama;
mod pages;
mod prizes;
mod recounts;
mod retention;
mod rules;
mod scores;
mod tiers;
mod updates;
mod weak_points;
mod wording;

use futures_util::FutureExt as _;
use mainstay_core::auth::Role;
use mainstay_testkit::{
    Redis,
    program::{Client, Engine, Program, Setup},
};
use serde_json::{Value, json};

/// Boards alone.
fn setup() -> Setup {
    Setup::of(&[svc_boards::SERVICE])
}

/// Boards alone, with rankings in this Redis.
fn setup_in_redis(url: &str) -> Setup {
    setup().set("boards.rankings", "redis").set("redis.url", url)
}

/// Runs `test` on both engines, and with rankings in Redis, with the system's clock.
async fn both_engines(test: impl AsyncFn(&Program)) {
    setup().on_both_engines(&test).await;
    in_redis(setup_in_redis(&database()), test).await;
}

/// Runs `test` on both engines, and with rankings in Redis, with a clock that stands until the test turns it.
async fn both_engines_held(test: impl AsyncFn(&Program)) {
    setup().holding_the_clock().on_both_engines(&test).await;
    in_redis(setup_in_redis(&database()).holding_the_clock(), test).await;
}

/// An empty database of the Redis that all tests share.
fn database() -> String {
    Redis::shared().create_database().unwrap()
}

async fn in_redis(setup: Setup, test: impl AsyncFn(&Program)) {
    let house = setup.start(Engine::Postgres).await;
    let run = std::panic::AssertUnwindSafe(test(&house)).catch_unwind();
    assert!(run.await.is_ok(), "it failed with rankings in Redis; what failed is said above");
    house.end().await;
}

/// An administrator of the house.
async fn admin(house: &Program) -> Client {
    house.person_as(Role::Admin, "keeper").await
}

/// The settings of a board with one column, and what `more` says.
fn settings(more: Value) -> Value {
    let mut all = json!({
        "title": "Runs", "operator": "best", "columns": [{ "name": "points" }],
    });
    let (Some(all_fields), Value::Object(more)) = (all.as_object_mut(), more) else { return all };
    all_fields.extend(more);
    all
}

/// Makes a board of these settings.
async fn make_board(keeper: &Client, id: &str, more: Value) {
    keeper.put(&format!("/api/v1/boards/{id}")).json(&settings(more)).await.expect(200);
}

/// Submits scores of one column and says nothing of them.
async fn submit(keeper: &Client, id: &str, scores: &[(&str, i64)]) {
    let list: Vec<Value> =
        scores.iter().map(|(owner, score)| json!({ "owner": owner, "scores": [score] })).collect();
    let answer = keeper.post(&format!("/api/v1/boards/{id}/scores"), json!(list)).await.expect(200);
    for item in answer["items"].as_array().unwrap() {
        assert_eq!(item["status"], 200, "{item}");
    }
}

/// `owner rank` of each entry of a page.
fn ranks(page: &Value) -> Vec<(String, u64)> {
    let items = page["items"].as_array().unwrap();
    let one =
        |item: &Value| (item["owner"].as_str().unwrap().to_owned(), item["rank"].as_u64().unwrap());
    items.iter().map(one).collect()
}
