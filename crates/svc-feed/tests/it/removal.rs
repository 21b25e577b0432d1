//! What moderators take away and give back, and what is erased for good.

use mainstay_core::{db::Json, statements};
use mainstay_testkit::program::{Client, Program, eventually, id_of};
use serde_json::{Value, json};

use crate::{act, both_engines, both_engines_held, moderator, post_of, true_counters};

const ROCKET: &[u8] = include_bytes!("../data/rocket.jpg");
const DAY_S: i64 = 24 * 3_600;

statements! {
    /// Everything of which purges leave nothing.
    LEFT = "select (select count(*) from feed.post), (select count(*) from feed.post_stat),
              (select count(*) from feed.post_like), (select count(*) from feed.comment),
              (select count(*) from feed.comment_like), (select count(*) from feed.media),
              (select count(*) from feed.view_session) + (select count(*) from feed.report)
                  + (select count(*) from feed.decision)";
    /// What was said about anything, the newest first.
    SAID = "select name, payload from feed.outbox order by seq desc limit 100";
}

type Left = (i64, i64, i64, i64, i64, i64, i64);

async fn left(house: &Program) -> Left {
    let mut tx = house.db("feed").read().await.unwrap();
    tx.one(&LEFT, &[]).await.unwrap()
}

/// What was said of a post by its facts of this name, the newest first.
async fn said(house: &Program, name: &str, post: &str) -> Vec<Value> {
    let mut tx = house.db("feed").read().await.unwrap();
    let facts: Vec<(String, Json<Value>)> = tx.all(&SAID, &[]).await.unwrap();
    let of_post = |(said, fact): (String, Json<Value>)| {
        (said == name && fact.0["post"] == post).then_some(fact.0)
    };
    facts.into_iter().filter_map(of_post).collect()
}

async fn restore(judge: &Client, target: &str) -> mainstay_testkit::program::Answer {
    let act = json!({ "target": target, "action": "restore", "reason": "a test" });
    judge.post("/api/v1/moderation/actions", act).await
}

/// A post of Ada's with a picture, liked and commented on by Bea, who views and reports it too.
async fn loved(house: &Program, ada: &Client, bea: &Client) -> Value {
    let media = ada.upload("rocket.jpg", ROCKET).await.expect(201);
    let new = json!({ "caption": "up #sky @bea", "media": [media["id"]] });
    let post = ada.post("/api/v1/posts", new).await.expect(201);
    let path = format!("/api/v1/posts/{}", id_of(&post));
    bea.put(&format!("{path}/like")).await.expect(200);
    let mut answered = Value::Null;
    for text in ["first", "second", "third"] {
        let new = json!({ "text": text, "reply_to": answered });
        let comment = bea.post(&format!("{path}/comments"), new).await.expect(201);
        ada.put(&format!("/api/v1/comments/{}/like", id_of(&comment))).await.expect(200);
        answered = comment["id"].clone();
    }
    bea.request(http::Method::POST, &format!("{path}/views")).await.expect(201);
    let report = json!({ "target": post["id"], "reason": "too fast" });
    bea.post("/api/v1/reports", report).await.expect(201);
    house.stranger().get(&path).await.expect(200)
}

