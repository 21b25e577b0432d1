//! What a class promises, on one thread and with time that stands still.

#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

use std::{
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicI64, AtomicU32, Ordering},
    },
};

use tokio::sync::Notify;

use super::*;
use crate::telemetry::Metrics;

mod properties;
mod redis;
mod threads;

#[derive(Debug, PartialEq)]
struct Failed;

type Posts = Class<u64, u64>;

const POST: Tag = Tag::of("post", 7);
const LIST: Tag = Tag::named("posts");

fn epochs() -> Arc<Epochs> {
    let epochs = Epochs::new(1, Mono::manual());
    epochs.polled(0, Stamp(1));
    Arc::new(epochs)
}

fn policy(staleness: Staleness) -> Policy {
    Policy { staleness, soft_ttl_ms: 1_000, hard_ttl_ms: 10_000, ..Policy::new("post") }
}

fn class(epochs: &Arc<Epochs>, staleness: Staleness) -> Arc<Posts> {
    let metrics = CacheMetrics::new(&Metrics::new());
    Arc::new(Class::new(policy(staleness), epochs.clone(), &metrics, |_, _| 8))
}

const BOUNDED: Staleness = Staleness::Bounded { within_ms: 2_000 };
const STRICT: Staleness = Staleness::Strict { within_ms: 2_000 };
const FAIL_SAFE: Staleness = Staleness::FailSafe { within_ms: 2_000 };

fn read(value: u64, stamp: i64) -> Result<Loaded<u64>, Failed> {
    Ok(Loaded::found(value, [POST, LIST], Stamp(stamp)))
}

async fn load(class: &Posts, value: u64, stamp: i64) -> u64 {
    *class.get_or_load(&7, || async move { read(value, stamp) }).await.unwrap().unwrap()
}

fn kept(class: &Posts) -> Option<u64> {
    match class.get(&7) {
        Lookup::Hit(hit) => Some(*hit),
        Lookup::Absent | Lookup::Miss => None,
    }
}

#[tokio::test]
async fn an_applied_fact_outdates_what_was_read_before_it() {
    let epochs = epochs();
    let posts = class(&epochs, BOUNDED);
    assert_eq!(load(&posts, 10, 5).await, 10);
    epochs.apply(POST, 4); // contained in the snapshot: positions below the stamp are
    assert_eq!(kept(&posts), Some(10));
    epochs.apply(LIST, 5);
    assert_eq!(kept(&posts), None);
    assert_eq!(load(&posts, 11, 6).await, 11);
    assert_eq!(kept(&posts), Some(11));
}

#[tokio::test]
async fn a_read_that_lands_after_its_fact_is_answered_and_not_kept() {
    let epochs = epochs();
    let posts = class(&epochs, BOUNDED);
    let applied = epochs.clone();
    let answer = posts
        .get_or_load(&7, || async move {
            let before = read(10, 5);
            applied.apply(POST, 5);
            before
        })
        .await;
    assert_eq!(*answer.unwrap().unwrap(), 10);
    assert_eq!(kept(&posts), None);
    assert_eq!(posts.size().0, 0);
}

#[tokio::test]
async fn nothing_below_the_first_horizon_is_used_after_a_start() {
    let epochs = Arc::new(Epochs::new(1, Mono::manual()));
    let posts = class(&epochs, BOUNDED);
    posts.put(7, read(1, 99).unwrap());
    assert_eq!(kept(&posts), None, "before the first poll nothing is usable");
    epochs.polled(0, Stamp(50));
    posts.put(7, read(1, 49).unwrap());
    assert_eq!(kept(&posts), None);
    posts.put(7, read(2, 50).unwrap());
    assert_eq!(kept(&posts), Some(2));
}

#[tokio::test]
async fn another_log_epoch_refuses_everything_old_even_loads_under_way() {
    let epochs = epochs();
    let posts = class(&epochs, FAIL_SAFE);
    load(&posts, 10, 500).await;
    let restarted = epochs.clone();
    posts
        .get_or_load(&8, || async move {
            restarted.restart(2);
            restarted.polled(0, Stamp(3));
            read(20, 600)
        })
        .await
        .unwrap();
    assert_eq!(kept(&posts), None);
    assert!(matches!(posts.get(&8), Lookup::Miss), "it was read in the old log");
    let failed = posts.get_or_load(&7, || async { Err(Failed) }).await;
    assert_eq!(*failed.unwrap_err(), Failed, "not even as stale");
    assert_eq!(load(&posts, 11, 3).await, 11);
    assert_eq!(kept(&posts), Some(11));
}

#[tokio::test]
async fn what_a_replica_shows_of_another_log_is_not_kept() {
    let epochs = epochs();
    let posts = class(&epochs, BOUNDED);
    posts.put(7, read(10, 500).unwrap().in_log(9));
    assert_eq!(kept(&posts), None);
    posts.put(7, read(10, 500).unwrap().in_log(1));
    assert_eq!(kept(&posts), Some(10));
}

