//! The scripts on a real Redis: whoever applies what, how often and in which order, it ends as the same.
#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

use std::collections::BTreeMap;

use mainstay_contract::boards::ScoredV1;
use mainstay_testkit::{Dice, Redis as Server};
use redis::Commands as _;

use super::{
    member::{Held, Shape},
    push_change, text,
    waiting::Change,
};
use crate::{
    engine::Ties,
    model::board::BoardSettings,
    service::standings::{Sliced, sliced::Loading},
};

const NOW_MS: i64 = 1_700_000_000_000;

struct Place {
    redis: redis::Connection,
    key: String,
    shape: Shape,
}

type State = (BTreeMap<String, String>, BTreeMap<String, Vec<Vec<u8>>>);

impl Place {
    fn begin(url: &str, key: &str, shape: &Shape) -> Self {
        let redis = redis::Client::open(url).unwrap().get_connection().unwrap();
        let mut place = Self { redis, key: key.to_owned(), shape: shape.clone() };
        let words = ["life", "token", "", "5000", "1000", "0", "3600000"].map(text);
        assert_eq!(place.run(include_str!("begin.lua"), &words), "yours");
        assert_eq!(place.run(include_str!("begin.lua"), &words), "yours", "once more");
        let words = ["life", "another", "", "5000", "1000", "0", "3600000"].map(text);
        assert_eq!(place.run(include_str!("begin.lua"), &words), "building");
        place
    }

    /// The first word of what a script returns.
    fn run(&mut self, script: &str, arguments: &[Vec<u8>]) -> String {
        let text = format!("{}{script}", include_str!("common.lua"));
        let script = redis::Script::new(&text);
        let mut call = script.key(&self.key);
        for argument in arguments {
            call.arg(argument.as_slice());
        }
        let said: Vec<redis::Value> = call.invoke(&mut self.redis).unwrap();
        redis::from_redis_value(said[0].clone()).unwrap()
    }

    fn apply(&mut self, changes: &[(String, Change)], token: &str) {
        let width = self.shape.dense_width();
        let mut arguments =
            vec![text("life"), text(token), text(NOW_MS), text(width), text(60_000), text(5_000)];
        for (owner, change) in changes {
            push_change(&mut arguments, &self.shape, owner, change);
        }
        assert_eq!(self.run(include_str!("apply.lua"), &arguments), "ok");
    }

    /// What it has, but for how it came there.
    fn state(&mut self) -> State {
        let mut record: BTreeMap<String, String> = self.redis.hgetall(&self.key).unwrap();
        record.retain(|field, value| !field.starts_with("v:") && value != "0");
        let mut sets = BTreeMap::new();
        let prefix = format!("{}:token:", self.key);
        let keys: Vec<String> = self.redis.keys(format!("{prefix}*")).unwrap();
        for key in keys {
            let kind = key.strip_prefix(&prefix).unwrap().to_owned();
            let members: Vec<Vec<u8>> = match &*kind {
                "o" => {
                    let all: BTreeMap<String, Vec<u8>> = self.redis.hgetall(&key).unwrap();
                    all.into_iter().map(|(o, v)| [o.into_bytes(), v].concat()).collect()
                }
                _ => self.redis.zrange(&key, 0, -1).unwrap(),
            };
            sets.insert(kind, members);
        }
        (record, sets)
    }
}

fn settings(ties: &str) -> BoardSettings {
    let json = serde_json::json!({
        "title": "Runs", "operator": "set", "ties": ties, "slices": ["country", "team"],
        "columns": [{ "name": "a" }, { "name": "b", "direction": "asc" }],
    });
    serde_json::from_value(json).unwrap()
}

/// A change of a random owner.
fn change(dice: &mut Dice, seq: i64) -> (String, Change) {
    let owner = format!("owner{}", dice.below(15));
    if dice.once_in(4) {
        return (owner, Change { seq, now: None });
    }
    let scores = vec![dice.below(3) as i64 - 1, dice.below(3) as i64];
    let mut slices = BTreeMap::new();
    for kind in ["country", "team", "unknown"] {
        if dice.once_in(2) {
            slices.insert(kind.to_owned(), ["x", "y:z", "}{"][dice.below(3)].to_owned());
        }
    }
    let scored = ScoredV1 { owner: owner.clone(), scores, seq, slices };
    (owner, Change { seq, now: Some(scored) })
}

/// How the engine has it after the same changes.
fn in_memory(settings: &BoardSettings, changes: &[(String, Change)]) -> Sliced {
    let mut sliced = Loading::new(settings).finish();
    for (owner, change) in changes {
        match &change.now {
            Some(now) => sliced.put(now.clone(), None),
            None => sliced.remove(owner, change.seq, None),
        }
    }
    sliced
}

#[test]
fn changes_end_as_the_same_in_any_order_and_however_often_they_are_applied() {
    let url = Server::shared().create_database().unwrap();
    for (seed, ties) in (0..).zip(["earliest", "owner", "shared", "dense", "dense", "earliest"]) {
        let settings = settings(ties);
        let shape = Shape::of(&settings);
        let mut dice = Dice::of(seed);
        let changes: Vec<_> = (1..=400).map(|seq| change(&mut dice, seq)).collect();
        let mut one = Place::begin(&url, &format!("{{one{seed}}}"), &shape);
        changes.chunks(7).for_each(|some| one.apply(some, ""));
        let mut other = Place::begin(&url, &format!("{{other{seed}}}"), &shape);
        let mut shuffled = changes.clone();
        for place in (1..shuffled.len()).rev() {
            shuffled.swap(place, dice.below(place + 1));
        }
        for some in shuffled.chunks(11) {
            other.apply(some, "token");
            // Another instance has them too, and some of those before.
            let from = dice.below(changes.len());
            other.apply(&changes[from..changes.len().min(from + 20)], "");
        }
        assert_eq!(one.state(), other.state(), "seed {seed}, {ties}");
        let sliced = in_memory(&settings, &changes);
        for slice in [None, Some(("country", "y:z")), Some(("team", "}{"))] {
            let slice = slice.map(|(kind, value)| (kind.to_owned(), value.to_owned()));
            let name = slice.as_ref().map(|(kind, value)| format!("{kind}:{value}"));
            let kind = format!("z:{}", name.unwrap_or_default());
            let members = one.state().1.remove(&kind).unwrap_or_default();
            let found: Vec<Held> = members.iter().map(|one| shape.read(one).unwrap()).collect();
            let ranked = sliced.ranking(slice.as_ref()).map(|all| all.range(0, 100));
            let held = ranked.unwrap_or_default().into_iter();
            let held = held.map(|it| Held { owner: it.owner, scores: it.scores, seq: it.seq });
            assert_eq!(found, held.collect::<Vec<_>>(), "seed {seed}, {ties}, {kind}");
        }
        if shape.ties() == Ties::Dense {
            assert!(one.state().1.contains_key("d:"));
        }
    }
}
