//! The three levels: blocks of entries, groups of blocks, and the list of groups.

mod group;
mod grow;
mod read;

use std::{collections::HashMap, sync::Arc};

use self::group::{Group, Groups};
use super::{
    Put, Standing,
    block::{Block, Item},
    order::{Order, Ties},
    owners::{NOWHERE, Owners},
    sums::Sums,
};

/// The most blocks of a group.
const GROUP_MAX: usize = 64;
/// So many records are looked ahead at a time: what they touch fits a processor's first cache.
pub(super) const PREFETCH_MAX: usize = 32;
/// A block with fewer entries is joined with a neighbour.
const BLOCK_MIN: usize = 32;

/// Where an entry is: group, block in it, entry in that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Path {
    group: usize,
    block: usize,
    at: usize,
}

/// Entries of `N` columns in order.
pub struct Tree<const N: usize> {
    order: Order,
    owners: Owners,
    /// Blocks by number. A snapshot holds them too; then they are copied before they change.
    blocks: Vec<Arc<Block<N>>>,
    /// The group of each block, by number.
    group_of: Vec<u32>,
    /// Where each group stands, by number.
    place_of: Vec<u32>,
    groups: Groups<N>,
    /// The first entry of each group.
    heads: Vec<Item<N>>,
    /// Entries before each group.
    sums: Sums,
    /// Entries with scores of their own before each group; only where ranks are dense.
    distinct: Sums,
    free_blocks: Vec<u32>,
    /// What stands in the place of a block that there is none of.
    none: Arc<Block<N>>,
    free_groups: Vec<u32>,
    /// Removals, by owner, with their numbers.
    removed: HashMap<Box<str>, u64>,
    /// Owners' numbers that a snapshot may still name.
    leaving: Vec<u32>,
    /// Held by every snapshot.
    snapshots: Arc<()>,
    /// What a loader was given.
    unsorted: Vec<Item<N>>,
    as_of: u64,
}

impl<const N: usize> Tree<N> {
    pub(super) fn new(order: Order) -> Self {
        Self {
            order,
            owners: Owners::default(),
            blocks: Vec::new(),
            group_of: Vec::new(),
            place_of: Vec::new(),
            groups: Groups::new(),
            heads: Vec::new(),
            sums: Sums::default(),
            distinct: Sums::default(),
            free_blocks: Vec::new(),
            none: Arc::new(Block::new()),
            free_groups: Vec::new(),
            removed: HashMap::new(),
            leaving: Vec::new(),
            snapshots: Arc::new(()),
            unsorted: Vec::new(),
            as_of: 0,
        }
    }

    fn is_dense(&self) -> bool {
        self.order.ties() == Ties::Dense
    }

    pub(super) fn len(&self) -> u64 {
        self.sums.total()
    }

    pub(super) fn as_of(&self) -> u64 {
        self.as_of
    }

    pub(super) fn put(&mut self, owner: &str, scores: &[i64], seq: u64) -> Put {
        let refused = Put { applied: false, before: None, after: 0 };
        let key = self.order.key(scores);
        // Read while the owner is looked for, which waits for memory twice; nothing waits for this.
        let entered = self.block_of(&key).map_or(0, |path| self.block(path).touch_keys());
        std::hint::black_box(entered);
        let known = self.owners.find(owner);
        let mut before = None;
        if let Some(slot) = known {
            let Some(path) = self.path_of(slot) else { return refused };
            if self.block(path).item(path.at).seq >= seq {
                return refused;
            }
            before = Some(self.place(path));
            self.take_out(path);
        } else if !self.removed.is_empty() {
            if self.removed.get(owner).is_some_and(|at| *at >= seq) {
                return refused;
            }
            self.removed.remove(owner);
        }
        self.as_of = self.as_of.max(seq);
        let slot = match known {
            Some(slot) => slot,
            None => {
                self.let_go();
                self.owners.add(owner)
            }
        };
        let item = Item { key, seq, slot };
        let after = self.put_in(item);
        Put { applied: true, before, after }
    }

