//! Live updates over both transports: what was missed comes after a reconnect, and what one may not see does not.

use mainstay_testkit::program::{Client, Engine, Listener, Program, Transport, eventually};
use serde_json::{Value, json};

use crate::{both_engines, feed, held::Held, post_of};

const TRANSPORTS: [Transport; 2] = [Transport::WebSocket, Transport::EventStream];

/// What a message says, without its id: the topic, the type, and the datum that changes.
fn said(message: &Value) -> (String, String, Value) {
    let text = |name: &str| message[name].as_str().unwrap_or_default().to_owned();
    let data = &message["data"];
    let data = ["post_id", "like_count", "unread_count"].map(|name| data[name].clone());
    let [post, likes, unread] = data;
    let datum = if !likes.is_null() {
        likes
    } else if !unread.is_null() {
        unread
    } else {
        post
    };
    (text("topic"), text("type"), datum)
}

/// The next `count` messages that tell of something.
async fn told(listener: &mut Listener, count: usize) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    while all.len() < count {
        let message = listener.next().await;
        if message["type"] != "subscribed" {
            all.push(said(&message));
        }
    }
    all
}

async fn like(fan: &Client, post: &str) {
    fan.put(&format!("/api/v1/posts/{post}/like")).await.expect(200);
}

async fn unlike(fan: &Client, post: &str) {
    fan.delete(&format!("/api/v1/posts/{post}/like")).await.expect(200);
}

async fn follow(fan: &Client, whom: &Client) {
    fan.put(&format!("/api/v1/users/{}/follow", whom.id)).await.expect(200);
}

/// Waits until `reader` has so many unread notifications: they are written a moment after what they tell of.
async fn unread(reader: &Client, count: i64) {
    eventually("the notifications are there", async || {
        let page = reader.get("/api/v1/notifications").await.expect(200);
        page["unread_count"] == count
    })
    .await;
}

#[tokio::test]
async fn a_reader_who_comes_back_gets_what_was_missed_once_and_in_order() {
    both_engines(async |house| {
        for (n, transport) in TRANSPORTS.into_iter().enumerate() {
            let person = async |name: &str| house.person(&format!("{name}{n}")).await;
            let (ada, bob) = (person("ada").await, person("bob").await);
            let (carl, dora) = (person("carl").await, person("dora").await);
            follow(&bob, &ada).await;
            let post = post_of(&bob, "watched").await;
            let watched = format!("post:{post}");
            let topics = format!("home,{watched},notifications");
            let home = |post: String| ("home".to_owned(), "post_published".to_owned(), json!(post));
            let likes = |count: i64| (watched.clone(), "counts".to_owned(), json!(count));
            let news = |count: i64| ("notifications".to_owned(), "unread".to_owned(), json!(count));

            let mut listener = bob.listen_on(transport, &topics, "").await;
            let first = post_of(&ada, "first").await;
            assert_eq!(told(&mut listener, 1).await, [home(first)]);
            like(&carl, &post).await;
            unread(&bob, 1).await;
            assert_eq!(told(&mut listener, 2).await, [likes(1), news(1)]);
            let after = listener.last_id().to_owned();
            drop(listener);

            let mut missed = vec![home(post_of(&ada, "second").await)];
            unlike(&carl, &post).await;
            unread(&bob, 0).await;
            missed.extend([likes(0), news(0)]);
            // Somebody else's home and post are not ours.
            post_of(&dora, "not followed").await;
            missed.push(home(post_of(&ada, "third").await));
            follow(&dora, &bob).await;
            unread(&bob, 1).await;
            missed.push(news(1));

            let mut listener = bob.listen_on(transport, &topics, &after).await;
            assert_eq!(told(&mut listener, missed.len()).await, missed, "{transport:?}");
            let fourth = post_of(&ada, "fourth").await;
            assert_eq!(told(&mut listener, 1).await, [home(fourth)]);
            // From the middle of what was missed on: the same tail again, and nothing of before.
            let mut again = bob.listen_on(transport, &topics, &after).await;
            assert_eq!(told(&mut again, 2).await, missed[..2]);
            let middle = again.last_id().to_owned();
            let mut again = bob.listen_on(transport, &topics, &middle).await;
            assert_eq!(told(&mut again, missed.len() - 2).await, missed[2..]);
        }
    })
    .await;
}

/// What a program had in memory goes with it: whoever missed something then loads anew.
#[tokio::test]
async fn an_id_that_is_too_old_is_answered_with_a_reset() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = feed().start(engine).await;
        let ada = house.person("ada").await;
        let post = post_of(&ada, "watched").await;
        let topic = format!("post:{post}");
        let mut ids = Vec::new();
        for transport in TRANSPORTS {
            let mut listener = ada.listen_on(transport, &topic, "").await;
            like(&ada, &post).await;
            told(&mut listener, 1).await;
            ids.push(listener.last_id().to_owned());
            unlike(&ada, &post).await;
        }
        let house = house.reopen(&feed()).await;
        let ada = ada.at(&house);
        for (transport, after) in TRANSPORTS.into_iter().zip(&ids) {
            let mut listener = ada.listen_on(transport, &topic, after).await;
            let reset = (topic.clone(), "reset".to_owned(), Value::Null);
            assert_eq!(told(&mut listener, 1).await, [reset], "{transport:?}");
            // It goes on from there.
            like(&ada, &post).await;
            assert_eq!(told(&mut listener, 1).await[0].2, 1);
            unlike(&ada, &post).await;
        }
        house.end().await;
    }
}