#[tokio::test]
async fn a_removed_post_is_nowhere_and_comes_back_whole() {
    both_engines_held(async |house| {
        let (ada, bea) = (house.person("ada").await, house.person("bea").await);
        let judge = moderator(house).await;
        let post = loved(house, &ada, &bea).await;
        let path = format!("/api/v1/posts/{}", id_of(&post));
        let file = post["media"][0]["url"].as_str().unwrap();
        act(&judge, id_of(&post), "remove").await;
        for reader in [&ada, &bea, &house.stranger()] {
            reader.get(&path).await.expect_problem(404, "not_found");
            reader.get(file).await.expect_problem(404, "not_found");
            let tagged = reader.get("/api/v1/hashtags/sky/posts").await.expect(200);
            assert_eq!(tagged["items"], json!([]));
        }
        ada.patch(&path, json!({ "caption": "again" })).await.expect_problem(404, "not_found");
        let words = format!("/api/v1/media/{}", id_of(&post["media"][0]));
        ada.patch(&words, json!({ "alt": "again" })).await.expect_problem(404, "not_found");
        house.clock().advance_s(29 * DAY_S);
        house.work("feed.purge").await;
        house.work("feed.sweep_media").await;
        assert_eq!(restore(&judge, id_of(&post)).await.expect(200)["status"], "visible");
        let mut back = house.stranger().get(&path).await.expect(200);
        assert_eq!(back["version"], 3, "its removal and its return are changes of it");
        back["version"] = post["version"].clone();
        assert_eq!(back, post, "with its words, tags, mentions, pictures and counters");
        assert_eq!(house.stranger().get(file).await.status, 200);
        let tagged = bea.get("/api/v1/hashtags/sky/posts").await.expect(200);
        assert_eq!(id_of(&tagged["items"][0]), id_of(&post));
        let comments = bea.get(&format!("{path}/comments")).await.expect(200);
        assert_eq!(comments["items"].as_array().unwrap().len(), 3);
    })
    .await;
}

