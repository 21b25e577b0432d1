//! Rate limits in this process: the generic cell rate algorithm over a table of fixed size.
//!
//! A caller may send `burst` requests at once and gets one back every `interval`. For each caller one number is kept,
//! the moment at which everything will be given back, so a check costs one short lock and no allocation.
//! There is no clock here: the caller passes the time, in microseconds of any clock that does not go back.
//!
//! **Bound:** the table never grows. Each caller has eight places it may be in; when all are taken, the one that is
//! nearest to a full recovery (mostly: has long recovered) gives way. So a flood of callers can cost others a
//! little accuracy, in their favour and at most one burst each, and never memory.

use std::{
    hash::{BuildHasher, Hasher},
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use foldhash::quality::RandomState;

/// Places that a caller may be in.
const WAYS: usize = 8;
const NS_PER_S: i64 = 1_000_000_000;

/// How much a caller may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limit {
    interval_ns: i64,
    burst: u32,
}

impl Limit {
    /// `count` requests a second in the long run, `burst` at once. Zeros count as one.
    pub const fn per_s(count: u32, burst: u32) -> Self {
        Self::within(count, NS_PER_S, burst)
    }

    /// `count` requests a minute in the long run, `burst` at once. Zeros count as one.
    pub const fn per_min(count: u32, burst: u32) -> Self {
        Self::within(count, 60 * NS_PER_S, burst)
    }

    /// `count` requests in `period_ns` nanoseconds in the long run, `burst` at once. Zeros count as one.
    pub const fn within(count: u32, period_ns: i64, burst: u32) -> Self {
        let count = if count == 0 { 1 } else { count };
        let burst = if burst == 0 { 1 } else { burst };
        let interval_ns = period_ns / count as i64;
        // No finer than the clock: more than a thousand million requests a second are not told apart.
        Self { interval_ns: if interval_ns == 0 { 1 } else { interval_ns }, burst }
    }

    /// An instance's part when `instances` of them cannot count together; each keeps a burst of one at least.
    #[must_use]
    pub const fn shared_by(self, instances: u32) -> Self {
        let instances = if instances == 0 { 1 } else { instances };
        let burst = if self.burst / instances == 0 { 1 } else { self.burst / instances };
        Self { interval_ns: self.interval_ns.saturating_mul(instances as i64), burst }
    }

    /// Requests at once.
    pub const fn burst(self) -> u32 {
        self.burst
    }

    /// The time in which a caller recovers fully, in nanoseconds.
    const fn depth_ns(self) -> i64 {
        self.interval_ns.saturating_mul(self.burst as i64)
    }
}

/// A named limit; callers are counted for each class apart.
#[derive(Debug, Clone, Copy)]
pub struct LimitClass {
    /// Stable lower-case name, for metrics and configuration.
    pub name: &'static str,
    /// What a caller may do in it.
    pub limit: Limit,
    id: u64,
}

/// The answer to one request. The fields are the values of the headers of the same name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decision {
    /// Whether the request may go on.
    pub allowed: bool,
    /// `RateLimit-Limit`: requests at once.
    pub limit: u32,
    /// `RateLimit-Remaining`: requests that would be allowed right now.
    pub remaining: u32,
    /// `RateLimit-Reset`: seconds until all are available again, rounded up.
    pub reset_s: u32,
    /// `Retry-After`: seconds until the next request is allowed, rounded up, at least 1; 0 when this one is allowed.
    pub retry_after_s: u32,
}

/// Who has done how much, in this process.
#[derive(Debug)]
pub struct Limiter {
    buckets: Box<[Mutex<[Place; WAYS]>]>,
    /// Random, so that nobody can choose callers that share a bucket.
    hasher: RandomState,
    classes: AtomicU64,
    displaced: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
struct Place {
    key: u64,
    /// When this caller will have recovered, in nanoseconds; the algorithm's theoretical arrival time.
    full_at: i64,
}

const FREE: Place = Place { key: 0, full_at: i64::MIN };

impl Limiter {
    /// A table for `callers` that are active at the same time (at least 64); 34 bytes each, since it is made twice as
    /// large: then about one new caller in twenty finds its eight places taken.
    pub fn new(callers: usize) -> Self {
        let buckets = (callers.clamp(64, 1 << 24) * 2).div_ceil(WAYS).next_power_of_two();
        Self {
            buckets: (0..buckets).map(|_| Mutex::new([FREE; WAYS])).collect(),
            hasher: RandomState::default(),
            classes: AtomicU64::new(1),
            displaced: AtomicU64::new(0),
        }
    }

