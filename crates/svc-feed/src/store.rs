//! Feed's statements: one function each, the transaction first. Nothing here begins, commits or decides.

pub(crate) mod comments;
pub(crate) mod likes;
pub(crate) mod media;
pub(crate) mod moderation;
pub(crate) mod notifications;
pub(crate) mod people;
pub(crate) mod posts;
pub(crate) mod profiles;
pub(crate) mod ranking;
pub(crate) mod relations;
pub(crate) mod timelines;

use mainstay_core::db::Sql;

/// Every statement, for the test that prepares them on both engines.
pub(crate) static ALL: &[&[&Sql]] = &[
    comments::STATEMENTS,
    crate::demo::STATEMENTS,
    likes::STATEMENTS,
    media::STATEMENTS,
    moderation::STATEMENTS,
    notifications::STATEMENTS,
    people::STATEMENTS,
    posts::STATEMENTS,
    profiles::STATEMENTS,
    ranking::STATEMENTS,
    relations::STATEMENTS,
    timelines::STATEMENTS,
];

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use mainstay_core::{
        clock::Clock,
        db::{Db, Location},
    };

    #[tokio::test(flavor = "multi_thread")]
    async fn every_statement_is_understood() {
        let folder = tempfile::tempdir().unwrap();
        let location = Location::Sqlite { folder: folder.path().to_owned(), durable: false };
        let db = Db::open(&location, "feed", crate::MIGRATIONS, Clock::system()).await.unwrap();
        let mut refused = Vec::new();
        for statement in super::ALL.iter().flat_map(|module| module.iter().copied()) {
            refused.extend(db.prepare(statement).await.err().map(|error| error.to_string()));
        }
        assert!(refused.is_empty(), "{refused:#?}");
    }
}
