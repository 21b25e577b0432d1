//! Lines of notifications and the people in them.

use mainstay_contract::{
    id::{CommentId, PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, Tx},
    params, row, statements,
};

use crate::model::notify::Line;

statements! {
    /// Puts somebody into a line; changes nothing if they stand in it.
    ADD_ACTOR = "insert into feed.notification_actor (user_id, group_key, actor_id, at) values ($1, $2, $3, $4)
                 on conflict do nothing";
    /// Makes a line or counts somebody in it: new activity makes it unread and brings it up.
    RAISE = "insert into feed.notification (user_id, group_key, kind, post_id, comment_id, actor_count, updated_at, read_at)
             values ($1, $2, $3, $4, $5, 1, $6, null)
             on conflict (user_id, group_key) do update set comment_id = excluded.comment_id,
                 actor_count = feed.notification.actor_count + 1, updated_at = excluded.updated_at, read_at = null",
        sqlite "insert into feed.notification (user_id, group_key, kind, post_id, comment_id, actor_count, updated_at, read_at)
             values ($1, $2, $3, $4, $5, 1, $6, null)
             on conflict (user_id, group_key) do update set comment_id = excluded.comment_id,
                 actor_count = actor_count + 1, updated_at = excluded.updated_at, read_at = null";
    /// Brings a line up in which its newest person did the same again: another comment.
    TOUCH = "update feed.notification set comment_id = $3, updated_at = $4, read_at = null
             where user_id = $1 and group_key = $2";
    /// Somebody did the same again.
    TOUCH_ACTOR = "update feed.notification_actor set at = $4 where user_id = $1 and group_key = $2 and actor_id = $3";
    /// Takes somebody out of a line.
    DROP_ACTOR = "delete from feed.notification_actor where user_id = $1 and group_key = $2 and actor_id = $3";
    /// Counts somebody out of a line.
    LOWER = "update feed.notification set actor_count = actor_count - 1 where user_id = $1 and group_key = $2";
    /// Removes a line that nobody stands in.
    DROP_EMPTY = "delete from feed.notification where user_id = $1 and group_key = $2 and actor_count = 0";
    /// Lines in which somebody stands.
    LINES_WITH = "select group_key from feed.notification_actor where user_id = $1 and actor_id = $2 limit $3";
    /// The people of the lines about a post.
    DROP_ACTORS_OF_POST = "delete from feed.notification_actor where (user_id, group_key) in
                           (select n.user_id, n.group_key from feed.notification n where n.post_id = $1)";
    /// The lines about a post.
    DROP_OF_POST = "delete from feed.notification where post_id = $1 returning user_id";
    /// The people of some lines about a post.
    DROP_ACTORS_OF_KEYS = "delete from feed.notification_actor where (user_id, group_key) in
                           (select n.user_id, n.group_key from feed.notification n
                            where n.post_id = $1 and n.group_key = any($2))",
        sqlite "delete from feed.notification_actor where (user_id, group_key) in
                           (select n.user_id, n.group_key from feed.notification n
                            where n.post_id = $1 and n.group_key in (select value from json_each($2)))";
    /// Some lines about a post.
    DROP_OF_KEYS = "delete from feed.notification where post_id = $1 and group_key = any($2) returning user_id",
        sqlite "delete from feed.notification where post_id = $1
                and group_key in (select value from json_each($2)) returning user_id";
    /// The newest comment of somebody under a post, or in answer to a comment, that is shown.
    LAST_COMMENT = "select id from feed.comment where post_id = $1 and author_id = $2 and state = 0
                    and (reply_to = $3 or $3 is null) order by id desc limit 1";
    /// The newest of several people's comments.
    SHOW_COMMENT = "update feed.notification set comment_id = (
                        select c.id from feed.comment c join feed.notification_actor a on a.actor_id = c.author_id
                        where a.user_id = $1 and a.group_key = $2 and c.post_id = $3 and c.state = 0
                        order by c.id desc limit 1)
                    where user_id = $1 and group_key = $2 and comment_id = $4";
    /// Whether somebody may be told of what another did: both are there, neither blocks, and it is not muted.
    MAY_TELL = "select exists (select 1 from feed.profile where user_id = $1)
                and exists (select 1 from feed.profile where user_id = $2 and not suspended)
                and not exists (select 1 from feed.block where blocker_id = $1 and blocked_id = $2)
                and not exists (select 1 from feed.block where blocker_id = $2 and blocked_id = $1)
                and not exists (select 1 from feed.mute where muter_id = $1 and muted_id = $2)";
    /// A like, and whether the post's author may be told of it.
    LIKE = "select p.author_id, p.state,
                exists (select 1 from feed.post_like where user_id = $2 and post_id = p.id),
                exists (select 1 from feed.profile where user_id = p.author_id)
                and exists (select 1 from feed.profile where user_id = $2 and not suspended)
                and not exists (select 1 from feed.block where blocker_id = p.author_id and blocked_id = $2)
                and not exists (select 1 from feed.block where blocker_id = $2 and blocked_id = p.author_id)
                and not exists (select 1 from feed.mute where muter_id = p.author_id and muted_id = $2)
            from feed.post p where p.id = $1";
    /// Whether somebody likes a comment.
    LIKES_COMMENT = "select exists (select 1 from feed.comment_like where user_id = $1 and comment_id = $2)";
    /// A page of lines, newest first.
    PAGE = "select group_key, kind, post_id, comment_id, actor_count, updated_at, read_at is not null
            from feed.notification where user_id = $1 and (updated_at, group_key) < ($2, $3)
            order by updated_at desc, group_key desc limit $4";
    /// The newest people of each line who are not suspended.
    ACTORS = "select g.key, a.actor_id from unnest($2::text[]) g (key)
              cross join lateral (select n.actor_id, n.at from feed.notification_actor n
                  where n.user_id = $1 and n.group_key = g.key
                    and not exists (select 1 from feed.profile p where p.user_id = n.actor_id and p.suspended)
                  order by n.at desc, n.actor_id limit $3) a
              order by g.key, a.at desc, a.actor_id",
        sqlite "select a.group_key, a.actor_id from json_each($2) g cross join feed.notification_actor a
              where a.user_id = $1 and a.group_key = g.value and a.actor_id in (
                  select b.actor_id from feed.notification_actor b where b.user_id = $1 and b.group_key = g.value
                    and not exists (select 1 from feed.profile p where p.user_id = b.actor_id and p.suspended)
                  order by b.at desc, b.actor_id limit $3)
              order by a.group_key, a.at desc, a.actor_id";
    /// How many people of each line are suspended. They are few, so they are where to begin.
    SUSPENDED = "select a.group_key, count(*) from feed.profile s
                 join feed.notification_actor a on a.user_id = $1 and a.actor_id = s.user_id
                 where s.suspended and a.group_key = any($2) group by a.group_key",
        sqlite "select a.group_key, count(*) from feed.profile s
                 cross join feed.notification_actor a
                 where s.suspended and a.user_id = $1 and a.actor_id = s.user_id
                   and a.group_key in (select value from json_each($2)) group by a.group_key";
    /// Lines that were not read.
    UNREAD = "select count(*) from feed.notification where user_id = $1 and read_at is null";
    /// Marks a line and everything older as read.
    READ = "update feed.notification set read_at = $4
            where user_id = $1 and read_at is null and (updated_at, group_key) <= ($2, $3)";
    /// The oldest lines.
    OLD = "select user_id, group_key from feed.notification where updated_at < $1 order by updated_at limit $2";
    /// The people of a line.
    DROP_ACTORS = "delete from feed.notification_actor where user_id = $1 and group_key = $2";
    /// A line.
    DROP = "delete from feed.notification where user_id = $1 and group_key = $2";
}

