//! Groups of blocks, and what snapshots keep of them.

use std::{
    ops::Deref,
    sync::{Arc, OnceLock},
};

use super::super::{
    block::{Block, Item},
    snapshot::FrozenGroup,
};

/// Blocks that stand next to each other.
pub(super) struct Group<const N: usize> {
    /// Its number, which stays when groups before it come and go.
    pub(super) id: u32,
    /// Blocks by number, in order.
    pub(super) blocks: Vec<u32>,
    /// The first entry of each.
    pub(super) firsts: Vec<Item<N>>,
    /// Entries of each.
    pub(super) lens: Vec<u32>,
    /// Of each, entries whose scores differ from those before; only where ranks are dense.
    pub(super) distinct: Vec<u32>,
    /// What the last snapshot took of it, until it changes.
    frozen: OnceLock<Arc<FrozenGroup<N>>>,
}

impl<const N: usize> Group<N> {
    /// Without blocks.
    pub(super) fn new(id: u32) -> Self {
        let (blocks, firsts, lens, distinct) = Default::default();
        Self { id, blocks, firsts, lens, distinct, frozen: OnceLock::new() }
    }

    /// Its second half, under another number.
    pub(super) fn split_off(&mut self, id: u32) -> Self {
        let half = self.blocks.len() / 2;
        Self {
            id,
            blocks: self.blocks.split_off(half),
            firsts: self.firsts.split_off(half),
            lens: self.lens.split_off(half),
            distinct: self.distinct.split_off(half),
            frozen: OnceLock::new(),
        }
    }

    pub(super) fn insert(&mut self, at: usize, block: u32, first: Item<N>, len: u32) {
        self.blocks.insert(at, block);
        self.firsts.insert(at, first);
        self.lens.insert(at, len);
        self.distinct.insert(at, 0);
    }

    /// It as it is now; `blocks` are all blocks by number.
    pub(super) fn freeze(&self, blocks: &[Arc<Block<N>>]) -> Arc<FrozenGroup<N>> {
        let frozen = self.frozen.get_or_init(|| {
            let blocks = self.blocks.iter().map(|id| Arc::clone(&blocks[*id as usize]));
            Arc::new(FrozenGroup::new(blocks.collect(), &self.lens, &self.distinct))
        });
        Arc::clone(frozen)
    }

    pub(super) fn bytes(&self) -> usize {
        let numbers = self.blocks.capacity() + self.lens.capacity() + self.distinct.capacity();
        size_of::<Self>()
            + numbers * size_of::<u32>()
            + self.firsts.capacity() * size_of::<Item<N>>()
            + self.frozen.get().map_or(0, |frozen| frozen.bytes())
    }
}

/// The groups in order. Whoever changes one makes the next snapshot take it anew.
pub(super) struct Groups<const N: usize>(Vec<Group<N>>);

impl<const N: usize> Groups<N> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    /// A group that is about to change, or whose blocks are. Blocks that no snapshot has are not copied then.
    pub(super) fn change(&mut self, at: usize) -> &mut Group<N> {
        let group = &mut self.0[at];
        group.frozen.take();
        group
    }

    pub(super) fn push(&mut self, group: Group<N>) {
        self.0.push(group);
    }

    pub(super) fn insert(&mut self, at: usize, group: Group<N>) {
        self.0.insert(at, group);
    }

    pub(super) fn remove(&mut self, at: usize) -> Group<N> {
        self.0.remove(at)
    }
}

impl<const N: usize> Deref for Groups<N> {
    type Target = [Group<N>];

    fn deref(&self) -> &[Group<N>] {
        &self.0
    }
}
