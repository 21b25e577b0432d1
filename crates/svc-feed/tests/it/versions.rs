//! Changes that are made only to the version that their author has read.

use std::collections::BTreeSet;

use http::Method;
use mainstay_testkit::program::{Answer, Client};
use serde_json::{Value, json};

use crate::{both_engines, post_as, post_of};

/// A record that can be changed: where, with what, and what is answered.
struct Changed {
    path: String,
    change: fn(&str) -> Value,
    /// The words in what is answered.
    words: fn(&Value) -> &Value,
}

/// A post, a comment under it and the profile of somebody.
async fn of_each_kind(ada: &Client) -> Vec<Changed> {
    let post = post_of(ada, "first").await;
    let answer = ada.post(&format!("/api/v1/posts/{post}/comments"), json!({ "text": "first" }));
    let comment = answer.await.expect(201);
    vec![
        Changed {
            path: format!("/api/v1/posts/{post}"),
            change: |words| json!({ "caption": words }),
            words: |view| &view["caption"],
        },
        Changed {
            path: format!("/api/v1/comments/{}", comment["id"].as_str().unwrap()),
            change: |words| json!({ "text": words }),
            words: |view| &view["text"],
        },
        Changed {
            path: "/api/v1/profile".to_owned(),
            change: |words| json!({ "bio": words }),
            words: |view| &view["bio"],
        },
    ]
}

fn tag(view: &Value) -> String {
    format!("\"v{}\"", view["version"].as_i64().unwrap())
}

/// Sees that it was refused as outdated, and that the answer names the version that it is at.
fn outdated(answer: Answer, present: &str) {
    let problem = answer.expect_problem(412, "precondition_failed");
    assert_eq!(problem["errors"][0]["pointer"], "If-Match");
    let detail = problem["errors"][0]["detail"].as_str().unwrap();
    assert!(detail.contains(present), "{detail} does not name {present}");
}

#[tokio::test]
async fn an_edit_of_an_outdated_version_is_refused_and_changes_nothing() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        for Changed { path, change, words } in of_each_kind(&ada).await {
            let edit = |words: &str, wanted: &str| {
                ada.patch(&path, change(words)).header("if-match", wanted)
            };
            let read = ada.patch(&path, change("read")).await.expect(200);
            let second = edit("second", &tag(&read)).await.expect(200);
            assert_eq!(words(&second), "second", "{path}");
            assert_ne!(tag(&second), tag(&read), "{path}");
            outdated(edit("lost", &tag(&read)).await, &tag(&second));
            // Of several versions one may be the present; a tag of something else is none.
            outdated(edit("lost", "\"something\", W/\"v2\"").await, &tag(&second));
            let either = format!("{}, {}", tag(&read), tag(&second));
            let third = edit("third", &either).await.expect(200);
            assert_eq!(words(&third), "third", "{path}");
            // Any version, said and not said.
            assert_eq!(words(&edit("fourth", "*").await.expect(200)), "fourth", "{path}");
            let fifth = ada.patch(&path, change("fifth")).await.expect(200);
            assert_eq!(words(&fifth), "fifth", "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn what_was_changed_since_it_was_read_is_not_deleted() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let deleted = of_each_kind(&ada).await.into_iter().rev().skip(1);
        for Changed { path, change, .. } in deleted {
            let read = ada.patch(&path, change("read")).await.expect(200);
            let now = ada.patch(&path, change("changed")).await.expect(200);
            let delete = |wanted: &str| ada.delete(&path).header("if-match", wanted);
            outdated(delete(&tag(&read)).await, &tag(&now));
            delete(&tag(&now)).await.expect(204);
            delete("*").await.expect_problem(404, "not_found");
        }
    })
    .await;
}

#[tokio::test]
async fn a_header_that_names_no_version_is_400_and_changes_nothing() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        for Changed { path, change, .. } in of_each_kind(&ada).await {
            let before = ada.patch(&path, change("before")).await.expect(200);
            for wanted in ["", "7", "v7", "\"v7", "*, \"v7\"", "\"v7\" \"v8\""] {
                let answer = ada.patch(&path, change("lost")).header("if-match", wanted).await;
                let problem = answer.expect_problem(400, "malformed_parameter");
                assert_eq!(problem["errors"][0]["pointer"], "If-Match", "{wanted}");
            }
            let edit = ada.patch(&path, change("after")).header("if-match", &tag(&before));
            edit.await.expect(200);
        }
    })
    .await;
}

#[tokio::test]
async fn who_may_not_change_something_does_not_learn_its_version() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let eve = house.person("eve").await;
        let path = format!("/api/v1/posts/{}", post_of(&ada, "mine").await);
        for request in [eve.patch(&path, json!({ "caption": "hers" })), eve.delete(&path)] {
            request.header("if-match", "\"v99\"").await.expect_problem(404, "not_found");
        }
    })
    .await;
}

