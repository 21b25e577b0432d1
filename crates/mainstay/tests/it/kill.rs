//! `kill -9` of the program, and of Postgres below it, while 64 people write: whatever was acknowledged is there
//! afterwards, and every counter equals its rows.
//!
//! A round begins with the check of the one before, on the records that it left. CI runs a tenth of the rounds;
//! `cargo xtask soak kill` runs all of them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use futures_util::{StreamExt as _, future::join_all, stream};
use mainstay_testkit::{
    Dice, Postgres,
    program::{Client, eventually, id_of},
    soak,
};
use serde_json::{Value, json};

use crate::program::{Place, Serving};

const WRITERS: usize = 64;
const HOT_POSTS: usize = 4;

/// What every program here is started with; it logs into its folder and not over the outcome of the test.
pub(crate) fn flags(place: &Place) -> String {
    let log = place.path().join("mainstay.log");
    format!(
        "--set limit.enabled=false --set auth.access_token_s=86400 --set log.file={}",
        log.display()
    )
}

/// One person who writes, and what they were told.
struct Writer {
    client: Client,
    dice: Dice,
    /// Whether they like each hot post; none while they cannot know.
    likes: BTreeMap<String, Option<bool>>,
    /// Posts and comments that were acknowledged, with their words.
    posts: BTreeMap<String, String>,
    comments: BTreeSet<String>,
    /// What all of them were told in this round.
    acknowledged: Arc<AtomicUsize>,
}

impl Writer {
    /// Writes until the program, or the database below it, is gone.
    async fn write(&mut self, hot: &[String]) {
        loop {
            let post = self.dice.pick(hot).unwrap().clone();
            let path = format!("/api/v1/posts/{post}");
            let answered = match self.dice.below(10) {
                0..=5 => self.like(&post, &path).await,
                6..=7 => {
                    let comment = json!({ "text": "I was here" });
                    let request = self.client.post(&format!("{path}/comments"), comment);
                    let answer = request.attempt().await;
                    answered(answer, 201).map(|comment| {
                        self.comments.insert(id_of(&comment).to_owned());
                    })
                }
                _ => {
                    let words = format!("{} {}", self.client.handle, self.dice.below(1 << 30));
                    let request = self.client.post("/api/v1/posts", json!({ "caption": words }));
                    answered(request.attempt().await, 201).map(|post| {
                        self.posts.insert(id_of(&post).to_owned(), words);
                    })
                }
            };
            if answered.is_none() {
                return;
            }
            self.acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }

    async fn like(&mut self, post: &str, path: &str) -> Option<()> {
        let likes = self.dice.once_in(2);
        self.likes.insert(post.to_owned(), None);
        let path = format!("{path}/like");
        let request = if likes { self.client.put(&path) } else { self.client.delete(&path) };
        let answer = answered(request.attempt().await, 200)?;
        assert_eq!(answer["liked_by_me"], likes);
        self.likes.insert(post.to_owned(), Some(likes));
        Some(())
    }

    /// Compares what they were told with what is there, and learns what they could not know.
    async fn check(&mut self, hot: &[String]) {
        for post in hot {
            let path = format!("/api/v1/posts/{post}");
            let shown = self.client.get(&path).await.expect(200);
            let liked = shown["liked_by_me"].as_bool().unwrap();
            let told = self.likes.insert(post.clone(), Some(liked)).flatten();
            assert!(told.is_none_or(|told| told == liked), "{}: {post}", self.client.handle);
        }
        for (post, words) in std::mem::take(&mut self.posts) {
            let shown = self.client.get(&format!("/api/v1/posts/{post}")).await.expect(200);
            assert_eq!(shown["caption"], words);
        }
    }
}

/// The body of an answer with this status. Anything else means that the end has come: the connection broke, or the
/// database is gone and whether it was written is not known.
fn answered<E>(answer: Result<mainstay_testkit::program::Answer, E>, status: u16) -> Option<Value> {
    let answer = answer.ok()?;
    match answer.status {
        503 => None,
        _ => Some(answer.expect(status)),
    }
}

/// The writers and what they write about, across restarts.
struct Village {
    writers: Vec<Writer>,
    hot: Vec<String>,
    dice: Dice,
    acknowledged: Arc<AtomicUsize>,
}

impl Village {
    async fn found(address: SocketAddr, seed: u64) -> Self {
        let stranger = Client::stranger_at(address);
        let register = async |n: usize| {
            let new = json!({
                "handle": format!("writer{n}"), "email": format!("writer{n}@example.org"),
                "password": "correct horse battery",
            });
            let answer = stranger.post("/api/v1/auth/register", new).await;
            stranger.clone().signed_in(&answer.expect(201))
        };
        let clients: Vec<Client> =
            stream::iter((0..WRITERS).map(register)).buffered(8).collect().await;
        let mut hot = Vec::new();
        for client in clients.iter().take(HOT_POSTS) {
            let post = client.post("/api/v1/posts", json!({ "caption": "hot" })).await.expect(201);
            hot.push(id_of(&post).to_owned());
        }
        let acknowledged = Arc::<AtomicUsize>::default();
        let writers = clients.into_iter().zip(1..).map(|(client, n)| Writer {
            client,
            dice: Dice::of(seed.wrapping_mul(1_000).wrapping_add(n)),
            likes: BTreeMap::new(),
            posts: BTreeMap::new(),
            comments: BTreeSet::new(),
            acknowledged: acknowledged.clone(),
        });
        let writers = writers.collect();
        Self { writers, hot, dice: Dice::of(seed), acknowledged }
    }

