//! Whom those who watch the top of a board have to be told of.

use std::collections::BTreeSet;

use crate::engine::Ranking;

/// How many entries those who watch see.
pub(crate) const TOP: u64 = 100;
/// More owners than this, and those who watch load the top anew.
const OWNERS_MAX: usize = 1_000;

/// What has changed since somebody looked.
#[derive(Debug, Default)]
pub(crate) struct Touched {
    /// Owners who moved within the top, into it or out of it; also those who were moved over its edge by others.
    pub(crate) owners: BTreeSet<String>,
    /// They are too many to be named.
    pub(crate) many: bool,
    /// Something changed, be it below the top.
    pub(crate) any: bool,
}

impl Touched {
    /// An owner has moved from one place to another; `None` is not to be there. `ranking` is as it is afterwards.
    pub(super) fn moved(
        &mut self,
        ranking: &Ranking,
        owner: &str,
        before: Option<u64>,
        after: Option<u64>,
    ) {
        self.any = true;
        let in_top = |place: Option<u64>| place.is_some_and(|place| place < TOP);
        let edge = match (in_top(before), in_top(after)) {
            (false, false) => return,
            (true, true) => None,
            // Somebody was pushed out, or came in from below.
            (false, true) => Some(TOP),
            (true, false) => Some(TOP - 1),
        };
        self.note(owner);
        let over = edge.and_then(|place| ranking.range(place, 1).into_iter().next());
        if let Some(ranked) = over {
            self.note(&ranked.owner);
        }
    }

    pub(super) fn note(&mut self, owner: &str) {
        if self.owners.len() < OWNERS_MAX {
            self.owners.insert(owner.to_owned());
        } else {
            self.many = true;
        }
    }
}