#[tokio::test]
async fn likes_comments_views_and_followers_outdate_no_edit() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let eve = house.person("eve").await;
        let id = post_of(&ada, "popular").await;
        let path = format!("/api/v1/posts/{id}");
        let comments = format!("{path}/comments");
        let comment = ada.post(&comments, json!({ "text": "popular" })).await.expect(201);
        let profile = format!("/api/v1/users/{}", ada.id);
        let of = async |path: &str| tag(&ada.get(path).await.expect(200));
        let (of_post, of_comment, of_profile) =
            (of(&path).await, tag(&comment), of(&profile).await);
        let first = ada.get(&path).await;
        let entity = first.header("etag").to_owned();

        let comment = comment["id"].as_str().unwrap();
        eve.put(&format!("{path}/like")).await.expect(200);
        eve.put(&format!("/api/v1/comments/{comment}/like")).await.expect(200);
        let reply = json!({ "text": "so am I", "reply_to": comment });
        eve.post(&comments, reply).await.expect(201);
        eve.post(&format!("{path}/views"), json!({})).await.expect(201);
        let follow = eve.put(&format!("/api/v1/users/{}/follow", ada.id)).await;
        assert_eq!(follow.status, 200, "{follow:?}");

        // The entity tag of the answer is of all that it says, counters too.
        let again = ada.get(&path).header("if-none-match", &entity).await;
        assert_eq!(again.expect(200)["like_count"], 1);
        assert_eq!(of(&path).await, of_post);
        assert_eq!(of(&profile).await, of_profile);
        for (path, change, wanted) in [
            (path, json!({ "caption": "edited" }), of_post),
            (format!("/api/v1/comments/{comment}"), json!({ "text": "edited" }), of_comment),
            ("/api/v1/profile".to_owned(), json!({ "bio": "edited" }), of_profile),
        ] {
            ada.patch(&path, change).header("if-match", &wanted).await.expect(200);
        }
    })
    .await;
}

#[tokio::test]
async fn other_words_for_a_picture_outdate_edits_of_what_shows_it() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let bytes = include_bytes!("../data/chelsea.png");
        let describe = async |media: &Value| {
            let path = format!("/api/v1/media/{}", media.as_str().unwrap());
            ada.patch(&path, json!({ "alt": "a cat" })).await.expect(200);
        };
        for draft in [false, true] {
            let media = ada.upload("cat", bytes).await.expect(201)["id"].clone();
            let new = json!({ "media": [media], "draft": draft });
            let post = ada.post("/api/v1/posts", new).await.expect(201);
            describe(&media).await;
            let path = format!("/api/v1/posts/{}", post["id"].as_str().unwrap());
            let now = ada.get(&path).await.expect(200);
            assert_eq!(now["media"][0]["alt"], "a cat");
            let edit = ada.patch(&path, json!({ "media": [], "caption": "no cat" }));
            outdated(edit.header("if-match", &tag(&post)).await, &tag(&now));
        }
        let media = ada.upload("cat", bytes).await.expect(201)["id"].clone();
        let mine = ada.patch("/api/v1/profile", json!({ "avatar": media })).await.expect(200);
        describe(&media).await;
        let edit = ada.patch("/api/v1/profile", json!({ "avatar": null }));
        let now = ada.get(&format!("/api/v1/users/{}", ada.id)).await.expect(200);
        outdated(edit.header("if-match", &tag(&mine)).await, &tag(&now));
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_edits_of_one_version_one_is_made() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        for Changed { path, change, words } in of_each_kind(&ada).await {
            let read = ada.patch(&path, change("read")).await.expect(200);
            let edits = (0..64).map(|edit| {
                let edit = ada.patch(&path, change(&format!("edit {edit}")));
                edit.header("if-match", &tag(&read)).into_future()
            });
            let (made, refused): (Vec<_>, Vec<_>) = futures_util::future::join_all(edits)
                .await
                .into_iter()
                .partition(|answer| answer.status == 200);
            assert_eq!((made.len(), refused.len()), (1, 63), "{path}");
            let made = made.into_iter().next().unwrap().expect(200);
            refused.into_iter().for_each(|answer| outdated(answer, &tag(&made)));
            let now = ada.patch(&path, change("read")).header("if-match", &tag(&made)).await;
            assert_eq!(words(&now.expect(200)), "read", "{path}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_repeat_of_an_edit_with_its_key_is_answered_as_the_first_time() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let id = post_of(&ada, "first").await;
        let read = post_as(&ada, &id).await;
        let edit = || {
            let edit = ada.patch(&format!("/api/v1/posts/{id}"), json!({ "caption": "second" }));
            edit.header("if-match", &tag(&read)).once("edit")
        };
        let first = edit().await.expect(200);
        assert_eq!(edit().await.expect(200), first);
        assert_eq!(post_as(&ada, &id).await, first);
    })
    .await;
}

#[tokio::test]
async fn the_document_names_the_header_where_it_is_heeded() {
    both_engines(async |house| {
        let declared: BTreeSet<String> = house
            .routes()
            .iter()
            .filter(|route| route.versioned)
            .map(|route| {
                let method = route.method.as_str().to_lowercase();
                let operation = &house.document()["paths"][route.path][&method];
                let parameters = operation["parameters"].as_array().unwrap();
                assert!(parameters.iter().any(|parameter| parameter["name"] == "If-Match"));
                assert!(operation["responses"]["412"].is_object(), "{}", route.name());
                route.name().to_string()
            })
            .collect();
        // Those that the tests above try.
        let tried = [
            (Method::PATCH, "/api/v1/posts/{id}"),
            (Method::DELETE, "/api/v1/posts/{id}"),
            (Method::PATCH, "/api/v1/comments/{id}"),
            (Method::DELETE, "/api/v1/comments/{id}"),
            (Method::PATCH, "/api/v1/profile"),
        ];
        let tried = tried.map(|(method, path)| format!("{method} {path}"));
        assert_eq!(declared, BTreeSet::from(tried));
    })
    .await;
}