/// On Postgres an older transaction of anybody, in any database of the server, holds back what a log counts as settled:
/// a program that starts meanwhile must not take for known what happened before it could tell.
#[tokio::test]
async fn a_program_that_starts_beside_an_open_transaction_resets_whoever_missed_something() {
    let house = feed().start(Engine::Postgres).await;
    let ada = house.person("ada").await;
    let post = post_of(&ada, "watched").await;
    let topic = format!("post:{post}");
    let mut listener = ada.listen_on(Transport::WebSocket, &topic, "").await;
    listener.next().await;
    let after = listener.last_id().to_owned();
    drop(listener);
    let held = Held::on(&house, "core").await;
    like(&ada, &post).await;
    let twin = house.twin().await;
    let mut listener = ada.at(&twin).listen_on(Transport::WebSocket, &topic, &after).await;
    assert_eq!(told(&mut listener, 1).await, [(topic, "reset".to_owned(), Value::Null)]);
    held.end().await;
    drop(listener);
    twin.end().await;
    house.end().await;
}

#[tokio::test]
async fn a_topic_that_one_may_not_see_is_refused() {
    both_engines(async |house| {
        let (ada, bob) = (house.person("ada").await, house.person("bob").await);
        let secret = json!({ "caption": "mine", "visibility": "private" });
        let secret = ada.post("/api/v1/posts", secret).await.expect(201);
        let secret = format!("post:{}", secret["id"].as_str().unwrap());
        let open = format!("post:{}", post_of(&ada, "for all").await);
        for (reader, topic, code) in [
            (&bob, &*secret, "not_found"),
            (&bob, "post:nothing", "not_found"),
            (&bob, "boards", "not_found"),
            (&house.stranger(), "home", "unauthenticated"),
            (&house.stranger(), "notifications", "unauthenticated"),
        ] {
            let mut listener = reader.listen_on(Transport::WebSocket, topic, "").await;
            let refused = listener.next().await;
            assert_eq!((&refused["topic"], &refused["type"]), (&json!(topic), &json!("refused")));
            assert_eq!(refused["data"]["code"], code, "{refused}");
            let stream = reader.get(&format!("/api/v1/live/sse?topics={topic}")).await;
            assert_eq!(stream.json()["code"], code);
            // Beside one that is allowed, the stream begins and says so.
            let both = format!("{topic},{open}");
            let refused = reader.listen_on(Transport::EventStream, &both, "").await.next().await;
            assert_eq!((&refused["topic"], &refused["type"]), (&json!(topic), &json!("refused")));
        }
        let mut own = ada.listen_on(Transport::WebSocket, &secret, "").await;
        assert_eq!(own.next().await["type"], "subscribed");
    })
    .await;
}

/// A reader of a post and of home, from whom something is taken away while they listen.
struct Watching {
    ada: Client,
    bob: Client,
    sentinel: Client,
    post: String,
    listeners: Vec<Listener>,
}

impl Watching {
    /// Bob follows Ada and watches a post of hers; the sentinel is somebody whom he follows as well.
    async fn begin(house: &Program, name: &str, visibility: &str) -> Self {
        let person = async |who: &str| house.person(&format!("{who}_{name}")).await;
        let (ada, bob, sentinel) = (person("ada").await, person("bob").await, person("sen").await);
        follow(&bob, &ada).await;
        follow(&bob, &sentinel).await;
        let new = json!({ "caption": "watched", "visibility": visibility });
        let post = ada.post("/api/v1/posts", new).await.expect(201);
        let post = post["id"].as_str().unwrap().to_owned();
        let mut listeners = Vec::new();
        for transport in TRANSPORTS {
            let topics = format!("home,post:{post}");
            listeners.push(bob.listen_on(transport, &topics, "").await);
        }
        like(&ada, &post).await;
        for listener in &mut listeners {
            assert_eq!(told(listener, 1).await[0].2, 1);
        }
        Self { ada, bob, sentinel, post, listeners }
    }

    /// Ada goes on; the next that Bob hears of is what the sentinel does afterwards.
    async fn assert_nothing_more_of(mut self, what: &str) {
        unlike(&self.ada, &self.post).await;
        post_of(&self.ada, "not for bob").await;
        let sentinel = post_of(&self.sentinel, "for bob").await;
        for listener in &mut self.listeners {
            let next = told(listener, 1).await;
            assert_eq!(next[0].2, json!(sentinel), "after {what}: {next:?}");
        }
    }
}

#[tokio::test]
async fn whoever_may_no_longer_see_something_hears_no_more_of_it() {
    both_engines(async |house| {
        let watching = Watching::begin(house, "blocked", "public").await;
        let block = format!("/api/v1/users/{}/block", watching.bob.id);
        watching.ada.put(&block).await.expect(200);
        watching.assert_nothing_more_of("a block by the author").await;

        let watching = Watching::begin(house, "blocks", "public").await;
        let block = format!("/api/v1/users/{}/block", watching.ada.id);
        watching.bob.put(&block).await.expect(200);
        watching.assert_nothing_more_of("a block by the reader").await;

        let watching = Watching::begin(house, "unfollows", "followers").await;
        let follow = format!("/api/v1/users/{}/follow", watching.ada.id);
        watching.bob.delete(&follow).await.expect(200);
        watching.assert_nothing_more_of("an end of following").await;
    })
    .await;
}
