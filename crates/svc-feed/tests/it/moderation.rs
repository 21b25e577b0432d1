//! What moderators decided and can take back, and what the audit log says of it.

use mainstay_core::auth::Role;
use mainstay_testkit::program::{Client, id_of};
use serde_json::{Value, json};

use crate::{act, both_engines, both_engines_held, moderator, page_path, post_of};

const DECISIONS: &str = "/api/v1/moderation/decisions";
const AUDIT: &str = "/api/v1/audit";

/// Every item of a list, page by page.
async fn items(reader: &Client, path: &str, limit: usize) -> Vec<Value> {
    let (mut all, mut cursor) = (Vec::new(), None::<String>);
    loop {
        let page = reader.get(&page_path(path, limit, cursor.as_deref())).await.expect(200);
        let found = page["items"].as_array().unwrap();
        assert!(found.len() <= limit, "{path}: {} items on a page of {limit}", found.len());
        all.extend(found.iter().cloned());
        match page["next_cursor"].as_str() {
            Some(next) => cursor = Some(next.to_owned()),
            None => return all,
        }
    }
}

async fn targets(judge: &Client, limit: usize) -> Vec<String> {
    let decided = items(judge, DECISIONS, limit).await;
    decided.iter().map(|item| item["target"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn what_was_decided_is_listed_newest_first_until_it_is_taken_back() {
    both_engines_held(async |house| {
        let (ada, judge) = (house.person("ada").await, moderator(house).await);
        let me = ada.get("/api/v1/me").await.expect(200);
        let (ada_id, post) = (id_of(&me).to_owned(), post_of(&ada, "a bad post").await);
        let comments = format!("/api/v1/posts/{post}/comments");
        let comment = ada.post(&comments, json!({ "text": "a bad comment" })).await.expect(201);
        let comment = id_of(&comment).to_owned();
        for (target, action) in [(&post, "hide"), (&comment, "remove"), (&ada_id, "suspend")] {
            house.clock().advance_s(1);
            act(&judge, target, action).await;
        }
        for limit in [1, 2, 100] {
            assert_eq!(targets(&judge, limit).await, [&*ada_id, &comment, &post], "{limit} a page");
        }
        let decided = items(&judge, DECISIONS, 10).await;
        let facts = |item: &Value| {
            ["action", "status", "restorable", "reason"].map(|field| item[field].clone())
        };
        assert_eq!(
            facts(&decided[0]),
            [json!("suspend"), "suspended".into(), true.into(), "a test".into()]
        );
        assert_eq!(facts(&decided[1])[..3], [json!("remove"), "removed".into(), true.into()]);
        assert_eq!(facts(&decided[2])[..3], [json!("hide"), "hidden".into(), true.into()]);
        assert!(decided.iter().all(|item| item["moderator"]["handle"] == "moderator"));
        assert!(decided.iter().all(|item| item["person"]["handle"] == "ada"));
        assert_eq!(decided[2]["post"]["caption"], "a bad post");
        assert_eq!(decided[1]["comment"]["text"], "a bad comment");

        // What is decided anew comes first, and once.
        house.clock().advance_s(1);
        act(&judge, &post, "remove").await;
        assert_eq!(targets(&judge, 10).await, [&*post, &ada_id, &comment]);
        act(&judge, &post, "restore").await;
        act(&judge, &ada_id, "unsuspend").await;
        assert_eq!(targets(&judge, 10).await, [&*comment]);
        act(&judge, &comment, "restore").await;
        assert!(targets(&judge, 10).await.is_empty());
        let back = house.stranger().get(&format!("/api/v1/posts/{post}")).await.expect(200);
        assert_eq!(back["comment_count"], 1);
    })
    .await;
}

#[tokio::test]
async fn what_its_author_deleted_since_is_listed_and_cannot_be_restored() {
    both_engines(async |house| {
        let (ada, judge) = (house.person("ada").await, moderator(house).await);
        let post = post_of(&ada, "a bad post").await;
        act(&judge, &post, "hide").await;
        ada.delete(&format!("/api/v1/posts/{post}")).await.expect(204);
        let decided = items(&judge, DECISIONS, 10).await;
        assert_eq!(
            (&decided[0]["target"], &decided[0]["restorable"]),
            (&json!(post), &json!(false))
        );
        let restore = json!({ "target": post, "action": "restore", "reason": "a test" });
        let refused = judge.post("/api/v1/moderation/actions", restore).await;
        refused.expect_problem(409, "conflict");
    })
    .await;
}

#[tokio::test]
async fn decisions_are_for_moderators_and_the_audit_log_is_for_administrators() {
    both_engines(async |house| {
        let (ada, judge) = (house.person("ada").await, moderator(house).await);
        let admin = house.person_as(Role::Admin, "root").await;
        for path in [DECISIONS, AUDIT] {
            house.stranger().get(path).await.expect_problem(401, "unauthenticated");
            ada.get(path).await.expect_problem(403, "forbidden");
            admin.get(&format!("{path}?cursor=x")).await.expect_problem(400, "malformed_cursor");
            admin.get(&format!("{path}?limit=0")).await.expect_problem(422, "invalid");
        }
        judge.get(DECISIONS).await.expect(200);
        judge.get(AUDIT).await.expect_problem(403, "forbidden");
        // A cursor holds for its own list only.
        let first = admin.get(&page_path(AUDIT, 1, None)).await.expect(200);
        let path = page_path(DECISIONS, 1, first["next_cursor"].as_str());
        judge.get(&path).await.expect_problem(400, "malformed_cursor");
    })
    .await;
}

#[tokio::test]
async fn the_audit_log_tells_the_acts_of_all_services_newest_first() {
    both_engines_held(async |house| {
        let (ada, judge) = (house.person("ada").await, moderator(house).await);
        let admin = house.person_as(Role::Admin, "root").await;
        let post = post_of(&ada, "a bad post").await;
        for action in ["hide", "restore"] {
            house.clock().advance_s(1);
            act(&judge, &post, action).await;
        }
        house.clock().advance_s(1);
        let login = json!({ "login": "ada", "password": "not this one" });
        house
            .stranger()
            .post("/api/v1/auth/login", login)
            .await
            .expect_problem(401, "unauthenticated");
        let whole = items(&admin, AUDIT, 100).await;
        let newest: Vec<_> = whole[..3]
            .iter()
            .map(|entry| ["log", "action"].map(|field| entry[field].as_str().unwrap()))
            .collect();
        assert_eq!(
            newest,
            [["core", "session.refuse"], ["feed", "feed.restore"], ["feed", "feed.hide"]]
        );
        assert_eq!(whole[0]["target_handle"], "ada");
        assert_eq!((&whole[1]["seq"], &whole[2]["seq"]), (&json!(2), &json!(1)));
        assert_eq!(whole[2]["actor_handle"], "moderator");
        assert_eq!(
            (&whole[2]["target"], &whole[2]["detail"]["reason"]),
            (&json!(post), &json!("a test"))
        );
        assert_eq!(whole[2]["hash"].as_str().unwrap().len(), 64);
        assert!(whole.len() >= 6, "three accounts and three acts: {whole:?}");
        for limit in [1, 2, 5] {
            assert_eq!(items(&admin, AUDIT, limit).await, whole, "{limit} a page");
        }
    })
    .await;
}
