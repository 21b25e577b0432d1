//! Facts that Feed takes, its own and others'.

use std::sync::Arc;

use mainstay_contract::{
    Fact,
    account::{AccountCreatedV1, AccountSuspensionChangedV1},
    feed::{
        CommentAddedV1, CommentChangedV1, CommentLikedV1, MentionedV1, PostLikedV1, PostUnlikedV1,
        PostVisibilityChangedV1, RelationChangedV1,
    },
};
use mainstay_core::{
    db::{DbError, Emitted, Tx},
    events::consumer::Consumer,
};

use crate::service::{Feed, notifications, profiles};

/// What Feed does with facts.
pub(crate) fn consumers(_feed: &Feed) -> Vec<Consumer> {
    vec![
        Consumer {
            name: "accounts",
            source: "core",
            facts: &[AccountCreatedV1::NAME, AccountSuspensionChangedV1::NAME],
            take: Arc::new(|tx, fact| Box::pin(async move { account(tx, &fact).await })),
        },
        Consumer {
            name: "notifications",
            source: "feed",
            facts: &[
                PostLikedV1::NAME,
                PostUnlikedV1::NAME,
                PostVisibilityChangedV1::NAME,
                CommentAddedV1::NAME,
                CommentChangedV1::NAME,
                CommentLikedV1::NAME,
                MentionedV1::NAME,
                RelationChangedV1::NAME,
            ],
            take: Arc::new(|tx, fact| Box::pin(async move { notify(tx, &fact).await })),
        },
    ]
}

/// What the core says of accounts.
async fn account(tx: &mut Tx, fact: &Emitted) -> Result<(), DbError> {
    match &*fact.name {
        AccountCreatedV1::NAME => profiles::account_created(tx, &read(fact)?).await,
        AccountSuspensionChangedV1::NAME => profiles::account_suspension(tx, &read(fact)?).await,
        _ => Ok(()),
    }
}

/// What people are told of.
pub(crate) async fn notify(tx: &mut Tx, fact: &Emitted) -> Result<(), DbError> {
    match &*fact.name {
        PostLikedV1::NAME => {
            let liked: PostLikedV1 = read(fact)?;
            notifications::post_liked(tx, liked.post, liked.user).await
        }
        PostUnlikedV1::NAME => {
            let unliked: PostUnlikedV1 = read(fact)?;
            notifications::post_liked(tx, unliked.post, unliked.user).await
        }
        PostVisibilityChangedV1::NAME => notifications::post_visibility(tx, &read(fact)?).await,
        CommentAddedV1::NAME => notifications::comment_added(tx, &read(fact)?).await,
        CommentChangedV1::NAME => notifications::comment_changed(tx, &read(fact)?).await,
        CommentLikedV1::NAME => notifications::comment_liked(tx, &read(fact)?).await,
        MentionedV1::NAME => notifications::mentioned(tx, &read(fact)?).await,
        RelationChangedV1::NAME => notifications::relation(tx, &read(fact)?).await,
        _ => Ok(()),
    }
}

/// The payload; one that cannot be read is put aside as a dead letter after its attempts.
fn read<F: Fact>(fact: &Emitted) -> Result<F, DbError> {
    fact.read().ok_or_else(|| DbError::Statement {
        statement: fact.name.to_string(),
        message: "the payload has another shape than this program knows".into(),
    })
}
