//! Scores a second over HTTP, one by one and in lists, and pages of a board, beside Redis' `ZADD` and Nakama.
//!
//! Redis is asked by `redis-benchmark` with as many connections as lists are sent by, and no pipelining, in turn with
//! us. It answers when its log is synced; so do we. Its set has as many members as our board has owners.
//!
//! `--nakama PATH` names an executable of Nakama, which is then asked over HTTP, in turn too, by as many callers about
//! as many owners; its Postgres syncs each commit. The first other word is how many seconds a round takes.
//!
//! Single scores are sent by few callers, who leave processors idle while the disk syncs, and by very many.
#![expect(clippy::print_stdout, reason = "printing figures is what benchmarks are for")]

use std::{
    fmt,
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::Context as _;
use benches::{
    client::Load,
    keeper::{self, Keeper},
    nakama::{Nakama, Page},
    report::{Rounds, Table, figure},
    server::{self, On, Server},
};
use mainstay_testkit::Postgres;

const CALLERS: usize = 64;
const MANY_CALLERS: usize = 1_024;
const OWNERS: u64 = 10_000;
const ROUNDS: u64 = 3;
/// Scores of a list.
const LIST_LEN: u64 = 1_000;
/// What the system that Boards replaces did, on a machine of this kind: an update that is kept nowhere, and a top 100.
const REPLACED_UPDATES_PER_S: f64 = 14_700.0;
const REPLACED_TOPS_PER_S: f64 = 614.0;
/// Numbers of calls that a round has for itself: a score that is there already would cost less to write.
const CALLS_OF_A_ROUND: u64 = 1 << 32;

fn main() -> anyhow::Result<()> {
    let Arguments { time, nakama } = Arguments::read()?;
    let program = server::build_mainstay()?;
    let runtime = tokio::runtime::Runtime::new()?;
    let nakama = nakama.map(|nakama| runtime.block_on(start_nakama(&nakama))).transpose()?;
    let peers = Peers { redis: Redis::start()?, nakama };
    let mut table = Table::new();

    let folder = tempfile::tempdir()?;
    runtime.block_on(measure(&program, folder.path(), None, &peers, time, &mut table))?;
    let engine = Postgres::durable()?;
    let url = runtime.block_on(engine.create_database())?;
    let folder = tempfile::tempdir()?;
    runtime.block_on(measure(&program, folder.path(), Some(&url), &peers, time, &mut table))?;
    table.print();
    Ok(())
}

/// What the command line asks for.
struct Arguments {
    /// How long a round takes.
    time: Duration,
    /// The executable of Nakama.
    nakama: Option<PathBuf>,
}

impl Arguments {
    fn read() -> anyhow::Result<Self> {
        let (mut seconds, mut nakama) = (None, None);
        let mut words = std::env::args().skip(1);
        while let Some(word) = words.next() {
            if word == "--nakama" {
                nakama = Some(words.next().context("--nakama needs the path of an executable")?);
            } else if let Some(path) = word.strip_prefix("--nakama=") {
                nakama = Some(path.to_owned());
            } else if !word.starts_with("--program=") && seconds.is_none() {
                let number =
                    word.parse().with_context(|| format!("`{word}` is no number of seconds"))?;
                seconds = Some(number);
            }
        }
        let time = Duration::from_secs(seconds.unwrap_or(4));
        Ok(Self { time, nakama: nakama.map(PathBuf::from) })
    }
}

/// Who is measured beside us.
struct Peers {
    redis: Redis,
    nakama: Option<Nakama>,
}

async fn start_nakama(program: &Path) -> anyhow::Result<Nakama> {
    let nakama = Nakama::start(program, OWNERS).await?;
    println!("Nakama {}, {OWNERS} users", nakama.version());
    Ok(nakama)
}

async fn measure(
    program: &Path,
    data: &Path,
    url: Option<&str>,
    peers: &Peers,
    time: Duration,
    table: &mut Table,
) -> anyhow::Result<()> {
    let engine = if url.is_some() { "Postgres" } else { "SQLite" };
    let settings: Vec<(&str, &str)> =
        url.map(|url| ("MAINSTAY_DB__URL", url)).into_iter().collect();
    keeper::make(program, data, &settings)?;
    let server = server::mainstay(program, data, On::All, &settings)?;
    let keeper = Keeper::sign_in(server.address).await?;
    let settings =
        r#"{"title":"Bench","operator":"set","columns":[{"name":"points"}],"authoritative":true}"#;
    keeper.send("PUT", "/api/v1/boards/bench", settings).await?;
    for first in (0..OWNERS).step_by(LIST_LEN as usize) {
        keeper.send("POST", "/api/v1/boards/bench/scores", &list(first)).await?;
    }
    let ours = Ours { engine, server, keeper, peers, time };
    let mut first = 0;
    for callers in [CALLERS, MANY_CALLERS] {
        ours.singles(callers, first, table).await?;
        first += (ROUNDS + 1) * CALLS_OF_A_ROUND;
    }
    ours.lists(table).await?;
    ours.pages(table).await
}

/// What rounds of the same requests gave.
#[derive(Default)]
struct Measured {
    per_s: Rounds,
    p99_ms: Rounds,
    cpu_us: Rounds,
    failed: u64,
}

impl Measured {
    /// Adds what a round gave that took `cpu_s` of the server.
    fn push(&mut self, load: &Load, cpu_s: f64) {
        self.per_s.push(load.per_s);
        self.p99_ms.push(load.p99_ms);
        self.cpu_us.push(cpu_s * 1e6 / load.answers as f64);
    }
}

impl fmt::Display for Measured {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}; {}; {}", self.per_s, self.p99_ms, self.cpu_us)
    }
}

