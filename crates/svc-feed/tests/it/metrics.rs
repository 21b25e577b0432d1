//! What Feed counts.

use mainstay_testkit::program::{Engine, Program};
use serde_json::json;

use crate::{both_engines, feed, post_of};

/// Posts, likes, comments and views, as this instance counts them.
async fn counted(house: &Program) -> [u64; 4] {
    let said = String::from_utf8(house.stranger().get("/metrics").await.body).unwrap();
    ["posts", "likes", "comments", "views"].map(|what| {
        let name = format!("feed_{what}_total ");
        said.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_committed_is_counted_once_and_a_repeat_is_not() {
    both_engines(async |house| {
        let (ada, bob) = (house.person("ada").await, house.person("bob").await);
        assert_eq!(counted(house).await, [0; 4]);
        let post = post_of(&ada, "a post").await;
        let draft = json!({ "caption": "later", "draft": true });
        ada.post("/api/v1/posts", draft).await.expect(201);
        let like = format!("/api/v1/posts/{post}/like");
        for _ in 0..2 {
            bob.put(&like).await.expect(200);
        }
        bob.delete(&like).await.expect(200);
        bob.put(&like).await.expect(200);
        let comments = format!("/api/v1/posts/{post}/comments");
        bob.post(&comments, json!({ "text": "a comment" })).await.expect(201);
        bob.post(&comments, json!({ "text": "" })).await.expect_problem(422, "invalid");
        for viewer in [&ada, &bob, &bob] {
            let views = format!("/api/v1/posts/{post}/views");
            viewer.request(http::Method::POST, &views).await.expect(201);
        }
        assert_eq!(counted(house).await, [1, 2, 1, 1]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_counts_what_it_commits_and_not_what_it_hears_of() {
    let house = feed().start(Engine::Postgres).await;
    let twin = house.twin().await;
    let ada = house.person("ada").await;
    let post = post_of(&ada.at(&twin), "a post").await;
    ada.put(&format!("/api/v1/posts/{post}/like")).await.expect(200);
    assert_eq!(counted(&house).await, [0, 1, 0, 0]);
    assert_eq!(counted(&twin).await, [1, 0, 0, 0]);
    twin.end().await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_measured_for_each_service_on_its_engine() {
    both_engines(async |house| {
        let engine = house.db("feed").engine().name();
        let commits = async || {
            let said = String::from_utf8(house.stranger().get("/metrics").await.body).unwrap();
            let of = |what: &str| -> u64 {
                let name = format!("db_commit_{what}{{database=\"feed\",engine=\"{engine}\"}} ");
                said.lines().find_map(|line| line.strip_prefix(&name)).unwrap().parse().unwrap()
            };
            (of("writes_count"), of("duration_seconds_count"))
        };
        let ada = house.person("ada").await;
        let before = commits().await;
        post_of(&ada, "a post").await;
        let after = commits().await;
        assert!(after.0 > before.0 && after.1 > before.1, "{before:?} {after:?}");
    })
    .await;
}
