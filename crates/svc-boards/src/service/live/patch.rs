//! What those who watch a board are sent.

use serde::Serialize;
use serde_json::json;

use crate::{
    engine::Ranked,
    model::score::Written,
    service::{boards::Board, standings::Found},
};

/// An entry as those who watch see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct LiveEntry {
    /// From 1.
    pub(crate) rank: u64,
    /// Whose.
    pub(crate) owner: String,
    /// One for each column.
    pub(crate) scores: Vec<Written>,
}

impl LiveEntry {
    pub(super) fn of(board: &Board, ranked: &Ranked) -> Self {
        Self {
            rank: ranked.rank,
            owner: ranked.owner.to_string(),
            scores: board.settings.show_scores(&ranked.scores),
        }
    }
}

/// What has moved in the top.
#[derive(Debug, Serialize)]
pub(super) struct Patch {
    /// Where they are now, in order.
    entries: Vec<Placed>,
    /// They are not in the top.
    gone: Vec<String>,
    /// Entries in all.
    count: u64,
    /// The newest submission that is counted.
    as_of: u64,
}

/// An entry and its place.
#[derive(Debug, Serialize)]
struct Placed {
    /// From 0, in the order of the list; ranks may be shared.
    place: u64,
    #[serde(flatten)]
    entry: LiveEntry,
}

impl Patch {
    /// Who is where in the top now, and who is not in it.
    pub(super) fn of(board: &Board, found: Found, gone: Vec<String>) -> Self {
        let placed =
            |ranked: &Ranked| Placed { place: ranked.place, entry: LiveEntry::of(board, ranked) };
        let entries = found.ranked.iter().map(placed).collect();
        Self { entries, gone, count: found.count, as_of: found.as_of }
    }

    /// The same in the words of guide 2.
    pub(super) fn as_leaderboard(&self) -> serde_json::Value {
        let entry = |placed: &Placed| {
            let Placed { place, entry } = placed;
            let score = entry.scores.first();
            json!({ "place": place, "rank": entry.rank, "user_id": entry.owner, "score": score })
        };
        let entries: Vec<_> = self.entries.iter().map(entry).collect();
        json!({ "entries": entries, "gone": self.gone, "as_of": self.as_of })
    }
}
