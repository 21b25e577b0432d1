//! Entries as members of a sorted set: bytes that Redis orders as the engine orders entries.
//!
//! Every member has the score 0, and Redis orders such by their bytes. A member is the scores, 8 bytes for each column,
//! turned so that the first in rank is the smallest; then the rule for ties: the submission's number and the owner, or
//! the owner, a zero and the number. No owner has a zero.

use std::collections::BTreeMap;

use crate::{
    engine::{Direction, Order, Ties},
    model::board::BoardSettings,
};

/// Bytes of a column and of a number.
const EIGHT: usize = 8;

/// How the entries of a board become members.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    order: Order,
    kinds: Vec<String>,
}

/// What a member holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    pub(super) owner: String,
    pub(super) scores: Vec<i64>,
    pub(super) seq: u64,
}

impl Shape {
    pub(super) fn of(settings: &BoardSettings) -> Self {
        Self { order: settings.order(), kinds: settings.slices.clone() }
    }

    /// Names it in keys: boards whose settings are being changed may have entries of two.
    pub(super) fn name(&self) -> String {
        let direction = |direction: &Direction| match direction {
            Direction::Asc => 'a',
            Direction::Desc => 'd',
        };
        let directions: String = self.order.directions().iter().map(direction).collect();
        let ties = match self.order.ties() {
            Ties::Earliest => "earliest",
            Ties::Owner => "owner",
            Ties::Shared => "shared",
            Ties::Dense => "dense",
        };
        format!("{directions}-{ties}-{}", self.kinds.join(","))
    }

    pub(super) fn ties(&self) -> Ties {
        self.order.ties()
    }

    /// The rule for ties in a script's words.
    pub(super) fn ties_word(&self) -> &'static str {
        match self.order.ties() {
            Ties::Earliest | Ties::Owner => "p",
            Ties::Shared => "s",
            Ties::Dense => "d",
        }
    }

    /// Bytes of the scores in a member.
    pub(super) fn width(&self) -> usize {
        self.order.columns() * EIGHT
    }

    /// The same where the scores that differ are counted, else 0.
    pub(super) fn dense_width(&self) -> usize {
        if self.order.ties() == Ties::Dense { self.width() } else { 0 }
    }

    /// The member of an entry.
    pub(super) fn member(&self, owner: &str, scores: &[i64], seq: u64) -> Vec<u8> {
        let mut member = Vec::with_capacity(self.width() + EIGHT + 1 + owner.len());
        for (place, direction) in self.order.directions().iter().enumerate() {
            let score = scores.get(place).copied().unwrap_or_default();
            member.extend(turned(*direction, score.cast_unsigned() ^ (1 << 63)).to_be_bytes());
        }
        match self.order.ties() {
            Ties::Owner => {
                member.extend(owner.as_bytes());
                member.push(0);
                member.extend(seq.to_be_bytes());
            }
            Ties::Earliest | Ties::Shared | Ties::Dense => {
                member.extend(seq.to_be_bytes());
                member.extend(owner.as_bytes());
            }
        }
        member
    }

    /// What a member was made of; nothing if it was not made here.
    pub(super) fn read(&self, member: &[u8]) -> Option<Held> {
        let (scores, rest) = member.split_at_checked(self.width())?;
        let columns = self.order.directions().iter().zip(scores.as_chunks::<EIGHT>().0);
        let score = |(direction, bytes): (&Direction, &[u8; EIGHT])| {
            (turned(*direction, u64::from_be_bytes(*bytes)) ^ (1 << 63)).cast_signed()
        };
        let scores = columns.map(score).collect();
        let (owner, seq) = match self.order.ties() {
            Ties::Owner => {
                let (rest, seq) = rest.split_last_chunk::<EIGHT>()?;
                (rest.strip_suffix(&[0])?, seq)
            }
            Ties::Earliest | Ties::Shared | Ties::Dense => {
                let (seq, owner) = rest.split_first_chunk::<EIGHT>()?;
                (owner, seq)
            }
        };
        let owner = std::str::from_utf8(owner).ok()?.to_owned();
        Some(Held { owner, scores, seq: u64::from_be_bytes(*seq) })
    }

    /// The names of the board's slices among these, as JSON; empty if there are none.
    pub(super) fn slices(&self, slices: &BTreeMap<String, String>) -> Vec<u8> {
        let known = slices.iter().filter(|(kind, _)| self.kinds.contains(kind));
        let names: Vec<String> = known.map(|(kind, value)| slice_name(kind, value)).collect();
        match names.is_empty() {
            true => Vec::new(),
            // Texts can always be written.
            false => serde_json::to_vec(&names).unwrap_or_default(),
        }
    }
}

/// A slice's name in keys; no kind has a colon.
pub(super) fn slice_name(kind: &str, value: &str) -> String {
    format!("{kind}:{value}")
}

fn turned(direction: Direction, ascending: u64) -> u64 {
    match direction {
        Direction::Asc => ascending,
        Direction::Desc => !ascending,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]
    use mainstay_testkit::Dice;

    use super::*;
    use crate::engine::Ranking;

    #[test]
    fn members_sort_as_the_engine_orders_entries_and_say_what_they_were_made_of() {
        use Direction::{Asc, Desc};
        let mut dice = Dice::of(11);
        for ties in [Ties::Earliest, Ties::Owner, Ties::Shared, Ties::Dense] {
            for directions in [vec![Desc], vec![Asc, Desc], vec![Desc, Asc, Asc, Desc, Desc]] {
                let order = Order::new(directions, ties);
                let shape = Shape { order: order.clone(), kinds: Vec::new() };
                let mut ranking = Ranking::new(order.clone());
                let mut members: Vec<Vec<u8>> = Vec::new();
                for seq in 1..=300 {
                    let owner = ["a", "ab", "b", "é", "a b"][dice.below(5)];
                    let owner = format!("{owner}{}", seq % 97 * 5);
                    let picked = [i64::MIN, -1, 0, 1, i64::MAX];
                    let scores: Vec<i64> =
                        (0..order.columns()).map(|_| *dice.pick(&picked).unwrap()).collect();
                    members.retain(|one| shape.read(one).unwrap().owner != owner);
                    members.push(shape.member(&owner, &scores, seq));
                    ranking.put(&owner, &scores, seq);
                }
                members.sort();
                let read: Vec<Held> = members.iter().map(|one| shape.read(one).unwrap()).collect();
                let expected: Vec<Held> = ranking
                    .range(0, 1_000)
                    .into_iter()
                    .map(|one| Held { owner: one.owner, scores: one.scores, seq: one.seq })
                    .collect();
                assert_eq!(read, expected, "{order:?}");
            }
        }
    }
}
