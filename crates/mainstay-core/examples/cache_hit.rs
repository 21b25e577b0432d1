//! What a cache hit and the rest of the hot path cost: `cargo run --release -p mainstay-core --example cache_hit`.
//!
//! Prints nanoseconds per call, the best of 31 rounds, for entries read in a shuffled order.
#![expect(clippy::print_stdout, reason = "the figures are the purpose of this program")]

use std::{
    hint::black_box,
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::FutureExt;
use mainstay_contract::id::UserId;
use mainstay_core::{
    cache::{CacheMetrics, Class, Epochs, Loaded, Lookup, Mono, Policy, Staleness, Stamp, Tag},
    limit::{Limit, Limiter},
    telemetry::{Access, HttpMetrics, LogConfig, Logs, Metrics},
};

/// Entries that are read in turn: as many as stay in the processor's caches, and more.
const HOT: u64 = 1_000;
const WARM: u64 = 20_000;
const CALLS: u64 = 300_000;
const ROUNDS: usize = 31;

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
        for id in 0..WARM {
            let tags = ["post", "author", "list"].map(|kind| Tag::of(kind, u128::from(id)));
            class.put(id, Loaded::found(id, tags, Stamp(10)));
        }
        class
    };
    let bounded = class(Staleness::Bounded { within_ms: 60_000 });
    let strict = class(Staleness::Strict { within_ms: 60_000 });
    let bare = quick_cache::sync::Cache::<u64, Arc<u64>>::new(WARM as usize * 2);
    (0..WARM).for_each(|id| bare.insert(id, Arc::new(id)));

    for entries in [HOT, WARM] {
        println!("{entries} entries in turn:");
        report("  quick_cache alone", || {
            best(entries, |id| bare.get(&id).map_or(0, |value| *value))
        });
        report("  get, bounded, 3 tags", || best(entries, |id| value(bounded.get(&id))));
        report("  get, strict (reads the system's clock), 3 tags", || {
            best(entries, |id| value(strict.get(&id)))
        });
        report("  get_or_load that hits, bounded, 3 tags", || {
            best(entries, |id| {
                let call = bounded.get_or_load(&id, || async { Err::<Loaded<u64>, _>(()) });
                call.now_or_never().and_then(Result::ok).flatten().map_or(u64::MAX, |hit| *hit)
            })
        });
    }
    report("apply one tag", || {
        best(HOT, |id| {
            epochs.apply(Tag::of("elsewhere", u128::from(id)), 1);
            id
        })
    });
    let limiter = Limiter::new(100_000);
    let reads = limiter.class("read", Limit::per_s(1_000_000, 1_000_000));
    let mut now_us = 0;
    report("limiter, 1,000 callers in turn", || {
        best(HOT, |id| {
            now_us += 1;
            u64::from(limiter.check(&reads, id, now_us).remaining)
        })
    });
    let route = HttpMetrics::new(&Metrics::new()).route("GET", "/api/v1/posts/{id}");
    report("count a request and its time", || {
        best(HOT, |id| {
            route.observe(200, 0.000_1);
            id
        })
    });
    let file = tempfile::NamedTempFile::new()?;
    let config = LogConfig { file: Some(file.path().into()), ..LogConfig::default() };
    let logs = Logs::install(&config, &Metrics::new()).map_err(std::io::Error::other)?;
    let access = logs.access();
    report("access log line, at full speed", || {
        best(HOT, |id| {
            access.record(&Access {
                at_us: 1_763_700_000_000_000 + id as i64,
                request_id: "req_01k9f0000000000000000000000",
                method: "GET",
                route: "/api/v1/posts/{id}",
                path: "/api/v1/posts/post_01k9f0000000000000000000000",
                status: 200,
                duration_us: 87,
                bytes: 1_024,
                user: Some(UserId::from_bits(id as u128)),
                remote: IpAddr::from([127, 0, 0, 1]),
            });
            id
        })
    });
    println!("access log lines dropped under this load: {}", logs.dropped());
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
fn best(entries: u64, mut call: impl FnMut(u64) -> u64) -> Duration {
    let mut shortest = Duration::MAX;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let mut id = 1_u64;
        for _ in 0..CALLS {
            // A full-period walk, so that the order is neither sequential nor costly to make.
            id = (id * 1_021 + 7) % entries;
            let found = black_box(call(black_box(id)));
            assert!(found != u64::MAX, "every read is to be a hit");
        }
        shortest = shortest.min(began.elapsed());
    }
    shortest
}
