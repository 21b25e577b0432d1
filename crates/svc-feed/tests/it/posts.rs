//! Posts: written, read, changed, deleted; drafts and times; who sees them.

use mainstay_testkit::program::{Client, Program, eventually, id_of};
use serde_json::json;

use crate::{both_engines, both_engines_held, post_as, post_of};

async fn captions(reader: &Client, path: &str) -> Vec<String> {
    let page = reader.get(path).await.expect(200);
    let items = page["items"].as_array().unwrap();
    items.iter().map(|post| post["caption"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn a_post_is_shown_as_it_was_written() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let bea = house.person("bea").await;
        let caption = "Sunset over the #Bay with @Bea and @nobody \u{1f305}\n\n#bay #Sun";
        let post = ada.post("/api/v1/posts", json!({ "caption": caption })).await.expect(201);
        assert_eq!(post["caption"], caption);
        assert_eq!(post["author"]["id"], ada.id);
        assert_eq!(post["author"]["handle"], "ada");
        assert_eq!(post["hashtags"], json!(["bay", "sun"]));
        assert_eq!(post["state"], "published");
        assert_eq!(post["visibility"], "public");
        assert_eq!(post["like_count"], 0);
        assert_eq!(post["comment_count"], 0);
        assert_eq!(post["view_count"], 0);
        assert_eq!(post["liked_by_me"], false);
        assert_eq!(post["edited_at"], json!(null));
        assert_eq!(post["created_at"], post["published_at"]);
        for reader in [&ada, &bea, &house.stranger()] {
            assert_eq!(post_as(reader, id_of(&post)).await, post);
        }
    })
    .await;
}

#[tokio::test]
async fn an_edit_is_marked_and_seen_at_the_next_read() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let id = post_of(&ada, "first #one").await;
        let path = format!("/api/v1/posts/{id}");
        assert_eq!(captions(&ada, "/api/v1/timelines/latest").await, ["first #one"]);
        let edited = ada.patch(&path, json!({ "caption": "second #two" })).await.expect(200);
        assert_eq!(edited["caption"], "second #two");
        assert!(edited["edited_at"].is_string());
        assert_eq!(post_as(&house.stranger(), &id).await, edited);
        assert_eq!(captions(&ada, "/api/v1/timelines/latest").await, ["second #two"]);
        assert_eq!(captions(&ada, "/api/v1/hashtags/two/posts").await, ["second #two"]);
        assert_eq!(captions(&ada, "/api/v1/hashtags/one/posts").await, [""; 0]);
    })
    .await;
}

#[tokio::test]
async fn only_its_author_changes_or_deletes_a_post() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let eve = house.person("eve").await;
        let id = post_of(&ada, "mine").await;
        let path = format!("/api/v1/posts/{id}");
        let answer = eve.patch(&path, json!({ "caption": "hers" })).await;
        answer.expect_problem(404, "not_found");
        eve.delete(&path).await.expect_problem(404, "not_found");
        assert_eq!(post_as(&eve, &id).await["caption"], "mine");
    })
    .await;
}

#[tokio::test]
async fn a_deleted_post_is_gone_everywhere_at_once() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let id = post_of(&ada, "short lived #gone").await;
        let path = format!("/api/v1/posts/{id}");
        let lists = [
            "/api/v1/timelines/latest".to_owned(),
            "/api/v1/timelines/explore".to_owned(),
            "/api/v1/hashtags/gone/posts".to_owned(),
            format!("/api/v1/users/{}/posts", ada.id),
        ];
        for list in &lists {
            assert_eq!(captions(&ada, list).await.len(), 1, "{list}");
        }
        assert_eq!(ada.delete(&path).await.expect(204), json!(null));
        for list in &lists {
            assert_eq!(captions(&ada, list).await.len(), 0, "{list}");
        }
        ada.get(&path).await.expect_problem(404, "not_found");
        ada.delete(&path).await.expect_problem(404, "not_found");
        ada.patch(&path, json!({ "caption": "again" })).await.expect_problem(404, "not_found");
        ada.put(&format!("{path}/like")).await.expect_problem(404, "not_found");
    })
    .await;
}

