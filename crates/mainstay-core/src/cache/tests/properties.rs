//! Any sequence of fills, facts, polls, restarts and reads against a model that keeps everything and forgets nothing.

use std::collections::HashMap;

use proptest::prelude::*;

use super::*;

const KEYS: u64 = 3;
const TAGS: u128 = 4;

#[derive(Debug, Clone)]
enum Step {
    /// A value of `key` that depends on these tags, read in this snapshot of the present log or the one before.
    Put {
        key: u64,
        tags: Vec<u128>,
        stamp: i64,
        old_log: bool,
    },
    Apply {
        tag: u128,
        position: i64,
    },
    Poll {
        horizon: i64,
    },
    NewLog,
    Wait {
        ms: i64,
    },
    Forget {
        key: u64,
    },
}

fn step() -> impl Strategy<Value = Step> {
    let tags = proptest::collection::vec(0..TAGS, 0..4);
    prop_oneof![
        6 => (0..KEYS, tags, 0_i64..20, proptest::bool::weighted(0.1)).prop_map(
            |(key, tags, stamp, old_log)| Step::Put { key, tags, stamp, old_log }
        ),
        4 => (0..TAGS, 0_i64..20).prop_map(|(tag, position)| Step::Apply { tag, position }),
        3 => (1_i64..20).prop_map(|horizon| Step::Poll { horizon }),
        1 => Just(Step::NewLog),
        2 => (0_i64..3_000).prop_map(|ms| Step::Wait { ms }),
        1 => (0..KEYS).prop_map(|key| Step::Forget { key }),
    ]
}

/// What was put last under a key: value, tags, stamp, log, moment.
type Put = (u64, Vec<u128>, i64, u64, i64);

#[derive(Default)]
struct Model {
    puts: HashMap<u64, Put>,
    facts: HashMap<u128, i64>,
    floor: Option<i64>,
    verified: Option<i64>,
    log: u64,
    now: i64,
}

impl Model {
    /// Whether a value may be served at all, however old the last poll is.
    fn current(&self, (_, tags, stamp, log, _): &Put) -> bool {
        let above = |bound: Option<&i64>| bound.is_none_or(|bound| stamp > bound);
        self.floor.is_some_and(|floor| *stamp >= floor)
            && *log == self.log
            && tags.iter().all(|tag| above(self.facts.get(tag)))
    }

    fn may_serve(&self, put: &Put) -> bool {
        let verified = self.verified.is_some_and(|at| self.now - at <= 2_000);
        self.current(put) && verified && self.now - put.4 < 10_000
    }
}

fn tag(number: u128) -> Tag {
    Tag::of("thing", number)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn what_is_served_is_what_may_be_served(steps in proptest::collection::vec(step(), 1..60)) {
        let epochs = Arc::new(Epochs::new(0, Mono::manual()));
        let posts = class(&epochs, BOUNDED);
        let mut model = Model::default();
        for (at, step) in steps.into_iter().enumerate() {
            let value = at as u64;
            match step {
                Step::Put { key, tags, stamp, old_log } => {
                    let log = if old_log { model.log.wrapping_sub(1) } else { model.log };
                    let loaded = Loaded::found(value, tags.iter().copied().map(tag), Stamp(stamp));
                    posts.put(key, loaded.in_log(log));
                    let put = (value, tags, stamp, log, model.now);
                    // A newer one that is served and not yet due for refresh stays.
                    let stays = model.puts.get(&key).is_some_and(|kept| {
                        kept.2 > stamp && model.may_serve(kept) && model.now - kept.4 < 900
                    });
                    if model.current(&put) && !stays {
                        model.puts.insert(key, put);
                    }
                }
                Step::Apply { tag: number, position } => {
                    epochs.apply(tag(number), position);
                    let newest = model.facts.entry(number).or_insert(position);
                    *newest = position.max(*newest);
                }
                Step::Poll { horizon } => {
                    epochs.polled(epochs.mono().now(), Stamp(horizon));
                    model.floor.get_or_insert(horizon);
                    model.verified = Some(model.now);
                }
                Step::NewLog => {
                    epochs.restart(model.log + 1);
                    model = Model { log: model.log + 1, now: model.now, puts: model.puts, ..Model::default() };
                }
                Step::Wait { ms } => {
                    epochs.mono().advance_ms(ms);
                    model.now += ms;
                }
                Step::Forget { key } => {
                    posts.forget(&key);
                    model.puts.remove(&key);
                }
            }
            for key in 0..KEYS {
                let wanted = model.puts.get(&key).filter(|put| model.may_serve(put)).map(|put| put.0);
                let served = match posts.get(&key) {
                    Lookup::Hit(hit) => Some(*hit),
                    Lookup::Absent | Lookup::Miss => None,
                };
                // Between 90 and 100 % of the soft lifetime chance decides which of two current values is kept.
                let unsure = model.puts.get(&key).is_some_and(|put| (900..=1_000).contains(&(model.now - put.4)));
                if unsure {
                    return Ok(());
                }
                prop_assert_eq!(served, wanted, "key {}", key);
            }
        }
    }
}
