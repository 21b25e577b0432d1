//! Ten thousand who watch one board while it gets a thousand scores a second: how late a score comes to them.
//!
//! One score in a hundred goes to the top, and is the instant at which it was sent, in microseconds, so that whoever
//! gets it knows how late it is. Every watcher reads all that comes; one in a hundred looks at it.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use benches::{
    keeper::{self, Keeper},
    report::{Table, figure, quantile},
    server::{self, On},
};
use serde_json::Value;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpSocket, TcpStream},
    task::JoinSet,
};

/// As many from one address as the program takes.
const OF_ADDRESS: usize = 50;
const OWNERS: u64 = 10_000;
/// Scores of a list, and how often one is sent: a thousand scores a second.
const LIST_LEN: u64 = 10;
const LIST_EVERY: Duration = Duration::from_millis(10);
/// They are sent by so many in turn, so that one that waits for its answer does not keep the others.
const SENDERS: u64 = 16;
/// One list in so many has a score that goes to the top, as one in a hundred scores would by chance.
const TOP_ONCE_IN: u64 = 10;
/// Scores above it say when they were sent.
const TOP: u64 = 1_000_000;
/// One watcher in so many looks at what it gets.
const LOOKS: usize = 100;
const SECONDS: u64 = 20;

fn main() -> anyhow::Result<()> {
    let program = server::build_mainstay()?;
    let watchers = std::env::args().nth(1).and_then(|word| word.parse().ok()).unwrap_or(10_000);
    tokio::runtime::Runtime::new()?.block_on(measure(&program, watchers))
}

/// What watchers have seen.
#[derive(Default)]
struct Seen {
    late_ms: Mutex<Vec<f64>>,
    bytes: AtomicU64,
}

async fn measure(program: &std::path::Path, watchers: usize) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let settings = [("MAINSTAY_LIVE__CONNECTIONS_MAX", "20000")];
    keeper::make(program, folder.path(), &settings)?;
    let ours = server::mainstay(program, folder.path(), On::First, &settings)?;
    let keeper = Keeper::sign_in(ours.address).await?;
    let board =
        r#"{"title":"Bench","operator":"set","columns":[{"name":"at"}],"authoritative":true}"#;
    keeper.send("PUT", "/api/v1/boards/bench", board).await?;
    let began = Instant::now();
    for first in (0..OWNERS).step_by(1_000) {
        keeper.send("POST", "/api/v1/boards/bench/scores", &list(first, 1_000, None)).await?;
    }
    let before_mb = ours.resident_mb()?;
    let seen = Arc::new(Seen::default());
    let mut all = JoinSet::new();
    for number in 0..watchers {
        let stream =
            watch(ours.address, number).await.with_context(|| format!("watcher {number}"))?;
        let (seen, looks) = (seen.clone(), number % LOOKS == 0);
        all.spawn(async move { read(stream, looks, began, &seen).await });
    }
    let open_mb = ours.resident_mb()?;
    let mut keepers = Vec::new();
    for _ in 0..SENDERS {
        keepers.push(Keeper::sign_in(ours.address).await?);
    }
    let (cpu, start) = (ours.cpu_s()?, Instant::now());
    let mut senders = JoinSet::new();
    for (number, keeper) in (0..).zip(keepers) {
        senders.spawn(async move { send(&keeper, number, began).await });
    }
    let mut sent = 0;
    while let Some(done) = senders.join_next().await {
        sent += done.context("a sender panicked")??;
    }
    let (seconds, cpu) = (start.elapsed().as_secs_f64(), ours.cpu_s()? - cpu);
    let busy_mb = ours.resident_mb()?;
    tokio::time::sleep(Duration::from_secs(1)).await;
    all.shutdown().await;
    let mut late_ms =
        std::mem::take(&mut *seen.late_ms.lock().unwrap_or_else(PoisonError::into_inner));
    late_ms.sort_by(f64::total_cmp);
    if late_ms.is_empty() {
        bail!("nobody was told of a score");
    }
    let (median, p99) = (quantile(&late_ms, 0.5), quantile(&late_ms, 0.99));
    let mut table = Table::new();
    table.row(
        format!("{watchers} watchers, scores/s; MB/s that came to them; of the processor"),
        format!(
            "{}; {}; {} %",
            figure(sent as f64 / seconds),
            figure(seen.bytes.load(Ordering::Relaxed) as f64 / 1e6 / seconds),
            figure(cpu / seconds * 100.0)
        ),
        "",
        None,
    );
    table.row(
        format!("{watchers} watchers, a score is told after, ms: median; p99; worst"),
        format!("{}; {}; {}", figure(median), figure(p99), figure(quantile(&late_ms, 1.0))),
        "p99 ≤ 500",
        Some(p99 <= 500.0),
    );
    let of_one = |mb: f64| figure((mb - before_mb) * 1_000.0 / watchers as f64);
    table.row(
        "memory of a watcher, kB: at rest; while scores come",
        format!("{}; {}", of_one(open_mb), of_one(busy_mb)),
        "",
        None,
    );
    table.print();
    Ok(())
}