#[tokio::test]
async fn a_draft_is_its_authors_alone_until_it_is_published() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let eve = house.person("eve").await;
        let new = json!({ "caption": "not yet", "draft": true });
        let draft = ada.post("/api/v1/posts", new).await.expect(201);
        assert_eq!((&draft["state"], &draft["published_at"]), (&json!("draft"), &json!(null)));
        let path = format!("/api/v1/posts/{}", id_of(&draft));
        for reader in [&eve, &house.stranger()] {
            reader.get(&path).await.expect_problem(404, "not_found");
            assert!(captions(reader, "/api/v1/timelines/latest").await.is_empty());
        }
        assert!(captions(&ada, "/api/v1/timelines/latest").await.is_empty());
        assert_eq!(captions(&ada, "/api/v1/drafts").await, ["not yet"]);
        assert!(captions(&eve, "/api/v1/drafts").await.is_empty());
        eve.put(&format!("{path}/like")).await.expect_problem(404, "not_found");

        let edit = json!({ "draft": false, "caption": "now" });
        let published = ada.patch(&path, edit).await.expect(200);
        assert_eq!(published["state"], "published");
        assert_eq!(published["edited_at"], json!(null), "what nobody saw was not changed");
        assert_eq!(captions(&eve, "/api/v1/timelines/latest").await, ["now"]);
        assert!(captions(&ada, "/api/v1/drafts").await.is_empty());
        let answer = ada.patch(&path, json!({ "draft": true })).await;
        answer.expect_problem(409, "conflict");
    })
    .await;
}

#[tokio::test]
async fn a_scheduled_post_appears_at_its_time_and_not_before() {
    both_engines_held(async |house| {
        let ada = house.person("ada").await;
        let eve = house.person("eve").await;
        let at = house.clock().now().plus_s(3_600);
        let new = json!({ "caption": "later", "publish_at": at });
        let post = ada.post("/api/v1/posts", new).await.expect(201);
        assert_eq!(post["state"], "scheduled");
        assert_eq!(post["published_at"], json!(at));
        let path = format!("/api/v1/posts/{}", id_of(&post));
        house.clock().advance_s(3_599);
        house.work("feed.publish_due").await;
        eve.get(&path).await.expect_problem(404, "not_found");
        assert!(captions(&eve, "/api/v1/timelines/explore").await.is_empty());
        house.clock().advance_s(1);
        // The program looks by itself, every second.
        eventually("the post is published", async || eve.get(&path).await.status == 200).await;
        let published = post_as(&eve, id_of(&post)).await;
        assert_eq!(published["state"], "published");
        assert_eq!(published["published_at"], json!(at));
        assert_eq!(captions(&eve, "/api/v1/timelines/explore").await, ["later"]);
    })
    .await;
}

#[tokio::test]
async fn a_time_that_is_past_means_now_and_one_too_far_away_is_refused() {
    both_engines_held(async |house| {
        let ada = house.person("ada").await;
        let now = house.clock().now();
        let at = |time: serde_json::Value| {
            ada.post("/api/v1/posts", json!({ "caption": "x", "publish_at": time }))
        };
        let post = at(json!(now.plus_s(-60))).await.expect(201);
        assert_eq!((&post["state"], &post["published_at"]), (&json!("published"), &json!(now)));
        for time in [json!(now.plus_s(400 * 24 * 3_600)), json!("soon"), json!(17)] {
            let problem = at(time).await.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], "/publish_at");
        }
    })
    .await;
}

#[tokio::test]
async fn a_private_post_is_seen_by_its_author_alone() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let eve = house.person("eve").await;
        for visibility in ["private", "followers"] {
            let new = json!({ "caption": visibility, "visibility": visibility });
            let post = ada.post("/api/v1/posts", new).await.expect(201);
            let path = format!("/api/v1/posts/{}", id_of(&post));
            assert_eq!(ada.get(&path).await.expect(200)["visibility"], visibility);
            for reader in [&eve, &house.stranger()] {
                reader.get(&path).await.expect_problem(404, "not_found");
                let comments = format!("{path}/comments");
                reader.get(&comments).await.expect_problem(404, "not_found");
            }
            eve.put(&format!("{path}/like")).await.expect_problem(404, "not_found");
            let views = format!("{path}/views");
            eve.post(&views, json!({})).await.expect_problem(404, "not_found");
        }
        for list in ["latest", "explore"] {
            let list = format!("/api/v1/timelines/{list}");
            assert!(captions(&eve, &list).await.is_empty(), "{list}");
        }
        let profile = format!("/api/v1/users/{}/posts", ada.id);
        assert!(captions(&eve, &profile).await.is_empty());
        assert_eq!(captions(&ada, &profile).await, ["followers", "private"]);
    })
    .await;
}

