//! Across services: a like in Feed moves its author on the creators' board, within a second and once, also when the
//! program is killed in between.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use mainstay_testkit::{
    Dice, Postgres,
    program::{Client, eventually, id_of},
};
use serde_json::json;

use crate::program::{Place, Serving};

const LIKERS: usize = 8;
const KILLS: usize = 4;

fn flags(place: &Place) -> String {
    let log = place.path().join("mainstay.log");
    format!(
        "--set limit.enabled=false --set auth.access_token_s=86400 --set boards.creators=true --set log.file={}",
        log.display()
    )
}

async fn register(serving: &Serving, handle: &str) -> Client {
    let stranger = Client::stranger_at(serving.address().parse().unwrap());
    let new = json!({
        "handle": handle, "email": format!("{handle}@example.org"), "password": "correct horse battery",
    });
    let answer = stranger.post("/api/v1/auth/register", new).await;
    stranger.signed_in(&answer.expect(201))
}

/// The author's points; 0 without an entry.
async fn points(reader: &Client, author: &str) -> i64 {
    let path = format!("/api/v1/boards/creators/entries/{author}");
    let answer = reader.get(&path).await;
    match answer.status {
        404 => 0,
        _ => answer.expect(200)["scores"][0].as_i64().unwrap(),
    }
}

/// Likes and takes likes back until the program is gone.
async fn like_until_the_end(liker: &Client, post: &str, mut dice: Dice) {
    let path = format!("/api/v1/posts/{post}/like");
    loop {
        let likes = dice.once_in(2);
        let request = if likes { liker.put(&path) } else { liker.delete(&path) };
        if request.attempt().await.is_err() {
            return;
        }
    }
}

async fn a_like_moves_its_author(place: &Place, flags: &str) {
    let mut serving = place.serve_with(flags);
    let author = register(&serving, "author").await;
    let mut likers = Vec::new();
    for n in 0..LIKERS {
        likers.push(register(&serving, &format!("liker{n}")).await);
    }
    let post = author.post("/api/v1/posts", json!({ "caption": "like me" })).await.expect(201);
    let (post, author_id) = (id_of(&post).to_owned(), author.id.clone());
    let like = format!("/api/v1/posts/{post}/like");
    let other = register(&serving, "other").await;
    let other_post = other.post("/api/v1/posts", json!({ "caption": "me too" })).await.expect(201);
    let other_post = id_of(&other_post).to_owned();
    author.put(&like).await.expect(200);
    for (liker, expected) in likers.iter().zip(1..) {
        liker.put(&like).await.expect(200);
        let began = Instant::now();
        // The board is read as by somebody who knows of no like.
        eventually("the author moves", async || points(&author, &author_id).await == expected)
            .await;
        let took = began.elapsed();
        assert!(took < Duration::from_secs(1), "it took {took:?}");
    }
    let mut dice = Dice::of(7);
    for kill in 0..KILLS {
        let after = Duration::from_millis(20 + dice.below(150) as u64);
        let all = likers.iter().zip(0..);
        let writing = all.map(|(liker, n)| {
            let dice = Dice::of((kill * LIKERS + n) as u64 + 1);
            like_until_the_end(liker, &post, dice)
        });
        let killing = async {
            let mut clock = tokio::time::interval(after);
            clock.tick().await;
            clock.tick().await;
            serving.kill();
        };
        tokio::join!(join_all(writing), killing);
        serving = place.serve_with(flags);
        let address = serving.address().parse().unwrap();
        for liker in &mut likers {
            *liker = liker.moved_to(address);
        }
        // Whoever takes a like back, gives it and then reads sees everything up to it.
        let last = likers.first().unwrap();
        last.delete(&like).await.expect(200);
        let liked = last.put(&like).await.expect(200);
        let shown = last.get(&format!("/api/v1/posts/{post}")).await.expect(200);
        assert_eq!(liked["like_count"], shown["like_count"]);
        // Facts are taken in their order: with this one, all before it are.
        let marker = register(&serving, &format!("marker{kill}")).await;
        marker.put(&format!("/api/v1/posts/{other_post}/like")).await.expect(200);
        let marked = kill as i64 + 1;
        eventually("all is taken", async || points(last, &other.id).await == marked).await;
        // All likes but the author's own count, each once.
        let expected = shown["like_count"].as_i64().unwrap() - 1;
        assert_eq!(points(last, &author_id).await, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_like_moves_its_author_once_whatever_is_killed_on_sqlite() {
    let place = Place::new();
    a_like_moves_its_author(&place, &flags(&place)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_like_moves_its_author_once_whatever_is_killed_on_postgres() {
    let postgres = Postgres::durable().unwrap();
    let url = postgres.create_database().await.unwrap();
    let place = Place::new();
    let flags = format!("{} --set db.url={url}", flags(&place));
    a_like_moves_its_author(&place, &flags).await;
}
