//! The engine against a sorted set of Redis, under random operations: the same order, ranks and pages.

use std::collections::BTreeMap;

use mainstay_testkit::{Dice, Redis, soak};
use svc_boards::engine::{Direction, Order, Ranked, Ranking, Ties};

const OPERATIONS: u64 = 100_000;
const KEY: &str = "ranking";
/// What one question may ask for.
const LEN_MAX: usize = 50;

/// The engine, and a plain sorted set. Redis ranks the lowest first and equal ones by their bytes, so scores are
/// negated there; they are small enough for its floating point numbers.
struct Both {
    engine: Ranking,
    redis: redis::Connection,
    /// Numbers count up, except that some arrive late: the newest that is known of each owner.
    newest: BTreeMap<String, u64>,
}

impl Both {
    /// What the sorted set has in these places.
    fn range(&mut self, first: u64, len: usize) -> Vec<(String, i64)> {
        let (first, len) = (first as i64, len as i64);
        let mut command = redis::cmd("ZRANGE");
        command.arg(KEY).arg(first).arg(first + len - 1).arg("WITHSCORES");
        let listed: Vec<(String, f64)> = command.query(&mut self.redis).unwrap();
        listed.into_iter().map(|(owner, score)| (owner, -score as i64)).collect()
    }

    fn put(&mut self, owner: &str, score: i64, seq: u64) {
        let newer = self.newest.get(owner).is_none_or(|newest| *newest < seq);
        assert_eq!(self.engine.put(owner, &[score], seq).applied, newer);
        if newer {
            self.newest.insert(owner.to_owned(), seq);
            redis::cmd("ZADD").arg(KEY).arg(-score).arg(owner).exec(&mut self.redis).unwrap();
        }
    }

    fn remove(&mut self, owner: &str, seq: u64) {
        let newer = self.newest.get(owner).is_none_or(|newest| *newest < seq);
        let removed = self.engine.remove(owner, seq);
        if newer {
            self.newest.insert(owner.to_owned(), seq);
            let count: u64 = redis::cmd("ZREM").arg(KEY).arg(owner).query(&mut self.redis).unwrap();
            assert_eq!(removed, count == 1);
        } else {
            assert!(!removed);
        }
    }

    fn rank(&mut self, owner: &str) -> Option<u64> {
        let expected: Option<u64> =
            redis::cmd("ZRANK").arg(KEY).arg(owner).query(&mut self.redis).unwrap();
        let standing = self.engine.standing(owner);
        assert_eq!(standing.map(|standing| standing.place), expected);
        assert_eq!(standing.map(|standing| standing.rank), expected.map(|place| place + 1));
        expected
    }

    fn page(&mut self, first: u64, len: usize) {
        let expected = self.range(first, len);
        let found = self.engine.range(first, len);
        let ranks: Vec<u64> = found.iter().map(|one| one.rank).collect();
        assert!(ranks.iter().copied().eq(first + 1..first + 1 + ranks.len() as u64), "{ranks:?}");
        let pair = |one: Ranked| (one.owner, one.scores[0]);
        assert_eq!(found.into_iter().map(pair).collect::<Vec<_>>(), expected);
    }

    fn count(&mut self, score: i64) {
        // How many are better.
        let mut command = redis::cmd("ZCOUNT");
        command.arg(KEY).arg("-inf").arg(format!("({}", -score));
        let expected: u64 = command.query(&mut self.redis).unwrap();
        assert_eq!(self.engine.count_before(&[score]), expected);
        let all: u64 = redis::cmd("ZCARD").arg(KEY).query(&mut self.redis).unwrap();
        assert_eq!(self.engine.len(), all);
    }
}

/// Many random operations of all kinds on both.
fn drive(seed: u64, owners: usize, operations: u64) {
    let url = Redis::shared().create_database().unwrap();
    let mut both = Both {
        engine: Ranking::new(Order::new(vec![Direction::Desc], Ties::Owner)),
        redis: redis::Client::open(&*url).unwrap().get_connection().unwrap(),
        newest: BTreeMap::new(),
    };
    let mut dice = Dice::of(seed);
    // Few scores make many ties.
    let spread = [7, 1_000, 1 << 50][dice.below(3)];
    // Prefixes of each other, and bytes above those of letters.
    let letters = ["a", "aa", "b", "B", "é", "日", "~", " "];
    for operation in 1..=operations {
        let number = dice.below(owners);
        let owner = format!("{}{}", letters[number % letters.len()], number / letters.len());
        let late = if dice.once_in(8) { dice.below(40) as u64 } else { 0 };
        let seq = operation.saturating_sub(late) * 1_000_000 + operation;
        match dice.below(10) {
            0..=4 => both.put(&owner, dice.below(spread) as i64 - 3, seq),
            5 => both.remove(&owner, seq),
            6 => drop(both.rank(&owner)),
            7 => both.page(dice.below(owners + 2) as u64, 1 + dice.below(LEN_MAX)),
            8 => both.count(dice.below(spread) as i64 - 3),
            _ => {
                let around = 1 + dice.below(LEN_MAX);
                if let Some(place) = both.rank(&owner) {
                    both.page(place.saturating_sub(around as u64 / 2), around);
                }
            }
        }
    }
    both.page(0, owners);
}

#[test]
fn it_ranks_as_a_sorted_set_of_redis_does() {
    let rounds = soak::rounds(1);
    let seed = soak::seed(1);
    for round in 0..rounds {
        for (number, owners) in (0..).zip([20, 1_500, 20_000]) {
            drive((seed + round) * 10 + number, owners, OPERATIONS / 3 + 1);
        }
    }
}