    /// All write until `kill`, in the middle of their work, after as many acknowledged writes as the seed decides.
    async fn write_until(&mut self, address: SocketAddr, kill: impl FnOnce()) {
        let (hot, acknowledged) = (&self.hot, &self.acknowledged);
        acknowledged.store(0, Ordering::Relaxed);
        for writer in &mut self.writers {
            writer.client = writer.client.moved_to(address);
        }
        let enough = 20 + self.dice.below(200);
        let writing = join_all(self.writers.iter_mut().map(|writer| writer.write(hot)));
        let killing = async {
            eventually("the kill", async || acknowledged.load(Ordering::Relaxed) >= enough).await;
            kill();
        };
        tokio::join!(writing, killing);
    }

    /// Everything that was acknowledged is there, and every counter equals its rows.
    async fn check(&mut self, address: SocketAddr) {
        let hot = &self.hot;
        for writer in &mut self.writers {
            writer.client = writer.client.moved_to(address);
        }
        join_all(self.writers.iter_mut().map(|writer| writer.check(hot))).await;
        for post in hot {
            let path = format!("/api/v1/posts/{post}");
            let shown = self.writers[0].client.get(&path).await.expect(200);
            let likes = self.writers.iter().filter(|w| w.likes[post] == Some(true)).count();
            assert_eq!(shown["like_count"], likes, "likes of {post}");
            let comments = self.comments_of(&path).await;
            assert_eq!(shown["comment_count"], comments.len(), "comments of {post}");
            for writer in &mut self.writers {
                writer.comments.retain(|comment| !comments.contains(comment));
            }
        }
        for writer in &mut self.writers {
            let lost = std::mem::take(&mut writer.comments);
            assert!(lost.is_empty(), "{}: {lost:?}", writer.client.handle);
        }
    }

    async fn comments_of(&self, path: &str) -> BTreeSet<String> {
        let (mut all, mut cursor) = (BTreeSet::new(), String::new());
        loop {
            let path = format!("{path}/comments?limit=100{cursor}");
            let page = self.writers[0].client.get(&path).await.expect(200);
            let ids = page["items"].as_array().unwrap().iter().map(|item| id_of(item).to_owned());
            all.extend(ids);
            match page["next_cursor"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => return all,
            }
        }
    }
}

pub(crate) fn address(serving: &Serving) -> SocketAddr {
    serving.address().parse().unwrap()
}

/// Kills the program again and again on one set of records.
async fn kill_the_program(place: &Place, flags: &str, rounds: u64, seed: u64) {
    let mut serving = place.serve_with(flags);
    let mut village = Village::found(address(&serving), seed).await;
    for _ in 0..rounds {
        village.write_until(address(&serving), || serving.kill()).await;
        serving = place.serve_with(flags);
        village.check(address(&serving)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_program_on_sqlite_loses_nothing_that_was_acknowledged() {
    let (rounds, seed) = (soak::rounds(10), soak::seed(1));
    let place = Place::new();
    kill_the_program(&place, &flags(&place), rounds, seed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_the_program_on_postgres_loses_nothing_that_was_acknowledged() {
    let (rounds, seed) = (soak::rounds(3), soak::seed(1));
    let postgres = Postgres::durable().unwrap();
    let url = postgres.create_database().await.unwrap();
    let place = Place::new();
    let flags = format!("{} --set db.url={url}", flags(&place));
    kill_the_program(&place, &flags, rounds, seed).await;
}

/// The program stays and finds its database again by itself.
#[tokio::test(flavor = "multi_thread")]
async fn kill_9_of_postgres_loses_nothing_that_was_acknowledged() {
    let (rounds, seed) = (soak::rounds(3), soak::seed(1));
    let mut postgres = Postgres::durable().unwrap();
    let url = postgres.create_database().await.unwrap();
    let place = Place::new();
    let serving = place.serve_with(&format!("{} --set db.url={url}", flags(&place)));
    let at = address(&serving);
    let mut village = Village::found(at, seed).await;
    for _ in 0..rounds {
        village.write_until(at, || postgres.kill9().unwrap()).await;
        postgres.restart().unwrap();
        let reader = village.writers[0].client.clone();
        let path = format!("/api/v1/posts/{}", village.hot[0]);
        eventually("the database is found again", async || {
            reader.get(&path).attempt().await.is_ok_and(|answer| answer.status == 200)
        })
        .await;
        village.check(at).await;
    }
}