#[tokio::test]
async fn a_post_that_becomes_private_leaves_every_list_at_once() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let eve = house.person("eve").await;
        let id = post_of(&ada, "seen #once").await;
        let lists = ["timelines/latest", "timelines/explore", "hashtags/once/posts"];
        for list in lists {
            assert_eq!(captions(&eve, &format!("/api/v1/{list}")).await.len(), 1, "{list}");
        }
        let path = format!("/api/v1/posts/{id}");
        ada.patch(&path, json!({ "visibility": "private" })).await.expect(200);
        for list in lists {
            assert_eq!(captions(&eve, &format!("/api/v1/{list}")).await.len(), 0, "{list}");
        }
        ada.patch(&path, json!({ "visibility": "public" })).await.expect(200);
        for list in lists {
            assert_eq!(captions(&eve, &format!("/api/v1/{list}")).await.len(), 1, "{list}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_caption_is_counted_in_scalar_values_and_ends_at_2200() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        // Each is one scalar value and four bytes.
        let most = "\u{1f305}".repeat(2_200);
        let post = ada.post("/api/v1/posts", json!({ "caption": most })).await.expect(201);
        assert_eq!(post["caption"], most);
        let over = "\u{1f305}".repeat(2_201);
        let answer = ada.post("/api/v1/posts", json!({ "caption": over })).await;
        let problem = answer.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/caption");
        assert_eq!(problem["errors"][0]["code"], "too_long");
        let path = format!("/api/v1/posts/{}", id_of(&post));
        ada.patch(&path, json!({ "caption": over })).await.expect_problem(422, "invalid");
        assert_eq!(ada.get(&path).await.expect(200)["caption"], most);
        assert_eq!(captions(&ada, "/api/v1/timelines/latest").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn every_fault_is_named_at_once() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let media = vec!["media_01hjryxyjbf3nta8pn9d0z3fke"; 11];
        let new = json!({ "caption": "x".repeat(2_201), "media": media });
        let problem = ada.post("/api/v1/posts", new).await.expect_problem(422, "invalid");
        let faults = problem["errors"].as_array().unwrap();
        let at = |pointer: &str| faults.iter().any(|fault| fault["pointer"] == pointer);
        assert!(at("/caption") && at("/media"), "{problem}");
    })
    .await;
}

#[tokio::test]
async fn a_post_with_neither_words_nor_pictures_is_refused() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        for new in [json!({}), json!({ "caption": "" }), json!({ "caption": " \n\t \u{200b}" })] {
            let answer = ada.post("/api/v1/posts", new.clone()).await;
            assert_eq!(answer.status, 422, "{new}");
            answer.expect_problem(422, "invalid");
        }
        let id = post_of(&ada, "words").await;
        let answer = ada.patch(&format!("/api/v1/posts/{id}"), json!({ "caption": "" })).await;
        answer.expect_problem(422, "invalid");
        assert_eq!(captions(&ada, "/api/v1/timelines/latest").await, ["words"]);
    })
    .await;
}

#[tokio::test]
async fn a_repeated_key_returns_the_first_answer_and_writes_once() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let write = |caption: &str| {
            ada.post("/api/v1/posts", json!({ "caption": caption })).once("one write")
        };
        let first = write("hello").await.expect(201);
        assert_eq!(write("hello").await.expect(201), first);
        write("another").await.expect_problem(422, "idempotency_key_reused");
        assert_eq!(captions(&ada, "/api/v1/timelines/latest").await, ["hello"]);
        // A key belongs to its caller.
        let bea = house.person("bea").await;
        let hers = bea.post("/api/v1/posts", json!({ "caption": "hello" })).once("one write");
        assert_ne!(id_of(&hers.await.expect(201)), id_of(&first));
    })
    .await;
}

#[tokio::test]
async fn concurrent_repeats_of_a_key_write_once() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let new =
            || ada.post("/api/v1/posts", json!({ "caption": "once" })).once("key").into_future();
        let answers = futures_util::future::join_all((0..16).map(|_| new())).await;
        let mut ids = std::collections::BTreeSet::new();
        for answer in answers {
            // One that comes while the first is at work may be told so.
            if answer.status != 409 {
                ids.insert(id_of(&answer.expect(201)).to_owned());
            }
        }
        assert_eq!(ids.len(), 1);
        assert_eq!(captions(&ada, "/api/v1/timelines/latest").await.len(), 1);
    })
    .await;
}

#[tokio::test]
async fn a_refusal_is_not_kept_under_its_key() {
    both_engines(async |house: &Program| {
        let ada = house.person("ada").await;
        let like = |id: &str| ada.put(&format!("/api/v1/posts/{id}/like")).once("like");
        like("post_01hjryxyjbf3nta8pn9d0z3fke").await.expect_problem(404, "not_found");
        let id = post_of(&ada, "here").await;
        assert_eq!(like(&id).await.expect(200)["like_count"], 1);
    })
    .await;
}
