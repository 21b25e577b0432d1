//! Owners: each name once, and with it in which block its entry stands.
//!
//! A name and its block are next to each other, so that finding an entry by its owner touches two places in memory: the
//! table, and this. Where they stand is the owner's number in blocks.

use std::{collections::HashMap, hash::BuildHasher as _};

use foldhash::fast::RandomState;
use hashbrown::HashTable;

/// A block that is none.
pub(super) const NOWHERE: u32 = u32::MAX;

/// Owners are numbered by where they stand, in units of this many bytes: 32 bits reach over 16 GiB.
const UNIT: usize = 4;
/// More owners than this are put into the table by so many parts of it.
const SETTLED_AT_ONCE: usize = 100_000;
const PARTS: usize = 256;
/// Room for owners who wait that is kept.
const WAITING_KEPT: usize = 16;
/// What stands before a name: the block, 4 bytes, and the name's length.
const HEAD: usize = 5;

/// Names and where their entries are.
#[derive(Default)]
pub(super) struct Owners {
    bytes: Vec<u8>,
    by_name: HashTable<u32>,
    hasher: RandomState,
    /// Places that owners have left, by their lengths in units.
    free: HashMap<usize, Vec<u32>>,
    /// Owners with their hashes who are not in the table yet.
    waiting: Vec<(u64, u32)>,
}

impl Owners {
    pub(super) fn name(&self, owner: u32) -> &str {
        // They were texts when they came in.
        std::str::from_utf8(name_at(&self.bytes, owner)).unwrap_or_default()
    }

    pub(super) fn block(&self, owner: u32) -> u32 {
        let at = owner as usize * UNIT;
        let block = self.bytes.get(at..).and_then(|bytes| bytes.first_chunk());
        block.map_or(NOWHERE, |block| u32::from_le_bytes(*block))
    }

    pub(super) fn set_block(&mut self, owner: u32, block: u32) {
        let at = owner as usize * UNIT;
        if let Some(place) = self.bytes.get_mut(at..at + 4) {
            place.copy_from_slice(&block.to_le_bytes());
        }
    }

    pub(super) fn find(&self, name: &str) -> Option<u32> {
        let same = |owner: &u32| name_at(&self.bytes, *owner) == name.as_bytes();
        self.by_name.find(self.hasher.hash_one(name.as_bytes()), same).copied()
    }

    /// The number of an owner who is new. Of a name at most 255 bytes are kept.
    pub(super) fn add(&mut self, name: &str) -> u32 {
        let owner = self.add_waiting(name);
        self.settle();
        owner
    }

    /// The same, of many: none of them is found before [`Owners::settle`].
    pub(super) fn add_waiting(&mut self, name: &str) -> u32 {
        let name = &name.as_bytes()[..name.len().min(255)];
        let units = units_of(name.len());
        let owner = match self.free.get_mut(&units).and_then(Vec::pop) {
            Some(owner) => owner,
            None => {
                let owner = (self.bytes.len() / UNIT) as u32;
                if self.bytes.capacity() < self.bytes.len() + units * UNIT {
                    // By an eighth at a time: doubling would leave half of it empty.
                    self.bytes.reserve_exact(self.bytes.len() / 8 + 1_024);
                }
                self.bytes.resize(self.bytes.len() + units * UNIT, 0);
                owner
            }
        };
        let at = owner as usize * UNIT;
        self.bytes[at..at + 4].copy_from_slice(&NOWHERE.to_le_bytes());
        self.bytes[at + 4] = name.len() as u8;
        self.bytes[at + HEAD..at + HEAD + name.len()].copy_from_slice(name);
        self.waiting.push((self.hasher.hash_one(name), owner));
        owner
    }

    /// Puts those who wait into the table. Many are put in by parts of the table, each of which fits a processor's
    /// cache: anywhere in a large one is a wait for memory each time.
    pub(super) fn settle(&mut self) {
        let Self { bytes, by_name, hasher, waiting, .. } = self;
        let hash = |owner: &u32| hasher.hash_one(name_at(bytes, *owner));
        if waiting.len() < SETTLED_AT_ONCE {
            for (hashed, owner) in waiting.drain(..) {
                by_name.insert_unique(hashed, owner, hash);
            }
            // One at a time wait from now on.
            waiting.shrink_to(WAITING_KEPT);
            return;
        }
        let waiting = std::mem::take(waiting);
        by_name.reserve(waiting.len(), hash);
        // As tables have it; were it otherwise, it would only take longer.
        let places = (by_name.capacity() as u64 * 8 / 7).next_power_of_two();
        let shift = places.trailing_zeros().saturating_sub(PARTS.trailing_zeros());
        let part = |hashed: u64| ((hashed & (places - 1)) >> shift) as usize;
        let mut ends = [0_usize; PARTS];
        waiting.iter().for_each(|(hashed, _)| ends[part(*hashed)] += 1);
        let mut before = 0;
        for end in &mut ends {
            (*end, before) = (before, before + *end);
        }
        let mut by_part = vec![(0_u64, 0_u32); waiting.len()];
        for one in waiting {
            let end = &mut ends[part(one.0)];
            by_part[*end] = one;
            *end += 1;
        }
        for (hashed, owner) in by_part {
            by_name.insert_unique(hashed, owner, hash);
        }
    }

    /// Room for so many more owners, whose names need so many bytes with what stands before each.
    pub(super) fn reserve(&mut self, count: usize, bytes: usize) {
        let Self { bytes: names, by_name, hasher, .. } = self;
        names.reserve_exact(bytes);
        by_name.reserve(count, |owner| hasher.hash_one(name_at(names, *owner)));
        self.waiting.reserve_exact(count);
    }

    /// Bytes that names take with what stands before each; those that were left are among them.
    pub(super) fn room(&self) -> usize {
        self.bytes.len()
    }

    /// Takes an owner out. The number is given to another only after [`Owners::reuse`].
    pub(super) fn remove(&mut self, name: &str) {
        let Self { bytes, by_name, hasher, .. } = self;
        let same = |owner: &u32| name_at(bytes, *owner) == name.as_bytes();
        if let Ok(found) = by_name.find_entry(hasher.hash_one(name.as_bytes()), same) {
            found.remove();
        }
    }

    /// From now on these numbers may be given to others.
    pub(super) fn reuse(&mut self, owners: impl Iterator<Item = u32>) {
        for owner in owners {
            let units = units_of(name_at(&self.bytes, owner).len());
            self.free.entry(units).or_default().push(owner);
        }
    }

    /// Bytes of names, each once, with their lengths.
    pub(super) fn name_bytes(&self) -> usize {
        self.bytes.len() - self.by_name.len() * size_of::<u32>()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let free = self.free.values().map(|free| free.capacity() * size_of::<u32>()).sum::<usize>();
        self.bytes.capacity() + self.by_name.allocation_size() + free + self.waiting.capacity() * 16
    }
}

fn units_of(name_len: usize) -> usize {
    (HEAD + name_len).div_ceil(UNIT)
}

fn name_at(bytes: &[u8], owner: u32) -> &[u8] {
    let at = owner as usize * UNIT + 4;
    let Some((len, name)) = bytes.get(at..).and_then(<[u8]>::split_first) else { return &[] };
    name.get(..usize::from(*len)).unwrap_or_default()
}
