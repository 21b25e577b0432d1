//! Who sees what of private and suspended accounts: tags, lists, notifications, keys of moderators.

use mainstay_core::{auth::State, contract::id::UserId};
use mainstay_testkit::program::{Client, PASSWORD, Program, eventually, id_of};
use serde_json::{Value, json};

use crate::{act, both_engines, ids, moderator, post_of, walk};

const EXPLORE: &str = "/api/v1/timelines/explore";
const LATEST: &str = "/api/v1/timelines/latest";

/// How many posts are said to carry a tag; 0 if it is not listed.
async fn counted(reader: &Client, tag: &str) -> i64 {
    let path = format!("/api/v1/search?q={tag}&kind=hashtags");
    let page = reader.get(&path).await.expect(200);
    let found = page["items"].as_array().unwrap().iter().find(|item| item["tag"] == tag);
    found.map_or(0, |item| item["post_count"].as_i64().unwrap())
}

async fn make_private(person: &Client, private: bool) {
    person.patch("/api/v1/profile", json!({ "private": private })).await.expect(200);
}

/// Suspends somebody and waits until they may not act.
async fn suspend(judge: &Client, person: &Client) {
    act(judge, &person.id, "suspend").await;
    eventually("they may not act", async || person.get("/api/v1/me").await.status != 200).await;
}

/// Lifts a suspension and waits until they can sign in: it has ended their sign-ins.
async fn unsuspend(house: &Program, judge: &Client, person: &Client) -> Client {
    act(judge, &person.id, "unsuspend").await;
    let user: UserId = person.id.parse().unwrap();
    // Not by signing in again and again: each refusal is written to the audit log, to which the core's consumer writes
    // too, and on a busy machine it then comes last.
    eventually("the suspension is lifted", async || {
        let account = house.core().auth.find(user).await.unwrap().unwrap();
        account.state == State::Active
    })
    .await;
    let login = json!({ "login": person.handle, "password": PASSWORD });
    let answer = house.stranger().post("/api/v1/auth/login", login).await;
    house.stranger().signed_in(&answer.expect(200))
}

#[tokio::test]
async fn tags_of_closed_accounts_are_not_counted() {
    both_engines(async |house| {
        let (ada, bea) = (house.person("ada").await, house.person("bea").await);
        let judge = moderator(house).await;
        let stranger = house.stranger();
        let first = post_of(&ada, "one #secretplan #sky").await;
        post_of(&ada, "two #secretplan").await;
        post_of(&bea, "three #sky").await;
        let counts =
            async || (counted(&stranger, "secretplan").await, counted(&stranger, "sky").await);
        assert_eq!(counts().await, (2, 2));
        make_private(&ada, true).await;
        assert_eq!(counts().await, (0, 1), "what was posted before counts no more");
        let third = post_of(&ada, "four #secretplan").await;
        assert_eq!(counts().await, (0, 1), "nor what is posted now");
        let path = format!("/api/v1/posts/{first}");
        ada.patch(&path, json!({ "caption": "one #sky" })).await.expect(200);
        ada.delete(&format!("/api/v1/posts/{third}")).await.expect(204);
        make_private(&ada, false).await;
        assert_eq!(counts().await, (1, 2), "what is left counts again");
        suspend(&judge, &ada).await;
        assert_eq!(counts().await, (0, 1), "suspended");
        let ada = unsuspend(house, &judge, &ada).await;
        assert_eq!(counts().await, (1, 2), "not suspended any more");
        make_private(&ada, true).await;
        suspend(&judge, &ada).await;
        assert_eq!(counts().await, (0, 1), "private all the same");
        let ada = unsuspend(house, &judge, &ada).await;
        assert_eq!(counts().await, (0, 1), "as before");
        make_private(&ada, false).await;
        assert_eq!(counts().await, (1, 2), "open");
        act(&judge, &first, "hide").await;
        assert_eq!(counts().await, (1, 1), "hidden");
    })
    .await;
}

#[tokio::test]
async fn many_posts_at_once_and_an_account_that_closes_leave_true_counts() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        for private in [true, false, true, false] {
            let posts = (0..8).map(async |_| post_of(&ada, "quick #race").await);
            tokio::join!(futures_util::future::join_all(posts), make_private(&ada, private));
        }
        assert_eq!(counted(&house.stranger(), "race").await, 32);
        make_private(&ada, true).await;
        assert_eq!(counted(&house.stranger(), "race").await, 0);
    })
    .await;
}

