//! How long a board takes to be there after a start: from its entries, from a checkpoint, and with what was submitted
//! since; and how long past instants take. In process, over HTTP, each load in a program that has just begun.
//!
//! `boards_load [entries on SQLite, with commas] [entries on Postgres]`; usually `1000000,10000000` and `1000000`.
#![expect(clippy::print_stdout, reason = "printing figures is what benchmarks are for")]

use std::{hint::black_box, time::Instant};

use anyhow::{Context as _, ensure};
use benches::report::{Rounds, Table, figure};
use mainstay_contract::ts::Ts;
use mainstay_core::{
    auth::Role,
    db::{DbError, Sql},
    params, statements,
};
use mainstay_testkit::program::{Client, Engine, Program, Setup, eventually};
use serde_json::json;
use svc_boards::engine::{Direction, Order, Ranking, Ties};

const ROUNDS: usize = 3;
/// Rows that one statement writes.
const CHUNK: i64 = 100_000;
/// The most submissions before the checkpoint that are there to be looked at.
const SUBMISSIONS_MAX: i64 = 1_000_000;
/// Submissions since the checkpoint, at a start.
const SINCE: i64 = 50_000;
/// Submissions since the checkpoint, for an instant of the past.
const PAST: i64 = 250_000;

statements! {
    /// Entries with these numbers, each of an owner whose name has 16 bytes.
    ENTRIES = "insert into boards.entry
        (board_no, edition, period, owner, scores, seq, metadata, slices, attempts, updated_at)
        select 1, 1, 1, 'player-' || lpad(i::text, 9, '0'),
            decode('8' || lpad(to_hex(i * 7919 % 1000003), 15, '0'), 'hex'), i, null, null, 1, $3
        from generate_series($1::bigint, $2::bigint) i",
        sqlite "insert into boards.entry
        (board_no, edition, period, owner, scores, seq, metadata, slices, attempts, updated_at)
        with recursive n (i) as (select $1 union all select i + 1 from n where i < $2)
        select 1, 1, 1, printf('player-%09d', i), unhex('8' || printf('%015x', i * 7919 % 1000003)),
            i, null, null, 1, $3 from n";
    /// The submissions with these numbers, of the first so many owners in turn, a millisecond each.
    SUBMISSIONS = "insert into boards.submission
        (board_no, seq, period, owner, kind, scores, operator, metadata, slices, evidence, cause, submitted_at)
        select 1, i, 1, 'player-' || lpad((i * 7919 % $4 + 1)::text, 9, '0'), 0,
            decode('8' || lpad(to_hex(i * 104729 % 1000003), 15, '0'), 'hex'), null, null, null, null, null,
            $3::timestamptz + i * interval '1 millisecond' from generate_series($1::bigint, $2::bigint) i",
        sqlite "insert into boards.submission
        (board_no, seq, period, owner, kind, scores, operator, metadata, slices, evidence, cause, submitted_at)
        with recursive n (i) as (select $1 union all select i + 1 from n where i < $2)
        select 1, i, 1, printf('player-%09d', i * 7919 % $4 + 1), 0,
            unhex('8' || printf('%015x', i * 104729 % 1000003)), null, null, null, null, null, $3 + i * 1000 from n";
    /// What submissions with these numbers make of the entries of their owners.
    FOLLOW = "update boards.entry e set scores = s.scores, seq = s.seq from boards.submission s
        where s.board_no = 1 and s.seq >= $1 and s.seq <= $2
            and e.board_no = 1 and e.edition = 1 and e.period = 1 and e.owner = s.owner",
        sqlite "update boards.entry set scores = s.scores, seq = s.seq from boards.submission s
        where s.board_no = 1 and s.seq >= $1 and s.seq <= $2
            and entry.board_no = 1 and entry.edition = 1 and entry.period = 1 and entry.owner = s.owner";
    /// Where the board stands then.
    HEAD = "update boards.head set last_seq = $1 where no = 1";
    /// The board is as old as its first submission.
    PERIOD = "update boards.period set starts_at = $1 where board_no = 1";
    /// What checkpoints there are.
    KEPT = "select size_bytes from boards.checkpoint where state = 1 order by seq desc limit 1";
    /// Tells Postgres what there is.
    ANALYZE = "analyze boards.entry", sqlite "analyze";
}

fn main() -> anyhow::Result<()> {
    let mut words = std::env::args().skip(1);
    let sizes = |word: Option<String>, usual: &str| -> anyhow::Result<Vec<i64>> {
        let word = word.unwrap_or_else(|| usual.to_owned());
        let each = word.split(',').filter(|part| !part.is_empty()).map(str::parse);
        each.collect::<Result<_, _>>().context("sizes are whole numbers")
    };
    let lite = sizes(words.next(), "1000000,10000000")?;
    let postgres = sizes(words.next(), "1000000")?;
    let mut table = Table::new();
    for count in &lite {
        engine_alone(*count, &mut table)?;
    }
    let runtime = tokio::runtime::Runtime::new()?;
    for (engine, sizes) in [(Engine::Sqlite, lite), (Engine::Postgres, postgres)] {
        for count in sizes {
            runtime.block_on(measure(engine, count, &mut table))?;
        }
    }
    table.print();
    Ok(())
}

