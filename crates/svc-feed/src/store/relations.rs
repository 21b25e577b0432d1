//! Who follows, blocks and mutes whom.

use mainstay_contract::{
    id::{PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, Tx},
    params, row, statements,
};

use crate::view::RelationView;

statements! {
    /// Locks profiles in the order of their ids, so that those who change their counters queue up and never in a ring.
    LOCK = "select 1 from feed.profile where user_id = any($1) order by user_id for update",
        sqlite "select 1 from feed.profile where user_id in (select unhex(value) from json_each($1))";
    /// How two people stand to each other.
    STANDING = "select
            exists (select 1 from feed.follow where follower_id = $1 and followee_id = $2 and state = 0),
            exists (select 1 from feed.follow where follower_id = $1 and followee_id = $2 and state = 1),
            exists (select 1 from feed.follow where follower_id = $2 and followee_id = $1 and state = 0),
            exists (select 1 from feed.block where blocker_id = $1 and blocked_id = $2),
            exists (select 1 from feed.block where blocker_id = $2 and blocked_id = $1),
            exists (select 1 from feed.mute where muter_id = $1 and muted_id = $2)";
    /// The number of the next change of a follow.
    NEXT_VERSION = "select nextval('feed.follow_version')",
        sqlite "update feed.follow_version set n = n + 1 where one = 1 returning n";
    /// Adds a follow or a request.
    FOLLOW = "insert into feed.follow (follower_id, followee_id, state, created_at, version)
              values ($1, $2, $3, $4, $5) on conflict do nothing";
    /// Takes a follow or a request back.
    UNFOLLOW = "delete from feed.follow where follower_id = $1 and followee_id = $2 returning state";
    /// Turns a request into a follow.
    ACCEPT = "update feed.follow set state = 0, created_at = $3, version = $4
              where follower_id = $1 and followee_id = $2 and state = 1";
    /// Follows with a number above one, in that order.
    STATES = "select version, follower_id, followee_id from feed.follow
              where version > $1 and state = 0 order by version limit $2";
    /// Removes a request.
    REJECT = "delete from feed.follow where follower_id = $1 and followee_id = $2 and state = 1";
    /// How many requests of somebody wait.
    WAITING = "select count(*) from feed.follow where follower_id = $1 and state = 1";
    /// Blocks.
    BLOCK = "insert into feed.block (blocker_id, blocked_id, created_at) values ($1, $2, $3) on conflict do nothing";
    /// Takes a block back.
    UNBLOCK = "delete from feed.block where blocker_id = $1 and blocked_id = $2";
    /// Mutes.
    MUTE = "insert into feed.mute (muter_id, muted_id, created_at) values ($1, $2, $3) on conflict do nothing";
    /// Takes a mute back.
    UNMUTE = "delete from feed.mute where muter_id = $1 and muted_id = $2";
    /// Counts a follow for the one who is followed.
    COUNT_FOLLOWER = "update feed.profile set follower_count = follower_count + $2 where user_id = $1";
    /// Counts a follow for the one who follows.
    COUNT_FOLLOWING = "update feed.profile set following_count = following_count + $2 where user_id = $1";
    /// People whose counters are not what their rows say; there are none.
    MISCOUNTED = "select count(*) from feed.profile p where
        p.follower_count <> (select count(*) from feed.follow f where f.followee_id = p.user_id and f.state = 0)
        or p.following_count <> (select count(*) from feed.follow f where f.follower_id = p.user_id and f.state = 0)";
    /// Follows of somebody, or requests to them, newest first.
    FOLLOWERS = "select f.follower_id, f.created_at from feed.follow f
                 where f.followee_id = $1 and f.state = $2
                   and f.created_at <= $3 and (f.created_at < $3 or f.follower_id > $4)
                   and not exists (select 1 from feed.profile p where p.user_id = f.follower_id and p.suspended)
                   and not exists (select 1 from feed.block b where b.blocker_id = $6 and b.blocked_id = f.follower_id)
                   and not exists (select 1 from feed.block b where b.blocker_id = f.follower_id and b.blocked_id = $6)
                 order by f.created_at desc, f.follower_id limit $5";
    /// Whom somebody follows, newest first.
    FOLLOWING = "select f.followee_id, f.created_at from feed.follow f
                 where f.follower_id = $1 and f.state = 0
                   and f.created_at <= $2 and (f.created_at < $2 or f.followee_id > $3)
                   and not exists (select 1 from feed.profile p where p.user_id = f.followee_id and p.suspended)
                   and not exists (select 1 from feed.block b where b.blocker_id = $5 and b.blocked_id = f.followee_id)
                   and not exists (select 1 from feed.block b where b.blocker_id = f.followee_id and b.blocked_id = $5)
                 order by f.created_at desc, f.followee_id limit $4";
    /// Who likes a post, newest first.
    LIKERS = "select l.user_id, l.created_at from feed.post_like l
              where l.post_id = $1 and l.created_at <= $2 and (l.created_at < $2 or l.user_id > $3)
                and not exists (select 1 from feed.profile p where p.user_id = l.user_id and p.suspended)
                and not exists (select 1 from feed.block b where b.blocker_id = $5 and b.blocked_id = l.user_id)
                and not exists (select 1 from feed.block b where b.blocker_id = l.user_id and b.blocked_id = $5)
              order by l.created_at desc, l.user_id limit $4";
}

