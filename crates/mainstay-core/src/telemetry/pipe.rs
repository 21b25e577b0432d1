//! The way of all log lines: into a bounded buffer, then by one thread to the terminal or the file.
//!
//! A caller never waits for the disk or for whoever reads the terminal: it copies its line under a short lock. When the
//! writer cannot keep up and the buffer is full, lines are dropped and counted; the log then says how many.

use std::{
    io::{self, Write},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::{self, JoinHandle, Thread},
    time::{Duration, Instant},
};

use prometheus_client::metrics::counter::Counter;

use crate::clock::Clock;

/// Lines that are not urgent wait at most this long.
const DRAIN_EVERY: Duration = Duration::from_millis(20);
/// Written at once, so that a rotating file is not overfilled by one large write.
const CHUNK_BYTES: usize = 64 << 10;

/// Where lines go in. Cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Pipe {
    shared: Arc<Shared>,
    writer: Thread,
}

/// The writing thread; dropped, it writes what is left and ends.
#[derive(Debug)]
pub(super) struct PipeWriter {
    pipe: Pipe,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    buffer: Mutex<Buffer>,
    drained: Condvar,
    bytes_max: usize,
    dropped: Counter,
    failed: AtomicU64,
    ending: AtomicBool,
}

#[derive(Debug, Default)]
struct Buffer {
    lines: Vec<u8>,
    /// Bytes that ever came in, and those of them that are written.
    taken: u64,
    written: u64,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Buffer> {
        self.buffer.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Pipe {
    /// Starts the thread that writes to `out`. `bytes_max` bounds what waits.
    pub(super) fn start(
        out: impl Write + Send + 'static,
        bytes_max: usize,
        dropped: Counter,
    ) -> io::Result<PipeWriter> {
        let shared = Arc::new(Shared {
            buffer: Mutex::default(),
            drained: Condvar::new(),
            bytes_max,
            dropped,
            failed: AtomicU64::new(0),
            ending: AtomicBool::new(false),
        });
        let drained = shared.clone();
        let thread = thread::Builder::new()
            .name("mainstay-log".to_owned())
            .spawn(move || drain(&drained, out))?;
        let pipe = Self { shared, writer: thread.thread().clone() };
        Ok(PipeWriter { pipe, thread: Some(thread) })
    }

    /// Adds a line, which ends in a line feed; written within 20 ms.
    pub(super) fn push(&self, line: &[u8]) {
        let mut buffer = self.shared.lock();
        if buffer.lines.len() + line.len() > self.shared.bytes_max {
            drop(buffer);
            self.shared.dropped.inc();
            return;
        }
        buffer.lines.extend_from_slice(line);
        buffer.taken += line.len() as u64;
    }

    /// Adds a line that is to be written at once.
    pub(super) fn push_now(&self, line: &[u8]) {
        self.push(line);
        self.writer.unpark();
    }

    /// Waits until everything added so far is written, at most `limit`. Whether it is.
    pub(super) fn flush(&self, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        let mut buffer = self.shared.lock();
        let goal = buffer.taken;
        while buffer.written < goal {
            self.writer.unpark();
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            let waited = self.shared.drained.wait_timeout(buffer, left);
            buffer = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl PipeWriter {
    pub(super) fn pipe(&self) -> &Pipe {
        &self.pipe
    }
}

impl Drop for PipeWriter {
    fn drop(&mut self) {
        // Not joined: a reader that no longer reads must not keep the program from ending.
        self.pipe.flush(Duration::from_secs(2));
        self.pipe.shared.ending.store(true, Ordering::Release);
        self.pipe.writer.unpark();
        self.thread.take();
    }
}

fn drain(shared: &Shared, mut out: impl Write) {
    let mut lines = Vec::new();
    let mut told = 0;
    while !shared.ending.load(Ordering::Acquire) {
        std::mem::swap(&mut shared.lock().lines, &mut lines);
        if lines.is_empty() {
            thread::park_timeout(DRAIN_EVERY);
            continue;
        }
        let dropped = shared.dropped.get();
        if write(&mut out, &lines).is_err() {
            // There is nowhere to tell it but the metric.
            shared.failed.fetch_add(1, Ordering::Relaxed);
            shared.dropped.inc();
        } else if dropped > told {
            let lost = dropped - told;
            told = dropped;
            let now = Clock::system().now();
            let told = format!(
                "{{\"ts\":\"{now}\",\"level\":\"WARN\",\"message\":\"log lines lost\",\"lines\":{lost}}}\n"
            );
            let _counted_already = write(&mut out, told.as_bytes());
        }
        let mut buffer = shared.lock();
        buffer.written += lines.len() as u64;
        drop(buffer);
        shared.drained.notify_all();
        lines.clear();
        lines.shrink_to(CHUNK_BYTES);
        if !shared.ending.load(Ordering::Acquire) {
            thread::park_timeout(DRAIN_EVERY);
        }
    }
}

/// Writes whole lines in pieces of about [`CHUNK_BYTES`].
fn write(out: &mut impl Write, mut lines: &[u8]) -> io::Result<()> {
    while !lines.is_empty() {
        let window = &lines[..lines.len().min(CHUNK_BYTES)];
        let end = memchr::memrchr(b'\n', window)
            .or_else(|| memchr::memchr(b'\n', lines))
            .map_or(lines.len(), |at| at + 1);
        let (now, later) = lines.split_at(end);
        out.write_all(now)?;
        lines = later;
    }
    out.flush()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use std::sync::mpsc;

    use super::*;

    /// Passes on what is written, and waits for permission before each write.
    struct Gate(mpsc::Receiver<()>, Arc<Mutex<Vec<u8>>>);

    impl Write for Gate {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.recv().map_err(io::Error::other)?;
            self.1.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_full_buffer_drops_lines_counts_them_and_says_so() {
        let (open, gate) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let dropped = Counter::default();
        let writer = Pipe::start(Gate(gate, written.clone()), 20, dropped.clone()).unwrap();
        let pipe = writer.pipe();
        for _ in 0..10 {
            pipe.push(b"123456789\n"); // two fit while the writer stands; it may have taken two before
        }
        assert!((6..=8).contains(&dropped.get()), "{}", dropped.get());
        for _ in 0..10 {
            open.send(()).unwrap();
        }
        assert!(pipe.flush(Duration::from_secs(10)));
        pipe.push_now(b"later\n");
        assert!(pipe.flush(Duration::from_secs(10)));
        let written = String::from_utf8(written.lock().unwrap().clone()).unwrap();
        assert!(written.contains("\"lines\":"), "{written}");
        assert!(written.contains("later\n"));
    }

    #[test]
    fn lines_come_out_whole_and_in_order() {
        let (open, gate) = mpsc::channel();
        let written = Arc::new(Mutex::new(Vec::new()));
        let writer = Pipe::start(Gate(gate, written.clone()), 1 << 24, Counter::default()).unwrap();
        for _ in 0..1_000 {
            open.send(()).unwrap();
        }
        let mut wanted = String::new();
        for number in 0..50_000 {
            let line = format!("line {number}\n");
            writer.pipe().push(line.as_bytes());
            wanted.push_str(&line);
        }
        drop(writer);
        assert!(*written.lock().unwrap() == wanted.as_bytes());
    }
}
