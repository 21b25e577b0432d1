//! Feed's statements: one function each, the transaction first. Nothing here begins, commits or decides.

pub(crate) mod comments;
pub(crate) mod discover;
pub(crate) mod like_lines;
pub(crate) mod likes;
pub(crate) mod media;
pub(crate) mod moderation;
pub(crate) mod notifications;
pub(crate) mod people;
pub(crate) mod posts;
pub(crate) mod profiles;
pub(crate) mod purge;
pub(crate) mod ranking;
pub(crate) mod relations;
pub(crate) mod tags;
pub(crate) mod timelines;

use mainstay_core::db::Sql;

/// Every statement, for the test that prepares them on both engines.
pub(crate) static ALL: &[&[&Sql]] = &[
    comments::STATEMENTS,
    discover::STATEMENTS,
    crate::demo::STATEMENTS,
    like_lines::STATEMENTS,
    likes::STATEMENTS,
    media::STATEMENTS,
    moderation::STATEMENTS,
    notifications::STATEMENTS,
    people::STATEMENTS,
    posts::STATEMENTS,
    profiles::STATEMENTS,
    purge::STATEMENTS,
    ranking::STATEMENTS,
    relations::STATEMENTS,
    tags::STATEMENTS,
    timelines::STATEMENTS,
];
