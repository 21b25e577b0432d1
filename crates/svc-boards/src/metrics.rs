//! What Boards counts: scores and syncs of activity, each from the fact that was committed with it.
//!
//! An instance counts what it commits itself, once, so that the sum over all instances is what happened.

use mainstay_contract::{
    Fact as _,
    boards::{ActivityRecordedV1, ScoresRecordedV1},
};
use mainstay_core::{
    events::Log,
    telemetry::{Metrics, Unit},
};
use serde::{Deserialize, de::IgnoredAny};

/// Of [`ScoresRecordedV1`], how many there are; nothing is kept of them.
#[derive(Deserialize)]
struct Counted {
    entries: Vec<IgnoredAny>,
}

/// Counts from now on.
pub(crate) fn count(log: &Log, metrics: &Metrics) {
    let counter = |scope, name, help| metrics.scope(scope).counter(name, help, Unit::None);
    let help = "Scores that changed an entry of a board, committed by this instance";
    let updates = counter("leaderboard", "updates", help);
    let help = "Syncs of activity that changed what counts, committed by this instance";
    let syncs = counter("boards", "activity_syncs", help);
    log.on_own_fact(Box::new(move |fact| match &*fact.name {
        ScoresRecordedV1::NAME => {
            let counted = serde_json::from_str::<Counted>(&fact.payload);
            updates.inc_by(counted.map_or(0, |counted| counted.entries.len() as u64));
        }
        ActivityRecordedV1::NAME => {
            syncs.inc();
        }
        _ => {}
    }));
}
