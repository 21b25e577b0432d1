//! Comments: replies, likes, who deletes them, and the counters beside them.

use futures_util::future::join_all;
use mainstay_testkit::program::{Client, id_of};
use serde_json::{Value, json};

use crate::{both_engines, ids, page_path, post_as, post_of, true_counters, walk};

fn comments_of(post: &str) -> String {
    format!("/api/v1/posts/{post}/comments")
}

async fn comment(author: &Client, post: &str, text: &str) -> Value {
    author.post(&comments_of(post), json!({ "text": text })).await.expect(201)
}

#[tokio::test]
async fn comments_are_listed_oldest_first_with_their_replies() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let bea = house.person("bea").await;
        let post = post_of(&ada, "talk to me").await;
        let first = comment(&bea, &post, "first, @ada").await;
        assert_eq!(first["mentions"][0]["id"], ada.id);
        assert_eq!(first["post_id"], post);
        let reply = json!({ "text": "answer", "reply_to": first["id"] });
        let reply = ada.post(&comments_of(&post), reply).await.expect(201);
        assert_eq!(reply["reply_to"], first["id"]);
        let second = comment(&bea, &post, "second").await;
        let page = house.stranger().get(&comments_of(&post)).await.expect(200);
        assert_eq!(ids(&page), [id_of(&first), id_of(&reply), id_of(&second)]);
        assert_eq!(page["items"][0]["reply_count"], 1);
        assert_eq!(post_as(&ada, &post).await["comment_count"], 3);
        assert_eq!(true_counters(house, &post).await.1, 3);
        for limit in [1, 2, 3, 100] {
            assert_eq!(walk(&ada, &comments_of(&post), limit).await, ids(&page));
        }
    })
    .await;
}

#[tokio::test]
async fn a_comment_is_1_to_2200_characters_and_answers_one_of_its_post() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let (here, there) = (post_of(&ada, "here").await, post_of(&ada, "there").await);
        for text in ["", " \n ", &"é".repeat(2_201)] {
            let answer = ada.post(&comments_of(&here), json!({ "text": text })).await;
            let problem = answer.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], "/text");
        }
        let longest = comment(&ada, &here, &"é".repeat(2_200)).await;
        let astray = json!({ "text": "hello", "reply_to": longest["id"] });
        let problem = ada.post(&comments_of(&there), astray).await.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/reply_to");
        assert_eq!(true_counters(house, &there).await.1, 0);
    })
    .await;
}

#[tokio::test]
async fn a_post_that_takes_no_comments_refuses_them() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let new = json!({ "caption": "quiet", "comments_enabled": false });
        let post = ada.post("/api/v1/posts", new).await.expect(201);
        let answer = ada.post(&comments_of(id_of(&post)), json!({ "text": "hello" })).await;
        answer.expect_problem(409, "conflict");
    })
    .await;
}

#[tokio::test]
async fn a_comment_is_deleted_by_its_author_or_the_posts_and_nobody_else() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let bea = house.person("bea").await;
        let eve = house.person("eve").await;
        let post = post_of(&ada, "talk to me").await;
        let first = comment(&bea, &post, "first").await;
        let reply = json!({ "text": "answer", "reply_to": first["id"] });
        let reply = eve.post(&comments_of(&post), reply).await.expect(201);
        let path = |comment: &Value| format!("/api/v1/comments/{}", id_of(comment));
        eve.delete(&path(&first)).await.expect_problem(404, "not_found");
        let edit = json!({ "text": "not mine" });
        eve.patch(&path(&first), edit.clone()).await.expect_problem(404, "not_found");
        ada.patch(&path(&first), edit).await.expect_problem(404, "not_found");
        ada.delete(&path(&reply)).await.expect(204);
        let page = ada.get(&comments_of(&post)).await.expect(200);
        assert_eq!(ids(&page), [id_of(&first)]);
        assert_eq!(page["items"][0]["reply_count"], 0);
        ada.delete(&path(&reply)).await.expect_problem(404, "not_found");
        let edited = bea.patch(&path(&first), json!({ "text": "better" })).await.expect(200);
        assert_eq!((&edited["text"], edited["edited_at"].is_string()), (&json!("better"), true));
        bea.delete(&path(&first)).await.expect(204);
        assert_eq!(true_counters(house, &post).await.1, 0);
        assert_eq!(post_as(&eve, &post).await["comment_count"], 0);
    })
    .await;
}

#[tokio::test]
async fn a_comment_counts_each_person_once() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let post = post_of(&ada, "talk to me").await;
        let first = comment(&ada, &post, "first").await;
        let path = format!("/api/v1/comments/{}/like", id_of(&first));
        let fans = house.people("fan", 16).await;
        let likes = fans.iter().chain(&fans).map(|fan| fan.put(&path).into_future());
        for answer in join_all(likes).await {
            answer.expect(200);
        }
        let page = fans[0].get(&comments_of(&post)).await.expect(200);
        assert_eq!(page["items"][0]["like_count"], 16);
        assert_eq!(page["items"][0]["liked_by_me"], true);
        let taken = fans[0].delete(&path).await.expect(200);
        assert_eq!((&taken["like_count"], &taken["liked_by_me"]), (&json!(15), &json!(false)));
        let answer = house.stranger().put(&path).await;
        answer.expect_problem(401, "unauthenticated");
    })
    .await;
}

#[tokio::test]
async fn many_commenters_at_once_are_all_counted() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let post = post_of(&ada, "talk to me").await;
        let talkers = house.people("talker", 32).await;
        join_all(talkers.iter().map(|talker| comment(talker, &post, "me too"))).await;
        assert_eq!(true_counters(house, &post).await.1, 32);
        assert_eq!(walk(&ada, &comments_of(&post), 7).await.len(), 32);
    })
    .await;
}

#[tokio::test]
async fn pages_of_comments_go_on_where_they_ended_while_others_write_and_delete() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let post = post_of(&ada, "talk to me").await;
        let mut written = Vec::new();
        for n in 0..9 {
            written.push(id_of(&comment(&ada, &post, &format!("{n}")).await).to_owned());
        }
        let page = ada.get(&page_path(&comments_of(&post), 4, None)).await.expect(200);
        assert_eq!(ids(&page), written[..4]);
        ada.delete(&format!("/api/v1/comments/{}", written[1])).await.expect(204);
        ada.delete(&format!("/api/v1/comments/{}", written[3])).await.expect(204);
        let late = id_of(&comment(&ada, &post, "late").await).to_owned();
        let next = page_path(&comments_of(&post), 100, page["next_cursor"].as_str());
        let rest = ids(&ada.get(&next).await.expect(200));
        assert_eq!(rest[..5], written[4..]);
        assert_eq!(rest[5..], [late]);
    })
    .await;
}