row! {
    /// A like, as the post's author is told of it.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct LikeRow {
        pub(crate) author: UserId,
        /// The post's state.
        pub(crate) state: i64,
        /// It was not taken back.
        pub(crate) stands: bool,
        /// Both are there, neither blocks, and it is not muted.
        pub(crate) may_tell: bool,
    }
}

row! {
    /// A line as it is shown.
    #[derive(Debug, Clone)]
    pub(crate) struct LineRow {
        pub(crate) key: String,
        pub(crate) kind: String,
        pub(crate) post: Option<PostId>,
        pub(crate) comment: Option<CommentId>,
        pub(crate) actor_count: i64,
        pub(crate) updated_at: Ts,
        pub(crate) read: bool,
    }
}

row! {
    /// A place in the lines of one person, newest first.
    #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    pub(crate) struct LinePlace {
        pub(crate) updated_at: Ts,
        pub(crate) key: String,
    }
}

impl LinePlace {
    /// Above every line.
    pub(crate) fn top() -> Self {
        Self { updated_at: Ts::from_micros(253_402_300_799_000_000), key: String::new() }
    }
}

/// Puts `actor` into a line; `true` if they did not stand in it.
pub(crate) async fn add(tx: &mut Tx, line: &Line, actor: UserId, now: Ts) -> Result<bool, DbError> {
    if tx.execute(&ADD_ACTOR, params![line.user, line.key, actor, now]).await? == 0 {
        return Ok(false);
    }
    let kind = line.kind_name();
    let params = params![line.user, line.key, kind, line.post, line.comment, now];
    tx.execute(&RAISE, params).await.map(|_| true)
}

/// `actor`, who stands in the line, did the same again.
pub(crate) async fn touch(tx: &mut Tx, line: &Line, actor: UserId, now: Ts) -> Result<(), DbError> {
    tx.execute(&TOUCH_ACTOR, params![line.user, line.key, actor, now]).await?;
    tx.execute(&TOUCH, params![line.user, line.key, line.comment, now]).await.map(drop)
}

/// Takes `actor` out of a line; `true` if they stood in it.
pub(crate) async fn remove(
    tx: &mut Tx,
    user: UserId,
    key: &str,
    actor: UserId,
) -> Result<bool, DbError> {
    if tx.execute(&DROP_ACTOR, params![user, key, actor]).await? == 0 {
        return Ok(false);
    }
    tx.execute(&LOWER, params![user, key]).await?;
    tx.execute(&DROP_EMPTY, params![user, key]).await.map(|_| true)
}