#[tokio::test]
async fn beyond_the_bound_a_strict_class_fails_closed() {
    let epochs = epochs();
    let posts = class(&epochs, STRICT);
    load(&posts, 10, 5).await;
    epochs.mono().advance_ms(2_001);
    assert_eq!(kept(&posts), None);
    let failed = posts.get_or_load(&7, || async { Err(Failed) }).await;
    assert_eq!(*failed.unwrap_err(), Failed);
    epochs.polled(epochs.mono().now(), Stamp(5));
    assert_eq!(kept(&posts), Some(10), "a poll confirms it");
}

#[tokio::test]
async fn beyond_the_bound_a_bounded_class_asks_and_then_serves_what_it_cannot_confirm() {
    let epochs = epochs();
    let posts = class(&epochs, BOUNDED);
    load(&posts, 10, 5).await;
    epochs.mono().advance_ms(2_001);
    let stale = posts.get_or_load(&7, || async { Err(Failed) }).await.unwrap().unwrap();
    assert!(stale.is_stale());
    assert_eq!(load(&posts, 11, 6).await, 11, "the database is asked first");
    epochs.apply(POST, 6);
    let failed = posts.get_or_load(&7, || async { Err(Failed) }).await;
    assert_eq!(*failed.unwrap_err(), Failed, "known to be outdated");
}

#[tokio::test]
async fn a_fail_safe_class_serves_old_values_marked_until_their_hard_lifetime_ends() {
    let epochs = epochs();
    let posts = class(&epochs, FAIL_SAFE);
    load(&posts, 10, 5).await;
    epochs.mono().advance_ms(2_001);
    let unasked = posts.get_or_load(&7, || async { pending::<Result<_, Failed>>().await });
    assert!(unasked.await.unwrap().unwrap().is_stale());
    epochs.apply(POST, 5);
    let outdated = posts.get_or_load(&7, || async { Err(Failed) }).await;
    assert!(outdated.unwrap().unwrap().is_stale());
    epochs.mono().advance_ms(10_000);
    let failed = posts.get_or_load(&7, || async { Err(Failed) }).await;
    assert_eq!(*failed.unwrap_err(), Failed);
}

#[tokio::test]
async fn what_does_not_exist_is_remembered_for_its_own_time_and_until_it_exists() {
    let epochs = epochs();
    let posts = class(&epochs, BOUNDED);
    let absent = || async { Ok::<_, Failed>(Loaded::absent([POST], Stamp(5))) };
    assert!(posts.get_or_load(&7, absent).await.unwrap().is_none());
    assert!(matches!(posts.get(&7), Lookup::Absent));
    epochs.apply(POST, 5);
    assert!(matches!(posts.get(&7), Lookup::Miss));
    assert_eq!(load(&posts, 10, 6).await, 10);
}

#[tokio::test]
async fn one_caller_refreshes_what_is_due_and_a_failure_hurts_nobody() {
    let epochs = epochs();
    let posts = class(&epochs, BOUNDED);
    load(&posts, 10, 5).await;
    epochs.mono().advance_ms(1_001);
    epochs.polled(epochs.mono().now(), Stamp(5));
    let failed = posts.get_or_load(&7, || async { Err(Failed) }).await.unwrap().unwrap();
    assert_eq!((*failed, failed.is_stale()), (10, false));
    assert_eq!(load(&posts, 11, 6).await, 10, "nobody tries again at once");
    epochs.mono().advance_ms(1_001);
    epochs.polled(epochs.mono().now(), Stamp(6));
    let meanwhile = posts.clone();
    let refreshed = posts.get_or_load(&7, || async move {
        assert_eq!(load(&meanwhile, 99, 6).await, 10, "others are answered from memory");
        read(12, 6)
    });
    assert_eq!(*refreshed.await.unwrap().unwrap(), 12);
    assert_eq!(kept(&posts), Some(12));
    let Lookup::Hit(hit) = posts.get(&7) else { unreachable!("it was just there") };
    epochs.mono().advance_ms(30);
    assert_eq!(posts.age_ms(&hit), 30);
}

