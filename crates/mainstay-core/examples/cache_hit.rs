//! What a cache hit costs: `cargo run --release -p mainstay-core --example cache_hit`.
//!
//! Prints nanoseconds per call, best of nine rounds over 10,000 entries in a shuffled order, each with three tags.
#![expect(clippy::print_stdout, reason = "the figures are the purpose of this program")]

use std::{
    hint::black_box,
    sync::Arc,
    time::{Duration, Instant},
};

use mainstay_core::{
    cache::{CacheMetrics, Class, Epochs, Loaded, Lookup, Mono, Policy, Staleness, Stamp, Tag},
    telemetry::Metrics,
};

const ENTRIES: u64 = 10_000;
const CALLS: u64 = 1_000_000;
const ROUNDS: usize = 9;

fn main() -> std::io::Result<()> {
    let epochs = Arc::new(Epochs::new(1, Mono::start()?));
    epochs.polled(epochs.mono().now(), Stamp(1));
    // Facts elsewhere, so that the buckets exist as they do in a program that has run for a while.
    for id in 0..300_000_u128 {
        epochs.apply(Tag::of("elsewhere", id), 1);
    }
    let metrics = CacheMetrics::new(&Metrics::new());
    let class = |staleness| {
        let policy = Policy { staleness, soft_ttl_ms: 600_000, ..Policy::new("post") };
        let class = Class::new(policy, epochs.clone(), &metrics, |_: &u64, _: &u64| 64);
        for id in 0..ENTRIES {
            let tags = ["post", "author", "list"].map(|kind| Tag::of(kind, u128::from(id)));
            class.put(id, Loaded::found(id, tags, Stamp(10)));
        }
        class
    };
    let bounded = class(Staleness::Bounded { within_ms: 60_000 });
    let strict = class(Staleness::Strict { within_ms: 60_000 });
    let bare = quick_cache::sync::Cache::<u64, Arc<u64>>::new(ENTRIES as usize * 2);
    (0..ENTRIES).for_each(|id| bare.insert(id, Arc::new(id)));

    report("quick_cache alone", || best(|id| bare.get(&id).map_or(0, |value| *value)));
    report("hit, bounded, 3 tags", || best(|id| value(bounded.get(&id))));
    report("hit, strict (reads the system's clock), 3 tags", || best(|id| value(strict.get(&id))));
    report("apply one tag", || {
        best(|id| {
            epochs.apply(Tag::of("elsewhere", u128::from(id)), 1);
            id
        })
    });
    Ok(())
}

fn value(lookup: Lookup<u64>) -> u64 {
    match lookup {
        Lookup::Hit(hit) => *hit,
        Lookup::Absent | Lookup::Miss => u64::MAX,
    }
}

fn report(what: &str, run: impl FnOnce() -> Duration) {
    let ns = run().as_nanos() as f64 / CALLS as f64;
    println!("{what:<50} {ns:6.1} ns");
}

/// The shortest of the rounds.
fn best(mut call: impl FnMut(u64) -> u64) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let mut id = 1_u64;
        for _ in 0..CALLS {
            // A full-period walk, so that the order is neither sequential nor costly to make.
            id = (id * 1_021 + 7) % ENTRIES;
            let found = black_box(call(black_box(id)));
            assert!(found != u64::MAX, "every read is to be a hit");
        }
        shortest = shortest.min(began.elapsed());
    }
    shortest
}
