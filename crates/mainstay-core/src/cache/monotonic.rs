//! The one place where the cache asks what time it is.

use std::{
    io,
    sync::{
        Arc, Weak,
        atomic::{AtomicI64, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

/// How far the coarse clock may lag while the process is scheduled normally.
const TICK: Duration = Duration::from_millis(5);

/// Time that never goes back, in microseconds since it was started. Cheap to clone.
///
/// Reading the system's clock costs as much as a whole cache hit, so there is a coarse reading beside the exact one.
#[derive(Debug, Clone)]
pub struct Mono(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    /// `None` when time is moved by hand.
    anchor: Option<Instant>,
    coarse: AtomicI64,
}

impl Mono {
    /// Starts the clock and the thread that moves its coarse reading; the thread ends when the last clone is dropped.
    ///
    /// # Errors
    /// When the system refuses another thread.
    pub fn start() -> io::Result<Self> {
        let inner = Arc::new(Inner { anchor: Some(Instant::now()), coarse: AtomicI64::new(0) });
        let ticked = Arc::downgrade(&inner);
        thread::Builder::new().name("mainstay-tick".to_owned()).spawn(move || tick(&ticked))?;
        Ok(Self(inner))
    }

    /// A clock that stands still until [`Mono::advance_ms`]: for tests and simulations.
    pub fn manual() -> Self {
        Self(Arc::new(Inner { anchor: None, coarse: AtomicI64::new(0) }))
    }

    /// Moves a clock made by [`Mono::manual`]; does nothing to one that runs by itself.
    pub fn advance_ms(&self, ms: i64) {
        if self.0.anchor.is_none() {
            self.0.coarse.fetch_add(ms.saturating_mul(1_000), Ordering::AcqRel);
        }
    }

    /// Microseconds since the start, exact.
    pub fn now(&self) -> i64 {
        match self.0.anchor {
            Some(anchor) => micros(anchor.elapsed()),
            None => self.0.coarse.load(Ordering::Acquire),
        }
    }

    /// Microseconds since the start, up to 5 ms behind [`Mono::now`], for about one nanosecond.
    pub fn coarse(&self) -> i64 {
        self.0.coarse.load(Ordering::Relaxed)
    }
}

/// Without the division by a variable that `as_micros` would cost.
fn micros(time: Duration) -> i64 {
    let seconds = i64::try_from(time.as_secs()).unwrap_or(i64::MAX);
    seconds.saturating_mul(1_000_000).saturating_add(i64::from(time.subsec_micros()))
}

fn tick(clock: &Weak<Inner>) {
    while let Some(inner) = clock.upgrade() {
        let now = Mono(inner.clone()).now();
        inner.coarse.store(now, Ordering::Relaxed);
        drop(inner);
        thread::sleep(TICK);
    }
}

/// Milliseconds since the Unix epoch, for deadlines that several instances must understand.
#[expect(
    clippy::disallowed_methods,
    reason = "a lease is shared with other machines, whose time no test holds still"
)]
pub(super) fn wall_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