    /// Reads what records of these owners with these scores will look at.
    pub(super) fn prefetch<'a>(
        &self,
        owners: impl Iterator<Item = &'a str>,
        scores: impl Iterator<Item = &'a [i64]>,
    ) {
        let mut slots = [None; PREFETCH_MAX];
        for (slot, owner) in slots.iter_mut().zip(owners) {
            *slot = self.owners.find(owner);
        }
        let blocks = slots.iter().flatten().filter_map(|slot| {
            self.blocks.get(self.owners.block(*slot) as usize).map(|block| block.touch_slots())
        });
        let left = blocks.fold(0, |seen, touched| seen ^ touched);
        let entered = scores.take(PREFETCH_MAX).fold(0, |seen, scores| {
            let Some(path) = self.block_of(&self.order.key(scores)) else { return seen };
            seen ^ self.block(path).touch_keys()
        });
        std::hint::black_box(left ^ entered);
    }

    pub(super) fn remove(&mut self, owner: &str, seq: u64) -> bool {
        let newest = self.removed.get(owner).copied().unwrap_or_default();
        let Some(slot) = self.owners.find(owner) else {
            // An older record may still be on its way.
            self.removed.insert(owner.into(), newest.max(seq));
            self.as_of = self.as_of.max(seq);
            return false;
        };
        let Some(path) = self.path_of(slot) else { return false };
        if self.block(path).item(path.at).seq >= seq {
            return false;
        }
        self.take_out(path);
        self.owners.remove(owner);
        self.leaving.push(slot);
        self.let_go();
        self.removed.insert(owner.into(), seq);
        self.as_of = self.as_of.max(seq);
        true
    }

    pub(super) fn forget_removed(&mut self, up_to: u64) {
        self.removed.retain(|_, seq| *seq > up_to);
    }

    /// Gives up the numbers of owners who left, unless a snapshot may still name them.
    fn let_go(&mut self) {
        if !self.leaving.is_empty() && Arc::strong_count(&self.snapshots) == 1 {
            self.owners.reuse(self.leaving.drain(..));
        }
    }

    pub(super) fn standing(&self, owner: &str) -> Option<Standing> {
        let path = self.path_of(self.owners.find(owner)?)?;
        let place = self.place(path);
        Some(Standing { rank: self.rank(path, place), place })
    }

    pub(super) fn entry(&self, owner: &str) -> Option<(Vec<i64>, u64)> {
        let path = self.path_of(self.owners.find(owner)?)?;
        let item = self.block(path).item(path.at);
        Some((self.order.scores(&item.key), item.seq))
    }

    pub(super) fn order(&self) -> &Order {
        &self.order
    }

    pub(super) fn names_room(&self) -> usize {
        self.owners.room()
    }

    pub(super) fn count_before(&self, scores: &[i64]) -> u64 {
        self.count_below(&self.order.key(scores))
    }

    /// Entries whose scores come before these.
    fn count_below(&self, key: &[u64; N]) -> u64 {
        let Some(path) = self.block_of(key) else { return 0 };
        let at = self.block(path).keys().partition_point(|one| one < key);
        self.place(Path { at, ..path })
    }

    /// The last block that begins with better scores than these, or the first one of all.
    fn block_of(&self, key: &[u64; N]) -> Option<Path> {
        let group = self.heads.partition_point(|head| head.key < *key).saturating_sub(1);
        let firsts = &self.groups.get(group)?.firsts;
        let block = firsts.partition_point(|first| first.key < *key).saturating_sub(1);
        Some(Path { group, block, at: 0 })
    }

    fn block(&self, path: Path) -> &Block<N> {
        &self.blocks[self.groups[path.group].blocks[path.block] as usize]
    }

    /// Where an owner's entry is.
    fn path_of(&self, slot: u32) -> Option<Path> {
        let block = self.owners.block(slot);
        if block == NOWHERE {
            return None;
        }
        let at = self.blocks[block as usize].find(slot)?;
        let group = self.place_of[self.group_of[block as usize] as usize] as usize;
        let place = self.groups[group].blocks.iter().position(|one| *one == block)?;
        Some(Path { group, block: place, at })
    }

    /// Entries before this one.
    fn place(&self, path: Path) -> u64 {
        let within: u32 = self.groups[path.group].lens[..path.block].iter().sum();
        self.sums.before(path.group) + u64::from(within) + path.at as u64
    }

    /// Whether `one` comes before `other`, which is an entry of another owner or the same one's.
    fn precedes(&self, one: &Item<N>, other: &Item<N>) -> bool {
        match one.key.cmp(&other.key) {
            std::cmp::Ordering::Equal if self.order.ties() == Ties::Owner => {
                self.owners.name(one.slot) < self.owners.name(other.slot)
            }
            std::cmp::Ordering::Equal => one.seq < other.seq,
            unequal => unequal.is_lt(),
        }
    }

    /// Where `item` belongs. There is a group.
    fn descend(&self, item: &Item<N>) -> Path {
        let not_after = |one: &Item<N>| !self.precedes(item, one);
        let group = self.heads.partition_point(not_after).saturating_sub(1);
        let block = self.groups[group].firsts.partition_point(not_after).saturating_sub(1);
        let entries = self.block(Path { group, block, at: 0 });
        let at = match self.order.ties() {
            Ties::Owner => by_halves(entries.len(), |at| self.precedes(&entries.item(at), item)),
            _ => entries.before(&item.key, item.seq),
        };
        Path { group, block, at }
    }

    /// Puts an entry in and returns its place.
    fn put_in(&mut self, item: Item<N>) -> u64 {
        if self.groups.is_empty() {
            self.begin();
        }
        let path = self.make_room(self.descend(&item), &item);
        let group = self.groups.change(path.group);
        let id = group.blocks[path.block];
        group.lens[path.block] += 1;
        Arc::make_mut(&mut self.blocks[id as usize]).insert(path.at, item);
        self.owners.set_block(item.slot, id);
        self.sums.add(path.group, 1);
        self.note_first(path);
        self.place(path)
    }

    /// Takes an entry out of its block.
    fn take_out(&mut self, path: Path) {
        let group = self.groups.change(path.group);
        let id = group.blocks[path.block] as usize;
        group.lens[path.block] -= 1;
        Arc::make_mut(&mut self.blocks[id]).remove(path.at);
        self.sums.add(path.group, -1);
        if self.blocks[id].len() < BLOCK_MIN {
            self.join(path);
        } else {
            self.note_first(path);
        }
    }

    /// After a change of a block: its first entry, and how many of its scores are distinct.
    fn note_first(&mut self, path: Path) {
        let first = self.block(path).item(0);
        self.groups.change(path.group).firsts[path.block] = first;
        if path.block == 0 {
            self.heads[path.group] = first;
        }
        if self.is_dense() {
            self.count_distinct(path);
            if let Some(next) = self.next(path) {
                self.count_distinct(next);
            }
        }
    }

    fn next(&self, path: Path) -> Option<Path> {
        if path.block + 1 < self.groups[path.group].blocks.len() {
            return Some(Path { block: path.block + 1, at: 0, ..path });
        }
        (path.group + 1 < self.groups.len()).then_some(Path {
            group: path.group + 1,
            block: 0,
            at: 0,
        })
    }

    fn previous(&self, path: Path) -> Option<Path> {
        if path.block > 0 {
            return Some(Path { block: path.block - 1, at: 0, ..path });
        }
        let group = path.group.checked_sub(1)?;
        Some(Path { group, block: self.groups[group].blocks.len() - 1, at: 0 })
    }

    /// The scores of the entry before a block's first.
    fn last_before(&self, path: Path) -> Option<[u64; N]> {
        self.block(self.previous(path)?).keys().last().copied()
    }

    fn count_distinct(&mut self, path: Path) {
        let count = self.block(path).distinct(self.last_before(path).as_ref());
        let change = i64::from(count) - i64::from(self.groups[path.group].distinct[path.block]);
        if change != 0 {
            self.groups.change(path.group).distinct[path.block] = count;
            self.distinct.add(path.group, change);
        }
    }

    pub(super) fn name_bytes(&self) -> usize {
        self.owners.name_bytes()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let names = self.removed.keys().map(|name| name.len() + 32).sum::<usize>();
        self.owners.memory_bytes()
            // Each block is in a box of its own with two counters.
            + (self.blocks.len() - self.free_blocks.len()) * (size_of::<Block<N>>() + 16)
            + self.blocks.capacity() * size_of::<usize>()
            + (self.group_of.capacity() + self.place_of.capacity()) * size_of::<u32>()
            + self.groups.iter().map(Group::bytes).sum::<usize>()
            + self.heads.capacity() * size_of::<Item<N>>()
            + self.sums.bytes()
            + self.distinct.bytes()
            + names
    }
}

/// The first of `len` places for which `before` does not hold; it holds for those before.
fn by_halves(len: usize, before: impl Fn(usize) -> bool) -> usize {
    let (mut low, mut high) = (0, len);
    while low < high {
        let middle = low.midpoint(high);
        match before(middle) {
            true => low = middle + 1,
            false => high = middle,
        }
    }
    low
}