    /// A class of its own. Made at start; classes with the same name are apart too.
    pub fn class(&self, name: &'static str, limit: Limit) -> LimitClass {
        LimitClass { name, limit, id: self.classes.fetch_add(1, Ordering::Relaxed) }
    }

    /// Whether `caller` (a hash of a key, a user or an address) may send one more request at `now_us`.
    pub fn check(&self, class: &LimitClass, caller: u64, now_us: i64) -> Decision {
        self.check_many(class, caller, 1, now_us)
    }

    /// Whether `caller` may send `count` more requests together at `now_us`: all of them, or none is counted. More than
    /// the burst are never allowed.
    pub fn check_many(&self, class: &LimitClass, caller: u64, count: u32, now_us: i64) -> Decision {
        let now = now_us.saturating_mul(1_000);
        let limit = class.limit;
        let key = self.key(class, caller);
        let mut places = self.bucket(key);
        let place = self.place(&mut places, key, now);
        let full_at = limit.believed(place.full_at, now);
        let cost = limit.interval_ns.saturating_mul(i64::from(count));
        let debt_if_allowed = (full_at - now).saturating_add(cost);
        if debt_if_allowed <= limit.depth_ns() {
            place.full_at = full_at + cost;
            limit.decide(true, debt_if_allowed, 0)
        } else {
            limit.decide(false, full_at - now, debt_if_allowed - limit.depth_ns())
        }
    }

    /// What [`Limiter::check`] would say, without counting anything.
    pub fn look(&self, class: &LimitClass, caller: u64, now_us: i64) -> Decision {
        let (now, limit) = (now_us.saturating_mul(1_000), class.limit);
        let key = self.key(class, caller);
        let places = *self.bucket(key);
        let known = places.iter().find(|place| place.key == key).unwrap_or(&FREE);
        let debt = limit.believed(known.full_at, now) - now + limit.interval_ns;
        let over = debt - limit.depth_ns();
        limit.decide(over <= 0, if over <= 0 { debt } else { debt - limit.interval_ns }, over)
    }

    /// Callers that had not fully recovered when they gave way; above zero the table is too small for the traffic.
    pub fn displaced(&self) -> u64 {
        self.displaced.load(Ordering::Relaxed)
    }

    fn key(&self, class: &LimitClass, caller: u64) -> u64 {
        let mut hasher = self.hasher.build_hasher();
        hasher.write_u64(class.id);
        hasher.write_u64(caller);
        hasher.finish() | 1 // 0 marks a free place
    }

    /// The places that a caller may be in. Nothing panics while they are held.
    fn bucket(&self, key: u64) -> MutexGuard<'_, [Place; WAYS]> {
        let bucket = &self.buckets[(key >> 32) as usize & (self.buckets.len() - 1)];
        bucket.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller's place, or the one that gives way to it.
    fn place<'a>(&self, places: &'a mut [Place; WAYS], key: u64, now: i64) -> &'a mut Place {
        let mut chosen = 0;
        for (at, place) in places.iter().enumerate() {
            if place.key == key {
                chosen = at;
                break;
            }
            if place.full_at < places[chosen].full_at {
                chosen = at;
            }
        }
        let place = &mut places[chosen];
        if place.key != key {
            if place.full_at > now {
                self.displaced.fetch_add(1, Ordering::Relaxed);
            }
            *place = Place { key, ..FREE };
        }
        place
    }
}

impl Limit {
    /// When the caller will have recovered, at `now`. More than a full depth ahead cannot be unless the clock went
    /// back; then the debt is not carried along.
    fn believed(self, full_at: i64, now: i64) -> i64 {
        full_at.clamp(now, now.saturating_add(self.depth_ns()))
    }