#[tokio::test]
async fn a_hidden_post_is_changed_without_a_word_and_restored_as_it_is_then() {
    both_engines(async |house| {
        let (ada, bea) = (house.person("ada").await, house.person("bea").await);
        let judge = moderator(house).await;
        bea.put(&format!("/api/v1/users/{}/follow", ada.id)).await.expect(200);
        let post = post_of(&ada, "rude #words").await;
        let path = format!("/api/v1/posts/{post}");
        act(&judge, &post, "hide").await;
        let better = json!({ "caption": "kind #thoughts, @bea", "visibility": "followers" });
        let edited = ada.patch(&path, better.clone()).await.expect(200);
        assert_eq!((&edited["state"], edited["edited_at"].is_string()), (&json!("hidden"), true));
        assert_eq!(said(house, "feed.post_edited.v1", &post).await, Vec::<Value>::new());
        assert_eq!(said(house, "feed.mentioned.v1", &post).await, Vec::<Value>::new());
        assert_eq!(ada.get(&path).await.expect(200)["caption"], better["caption"]);
        restore(&judge, &post).await.expect(200);
        let shown = &said(house, "feed.post_visibility_changed.v1", &post).await[0];
        assert_eq!(
            (&shown["shown"], &shown["visibility"], &shown["hashtags"]),
            (&json!(true), &json!("followers"), &json!(["thoughts"]))
        );
        house.stranger().get(&path).await.expect_problem(404, "not_found");
        assert_eq!(bea.get(&path).await.expect(200)["caption"], better["caption"]);
        eventually("who was mentioned meanwhile is told", async || {
            let page = bea.get("/api/v1/notifications").await.expect(200);
            page["items"].as_array().unwrap().iter().any(|line| line["kind"] == "mention")
        })
        .await;
        ada.patch(&path, json!({ "caption": "kinder" })).await.expect(200);
        assert_eq!(said(house, "feed.post_edited.v1", &post).await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn what_is_gone_is_erased_after_its_time_with_all_that_hangs_on_it() {
    both_engines_held(async |house| {
        let (ada, bea) = (house.person("ada").await, house.person("bea").await);
        let judge = moderator(house).await;
        let kept = post_of(&ada, "this one stays").await;
        let (removed, deleted) = (loved(house, &ada, &bea).await, loved(house, &ada, &bea).await);
        let path = format!("/api/v1/posts/{}/comments", id_of(&removed));
        let comments = bea.get(&path).await.expect(200);
        act(&judge, id_of(&comments["items"][2]), "hide").await;
        act(&judge, id_of(&removed), "remove").await;
        act(&judge, id_of(&deleted), "hide").await;
        ada.delete(&format!("/api/v1/posts/{}", id_of(&deleted))).await.expect(204);
        restore(&judge, id_of(&deleted)).await.expect_problem(409, "conflict");
        assert_eq!(left(house).await, (3, 3, 2, 6, 6, 1, 7));
        house.clock().advance_s(3_600);
        house.work("feed.purge").await;
        assert_eq!(left(house).await.0, 3, "a frozen ranking may name it");
        house.clock().advance_s(3_601);
        house.work("feed.purge").await;
        assert_eq!(left(house).await, (2, 2, 1, 3, 3, 1, 6), "the deleted one");
        restore(&judge, id_of(&deleted)).await.expect_problem(404, "not_found");
        house.clock().advance_s(30 * DAY_S);
        house.work("feed.purge").await;
        assert_eq!(left(house).await, (1, 1, 0, 0, 0, 0, 2), "the removed one, and old views");
        restore(&judge, id_of(&removed)).await.expect_problem(404, "not_found");
        house.clock().advance_s(150 * DAY_S);
        house.work("feed.purge").await;
        assert_eq!(left(house).await, (1, 1, 0, 0, 0, 0, 0), "reports that were acted on");
        house.work("feed.sweep_media").await;
        assert_eq!(house.blob_files(), Vec::<std::path::PathBuf>::new());
        house.stranger().get(&format!("/api/v1/posts/{kept}")).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn a_deleted_comment_is_erased_when_nothing_answers_it_any_more() {
    both_engines_held(async |house| {
        let (ada, bea) = (house.person("ada").await, house.person("bea").await);
        let judge = moderator(house).await;
        let post = post_of(&ada, "talk to me").await;
        let comments = format!("/api/v1/posts/{post}/comments");
        let say = async |who: &Client, text: &str, reply_to: Option<&Value>| {
            let new = json!({ "text": text, "reply_to": reply_to.map(id_of) });
            who.post(&comments, new).await.expect(201)
        };
        let path = |comment: &Value| format!("/api/v1/comments/{}", id_of(comment));
        let (alone, first) = (say(&bea, "alone", None).await, say(&bea, "first", None).await);
        let answer = say(&ada, "an answer", Some(&first)).await;
        let hidden = say(&bea, "a rude answer", Some(&answer)).await;
        let kept = say(&bea, "this one stays", None).await;
        for comment in [&alone, &first, &kept] {
            ada.put(&format!("{}/like", path(comment))).await.expect(200);
        }
        let report = json!({ "target": alone["id"], "reason": "so lonely" });
        ada.post("/api/v1/reports", report).await.expect(201);
        act(&judge, id_of(&hidden), "hide").await;
        for _twice in 0..2 {
            bea.delete(&path(&alone)).once("alone").await.expect(204);
        }
        bea.delete(&path(&first)).await.expect(204);
        // Comments and likes of comments, of which only those that are shown count.
        let after = async |seconds: i64, rows: (i64, i64), shown: i64| {
            house.clock().advance_s(seconds);
            house.work("feed.purge").await;
            let left = left(house).await;
            assert_eq!((left.3, left.4), rows, "after {seconds} s");
            assert_eq!(true_counters(house, &post).await.1, shown);
        };
        after(0, (5, 3), 2).await;
        after(DAY_S, (5, 3), 2).await;
        bea.delete(&path(&alone)).once("alone").await.expect(204);
        after(DAY_S + 1, (4, 2), 2).await;
        let queue = judge.get("/api/v1/moderation/queue").await.expect(200);
        assert_eq!(queue["items"], json!([]), "nobody can act on it any more");
        ada.delete(&path(&answer)).await.expect(204);
        after(3 * DAY_S, (4, 2), 1).await;
        act(&judge, id_of(&hidden), "restore").await;
        bea.delete(&path(&hidden)).await.expect(204);
        // From the last answer to the first comment.
        after(2 * DAY_S + 1, (3, 2), 1).await;
        after(2 * DAY_S + 1, (2, 2), 1).await;
        after(2 * DAY_S + 1, (1, 1), 1).await;
        let page = bea.get(&comments).await.expect(200);
        assert_eq!(page["items"].as_array().unwrap().len(), 1);
        bea.delete(&path(&first)).await.expect_problem(404, "not_found");
        house.clock().advance_s(180 * DAY_S);
        house.work("feed.purge").await;
        assert_eq!(left(house).await.6, 0, "what was reported of it waits for nobody");
    })
    .await;
}
