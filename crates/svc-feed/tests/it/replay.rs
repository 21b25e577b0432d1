//! Present state that is told again: who has lost something has it back, and nothing happens a second time.

use std::collections::BTreeMap;

use mainstay_core::{
    auth::Role,
    contract::{
        Fact,
        account::AccountStateV1,
        feed::{FollowStateV1, PostStateV1, ProfileStateV1},
    },
    db::{DbError, Position},
    params, statements,
};
use mainstay_testkit::program::{Client, Program, eventually};
use serde_json::{Value, json};

use crate::{act, both_engines, moderator, post_as, post_of};

statements! {
    /// Loses the words by which people are found.
    LOSE_WORDS = "delete from feed.profile_word where word <> $1";
    /// Loses everybody.
    LOSE_PROFILES = "delete from feed.profile where handle <> $1";
}

/// Has `service` tell all of its state, `limit` records at a time; returns how many facts were told.
async fn replay(admin: &Client, service: &str, limit: u64) -> u64 {
    let (mut told, mut from) = (0, Value::Null);
    loop {
        let ask = json!({ "service": service, "from": from, "limit": limit });
        let some = admin.post("/api/v1/facts/replay", ask).await.expect(200);
        let count = some["told"].as_u64().unwrap();
        assert!(count <= limit, "{some}");
        told += count;
        from = some["next"].clone();
        if from.is_null() {
            return told;
        }
    }
}

/// The facts of this kind in a service's log.
async fn facts<F: Fact>(house: &Program, service: &str) -> Vec<F> {
    let db = house.db(service);
    let mut tx = db.read().await.unwrap();
    let all = db.outbox().after(&mut tx, Position::default(), 10_000).await.unwrap();
    all.iter().filter_map(|fact| fact.read()).collect()
}

async fn is_found(house: &Program, handle: &str) -> bool {
    let found = house.stranger().get(&format!("/api/v1/search?q={handle}")).await.expect(200);
    found["items"].as_array().unwrap().iter().any(|person| person["handle"] == handle)
}

#[tokio::test(flavor = "multi_thread")]
async fn people_who_were_lost_are_there_again_and_those_suspended_are_so_again() {
    both_engines(async |house| {
        let admin = house.person_as(Role::Admin, "root").await;
        let moderator = moderator(house).await;
        let (ada, eve) = (house.person("ada").await, house.person("eve").await);
        let profile_of_eve = format!("/api/v1/users/{}", eve.id);
        ada.get(&profile_of_eve).await.expect(200);
        act(&moderator, &eve.id, "suspend").await;
        eventually("the core has suspended eve", async || {
            eve.get("/api/v1/me").await.status != 200
        })
        .await;
        let lose = async || {
            let lost = house.db("feed").write::<_, DbError, _>(|tx| {
                Box::pin(async move {
                    tx.execute(&LOSE_WORDS, params![""]).await?;
                    tx.execute(&LOSE_PROFILES, params![""]).await
                })
            });
            lost.await.unwrap();
        };
        for _ in 0..2 {
            eventually("all are known", async || {
                is_found(house, "ada").await && is_found(house, "root").await
            })
            .await;
            lose().await;
            assert!(!is_found(house, "ada").await);
            // One at a time, and all at once.
            for limit in [1, 1_000] {
                assert_eq!(replay(&admin, "core", limit).await, 4);
            }
            eventually("ada is known", async || is_found(house, "ada").await).await;
            eventually("eve is suspended", async || {
                ada.get(&profile_of_eve).await.status == 404 && !is_found(house, "eve").await
            })
            .await;
        }
        let states: Vec<AccountStateV1> = facts(house, "core").await;
        assert_eq!(states.len(), 16);
        for state in states {
            assert_eq!(state.suspended, state.handle == "eve", "{state:?}");
        }
    })
    .await;
}

