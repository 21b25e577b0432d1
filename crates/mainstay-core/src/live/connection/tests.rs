//! The bounds of one reader.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use serde_json::{Value, value::RawValue};

use super::*;
use crate::{
    cache::Tag,
    db::Position,
    live::{LiveMessage, Origin, RingBounds, Subscription, hub::Holder, ring::Ring},
};

/// A connection with one topic, and what makes messages for it.
struct Bench {
    conn: Arc<Conn>,
    sub: Arc<Sub>,
    ring: Ring,
    open: Arc<AtomicBool>,
}

impl Bench {
    fn new() -> Self {
        let address = std::net::IpAddr::from([127, 0, 0, 1]);
        let conn = Arc::new(Conn::new(1, Holder::Address(address), None));
        let open = Arc::new(AtomicBool::new(true));
        let asked = open.clone();
        let filter: Filter = Arc::new(move |_| asked.load(Ordering::Relaxed));
        let subscription = Subscription::to(Tag::named("all")).filtered(filter);
        let sub = Arc::new(Sub::new(1, conn.clone(), Topic::new("all"), subscription));
        conn.begin(std::slice::from_ref(&sub), Vec::new(), Vec::new());
        Self { conn, sub, ring: Ring::new(1, RingBounds::default()), open }
    }

    fn offer(&mut self, queue_len_max: usize) -> (Offered, Arc<str>) {
        let origin = Origin { log: "demo", log_epoch: 7, position: Position::default() };
        let data = RawValue::from_string("1".to_owned()).unwrap().into();
        let message =
            LiveMessage { kind: "said", data, origin: Some(origin), passing: false, about: [0; 2] };
        let entry = self.ring.push(Tag::named("all"), message, Instant::now());
        let id = entry.id.clone();
        (self.conn.offer((self.sub.clone(), entry), queue_len_max, Instant::now()), id)
    }

    fn next(&self) -> Option<Value> {
        self.conn.try_next().map(|frame| serde_json::from_str(&frame.text).unwrap())
    }
}

#[test]
fn what_is_queued_is_asked_about_again_when_it_leaves() {
    let mut bench = Bench::new();
    bench.offer(8);
    bench.open.store(false, Ordering::Relaxed);
    assert_eq!(bench.next(), None);
    bench.open.store(true, Ordering::Relaxed);
    bench.offer(8);
    bench.sub.end();
    assert_eq!(bench.next(), None);
}

#[test]
fn a_full_queue_is_dropped_whole_and_one_reset_says_from_where_it_goes_on() {
    let mut bench = Bench::new();
    for _ in 0..3 {
        assert_eq!(bench.offer(3).0, Offered::Queued);
    }
    assert_eq!(bench.offer(3).0, Offered::Dropped);
    let (offered, last) = bench.offer(3);
    assert_eq!(offered, Offered::Dropped);
    let reset = bench.next().unwrap();
    assert_eq!((reset["type"].as_str(), reset["id"].as_str()), (Some("reset"), Some(&*last)));
    assert_eq!(bench.next(), None);
    assert_eq!(bench.offer(3).0, Offered::Queued);
    assert_eq!(bench.next().unwrap()["type"], "said");
}

#[test]
fn only_a_reader_for_whom_something_waits_can_stall() {
    let mut bench = Bench::new();
    let later = Instant::now() + Duration::from_secs(100);
    assert_eq!(bench.next(), None);
    assert!(!bench.conn.stalled(later, Duration::from_secs(60)));
    bench.offer(8);
    assert!(bench.conn.stalled(later, Duration::from_secs(60)));
    bench.next();
    assert!(!bench.conn.stalled(later, Duration::from_secs(60)));
}
