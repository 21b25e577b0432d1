//! Scores a second over HTTP, one by one and in lists, and pages of a board, beside Redis' `ZADD` that syncs each.
//!
//! Redis is asked by `redis-benchmark` with as many connections and no pipelining, in turn with us. It answers when its
//! log is synced; so do we. Its set has as many members as our board has owners.
#![expect(clippy::print_stdout, reason = "printing figures is what benchmarks are for")]

use std::{
    net::TcpListener,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use benches::{
    keeper::{self, Keeper},
    report::{Rounds, Table, figure},
    server::{self, On},
};
use mainstay_testkit::Postgres;

const CALLERS: usize = 64;
const OWNERS: u64 = 10_000;
const ROUNDS: u64 = 3;
/// Scores of a list.
const LIST_LEN: u64 = 1_000;
/// What the system that Boards replaces did, on a machine of this kind: an update that is kept nowhere, and a top 100.
const REPLACED_UPDATES_PER_S: f64 = 14_700.0;
const REPLACED_TOPS_PER_S: f64 = 614.0;

fn main() -> anyhow::Result<()> {
    let program = server::build_mainstay()?;
    let seconds = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(4);
    let time = Duration::from_secs(seconds);
    let runtime = tokio::runtime::Runtime::new()?;
    let mut table = Table::new();
    let redis = Redis::start()?;

    let folder = tempfile::tempdir()?;
    runtime.block_on(measure(&program, folder.path(), None, &redis, time, &mut table))?;
    let engine = Postgres::durable()?;
    let url = runtime.block_on(engine.create_database())?;
    let folder = tempfile::tempdir()?;
    runtime.block_on(measure(&program, folder.path(), Some(&url), &redis, time, &mut table))?;
    table.print();
    Ok(())
}

async fn measure(
    program: &Path,
    data: &Path,
    url: Option<&str>,
    redis: &Redis,
    time: Duration,
    table: &mut Table,
) -> anyhow::Result<()> {
    let engine = if url.is_some() { "Postgres" } else { "SQLite" };
    let settings: Vec<(&str, &str)> =
        url.map(|url| ("MAINSTAY_DB__URL", url)).into_iter().collect();
    keeper::make(program, data, &settings)?;
    let ours = server::mainstay(program, data, On::All, &settings)?;
    let keeper = Keeper::sign_in(ours.address).await?;
    let settings =
        r#"{"title":"Bench","operator":"set","columns":[{"name":"points"}],"authoritative":true}"#;
    keeper.send("PUT", "/api/v1/boards/bench", settings).await?;
    for first in (0..OWNERS).step_by(LIST_LEN as usize) {
        keeper.send("POST", "/api/v1/boards/bench/scores", &list(first)).await?;
    }

    let (mut singles, mut p99, mut cpu_us, mut zadds) =
        (Rounds::default(), Rounds::default(), Rounds::default(), Rounds::default());
    let mut failed = 0;
    for round in 0..=ROUNDS {
        let cpu = ours.cpu_s()?;
        let load = keeper.load(CALLERS, time, one).await?;
        println!("{engine}, single scores: {load:?}");
        failed += load.failed;
        let zadd = redis.zadds_per_s()?;
        println!("Redis, ZADD, appendfsync always: {}/s", figure(zadd));
        if round > 0 {
            singles.push(load.per_s);
            p99.push(load.p99_ms);
            cpu_us.push((ours.cpu_s()? - cpu) * 1e6 / load.answers as f64);
            zadds.push(zadd);
        }
    }
    let what =
        format!("{engine}, over HTTP, single scores/s ({failed} failed); p99 ms; µs of CPU each");
    table.row(what, format!("{singles}; {p99}; {cpu_us}"), "", None);
    let ratio = singles.median() / REPLACED_UPDATES_PER_S;
    let what = format!("{engine}, single scores ÷ replaced system (14.7 k/s, kept nowhere)");
    table.row(what, figure(ratio), "≥ 2", Some(ratio >= 2.0));

    let (mut lists, mut cpu_us) = (Rounds::default(), Rounds::default());
    for round in 0..=ROUNDS {
        let cpu = ours.cpu_s()?;
        let load = keeper.load(CALLERS, time, |number| {
            ("POST", "/api/v1/boards/bench/scores".to_owned(), list(number * LIST_LEN))
        });
        let load = load.await?;
        println!("{engine}, lists of {LIST_LEN}: {load:?}");
        if round > 0 {
            lists.push(load.per_s * LIST_LEN as f64);
            cpu_us.push((ours.cpu_s()? - cpu) * 1e6 / (load.answers * LIST_LEN) as f64);
        }
    }
    let what = format!("{engine}, over HTTP, scores/s in lists of {LIST_LEN}; µs of CPU each");
    let budget = if url.is_none() { "≥ 50,000" } else { "" };
    let holds = url.is_none().then(|| lists.median() >= 50_000.0);
    table.row(what, format!("{lists}; {cpu_us}"), budget, holds);
    let ratio = lists.median() / zadds.median();
    let what = format!("{engine}, scores in lists ÷ Redis' ZADD, appendfsync always ({zadds}/s)");
    table.row(what, figure(ratio), "≥ 1", Some(ratio >= 1.0));

    let reads: [(&str, &str, Option<f64>); 3] = [
        ("top 100 of 10,000", "/api/v1/boards/bench/entries?limit=100", Some(50.0)),
        ("an owner's entry", "/api/v1/boards/bench/entries/owner00077", None),
        ("11 around an owner", "/api/v1/boards/bench/entries/owner00077/around", None),
    ];
    for (name, path, times) in reads {
        let mut rates = Rounds::default();
        for round in 0..=ROUNDS {
            let load =
                keeper.load(CALLERS, time / 2, move |_| ("GET", path.to_owned(), String::new()));
            let load = load.await?;
            println!("{engine}, {name}: {load:?}");
            if round > 0 {
                rates.push(load.per_s);
            }
        }
        let ratio = rates.median() / REPLACED_TOPS_PER_S;
        let budget = times.map(|times| format!("≥ {times} × 614")).unwrap_or_default();
        let holds = times.map(|times| ratio >= times);
        table.row(format!("{engine}, over HTTP, {name}, answers/s"), rates, budget, holds);
    }
    Ok(())
}

/// A score of one of the owners; neighbours in time are of different ones.
fn one(number: u64) -> (&'static str, String, String) {
    let (owner, score) = (number * 7_919 % OWNERS, number * 104_729 % 1_000_003);
    let body = format!("{{\"owner\":\"owner{owner:05}\",\"scores\":[{score}]}}");
    ("POST", "/api/v1/boards/bench/scores".to_owned(), body)
}

/// The scores of the next owners.
fn list(first: u64) -> String {
    let one = |number: u64| {
        let (owner, score) = (number % OWNERS, number * 104_729 % 1_000_003);
        format!("{{\"owner\":\"owner{owner:05}\",\"scores\":[{score}]}}")
    };
    let all: Vec<String> = (first..first + LIST_LEN).map(one).collect();
    format!("[{}]", all.join(","))
}

/// Redis that syncs its log before each answer.
struct Redis {
    child: Child,
    port: u16,
    _folder: tempfile::TempDir,
}

impl Redis {
    fn start() -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--appendonly", "yes"])
            .args(["--appendfsync", "always", "--dir"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .spawn()
            .context("start redis-server; `cargo xtask setup --bench` installs it")?;
        let redis = Self { child, port, _folder: folder };
        for _ in 0..500 {
            if std::net::TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(redis);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        anyhow::bail!("redis-server does not listen")
    }

    fn zadds_per_s(&self) -> anyhow::Result<f64> {
        let output = Command::new("redis-benchmark")
            .args(["-p", &self.port.to_string(), "-c", &CALLERS.to_string(), "-n", "100000", "-q"])
            .args(["--csv", "-r", &OWNERS.to_string()])
            .args(["zadd", "bench", "__rand_int__", "owner__rand_int__"])
            .output()
            .context("run redis-benchmark")?;
        let text = String::from_utf8_lossy(&output.stdout);
        let line = text.lines().last().context("redis-benchmark says nothing")?;
        let rate = line.split(',').nth(1).map(|rate| rate.trim_matches('"'));
        rate.and_then(|rate| rate.parse().ok()).with_context(|| format!("read `{line}`"))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}