/// How often somebody is told of something, and how much is counted.
async fn happened(house: &Program, author: &Client) -> (Value, Vec<String>) {
    let unread = author.get("/api/v1/notifications").await.expect(200);
    let said = String::from_utf8(house.stranger().get("/metrics").await.body).unwrap();
    let counted = said.lines().filter(|line| {
        ["feed_posts_total", "feed_comments_total", "feed_views_total"]
            .iter()
            .any(|name| line.starts_with(name))
    });
    (unread, counted.map(str::to_owned).collect())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_is_told_as_it_stands_and_nothing_happens_again() {
    both_engines(async |house| {
        let admin = house.person_as(Role::Admin, "root").await;
        let moderator = moderator(house).await;
        let (ada, bob) = (house.person("ada").await, house.person("bob").await);
        let mut shown = BTreeMap::new();
        for words in ["one #tag", "two", "three"] {
            shown.insert(post_of(&ada, words).await, true);
        }
        let first = shown.keys().next().unwrap().clone();
        let path = format!("/api/v1/posts/{first}");
        bob.put(&format!("{path}/like")).await.expect(200);
        bob.post(&format!("{path}/comments"), json!({ "text": "@ada" })).await.expect(201);
        ada.patch(&path, json!({ "visibility": "followers" })).await.expect(200);
        let hidden = shown.keys().next_back().unwrap().clone();
        act(&moderator, &hidden, "hide").await;
        shown.insert(hidden, false);
        let deleted = post_of(&ada, "deleted").await;
        ada.delete(&format!("/api/v1/posts/{deleted}")).await.expect(204);
        shown.insert(deleted, false);
        let draft = json!({ "caption": "not yet", "draft": true });
        ada.post("/api/v1/posts", draft).await.expect(201);
        eventually("ada is told", async || {
            let told = ada.get("/api/v1/notifications").await.expect(200);
            told["items"].as_array().is_some_and(|lines| lines.len() >= 2)
        })
        .await;

        let before = happened(house, &ada).await;
        let told = replay(&admin, "feed", 2).await;
        let profiles: Vec<ProfileStateV1> = facts(house, "feed").await;
        let posts: Vec<PostStateV1> = facts(house, "feed").await;
        assert_eq!(told, (profiles.len() + posts.len()) as u64, "each is told once");
        assert!(profiles.iter().any(|state| state.user.to_string() == ada.id && !state.suspended));
        let stand: BTreeMap<String, bool> =
            posts.iter().map(|state| (state.post.to_string(), state.shown)).collect();
        assert_eq!(stand, shown);
        let state = posts.iter().find(|state| state.post.to_string() == first).unwrap();
        let view = ada.get(&path).await.expect(200);
        assert_eq!(json!(state.visibility), view["visibility"]);
        assert_eq!(json!(state.version), view["version"]);
        assert_eq!(json!(state.hashtags), view["hashtags"]);
        assert_eq!((state.like_count, state.comment_count, state.view_count), (1, 1, 0));

        assert_eq!(replay(&admin, "feed", 1_000).await, told, "a repeat tells the same");
        // A like behind all that: once it is told, what came before it was taken.
        bob.put(&format!("/api/v1/posts/{}/like", stand.keys().nth(1).unwrap())).await.expect(200);
        assert_eq!(post_as(&ada, stand.keys().nth(1).unwrap()).await["like_count"], 1);
        eventually("ada is told of the second like", async || {
            happened(house, &ada).await.0["items"].as_array().unwrap().len()
                > before.0["items"].as_array().unwrap().len()
        })
        .await;
        let after = happened(house, &ada).await;
        let lines = |told: &Value| told["items"].as_array().unwrap().clone();
        assert_eq!(lines(&after.0)[1..], lines(&before.0)[..], "nobody is told again");
        assert_eq!(after.1, before.1, "nothing is counted again");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_follows_whom_is_told_when_it_changes_and_again_with_versions_that_only_rise() {
    both_engines(async |house| {
        let admin = house.person_as(Role::Admin, "root").await;
        let (ada, bob, eve) =
            (house.person("ada").await, house.person("bob").await, house.person("eve").await);
        let follow =
            |who: &Client, whom: &Client| who.put(&format!("/api/v1/users/{}/follow", whom.id));
        eve.patch("/api/v1/profile", json!({ "private": true })).await.expect(200);
        follow(&ada, &bob).await.expect(200);
        follow(&ada, &bob).await.expect(200);
        follow(&bob, &ada).await.expect(200);
        follow(&ada, &eve).await.expect(200);
        ada.delete(&format!("/api/v1/users/{}/follow", bob.id)).await.expect(200);
        follow(&ada, &bob).await.expect(200);
        eve.put(&format!("/api/v1/users/{}/block", ada.id)).await.expect(200);
        let told: Vec<FollowStateV1> = facts(house, "feed").await;
        let pair = |one: &FollowStateV1| (one.user.to_string(), one.target.to_string());
        let of = |who: &Client, whom: &Client| (who.id.clone(), whom.id.clone());
        let said: Vec<_> = told.iter().map(|one| (pair(one), one.follows)).collect();
        let expected = [
            (of(&ada, &bob), true),
            (of(&bob, &ada), true),
            (of(&ada, &bob), false),
            (of(&ada, &bob), true),
        ];
        assert_eq!(said, expected, "a request is no follow");
        assert!(told.is_sorted_by(|one, other| one.version < other.version), "{told:?}");
        for limit in [1, 1_000] {
            let before = facts::<FollowStateV1>(house, "feed").await.len();
            replay(&admin, "feed", limit).await;
            let again = facts::<FollowStateV1>(house, "feed").await.split_off(before);
            assert_eq!(again, [told[1].clone(), told[3].clone()], "as they stand");
        }
    })
    .await;
}

#[tokio::test]
async fn what_cannot_be_told_is_refused_with_what_can() {
    both_engines(async |house| {
        let admin = house.person_as(Role::Admin, "root").await;
        let ada = house.person("ada").await;
        let ask = |who: &Client, what: Value| who.post("/api/v1/facts/replay", what);
        ask(&ada, json!({ "service": "core" })).await.expect_problem(403, "forbidden");
        let place = |of: &str, after: &str| json!({ "of": of, "after": after });
        for (what, pointer) in [
            (json!({ "service": "nothing" }), "/service"),
            (json!({ "service": "core", "limit": 0 }), "/limit"),
            (json!({ "service": "core", "limit": 1_001 }), "/limit"),
            (json!({ "service": "core", "from": place("posts", "0") }), "/from"),
            (json!({ "service": "core", "from": place("accounts", "last") }), "/from"),
        ] {
            let problem = ask(&admin, what.clone()).await.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], pointer, "{what}");
        }
        let named = ask(&admin, json!({ "service": "nothing" })).await;
        let problem = named.expect_problem(422, "invalid");
        assert!(problem["errors"][0]["detail"].as_str().unwrap().contains("there are core, feed"));
        assert!(facts::<AccountStateV1>(house, "core").await.is_empty());
    })
    .await;
}
