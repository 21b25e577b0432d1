//! How blocks and groups come and go.

use std::sync::Arc;

use super::{
    super::{block::BLOCK_MAX, order::Ties, sums::Sums},
    Block, GROUP_MAX, Group, Item, Path, Tree,
};

/// Entries that a loader puts into a block: full ones would all be split by what comes next.
const BLOCK_LOADED: usize = BLOCK_MAX * 7 / 8;
/// A neighbour with more takes nothing over.
const BLOCK_ROOMY: usize = BLOCK_MAX * 7 / 8;
/// Blocks are joined if they fit into one with room left.
const BLOCK_JOINED: usize = BLOCK_MAX * 3 / 4;

impl<const N: usize> Tree<N> {
    /// The first group, with an empty block.
    pub(super) fn begin(&mut self) {
        let empty = Item { key: [0; N], seq: 0, slot: 0 };
        let id = self.new_block();
        let mut group = Group::new(0);
        group.insert(0, id, empty, 0);
        self.groups.push(group);
        self.heads.push(empty);
        (self.group_of[id as usize], self.place_of) = (0, vec![0]);
        self.sums = Sums::of([0].into_iter());
        self.distinct = Sums::of([0].into_iter());
    }

    fn new_block(&mut self) -> u32 {
        if let Some(id) = self.free_blocks.pop() {
            self.blocks[id as usize] = Arc::new(Block::new());
            return id;
        }
        self.blocks.push(Arc::new(Block::new()));
        self.group_of.push(0);
        (self.blocks.len() - 1) as u32
    }

    /// Makes room for one more entry where `path` leads, and says where it belongs then.
    pub(super) fn make_room(&mut self, path: Path, item: &Item<N>) -> Path {
        if self.block(path).len() < BLOCK_MAX {
            return path;
        }
        self.groups.change(path.group);
        if !self.lean_right(path) && !self.lean_left(path) {
            self.split(path);
        }
        self.descend(item)
    }

    /// Gives entries to the block behind, in the same group, if that has room.
    fn lean_right(&mut self, path: Path) -> bool {
        let blocks = &self.groups[path.group].blocks;
        let Some(right) = blocks.get(path.block + 1).copied() else { return false };
        let room = self.blocks[right as usize].len();
        if room > BLOCK_ROOMY {
            return false;
        }
        let left = blocks[path.block];
        let at = (BLOCK_MAX + room) / 2;
        self.move_right(left, right, at);
        self.changed(path);
        self.changed(Path { block: path.block + 1, ..path });
        true
    }

    /// Gives entries to the block before, in the same group, if that has room.
    fn lean_left(&mut self, path: Path) -> bool {
        let Some(before) = path.block.checked_sub(1) else { return false };
        let blocks = &self.groups[path.group].blocks;
        let (left, right) = (blocks[before], blocks[path.block]);
        let room = self.blocks[left as usize].len();
        if room > BLOCK_ROOMY {
            return false;
        }
        self.move_left(left, right, (BLOCK_MAX - room) / 2);
        self.changed(Path { block: before, ..path });
        self.changed(path);
        true
    }

    /// Moves the entries from `at` on from one block to the beginning of another.
    fn move_right(&mut self, from: u32, to: u32, at: usize) {
        let moved: Vec<u32> = self.blocks[from as usize].slots()[at..].to_vec();
        let mut source = std::mem::replace(&mut self.blocks[from as usize], self.none.clone());
        let target = Arc::make_mut(&mut self.blocks[to as usize]);
        Arc::make_mut(&mut source).give_to(at, target);
        self.blocks[from as usize] = source;
        moved.into_iter().for_each(|slot| self.owners.set_block(slot, to));
    }

    /// Moves the first `count` entries of a block to the end of the one before.
    fn move_left(&mut self, to: u32, from: u32, count: usize) {
        let moved: Vec<u32> = self.blocks[from as usize].slots()[..count].to_vec();
        let mut source = std::mem::replace(&mut self.blocks[from as usize], self.none.clone());
        let target = Arc::make_mut(&mut self.blocks[to as usize]);
        Arc::make_mut(&mut source).give_back(count, target);
        self.blocks[from as usize] = source;
        moved.into_iter().for_each(|slot| self.owners.set_block(slot, to));
    }

