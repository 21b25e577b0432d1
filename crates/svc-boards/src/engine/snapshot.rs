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
    groups: Vec<Arc<FrozenGroup<N>>>,
    /// Entries before each group.
    before: Vec<u64>,
    /// Scores of their own before each group; only where ranks are dense.
    distinct: Vec<u64>,
    len: u64,
    as_of: u64,
    /// Keeps the numbers of owners who leave from being given to others, in the ranking that it is of.
    held: Arc<()>,
}

/// A group of one moment. Snapshots between which it does not change have it together.
pub(super) struct FrozenGroup<const N: usize> {
    blocks: Vec<Arc<Block<N>>>,
    /// Entries before each block, and in all.
    before: Vec<u64>,
    len: u64,
    /// Scores of their own before each block, and in all; only where ranks are dense.
    distinct_before: Vec<u64>,
    distinct: u64,
}

/// Where an entry was: group, block in it, entry in that.
#[derive(Clone, Copy)]
pub(super) struct FrozenPath {
    group: usize,
    block: usize,
    pub(super) at: usize,
}

impl<const N: usize> FrozenGroup<N> {
    pub(super) fn new(blocks: Vec<Arc<Block<N>>>, lens: &[u32], distinct: &[u32]) -> Self {
        let (before, len) = running(lens.iter().map(|len| u64::from(*len)));
        let (distinct_before, distinct) = running(distinct.iter().map(|count| u64::from(*count)));
        Self { blocks, before, len, distinct_before, distinct }
    }

    pub(super) fn bytes(&self) -> usize {
        size_of::<Self>()
            + self.blocks.capacity() * size_of::<usize>()
            + (self.before.capacity() + self.distinct_before.capacity()) * size_of::<u64>()
    }
}

impl<const N: usize> FrozenTree<N> {
    pub(super) fn new(groups: Vec<Arc<FrozenGroup<N>>>, as_of: u64, held: Arc<()>) -> Self {
        let (before, len) = running(groups.iter().map(|group| group.len));
        let (distinct, _) = running(groups.iter().map(|group| group.distinct));
        Self { groups, before, distinct, len, as_of, held }
    }

    /// Whether it is of the ranking that holds this.
    pub(super) fn is_of(&self, held: &Arc<()>) -> bool {
        Arc::ptr_eq(&self.held, held)
    }

    /// Where the entry at `place` is.
    pub(super) fn find(&self, place: u64) -> Option<FrozenPath> {
        if place >= self.len {
            return None;
        }
        let group = last_up_to(&self.before, place);
        let within = place - self.before[group];
        let block = last_up_to(&self.groups[group].before, within);
        let at = (within - self.groups[group].before[block]) as usize;
        Some(FrozenPath { group, block, at })
    }

    pub(super) fn block(&self, path: FrozenPath) -> &Block<N> {
        &self.groups[path.group].blocks[path.block]
    }

    /// The block of `path` and those behind it.
    pub(super) fn blocks_from(&self, path: FrozenPath) -> impl Iterator<Item = &Block<N>> {
        let rest = self.groups[path.group..].iter().flat_map(|group| &group.blocks);
        rest.skip(path.block).map(|block| &**block)
    }

    /// The scores of the entry before the first one of a block.
    pub(super) fn last_before(&self, path: FrozenPath) -> Option<[u64; N]> {
        let before = match path.block.checked_sub(1) {
            Some(block) => &self.groups[path.group].blocks[block],
            None => self.groups[path.group.checked_sub(1)?].blocks.last()?,
        };
        before.keys().last().copied()
    }

    /// Entries whose scores come before these.
    pub(super) fn count_below(&self, key: &[u64; N]) -> u64 {
        let begins_before =
            |block: &Arc<Block<N>>| block.keys().first().is_some_and(|one| one < key);
        let group_begins_before =
            |group: &Arc<FrozenGroup<N>>| group.blocks.first().is_some_and(begins_before);
        let at = self.groups.partition_point(group_begins_before).saturating_sub(1);
        let Some(group) = self.groups.get(at) else { return 0 };
        let block = group.blocks.partition_point(begins_before).saturating_sub(1);
        let Some(entries) = group.blocks.get(block) else { return 0 };
        let within = entries.keys().partition_point(|one| one < key) as u64;
        self.before[at] + group.before[block] + within
    }

    pub(super) fn distinct_before(&self, path: FrozenPath) -> u64 {
        self.distinct[path.group] + self.groups[path.group].distinct_before[path.block]
    }
}

/// The last one before which at most `place` lie.
fn last_up_to(before: &[u64], place: u64) -> usize {
    before.partition_point(|before| *before <= place) - 1
}

/// What lies before each count, and all of it.
fn running(counts: impl Iterator<Item = u64>) -> (Vec<u64>, u64) {
    let mut total = 0;
    let before = counts
        .map(|count| {
            total += count;
            total - count
        })
        .collect();
    (before, total)
}
