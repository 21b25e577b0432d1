//! Update with rank, rank, page and neighbourhood of the board engine, beside Redis' sorted sets.
//!
//! Ours is called in process. Redis is measured by its own `commandstats`: what a command took inside of the server,
//! without reading the request, writing the answer and the way between. Both get the same operations on the same
//! entries, in turn.
#![expect(clippy::print_stdout, reason = "printing figures is what benchmarks are for")]

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    process::{Child, Command, Stdio},
    slice,
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use benches::report::{Rounds, Table, figure};
use mainstay_testkit::Dice;
use svc_boards::engine::{Direction, Loader, Order, Ranking, Ties};

const OPERATIONS: usize = 200_000;
const ROUNDS: usize = 3;
/// Commands that are written to Redis at a time.
const CHUNK: usize = 50_000;
/// What Redis says when everything before is answered.
const END: &str = "everything is answered";
const SCORES: usize = 1_000_000_000;
const PAGE: usize = 100;
const AROUND: usize = 11;

fn main() -> anyhow::Result<()> {
    let named: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let sizes = if named.is_empty() { vec![1_000_000, 10_000_000] } else { named };
    let mut table = Table::new();
    for size in sizes {
        measure(size, &mut table)?;
    }
    table.print();
    Ok(())
}

fn measure(size: usize, table: &mut Table) -> anyhow::Result<()> {
    let mut dice = Dice::of(size as u64);
    let start = Instant::now();
    let mut loader = Loader::new(Order::new(vec![Direction::Desc], Ties::Owner));
    for number in 0..size {
        loader.push(&owner(number), &[dice.below(SCORES) as i64], number as u64);
    }
    let pushed = start.elapsed();
    let mut ranking = loader.finish();
    let loaded = start.elapsed();
    table.row(
        format!("{} entries loaded and sorted, s (of it sorting)", figure(size as f64)),
        format!("{:.2} ({:.2})", loaded.as_secs_f64(), (loaded - pushed).as_secs_f64()),
        "",
        None,
    );
    let redis = Redis::start()?;
    redis.load(size)?;
    let mut times = <[(Rounds, Rounds); 5]>::default();
    let mut seq = size as u64;
    for round in 0..=ROUNDS {
        let (ours, theirs) = (ours(&mut ranking, size, round, &mut seq), redis.round(size, round)?);
        println!("{size} entries, µs, ours {ours:.2?}, Redis {theirs:.2?}");
        if round == 0 {
            continue;
        }
        for ((mine, yours), (rounds, redis)) in ours.iter().zip(theirs).zip(&mut times) {
            rounds.push(*mine);
            redis.push(yours);
        }
    }
    let names = [
        "update with rank, in batches",
        "update with rank, one by one",
        "rank",
        "page of 100",
        "11 around an owner",
    ];
    for (name, (ours, redis)) in names.iter().zip(&times) {
        let ratio = redis.median() / ours.median();
        let update = name.starts_with("update");
        table.row(
            format!("{} entries, {name}, µs: ours; Redis; times", figure(size as f64)),
            format!("{ours}; {redis}; {}", figure(ratio)),
            if update { "≥ 3, goal 5" } else { "" },
            update.then_some(ratio >= 3.0),
        );
    }
    let own = (ranking.memory_bytes() - ranking.name_bytes()) as f64 / ranking.len() as f64;
    table.row(
        format!("{} entries, bytes each besides the owner's name", figure(size as f64)),
        figure(own),
        "≤ 48",
        Some(own <= 48.0),
    );
    table.row(
        format!("{} entries, bytes each with the name: ours; Redis", figure(size as f64)),
        format!("{}; {}", figure(ranking.memory_bytes() as f64 / size as f64), redis.bytes(size)?),
        "",
        None,
    );
    Ok(())
}

/// 16 bytes, as an id has.
fn owner(number: usize) -> String {
    format!("{:016x}", (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15))
}

