//! The cached first page of explore for 1,000 signed-in viewers, against bare axum and nginx with the same bytes.
//!
//! Each server has the first processor alone and the load the second, so what is compared is what an answer costs. The
//! answers are looked at as well: `liked_by_me` must be right for each viewer, before, during and after the likes.
#![expect(clippy::print_stdout, reason = "printing figures is what benchmarks are for")]

use std::{
    collections::HashSet,
    fs,
    path::Path,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context as _, ensure};
use benches::{
    app::{App, Person, sqlite},
    client::Connection,
    report::{Rounds, Table},
    server::{self, On, Server},
    wrk,
};
use http::{Method, StatusCode};
use serde_json::Value;

const PATH: &str = "/api/v1/timelines/explore?limit=20";
const VIEWERS: usize = 1_000;
const POSTS: usize = 40;
const CONNECTIONS: u32 = 64;
/// What the system that Feed replaces answered in a second from its cache, on a machine of this kind.
const REPLACED_PER_S: f64 = 13_600.0;

/// Who likes what, as the answers must show it.
type Likes = HashSet<(usize, String)>;

fn main() -> anyhow::Result<()> {
    if server::be_bare_axum()? {
        return Ok(());
    }
    let rounds = argument(1, 5);
    let seconds = argument(2, 5);
    let program = server::build_mainstay()?;
    let folder = tempfile::tempdir()?;
    let data = folder.path().join("data");
    fs::create_dir(&data)?;
    let runtime = tokio::runtime::Runtime::new()?;
    let (people, posts, likes, page) = runtime.block_on(make(&data))?;
    wrk::prepare(folder.path(), &people)?;
    let public = folder.path().join("public");
    fs::create_dir(&public)?;
    fs::create_dir_all(public.join("api/v1/timelines"))?;
    let file = public.join("page.json");
    fs::write(&file, &page)?;

    let ours = server::mainstay(&program, &data, On::First, &[])?;
    let bare = server::bare_axum(&file, On::First)?;
    let nginx = server::nginx(&file, On::First)?;
    let likes = Arc::new(Mutex::new(likes));
    runtime.block_on(check(&ours, &people, &likes))?;
    println!("The page has {} bytes.", page.len());

    let contenders = [
        Contender::new("mainstay", &ours, PATH, false),
        Contender::new("mainstay, 10 likes/s", &ours, PATH, true),
        Contender::new("bare axum", &bare, "/page.json", false),
        Contender::new("nginx", &nginx, "/page.json", false),
    ];
    let mut contenders = contenders.to_vec();
    let mut liked = 0;
    for round in 0..=rounds {
        for contender in &mut contenders {
            let over = Arc::new(AtomicBool::new(false));
            let liking = contender.likes.then(|| {
                let work = like(
                    ours.address,
                    people.clone(),
                    posts.clone(),
                    likes.clone(),
                    over.clone(),
                    liked,
                );
                runtime.spawn(work)
            });
            // The first round warms up and is not counted.
            contender.run(folder.path(), if round == 0 { 2 } else { seconds }, round > 0)?;
            over.store(true, Ordering::Relaxed);
            if let Some(liking) = liking {
                liked += runtime.block_on(liking)??;
            }
        }
        runtime.block_on(check(&ours, &people, &likes))?;
    }
    println!("{liked} likes were given meanwhile; all answers that were looked at were right.");
    report(&contenders);
    Ok(())
}

fn argument(place: usize, default: u32) -> u32 {
    std::env::args().nth(place).and_then(|word| word.parse().ok()).unwrap_or(default)
}

/// People, posts with a picture each, who likes what, and one viewer's page.
async fn make(data: &Path) -> anyhow::Result<(Vec<Person>, Vec<String>, Likes, Vec<u8>)> {
    let app = App::open(data, sqlite(data)?).await?;
    let people = app.people(VIEWERS).await?;
    let picture = include_bytes!("../../../crates/svc-feed/tests/data/rocket.jpg");
    let mut posts = Vec::new();
    for (number, person) in people.iter().enumerate().take(POSTS) {
        let media = app.upload(person, picture).await?;
        let caption = format!(
            "Launch {number}: an hour before sunrise, from the causeway, with a borrowed tripod. #space #morning"
        );
        posts.push(app.post(person, &caption, &[media]).await?);
    }
    let mut likes = Likes::new();
    for (viewer, person) in people.iter().enumerate() {
        for (number, post) in posts.iter().enumerate() {
            if (viewer * 31 + number * 17) % (5 + number) == 0 {
                let path = format!("/api/v1/posts/{post}/like");
                let (status, _) = app.ask(person, Method::PUT, &path).await?;
                ensure!(status == StatusCode::OK, "a like was answered {status}");
                likes.insert((viewer, post.clone()));
            }
        }
    }
    let viewer = people.first().context("there are people")?;
    let (status, page) = app.ask(viewer, Method::GET, PATH).await?;
    ensure!(status == StatusCode::OK, "the page was answered {status}");
    app.close().await;
    Ok((people, posts, likes, page.to_vec()))
}

fn request(method: &str, path: &str, person: &Person) -> Vec<u8> {
    let length = if method == "PUT" { "content-length: 0\r\n" } else { "" };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\n{length}\r\n",
        person.authorization
    )
    .into_bytes()
}