/// The lines of `user` in which `actor` stands, at most `limit`.
pub(crate) async fn lines_with(
    tx: &mut Tx,
    user: UserId,
    actor: UserId,
    limit: i64,
) -> Result<Vec<String>, DbError> {
    let rows: Vec<(String,)> = tx.all(&LINES_WITH, params![user, actor, limit]).await?;
    Ok(rows.into_iter().map(|(key,)| key).collect())
}

/// Removes every line about `post` and returns whose they were.
pub(crate) async fn drop_of_post(tx: &mut Tx, post: PostId) -> Result<Vec<UserId>, DbError> {
    tx.execute(&DROP_ACTORS_OF_POST, params![post]).await?;
    let rows: Vec<(UserId,)> = tx.all(&DROP_OF_POST, params![post]).await?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}

/// Removes the lines about `post` with these keys and returns whose they were.
pub(crate) async fn drop_of_keys(
    tx: &mut Tx,
    post: PostId,
    keys: &Vec<String>,
) -> Result<Vec<UserId>, DbError> {
    tx.execute(&DROP_ACTORS_OF_KEYS, params![post, keys]).await?;
    let rows: Vec<(UserId,)> = tx.all(&DROP_OF_KEYS, params![post, keys]).await?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}

/// The newest comment of `author` under `post` that is shown; only answers to `reply_to` if it is named.
pub(crate) async fn last_comment(
    tx: &mut Tx,
    post: PostId,
    author: UserId,
    reply_to: Option<CommentId>,
) -> Result<Option<CommentId>, DbError> {
    let row: Option<(CommentId,)> =
        tx.optional(&LAST_COMMENT, params![post, author, reply_to]).await?;
    Ok(row.map(|(comment,)| comment))
}

/// If a line shows `gone`, lets it show the newest comment of its people.
pub(crate) async fn show_other_comment(
    tx: &mut Tx,
    user: UserId,
    key: &str,
    post: PostId,
    gone: CommentId,
) -> Result<(), DbError> {
    tx.execute(&SHOW_COMMENT, params![user, key, post, gone]).await.map(drop)
}

/// Whether `user` may be told of what `actor` did.
pub(crate) async fn may_tell(tx: &mut Tx, user: UserId, actor: UserId) -> Result<bool, DbError> {
    let (may,): (bool,) = tx.one(&MAY_TELL, params![user, actor]).await?;
    Ok(may)
}

/// How `actor`'s like of `post` stands; `None` if there is no such post.
pub(crate) async fn like(
    tx: &mut Tx,
    post: PostId,
    actor: UserId,
) -> Result<Option<LikeRow>, DbError> {
    tx.optional(&LIKE, params![post, actor]).await
}

/// Whether `user` likes `comment`.
pub(crate) async fn likes_comment(
    tx: &mut Tx,
    user: UserId,
    comment: CommentId,
) -> Result<bool, DbError> {
    let (likes,): (bool,) = tx.one(&LIKES_COMMENT, params![user, comment]).await?;
    Ok(likes)
}

/// Lines of `user` below `from`, newest first.
pub(crate) async fn page(
    tx: &mut Tx,
    user: UserId,
    from: &LinePlace,
    limit: usize,
) -> Result<Vec<LineRow>, DbError> {
    tx.all(&PAGE, params![user, from.updated_at, from.key, limit as i64]).await
}

/// How many people of each of these lines are suspended; lines without any are left out.
pub(crate) async fn suspended(
    tx: &mut Tx,
    user: UserId,
    keys: &Vec<String>,
) -> Result<Vec<(String, i64)>, DbError> {
    tx.all(&SUSPENDED, params![user, keys]).await
}

/// The newest people of each line who are not suspended, at most `each`, newest first.
pub(crate) async fn actors(
    tx: &mut Tx,
    user: UserId,
    keys: &Vec<String>,
    each: i64,
) -> Result<Vec<(String, UserId)>, DbError> {
    tx.all(&ACTORS, params![user, keys, each]).await
}

/// How many lines `user` has not read.
pub(crate) async fn unread(tx: &mut Tx, user: UserId) -> Result<i64, DbError> {
    let (count,): (i64,) = tx.one(&UNREAD, params![user]).await?;
    Ok(count)
}

/// Marks the line at `up_to` and everything older as read; returns how many were not.
pub(crate) async fn mark_read(
    tx: &mut Tx,
    user: UserId,
    up_to: &LinePlace,
    now: Ts,
) -> Result<u64, DbError> {
    tx.execute(&READ, params![user, up_to.updated_at, up_to.key, now]).await
}

/// Removes lines older than `before`, at most `limit`; returns how many.
pub(crate) async fn trim(tx: &mut Tx, before: Ts, limit: i64) -> Result<usize, DbError> {
    let old: Vec<(UserId, String)> = tx.all(&OLD, params![before, limit]).await?;
    for (user, key) in &old {
        tx.execute(&DROP_ACTORS, params![user, key]).await?;
        tx.execute(&DROP, params![user, key]).await?;
    }
    Ok(old.len())
}
