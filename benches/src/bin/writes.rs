//! Durable likes, posts and plain rows a second by 64 callers, over HTTP and in process, on SQLite and on Postgres.
//!
//! In process means: through the program's router, as a request that needs no socket. Likes are spread over 10,000
//! posts, each of somebody for a post that they did not like yet; one hot post is measured apart.
#![expect(clippy::print_stdout, reason = "printing figures is what benchmarks are for")]

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::{Context as _, ensure};
use axum::body::Body;
use benches::{
    app::{self, App, Person, postgres, sqlite},
    client::{Connection, Load, callers, callers_from_afar},
    report::{Rounds, Table, figure},
    server::{self, On, Server, cpu_s_of, cpu_s_of_thread},
};
use http::{Request, header};
use mainstay_core::{
    clock::Clock,
    db::{Db, DbError, Location, Sql, migrate::Migration},
    http::router::Router,
    params,
};
use mainstay_testkit::Postgres;

/// People who write, and what they write to.
type Shared = (Vec<Person>, Vec<String>);

const CALLERS: usize = 64;
const PEOPLE: usize = 1_000;
const POSTS: usize = 10_000;
const ROUNDS: u64 = 3;
/// What the system that Feed replaces did over HTTP, on a machine of this kind.
const REPLACED_LIKES_PER_S: f64 = 1_500.0;

static MIGRATIONS: &[Migration] = &[Migration {
    version: 1,
    name: "rows",
    text: "create table bench.plain (id bigint primary key, number bigint not null);",
}];
static ADD: Sql = Sql::new("insert into bench.plain (id, number) values ($1, $2)");

/// People and posts, and how many likes were asked for, so that none is asked for twice.
struct World {
    people: Vec<Person>,
    posts: Vec<String>,
    used: u64,
}

fn main() -> anyhow::Result<()> {
    let program = server::build_mainstay()?;
    let seconds = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(4);
    let time = Duration::from_secs(seconds);
    let runtime = tokio::runtime::Runtime::new()?;
    let mut table = Table::new();
    runtime.block_on(rows(time, &mut table))?;

    let folder = tempfile::tempdir()?;
    let settings: [(&str, &str); 0] = [];
    let mut world = runtime.block_on(in_process(
        folder.path(),
        || sqlite(folder.path()),
        time,
        "SQLite",
        &mut table,
    ))?;
    let ours = server::mainstay(&program, folder.path(), On::All, &settings)?;
    runtime.block_on(over_http(&ours, &mut world, time, "SQLite", 10.0, &mut table))?;
    drop(ours);

    let engine = Postgres::durable()?;
    let url = runtime.block_on(engine.create_database())?;
    let folder = tempfile::tempdir()?;
    let mut world = runtime.block_on(in_process(
        folder.path(),
        || Ok(postgres(&url)),
        time,
        "Postgres",
        &mut table,
    ))?;
    let ours = server::mainstay(&program, folder.path(), On::All, &[("MAINSTAY_DB__URL", &url)])?;
    runtime.block_on(over_http(&ours, &mut world, time, "Postgres", 3.0, &mut table))?;
    table.print();
    Ok(())
}

/// Rows of (id, integer) through `db.write`, one in each transaction, and two.
async fn rows(time: Duration, table: &mut Table) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let location = Location::Sqlite { folder: folder.path().to_owned(), durable: true };
    let db = Db::open(&location, "bench", MIGRATIONS, Clock::system()).await?;
    let mut from = 0_u64;
    for each in [1_u64, 2] {
        let mut rates = Rounds::default();
        for round in 0..=ROUNDS {
            let (db, begin) = (db.clone(), from);
            let load = callers(
                CALLERS,
                time / 2,
                || db.clone(),
                move |db, number| async move {
                    let first = ((begin + number) * each).cast_signed();
                    let last = first + each.cast_signed();
                    db.write::<_, DbError, _>(move |tx| {
                        Box::pin(async move {
                            for id in first..last {
                                tx.execute(&ADD, params![id, id]).await?;
                            }
                            Ok(())
                        })
                    })
                    .await?;
                    Ok((db, true))
                },
            );
            let load = load.await?;
            from += 1_000_000_000;
            println!("rows, {each} in each transaction: {}/s", figure(load.per_s * each as f64));
            if round > 0 {
                rates.push(load.per_s * each as f64);
            }
        }
        table.row(
            format!("SQLite, `db.write`, {each} row(s) of (id, integer) in each, rows/s"),
            &rates,
            "≥ 300,000",
            Some(rates.median() >= 300_000.0),
        );
    }
    db.close().await;
    Ok(())
}