/// Our side, on one engine, and whoever takes turns with it. The first round of each measurement warms up.
struct Ours<'a> {
    engine: &'static str,
    server: Server,
    keeper: Keeper,
    peers: &'a Peers,
    time: Duration,
}

impl Ours<'_> {
    /// `first` is the number of the first call.
    async fn singles(&self, callers: usize, first: u64, table: &mut Table) -> anyhow::Result<()> {
        let engine = self.engine;
        let (mut ours, mut nakamas) = (Measured::default(), Measured::default());
        for round in 0..=ROUNDS {
            let first = first + round * CALLS_OF_A_ROUND;
            let cpu_s = self.server.cpu_s()?;
            let load = self.keeper.load(callers, self.time, move |number| one(first + number));
            let load = load.await?;
            println!("{engine}, single scores of {callers}: {load:?}");
            ours.failed += load.failed;
            if round > 0 {
                ours.push(&load, self.server.cpu_s()? - cpu_s);
            }
            let Some(nakama) = &self.peers.nakama else { continue };
            let cpu_s = nakama.cpu_s()?;
            let load = nakama.write(callers, self.time, move |number| score(first + number));
            let load = load.await?;
            println!("Nakama, single scores of {callers}: {load:?}");
            nakamas.failed += load.failed;
            if round > 0 {
                nakamas.push(&load, nakama.cpu_s()? - cpu_s);
            }
        }
        let what = format!("{callers} callers, over HTTP, single scores/s");
        let failed = ours.failed;
        let row = format!("{engine}, {what} ({failed} failed); p99 ms; µs of CPU each");
        table.row(row, &ours, "", None);
        let ratio = ours.per_s.median() / REPLACED_UPDATES_PER_S;
        let row = format!("{engine}, {callers} callers ÷ replaced system (14.7 k/s, kept nowhere)");
        table.row(row, figure(ratio), "≥ 2", Some(ratio >= 2.0));
        if self.peers.nakama.is_some() {
            let failed = nakamas.failed;
            let row = format!(
                "Nakama, in turn with {engine}, {what} ({failed} failed); p99 ms; µs of CPU each"
            );
            table.row(row, &nakamas, "", None);
            let ratio = ours.per_s.median() / nakamas.per_s.median();
            let row = format!("{engine}, {callers} callers ÷ Nakama's");
            table.row(row, figure(ratio), "≥ 10", Some(ratio >= 10.0));
        }
        Ok(())
    }

    async fn lists(&self, table: &mut Table) -> anyhow::Result<()> {
        let (engine, sqlite) = (self.engine, self.engine == "SQLite");
        let (mut lists, mut cpu_us, mut zadds) =
            (Rounds::default(), Rounds::default(), Rounds::default());
        for round in 0..=ROUNDS {
            let cpu = self.server.cpu_s()?;
            let load = self.keeper.load(CALLERS, self.time, |number| {
                ("POST", "/api/v1/boards/bench/scores".to_owned(), list(number * LIST_LEN))
            });
            let load = load.await?;
            println!("{engine}, lists of {LIST_LEN}: {load:?}");
            if round > 0 {
                lists.push(load.per_s * LIST_LEN as f64);
                cpu_us.push((self.server.cpu_s()? - cpu) * 1e6 / (load.answers * LIST_LEN) as f64);
            }
            let zadd = self.peers.redis.zadds_per_s()?;
            println!("Redis, ZADD, appendfsync always: {}/s", figure(zadd));
            if round > 0 {
                zadds.push(zadd);
            }
        }
        let what = format!("{engine}, over HTTP, scores/s in lists of {LIST_LEN}; µs of CPU each");
        let budget = if sqlite { "≥ 50,000" } else { "" };
        let holds = sqlite.then(|| lists.median() >= 50_000.0);
        table.row(what, format!("{lists}; {cpu_us}"), budget, holds);
        let ratio = lists.median() / zadds.median();
        let what =
            format!("{engine}, scores in lists ÷ Redis' ZADD, appendfsync always ({zadds}/s)");
        table.row(what, figure(ratio), "≥ 1", Some(ratio >= 1.0));
        Ok(())
    }

    async fn pages(&self, table: &mut Table) -> anyhow::Result<()> {
        let engine = self.engine;
        let entries = "/api/v1/boards/bench/entries";
        let reads = [
            ("top 100 of 10,000", format!("{entries}?limit=100"), Some(50.0), Some(Page::Top)),
            ("an owner's entry", format!("{entries}/owner00077"), None, None),
            (
                "11 around an owner",
                format!("{entries}/owner00077/around"),
                None,
                Some(Page::Around),
            ),
        ];
        for (name, path, times, page) in reads {
            let (mut rates, mut nakamas) = (Rounds::default(), Rounds::default());
            let other = self.peers.nakama.as_ref().zip(page);
            for round in 0..=ROUNDS {
                let path = path.clone();
                let next = move |_| ("GET", path.clone(), String::new());
                let load = self.keeper.load(CALLERS, self.time / 2, next).await?;
                println!("{engine}, {name}: {load:?}");
                if round > 0 {
                    rates.push(load.per_s);
                }
                let Some((nakama, page)) = other else { continue };
                let load = nakama.read(CALLERS, self.time / 2, page).await?;
                println!("Nakama, {name}: {load:?}");
                if round > 0 {
                    nakamas.push(load.per_s);
                }
            }
            let ratio = rates.median() / REPLACED_TOPS_PER_S;
            let budget = times.map(|times| format!("≥ {times} × 614")).unwrap_or_default();
            let holds = times.map(|times| ratio >= times);
            table.row(format!("{engine}, over HTTP, {name}, answers/s"), &rates, budget, holds);
            if other.is_some() {
                let ratio = figure(rates.median() / nakamas.median());
                table.row(format!("{engine}, {name} ÷ Nakama's ({nakamas}/s)"), ratio, "", None);
            }
        }
        Ok(())
    }
}

/// The place of an owner and its score; neighbours in time are of different owners.
fn score(number: u64) -> (u64, u64) {
    (number * 7_919 % OWNERS, number * 104_729 % 1_000_003)
}

/// The request of such a score.
fn one(number: u64) -> (&'static str, String, String) {
    let (owner, score) = score(number);
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
