//! Who ranks where: an order-statistic structure in memory, the reason that Boards exists.
//!
//! Entries stand in order in blocks of at most 128, blocks in groups, groups in one list. Each level knows how many
//! entries lie in it, so a rank is three short sums, and an entry at a place is found in three steps. A table from
//! owners to blocks finds where an entry is without searching for its old scores; inside of a block it is found by a
//! scan over 4-byte numbers. Scores are kept turned, so that the first in rank is the smallest, whatever the direction.
//!
//! Reading order: this file (what there is to ask), [`order`], `tree` (the three levels), `block`, `owners`, `sums`,
//! [`snapshot`], [`encoded`].
//!
//! **Invariant:** a record takes effect only if its number is newer than what is known of its owner, removals included.

pub mod encoded;
pub mod order;
pub mod snapshot;

mod block;
mod owners;
mod sums;
#[cfg(test)]
mod tests;
mod tree;

pub use self::{
    encoded::Refused,
    order::{Direction, Order, Ties},
    snapshot::Snapshot,
};
use self::{snapshot::Frozen, tree::Tree};

/// An entry with its rank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// From 1, by the rule for ties.
    pub rank: u64,
    /// From 0, in the order of the list: unlike ranks, places are never shared.
    pub place: u64,
    /// Whose.
    pub owner: String,
    /// One for each column.
    pub scores: Vec<i64>,
    /// The record's number.
    pub seq: u64,
}

/// Where an owner stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    /// From 1, by the rule for ties.
    pub rank: u64,
    /// From 0, in the order of the list.
    pub place: u64,
}

/// What came of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Put {
    /// Whether it was newer than what was known, and is in now.
    pub applied: bool,
    /// The owner's place before, if they had one.
    pub before: Option<u64>,
    /// The owner's place now; of no meaning unless it was applied.
    pub after: u64,
}

/// Entries in their order. `n` is how many there are.
pub enum Ranking {
    /// Of one column.
    One(Tree<1>),
    /// Of two.
    Two(Tree<2>),
    /// Of three.
    Three(Tree<3>),
    /// Of four.
    Four(Tree<4>),
    /// Of five.
    Five(Tree<5>),
}

macro_rules! each {
    ($ranking:expr, $tree:ident => $do:expr) => {
        match $ranking {
            Ranking::One($tree) => $do,
            Ranking::Two($tree) => $do,
            Ranking::Three($tree) => $do,
            Ranking::Four($tree) => $do,
            Ranking::Five($tree) => $do,
        }
    };
}

impl Ranking {
    /// How many records it is worth to look ahead at a time.
    pub const PREFETCH_MAX: usize = tree::PREFETCH_MAX;

    /// Nobody, in this order.
    pub fn new(order: Order) -> Self {
        match order.columns() {
            0 | 1 => Self::One(Tree::new(order)),
            2 => Self::Two(Tree::new(order)),
            3 => Self::Three(Tree::new(order)),
            4 => Self::Four(Tree::new(order)),
            _ => Self::Five(Tree::new(order)),
        }
    }

