//! A ranking as it stood at one moment.

use std::sync::Arc;

use super::block::Block;

/// The order and the scores of one moment. The names are in the ranking that it was taken of, which reads it:
/// [`Ranking::range_of`](super::Ranking::range_of).
pub struct Snapshot(pub(super) Frozen);

pub(super) enum Frozen {
    One(FrozenTree<1>),
    Two(FrozenTree<2>),
    Three(FrozenTree<3>),
    Four(FrozenTree<4>),
    Five(FrozenTree<5>),
}

impl Snapshot {
    /// How many there were.
    pub fn len(&self) -> u64 {
        match &self.0 {
            Frozen::One(frozen) => frozen.len,
            Frozen::Two(frozen) => frozen.len,
            Frozen::Three(frozen) => frozen.len,
            Frozen::Four(frozen) => frozen.len,
            Frozen::Five(frozen) => frozen.len,
        }
    }

    /// Whether there was nobody.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The newest record that was taken.
    pub fn as_of(&self) -> u64 {
        match &self.0 {
            Frozen::One(frozen) => frozen.as_of,
            Frozen::Two(frozen) => frozen.as_of,
            Frozen::Three(frozen) => frozen.as_of,
            Frozen::Four(frozen) => frozen.as_of,
            Frozen::Five(frozen) => frozen.as_of,
        }
    }
}

pub(super) struct FrozenTree<const N: usize> {
    pub(super) blocks: Vec<Arc<Block<N>>>,
    /// Entries before each block.
    before: Vec<u64>,
    /// Scores of their own before each block; only where ranks are dense.
    distinct: Vec<u64>,
    len: u64,
    as_of: u64,
    /// Keeps the numbers of owners who leave from being given to others.
    _held: Arc<()>,
}

impl<const N: usize> FrozenTree<N> {
    pub(super) fn new(
        blocks: Vec<Arc<Block<N>>>,
        counts: impl Iterator<Item = u32>,
        distinct: Vec<u32>,
        as_of: u64,
        held: Arc<()>,
    ) -> Self {
        let (before, len) = running(counts);
        let (distinct, _) = running(distinct.into_iter());
        Self { blocks, before, distinct, len, as_of, _held: held }
    }

    /// The block of the entry at `place`, and where it stands in it.
    pub(super) fn find(&self, place: u64) -> Option<(usize, usize)> {
        if place >= self.len {
            return None;
        }
        let block = self.before.partition_point(|before| *before <= place) - 1;
        Some((block, (place - self.before[block]) as usize))
    }

    /// Entries whose scores come before these.
    pub(super) fn count_below(&self, key: &[u64; N]) -> u64 {
        let begins_before =
            |block: &Arc<Block<N>>| block.keys().first().is_some_and(|one| one < key);
        let block = self.blocks.partition_point(begins_before).saturating_sub(1);
        let Some(entries) = self.blocks.get(block) else { return 0 };
        self.before[block] + entries.keys().partition_point(|one| one < key) as u64
    }

    pub(super) fn distinct_before(&self, block: usize) -> u64 {
        self.distinct.get(block).copied().unwrap_or_default()
    }
}

/// What lies before each count, and all of it.
fn running(counts: impl Iterator<Item = u32>) -> (Vec<u64>, u64) {
    let mut total = 0;
    let before = counts
        .map(|count| {
            total += u64::from(count);
            total - u64::from(count)
        })
        .collect();
    (before, total)
}
