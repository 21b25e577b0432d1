//! Boards' statements: one function each, the transaction first. Nothing here begins, commits or decides.
//!
//! **Order of locks**, so that on Postgres nobody waits for somebody who waits for them: the tables of boards and of
//! rules; a person; a competition; heads of boards, by number; what is being built, or a season, of one; balances; the
//! audit. A sync takes heads competition by competition, metric by metric, which is that order nearly always; should
//! two transactions stop each other nevertheless, one of them is tried again.

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
