//! Explore: the order by score, frozen for whoever pages it.

use mainstay_testkit::program::{Client, Engine};
use serde_json::json;

use crate::{both_engines, both_engines_held, feed, held::Held, ids, page_path, post_of, walk};

const EXPLORE: &str = "/api/v1/timelines/explore";

async fn like(fan: &Client, post: &str) {
    fan.put(&format!("/api/v1/posts/{post}/like")).await.expect(200);
}

#[tokio::test]
async fn the_score_orders_and_equal_scores_are_newest_first() {
    both_engines_held(async |house| {
        let authors = house.people("author", 4).await;
        let mut posts = Vec::new();
        for author in &authors {
            posts.push(post_of(author, "same moment").await);
        }
        let newest_first: Vec<String> = posts.iter().rev().cloned().collect();
        let order = walk(&authors[0], EXPLORE, 20).await;
        // Posts of one moment stand in the order of their ids, which are random within a millisecond.
        let mut by_id = newest_first.clone();
        by_id.sort();
        by_id.reverse();
        assert_eq!(order, by_id);
        house.clock().advance_s(1);
        let newer = post_of(&authors[3], "a second later").await;
        assert_eq!(walk(&authors[0], EXPLORE, 20).await[0], newer);
        like(&authors[0], &posts[0]).await;
        assert_eq!(walk(&authors[1], EXPLORE, 20).await[..2], [posts[0].clone(), newer.clone()]);
        let comment = json!({ "text": "worth more than a like" });
        let path = format!("/api/v1/posts/{}/comments", posts[1]);
        authors[0].post(&path, comment).await.expect(201);
        let order = walk(&authors[1], EXPLORE, 20).await;
        assert_eq!(order[..3], [posts[1].clone(), posts[0].clone(), newer]);
        // Ten hours halve a score more than once: a newer like beats an older comment.
        house.clock().advance_s(10 * 3_600);
        let today = post_of(&authors[2], "today").await;
        like(&authors[0], &today).await;
        assert_eq!(walk(&authors[1], EXPLORE, 20).await[0], today);
    })
    .await;
}

#[tokio::test]
async fn a_ranking_stays_frozen_for_its_reader_while_likes_move_posts() {
    both_engines(async |house| {
        let authors = house.people("author", 6).await;
        let mut posts = Vec::new();
        for author in &authors {
            posts.push(post_of(author, "hello").await);
        }
        let frozen: Vec<String> = posts.iter().rev().cloned().collect();
        let first = authors[0].get(&page_path(EXPLORE, 2, None)).await.expect(200);
        assert_eq!(ids(&first), frozen[..2]);
        // What was last takes the lead, what was shown loses it, and something new arrives.
        like(&authors[1], &posts[0]).await;
        like(&authors[2], &posts[0]).await;
        like(&authors[1], &posts[1]).await;
        let new = post_of(&authors[3], "new").await;
        let mut seen = ids(&first);
        let mut cursor = first["next_cursor"].as_str().unwrap().to_owned();
        loop {
            let page = authors[0].get(&page_path(EXPLORE, 2, Some(&cursor))).await.expect(200);
            seen.extend(ids(&page));
            let Some(next) = page["next_cursor"].as_str() else { break };
            cursor = next.to_owned();
        }
        assert_eq!(seen, frozen);
        let now = walk(&authors[0], EXPLORE, 20).await;
        assert_eq!(now[..3], [posts[0].clone(), posts[1].clone(), new]);
    })
    .await;
}

#[tokio::test]
async fn a_frozen_ranking_expires_after_an_hour() {
    both_engines_held(async |house| {
        let ada = house.person("ada").await;
        for n in 0..4 {
            post_of(&ada, &format!("{n}")).await;
        }
        let first = ada.get(&page_path(EXPLORE, 2, None)).await.expect(200);
        let next = page_path(EXPLORE, 2, first["next_cursor"].as_str());
        house.clock().advance_s(3_600);
        house.work("feed.forget_moves").await;
        assert_eq!(ids(&ada.get(&next).await.expect(200)).len(), 2);
        house.clock().advance_s(1);
        ada.get(&next).await.expect_problem(410, "cursor_expired");
        ada.get(EXPLORE).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn author_diversity_moves_posts_apart_and_drops_none() {
    both_engines(async |house| {
        let loud = house.person("loud").await;
        let quiet = house.people("quiet", 3).await;
        let mut posts = Vec::new();
        for author in &quiet {
            posts.push(post_of(author, "one").await);
        }
        // More than a block of the ranking, newer than everybody else's.
        for n in 0..70 {
            posts.push(post_of(&loud, &format!("{n}")).await);
        }
        let mut order = walk(&loud, EXPLORE, 13).await;
        assert_eq!(order, walk(&loud, EXPLORE, 100).await);
        order.sort();
        posts.sort();
        assert_eq!(order, posts);

        let mut mixed = Vec::new();
        for n in 0..6 {
            mixed.push(post_of(&loud, &format!("again {n}")).await);
        }
        let other = post_of(&quiet[0], "between").await;
        for fan in &quiet {
            like(fan, &other).await;
            for post in &mixed {
                like(fan, post).await;
            }
        }
        let top = walk(&loud, EXPLORE, 7).await;
        let place = top.iter().position(|post| *post == other).unwrap();
        assert!(place <= 2, "after two posts of one author comes another: {top:?}");
    })
    .await;
}

#[tokio::test]
async fn what_becomes_hidden_is_left_out_of_a_frozen_ranking() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let mut posts = Vec::new();
        for n in 0..6 {
            posts.push(post_of(&ada, &format!("{n}")).await);
        }
        posts.reverse();
        let first = ada.get(&page_path(EXPLORE, 2, None)).await.expect(200);
        let private = json!({ "visibility": "private" });
        ada.patch(&format!("/api/v1/posts/{}", posts[2]), private).await.expect(200);
        ada.delete(&format!("/api/v1/posts/{}", posts[4])).await.expect(204);
        let next = page_path(EXPLORE, 10, first["next_cursor"].as_str());
        let rest = ids(&ada.get(&next).await.expect(200));
        assert_eq!(rest, [posts[3].clone(), posts[5].clone()]);
    })
    .await;
}

/// On Postgres the oldest unfinished transaction of anybody holds back `xmin`; explore must not stand still with it.
#[tokio::test]
async fn explore_sees_a_commit_while_an_older_transaction_is_open() {
    let house = feed().start(Engine::Postgres).await;
    let ada = house.person("ada").await;
    let slow = post_of(&ada, "slow").await;
    let held = Held::on(&house, "feed").await;
    let new = post_of(&ada, "new").await;
    assert_eq!(walk(&ada, EXPLORE, 20).await, [new.clone(), slow.clone()]);
    like(&ada, &slow).await;
    assert_eq!(walk(&ada, EXPLORE, 1).await, [slow, new]);
    held.end().await;
    house.end().await;
}
