//! A home timeline of somebody who follows 1,000 people among 1 M posts of 100 k people, cold and warm.
//!
//! Requests go through the router in this process, one after the other. Cold: each reader's first read in a program
//! that was just opened; each follows 1,000 others. Warm: the same readers again and again. The people and posts are
//! written straight into the file.
#![expect(clippy::print_stdout, reason = "printing figures is what benchmarks are for")]

use std::time::Instant;

use anyhow::{Context as _, ensure};
use benches::{
    app::{App, Person, sqlite},
    bulk::{self, Size},
    report::{Table, figure, quantile},
};
use http::{Method, StatusCode};
use mainstay_core::clock::Clock;
use serde_json::Value;

const PATH: &str = "/api/v1/timelines/home?limit=20";
const READERS: usize = 20;
const WARM_READS: usize = 5_000;

fn main() -> anyhow::Result<()> {
    let word = |place| std::env::args().nth(place).and_then(|word| word.parse::<u64>().ok());
    let size = Size {
        people: word(1).unwrap_or(100_000),
        posts: word(2).unwrap_or(1_000_000),
        follows: word(3).unwrap_or(1_000),
    };
    tokio::runtime::Runtime::new()?.block_on(run(size))
}

async fn run(size: Size) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let data = folder.path();
    let app = App::open(data, sqlite(data)?).await?;
    let readers = app.people(READERS).await?;
    app.close().await;
    let ids: Vec<_> = readers.iter().map(|reader| reader.id).collect();
    let began = Instant::now();
    bulk::fill(data, size, &ids, Clock::system().now().as_micros())?;
    println!("filled in {:.0} s", began.elapsed().as_secs_f64());

    let app = App::open(data, sqlite(data)?).await?;
    let mut cold = Vec::new();
    for reader in &readers {
        cold.push(read(&app, reader).await?);
    }
    let mut warm = Vec::with_capacity(WARM_READS);
    for reader in readers.iter().cycle().take(WARM_READS) {
        warm.push(read(&app, reader).await?);
    }
    app.close().await;
    cold.sort_by(f64::total_cmp);
    warm.sort_by(f64::total_cmp);
    let mut table = Table::new();
    let [cold_mid, cold_most] = [0.5, 1.0].map(|share| quantile(&cold, share));
    let [warm_mid, warm_p99] = [0.5, 0.99].map(|share| quantile(&warm, share));
    let text = format!("{} (at most {})", figure(cold_mid), figure(cold_most));
    table.row("home of 1,000 follows, cold, ms", text, "≤ 50", Some(cold_most <= 50.0));
    let text = format!("{}; p99 {}", figure(warm_mid), figure(warm_p99));
    table.row("home of 1,000 follows, warm, ms", text, "p99 ≤ 5", Some(warm_p99 <= 5.0));
    table.print();
    Ok(())
}

/// Milliseconds that a page of 20 takes.
async fn read(app: &App, reader: &Person) -> anyhow::Result<f64> {
    let began = Instant::now();
    let (status, body) = app.ask(reader, Method::GET, PATH).await?;
    let took_ms = began.elapsed().as_secs_f64() * 1e3;
    ensure!(status == StatusCode::OK, "home was answered {status}: {body:?}");
    let page: Value = serde_json::from_slice(&body)?;
    let items = page["items"].as_array().context("a page has items")?;
    ensure!(items.len() == 20, "home has {} posts", items.len());
    let times: Vec<&str> = items.iter().filter_map(|item| item["published_at"].as_str()).collect();
    ensure!(times.is_sorted_by(|a, b| a >= b), "home is not newest first");
    Ok(took_ms)
}
