//! Load by callers of our own: each sends its next request when the last is answered, and looks at every answer.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    task::JoinSet,
};

use crate::report::quantile;

/// What callers got.
#[derive(Debug, Clone)]
pub struct Load {
    /// Successful answers a second.
    pub per_s: f64,
    /// Successful answers.
    pub answers: u64,
    /// Other answers.
    pub failed: u64,
    /// 99 of 100 took at most so many milliseconds.
    pub p99_ms: f64,
}

/// Lets `callers` call again and again for `time`. `call` is told how many calls were begun before; it says whether the
/// answer was a success.
///
/// # Errors
/// The first error of a call.
pub async fn callers<C, F, Fut>(
    callers: usize,
    time: Duration,
    connect: impl Fn() -> C,
    call: F,
) -> anyhow::Result<Load>
where
    C: Send + 'static,
    F: Fn(C, u64) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = anyhow::Result<(C, bool)>> + Send,
{
    let (begun, over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
    let began = Instant::now();
    let mut all = JoinSet::new();
    for _ in 0..callers {
        let (begun, over, call) = (begun.clone(), over.clone(), call.clone());
        let mut state = connect();
        all.spawn(async move {
            let (mut took_ms, mut failed) = (Vec::new(), 0);
            while !over.load(Ordering::Relaxed) {
                let at = Instant::now();
                let success;
                (state, success) = call(state, begun.fetch_add(1, Ordering::Relaxed)).await?;
                match success {
                    true => took_ms.push(at.elapsed().as_secs_f64() * 1e3),
                    false => failed += 1,
                }
            }
            anyhow::Ok((took_ms, failed))
        });
    }
    tokio::time::sleep(time).await;
    over.store(true, Ordering::Relaxed);
    let (mut took_ms, mut failed) = (Vec::new(), 0);
    while let Some(done) = all.join_next().await {
        let (some, bad) = done.context("a caller panicked")??;
        took_ms.extend(some);
        failed += bad;
    }
    let seconds = began.elapsed().as_secs_f64();
    took_ms.sort_by(f64::total_cmp);
    let answers = took_ms.len() as u64;
    let p99_ms = quantile(&took_ms, 0.99);
    Ok(Load { per_s: answers as f64 / seconds, answers, failed, p99_ms })
}

/// As [`callers()`], of another program: all share one thread, so that as much as can be is left to that program.
///
/// # Errors
/// The first error of a call.
pub async fn callers_from_afar<C, F, Fut>(
    callers: usize,
    time: Duration,
    connect: impl Fn() -> C + Send + 'static,
    call: F,
) -> anyhow::Result<Load>
where
    C: Send + 'static,
    F: Fn(C, u64) -> Fut + Clone + Send + Sync + 'static,
    Fut: Future<Output = anyhow::Result<(C, bool)>> + Send,
{
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let work = move || runtime.block_on(self::callers(callers, time, connect, call));
    tokio::task::spawn_blocking(work).await.context("the callers panicked")?
}

/// A connection that is kept alive; connected when it is first used.
pub struct Connection {
    address: SocketAddr,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Connection {
    /// A connection to `address`.
    pub fn new(address: SocketAddr) -> Self {
        Self { address, stream: None, buffer: Vec::with_capacity(64 << 10) }
    }

    /// Sends a whole request and returns the status and the body. The answer must say its length or come in chunks.
    ///
    /// # Errors
    /// If the connection breaks.
    pub async fn send(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        let stream = match &mut self.stream {
            Some(stream) => stream,
            place => {
                let stream = TcpStream::connect(self.address).await.context("connect")?;
                stream.set_nodelay(true).context("connect")?;
                place.insert(stream)
            }
        };
        stream.write_all(request).await.context("send a request")?;
        self.buffer.clear();
        loop {
            let read = stream.read_buf(&mut self.buffer).await.context("read an answer")?;
            ensure!(read > 0, "the server closed the connection");
            let Some(head) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") else {
                continue;
            };
            let text = std::str::from_utf8(self.buffer.get(..head).unwrap_or_default())?;
            let (status, body) = read_head(text)?;
            let whole = match body {
                Body::Length(length) => self.buffer.len() >= head + 4 + length,
                Body::Chunks => join_chunks(&mut self.buffer, head + 4)?,
            };
            if whole {
                return Ok((status, self.buffer.get(head + 4..).unwrap_or_default()));
            }
        }
    }
}

/// A whole request; `headers` are lines that each end, or none.
pub fn request(headers: &str, method: &str, path: &str, body: &str) -> String {
    let length = body.len();
    let kind = if body.is_empty() { "" } else { "content-type: application/json\r\n" };
    format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\n{headers}{kind}content-length: {length}\r\n\r\n{body}"
    )
}

/// How the end of an answer is known.
#[derive(Debug, PartialEq, Eq)]
enum Body {
    Length(usize),
    Chunks,
}

fn read_head(head: &str) -> anyhow::Result<(u16, Body)> {
    let status = head.get(9..12).and_then(|status| status.parse().ok()).context("find a status")?;
    let body = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        if name.eq_ignore_ascii_case("transfer-encoding") {
            return value.trim().eq_ignore_ascii_case("chunked").then_some(Body::Chunks);
        }
        name.eq_ignore_ascii_case("content-length")
            .then(|| value.trim().parse().ok())?
            .map(Body::Length)
    });
    Ok((status, body.unwrap_or(Body::Length(0))))
}

/// Takes the lines of lengths out of the chunks that begin at `at`, once all are there; says whether they are.
fn join_chunks(buffer: &mut Vec<u8>, at: usize) -> anyhow::Result<bool> {
    // Cheap, and true of every whole answer without trailers, which nobody here sends.
    if !buffer.ends_with(b"0\r\n\r\n") {
        return Ok(false);
    }
    let mut body = Vec::with_capacity(buffer.len());
    let mut left = buffer.get(at..).unwrap_or_default();
    loop {
        let Some(line) = left.windows(2).position(|two| two == b"\r\n") else { return Ok(false) };
        let (length, rest) = left.split_at(line);
        let length = usize::from_str_radix(std::str::from_utf8(length)?, 16);
        let length = length.context("read the length of a chunk")?;
        if length == 0 {
            break;
        }
        let Some(chunk) = rest.get(2..2 + length) else { return Ok(false) };
        body.extend_from_slice(chunk);
        left = rest.get(2 + length + 2..).unwrap_or_default();
    }
    buffer.truncate(at);
    buffer.extend_from_slice(&body);
    Ok(true)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use super::*;

    #[test]
    fn a_head_is_read_whatever_the_case_of_its_names() {
        let head = "HTTP/1.1 201 Created\r\ncontent-type: text/plain\r\nContent-Length: 17";
        assert_eq!(read_head(head).unwrap(), (201, Body::Length(17)));
        assert_eq!(read_head("HTTP/1.1 204 No Content").unwrap(), (204, Body::Length(0)));
        let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked";
        assert_eq!(read_head(head).unwrap(), (200, Body::Chunks));
    }

    #[test]
    fn chunks_are_joined_when_the_last_is_there() {
        let all = b"head\r\n\r\n5\r\n0\r\n\r\n\r\na\r\n0123456789\r\n0\r\n\r\n";
        for end in 8..all.len() {
            let mut some = all.get(..end).unwrap().to_vec();
            assert!(!join_chunks(&mut some, 8).unwrap(), "{end}");
        }
        let mut buffer = all.to_vec();
        assert!(join_chunks(&mut buffer, 8).unwrap());
        assert_eq!(buffer, b"head\r\n\r\n0\r\n\r\n0123456789");
    }
}
