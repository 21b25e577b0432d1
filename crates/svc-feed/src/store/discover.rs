//! What stands beside lists: people in short, people worth following, tags in use.

use mainstay_contract::id::UserId;
use mainstay_core::{
    db::{DbError, Tx},
    params, row, statements,
};

use crate::view::{HashtagView, RelationView};

statements! {
    /// People in short, and how somebody stands to them.
    LINES = "select p.user_id, p.bio, p.private,
            exists (select 1 from feed.follow where follower_id = $2 and followee_id = p.user_id and state = 0),
            exists (select 1 from feed.follow where follower_id = $2 and followee_id = p.user_id and state = 1),
            exists (select 1 from feed.follow where follower_id = p.user_id and followee_id = $2 and state = 0),
            exists (select 1 from feed.block where blocker_id = $2 and blocked_id = p.user_id),
            exists (select 1 from feed.mute where muter_id = $2 and muted_id = p.user_id)
            from feed.profile p where p.user_id = any($1)",
        sqlite "select p.user_id, p.bio, p.private,
            exists (select 1 from feed.follow where follower_id = $2 and followee_id = p.user_id and state = 0),
            exists (select 1 from feed.follow where follower_id = $2 and followee_id = p.user_id and state = 1),
            exists (select 1 from feed.follow where follower_id = p.user_id and followee_id = $2 and state = 0),
            exists (select 1 from feed.block where blocker_id = $2 and blocked_id = p.user_id),
            exists (select 1 from feed.mute where muter_id = $2 and muted_id = p.user_id)
            from feed.profile p where p.user_id in (select unhex(value) from json_each($1))";
    /// People who post and whom somebody neither follows, mutes nor blocks, most followed first.
    SUGGESTED = "select p.user_id from feed.profile p
            where not p.suspended and p.post_count > 0 and p.user_id <> $1
              and not exists (select 1 from feed.follow f where f.follower_id = $1 and f.followee_id = p.user_id)
              and not exists (select 1 from feed.mute m where m.muter_id = $1 and m.muted_id = p.user_id)
              and not exists (select 1 from feed.block b where b.blocker_id = $1 and b.blocked_id = p.user_id)
              and not exists (select 1 from feed.block b where b.blocker_id = p.user_id and b.blocked_id = $1)
            order by p.follower_count desc, p.user_id limit $2";
    /// Tags in use, most used first.
    IN_USE = "select tag, post_count from feed.hashtag where post_count > 0 order by post_count desc, tag limit $1";
}

row! {
    /// A person in short.
    #[derive(Debug, Clone)]
    pub(crate) struct LineRow {
        pub(crate) id: UserId,
        pub(crate) bio: String,
        pub(crate) private: bool,
        following: bool,
        requested: bool,
        followed_by: bool,
        blocking: bool,
        muting: bool,
    }
}

impl LineRow {
    pub(crate) fn relation(&self) -> RelationView {
        RelationView {
            following: self.following,
            requested: self.requested,
            followed_by: self.followed_by,
            blocking: self.blocking,
            muting: self.muting,
        }
    }
}

/// People in short, and how `viewer` stands to them, in any order.
pub(crate) async fn lines(
    tx: &mut Tx,
    users: &[UserId],
    viewer: Option<UserId>,
) -> Result<Vec<LineRow>, DbError> {
    if users.is_empty() {
        return Ok(Vec::new());
    }
    tx.all(&LINES, params![users, viewer]).await
}

/// People who post and whom `viewer` neither follows, mutes nor blocks, most followed first.
pub(crate) async fn suggested(
    tx: &mut Tx,
    viewer: Option<UserId>,
    limit: i64,
) -> Result<Vec<UserId>, DbError> {
    // Nobody has this id: a stranger follows nobody.
    let viewer = viewer.unwrap_or(UserId::from_bits(0));
    let rows: Vec<(UserId,)> = tx.all(&SUGGESTED, params![viewer, limit]).await?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}

/// Tags in use, most used first.
pub(crate) async fn in_use(tx: &mut Tx, limit: i64) -> Result<Vec<HashtagView>, DbError> {
    let rows: Vec<(String, i64)> = tx.all(&IN_USE, params![limit]).await?;
    Ok(rows.into_iter().map(|(tag, post_count)| HashtagView { tag, post_count }).collect())
}
