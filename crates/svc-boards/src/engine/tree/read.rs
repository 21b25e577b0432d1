//! Ranks and ranges, of the order as it is and as it was.

use super::{
    super::{Ranked, order::Ties, snapshot::FrozenTree},
    Block, Item, Path, Tree,
};

impl<const N: usize> Tree<N> {
    /// The rank of the entry at `path`, which has this place.
    pub(super) fn rank(&self, path: Path, place: u64) -> u64 {
        match self.order.ties() {
            Ties::Earliest | Ties::Owner => place + 1,
            Ties::Shared => self.count_below(&self.block(path).item(path.at).key) + 1,
            Ties::Dense => {
                let group = &self.groups[path.group];
                let within: u32 = group.distinct[..path.block].iter().sum();
                let before = self.distinct.before(path.group) + u64::from(within);
                before + distinct_up_to(self.block(path), path.at, self.last_before(path))
            }
        }
    }

    pub(in crate::engine) fn range(&self, first: u64, len: usize) -> Vec<Ranked> {
        if first >= self.len() || len == 0 {
            return Vec::new();
        }
        let group = self.sums.find(first);
        let mut left = (first - self.sums.before(group)) as usize;
        let mut block = 0;
        for count in &self.groups[group].lens {
            if left < *count as usize {
                break;
            }
            left -= *count as usize;
            block += 1;
        }
        let path = Path { group, block, at: left };
        let blocks = self.groups[group..].iter().enumerate().flat_map(|(number, group)| {
            let skip = if number == 0 { block } else { 0 };
            group.blocks[skip..].iter().map(|id| &*self.blocks[*id as usize])
        });
        self.list(blocks, left, len, (first, self.rank(path, first)))
    }

    pub(in crate::engine) fn range_of(
        &self,
        frozen: &FrozenTree<N>,
        first: u64,
        len: usize,
    ) -> Option<Vec<Ranked>> {
        if !frozen.is_of(&self.snapshots) {
            return None;
        }
        let Some(path) = frozen.find(first).filter(|_| len > 0) else { return Some(Vec::new()) };
        let (block, at) = (frozen.block(path), path.at);
        let rank = match self.order.ties() {
            Ties::Earliest | Ties::Owner => first + 1,
            Ties::Shared => frozen.count_below(&block.item(at).key) + 1,
            Ties::Dense => {
                frozen.distinct_before(path) + distinct_up_to(block, at, frozen.last_before(path))
            }
        };
        Some(self.list(frozen.blocks_from(path), at, len, (first, rank)))
    }

    /// At most `len` entries of these blocks, without the first `skip`; the first one has this place and rank.
    fn list<'a>(
        &'a self,
        blocks: impl Iterator<Item = &'a Block<N>>,
        skip: usize,
        len: usize,
        (mut place, mut rank): (u64, u64),
    ) -> Vec<Ranked> {
        let items = blocks.flat_map(|block| (0..block.len()).map(|at| block.item(at)));
        let items: Vec<Item<N>> = items.skip(skip).take(len).collect();
        // Names are anywhere; read beforehand, their ways from memory overlap.
        std::hint::black_box(
            items.iter().fold(0, |seen, item| seen ^ self.owners.block(item.slot)),
        );
        let mut listed = Vec::with_capacity(items.len());
        let mut last = None;
        for item in items {
            let differs = last.is_some_and(|last| last != item.key);
            rank = match self.order.ties() {
                Ties::Earliest | Ties::Owner => place + 1,
                Ties::Shared if differs => place + 1,
                Ties::Dense if differs => rank + 1,
                Ties::Shared | Ties::Dense => rank,
            };
            listed.push(Ranked {
                rank,
                place,
                owner: self.owners.name(item.slot).to_owned(),
                scores: self.order.scores(&item.key),
                seq: item.seq,
            });
            last = Some(item.key);
            place += 1;
        }
        listed
    }

    pub(in crate::engine) fn each(&self, look: &mut dyn FnMut(&str, &[u64], u64)) {
        for id in self.groups.iter().flat_map(|group| &group.blocks) {
            let block = &self.blocks[*id as usize];
            for item in (0..block.len()).map(|at| block.item(at)) {
                look(self.owners.name(item.slot), &item.key, item.seq);
            }
        }
    }

    pub(in crate::engine) fn freeze(&self) -> FrozenTree<N> {
        let groups = self.groups.iter().map(|group| group.freeze(&self.blocks));
        FrozenTree::new(groups.collect(), self.as_of, self.snapshots.clone())
    }
}

/// How many scores of their own a block has up to the entry at `at`; `last` are those before its first.
fn distinct_up_to<const N: usize>(block: &Block<N>, at: usize, last: Option<[u64; N]>) -> u64 {
    let keys = &block.keys()[..=at];
    let inner = keys.windows(2).filter(|two| two[0] != two[1]).count() as u64;
    inner + u64::from(last.as_ref() != keys.first())
}
