//! Facts that Feed takes, its own and others', and those that tell its state again.

use std::{collections::BTreeSet, sync::Arc};

use mainstay_contract::{
    Fact,
    account::{AccountCreatedV1, AccountStateV1, AccountSuspensionChangedV1},
    feed::{
        CommentAddedV1, CommentChangedV1, CommentLikedV1, FollowStateV1, MentionedV1, PostLikedV1,
        PostStateV1, PostUnlikedV1, PostVisibilityChangedV1, ProfileStateV1, RelationChangedV1,
    },
    id::{PostId, UserId},
};
use mainstay_core::{
    db::{DbError, Emitted, Tx},
    events::{
        consumer::{Consumer, Isolation},
        snapshot::{self, Snapshot},
    },
};

use crate::{
    model::{post_state, visibility_of},
    service::{
        Feed,
        notifications::lines::{self, Told},
        profiles,
    },
    store,
};

/// What Feed does with facts.
pub(crate) fn consumers(_feed: &Feed) -> Vec<Consumer> {
    vec![
        Consumer {
            name: "accounts",
            source: "core",
            facts: &[
                AccountCreatedV1::NAME,
                AccountStateV1::NAME,
                AccountSuspensionChangedV1::NAME,
            ],
            isolation: Isolation::Serializable,
            take: Arc::new(|tx, facts| {
                Box::pin(async move {
                    for fact in facts.iter() {
                        account(tx, fact).await?;
                    }
                    Ok(())
                })
            }),
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
            isolation: Isolation::Serializable,
            take: Arc::new(|tx, facts| Box::pin(async move { notify(tx, &facts).await })),
        },
    ]
}

/// What the core says of accounts.
async fn account(tx: &mut Tx, fact: &Emitted) -> Result<(), DbError> {
    match &*fact.name {
        AccountCreatedV1::NAME => profiles::account_created(tx, &read(fact)?).await,
        AccountStateV1::NAME => profiles::account_state(tx, &read(fact)?).await,
        AccountSuspensionChangedV1::NAME => profiles::account_suspension(tx, &read(fact)?).await,
        _ => Ok(()),
    }
}

/// What people are told of. How many lines somebody has not read is said once for all of `facts`.
pub(crate) async fn notify(tx: &mut Tx, facts: &[Arc<Emitted>]) -> Result<(), DbError> {
    let mut told = Told::new();
    // Likes are many: they are looked at together. What comes of it is the same in any order, for a fact only says
    // where to look.
    let mut likes = BTreeSet::new();
    for fact in facts {
        match &*fact.name {
            PostLikedV1::NAME => {
                let liked: PostLikedV1 = read(fact)?;
                likes.insert((liked.post, liked.user));
            }
            PostUnlikedV1::NAME => {
                let unliked: PostUnlikedV1 = read(fact)?;
                likes.insert((unliked.post, unliked.user));
            }
            _ => tell(tx, &mut told, fact).await?,
        }
    }
    lines::posts_liked(tx, &mut told, &likes).await?;
    lines::say_unread(tx, told).await
}

async fn tell(tx: &mut Tx, told: &mut Told, fact: &Emitted) -> Result<(), DbError> {
    match &*fact.name {
        PostVisibilityChangedV1::NAME => lines::post_visibility(tx, told, &read(fact)?).await,
        CommentAddedV1::NAME => lines::comment_added(tx, told, &read(fact)?).await,
        CommentChangedV1::NAME => lines::comment_changed(tx, told, &read(fact)?).await,
        CommentLikedV1::NAME => lines::comment_liked(tx, told, &read(fact)?).await,
        MentionedV1::NAME => lines::mentioned(tx, told, &read(fact)?).await,
        RelationChangedV1::NAME => lines::relation(tx, told, &read(fact)?).await,
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

/// What Feed tells again of its state. Requests, blocks and mutes are not among it.
pub(crate) fn snapshots() -> Vec<Snapshot> {
    vec![
        Snapshot {
            of: "profiles",
            tell: Arc::new(|tx, after, limit| {
                Box::pin(tell_profiles(tx, UserId::from_bits(after), limit))
            }),
        },
        Snapshot {
            of: "posts",
            tell: Arc::new(|tx, after, limit| {
                Box::pin(tell_posts(tx, PostId::from_bits(after), limit))
            }),
        },
        Snapshot {
            of: "follows",
            tell: Arc::new(|tx, after, limit| Box::pin(tell_follows(tx, after, limit))),
        },
    ]
}

async fn tell_profiles(tx: &mut Tx, after: UserId, limit: i64) -> Result<snapshot::Told, DbError> {
    let rows = store::profiles::states(tx, after, limit).await?;
    for row in &rows {
        let fact = ProfileStateV1 {
            user: row.id,
            handle: row.handle.clone(),
            private: row.private,
            suspended: row.suspended,
            version: row.version,
        };
        tx.emit(&fact, &[]).await?;
    }
    Ok(snapshot::Told::of(rows.iter().map(|row| row.id.bits())))
}

async fn tell_posts(tx: &mut Tx, after: PostId, limit: i64) -> Result<snapshot::Told, DbError> {
    let rows = store::posts::states(tx, after, limit).await?;
    for row in &rows {
        let fact = PostStateV1 {
            post: row.id,
            author: row.author,
            visibility: visibility_of(row.visibility),
            shown: row.state == post_state::PUBLISHED,
            published_at: row.published_at,
            hashtags: row.hashtags.0.clone(),
            like_count: row.like_count,
            comment_count: row.comment_count,
            view_count: row.view_count,
            version: row.version,
            counts_version: row.counts_version,
        };
        tx.emit(&fact, &[]).await?;
    }
    Ok(snapshot::Told::of(rows.iter().map(|row| row.id.bits())))
}

/// Follows by their numbers. One that changes meanwhile has a later number, and is told of for itself.
async fn tell_follows(tx: &mut Tx, after: u128, limit: i64) -> Result<snapshot::Told, DbError> {
    let after = i64::try_from(after).unwrap_or(i64::MAX);
    let rows = store::relations::states(tx, after, limit).await?;
    for row in &rows {
        let (user, target, version) = (row.follower, row.followee, row.version);
        tx.emit(&FollowStateV1 { user, target, follows: true, version }, &[]).await?;
    }
    Ok(snapshot::Told::of(rows.iter().map(|row| u128::from(row.version.unsigned_abs()))))
}