    /// These entries, of owners that differ, in any order: sorts them once, O(n log n).
    pub fn load<'a>(
        order: Order,
        entries: impl IntoIterator<Item = (&'a str, &'a [i64], u64)>,
    ) -> Self {
        let mut loader = Loader::new(order);
        for (owner, scores, seq) in entries {
            loader.push(owner, scores, seq);
        }
        loader.finish()
    }

    /// Takes a record of `owner`, unless something newer is known of them. O(log n).
    pub fn put(&mut self, owner: &str, scores: &[i64], seq: u64) -> Put {
        each!(self, tree => tree.put(owner, scores, seq))
    }

    /// Brings near the processor what the next [`Ranking::PREFETCH_MAX`] records of these owners, with these scores,
    /// will look at: their ways to memory then overlap, which in a large ranking makes each cost half. Either may be
    /// empty; what is beyond the most is passed over. Changes nothing.
    pub fn prefetch<'a>(
        &self,
        owners: impl Iterator<Item = &'a str>,
        scores: impl Iterator<Item = &'a [i64]>,
    ) {
        each!(self, tree => tree.prefetch(owners, scores));
    }

    /// Takes an owner out by a record of this number, unless something newer is known of them; says whether they were
    /// in. An older record that arrives later does not bring them back.
    pub fn remove(&mut self, owner: &str, seq: u64) -> bool {
        each!(self, tree => tree.remove(owner, seq))
    }

    /// Forgets removals up to this number: no older record will arrive any more.
    pub fn forget_removed(&mut self, up_to: u64) {
        each!(self, tree => tree.forget_removed(up_to));
    }

    /// How many there are.
    pub fn len(&self) -> u64 {
        each!(self, tree => tree.len())
    }

    /// Whether there is nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The newest record that was taken.
    pub fn as_of(&self) -> u64 {
        each!(self, tree => tree.as_of())
    }

    /// Where `owner` stands. O(log n).
    pub fn standing(&self, owner: &str) -> Option<Standing> {
        each!(self, tree => tree.standing(owner))
    }

    /// At most `len` entries from the place `first` on. O(log n + len).
    pub fn range(&self, first: u64, len: usize) -> Vec<Ranked> {
        each!(self, tree => tree.range(first, len))
    }

    /// The scores and the record's number of `owner`, if they are in.
    pub fn entry(&self, owner: &str) -> Option<(Vec<i64>, u64)> {
        each!(self, tree => tree.entry(owner))
    }

    /// How many rank before somebody with these scores would. O(log n).
    pub fn count_before(&self, scores: &[i64]) -> u64 {
        each!(self, tree => tree.count_before(scores))
    }

    /// The order as it is now: what comes later does not change it. O(n ÷ 8,192), and for each group of blocks
    /// that has changed since the last one O(64); later records copy the blocks that they change once.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot(match self {
            Self::One(tree) => Frozen::One(tree.freeze()),
            Self::Two(tree) => Frozen::Two(tree.freeze()),
            Self::Three(tree) => Frozen::Three(tree.freeze()),
            Self::Four(tree) => Frozen::Four(tree.freeze()),
            Self::Five(tree) => Frozen::Five(tree.freeze()),
        })
    }

    /// At most `len` entries of a snapshot of this ranking, from the place `first` on. The snapshot has the order and
    /// the scores; the names are here. `None` for a snapshot of another ranking.
    pub fn range_of(&self, snapshot: &Snapshot, first: u64, len: usize) -> Option<Vec<Ranked>> {
        match (self, &snapshot.0) {
            (Self::One(tree), Frozen::One(frozen)) => tree.range_of(frozen, first, len),
            (Self::Two(tree), Frozen::Two(frozen)) => tree.range_of(frozen, first, len),
            (Self::Three(tree), Frozen::Three(frozen)) => tree.range_of(frozen, first, len),
            (Self::Four(tree), Frozen::Four(frozen)) => tree.range_of(frozen, first, len),
            (Self::Five(tree), Frozen::Five(frozen)) => tree.range_of(frozen, first, len),
            _ => None,
        }
    }

    /// The order that it stands in.
    fn order(&self) -> &Order {
        each!(self, tree => tree.order())
    }

    /// Lets `look` see owner, turned scores and number of each entry, in order.
    fn each(&self, look: &mut dyn FnMut(&str, &[u64], u64)) {
        each!(self, tree => tree.each(look));
    }

    /// Bytes that the names of all entries need, with what stands before each.
    fn names_room(&self) -> usize {
        each!(self, tree => tree.names_room())
    }

    /// Bytes that it holds, names included.
    pub fn memory_bytes(&self) -> usize {
        each!(self, tree => tree.memory_bytes())
    }

    /// Bytes of the names alone, each kept once.
    pub fn name_bytes(&self) -> usize {
        each!(self, tree => tree.name_bytes())
    }
}

/// Takes the entries of a ranking in any order and sorts them once.
pub struct Loader(Ranking);

impl Loader {
    /// For a ranking in this order.
    pub fn new(order: Order) -> Self {
        Self(Ranking::new(order))
    }

    /// For so many entries, whose names need so many bytes.
    fn with_room(order: Order, count: usize, names_bytes: usize) -> Self {
        let mut ranking = Ranking::new(order);
        each!(&mut ranking, tree => tree.make_room_for(count, names_bytes));
        Self(ranking)
    }

    /// Adds an entry of an owner who was not added before, with turned scores, that stands behind all before.
    fn push_sorted(&mut self, owner: &str, key: &[u64], seq: u64) {
        each!(&mut self.0, tree => tree.push_sorted(owner, key, seq));
    }

    /// The ranking of entries that were added in order; `None` if they were not. O(n).
    pub fn finish_sorted(mut self) -> Option<Ranking> {
        each!(&mut self.0, tree => tree.build_sorted()).then_some(self.0)
    }

    /// Adds an entry of an owner who was not added before, which saves a search for them.
    pub fn push_new(&mut self, owner: &str, scores: &[i64], seq: u64) {
        each!(&mut self.0, tree => tree.push_new(owner, scores, seq));
    }

    /// Adds an entry; of an owner that was added before nothing is taken.
    pub fn push(&mut self, owner: &str, scores: &[i64], seq: u64) {
        each!(&mut self.0, tree => tree.push_unsorted(owner, scores, seq));
    }

    /// The ranking. O(n log n).
    pub fn finish(mut self) -> Ranking {
        each!(&mut self.0, tree => tree.sort());
        self.0
    }
}