    /// Makes two blocks of a full one. At an end of everything the new one is left empty: scores that only grow would
    /// leave every block half full.
    fn split(&mut self, path: Path) {
        let left = self.groups[path.group].blocks[path.block];
        let right = self.new_block();
        let last = self.next(path).is_none();
        let at = if last { BLOCK_MAX * 7 / 8 } else { BLOCK_MAX / 2 };
        let first = self.block(Path { at, ..path }).item(at);
        let group = self.groups.change(path.group);
        group.insert(path.block + 1, right, first, 0);
        self.group_of[right as usize] = group.id;
        self.move_right(left, right, at);
        self.changed(path);
        self.changed(Path { block: path.block + 1, ..path });
        if self.groups[path.group].blocks.len() > GROUP_MAX {
            self.split_group(path.group);
        }
    }

    /// After entries moved between neighbours: counts and first entries of this block. The sum of both stays.
    fn changed(&mut self, path: Path) {
        let len = self.block(path).len() as u32;
        self.groups.change(path.group).lens[path.block] = len;
        self.note_first(path);
    }

    fn split_group(&mut self, at: usize) {
        let id = self.free_groups.pop().unwrap_or_else(|| {
            self.place_of.push(0);
            (self.place_of.len() - 1) as u32
        });
        let new = self.groups.change(at).split_off(id);
        new.blocks.iter().for_each(|block| self.group_of[*block as usize] = id);
        self.heads.insert(at + 1, new.firsts[0]);
        self.groups.insert(at + 1, new);
        self.renumber();
    }

    /// After groups came or went: where each stands, and the sums.
    fn renumber(&mut self) {
        for (place, group) in self.groups.iter().enumerate() {
            self.place_of[group.id as usize] = place as u32;
        }
        let sum = |counts: &Vec<u32>| counts.iter().map(|count| u64::from(*count)).sum::<u64>();
        self.sums = Sums::of(self.groups.iter().map(|group| sum(&group.lens)));
        self.distinct = Sums::of(self.groups.iter().map(|group| sum(&group.distinct)));
    }

    /// After a block has become small: joins it with a neighbour of its group if both fit into one, and drops it if it
    /// is empty.
    pub(super) fn join(&mut self, path: Path) {
        let (here, group) = (self.block(path).len(), &self.groups[path.group]);
        let fits = |other: usize| group.lens[other] as usize + here <= BLOCK_JOINED;
        if path.block + 1 < group.blocks.len() && fits(path.block + 1) {
            let (left, right) = (group.blocks[path.block], group.blocks[path.block + 1]);
            self.move_right(left, right, 0);
            self.drop_block(path);
        } else if path.block > 0 && fits(path.block - 1) {
            let (left, right) = (group.blocks[path.block - 1], group.blocks[path.block]);
            self.move_left(left, right, here);
            let before = Path { block: path.block - 1, ..path };
            let group = self.groups.change(path.group);
            group.lens[before.block] += here as u32;
            group.lens[path.block] = 0;
            self.drop_block(path);
        } else if here == 0 {
            self.drop_block(path);
        } else {
            self.note_first(path);
        }
    }

    /// Forgets a block whose entries have gone to a neighbour, or are gone.
    fn drop_block(&mut self, path: Path) {
        let group = self.groups.change(path.group);
        let id = group.blocks.remove(path.block);
        group.firsts.remove(path.block);
        let len = group.lens.remove(path.block);
        let distinct = group.distinct.remove(path.block);
        // Those that went to the block behind are counted there.
        if let Some(next) = group.lens.get_mut(path.block) {
            *next += len;
        }
        if distinct > 0 {
            self.distinct.add(path.group, -i64::from(distinct));
        }
        self.blocks[id as usize] = self.none.clone();
        self.free_blocks.push(id);
        if self.groups[path.group].blocks.is_empty() {
            let gone = self.groups.remove(path.group);
            self.heads.remove(path.group);
            self.free_groups.push(gone.id);
            if self.groups.is_empty() {
                self.forget_all();
                return;
            }
            self.renumber();
            self.recount_around(path.group);
            return;
        }
        let last = self.groups[path.group].blocks.len() - 1;
        let at = Path { block: path.block.min(last), at: 0, ..path };
        if let Some(before) = at.block.checked_sub(1) {
            self.note_first(Path { block: before, ..at });
        }
        self.note_first(at);
    }