/// Makes the world, then likes and posts through the router.
async fn in_process(
    data: &Path,
    location: impl Fn() -> anyhow::Result<Location>,
    time: Duration,
    engine: &str,
    table: &mut Table,
) -> anyhow::Result<World> {
    let app = App::open(data, location()?).await?;
    let people = app.people(PEOPLE).await?;
    let mut world = World { people, posts: Vec::new(), used: 0 };
    let posting = posts(&app, &world.people, time).await?;
    world.posts = some_posts(&app, &world.people).await?;
    println!("{engine}: {} posts are there", world.posts.len());
    let (mut rates, mut cpu_us, mut writer_us) =
        (Rounds::default(), Rounds::default(), Rounds::default());
    let mut failed = 0;
    for round in 0..=ROUNDS {
        let (cpu, writer) = (cpu_s_of("/proc/self/stat")?, cpu_s_of_thread("write-feed"));
        let load = likes(&app, &mut world, POSTS, time).await?;
        println!("{engine}, in process, likes: {load:?}");
        failed += load.failed;
        if round > 0 {
            rates.push(load.per_s);
            let each_us = 1e6 / load.answers as f64;
            cpu_us.push((cpu_s_of("/proc/self/stat")? - cpu) * each_us);
            writer_us.push((cpu_s_of_thread("write-feed") - writer) * each_us);
        }
    }
    let budget = if engine == "SQLite" { "≥ 40,000" } else { "" };
    let holds = (engine == "SQLite").then(|| rates.median() >= 40_000.0 && failed == 0);
    table.row(format!("{engine}, in process, likes/s ({failed} failed)"), &rates, budget, holds);
    let what =
        format!("{engine}, in process, µs of CPU for a like: whole process; its writer thread");
    table.row(what, format!("{cpu_us}; {writer_us}"), "", None);
    let hot = likes(&app, &mut world, 1, time / 2).await?;
    let what = format!("{engine}, in process, likes/s on one hot post ({} failed)", hot.failed);
    table.row(what, figure(hot.per_s), "", None);
    let what = format!("{engine}, in process, posts/s ({} failed)", posting.failed);
    table.row(what, figure(posting.per_s), "", None);
    app.close().await;
    Ok(world)
}

/// Posts by 64 callers for a time.
async fn posts(app: &App, people: &[Person], time: Duration) -> anyhow::Result<Load> {
    let people: Arc<[Person]> = people.into();
    let router = app.router();
    callers(CALLERS, time, || (router.clone(), people.clone()), |(router, people), number| async move {
        let person = people.get(number as usize % people.len()).context("there are people")?;
        let body = format!(
            "{{\"caption\":\"Post {number}: the light over the harbour this morning, before the boats went out.\"}}"
        );
        let (status, _) = app::send(router.clone(), app::post_request(person, body)?).await?;
        Ok(((router, people), status.is_success()))
    })
    .await
}

/// 10,000 posts, written by 64 callers.
async fn some_posts(app: &App, people: &[Person]) -> anyhow::Result<Vec<String>> {
    let mut posts = Vec::with_capacity(POSTS);
    let people: Vec<&Person> = people.iter().cycle().take(POSTS).collect();
    for some in people.chunks(CALLERS) {
        let made = some.iter().map(|person| app.post(person, "The light over the harbour.", &[]));
        for made in futures_util::future::join_all(made).await {
            posts.push(made?);
        }
    }
    Ok(posts)
}

/// The next like: everybody likes a post, then everybody the next; neighbours in time like different posts.
fn pair(
    world: (&[Person], &[String]),
    spread: usize,
    number: u64,
) -> anyhow::Result<(usize, usize)> {
    let (people, posts) = world;
    let (number, count) = (number as usize, people.len());
    let person = number % count;
    // Of one hot post the last in the list is taken, which the spread likes reach last.
    let post = match spread {
        1 => posts.len() - 1 - number / count,
        _ => (number / count + person * 10) % (posts.len() - 100),
    };
    ensure!(number / count < posts.len() / 2, "everybody likes everything already");
    Ok((person, post))
}

