//! A ranking of everybody, and one for each slice, such as a country: exact ranks among one's like.

mod kept;

use std::collections::{BTreeMap, HashMap, btree_map::Entry};

use mainstay_contract::boards::ScoredV1;

use super::touched::Touched;
use crate::{
    engine::{Loader, Order, Ranking},
    model::board::BoardSettings,
    store::scores::{Slices, StandingRow},
};

/// One slice: its kind and value, such as `country` and `IN`.
pub(crate) type Slice = (String, String);

/// Rankings of the same entries.
pub(crate) struct Sliced {
    order: Order,
    kinds: Vec<String>,
    all: Ranking,
    by_slice: BTreeMap<Slice, Ranking>,
    /// Where owners are, for those who are in any.
    slices_of: HashMap<String, Slices>,
    /// The newest submission that was applied.
    as_of: u64,
}

/// Rankings that are being loaded.
pub(crate) struct Loading {
    order: Order,
    kinds: Vec<String>,
    all: Loader,
    by_slice: BTreeMap<Slice, Loader>,
    slices_of: HashMap<String, Slices>,
    as_of: u64,
}

impl Loading {
    /// For a board of these settings.
    pub(crate) fn new(settings: &BoardSettings) -> Self {
        let order = settings.order();
        Self {
            all: Loader::new(order.clone()),
            order,
            kinds: settings.slices.clone(),
            by_slice: BTreeMap::new(),
            slices_of: HashMap::new(),
            as_of: 0,
        }
    }

    /// Adds an entry of an owner who was not added before.
    pub(crate) fn push(&mut self, row: StandingRow<'_>) {
        let seq = seq_of(row.seq);
        self.as_of = self.as_of.max(seq);
        self.all.push_new(row.owner, row.scores, seq);
        if let Some(slices) = row.slices {
            // They were written as such a document.
            let slices = serde_json::from_str(slices).unwrap_or_default();
            self.slice(row.owner, row.scores, seq, slices);
        }
    }

    /// Adds an entry as it was told.
    fn add(&mut self, scored: ScoredV1) {
        let ScoredV1 { owner, scores, slices, .. } = scored;
        let seq = seq_of(scored.seq);
        self.as_of = self.as_of.max(seq);
        self.all.push(&owner, &scores, seq);
        if !slices.is_empty() {
            self.slice(&owner, &scores, seq, slices);
        }
    }

    fn slice(&mut self, owner: &str, scores: &[i64], seq: u64, slices: Slices) {
        for (kind, value) in slices.iter().filter(|(kind, _)| self.kinds.contains(kind)) {
            let order = &self.order;
            let slice = self.by_slice.entry((kind.clone(), value.clone()));
            let loader = slice.or_insert_with(|| Loader::new(order.clone()));
            loader.push(owner, scores, seq);
        }
        self.slices_of.insert(owner.to_owned(), slices);
    }

    /// The rankings.
    pub(crate) fn finish(self) -> Sliced {
        let Self { order, kinds, all, by_slice, slices_of, as_of } = self;
        let by_slice =
            by_slice.into_iter().map(|(slice, loader)| (slice, loader.finish())).collect();
        Sliced { order, kinds, all: all.finish(), by_slice, slices_of, as_of }
    }
}

impl Sliced {
    /// These entries under these settings.
    pub(crate) fn load(settings: &BoardSettings, entries: impl Iterator<Item = ScoredV1>) -> Self {
        let mut loading = Loading::new(settings);
        entries.for_each(|entry| loading.add(entry));
        loading.finish()
    }

    /// Brings near what these scores will touch.
    pub(super) fn prefetch<'a>(&self, scored: impl Iterator<Item = &'a ScoredV1> + Clone) {
        let owners = scored.clone().map(|scored| &*scored.owner);
        self.all.prefetch(owners, scored.map(|scored| &*scored.scores));
    }

    /// Applies a score, and notes in `told` whom those who watch the top have to be told of.
    pub(super) fn put(&mut self, scored: ScoredV1, told: Option<&mut Touched>) {
        let seq = seq_of(scored.seq);
        self.as_of = self.as_of.max(seq);
        let put = self.all.put(&scored.owner, &scored.scores, seq);
        if !put.applied {
            return;
        }
        if let Some(told) = told {
            told.moved(&self.all, &scored.owner, put.before, Some(put.after));
        }
        if self.slices_of.is_empty() && scored.slices.is_empty() {
            return;
        }
        let old = self.slices_of.get(&scored.owner).cloned().unwrap_or_default();
        for (kind, value) in old {
            if scored.slices.get(&kind) != Some(&value) {
                self.leave((kind, value), &scored.owner, seq);
            }
        }
        for (kind, value) in scored.slices.iter().filter(|(kind, _)| self.kinds.contains(kind)) {
            let ranking = self
                .by_slice
                .entry((kind.clone(), value.clone()))
                .or_insert_with(|| Ranking::new(self.order.clone()));
            ranking.put(&scored.owner, &scored.scores, seq);
        }
        if scored.slices.is_empty() {
            self.slices_of.remove(&scored.owner);
        } else {
            self.slices_of.insert(scored.owner, scored.slices);
        }
    }

    /// Removes an entry, and notes in `told` whom those who watch the top have to be told of.
    pub(super) fn remove(&mut self, owner: &str, seq: i64, told: Option<&mut Touched>) {
        let seq = seq_of(seq);
        self.as_of = self.as_of.max(seq);
        let before = self.all.standing(owner).map(|standing| standing.place);
        if self.all.remove(owner, seq) {
            if let Some(told) = told {
                told.moved(&self.all, owner, before, None);
            }
            for slice in self.slices_of.remove(owner).unwrap_or_default() {
                self.leave(slice, owner, seq);
            }
        }
    }

    /// Takes an owner out of a slice. One that nobody is in any more is forgotten: what is older than `seq` has been
    /// refused for the ranking of everybody before it comes to a slice.
    fn leave(&mut self, slice: Slice, owner: &str, seq: u64) {
        if let Entry::Occupied(mut found) = self.by_slice.entry(slice) {
            found.get_mut().remove(owner, seq);
            if found.get().is_empty() {
                found.remove();
            }
        }
    }

    /// Forgets removals up to this number: no older submission will arrive any more.
    pub(super) fn forget_removed(&mut self, up_to: u64) {
        self.all.forget_removed(up_to);
        self.by_slice.values_mut().for_each(|slice| slice.forget_removed(up_to));
    }

    /// The newest submission that is counted.
    pub(crate) fn as_of(&self) -> u64 {
        self.as_of
    }

    /// The ranking of everybody, or of a slice that somebody is in.
    pub(crate) fn ranking(&self, slice: Option<&Slice>) -> Option<&Ranking> {
        match slice {
            None => Some(&self.all),
            Some(slice) => self.by_slice.get(slice),
        }
    }
}

fn seq_of(seq: i64) -> u64 {
    u64::try_from(seq).unwrap_or_default()
}
