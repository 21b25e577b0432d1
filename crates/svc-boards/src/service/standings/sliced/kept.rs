//! Rankings as bytes, slices included; and what is needed to go on from them.

use std::collections::{BTreeMap, HashMap};

use mainstay_contract::boards::ScoredV1;

use super::Sliced;
use crate::{
    engine::{
        Loader, Ranking, Refused,
        encoded::{Label, Reader},
    },
    model::board::BoardSettings,
    store::scores::Slices,
};

impl Sliced {
    /// No entries yet, under these settings.
    pub(crate) fn empty(settings: &BoardSettings) -> Self {
        Self::load(settings, std::iter::empty())
    }

    /// How many entries there are.
    pub(crate) fn len(&self) -> u64 {
        self.all.len()
    }

    /// As bytes, for [`Sliced::decode`].
    pub(crate) fn encode(&self, label: Label) -> Vec<u8> {
        if self.slices_of.is_empty() {
            return self.all.encode(label, None);
        }
        let mut note = |owner: &str| {
            let slices = self.slices_of.get(owner)?;
            // Texts by texts are always a document.
            serde_json::to_vec(slices).ok()
        };
        self.all.encode(label, Some(&mut note))
    }

    /// What [`Sliced::encode`] made these bytes of, under the same settings.
    pub(crate) fn decode(
        settings: &BoardSettings,
        label: Label,
        bytes: &[u8],
    ) -> Result<Self, Refused> {
        let order = settings.order();
        let mut reader = Reader::open(&order, label, bytes)?;
        let mut all = reader.loader(&order);
        let mut by_slice: BTreeMap<super::Slice, Loader> = BTreeMap::new();
        let mut slices_of: HashMap<String, Slices> = HashMap::new();
        let mut notes: Vec<Slices> = Vec::new();
        while let Some(entry) = reader.next()? {
            all.push_next(&entry);
            let Some(number) = entry.note else { continue };
            if number == notes.len() {
                let slices = serde_json::from_slice(reader.note(number));
                notes.push(slices.map_err(|_odd| Refused::Damaged)?);
            }
            let slices = notes.get(number).ok_or(Refused::Damaged)?;
            for (kind, value) in slices.iter().filter(|(kind, _)| settings.slices.contains(kind)) {
                let slice = by_slice.entry((kind.clone(), value.clone()));
                slice.or_insert_with(|| Loader::new(order.clone())).push_next(&entry);
            }
            slices_of.insert(entry.owner.to_owned(), slices.clone());
        }
        let finish = |loader: Loader| loader.finish_sorted().ok_or(Refused::Damaged);
        let all = finish(all)?;
        let by_slice = by_slice.into_iter().map(|(slice, loader)| Ok((slice, finish(loader)?)));
        let by_slice = by_slice.collect::<Result<BTreeMap<_, Ranking>, Refused>>()?;
        let (kinds, as_of) = (settings.slices.clone(), all.as_of());
        Ok(Self { order, kinds, all, by_slice, slices_of, as_of })
    }

    /// Scores, number and slices of `owner`, if they are in.
    pub(crate) fn entry(&self, owner: &str) -> Option<(Vec<i64>, i64, Option<Slices>)> {
        let (scores, seq) = self.all.entry(owner)?;
        Some((scores, seq.cast_signed(), self.slices_of.get(owner).cloned()))
    }

    /// Takes out an owner as if they had never been there.
    pub(crate) fn leave_out(&mut self, owner: &str) {
        let Some((_, seq)) = self.all.entry(owner) else { return };
        let as_of = self.as_of;
        self.remove(owner, seq.saturating_add(1).cast_signed(), None);
        self.as_of = as_of;
    }

    /// Puts in how an owner stands, unless something newer is known of them.
    pub(crate) fn put_entry(&mut self, scored: ScoredV1) {
        self.put(scored, None);
    }

    /// Takes an owner out by a submission of this number, unless something newer is known of them.
    pub(crate) fn remove_entry(&mut self, owner: &str, seq: i64) {
        self.remove(owner, seq, None);
    }
}
