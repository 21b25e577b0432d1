//! `mainstay demo`: it fills itself, is served, and leaves nothing behind.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::PathBuf,
    process::{Command, Stdio},
};

use mainstay_testkit::program::eventually;
use serde_json::{Value, json};

use crate::program::{Place, Serving};

const SMALL: &str = "demo --listen 127.0.0.1:0 --json --size people=6,posts=12";

/// What the demo said when it was ready.
fn said(serving: &Serving) -> Value {
    serde_json::from_str(&serving.ready).unwrap()
}

fn folder(said: &Value) -> PathBuf {
    PathBuf::from(said["data"].as_str().unwrap())
}

/// Signs in as `handle` with the password that was said.
fn status_of_sign_in(serving: &Serving, said: &Value, handle: &str) -> String {
    let login = json!({ "login": handle, "password": said["password"] });
    let answer = serving.post("/api/v1/auth/login", &login);
    answer.lines().next().unwrap_or_default().to_owned()
}

#[test]
fn it_shows_posts_with_pictures_and_lets_four_people_sign_in() {
    let place = Place::new();
    let serving = place.start(SMALL);
    let said = said(&serving);
    let explore = serving.get_json("/api/v1/timelines/explore?limit=100");
    let posts = explore["items"].as_array().unwrap();
    assert!(posts.len() >= 9, "private accounts aside, all posts are there: {explore}");
    let pictures: Vec<&str> = posts
        .iter()
        .flat_map(|post| post["media"].as_array().unwrap())
        .map(|media| media["url"].as_str().unwrap())
        .collect();
    assert!(!pictures.is_empty());
    for url in pictures {
        let head = serving.head_of(url);
        assert!(head.starts_with("HTTP/1.1 200"), "{url}: {head}");
        assert!(head.to_ascii_lowercase().contains("content-type: image/jpeg"), "{url}: {head}");
    }
    for sign_in in said["sign_ins"].as_array().unwrap() {
        let handle = sign_in["handle"].as_str().unwrap();
        let status = status_of_sign_in(&serving, &said, handle);
        assert!(status.starts_with("HTTP/1.1 200"), "{handle}: {status}");
    }
    // Prizes take two administrators, and both are there.
    let sign_ins = said["sign_ins"].as_array().unwrap();
    assert_eq!(sign_ins.iter().filter(|one| one["role"] == "admin").count(), 2);
    assert!(folder(&said).join("db").is_dir());
    serving.signal("TERM");
    assert_eq!(serving.end(), (Some(0), String::new()));
    assert!(!folder(&said).exists(), "the temporary folder is still there");
}

#[tokio::test(flavor = "multi_thread")]
async fn players_of_a_competition_walk_on_while_it_is_shown() {
    let place = Place::new();
    let serving = place.start(SMALL);
    let list = serving.get_json("/api/v1/competitions");
    let of = |phase: &str| {
        let all = list["items"].as_array().unwrap();
        all.iter().find(|one| one["phase"] == phase).unwrap().clone()
    };
    assert_eq!(
        (&of("upcoming")["joined"], &of("completed")["settled"]),
        (&json!(false), &json!(true))
    );
    // Prizes wait for the administrator that the demo names first.
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let site = format!("http://{}/api/v1", serving.address());
    let login = json!({ "login": "admin", "password": said(&serving)["password"] });
    let login = http.post(format!("{site}/auth/login")).body(login.to_string());
    let answer = login.header("content-type", "application/json").send().await.unwrap();
    let session: Value = serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
    let over = of("completed")["id"].as_str().unwrap().to_owned();
    let approve = http.post(format!("{site}/competitions/{over}/payout/approve"));
    let approve =
        approve.bearer_auth(session["access_token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(approve.status(), 200, "{}", approve.text().await.unwrap());
    let active = of("active");
    assert_eq!(active["participant_count"], 6);
    let path = format!("/api/v1/leaderboard/{}", active["id"].as_str().unwrap());
    let steps = || {
        let entries = serving.get_json(&path)["entries"].clone();
        entries.as_array().unwrap().iter().map(|one| one["score"].as_i64().unwrap()).sum::<i64>()
    };
    let before = steps();
    assert!(before > 0);
    eventually("somebody walks on", async || steps() > before).await;
    // Likes of the demo's people have made creators.
    eventually("somebody leads the creators", async || {
        let top = serving.get_json("/api/v1/boards/creators/entries");
        top["items"][0]["scores"][0].as_i64() > Some(0)
    })
    .await;
}

#[test]
fn data_that_is_kept_is_shown_again_with_a_new_password() {
    let place = Place::new();
    let words = format!("{SMALL} --data kept");
    let first = place.start(&words);
    let first_said = said(&first);
    first.signal("TERM");
    assert_eq!(first.end().0, Some(0));
    let again = place.start(&words);
    let again_said = said(&again);
    assert_ne!(first_said["password"], again_said["password"]);
    assert!(status_of_sign_in(&again, &again_said, "demo").starts_with("HTTP/1.1 200"));
    assert!(status_of_sign_in(&again, &first_said, "demo").starts_with("HTTP/1.1 401"));
    let explore = again.get_json("/api/v1/timelines/explore?limit=100");
    assert!(explore["items"].as_array().unwrap().len() <= 12, "it was filled twice");
}

#[test]
fn data_of_others_is_not_touched() {
    let place = Place::new();
    fs::create_dir(place.path().join("theirs")).unwrap();
    place.write("theirs/letter.txt", "mine");
    let said = place.run("demo --listen 127.0.0.1:0 --data theirs").complained(5);
    assert!(said.contains("`theirs`, which holds something else"), "{said}");
    assert_eq!(fs::read_dir(place.path().join("theirs")).unwrap().count(), 1);
}

#[test]
fn a_taken_port_is_said_before_anything_is_filled() {
    let place = Place::new();
    let serving = place.serve();
    let other = Place::new();
    let said = other.run(&format!("demo --listen {}", serving.address())).complained(1);
    assert!(said.contains(&format!("failed to listen on {}", serving.address())), "{said}");
    assert!(said.contains("--listen") && !said.contains("making"), "{said}");
}

#[test]
fn a_signal_while_it_is_filled_ends_it_and_leaves_nothing() {
    let place = Place::new();
    let mut command = place.command("demo --listen 127.0.0.1:0");
    command.env("TMPDIR", place.path()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut said).unwrap();
    assert!(said.starts_with("making "), "{said}");
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    let order = format!("kill -TERM {}", child.id());
    assert!(Command::new("sh").args(["-c", &order]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 0);
}