/// Owners of a round, and for each a score.
fn picks(size: usize, round: usize) -> Vec<(String, i64)> {
    let mut dice = Dice::of(0xb0a2d + round as u64);
    (0..OPERATIONS).map(|_| (owner(dice.below(size)), dice.below(SCORES) as i64)).collect()
}

/// µs of each kind of operation.
fn ours(ranking: &mut Ranking, size: usize, round: usize, seq: &mut u64) -> [f64; 5] {
    let picks = picks(size, round);
    let mut dice = Dice::of(round as u64);
    let places: Vec<u64> = picks.iter().map(|_| dice.below(size - PAGE) as u64).collect();
    let each = |time: Duration| time.as_secs_f64() * 1e6 / OPERATIONS as f64;
    let mut seen = 0_u64;

    let start = Instant::now();
    for (owner, score) in &picks {
        *seq += 1;
        seen ^= ranking.put(owner, &[*score], *seq).after;
    }
    let update = each(start.elapsed());
    // As the facts of a busy board come: many scores in each. Other owners, lest they are near already.
    let others = self::picks(size, round + ROUNDS + 1);
    let start = Instant::now();
    for some in others.chunks(Ranking::PREFETCH_MAX) {
        let owners = some.iter().map(|(owner, _)| &**owner);
        ranking.prefetch(owners, some.iter().map(|(_, score)| slice::from_ref(score)));
        for (owner, score) in some {
            *seq += 1;
            seen ^= ranking.put(owner, &[*score], *seq).after;
        }
    }
    let batch = each(start.elapsed());
    let start = Instant::now();
    for (owner, _) in &picks {
        seen ^= ranking.standing(owner).map_or(0, |standing| standing.rank);
    }
    let rank = each(start.elapsed());
    let start = Instant::now();
    for place in &places {
        seen ^= ranking.range(*place, PAGE).len() as u64;
    }
    let page = each(start.elapsed());
    let start = Instant::now();
    for (owner, _) in &picks {
        let place = ranking.standing(owner).map_or(0, |standing| standing.place);
        seen ^= ranking.range(place.saturating_sub(5), AROUND).len() as u64;
    }
    let around = each(start.elapsed());
    std::hint::black_box(seen);
    [batch, update, rank, page, around]
}

/// Redis that keeps nothing on disk.
struct Redis {
    child: Child,
    port: u16,
}