    /// The answer when the caller's debt is `debt` nanoseconds and the next request may come in `wait`.
    fn decide(self, allowed: bool, debt: i64, wait: i64) -> Decision {
        let seconds =
            |ns: i64| u32::try_from((ns.max(0) + NS_PER_S - 1) / NS_PER_S).unwrap_or(u32::MAX);
        let remaining = (self.depth_ns() - debt).max(0) / self.interval_ns;
        Decision {
            allowed,
            limit: self.burst,
            remaining: u32::try_from(remaining).unwrap_or(self.burst),
            reset_s: seconds(debt),
            retry_after_s: if allowed { 0 } else { seconds(wait).max(1) },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;

    use super::*;

    /// A bucket that leaks: the same rule told with a level instead of a moment.
    #[derive(Default)]
    struct Leaky(HashMap<u64, (i128, i128)>);

    impl Leaky {
        fn check(&mut self, limit: Limit, caller: u64, count: u32, now_us: i64) -> (bool, u32) {
            let now = i128::from(now_us) * 1_000;
            let (drop, full) = (i128::from(limit.interval_ns), i128::from(limit.depth_ns()));
            let (level, at) = self.0.get(&caller).copied().unwrap_or((0, now));
            let level = (level - (now - at)).max(0);
            let asked = drop * i128::from(count);
            let allowed = level + asked <= full;
            let level = if allowed { level + asked } else { level };
            self.0.insert(caller, (level, now));
            let remaining = u32::try_from((full - level) / drop).unwrap_or(u32::MAX);
            (allowed, remaining)
        }
    }

    fn limits() -> impl Strategy<Value = Limit> {
        (1_u32..2_000, 1_u32..50, any::<bool>()).prop_map(|(count, burst, per_s)| {
            if per_s { Limit::per_s(count, burst) } else { Limit::per_min(count, burst) }
        })
    }

    proptest! {
        #[test]
        fn decisions_equal_those_of_a_leaking_bucket(
            limit in limits(),
            calls in proptest::collection::vec((0_u64..3, 1_u32..6, 0_i64..200_000), 1..200),
        ) {
            let limiter = Limiter::new(1_024);
            let class = limiter.class("read", limit);
            let (mut model, mut now) = (Leaky::default(), 1_000_000_000);
            for (caller, count, pause_us) in calls {
                now += pause_us;
                let looked = limiter.look(&class, caller, now);
                let one = model.0.get(&caller).copied();
                let told = model.check(limit, caller, 1, now);
                prop_assert_eq!((looked.allowed, looked.remaining), told);
                match one {
                    Some(before) => model.0.insert(caller, before),
                    None => model.0.remove(&caller),
                };
                let decision = limiter.check_many(&class, caller, count, now);
                let wanted = model.check(limit, caller, count, now);
                prop_assert_eq!((decision.allowed, decision.remaining), wanted);
            }
            prop_assert_eq!(limiter.displaced(), 0);
        }

        #[test]
        fn who_waits_as_told_is_allowed(limit in limits(), asked in 1_usize..80) {
            let limiter = Limiter::new(64);
            let class = limiter.class("read", limit);
            let mut refused = None;
            for _ in 0..asked {
                let decision = limiter.check(&class, 1, 5);
                if !decision.allowed {
                    refused = Some(decision);
                }
            }
            prop_assert_eq!(refused.is_some(), asked > limit.burst() as usize);
            if let Some(Decision { retry_after_s, remaining, reset_s, .. }) = refused {
                prop_assert_eq!(remaining, 0);
                prop_assert!(retry_after_s >= 1 && reset_s >= 1);
                let later = 5 + i64::from(retry_after_s) * 1_000_000;
                prop_assert!(limiter.check(&class, 1, later).allowed);
                let recovered = later + i64::from(reset_s + 61) * 1_000_000;
                let again = limiter.check(&class, 1, recovered);
                prop_assert!(again.allowed);
            }
        }

        #[test]
        fn who_waits_as_told_is_allowed_all_of_a_list(
            limit in limits(),
            (before, asked) in (0_u32..80, 1_u32..80),
        ) {
            let limiter = Limiter::new(64);
            let class = limiter.class("read", limit);
            let (before, asked) = (before.min(limit.burst()), asked.min(limit.burst()));
            prop_assert!(limiter.check_many(&class, 1, before, 5).allowed);
            let first = limiter.check_many(&class, 1, asked, 5);
            prop_assert_eq!(first.allowed, before + asked <= limit.burst());
            if !first.allowed {
                let later = 5 + i64::from(first.retry_after_s) * 1_000_000;
                prop_assert!(limiter.check_many(&class, 1, asked, later).allowed);
            }
            prop_assert!(!limiter.check_many(&class, 2, limit.burst() + 1, 5).allowed);
        }
    }

    #[test]
    fn classes_and_callers_are_counted_apart() {
        let limiter = Limiter::new(64);
        let read = limiter.class("read", Limit::per_s(1, 1));
        let write = limiter.class("write", Limit::per_s(1, 1));
        assert!(limiter.check(&read, 1, 0).allowed);
        assert!(!limiter.check(&read, 1, 0).allowed);
        assert!(limiter.check(&write, 1, 0).allowed);
        assert!(limiter.check(&read, 2, 0).allowed);
    }

    #[test]
    fn ten_a_second_with_twenty_at_once_reads_as_the_headers_say() {
        let limiter = Limiter::new(64);
        let class = limiter.class("write", Limit::per_s(10, 20));
        let first = limiter.check(&class, 1, 0);
        let wanted =
            Decision { allowed: true, limit: 20, remaining: 19, reset_s: 1, retry_after_s: 0 };
        assert_eq!(first, wanted);
        let last = (0..20).map(|_| limiter.check(&class, 1, 0)).last();
        let refused =
            Decision { allowed: false, limit: 20, remaining: 0, reset_s: 2, retry_after_s: 1 };
        assert_eq!(last, Some(refused));
        assert!(!limiter.check(&class, 1, 99_999).allowed);
        assert!(limiter.check(&class, 1, 100_000).allowed);
    }

    #[test]
    fn a_flood_of_callers_displaces_the_recovered_first_and_the_table_does_not_grow() {
        let limiter = Limiter::new(1_000);
        let class = limiter.class("read", Limit::per_s(1, 5));
        for caller in 0..1_000_000 {
            // A thousand a second, each recovered after one: the table holds them all.
            limiter.check(&class, caller, caller as i64 * 1_000);
        }
        let slots = limiter.buckets.len() * WAYS;
        assert_eq!(slots, 2_048);
        let early = limiter.displaced();
        assert!(early < 100_000, "{early} of a million were displaced early");
        for caller in 0..10_000 {
            assert!(limiter.check(&class, caller << 32, 1_000_000_000).allowed);
        }
        assert!(limiter.displaced() > early + 5_000, "all at once do not fit, and that is seen");
    }

    #[test]
    fn a_clock_that_goes_back_locks_nobody_out_for_longer_than_a_burst() {
        let limiter = Limiter::new(64);
        let class = limiter.class("read", Limit::per_s(1, 2));
        assert!(limiter.check(&class, 1, 3_600_000_000).allowed);
        let refused = limiter.check(&class, 1, 0);
        assert!(refused.reset_s <= 2 && refused.retry_after_s <= 1, "{refused:?}");
    }

    #[test]
    fn the_fair_share_of_several_instances_adds_up() {
        let share = Limit::per_s(10, 20).shared_by(4);
        assert_eq!((share.interval_ns, share.burst), (400_000_000, 5));
        assert_eq!(Limit::per_s(10, 2).shared_by(4).burst, 1);
    }

    #[test]
    fn threads_together_get_exactly_the_burst() {
        let limiter = Limiter::new(64);
        let class = limiter.class("write", Limit::per_min(1, 100));
        let allowed = AtomicU64::new(0);
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..100 {
                        let decision = limiter.check(&class, 1, 0);
                        allowed.fetch_add(u64::from(decision.allowed), Ordering::Relaxed);
                    }
                });
            }
        });
        assert_eq!(allowed.into_inner(), 100);
    }
}