row! {
    /// How one person stands to another, from the first one's side.
    #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
    pub(crate) struct Standing {
        pub(crate) following: bool,
        pub(crate) requested: bool,
        pub(crate) followed_by: bool,
        pub(crate) blocking: bool,
        pub(crate) blocked_by: bool,
        pub(crate) muting: bool,
    }
}

impl Standing {
    /// What the first one is told: everything but whether they are blocked.
    pub(crate) fn view(&self) -> RelationView {
        RelationView {
            following: self.following,
            requested: self.requested,
            followed_by: self.followed_by,
            blocking: self.blocking,
            muting: self.muting,
        }
    }
}

row! {
    /// A place in a list of people, newest first.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    pub(crate) struct Met {
        pub(crate) user: UserId,
        pub(crate) at: Ts,
    }
}

impl Met {
    /// Above everybody.
    pub(crate) const TOP: Self =
        Self { user: UserId::from_bits(0), at: Ts::from_micros(253_402_300_799_000_000) };
}

row! {
    /// A follow, as it is told again.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct FollowRow {
        pub(crate) version: i64,
        pub(crate) follower: UserId,
        pub(crate) followee: UserId,
    }
}

/// The number of a change of a follow. The profiles of both are locked, so that changes of one follow have theirs in
/// the order in which they are made.
pub(crate) async fn next_version(tx: &mut Tx) -> Result<i64, DbError> {
    let (version,): (i64,) = tx.one(&NEXT_VERSION, params![]).await?;
    Ok(version)
}

/// Follows, not requests, with numbers above `after`, in that order.
pub(crate) async fn states(tx: &mut Tx, after: i64, limit: i64) -> Result<Vec<FollowRow>, DbError> {
    tx.all(&STATES, params![after, limit]).await
}

/// How `user` stands to `other`.
pub(crate) async fn standing(
    tx: &mut Tx,
    user: UserId,
    other: UserId,
) -> Result<Standing, DbError> {
    tx.one(&STANDING, params![user, other]).await
}

/// Adds a follow or a request; `true` if it is new.
pub(crate) async fn follow(
    tx: &mut Tx,
    follower: UserId,
    followee: UserId,
    state: i64,
    (now, version): (Ts, i64),
) -> Result<bool, DbError> {
    Ok(tx.execute(&FOLLOW, params![follower, followee, state, now, version]).await? == 1)
}

/// Takes a follow or a request back, and returns the state it had.
pub(crate) async fn unfollow(
    tx: &mut Tx,
    follower: UserId,
    followee: UserId,
) -> Result<Option<i64>, DbError> {
    let state: Option<(i64,)> = tx.optional(&UNFOLLOW, params![follower, followee]).await?;
    Ok(state.map(|(state,)| state))
}