impl Redis {
    fn start() -> anyhow::Result<Self> {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let child = Command::new("redis-server")
            .args(["--port", &port.to_string(), "--save", "", "--appendonly", "no"])
            .stdout(Stdio::null())
            .spawn()
            .context("start redis-server; `cargo xtask setup` installs it")?;
        let redis = Self { child, port };
        for _ in 0..500 {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(redis);
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        anyhow::bail!("redis-server does not listen")
    }

    fn cli(&self) -> Command {
        let mut command = Command::new("redis-cli");
        command.args(["-p", &self.port.to_string()]);
        command
    }

    fn ask(&self, words: &[&str]) -> anyhow::Result<String> {
        let output = self.cli().args(words).output().context("run redis-cli")?;
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Sends commands as fast as they are taken, and passes over the answers, among which may be no error.
    fn pipe(&self, count: usize, mut next: impl FnMut(usize, &mut String)) -> anyhow::Result<()> {
        let mut input = TcpStream::connect(("127.0.0.1", self.port))?;
        let output = input.try_clone()?;
        let answers = std::thread::spawn(move || pass_over(output));
        let mut text = String::new();
        for number in 0..count {
            next(number, &mut text);
            if number % CHUNK == 0 {
                input.write_all(text.as_bytes())?;
                text.clear();
            }
        }
        line(&mut text, &["ECHO", END]);
        input.write_all(text.as_bytes())?;
        match answers.join() {
            Ok(passed) => passed,
            Err(_panicked) => anyhow::bail!("reading what Redis answers panicked"),
        }
    }

    fn load(&self, size: usize) -> anyhow::Result<()> {
        let mut dice = Dice::of(size as u64);
        self.pipe(size, |number, text| {
            line(text, &["ZADD", "b", &dice.below(SCORES).to_string(), &owner(number)]);
        })
    }

    /// µs of each kind of operation, as the server counts them.
    fn round(&self, size: usize, round: usize) -> anyhow::Result<[f64; 5]> {
        let picks = picks(size, round);
        let mut dice = Dice::of(round as u64);
        let places: Vec<usize> = picks.iter().map(|_| dice.below(size - PAGE)).collect();
        let each = |number: usize| picks.get(number).map(|(owner, score)| (&**owner, *score));
        self.ask(&["CONFIG", "RESETSTAT"])?;
        self.pipe(OPERATIONS, |number, text| {
            if let Some((owner, score)) = each(number) {
                line(text, &["ZADD", "b", &score.to_string(), owner]);
                line(text, &["ZREVRANK", "b", owner]);
            }
        })?;
        let stats = self.ask(&["INFO", "commandstats"])?;
        let update = took(&stats, "zadd")? + took(&stats, "zrevrank")?;
        // Asked right after the update, what a rank looks at is in the processor's cache; here it is not.
        self.ask(&["CONFIG", "RESETSTAT"])?;
        self.pipe(OPERATIONS, |number, text| {
            if let Some((owner, _)) = each(number) {
                line(text, &["ZREVRANK", "b", owner]);
            }
        })?;
        let rank = took(&self.ask(&["INFO", "commandstats"])?, "zrevrank")?;
        // A neighbourhood is asked for by place once the rank is known.
        let mut ranges = [0.0; 2];
        for (len, took_us) in [PAGE, AROUND].into_iter().zip(&mut ranges) {
            self.ask(&["CONFIG", "RESETSTAT"])?;
            self.pipe(OPERATIONS, |number, text| {
                let first = places.get(number).copied().unwrap_or_default();
                let (first, last) = (first.to_string(), (first + len - 1).to_string());
                line(text, &["ZREVRANGE", "b", &first, &last, "WITHSCORES"]);
            })?;
            *took_us = took(&self.ask(&["INFO", "commandstats"])?, "zrevrange")?;
        }
        let [page, range] = ranges;
        Ok([update, update, rank, page, rank + range])
    }

    fn bytes(&self, size: usize) -> anyhow::Result<String> {
        let used = self.ask(&["MEMORY", "USAGE", "b", "SAMPLES", "1000"])?;
        let used: f64 = used.trim().parse().with_context(|| format!("read `{used}`"))?;
        Ok(figure(used / size as f64))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// Reads answers up to [`END`].
fn pass_over(mut output: TcpStream) -> anyhow::Result<()> {
    let (mut buffer, mut tail) = (vec![0; 1 << 16], Vec::new());
    loop {
        let count = output.read(&mut buffer)?;
        ensure!(count > 0, "Redis closed the connection");
        tail.extend_from_slice(buffer.get(..count).unwrap_or_default());
        ensure!(!tail.windows(3).any(|three| three == b"\r\n-"), "Redis refused a command");
        if tail.windows(END.len()).any(|part| part == END.as_bytes()) {
            return Ok(());
        }
        let kept = tail.len().saturating_sub(END.len());
        tail.drain(..kept);
    }
}

/// Adds a command as Redis reads it fastest.
fn line(text: &mut String, words: &[&str]) {
    text.push_str(&format!("*{}\r\n", words.len()));
    for word in words {
        text.push_str(&format!("${}\r\n{word}\r\n", word.len()));
    }
}

/// µs for each call of a command.
fn took(stats: &str, command: &str) -> anyhow::Result<f64> {
    let start = format!("cmdstat_{command}:");
    let line = stats.lines().find_map(|line| line.strip_prefix(&start));
    let line = line.with_context(|| format!("{command} is not among: {stats}"))?;
    let calls = line.split(',').find_map(|field| field.strip_prefix("usec_per_call="));
    calls.and_then(|us| us.trim().parse().ok()).with_context(|| format!("read `{line}`"))
}