fn millions(count: i64) -> String {
    format!("{} M entries", count as f64 / 1e6)
}

fn seconds(began: Instant) -> f64 {
    began.elapsed().as_secs_f64()
}

/// The structure alone: written as bytes and read.
fn engine_alone(count: i64, table: &mut Table) -> anyhow::Result<()> {
    let order = Order::new(vec![Direction::Desc], Ties::Earliest);
    let owners: Vec<String> = (1..=count).map(|number| format!("player-{number:09}")).collect();
    let scores: Vec<[i64; 1]> = (1..=count).map(|number| [number * 7_919 % 1_000_003]).collect();
    let entries = owners.iter().zip(&scores).zip(1..);
    let began = Instant::now();
    let ranking = Ranking::load(
        order.clone(),
        entries.map(|((owner, scores), seq)| (&**owner, &scores[..], seq)),
    );
    let loaded = seconds(began);
    let began = Instant::now();
    let bytes = ranking.encode([1, 1, 1, count], None);
    let encoded = seconds(began);
    drop(ranking);
    let mut decoded = Rounds::default();
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let read = Ranking::decode(&order, [1, 1, 1, count], &bytes)?;
        decoded.push(seconds(began));
        ensure!(black_box(read).len() == count.cast_unsigned(), "entries are missing");
    }
    let name = millions(count);
    let what = format!("{name}, structure alone, s: loaded and sorted; written as bytes");
    table.row(what, format!("{}; {}", figure(loaded), figure(encoded)), "", None);
    let budget = if count >= 10_000_000 { "≤ 2" } else { "" };
    let holds = (!budget.is_empty()).then(|| decoded.median() <= 2.0);
    let size = bytes.len() as f64 / count as f64;
    let what = format!("{name}, structure alone, s: read from {} bytes an entry", figure(size));
    table.row(what, decoded, budget, holds);
    Ok(())
}

async fn run(
    house: &Program,
    sql: &'static Sql,
    numbers: (i64, i64),
    more: Option<(Ts, i64)>,
) -> anyhow::Result<()> {
    let (mut first, last) = numbers;
    while first <= last {
        let end = last.min(first + CHUNK - 1);
        let write = house.db("boards").write::<_, DbError, _>(move |tx| {
            Box::pin(async move {
                match more {
                    Some((at, 0)) => tx.execute(sql, params![first, end, at]).await,
                    Some((at, owners)) => tx.execute(sql, params![first, end, at, owners]).await,
                    None => tx.execute(sql, params![first, end]).await,
                }
            })
        });
        write.await?;
        first = end + 1;
    }
    Ok(())
}

async fn set(
    house: &Program,
    sql: &'static Sql,
    value: mainstay_core::db::Param<'static>,
) -> anyhow::Result<()> {
    let write = house.db("boards").write::<_, DbError, _>(move |tx| {
        let value = value.clone();
        Box::pin(async move { tx.execute(sql, &[value]).await })
    });
    write.await?;
    Ok(())
}

/// Submissions with these numbers, and what follows from them.
async fn submit(
    house: &Program,
    numbers: (i64, i64),
    began: Ts,
    owners: i64,
) -> anyhow::Result<()> {
    run(house, &SUBMISSIONS, numbers, Some((began, owners))).await?;
    run(house, &FOLLOW, numbers, None).await?;
    set(house, &HEAD, mainstay_core::db::Param::I64(numbers.1)).await
}

fn loads(house: &Program, from: &str) -> f64 {
    let said = house.core().metrics.render();
    let begins = format!("boards_loads_total{{from=\"{from}\"");
    let line = said.lines().find(|line| line.starts_with(&begins));
    line.and_then(|line| line.rsplit(' ').next()?.parse().ok()).unwrap_or_default()
}

/// How long the first page takes, in a program that has just begun.
async fn first_page(house: Program, keeper: &Client, from: &str) -> anyhow::Result<(Program, f64)> {
    let house = house.restart().await;
    let began = Instant::now();
    let answer = keeper.at(&house).get("/api/v1/boards/bench/entries?limit=1").await;
    let took = seconds(began);
    ensure!(answer.status == 200, "a page: {answer:?}");
    ensure!(loads(&house, from) == 1.0, "it was not loaded from {from}");
    Ok((house, took))
}

/// Boards, with a checkpoint after so many submissions.
fn setup(checkpoint_after: &str) -> Setup {
    Setup::of(&[svc_boards::SERVICE]).set("boards.checkpoint_after", checkpoint_after)
}

