//! Live topics of Feed: who may listen, for how long, and in which order counts come.

use futures_util::future::join_all;
use mainstay_testkit::program::{Client, Listener, Program, eventually};
use serde_json::{Value, json};

use crate::{act, both_engines, moderator, post_of};

/// The next message that is a count or says that a post is gone.
async fn next(listener: &mut Listener) -> (String, String) {
    loop {
        let message = listener.next().await;
        let kind = message["type"].as_str().unwrap_or_default().to_owned();
        if ["counts", "gone"].contains(&&*kind) {
            return (kind, message["topic"].as_str().unwrap_or_default().to_owned());
        }
    }
}

async fn like(fan: &Client, post: &str) {
    fan.put(&format!("/api/v1/posts/{post}/like")).await.expect(200);
}

async fn unlike(fan: &Client, post: &str) {
    fan.delete(&format!("/api/v1/posts/{post}/like")).await.expect(200);
}

/// A post of Ada's that Bea watches beside one of Carl's, which says where the stream has come to.
struct Watched<'a> {
    house: &'a Program,
    ada: Client,
    bea: Client,
    carl: Client,
    post: String,
    mark: String,
    stream: Listener,
}

impl<'a> Watched<'a> {
    async fn begin(house: &'a Program, name: &str, visibility: &str) -> Self {
        let person = async |who: &str| house.person(&format!("{who}_{name}")).await;
        let (ada, bea, carl) = (person("ada").await, person("bea").await, person("carl").await);
        bea.put(&format!("/api/v1/users/{}/follow", ada.id)).await.expect(200);
        let new = json!({ "caption": "watch", "visibility": visibility });
        let post =
            ada.post("/api/v1/posts", new).await.expect(201)["id"].as_str().unwrap().to_owned();
        let mark = post_of(&carl, "mark").await;
        let stream = bea.listen(&format!("post:{post},post:{mark}")).await;
        let mut watched = Self { house, ada, bea, carl, post, mark, stream };
        assert!(watched.hears().await, "{name}: at first it is heard");
        watched
    }

    /// Whether Bea hears of a like of the post.
    async fn hears(&mut self) -> bool {
        for toggle in [true, false] {
            match toggle {
                true => like(&self.ada, &self.post).await,
                false => unlike(&self.ada, &self.post).await,
            }
        }
        like(&self.carl, &self.mark).await;
        unlike(&self.carl, &self.mark).await;
        let (post, mark) = (format!("post:{}", self.post), format!("post:{}", self.mark));
        let (mut heard, mut marks) = (false, 0);
        while marks < 2 {
            let (kind, topic) = next(&mut self.stream).await;
            marks += usize::from(topic == mark);
            heard |= kind == "counts" && topic == post;
        }
        heard
    }
}

#[tokio::test]
async fn who_may_not_see_a_post_any_more_hears_nothing_of_it() {
    both_engines(async |house| {
        let mut watched = Watched::begin(house, "blocked", "public").await;
        let block = format!("/api/v1/users/{}/block", watched.bea.id);
        watched.ada.put(&block).await.expect(200);
        assert!(!watched.hears().await, "blocked by the author");
        watched.ada.delete(&block).await.expect(200);
        assert!(watched.hears().await, "and unblocked");

        let mut watched = Watched::begin(house, "blocks", "public").await;
        watched.bea.put(&format!("/api/v1/users/{}/block", watched.ada.id)).await.expect(200);
        assert!(!watched.hears().await, "who blocks the author");

        let mut watched = Watched::begin(house, "unfollows", "followers").await;
        let follow = format!("/api/v1/users/{}/follow", watched.ada.id);
        watched.bea.delete(&follow).await.expect(200);
        assert!(!watched.hears().await, "follows no more");
        watched.bea.put(&follow).await.expect(200);
        assert!(watched.hears().await, "and again");

        let mut watched = Watched::begin(house, "narrowed", "public").await;
        let path = format!("/api/v1/posts/{}", watched.post);
        watched.ada.patch(&path, json!({ "visibility": "private" })).await.expect(200);
        assert!(!watched.hears().await, "the post became private");

        let mut watched = Watched::begin(house, "closed", "public").await;
        watched.bea.delete(&format!("/api/v1/users/{}/follow", watched.ada.id)).await.expect(200);
        assert!(watched.hears().await, "a public post needs no following");
        watched.ada.patch("/api/v1/profile", json!({ "private": true })).await.expect(200);
        assert!(!watched.hears().await, "the account became private");
    })
    .await;
}

