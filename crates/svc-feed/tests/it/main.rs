//! Feed over HTTP, on SQLite and on Postgres: each test is written once and run on both.
#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

mod explore;
mod posts;
mod routes;

use mainstay_testkit::program::{Client, Program, Setup, id_of};
use serde_json::{Value, json};

/// Feed alone.
fn feed() -> Setup {
    Setup::of(&[svc_feed::SERVICE])
}

/// A public post with these words; returns its id.
async fn post_of(author: &Client, caption: &str) -> String {
    let answer = author.post("/api/v1/posts", json!({ "caption": caption })).await;
    id_of(&answer.expect(201)).to_owned()
}

/// The post as somebody sees it.
async fn post_as(reader: &Client, id: &str) -> Value {
    reader.get(&format!("/api/v1/posts/{id}")).await.expect(200)
}

/// Runs `test` on both engines, with the system's clock.
async fn both_engines(test: impl AsyncFn(&Program)) {
    feed().on_both_engines(test).await;
}

/// Runs `test` on both engines, with a clock that stands until the test turns it.
async fn both_engines_held(test: impl AsyncFn(&Program)) {
    feed().holding_the_clock().on_both_engines(test).await;
}
