//! Boards' routes, as data; each handler extracts, calls one use case, and shows what it answers.

mod activities;
mod bans;
mod boards;
mod competitions;
mod entries;
mod leaderboard;
mod ledger;
mod live;
mod rules;
mod scores;
mod tiers;

use mainstay_core::http::Route;

use crate::service::Boards;

/// Every route of Boards.
pub(crate) fn routes(boards: &Boards) -> Vec<Route> {
    [
        boards::routes(boards),
        scores::routes(boards),
        entries::routes(boards),
        competitions::routes(boards),
        activities::routes(boards),
        leaderboard::routes(boards),
        ledger::routes(boards),
        live::routes(boards),
        rules::routes(boards),
        bans::routes(boards),
        tiers::routes(boards),
    ]
    .into_iter()
    .flatten()
    .collect()
}
