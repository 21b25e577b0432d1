//! Who has written reads what they wrote, and what follows from it.

use mainstay_testkit::program::{Client, Engine};
use serde_json::{Value, json};

use crate::{both_engines, feed, held::Held, post_of};

/// The notifications of `reader`, read with the token of a write.
async fn lines_after(reader: &Client, token: &str) -> Vec<Value> {
    let asked = reader.get("/api/v1/notifications?limit=100").header("mainstay-token", token);
    asked.await.expect(200)["items"].as_array().unwrap().clone()
}

/// Likes a post and returns the token of that write.
async fn like_with_token(reader: &Client, post: &str) -> String {
    let answer = reader.put(&format!("/api/v1/posts/{post}/like")).await;
    answer.header("mainstay-token").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_reads_with_the_token_of_a_like_sees_what_it_told_the_author() {
    both_engines(async |house| {
        let (ada, bob) = (house.person("ada").await, house.person("bob").await);
        for number in 1..=10 {
            let post = post_of(&ada, &format!("post {number}")).await;
            let token = like_with_token(&bob, &post).await;
            assert_eq!(lines_after(&ada, &token).await.len(), number);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_older_transaction_that_stays_open_holds_up_neither_reads_nor_notifications() {
    let house = feed().start(Engine::Postgres).await;
    let (ada, bob) = (house.person("ada").await, house.person("bob").await);
    let held = Held::on(&house, "feed").await;
    let mut token = String::new();
    // More facts than a consumer takes at a time.
    for number in 0..80 {
        let post = post_of(&ada, &format!("post {number}")).await;
        token = like_with_token(&bob, &post).await;
    }
    ada.get("/api/v1/timelines/explore").header("mainstay-token", &token).await.expect(200);
    assert_eq!(lines_after(&ada, &token).await.len(), 80);
    held.end().await;
    // What was taken ahead is not taken again.
    let last = post_of(&ada, "the last one").await;
    let token = like_with_token(&bob, &last).await;
    let lines = lines_after(&ada, &token).await;
    assert_eq!(lines.len(), 81);
    assert!(lines.iter().all(|line| line["actor_count"] == 1), "{lines:?}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_for_two_posts_at_the_same_moment_likes_one_and_refuses_the_other() {
    both_engines(async |house| {
        let (ada, bob) = (house.person("ada").await, house.person("bob").await);
        for round in 0..8 {
            let (one, two) = (post_of(&ada, "one").await, post_of(&ada, "two").await);
            let key = format!("round-{round}");
            let like = |post: &str| {
                bob.put(&format!("/api/v1/posts/{post}/like")).header("idempotency-key", &key)
            };
            let (one, two) = futures_util::join!(
                std::future::IntoFuture::into_future(like(&one)),
                std::future::IntoFuture::into_future(like(&two))
            );
            let mut statuses = [one.status, two.status];
            statuses.sort_unstable();
            assert_eq!(statuses, [200, 422], "a key names one request");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_with_a_nul_is_refused_and_a_name_with_one_is_not_found() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        for path in ["/api/v1/users/by-handle/%00", "/api/v1/hashtags/%00/posts"] {
            ada.get(path).await.expect(404);
        }
        ada.get("/api/v1/search?q=%00&kind=people").await.expect(400);
        let refused = ada.post("/api/v1/posts", json!({ "caption": "a\u{0}b" })).await;
        assert_eq!(refused.expect(422)["errors"][0]["code"], "malformed");
        // A backslash before the same letters is no NUL.
        ada.post("/api/v1/posts", json!({ "caption": "a\\u0000b" })).await.expect(201);
        let nobody = json!({ "login": "a\u{0}b", "password": "correct horse battery" });
        house.stranger().post("/api/v1/auth/login", nobody).await.expect(422);
    })
    .await;
}
