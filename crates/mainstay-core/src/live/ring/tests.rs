//! What the ring replays, and when it says reset.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;
use serde_json::value::RawValue;

use super::*;
use crate::cache::{Mono, Stamp};

const LOG: &str = "demo";
const EPOCH: u64 = 7;
const CHANNEL: Tag = Tag::named("all");

/// One instance: a ring, and the facts that its tailer has applied.
struct Instance {
    ring: Ring,
    epochs: Arc<Epochs>,
    applied: Vec<i64>,
    entries: Vec<Arc<Entry>>,
}

impl Instance {
    fn new(hub: u64, bounds: RingBounds) -> Self {
        let epochs = Arc::new(Epochs::new(EPOCH, Mono::manual()));
        epochs.polled(0, Stamp(1));
        let mut ring = Ring::new(hub, bounds);
        ring.follow(LOG, epochs.clone(), i64::MIN);
        Self { ring, epochs, applied: Vec::new(), entries: Vec::new() }
    }

    fn push(&mut self, xid: i64, part: usize) {
        self.push_of(EPOCH, xid, part);
    }

    fn push_of(&mut self, log_epoch: u64, xid: i64, part: usize) {
        let data = RawValue::from_string(part.to_string()).unwrap().into();
        let origin = Origin { log: LOG, log_epoch, position: Position { xid, seq: xid } };
        self.ring.another_life(&origin);
        let message =
            LiveMessage { kind: "said", data, origin: Some(origin), passing: false, about: [0; 2] };
        self.entries.push(self.ring.push(CHANNEL, message, Instant::now()));
    }

    /// The fact was applied whole. A poll now and then moves the horizon to the first one that was not.
    fn applied(&mut self, xid: i64, polls: bool) {
        self.applied.push(xid);
        if polls {
            let mut first = 1;
            while self.applied.contains(&first) {
                first += 1;
            }
            self.epochs.polled(0, Stamp(first));
            let horizons = self.ring.horizons();
            self.ring.settle(&horizons);
        }
    }
}

type Name = (i64, String);

fn name(entry: &Arc<Entry>) -> Name {
    (entry.message.origin.unwrap().position.xid, entry.message.data.get().to_owned())
}

/// The order in which an instance learns of facts: nearly theirs, a few late by up to `late`.
fn order(count: usize, late: &[usize]) -> Vec<i64> {
    let mut order: Vec<i64> = (1..=count as i64).collect();
    for (at, by) in late.iter().enumerate() {
        let to = (at + by).min(count - 1);
        order[at.min(to)..=to].rotate_left(1);
    }
    order
}

