//! Feed over HTTP, on SQLite and on Postgres: each test is written once and run on both.
#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

mod bucket;
mod comments;
mod consistency;
mod due;
mod explore;
mod explore_cache;
mod held;
mod interface;
mod likes;
mod live;
mod live_resume;
mod media;
mod metrics;
mod moderation;
mod posts;
mod power;
mod privacy;
mod public_media;
mod removal;
mod replay;
mod routes;
mod timelines;
mod uploads;
mod versions;
mod views;
mod weak_points;
mod weights;

use mainstay_core::{
    auth::Role,
    contract::id::PostId,
    db::{FromRow, Sql},
    params, statements,
};
use mainstay_testkit::program::{Client, Program, Setup, id_of};
use serde_json::{Value, json};

statements! {
    /// A post's counters.
    COUNTERS = "select like_count, comment_count, view_count from feed.post_stat where post_id = $1";
    /// The rows that they count.
    ROWS = "select (select count(*) from feed.post_like where post_id = $1),
              (select count(*) from feed.comment where post_id = $1 and state = 0),
              (select count(*) from feed.view_mark where post_id = $1)";
}

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

/// One row about a post, from Feed's own tables.
async fn row_of<T: FromRow>(house: &Program, sql: &'static Sql, post: &str) -> T {
    let post: PostId = post.parse().unwrap();
    let mut tx = house.db("feed").read().await.unwrap();
    tx.one(sql, params![post]).await.unwrap()
}

/// The counters of a post, after a look that likes and comments equal their rows and none is negative.
async fn true_counters(house: &Program, post: &str) -> (i64, i64, i64) {
    let counters: (i64, i64, i64) = row_of(house, &COUNTERS, post).await;
    let rows: (i64, i64, i64) = row_of(house, &ROWS, post).await;
    assert_eq!((counters.0, counters.1), (rows.0, rows.1), "counters and rows of {post}");
    assert!(counters.0 >= 0 && counters.1 >= 0 && counters.2 >= 0, "{counters:?}");
    counters
}

/// The ids of a page, in order.
fn ids(page: &Value) -> Vec<String> {
    page["items"].as_array().unwrap().iter().map(|item| id_of(item).to_owned()).collect()
}

/// `path` with a limit and, on later pages, a cursor.
fn page_path(path: &str, limit: usize, cursor: Option<&str>) -> String {
    let cursor = cursor.map(|cursor| format!("&cursor={cursor}")).unwrap_or_default();
    format!("{path}?limit={limit}{cursor}")
}

/// Every id of a list, page by page.
async fn walk(reader: &Client, path: &str, limit: usize) -> Vec<String> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = reader.get(&page_path(path, limit, cursor.as_deref())).await.expect(200);
        let found = ids(&page);
        assert!(found.len() <= limit, "{path}: {} items on a page of {limit}", found.len());
        all.extend(found);
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return all,
        }
    }
}

/// A moderator of the house.
async fn moderator(house: &Program) -> Client {
    house.person_as(Role::Moderator, "moderator").await
}

/// What a moderator does to something.
async fn act(moderator: &Client, target: &str, action: &str) {
    let act = json!({ "target": target, "action": action, "reason": "a test" });
    let answer = moderator.post("/api/v1/moderation/actions", act).await;
    assert!([200, 204].contains(&answer.status), "{answer:?}");
}
