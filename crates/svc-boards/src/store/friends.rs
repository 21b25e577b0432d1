//! Whom people follow, as Feed tells it.

use mainstay_contract::{feed::FollowStateV1, id::UserId};
use mainstay_core::{
    db::{DbError, Tx},
    params, statements,
};

statements! {
    /// Takes a follow, or its end, unless something newer is known.
    SET = "insert into boards.follow as known (follower_id, followee_id, follows, version) values ($1, $2, $3, $4)
           on conflict (follower_id, followee_id) do update set follows = excluded.follows, version = excluded.version
           where known.version < excluded.version";
    /// Whom somebody follows.
    OF = "select followee_id from boards.follow where follower_id = $1 and follows order by followee_id limit $2";
}

/// Takes what was told of a follow, unless something newer is known.
pub(crate) async fn set(tx: &mut Tx, told: &FollowStateV1) -> Result<(), DbError> {
    tx.run(&SET, params![told.user, told.target, told.follows, told.version]).await
}

/// Whom `user` follows, at most `limit`.
pub(crate) async fn of(tx: &mut Tx, user: UserId, limit: i64) -> Result<Vec<UserId>, DbError> {
    let rows: Vec<(UserId,)> = tx.all(&OF, params![user, limit]).await?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}