fn everything(ring: &Ring, after: &str) -> Option<Vec<Name>> {
    match ring.replay(after, |_| true, usize::MAX - 1) {
        Replay::Missed(entries) => Some(entries.iter().map(name).collect()),
        Replay::Reset => None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Who leaves one instance in the middle and comes back to another, which learned of the facts in another order,
    /// gets the rest once, or a reset.
    #[test]
    fn another_instance_neither_skips_nor_repeats(
        parts in prop::collection::vec(0_usize..4, 2..25),
        late in (prop::collection::vec(0_usize..5, 25), prop::collection::vec(0_usize..5, 25)),
        polls in prop::collection::vec(any::<(bool, bool)>(), 25),
        leaves in any::<prop::sample::Index>(),
        returns in any::<prop::sample::Index>(),
        len_max in 1_usize..80,
    ) {
        let count = parts.len();
        let mut first = Instance::new(1, RingBounds::default());
        let late_first = late.0.get(..count).unwrap();
        for (at, xid) in order(count, late_first).into_iter().enumerate() {
            (0..parts[xid as usize - 1]).for_each(|part| first.push(xid, part));
            first.applied(xid, polls[at].0);
        }
        prop_assume!(!first.entries.is_empty());
        let left = leaves.index(first.entries.len());
        let mut got: Vec<Name> = first.entries[..=left].iter().map(name).collect();
        let token = first.entries[left].id.clone();

        let mut second = Instance::new(2, RingBounds { len_max, ..RingBounds::default() });
        let back = returns.index(count + 1);
        let mut replayed = None;
        for (at, xid) in order(count, late.1.get(..count).unwrap()).into_iter().enumerate() {
            if at == back {
                replayed = Some((everything(&second.ring, &token), second.entries.len()));
            }
            (0..parts[xid as usize - 1]).for_each(|part| second.push(xid, part));
            second.applied(xid, polls[at].1);
        }
        let (missed, from) =
            replayed.unwrap_or_else(|| (everything(&second.ring, &token), second.entries.len()));
        if let Some(missed) = missed {
            got.extend(missed);
            got.extend(second.entries[from..].iter().map(name));
            got.sort();
            let mut all: Vec<Name> = first.entries.iter().map(name).collect();
            all.sort();
            prop_assert_eq!(got, all);
        }
    }
}

/// The rule above must not hold because everything is a reset.
#[test]
fn another_instance_that_has_caught_up_replays() {
    let (mut first, mut second) =
        (Instance::new(1, RingBounds::default()), Instance::new(2, RingBounds::default()));
    for xid in 1..=9 {
        for part in 0..2 {
            first.push(xid, part);
            second.push(xid, part);
        }
        first.applied(xid, xid % 3 == 0);
        second.applied(xid, true);
    }
    // After the first of two messages of fact 5.
    let missed = everything(&second.ring, &first.entries[8].id).unwrap();
    let expected: Vec<Name> = second.entries[9..].iter().map(name).collect();
    assert_eq!(missed, expected);
}

#[test]
fn a_token_from_before_a_gap_or_another_life_of_the_log_resets() {
    let mut here = Instance::new(1, RingBounds::default());
    here.push(1, 0);
    let before = here.ring.id();
    assert_eq!(everything(&here.ring, &before), Some(Vec::new()));
    here.ring.gap(&[(LOG, 5)]);
    assert_eq!(everything(&here.ring, &before), None);
    here.push(6, 0);
    let before = here.ring.id();
    here.push_of(EPOCH + 1, 2, 0);
    assert_eq!(everything(&here.ring, &before), None);
    let after = here.ring.id();
    here.push_of(EPOCH + 1, 3, 0);
    assert_eq!(everything(&here.ring, &after), Some(vec![(3, "0".to_owned())]));
}

#[test]
fn messages_number_bytes_and_age_bound_the_ring() {
    let bounds = RingBounds { len_max: 5, bytes_max: 1 << 20, age_max: Duration::from_secs(60) };
    let mut here = Instance::new(1, bounds.clone());
    (1..=20).for_each(|xid| here.push(xid, 0));
    assert_eq!(here.ring.size().0, 5);
    here.ring.trim(Instant::now() + Duration::from_secs(61));
    assert_eq!(here.ring.size(), (0, 0));
    let mut here = Instance::new(1, RingBounds { bytes_max: 1_000, len_max: 1_000, ..bounds });
    (1..=20).for_each(|xid| here.push(xid, 0));
    assert!(here.ring.size().1 <= 1_000 && here.ring.size().0 > 0);
}

/// An older transaction was open when the second instance started, so its horizon lay below what had happened already.
#[test]
fn an_instance_resets_whoever_missed_what_happened_before_it_was_told_of_anything() {
    let mut first = Instance::new(1, RingBounds::default());
    first.push(1, 0);
    first.applied(1, true);
    // Fact 2 is of the open transaction; 3 was committed after it.
    let token = first.ring.id();
    first.push(3, 0);
    first.applied(3, true);

    let mut second = Instance::new(2, RingBounds::default());
    second.epochs.polled(0, Stamp(2));
    second.ring.follow(LOG, second.epochs.clone(), 4);
    assert_eq!(everything(&second.ring, &token), None);
    // Its own tokens tell others nothing until all of that is settled.
    second.push(5, 0);
    assert_eq!(everything(&first.ring, &second.ring.id()), None);
    second.applied = vec![1, 3, 5];
    second.push(2, 0);
    second.applied(2, true);
    second.push(4, 0);
    second.applied(4, true);
    let token = second.ring.id();
    second.push(6, 0);
    let missed = everything(&second.ring, &token);
    assert_eq!(missed, Some(vec![(6, "0".to_owned())]));
    let mut third = Instance::new(3, RingBounds::default());
    for xid in 1..=6 {
        third.push(xid, 0);
        third.applied(xid, true);
    }
    assert_eq!(everything(&third.ring, &token), Some(vec![(6, "0".to_owned())]));
}
