//! A block: entries that stand next to each other, as arrays beside each other.

/// The most entries of a block: what is moved for an insertion stays within a kilobyte or two.
pub(super) const BLOCK_MAX: usize = 128;
/// Bytes that come from memory together.
const LINE_BYTES: usize = 64;

/// Entries in order. The arrays are of fixed length so that a block is one piece of memory.
#[derive(Clone)]
pub(super) struct Block<const N: usize> {
    len: u32,
    keys: [[u64; N]; BLOCK_MAX],
    seqs: [u64; BLOCK_MAX],
    slots: [u32; BLOCK_MAX],
}

/// An entry as a block has it: turned scores, number, and where its owner is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Item<const N: usize> {
    pub(super) key: [u64; N],
    pub(super) seq: u64,
    pub(super) slot: u32,
}

impl<const N: usize> Block<N> {
    pub(super) fn new() -> Self {
        Self { len: 0, keys: [[0; N]; BLOCK_MAX], seqs: [0; BLOCK_MAX], slots: [0; BLOCK_MAX] }
    }

    pub(super) fn len(&self) -> usize {
        self.len as usize
    }

    pub(super) fn keys(&self) -> &[[u64; N]] {
        &self.keys[..self.len()]
    }

    pub(super) fn slots(&self) -> &[u32] {
        &self.slots[..self.len()]
    }

    pub(super) fn item(&self, at: usize) -> Item<N> {
        Item { key: self.keys[at], seq: self.seqs[at], slot: self.slots[at] }
    }

    /// Where `slot` stands. Sixteen are compared at a time, which compilers make one step of.
    pub(super) fn find(&self, slot: u32) -> Option<usize> {
        let slots = self.slots();
        let (pieces, rest) = slots.as_chunks::<16>();
        for (number, piece) in pieces.iter().enumerate() {
            if piece.iter().fold(false, |found, one| found | (*one == slot)) {
                let at = piece.iter().position(|one| *one == slot)?;
                return Some(number * 16 + at);
            }
        }
        let at = rest.iter().position(|one| *one == slot)?;
        Some(pieces.len() * 16 + at)
    }

    /// Reads something of every line that finding an owner reads. What it returns has no meaning.
    pub(super) fn touch_slots(&self) -> u32 {
        let lines = self.slots.iter().step_by(LINE_BYTES / size_of::<u32>());
        lines.fold(self.len, |seen, slot| seen ^ slot)
    }

    /// Reads something of every line that finding scores reads. What it returns has no meaning.
    pub(super) fn touch_keys(&self) -> u32 {
        let lines = self.keys.iter().step_by((LINE_BYTES / size_of::<[u64; N]>()).max(1));
        lines.fold(self.len, |seen, key| seen ^ key[0] as u32)
    }

    /// How many come before (`key`, `seq`).
    pub(super) fn before(&self, key: &[u64; N], seq: u64) -> usize {
        let keys = self.keys();
        let mut low = keys.partition_point(|one| one < key);
        // Equal scores are few, mostly.
        while low < keys.len() && keys[low] == *key && self.seqs[low] < seq {
            low += 1;
        }
        low
    }

    pub(super) fn insert(&mut self, at: usize, item: Item<N>) {
        let len = self.len();
        self.keys.copy_within(at..len, at + 1);
        self.seqs.copy_within(at..len, at + 1);
        self.slots.copy_within(at..len, at + 1);
        self.keys[at] = item.key;
        self.seqs[at] = item.seq;
        self.slots[at] = item.slot;
        self.len += 1;
    }

    pub(super) fn remove(&mut self, at: usize) {
        let len = self.len();
        self.keys.copy_within(at + 1..len, at);
        self.seqs.copy_within(at + 1..len, at);
        self.slots.copy_within(at + 1..len, at);
        self.len -= 1;
    }

    /// Moves the entries from `at` on to the beginning of `next`.
    pub(super) fn give_to(&mut self, at: usize, next: &mut Self) {
        let (count, len) = (self.len() - at, next.len());
        next.keys.copy_within(..len, count);
        next.seqs.copy_within(..len, count);
        next.slots.copy_within(..len, count);
        next.keys[..count].copy_from_slice(&self.keys[at..at + count]);
        next.seqs[..count].copy_from_slice(&self.seqs[at..at + count]);
        next.slots[..count].copy_from_slice(&self.slots[at..at + count]);
        next.len += count as u32;
        self.len = at as u32;
    }

    /// Moves the first `count` entries to the end of `before`.
    pub(super) fn give_back(&mut self, count: usize, before: &mut Self) {
        let (len, end) = (self.len(), before.len());
        before.keys[end..end + count].copy_from_slice(&self.keys[..count]);
        before.seqs[end..end + count].copy_from_slice(&self.seqs[..count]);
        before.slots[end..end + count].copy_from_slice(&self.slots[..count]);
        before.len += count as u32;
        self.keys.copy_within(count..len, 0);
        self.seqs.copy_within(count..len, 0);
        self.slots.copy_within(count..len, 0);
        self.len -= count as u32;
    }

    /// Entries whose scores differ from those of the entry before; `last` is the one before the first.
    pub(super) fn distinct(&self, last: Option<&[u64; N]>) -> u32 {
        let keys = self.keys();
        let Some(first) = keys.first() else { return 0 };
        let inner = keys.windows(2).filter(|two| two[0] != two[1]).count() as u32;
        inner + u32::from(last != Some(first))
    }
}
