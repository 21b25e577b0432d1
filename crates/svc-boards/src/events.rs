//! Facts: out in the transaction of the change (`tx.emit` in a use case), in through consumers, each taken once.

use std::sync::Arc;

use mainstay_contract::{Fact as _, feed::FollowStateV1};
use mainstay_core::{
    db::{DbError, Emitted, Tx},
    events::consumer::{Consumer, Isolation},
};

use crate::{
    error::Error,
    model::rule::facts_of,
    service::{Boards, friends::follow_told},
};

/// What Boards does with facts, its own and others'.
pub(crate) fn consumers(boards: &Boards) -> Vec<Consumer> {
    vec![
        friends(),
        // One for each of the sources that rules know.
        rules(boards, "rules_feed", "feed"),
        rules(boards, "rules_boards", "boards"),
        rules(boards, "rules_core", "core"),
    ]
}

/// Keeps whom people follow.
fn friends() -> Consumer {
    Consumer {
        name: "friends",
        source: "feed",
        facts: &[FollowStateV1::NAME],
        isolation: Isolation::Serializable,
        take: Arc::new(|tx, facts| {
            Box::pin(async move {
                for fact in facts.iter() {
                    let told = fact.read().ok_or_else(|| DbError::Statement {
                        statement: fact.name.to_string(),
                        message: "the payload has another shape than this program knows".into(),
                    })?;
                    follow_told(tx, &told).await?;
                }
                Ok(())
            })
        }),
    }
}

/// Takes every fact of `source` that a rule can be about: which of them score is for the rules to say, and they change
/// while the program runs.
///
/// It runs behind its position's lock at READ COMMITTED, for it waits for the heads of boards with everybody else who
/// scores, and a serializable transaction would fail each time that somebody scored before it. It is right there: the
/// rules are as they stand when the batch is taken; each board is looked at again once its head is locked; and entries,
/// bans and submissions of a board change under that lock alone.
fn rules(boards: &Boards, name: &'static str, source: &'static str) -> Consumer {
    let boards = boards.clone();
    Consumer {
        name,
        source,
        facts: facts_of(source),
        isolation: Isolation::Queued,
        take: Arc::new(move |tx, facts| {
            let boards = boards.clone();
            Box::pin(async move { take(&boards, tx, &facts).await })
        }),
    }
}

async fn take(boards: &Boards, tx: &mut Tx, facts: &[Arc<Emitted>]) -> Result<(), DbError> {
    boards.take_facts(tx, facts).await.map_err(|error| match error {
        Error::Db(error) => error,
        other => DbError::Statement {
            statement: "apply rules to facts".to_owned(),
            message: other.to_string(),
        },
    })
}
