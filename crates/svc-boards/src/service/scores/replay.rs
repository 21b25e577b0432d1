//! Submissions worked through again into a ranking, as they were worked through when they came.

use std::collections::HashSet;

use super::record::{Given, Held};
use crate::{
    model::board::BoardSettings,
    service::standings::Sliced,
    store::{checkpoints::ReplayRow, scores::SubmissionKind},
};

/// A ranking that goes on with what was submitted next.
pub(crate) struct Replay {
    settings: BoardSettings,
    banned: HashSet<String>,
    sliced: Sliced,
}

impl Replay {
    /// From `sliced`, in which nobody is who is banned.
    pub(crate) fn from(settings: &BoardSettings, banned: HashSet<String>, sliced: Sliced) -> Self {
        Self { settings: settings.clone(), banned, sliced }
    }

    /// The ranking so far.
    pub(crate) fn sliced(&self) -> &Sliced {
        &self.sliced
    }

    /// The ranking, to be kept.
    pub(crate) fn finish(self) -> Sliced {
        self.sliced
    }

    /// Works through the next submission of the period.
    pub(crate) fn take(&mut self, row: &ReplayRow) {
        if row.kind == SubmissionKind::Removal {
            return self.sliced.remove_entry(&row.owner, row.seq);
        }
        let fits = row.scores.len() == self.settings.columns.len();
        let counts = |name: &String| !self.banned.contains(name);
        if !fits || !counts(&row.owner) || !row.cause.as_ref().is_none_or(counts) {
            return;
        }
        let given = Given {
            seq: row.seq,
            scores: &row.scores,
            operator: row.operator.unwrap_or(self.settings.operator),
            metadata: None,
            slices: row.slices.as_ref(),
            at: row.submitted_at,
        };
        let old = self.sliced.entry(&row.owner);
        let old =
            old.map(|(scores, seq, slices)| Held::ranked(scores, seq, slices, row.submitted_at));
        // What does not fit now was not taken then either; and what changed nothing has the number that it had.
        if let Ok(entry) = Held::after(&self.settings, old, &given)
            && entry.seq() == row.seq
        {
            self.sliced.put_entry(entry.scored(&row.owner));
        }
    }
}
