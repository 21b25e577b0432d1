//! How often each owner may submit to a board. Counted by each instance for itself.

use std::{
    collections::HashMap,
    hash::{BuildHasher as _, RandomState},
    sync::{Mutex, PoisonError},
};

use mainstay_core::limit::{Limit, LimitClass, Limiter};

use crate::model::board::Rate;

/// Owners that are told apart at a time; see [`Limiter`].
const OWNERS: usize = 65_536;
const NS_PER_S: i64 = 1_000_000_000;

pub(super) struct Rates {
    limiter: Limiter,
    hasher: RandomState,
    /// By board and rate; there are no more than an administrator has written.
    classes: Mutex<HashMap<(i64, u32, u32), LimitClass>>,
}

impl Default for Rates {
    fn default() -> Self {
        let limiter = Limiter::new(OWNERS);
        Self { limiter, hasher: RandomState::new(), classes: Mutex::default() }
    }
}

impl Rates {
    /// Counts `count` submissions of an owner on a board, all or none.
    ///
    /// # Errors
    /// The seconds after which they may come.
    pub(super) fn check(
        &self,
        (board_no, owner): (i64, &str),
        rate: Rate,
        count: u32,
        now_us: i64,
    ) -> Result<(), u32> {
        let mut classes = self.classes.lock().unwrap_or_else(PoisonError::into_inner);
        let class = *classes.entry((board_no, rate.max, rate.per_s)).or_insert_with(|| {
            let period_ns = i64::from(rate.per_s) * NS_PER_S;
            self.limiter.class("board", Limit::within(rate.max, period_ns, rate.max))
        });
        drop(classes);
        let owner = self.hasher.hash_one(owner);
        let decision = self.limiter.check_many(&class, owner, count, now_us);
        if decision.allowed { Ok(()) } else { Err(decision.retry_after_s) }
    }
}