/// Sends its part of a thousand scores a second; how many they were.
async fn send(keeper: &Keeper, number: u64, began: Instant) -> anyhow::Result<u64> {
    let mut tick = tokio::time::interval(LIST_EVERY * SENDERS as u32);
    let (start, mut lists) = (Instant::now(), 0);
    while start.elapsed() < Duration::from_secs(SECONDS) {
        tick.tick().await;
        let first = (lists * SENDERS + number) * LIST_LEN;
        let now_us = (lists % TOP_ONCE_IN == 0).then(|| began.elapsed().as_micros() as u64);
        keeper.send("POST", "/api/v1/boards/bench/scores", &list(first, LIST_LEN, now_us)).await?;
        lists += 1;
    }
    Ok(lists * LIST_LEN)
}

/// Scores of the next owners; with an instant the first of them goes to the top.
fn list(first: u64, len: u64, now_us: Option<u64>) -> String {
    let one = |number: u64| {
        let (owner, below) = (number * 7_919 % OWNERS, number * 104_729 % 1_000);
        let score = now_us.filter(|_| number == first).map_or(below, |now_us| TOP + now_us);
        format!("{{\"owner\":\"owner{owner:05}\",\"scores\":[{score}]}}")
    };
    let all: Vec<String> = (first..first + len).map(one).collect();
    format!("[{}]", all.join(","))
}

/// Follows the board as an event stream, from an address that not too many others have.
async fn watch(address: SocketAddr, number: usize) -> anyhow::Result<TcpStream> {
    let socket = TcpSocket::new_v4()?;
    let [high, low] = ((number / OF_ADDRESS) as u16).to_be_bytes();
    socket.bind(SocketAddrV4::new(Ipv4Addr::new(127, 1, high, low), 0).into())?;
    let mut stream = socket.connect(address).await?;
    let request = "GET /api/v1/live/sse?topics=board:bench HTTP/1.1\r\nhost: localhost\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut head = [0; 12];
    stream.read_exact(&mut head).await?;
    if !head.ends_with(b"200") {
        bail!("it is refused: {}", String::from_utf8_lossy(&head));
    }
    Ok(stream)
}

async fn read(
    mut stream: TcpStream,
    looks: bool,
    began: Instant,
    seen: &Seen,
) -> anyhow::Result<()> {
    let (mut buffer, mut text) = (vec![0; 16 << 10], Vec::new());
    // An owner's newest score: what is told again, because somebody passed, is not late.
    let mut known: HashMap<String, u64> = HashMap::new();
    loop {
        let count = stream.read(&mut buffer).await?;
        if count == 0 {
            return Ok(());
        }
        seen.bytes.fetch_add(count as u64, Ordering::Relaxed);
        if !looks {
            continue;
        }
        let now_us = began.elapsed().as_micros() as u64;
        text.extend_from_slice(buffer.get(..count).unwrap_or_default());
        while let Some(end) = text.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = text.drain(..=end).collect();
            let data = line.strip_prefix(b"data: ").or(line.strip_prefix(b"data:"));
            let Some(data) = data else { continue };
            let Ok(message) = serde_json::from_slice::<Value>(data) else { continue };
            let entries = message["data"]["entries"].as_array();
            let entries = entries.or(message["entries"].as_array());
            for entry in entries.into_iter().flatten() {
                let (Some(owner), Some(at_us)) =
                    (entry["owner"].as_str(), entry["scores"][0].as_u64())
                else {
                    continue;
                };
                let new = known.insert(owner.to_owned(), at_us) != Some(at_us);
                if let Some(at_us) = at_us.checked_sub(TOP).filter(|_| new) {
                    let late_ms = now_us.saturating_sub(at_us) as f64 / 1e3;
                    seen.late_ms.lock().unwrap_or_else(PoisonError::into_inner).push(late_ms);
                }
            }
        }
    }
}
