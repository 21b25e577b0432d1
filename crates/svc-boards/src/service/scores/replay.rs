//! Submissions worked through again into a ranking, as they were worked through when they came.

use std::{collections::HashSet, sync::Arc};

use super::record::{Given, Held};
use crate::{
    model::board::BoardSettings,
    service::standings::Sliced,
    store::{checkpoints::ReplayRow, scores::SubmissionKind},
};

/// Whose scores do not count.
#[derive(Clone, Default)]
pub(crate) struct Banned {
    /// Their own scores.
    pub(crate) owners: Arc<HashSet<String>>,
    /// What they brought to others.
    pub(crate) causes: Arc<HashSet<String>>,
}

impl Banned {
    /// Who is banned now, for what is shown.
    pub(crate) fn all(banned: HashSet<String>) -> Self {
        let owners = Arc::new(banned);
        Self { causes: owners.clone(), owners }
    }

    /// The same for what is kept: owners are left out where it is shown, and a ban on somebody without an entry may be
    /// lifted without the board being built anew. What was brought to others cannot be told apart later, and there a
    /// board is always built anew.
    pub(crate) fn causes(banned: HashSet<String>) -> Self {
        Self { owners: Arc::default(), causes: Arc::new(banned) }
    }
}

/// A ranking that goes on with what was submitted next.
pub(crate) struct Replay {
    settings: BoardSettings,
    banned: Banned,
    sliced: Sliced,
}

impl Replay {
    /// From `sliced`, in which nobody is who is banned.
    pub(crate) fn from(settings: &BoardSettings, banned: Banned, sliced: Sliced) -> Self {
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
        let Banned { owners, causes } = &self.banned;
        let is_out = owners.contains(&row.owner)
            || row.cause.as_ref().is_some_and(|cause| causes.contains(cause));
        if !fits || is_out {
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