    /// After a whole group has gone: who stands next to whom is another question.
    fn recount_around(&mut self, group: usize) {
        let group = group.min(self.groups.len() - 1);
        self.note_first(Path { group, block: 0, at: 0 });
    }

    fn forget_all(&mut self) {
        (self.sums, self.distinct) = (Sums::default(), Sums::default());
        (self.blocks, self.group_of, self.place_of) = (Vec::new(), Vec::new(), Vec::new());
        (self.free_blocks, self.free_groups) = (Vec::new(), Vec::new());
    }

    /// Takes an entry of somebody who was not met before, to be sorted later.
    pub(in crate::engine) fn push_unsorted(&mut self, owner: &str, scores: &[i64], seq: u64) {
        self.owners.settle();
        if self.owners.find(owner).is_none() {
            self.push_new(owner, scores, seq);
        }
    }

    /// Takes an entry of somebody new, to be sorted later.
    pub(in crate::engine) fn push_new(&mut self, owner: &str, scores: &[i64], seq: u64) {
        let slot = self.owners.add_waiting(owner);
        self.as_of = self.as_of.max(seq);
        self.unsorted.push(Item { key: self.order.key(scores), seq, slot });
    }

    /// Room for so many entries, whose names need so many bytes.
    pub(in crate::engine) fn make_room_for(&mut self, count: usize, names_bytes: usize) {
        self.owners.reserve(count, names_bytes);
        self.unsorted.reserve_exact(count);
    }

    /// Takes an entry of somebody new, whose scores are turned already, behind those before.
    pub(in crate::engine) fn push_sorted(&mut self, owner: &str, key: &[u64], seq: u64) {
        let slot = self.owners.add_waiting(owner);
        self.as_of = self.as_of.max(seq);
        let mut own = [0; N];
        own.iter_mut().zip(key).for_each(|(own, part)| *own = *part);
        self.unsorted.push(Item { key: own, seq, slot });
    }

    /// Builds all levels of what was pushed in order; `false`, and nothing, if it was not in order.
    pub(in crate::engine) fn build_sorted(&mut self) -> bool {
        let items = std::mem::take(&mut self.unsorted);
        let sorted = items.windows(2).all(|two| self.precedes(&two[0], &two[1]));
        if sorted {
            self.build(&items);
        }
        sorted
    }

    /// Sorts what was pushed, and builds all levels of it.
    pub(in crate::engine) fn sort(&mut self) {
        let mut items = std::mem::take(&mut self.unsorted);
        match self.order.ties() {
            Ties::Owner => items.sort_unstable_by(|a, b| {
                let names = || self.owners.name(a.slot).cmp(self.owners.name(b.slot));
                a.key.cmp(&b.key).then_with(names)
            }),
            _ => items.sort_unstable_by_key(|item| (item.key, item.seq)),
        }
        self.build(&items);
    }

    /// Builds all levels of entries in order.
    fn build(&mut self, items: &[Item<N>]) {
        self.owners.settle();
        for some in items.chunks(BLOCK_LOADED * GROUP_MAX * 3 / 4) {
            let id = self.groups.len() as u32;
            let mut group = Group::new(id);
            for items in some.chunks(BLOCK_LOADED) {
                let number = self.new_block();
                let mut block = Block::new();
                for item in items {
                    block.insert(block.len(), *item);
                    self.owners.set_block(item.slot, number);
                }
                group.insert(group.blocks.len(), number, block.item(0), block.len() as u32);
                self.group_of[number as usize] = id;
                self.blocks[number as usize] = Arc::new(block);
            }
            self.heads.push(group.firsts[0]);
            self.place_of.push(id);
            self.groups.push(group);
        }
        self.renumber();
        if self.is_dense() {
            self.count_all_distinct();
        }
    }

    fn count_all_distinct(&mut self) {
        for group in 0..self.groups.len() {
            for block in 0..self.groups[group].blocks.len() {
                let path = Path { group, block, at: 0 };
                let count = self.block(path).distinct(self.last_before(path).as_ref());
                self.groups.change(group).distinct[block] = count;
            }
        }
        self.renumber();
    }
}
