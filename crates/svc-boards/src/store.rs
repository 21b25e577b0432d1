//! Boards' statements: one function each, the transaction first. Nothing here begins, commits or decides.

pub(crate) mod activities;
pub(crate) mod bans;
pub(crate) mod boards;
pub(crate) mod checkpoints;
pub(crate) mod competitions;
pub(crate) mod dashboard;
pub(crate) mod friends;
pub(crate) mod ledger;
pub(crate) mod retention;
pub(crate) mod rules;
pub(crate) mod scores;
pub(crate) mod tiers;

use mainstay_core::db::Sql;

/// Every statement, for the test that prepares them on both engines.
pub(crate) static ALL: &[&[&Sql]] = &[
    activities::STATEMENTS,
    bans::STATEMENTS,
    boards::STATEMENTS,
    checkpoints::STATEMENTS,
    competitions::STATEMENTS,
    dashboard::STATEMENTS,
    friends::STATEMENTS,
    ledger::STATEMENTS,
    retention::STATEMENTS,
    rules::STATEMENTS,
    scores::STATEMENTS,
    tiers::STATEMENTS,
];
