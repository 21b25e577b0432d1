//! Explore under new weights: another order for every post, and an end for cursors of the old one.

use futures_util::{StreamExt as _, stream};
use mainstay_core::{
    contract::{id::PostId, ts::Ts},
    statements,
};
use mainstay_testkit::program::{Client, Engine, PASSWORD, Program, Setup};
use serde_json::json;

use crate::{feed, ids, page_path, post_of, true_counters, walk};

const EXPLORE: &str = "/api/v1/timelines/explore";
/// What a like and a comment weigh in [`talkative`].
const LIKE: f64 = 0.5;
const COMMENT: f64 = 9.0;

statements! {
    /// Every place of explore and what it is computed from.
    PLACES = "select post_id, like_count, comment_count, published_at, rank_key from feed.post_stat
              where rank_key is not null order by post_id limit 10000";
}

/// A Feed where talk counts more than likes.
fn talkative() -> Setup {
    feed()
        .set("feed.weights.like", &LIKE.to_string())
        .set("feed.weights.comment", &COMMENT.to_string())
}

async fn like(fan: &Client, post: &str) {
    fan.put(&format!("/api/v1/posts/{post}/like")).await.expect(200);
}

async fn comment(by: &Client, post: &str) {
    let path = format!("/api/v1/posts/{post}/comments");
    by.post(&path, json!({ "text": "indeed" })).await.expect(201);
}

/// Somebody of an earlier program, signed in at this one.
async fn again(house: &Program, handle: &str) -> Client {
    let login = json!({ "login": handle, "password": PASSWORD });
    let answer = house.stranger().post("/api/v1/auth/login", login).await;
    house.stranger().signed_in(&answer.expect(200))
}

/// Fails with every place that is not the one of the new weights.
async fn assert_places_follow_the_new_weights(house: &Program) {
    let mut tx = house.db("feed").read().await.unwrap();
    let places: Vec<(PostId, i64, i64, Ts, f64)> = tx.all(&PLACES, &[]).await.unwrap();
    for (post, likes, comments, published_at, key) in places {
        let weight = likes as f64 * LIKE + comments as f64 * COMMENT;
        let hours = (published_at.as_micros() - 1_577_836_800_000_000) as f64 / 3_600e6;
        let expected = if weight > 0.0 { weight.ln() + 0.1 * hours } else { -1e300 };
        assert!((key - expected).abs() < 1e-6, "{post}: {likes}, {comments}, {key}, {expected}");
    }
}

#[tokio::test]
async fn new_weights_change_the_order_of_every_post_and_end_old_cursors() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = feed().start(engine).await;
        let (ada, bob) = (house.person("ada").await, house.person("bob").await);
        let talked = post_of(&ada, "talked about").await;
        let liked = post_of(&ada, "liked").await;
        let quiet = post_of(&ada, "quiet").await;
        like(&ada, &liked).await;
        like(&bob, &liked).await;
        comment(&bob, &talked).await;
        let old = [liked.clone(), talked.clone(), quiet.clone()];
        assert_eq!(walk(&bob, EXPLORE, 20).await, old);
        let first = bob.get(&page_path(EXPLORE, 1, None)).await.expect(200);
        let next = page_path(EXPLORE, 1, first["next_cursor"].as_str());

        // The same weights again change nothing, and a cursor outlives the program.
        let house = house.reopen(&feed()).await;
        house.work("feed.rank_again").await;
        assert_eq!(
            ids(&house.stranger().get(&next).await.expect(200)),
            std::slice::from_ref(&talked)
        );

        let house = house.reopen(&talkative()).await;
        house.work("feed.rank_again").await;
        let reader = house.stranger();
        reader.get(&next).await.expect_problem(410, "cursor_expired");
        let new = [talked, liked.clone(), quiet];
        for limit in [1, 20] {
            assert_eq!(walk(&reader, EXPLORE, limit).await, new);
        }
        like(&again(&house, "ada").await, &new[2]).await;
        assert_places_follow_the_new_weights(&house).await;
        assert_eq!(true_counters(&house, &liked).await, (2, 0, 0));
        house.end().await;
    }
}

#[tokio::test]
async fn likes_meanwhile_count_under_the_new_weights_on_every_instance() {
    let old = feed().start(Engine::Postgres).await;
    let fans = old.people("fan", 8).await;
    let mut posts = Vec::new();
    for n in 0..70 {
        let post = post_of(&fans[n % 8], &format!("{n}")).await;
        like(&fans[(n + 1) % 8], &post).await;
        posts.push(post);
    }
    let new = old.twin_as(&talkative()).await;
    let third = old.twin_as(&talkative()).await;
    // Fans stay with the instance of the old configuration.
    let likes = stream::iter(posts.iter().enumerate()).for_each_concurrent(8, async |(n, post)| {
        like(&fans[(n + 2) % 8], post).await;
        if n % 10 == 0 {
            comment(&fans[(n + 3) % 8], post).await;
        }
    });
    tokio::join!(likes, new.work("feed.rank_again"), third.work("feed.rank_again"));
    for (n, post) in posts.iter().enumerate() {
        assert_eq!(true_counters(&new, post).await, (2, i64::from(n % 10 == 0), 0));
    }
    assert_places_follow_the_new_weights(&new).await;
    assert_eq!(walk(&fans[0], EXPLORE, 100).await.len(), posts.len());
    for house in [new, third, old] {
        house.end().await;
    }
}