#[tokio::test]
async fn a_persons_posts_are_not_found_by_whom_they_are_not_for() {
    both_engines(async |house| {
        let (ada, bea, eve) =
            (house.person("ada").await, house.person("bea").await, house.person("eve").await);
        let judge = moderator(house).await;
        let post = post_of(&ada, "mine").await;
        let path = format!("/api/v1/users/{}/posts", ada.id);
        let stranger = house.stranger();
        for reader in [&ada, &bea, &stranger] {
            assert_eq!(walk(reader, &path, 20).await, std::slice::from_ref(&post));
        }
        let nobody = "/api/v1/users/user_01h2xcejqtf2nbrexx3vqjhp41/posts";
        stranger.get(nobody).await.expect_problem(404, "not_found");
        bea.put(&format!("/api/v1/users/{}/follow", ada.id)).await.expect(200);
        ada.put(&format!("/api/v1/users/{}/block", eve.id)).await.expect(200);
        eve.get(&path).await.expect_problem(404, "not_found");
        make_private(&ada, true).await;
        stranger.get(&path).await.expect_problem(404, "not_found");
        for reader in [&ada, &bea] {
            assert_eq!(
                walk(reader, &path, 20).await,
                std::slice::from_ref(&post),
                "its author and followers"
            );
        }
        make_private(&ada, false).await;
        act(&judge, &ada.id, "suspend").await;
        bea.get(&path).await.expect_problem(404, "not_found");
        let new = house.person("newcomer").await;
        let none = stranger.get(&format!("/api/v1/users/{}/posts", new.id)).await.expect(200);
        assert_eq!(none["items"], json!([]), "somebody who has posted nothing is somebody");
    })
    .await;
}

#[tokio::test]
async fn explore_and_latest_hold_the_same_and_nothing_of_private_accounts() {
    both_engines(async |house| {
        let (ada, bea) = (house.person("ada").await, house.person("bea").await);
        let open = post_of(&bea, "for everybody").await;
        let closed = post_of(&ada, "for followers").await;
        bea.put(&format!("/api/v1/users/{}/follow", ada.id)).await.expect(200);
        make_private(&ada, true).await;
        for reader in [&ada, &bea, &house.stranger()] {
            for list in [EXPLORE, LATEST] {
                assert_eq!(walk(reader, list, 20).await, std::slice::from_ref(&open), "{list}");
            }
        }
        assert_eq!(walk(&bea, "/api/v1/timelines/home", 20).await, std::slice::from_ref(&closed));
        bea.get(&format!("/api/v1/posts/{closed}")).await.expect(200);
        let description = |path: &str| {
            let text = &house.document()["paths"][path]["get"]["description"];
            text.as_str().unwrap_or_default().to_owned()
        };
        for list in [EXPLORE, LATEST] {
            assert!(description(list).contains("neither private nor suspended"), "{list}");
        }
    })
    .await;
}

#[tokio::test]
async fn who_is_suspended_leaves_the_lines_of_others() {
    both_engines(async |house| {
        let (ada, bea, eve) =
            (house.person("ada").await, house.person("bea").await, house.person("eve").await);
        let judge = moderator(house).await;
        let (both, alone) = (post_of(&ada, "both").await, post_of(&ada, "alone").await);
        for (fan, post) in [(&bea, &both), (&eve, &both), (&eve, &alone)] {
            fan.put(&format!("/api/v1/posts/{post}/like")).await.expect(200);
        }
        let lines = async || {
            let page = ada.get("/api/v1/notifications").await.expect(200);
            let line = |line: &Value| {
                let actors = line["actors"].as_array().unwrap().iter();
                let mut handles: Vec<String> =
                    actors.map(|actor| actor["handle"].as_str().unwrap().to_owned()).collect();
                handles.sort();
                (id_of(&line["post"]).to_owned(), handles, line["actor_count"].as_i64().unwrap())
            };
            let mut lines: Vec<_> = page["items"].as_array().unwrap().iter().map(line).collect();
            lines.sort_by_key(|(post, ..)| *post != both);
            lines
        };
        let of = |post: &String, handles: &[&str]| {
            let handles: Vec<String> = handles.iter().map(ToString::to_string).collect();
            (post.clone(), handles.clone(), handles.len() as i64)
        };
        let all = [of(&both, &["bea", "eve"]), of(&alone, &["eve"])];
        eventually("all are told of", async || lines().await == all).await;
        suspend(&judge, &eve).await;
        assert_eq!(lines().await, [of(&both, &["bea"])]);
        unsuspend(house, &judge, &eve).await;
        eventually("they are back", async || lines().await == all).await;
    })
    .await;
}

#[tokio::test]
async fn a_moderators_key_for_reading_sees_no_more_than_anybody() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let judge = moderator(house).await;
        let key = async |scopes: Value| {
            let new = json!({ "name": "a key", "scopes": scopes });
            let key = judge.post("/api/v1/api-keys", new).await.expect(201);
            judge.with_token(key["secret"].as_str().unwrap())
        };
        let (reads, moderates) =
            (key(json!(["read"])).await, key(json!(["read", "moderate"])).await);
        let path = format!("/api/v1/users/{}", ada.id);
        reads.get(&path).await.expect(200);
        act(&judge, &ada.id, "suspend").await;
        reads.get(&path).await.expect_problem(404, "not_found");
        for caller in [&judge, &moderates] {
            caller.get(&path).await.expect(200);
            let posts = caller.get(&format!("{path}/posts")).await.expect(200);
            assert!(ids(&posts).is_empty());
        }
    })
    .await;
}