#[tokio::test]
async fn who_watches_a_post_learns_that_it_is_gone_and_nothing_after() {
    both_engines(async |house| {
        let judge = moderator(house).await;
        let mut watched = Watched::begin(house, "hidden", "public").await;
        act(&judge, &watched.post, "hide").await;
        assert_eq!(
            next(&mut watched.stream).await,
            ("gone".into(), format!("post:{}", watched.post))
        );
        assert!(!watched.hears().await, "hidden");
        act(&judge, &watched.post, "restore").await;
        assert!(watched.hears().await, "and restored");
        let stranger = watched.house.stranger();
        stranger.get(&format!("/api/v1/posts/{}", watched.post)).await.expect(200);
    })
    .await;
}

#[tokio::test]
async fn nothing_of_a_suspended_author_is_said_to_be_published() {
    crate::both_engines_held(async |house| {
        let judge = moderator(house).await;
        let (ada, carl) = (house.person("ada").await, house.person("carl").await);
        let bea = house.person("bea").await;
        for author in [&ada, &carl] {
            bea.put(&format!("/api/v1/users/{}/follow", author.id)).await.expect(200);
        }
        let at = house.clock().now().plus_s(60);
        let new = json!({ "caption": "later", "publish_at": at });
        let later = ada.post("/api/v1/posts", new).await.expect(201);
        let mut home = bea.listen("home").await;
        act(&judge, &ada.id, "suspend").await;
        house.clock().advance_s(120);
        house.work("feed.publish_due").await;
        let mark = post_of(&carl, "mark").await;
        let published = async |home: &mut Listener| loop {
            let message = home.next().await;
            if message["type"] == "post_published" {
                return message["data"]["post_id"].clone();
            }
        };
        assert_eq!(published(&mut home).await, json!(mark), "the other one waits");
        act(&judge, &ada.id, "unsuspend").await;
        let path = format!("/api/v1/posts/{}", later["id"].as_str().unwrap());
        eventually("the suspension is lifted", async || {
            house.work("feed.publish_due").await;
            house.stranger().get(&path).await.status == 200
        })
        .await;
        assert_eq!(published(&mut home).await, later["id"]);
    })
    .await;
}

#[tokio::test]
async fn counts_never_go_back_while_many_like_at_once() {
    both_engines(async |house| {
        let (ada, bea) = (house.person("ada").await, house.person("bea").await);
        let fans = house.people("fan", 40).await;
        let (post, mark) = (post_of(&ada, "liked").await, post_of(&ada, "mark").await);
        let mut stream = bea.listen(&format!("post:{post},post:{mark}")).await;
        join_all(fans.iter().map(|fan| like(fan, &post))).await;
        like(&ada, &mark).await;
        let mut counts: Vec<Value> = Vec::new();
        loop {
            let message = stream.next().await;
            if message["topic"] == format!("post:{mark}") && message["type"] == "counts" {
                break;
            }
            if message["type"] == "counts" {
                counts.push(message["data"]["like_count"].clone());
            }
        }
        let counts: Vec<i64> = counts.iter().map(|count| count.as_i64().unwrap()).collect();
        assert!(counts.is_sorted(), "{counts:?}");
        assert_eq!(counts.last(), Some(&40), "the last one is how it stands");
    })
    .await;
}
