//! Timelines: what is in them, for whom, and that pages neither repeat nor skip.

use std::collections::BTreeSet;

use mainstay_testkit::{
    Dice,
    program::{Client, Engine, Program, eventually, id_of},
};
use serde_json::json;

use crate::{both_engines, both_engines_held, feed, ids, page_path, post_of, walk};

const LATEST: &str = "/api/v1/timelines/latest";
const EXPLORE: &str = "/api/v1/timelines/explore";
const HOME: &str = "/api/v1/timelines/home";
const TAGGED: &str = "/api/v1/hashtags/walk/posts";

/// Authors whom `reader` follows, with `count` public posts between them, oldest first.
async fn a_village(house: &Program, reader: &Client, count: usize) -> (Vec<Client>, Vec<String>) {
    let authors = house.people("author", 5).await;
    for author in &authors {
        reader.put(&format!("/api/v1/users/{}/follow", author.id)).await.expect(200);
    }
    let mut posts = Vec::new();
    for n in 0..count {
        posts.push(post_of(&authors[n % authors.len()], &format!("post {n} #walk")).await);
    }
    (authors, posts)
}

#[tokio::test]
async fn pages_of_every_size_give_the_same_list() {
    both_engines(async |house| {
        let reader = house.person("reader").await;
        let (authors, posts) = a_village(house, &reader, 23).await;
        for (post, likes) in posts.iter().zip([3, 0, 1, 2, 0, 3, 1]) {
            for fan in authors.iter().take(likes) {
                fan.put(&format!("/api/v1/posts/{post}/like")).await.expect(200);
            }
        }
        let newest_first: Vec<String> = posts.iter().rev().cloned().collect();
        for list in [LATEST, HOME, TAGGED] {
            assert_eq!(walk(&reader, list, 20).await, newest_first, "{list}");
        }
        for list in [LATEST, HOME, TAGGED, EXPLORE] {
            let whole = walk(&reader, list, 100).await;
            assert_eq!(whole.len(), 23, "{list}");
            for limit in [1, 2, 3, 4, 5, 7, 10, 11, 20, 22, 23, 24, 50, 99] {
                assert_eq!(walk(&reader, list, limit).await, whole, "{list} by {limit}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_limit_is_1_to_100() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        for list in [LATEST, HOME, TAGGED, EXPLORE] {
            for limit in ["0", "101", "4294967295"] {
                let problem = ada.get(&format!("{list}?limit={limit}")).await;
                let problem = problem.expect_problem(422, "invalid");
                assert_eq!(problem["errors"][0]["pointer"], "?limit");
            }
            for limit in ["-1", "ten", "1.5", "", "4294967296"] {
                let problem = ada.get(&format!("{list}?limit={limit}")).await;
                problem.expect_problem(400, "malformed_parameter");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_cursor_that_was_tampered_with_or_is_of_another_list_is_400() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let bea = house.person("bea").await;
        a_village(house, &ada, 6).await;
        let profile = format!("/api/v1/users/{}/posts", ada.id);
        let mut cursors = Vec::new();
        for list in [LATEST, HOME, TAGGED, EXPLORE] {
            let page = ada.get(&page_path(list, 2, None)).await.expect(200);
            // In a block of explore's ranking there may be no next page yet to ask for.
            cursors.push((list, page["next_cursor"].as_str().unwrap().to_owned()));
        }
        for (list, cursor) in &cursors {
            ada.get(&page_path(list, 2, Some(cursor))).await.expect(200);
            for other in [LATEST, HOME, TAGGED, EXPLORE, &profile] {
                if other != *list {
                    let answer = ada.get(&page_path(other, 2, Some(cursor))).await;
                    answer.expect_problem(400, "malformed_cursor");
                }
            }
            for place in 0..cursor.len() {
                let mut bytes = cursor.clone().into_bytes();
                bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
                let forged = String::from_utf8(bytes).unwrap();
                let answer = ada.get(&page_path(list, 2, Some(&forged))).await;
                answer.expect_problem(400, "malformed_cursor");
            }
            for forged in ["", "x", "%00", &cursor.repeat(2), &"A".repeat(3_000)] {
                let answer = ada.get(&page_path(list, 2, Some(forged))).await;
                answer.expect_problem(400, "malformed_cursor");
            }
        }
        let (_, home) = &cursors[1];
        let answer = bea.get(&page_path(HOME, 2, Some(home))).await;
        answer.expect_problem(400, "malformed_cursor");
    })
    .await;
}

/// Something happens while somebody pages.
async fn disturb(dice: &mut Dice, authors: &[Client], posts: &mut Vec<String>) {
    let author = dice.below(authors.len());
    let place = dice.below(posts.len());
    let path = format!("/api/v1/posts/{}", posts[place]);
    match dice.below(6) {
        0 | 1 => drop(post_of(&authors[author], "new #walk").await),
        2 | 3 => {
            let answer = authors[author].put(&format!("{path}/like")).await;
            assert!([200, 404].contains(&answer.status), "{answer:?}");
        }
        4 => {
            let comment = json!({ "text": "hello" });
            let answer = authors[author].post(&format!("{path}/comments"), comment).await;
            assert!([201, 404].contains(&answer.status), "{answer:?}");
        }
        _ => {
            // Whoever wrote it deletes it.
            for author in authors {
                if author.delete(&path).await.status == 204 {
                    posts.swap_remove(place);
                    break;
                }
            }
        }
    }
}

/// Pages through `list` while posts arrive, scores move and posts vanish.
async fn walk_disturbed(house: &Program, list: &str, seed: u64) {
    let reader = house.person(&format!("reader{seed}")).await;
    let mut dice = Dice::of(seed);
    let authors = house.people(&format!("writer{seed}x"), 5).await;
    for author in &authors {
        reader.put(&format!("/api/v1/users/{}/follow", author.id)).await.expect(200);
    }
    let mut standing = Vec::new();
    for n in 0..30 {
        let post = post_of(&authors[dice.below(5)], &format!("{n} #walk")).await;
        for fan in authors.iter().take(dice.below(4)) {
            fan.put(&format!("/api/v1/posts/{post}/like")).await.expect(200);
        }
        standing.push(post);
    }
    let before: BTreeSet<String> = walk(&reader, list, 100).await.into_iter().collect();
    let (mut seen, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let limit = 1 + dice.below(8);
        let page = reader.get(&page_path(list, limit, cursor.as_deref())).await.expect(200);
        seen.extend(ids(&page));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => break,
        }
        for _ in 0..dice.below(4) {
            disturb(&mut dice, &authors, &mut standing).await;
        }
    }
    let distinct: BTreeSet<&String> = seen.iter().collect();
    assert_eq!(distinct.len(), seen.len(), "{list}, seed {seed}: something was repeated");
    for post in &standing {
        assert!(distinct.contains(post), "{list}, seed {seed}: {post} was skipped");
    }
    for post in &seen {
        assert!(before.contains(post), "{list}, seed {seed}: {post} came after the first page");
    }
}

#[tokio::test]
async fn pages_never_repeat_nor_skip_while_posts_arrive_scores_move_and_posts_vanish() {
    both_engines(async |house| {
        for (seed, list) in [(1, EXPLORE), (2, EXPLORE), (3, EXPLORE), (4, LATEST), (5, HOME)] {
            walk_disturbed(house, list, seed).await;
        }
        walk_disturbed(house, TAGGED, 6).await;
    })
    .await;
}

#[tokio::test]
async fn a_change_is_seen_at_the_next_read_on_every_page_size() {
    both_engines(async |house| {
        let reader = house.person("reader").await;
        let (authors, posts) = a_village(house, &reader, 6).await;
        let last = posts.last().unwrap();
        let path = format!("/api/v1/posts/{last}");
        let sizes = [1, 3, 5, 10, 20, 50, 100];
        for list in [LATEST, HOME, TAGGED, EXPLORE] {
            for (n, limit) in sizes.into_iter().enumerate() {
                let read = async || {
                    let page = reader.get(&page_path(list, limit, None)).await.expect(200);
                    let items = page["items"].as_array().unwrap().clone();
                    items.into_iter().find(|post| id_of(post) == last).unwrap()
                };
                // On explore it leads from the first like on.
                let likes = read_likes(&reader, &path).await;
                let fan = &authors[n % 4];
                fan.put(&format!("{path}/like")).await.expect(200);
                let liked = read_likes(&reader, &path).await;
                assert!(liked >= likes);
                assert_eq!(read().await["like_count"], liked, "{list} by {limit}");
                let words = format!("{list} {limit} #walk");
                authors[0].patch(&path, json!({ "caption": words })).await.expect(200);
                assert_eq!(read().await["caption"], words, "{list} by {limit}");
                fan.delete(&format!("{path}/like")).await.expect(200);
            }
        }
        for limit in sizes {
            let victim = post_of(&authors[0], "soon gone #walk").await;
            for list in [LATEST, HOME, TAGGED, EXPLORE] {
                assert!(walk(&reader, list, limit).await.contains(&victim), "{list} by {limit}");
            }
            authors[0].delete(&format!("/api/v1/posts/{victim}")).await.expect(204);
            for list in [LATEST, HOME, TAGGED, EXPLORE] {
                assert!(!walk(&reader, list, limit).await.contains(&victim), "{list} by {limit}");
            }
        }
    })
    .await;
}

async fn read_likes(reader: &Client, path: &str) -> i64 {
    reader.get(path).await.expect(200)["like_count"].as_i64().unwrap()
}

#[tokio::test]
async fn follows_mutes_and_blocks_take_effect_at_the_next_read() {
    both_engines(async |house| {
        let reader = house.person("reader").await;
        let ada = house.person("ada").await;
        let post = post_of(&ada, "hello #walk").await;
        let tie = |what: &str| format!("/api/v1/users/{}/{what}", ada.id);
        let sees = async |list: &str| walk(&reader, list, 20).await.contains(&post);
        assert!(!sees(HOME).await);
        reader.put(&tie("follow")).await.expect(200);
        assert!(sees(HOME).await && sees(EXPLORE).await);

        reader.put(&tie("mute")).await.expect(200);
        for list in [HOME, EXPLORE, LATEST, TAGGED] {
            assert!(!sees(list).await, "{list} while muted");
        }
        assert!(sees(&tie("posts")).await, "who asks for somebody by name is answered");
        reader.delete(&tie("mute")).await.expect(200);
        for list in [HOME, EXPLORE, LATEST, TAGGED] {
            assert!(sees(list).await, "{list} after the mute");
        }

        // Whoever of the two blocks, neither sees the other.
        ada.put(&format!("/api/v1/users/{}/block", reader.id)).await.expect(200);
        for list in [HOME, EXPLORE, LATEST, TAGGED] {
            assert!(!sees(list).await, "{list} while blocked");
        }
        reader.get(&format!("/api/v1/posts/{post}")).await.expect_problem(404, "not_found");
        ada.delete(&format!("/api/v1/users/{}/block", reader.id)).await.expect(200);
        assert!(sees(EXPLORE).await);
        assert!(!sees(HOME).await, "a block ends the follow");
        reader.put(&tie("follow")).await.expect(200);
        assert!(sees(HOME).await);
        reader.delete(&tie("follow")).await.expect(200);
        assert!(!sees(HOME).await);
    })
    .await;
}

#[tokio::test]
async fn a_private_account_shows_its_posts_to_followers_only() {
    both_engines(async |house| {
        let reader = house.person("reader").await;
        let ada = house.person("ada").await;
        let post = post_of(&ada, "hello #walk").await;
        assert!(walk(&reader, EXPLORE, 20).await.contains(&post));
        ada.patch("/api/v1/profile", json!({ "private": true })).await.expect(200);
        for list in [EXPLORE, LATEST, TAGGED] {
            assert!(walk(&reader, list, 20).await.is_empty(), "{list}");
        }
        reader.get(&format!("/api/v1/posts/{post}")).await.expect_problem(404, "not_found");
        let follow = format!("/api/v1/users/{}/follow", ada.id);
        assert_eq!(reader.put(&follow).await.expect(200)["requested"], true);
        assert!(walk(&reader, HOME, 20).await.is_empty());
        let accept = format!("/api/v1/follow-requests/{}/accept", reader.id);
        ada.request(http::Method::POST, &accept).await.expect(204);
        assert_eq!(walk(&reader, HOME, 20).await, [post.as_str()]);
    })
    .await;
}

#[tokio::test]
async fn an_explanation_says_why_a_post_stands_where_it_stands() {
    both_engines_held(async |house| {
        let reader = house.person("reader").await;
        let (_, posts) = a_village(house, &reader, 2).await;
        reader.put(&format!("/api/v1/posts/{}/like", posts[0])).await.expect(200);
        let comment = json!({ "text": "hello" });
        reader.post(&format!("/api/v1/posts/{}/comments", posts[0]), comment).await.expect(201);
        house.clock().advance_s(3_600 * 10);
        let page = reader.get(&format!("{EXPLORE}?explain=true")).await.expect(200);
        assert_eq!(ids(&page), [posts[0].as_str(), posts[1].as_str()]);
        let score = &page["items"][0]["explain"]["score"];
        assert_eq!((&score["likes"], &score["comments"]), (&json!(2.0), &json!(3.0)), "{score}");
        assert_eq!(score["age_hours"].as_f64().unwrap().round(), 10.0);
        let total = score["total"].as_f64().unwrap();
        assert!((total - 5.0 * (-1.0_f64).exp()).abs() < 0.01, "{score}");
        let page = reader.get(&format!("{HOME}?explain=true")).await.expect(200);
        let reason = page["items"][0]["explain"]["reason"].as_str().unwrap();
        assert!(reason.starts_with("you follow @author"), "{reason}");
        let plain = reader.get(EXPLORE).await.expect(200);
        assert!(plain["items"][0].get("explain").is_none());
    })
    .await;
}

#[tokio::test]
async fn another_instance_sees_a_change_within_moments() {
    let house = feed().start(Engine::Postgres).await;
    let other = house.twin().await;
    let ada = house.person("ada").await;
    let there = ada.at(&other);
    let post = post_of(&ada, "hello #walk").await;
    for list in [EXPLORE, LATEST] {
        eventually(list, async || walk(&there, list, 20).await.contains(&post)).await;
    }
    ada.put(&format!("/api/v1/posts/{post}/like")).await.expect(200);
    eventually("the like", async || {
        let page = there.get(EXPLORE).await.expect(200);
        page["items"][0]["like_count"] == 1 && page["items"][0]["liked_by_me"] == true
    })
    .await;
    there.delete(&format!("/api/v1/posts/{post}")).await.expect(204);
    for list in [EXPLORE, LATEST] {
        eventually(list, async || walk(&ada, list, 20).await.is_empty()).await;
    }
    other.end().await;
    house.end().await;
}
