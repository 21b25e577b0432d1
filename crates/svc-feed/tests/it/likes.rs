//! Likes: a set of people and a counter that equals it.

use futures_util::future::join_all;
use mainstay_testkit::{Dice, program::Client};
use serde_json::json;

use crate::{act, both_engines, moderator, post_as, post_of, true_counters};

fn like_path(post: &str) -> String {
    format!("/api/v1/posts/{post}/like")
}

#[tokio::test]
async fn liking_twice_counts_once() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let bea = house.person("bea").await;
        let post = post_of(&ada, "like me").await;
        for _ in 0..2 {
            let liked = bea.put(&like_path(&post)).await.expect(200);
            assert_eq!(liked, json!({ "id": post, "like_count": 1, "liked_by_me": true }));
        }
        assert_eq!(post_as(&bea, &post).await["liked_by_me"], true);
        assert_eq!(post_as(&ada, &post).await["liked_by_me"], false);
        assert_eq!(post_as(&ada, &post).await["like_count"], 1);
        for _ in 0..2 {
            let taken = bea.delete(&like_path(&post)).await.expect(200);
            assert_eq!(taken, json!({ "id": post, "like_count": 0, "liked_by_me": false }));
        }
        assert_eq!(true_counters(house, &post).await.0, 0);
    })
    .await;
}

#[tokio::test]
async fn concurrent_likes_of_one_person_count_once() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let post = post_of(&ada, "like me").await;
        let likes = (0..32).map(|_| ada.put(&like_path(&post)).into_future());
        for answer in join_all(likes).await {
            assert_eq!(answer.expect(200)["like_count"], 1);
        }
        assert_eq!(true_counters(house, &post).await.0, 1);
    })
    .await;
}

#[tokio::test]
async fn sixty_four_likers_at_once_are_sixty_four_likes() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let post = post_of(&ada, "like me").await;
        let fans = house.people("fan", 64).await;
        let likes = fans.iter().map(|fan| fan.put(&like_path(&post)).into_future());
        let mut counts = Vec::new();
        for answer in join_all(likes).await {
            counts.push(answer.expect(200)["like_count"].as_i64().unwrap());
        }
        counts.sort_unstable();
        assert_eq!(counts, (1..=64).collect::<Vec<_>>(), "each saw the count of its own like");
        assert_eq!(true_counters(house, &post).await.0, 64);
        assert_eq!(post_as(&ada, &post).await["like_count"], 64);
    })
    .await;
}

/// Likes and takes back, in an order of its own; returns which posts are liked at the end.
async fn storm(fan: &Client, posts: &[String], seed: u64) -> Vec<bool> {
    let mut dice = Dice::of(seed);
    let mut liked = vec![false; posts.len()];
    for _ in 0..12 {
        let place = dice.below(posts.len());
        let path = like_path(&posts[place]);
        liked[place] = dice.once_in(2);
        let request = if liked[place] { fan.put(&path) } else { fan.delete(&path) };
        let answer = request.await.expect(200);
        assert_eq!(answer["liked_by_me"], liked[place], "seed {seed}");
        assert!(answer["like_count"].as_i64().unwrap() >= 0, "seed {seed}: {answer}");
    }
    liked
}

#[tokio::test]
async fn storms_of_likes_and_unlikes_never_drift() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let posts = [post_of(&ada, "one").await, post_of(&ada, "two").await];
        let fans = house.people("fan", 24).await;
        let storms = fans.iter().zip(0..).map(|(fan, seed)| storm(fan, &posts, seed));
        let liked = join_all(storms).await;
        for (place, post) in posts.iter().enumerate() {
            let expected = liked.iter().filter(|liked| liked[place]).count();
            assert_eq!(true_counters(house, post).await.0, expected as i64);
            for (fan, liked) in fans.iter().zip(&liked) {
                assert_eq!(post_as(fan, post).await["liked_by_me"], liked[place]);
            }
        }
    })
    .await;
}

#[tokio::test]
async fn what_one_may_not_see_cannot_be_liked() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let eve = house.person("eve").await;
        let judge = moderator(house).await;
        let private = json!({ "caption": "mine", "visibility": "private" });
        let private = ada.post("/api/v1/posts", private).await.expect(201);
        let hidden = post_of(&ada, "to be hidden").await;
        eve.put(&like_path(&hidden)).await.expect(200);
        act(&judge, &hidden, "hide").await;
        let removed = post_of(&ada, "to be removed").await;
        act(&judge, &removed, "remove").await;
        for post in [private["id"].as_str().unwrap(), &hidden, &removed] {
            eve.put(&like_path(post)).await.expect_problem(404, "not_found");
            eve.delete(&like_path(post)).await.expect_problem(404, "not_found");
        }
        assert_eq!(true_counters(house, &hidden).await.0, 1);
        assert_eq!(post_as(&ada, &hidden).await["state"], "hidden", "its author still sees it");
        ada.get(&format!("/api/v1/posts/{removed}")).await.expect_problem(404, "not_found");
        act(&judge, &hidden, "restore").await;
        assert_eq!(eve.put(&like_path(&hidden)).await.expect(200)["like_count"], 1);
    })
    .await;
}