async fn likes(
    app: &App,
    world: &mut World,
    spread: usize,
    time: Duration,
) -> anyhow::Result<Load> {
    let shared: Arc<(Vec<Person>, Vec<String>)> =
        Arc::new((world.people.clone(), world.posts.clone()));
    let router = app.router();
    let from = if spread == 1 { 0 } else { world.used };
    let call = move |(router, shared): (Router, Arc<Shared>), number| async move {
        let (person, post) = pair((&shared.0, &shared.1), spread, from + number)?;
        let (Some(person), Some(post)) = (shared.0.get(person), shared.1.get(post)) else {
            return Ok(((router, shared), false));
        };
        let request = Request::put(format!("/api/v1/posts/{post}/like"))
            .header(header::AUTHORIZATION, &person.authorization)
            .body(Body::empty())?;
        let (status, _) = app::send(router.clone(), request).await?;
        Ok(((router, shared), status.is_success()))
    };
    let load = callers(CALLERS, time, || (router.clone(), shared.clone()), call).await?;
    if spread > 1 {
        world.used += load.answers + load.failed + CALLERS as u64;
    }
    Ok(load)
}

/// Likes and posts over sockets.
async fn over_http(
    server: &Server,
    world: &mut World,
    time: Duration,
    engine: &str,
    times: f64,
    table: &mut Table,
) -> anyhow::Result<()> {
    let shared: Arc<(Vec<Person>, Vec<String>)> =
        Arc::new((world.people.clone(), world.posts.clone()));
    let (mut rates, mut p99, mut failed) = (Rounds::default(), Rounds::default(), 0);
    let mut cpu_us = Rounds::default();
    for round in 0..=ROUNDS {
        let (shared, from, address) = (shared.clone(), world.used, server.address);
        let call = move |mut connection: Connection, number: u64| {
            let shared = shared.clone();
            async move {
                let (person, post) = pair((&shared.0, &shared.1), POSTS, from + number)?;
                let (Some(person), Some(post)) = (shared.0.get(person), shared.1.get(post)) else {
                    return Ok((connection, false));
                };
                let request = format!(
                    "PUT /api/v1/posts/{post}/like HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\n\
                     content-length: 0\r\n\r\n",
                    person.authorization
                );
                let (status, body) = connection.send(request.as_bytes()).await?;
                let liked = status == 200 && body.ends_with(b"\"liked_by_me\":true}");
                Ok((connection, liked))
            }
        };
        let cpu = server.cpu_s()?;
        let load = callers_from_afar(CALLERS, time, move || Connection::new(address), call).await?;
        world.used += load.answers + load.failed + CALLERS as u64;
        println!("{engine}, over HTTP, likes: {load:?}");
        failed += load.failed;
        if round > 0 {
            rates.push(load.per_s);
            p99.push(load.p99_ms);
            cpu_us.push((server.cpu_s()? - cpu) * 1e6 / load.answers as f64);
        }
    }
    let ratio = rates.median() / REPLACED_LIKES_PER_S;
    table.row(
        format!("{engine}, over HTTP, likes/s ({failed} failed); p99 ms; µs of CPU each"),
        format!("{rates}; {p99}; {cpu_us}"),
        "",
        None,
    );
    table.row(
        format!("{engine}, over HTTP, likes ÷ replaced system (1.5 k/s, 2.5 % failing)"),
        figure(ratio),
        format!("≥ {times}"),
        Some(ratio >= times && failed == 0),
    );
    let (people, address) = (shared, server.address);
    let call = move |mut connection: Connection, number: u64| {
        let people = people.clone();
        async move {
            let person = people.0.get(number as usize % PEOPLE).context("there are people")?;
            let body = format!(
                "{{\"caption\":\"Post {number}: the light over the harbour this morning.\"}}"
            );
            let request = format!(
                "POST /api/v1/posts HTTP/1.1\r\nhost: localhost\r\nauthorization: {}\r\n\
                 content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
                person.authorization,
                body.len()
            );
            let (status, _) = connection.send(request.as_bytes()).await?;
            Ok((connection, status == 201))
        }
    };
    let load = callers_from_afar(CALLERS, time, move || Connection::new(address), call).await?;
    println!("{engine}, over HTTP, posts: {load:?}");
    let what = format!("{engine}, over HTTP, posts/s ({} failed); p99 ms", load.failed);
    table.row(what, format!("{}; {}", figure(load.per_s), figure(load.p99_ms)), "", None);
    Ok(())
}