/// Asks for every tenth viewer's page and compares each `liked_by_me` with what was liked.
async fn check(server: &Server, people: &[Person], likes: &Mutex<Likes>) -> anyhow::Result<()> {
    let mut connection = Connection::new(server.address);
    for (viewer, person) in people.iter().enumerate().step_by(10) {
        let (status, body) = connection.send(&request("GET", PATH, person)).await?;
        ensure!(status == 200, "the page was answered {status}");
        let page: Value = serde_json::from_slice(body)?;
        let items = page["items"].as_array().context("a page has items")?;
        ensure!(items.len() == 20, "the page has {} posts", items.len());
        let likes = likes.lock().unwrap_or_else(PoisonError::into_inner);
        for item in items {
            let post = item["id"].as_str().context("a post has an id")?.to_owned();
            let expected = likes.contains(&(viewer, post));
            ensure!(
                item["liked_by_me"] == expected,
                "viewer {viewer} is shown a wrong like: {item}"
            );
        }
    }
    Ok(())
}

/// Ten likes a second on posts of the page, until it is `over`; returns how many. After each the liker's own page must
/// show it.
async fn like(
    address: std::net::SocketAddr,
    people: Vec<Person>,
    posts: Vec<String>,
    likes: Arc<Mutex<Likes>>,
    over: Arc<AtomicBool>,
    from: usize,
) -> anyhow::Result<usize> {
    let mut connection = Connection::new(address);
    let mut every = tokio::time::interval(Duration::from_millis(100));
    let mut given = 0;
    let pairs = (0..people.len() * posts.len()).skip(from * 7 + 1);
    for pair in pairs {
        let (viewer, number) = (pair % people.len(), (pair / people.len() + pair) % posts.len());
        let (Some(person), Some(post)) = (people.get(viewer), posts.get(number)) else { continue };
        if !likes.lock().unwrap_or_else(PoisonError::into_inner).insert((viewer, post.clone())) {
            continue;
        }
        if over.load(Ordering::Relaxed) {
            likes.lock().unwrap_or_else(PoisonError::into_inner).remove(&(viewer, post.clone()));
            break;
        }
        every.tick().await;
        let path = format!("/api/v1/posts/{post}/like");
        let (status, _) = connection.send(&request("PUT", &path, person)).await?;
        ensure!(status == 200, "a like was answered {status}");
        given += 1;
        let (_, body) = connection.send(&request("GET", PATH, person)).await?;
        let page: Value = serde_json::from_slice(body)?;
        let items = page["items"].as_array().context("a page has items")?;
        let item = items.iter().find(|item| item["id"] == post.as_str());
        ensure!(
            item.is_none_or(|item| item["liked_by_me"] == true),
            "a like is not seen by its giver"
        );
    }
    Ok(given)
}

#[derive(Clone)]
struct Contender<'a> {
    name: &'static str,
    server: &'a Server,
    path: &'static str,
    likes: bool,
    per_s: Rounds,
    cpu_us: Rounds,
    p99_ms: Rounds,
    failed: u64,
}

impl<'a> Contender<'a> {
    fn new(name: &'static str, server: &'a Server, path: &'static str, likes: bool) -> Self {
        let none = Rounds::default();
        Self {
            name,
            server,
            path,
            likes,
            per_s: none.clone(),
            cpu_us: none.clone(),
            p99_ms: none,
            failed: 0,
        }
    }

    fn run(&mut self, folder: &Path, seconds: u32, counts: bool) -> anyhow::Result<()> {
        let before = self.server.cpu_s()?;
        let load = wrk::run(folder, self.server.address, self.path, CONNECTIONS, seconds)?;
        let cpu_us = (self.server.cpu_s()? - before) * 1e6 / load.answers;
        println!(
            "{:24} {:>9.0}/s {cpu_us:>7.2} µs CPU, p99 {:.2} ms",
            self.name, load.per_s, load.p99_ms
        );
        if counts {
            self.per_s.push(load.per_s);
            self.cpu_us.push(cpu_us);
            self.p99_ms.push(load.p99_ms);
            self.failed += load.failed;
        }
        Ok(())
    }
}

fn report(contenders: &[Contender<'_>]) {
    let mut table = Table::new();
    for one in contenders {
        let what = format!("page of 20, {}: answers/s; µs of CPU each; p99 ms; failed", one.name);
        let figures = format!("{}; {}; {}; {}", one.per_s, one.cpu_us, one.p99_ms, one.failed);
        table.row(what, figures, "", None);
    }
    if let [ours, liked, bare, nginx] = contenders {
        for (one, what) in [(ours, ""), (liked, ", 10 likes/s")] {
            let rate = one.per_s.median();
            for (peer, budget) in [(bare, 0.7), (nginx, 1.0)] {
                let ratio = rate / peer.per_s.median();
                let by_cpu = peer.cpu_us.median() / one.cpu_us.median();
                table.row(
                    format!("page{what} ÷ {}, by answers/s; by CPU", peer.name),
                    format!("{ratio:.2}; {by_cpu:.2}"),
                    format!("≥ {budget:.1}"),
                    Some(ratio >= budget),
                );
            }
            let ratio = rate / REPLACED_PER_S;
            table.row(
                format!("page{what} ÷ replaced system (13.6 k/s)"),
                format!("{ratio:.1}"),
                "≥ 4",
                Some(ratio >= 4.0),
            );
        }
    }
    table.print();
}