/// Polls `waiting` until it has nothing to do but wait.
async fn settle() {
    for _ in 0..16 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_thousand_callers_cause_one_load() {
    let epochs = epochs();
    let posts = class(&epochs, BOUNDED);
    let (loads, gate) = (Arc::new(AtomicU32::new(0)), Arc::new(Notify::new()));
    let callers = (0..1_000).map(|_| {
        let (posts, loads, gate) = (posts.clone(), loads.clone(), gate.clone());
        tokio::spawn(async move {
            let load = || async move {
                loads.fetch_add(1, Ordering::Relaxed);
                gate.notified().await;
                read(10, 5)
            };
            *posts.get_or_load(&7, load).await.unwrap().unwrap()
        })
    });
    let callers = callers.collect::<Vec<_>>();
    settle().await;
    gate.notify_one();
    for caller in callers {
        assert_eq!(caller.await.unwrap(), 10);
    }
    assert_eq!(loads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_caller_that_goes_away_lets_another_load() {
    let epochs = epochs();
    let posts = class(&epochs, BOUNDED);
    let first = posts.clone();
    let gone = tokio::spawn(async move {
        first.get_or_load(&7, || async { pending::<Result<_, Failed>>().await }).await
    });
    settle().await;
    let second = posts.clone();
    let waiting = tokio::spawn(async move { load(&second, 10, 5).await });
    settle().await;
    assert!(!waiting.is_finished(), "it follows the first");
    gone.abort();
    assert_eq!(waiting.await.unwrap(), 10);
    assert_eq!(load(&posts, 11, 6).await, 10, "the key is not poisoned");
}

#[tokio::test]
async fn followers_take_nothing_that_was_read_before_their_call_and_is_outdated() {
    let epochs = epochs();
    let posts = class(&epochs, BOUNDED);
    let gate = Arc::new(Notify::new());
    let (first, opened) = (posts.clone(), gate.clone());
    let early = tokio::spawn(async move {
        let load = || async move {
            opened.notified().await;
            read(10, 5) // read before the fact below, arrives after it
        };
        *first.get_or_load::<Failed, _, _>(&7, load).await.unwrap().unwrap()
    });
    settle().await;
    epochs.apply(POST, 5);
    // Every landing is outdated at once; followers must still need two flights at most between them.
    let loads = Arc::new(AtomicU32::new(0));
    let late = (0..50).map(|_| {
        let (posts, loads, epochs) = (posts.clone(), loads.clone(), epochs.clone());
        tokio::spawn(async move {
            let load = || async move {
                loads.fetch_add(1, Ordering::Relaxed);
                settle().await;
                epochs.apply(POST, 6);
                read(11, 6)
            };
            *posts.get_or_load(&7, load).await.unwrap().unwrap()
        })
    });
    let late = late.collect::<Vec<_>>();
    settle().await;
    gate.notify_one();
    assert_eq!(early.await.unwrap(), 10, "its own call began before the fact");
    for caller in late {
        assert_eq!(caller.await.unwrap(), 11);
    }
    assert_eq!(loads.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_failed_load_is_shared_with_those_who_asked_before_it_began() {
    let epochs = epochs();
    let posts = class(&epochs, BOUNDED);
    let loads = Arc::new(AtomicU32::new(0));
    let callers = (0..50).map(|_| {
        let (posts, loads) = (posts.clone(), loads.clone());
        tokio::spawn(async move {
            let load = || async move {
                loads.fetch_add(1, Ordering::Relaxed);
                settle().await;
                Err::<Loaded<u64>, _>(Failed)
            };
            posts.get_or_load(&7, load).await.is_err()
        })
    });
    for caller in callers.collect::<Vec<_>>() {
        assert!(caller.await.unwrap());
    }
    assert_eq!(loads.load(Ordering::Relaxed), 2, "the first, and one for all who came later");
}

#[tokio::test]
async fn a_token_is_waited_for_and_one_of_another_log_is_told_apart() {
    let epochs = epochs();
    let waiting = tokio::spawn({
        let epochs = epochs.clone();
        async move { epochs.wait_until(1, |horizon| horizon > 5).await }
    });
    epochs.polled(1, Stamp(5));
    settle().await;
    assert!(!waiting.is_finished(), "5 is not below the horizon yet");
    epochs.polled(2, Stamp(6));
    assert_eq!(waiting.await.unwrap(), Ok(()));
    let waiting = tokio::spawn({
        let epochs = epochs.clone();
        async move { epochs.wait_until(1, |horizon| horizon > 100).await }
    });
    settle().await;
    epochs.restart(9);
    assert_eq!(waiting.await.unwrap(), Err(LogChanged));
}

#[tokio::test]
async fn memory_stays_within_its_weight() {
    let epochs = epochs();
    let metrics = CacheMetrics::new(&Metrics::new());
    let policy = Policy { capacity_bytes: 100_000, items: 100, ..policy(BOUNDED) };
    let pages = Class::new(policy, epochs, &metrics, |_: &u64, page: &Vec<u8>| page.len());
    for key in 0..1_000 {
        pages.put(key, Loaded::found(vec![0; 1_000], [POST], Stamp(5)));
    }
    let (entries, bytes) = pages.size();
    assert!(bytes <= 100_000, "{bytes}");
    assert!((10..=100).contains(&entries), "{entries}");
}

#[tokio::test]
async fn warming_loads_what_is_missing() {
    let epochs = epochs();
    let posts = class(&epochs, BOUNDED);
    load(&posts, 10, 5).await;
    let loads = AtomicI64::new(0);
    let warmed = posts
        .warm([6, 7, 8], |key| {
            loads.fetch_add(1, Ordering::Relaxed);
            async move { read(key, 5) }
        })
        .await;
    assert_eq!(warmed.unwrap(), 3);
    assert_eq!(loads.load(Ordering::Relaxed), 2);
}

/// What the database of the thread test contains.
#[derive(Default)]
struct Table(Mutex<(i64, u64)>);
