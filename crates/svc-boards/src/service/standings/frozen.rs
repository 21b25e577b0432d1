//! Rankings that stand still while somebody pages through them.

use std::sync::Arc;

use mainstay_contract::ts::Ts;
use serde::{Deserialize, Serialize};

use super::Slice;
use crate::engine::Snapshot;

/// The most rankings of one board that stand still at a time; with one more the oldest goes.
const FROZEN_MAX: usize = 32;
/// How long one is kept.
pub(crate) const FROZEN_S: i64 = 600;

/// Which frozen ranking a cursor goes through.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FrozenName {
    /// The newest submission that it has.
    pub(crate) as_of: u64,
    /// Since when it stands still.
    pub(crate) since: Ts,
    /// Its version, where rankings are held in Redis; 0 in memory.
    pub(crate) version: u64,
    /// How many entries it has.
    #[serde(default)]
    pub(crate) count: u64,
}

struct FrozenPage {
    name: FrozenName,
    slice: Option<Slice>,
    snapshot: Arc<Snapshot>,
}

/// The frozen rankings of one place, oldest first.
#[derive(Default)]
pub(crate) struct FrozenPages(Vec<FrozenPage>);

impl FrozenPages {
    /// The one that has everything up to `as_of` and is young enough that a new reader can finish.
    pub(super) fn newest(
        &self,
        as_of: u64,
        slice: Option<&Slice>,
        now: Ts,
    ) -> Option<(FrozenName, Arc<Snapshot>)> {
        let young = now.plus_s(-FROZEN_S / 2);
        let fits = |page: &&FrozenPage| {
            page.name.as_of == as_of && page.slice.as_ref() == slice && page.name.since >= young
        };
        self.0.iter().rev().find(fits).map(|page| (page.name, page.snapshot.clone()))
    }

    pub(super) fn keep(
        &mut self,
        as_of: u64,
        slice: Option<&Slice>,
        snapshot: Arc<Snapshot>,
        now: Ts,
    ) -> (FrozenName, Arc<Snapshot>) {
        self.forget_old(now);
        if self.0.len() >= FROZEN_MAX {
            self.0.remove(0);
        }
        let name = FrozenName { as_of, since: now, version: 0, count: snapshot.len() };
        let page = FrozenPage { name, slice: slice.cloned(), snapshot: snapshot.clone() };
        self.0.push(page);
        (name, snapshot)
    }

    pub(super) fn get(&self, name: FrozenName, slice: Option<&Slice>) -> Option<Arc<Snapshot>> {
        let fits = |page: &&FrozenPage| page.name == name && page.slice.as_ref() == slice;
        self.0.iter().find(fits).map(|page| page.snapshot.clone())
    }

    pub(super) fn forget_old(&mut self, now: Ts) {
        let oldest = now.plus_s(-FROZEN_S);
        self.0.retain(|page| page.name.since >= oldest);
    }
}