async fn measure(engine: Engine, count: i64, table: &mut Table) -> anyhow::Result<()> {
    let name = format!("{engine:?}, {}", millions(count));
    println!("{name}: writing them");
    let mut house = setup("0").start(engine).await;
    let keeper = house.person_as(Role::Admin, "keeper").await;
    let settings =
        json!({ "title": "Bench", "operator": "set", "columns": [{ "name": "points" }] });
    keeper.put("/api/v1/boards/bench").json(&settings).await.expect(200);
    let began = house.clock().now().plus_s(-86_400);
    set(&house, &PERIOD, mainstay_core::db::Param::Ts(began)).await?;
    run(&house, &ENTRIES, (1, count), Some((began, 0))).await?;
    let first = 1.max(count - SUBMISSIONS_MAX + 1);
    run(&house, &SUBMISSIONS, (first, count), Some((began, count))).await?;
    set(&house, &HEAD, mainstay_core::db::Param::I64(count)).await?;
    house
        .db("boards")
        .write::<_, DbError, _>(|tx| Box::pin(async move { tx.execute(&ANALYZE, &[]).await }))
        .await?;

    let mut records = Rounds::default();
    for _ in 0..ROUNDS {
        let took;
        (house, took) = first_page(house, &keeper, "records").await?;
        println!("{name}, from records: {} s", figure(took));
        records.push(took);
    }
    let budget = if engine == Engine::Sqlite && count >= 10_000_000 { "≤ 10" } else { "" };
    let holds = (!budget.is_empty()).then(|| records.median() <= 10.0);
    table.row(format!("{name}, first page, s: from all entries"), records, budget, holds);

    house = house.reopen(&setup("20000")).await;
    let began_at = Instant::now();
    house.work("boards.keep_checkpoints").await;
    eventually("a checkpoint is kept", async || kept(&house).await.is_some()).await;
    let what = format!("{name}, a checkpoint is made, s; MB");
    let size = kept(&house).await.unwrap_or_default() as f64 / 1e6;
    table.row(what, format!("{}; {}", figure(seconds(began_at)), figure(size)), "", None);
    let mut restored = Rounds::default();
    for _ in 0..ROUNDS {
        let took;
        (house, took) = first_page(house, &keeper, "checkpoint").await?;
        println!("{name}, from a checkpoint: {} s", figure(took));
        restored.push(took);
    }
    let budget = if count >= 10_000_000 { "≤ 2" } else { "" };
    let holds = (!budget.is_empty()).then(|| restored.median() <= 2.0);
    table.row(format!("{name}, first page, s: from a checkpoint"), restored, budget, holds);
    // None is made of what is submitted now.
    house = house.reopen(&setup("5000000")).await;
    submit(&house, (count + 1, count + SINCE), began, count).await?;
    let took;
    (house, took) = first_page(house, &keeper, "checkpoint").await?;
    table.row(
        format!("{name}, first page, s: from a checkpoint and {SINCE} submissions since"),
        figure(took),
        "",
        None,
    );
    submit(&house, (count + SINCE + 1, count + PAST), began, count).await?;
    past(&house, &keeper.at(&house), (&name, count), began, table).await?;
    house.end().await;
    Ok(())
}

async fn kept(house: &Program) -> Option<i64> {
    let mut tx = house.db("boards").read().await.ok()?;
    let row: Option<(i64,)> = tx.optional(&KEPT, &[]).await.ok()?;
    row.map(|(size,)| size)
}

/// An instant after the checkpoint, and an owner's way up to it.
async fn past(
    house: &Program,
    keeper: &Client,
    (name, count): (&str, i64),
    began: Ts,
    table: &mut Table,
) -> anyhow::Result<()> {
    let at_ms = |seq: i64| began.plus_micros(seq * 1_000);
    let mut took = Rounds::default();
    for round in 0..ROUNDS as i64 {
        let at = at_ms(count + PAST - round);
        let began = Instant::now();
        let answer = keeper.get(&format!("/api/v1/boards/bench/entries?limit=1&at={at}")).await;
        took.push(seconds(began));
        ensure!(answer.status == 200, "an instant: {answer:?}");
    }
    ensure!(loads(house, "past") >= ROUNDS as f64, "it was not found from a checkpoint");
    let budget = if count <= 1_000_000 { "≤ 2" } else { "" };
    let holds = (!budget.is_empty()).then(|| took.median() <= 2.0);
    let what = format!("{name}, a past instant, s: from a checkpoint and {PAST} submissions since");
    table.row(what, took, budget, holds);
    let mut took = Rounds::default();
    for _ in 0..ROUNDS {
        let (from, to) = (at_ms(count), at_ms(count + PAST));
        let path = format!(
            "/api/v1/boards/bench/entries/player-000000077/history?from={from}&to={to}&points=100"
        );
        let began = Instant::now();
        let answer = keeper.get(&path).await;
        took.push(seconds(began));
        ensure!(answer.status == 200, "a history: {answer:?}");
    }
    table.row(format!("{name}, an owner's rank at 100 instants of the same, s"), took, "", None);
    Ok(())
}