/// Turns a request into a follow; `false` if none waits.
pub(crate) async fn accept(
    tx: &mut Tx,
    follower: UserId,
    followee: UserId,
    (now, version): (Ts, i64),
) -> Result<bool, DbError> {
    Ok(tx.execute(&ACCEPT, params![follower, followee, now, version]).await? == 1)
}

/// Removes a request; `false` if none waits.
pub(crate) async fn reject(
    tx: &mut Tx,
    follower: UserId,
    followee: UserId,
) -> Result<bool, DbError> {
    Ok(tx.execute(&REJECT, params![follower, followee]).await? == 1)
}

/// How many requests of `user` wait.
pub(crate) async fn waiting(tx: &mut Tx, user: UserId) -> Result<i64, DbError> {
    let (count,): (i64,) = tx.one(&WAITING, params![user]).await?;
    Ok(count)
}

/// Blocks; `true` if it is new.
pub(crate) async fn block(
    tx: &mut Tx,
    user: UserId,
    target: UserId,
    now: Ts,
) -> Result<bool, DbError> {
    Ok(tx.execute(&BLOCK, params![user, target, now]).await? == 1)
}

/// Takes a block back; `true` if there was one.
pub(crate) async fn unblock(tx: &mut Tx, user: UserId, target: UserId) -> Result<bool, DbError> {
    Ok(tx.execute(&UNBLOCK, params![user, target]).await? == 1)
}

/// Mutes; `true` if it is new.
pub(crate) async fn mute(
    tx: &mut Tx,
    user: UserId,
    target: UserId,
    now: Ts,
) -> Result<bool, DbError> {
    Ok(tx.execute(&MUTE, params![user, target, now]).await? == 1)
}

/// Takes a mute back; `true` if there was one.
pub(crate) async fn unmute(tx: &mut Tx, user: UserId, target: UserId) -> Result<bool, DbError> {
    Ok(tx.execute(&UNMUTE, params![user, target]).await? == 1)
}

/// Adds `by` to the counters of both sides of a follow. The profiles are locked.
pub(crate) async fn count(
    tx: &mut Tx,
    follower: UserId,
    followee: UserId,
    by: i64,
) -> Result<(), DbError> {
    tx.run(&COUNT_FOLLOWER, params![followee, by]).await?;
    tx.run(&COUNT_FOLLOWING, params![follower, by]).await
}

/// How many people's counters are not what their rows say.
#[cfg(test)]
pub(crate) async fn miscounted(tx: &mut Tx) -> Result<i64, DbError> {
    let (count,): (i64,) = tx.one(&MISCOUNTED, params![]).await?;
    Ok(count)
}

/// Who follows `user` (or asks to, by `state`), below `from`, without whom `viewer` shall not see.
pub(crate) async fn followers(
    tx: &mut Tx,
    user: UserId,
    state: i64,
    from: Met,
    limit: usize,
    viewer: Option<UserId>,
) -> Result<Vec<Met>, DbError> {
    tx.all(&FOLLOWERS, params![user, state, from.at, from.user, limit as i64, viewer]).await
}

/// Whom `user` follows, below `from`, without whom `viewer` shall not see.
pub(crate) async fn following(
    tx: &mut Tx,
    user: UserId,
    from: Met,
    limit: usize,
    viewer: Option<UserId>,
) -> Result<Vec<Met>, DbError> {
    tx.all(&FOLLOWING, params![user, from.at, from.user, limit as i64, viewer]).await
}

/// Who likes `post`, below `from`, without whom `viewer` shall not see.
pub(crate) async fn likers(
    tx: &mut Tx,
    post: PostId,
    from: Met,
    limit: usize,
    viewer: Option<UserId>,
) -> Result<Vec<Met>, DbError> {
    tx.all(&LIKERS, params![post, from.at, from.user, limit as i64, viewer]).await
}
