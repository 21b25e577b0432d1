//! The one place that reads the time, so that a test can hold it still.

use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::{SystemTime, UNIX_EPOCH},
};

use mainstay_contract::ts::Ts;

/// Tells the wall-clock time. Cloning is cheap and keeps the same time.
#[derive(Clone, Debug, Default)]
pub struct Clock(Option<Arc<AtomicI64>>);

impl Clock {
    /// The machine's clock.
    pub fn system() -> Self {
        Self(None)
    }

    /// A clock that stands at `start` until [`Clock::advance_s`] moves it, for tests.
    pub fn manual(start: Ts) -> Self {
        Self(Some(Arc::new(AtomicI64::new(start.as_micros()))))
    }

    /// The present instant.
    pub fn now(&self) -> Ts {
        match &self.0 {
            Some(held) => Ts::from_micros(held.load(Ordering::Relaxed)),
            None => system_now(),
        }
    }

    /// Moves a manual clock forward; the machine's clock does not move.
    pub fn advance_s(&self, seconds: i64) {
        if let Some(held) = &self.0 {
            held.fetch_add(seconds.saturating_mul(1_000_000), Ordering::Relaxed);
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "the one reader of the machine's clock")]
fn system_now() -> Ts {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Ts::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
