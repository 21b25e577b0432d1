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

/// Whether one person may be told of what another did: they are there, who did it is not suspended, neither blocks, and
/// it is not muted. Whose account was made a moment ago may have no profile yet.
macro_rules! may_be_told {
    ($told:literal, $actor:literal) => {
        concat!(
            "exists (select 1 from feed.profile where user_id = ",
            $told,
            ")
             and not exists (select 1 from feed.profile where user_id = ",
            $actor,
            " and suspended)
             and not exists (select 1 from feed.block where blocker_id = ",
            $told,
            " and blocked_id = ",
            $actor,
            ")
             and not exists (select 1 from feed.block where blocker_id = ",
            $actor,
            " and blocked_id = ",
            $told,
            ")
             and not exists (select 1 from feed.mute where muter_id = ",
            $told,
            " and muted_id = ",
            $actor,
            ")"
        )
    };
}

pub(super) use may_be_told;

statements! {
    /// Puts somebody into a line; changes nothing if they stand in it.
    ADD_ACTOR = "insert into feed.notification_actor (user_id, group_key, actor_id, at) values ($1, $2, $3, $4)
                 on conflict do nothing";
    /// Makes a line or counts somebody in it: new activity brings it up, above everything that was read.
    RAISE = "insert into feed.notification (user_id, group_key, kind, post_id, comment_id, actor_count, updated_at)
             values ($1, $2, $3, $4, $5, 1, greatest($6,
                 (select r.updated_at + interval '1 microsecond' from feed.notification_read r where r.user_id = $1)))
             on conflict (user_id, group_key) do update set comment_id = excluded.comment_id,
                 actor_count = feed.notification.actor_count + 1, updated_at = excluded.updated_at",
        sqlite "insert into feed.notification (user_id, group_key, kind, post_id, comment_id, actor_count, updated_at)
             values ($1, $2, $3, $4, $5, 1, max($6, coalesce(
                 (select r.updated_at + 1 from feed.notification_read r where r.user_id = $1), $6)))
             on conflict (user_id, group_key) do update set comment_id = excluded.comment_id,
                 actor_count = actor_count + 1, updated_at = excluded.updated_at";
    /// Brings a line up in which its newest person did the same again: another comment.
    TOUCH = "update feed.notification set comment_id = $3, updated_at = greatest($4,
                 (select r.updated_at + interval '1 microsecond' from feed.notification_read r where r.user_id = $1))
             where user_id = $1 and group_key = $2",
        sqlite "update feed.notification set comment_id = $3, updated_at = max($4, coalesce(
                 (select r.updated_at + 1 from feed.notification_read r where r.user_id = $1), $4))
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
    /// Whether somebody may be told of what another did.
    MAY_TELL = concat!("select ", may_be_told!("$1", "$2"));
    /// Whether somebody likes a comment.
    LIKES_COMMENT = "select exists (select 1 from feed.comment_like where user_id = $1 and comment_id = $2)";
    /// A page of lines, newest first.
    PAGE = "select group_key, kind, post_id, comment_id, actor_count, updated_at
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
    /// Lines above a place: those that were not read.
    UNREAD = "select count(*) from feed.notification where user_id = $1 and (updated_at, group_key) > ($2, $3)";
    /// Up to where somebody has read.
    READ_UP_TO = "select updated_at, group_key from feed.notification_read where user_id = $1";
    /// Notes up to where somebody has read; it never goes back.
    READ = "insert into feed.notification_read (user_id, updated_at, group_key) values ($1, $2, $3)
            on conflict (user_id) do update set updated_at = excluded.updated_at, group_key = excluded.group_key
            where (excluded.updated_at, excluded.group_key)
                > (feed.notification_read.updated_at, feed.notification_read.group_key)",
        sqlite "insert into feed.notification_read (user_id, updated_at, group_key) values ($1, $2, $3)
            on conflict (user_id) do update set updated_at = excluded.updated_at, group_key = excluded.group_key
            where (excluded.updated_at, excluded.group_key) > (updated_at, group_key)";
    /// Lines of some people that are old.
    OLD = "select n.user_id, n.group_key from feed.profile p join feed.notification n on n.user_id = p.user_id
           where p.user_id > $1 and p.user_id <= $2 and n.updated_at < $3 limit $4";
    /// The people of a line.
    DROP_ACTORS = "delete from feed.notification_actor where user_id = $1 and group_key = $2";
    /// A line, if it is still old.
    DROP_OLD = "delete from feed.notification where user_id = $1 and group_key = $2 and updated_at < $3";
}

row! {
    /// A line as it is shown.
    #[derive(Debug, Clone)]
    pub(crate) struct LineRow {
        pub(crate) key: String,
        pub(crate) kind: String,
        pub(crate) post: Option<PostId>,
        pub(crate) comment: Option<CommentId>,
        /// Nothing in a line of likes.
        pub(crate) actor_count: Option<i64>,
        pub(crate) updated_at: Ts,
    }
}

row! {
    /// A place in the lines of one person, newest first.
    #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
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

    /// Below every line.
    fn bottom() -> Self {
        Self { updated_at: Ts::from_micros(0), key: String::new() }
    }
}

/// Puts `actor` into a line; `true` if they did not stand in it.
pub(crate) async fn add(tx: &mut Tx, line: &Line, actor: UserId, now: Ts) -> Result<bool, DbError> {
    if tx.execute(&ADD_ACTOR, params![line.user, line.key, actor, now]).await? == 0 {
        return Ok(false);
    }
    let kind = line.kind_name();
    let params = params![line.user, line.key, *kind, line.post, line.comment, now];
    tx.run(&RAISE, params).await?;
    Ok(true)
}

/// `actor`, who stands in the line, did the same again.
pub(crate) async fn touch(tx: &mut Tx, line: &Line, actor: UserId, now: Ts) -> Result<(), DbError> {
    tx.run(&TOUCH_ACTOR, params![line.user, line.key, actor, now]).await?;
    tx.run(&TOUCH, params![line.user, line.key, line.comment, now]).await
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
    tx.run(&LOWER, params![user, key]).await?;
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
    tx.run(&DROP_ACTORS_OF_POST, params![post]).await?;
    let rows: Vec<(UserId,)> = tx.all(&DROP_OF_POST, params![post]).await?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}

/// Removes the lines about `post` with these keys and returns whose they were.
pub(crate) async fn drop_of_keys(
    tx: &mut Tx,
    post: PostId,
    keys: &Vec<String>,
) -> Result<Vec<UserId>, DbError> {
    tx.run(&DROP_ACTORS_OF_KEYS, params![post, keys]).await?;
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
    tx.run(&SHOW_COMMENT, params![user, key, post, gone]).await
}

/// Whether `user` may be told of what `actor` did.
pub(crate) async fn may_tell(tx: &mut Tx, user: UserId, actor: UserId) -> Result<bool, DbError> {
    let (may,): (bool,) = tx.one(&MAY_TELL, params![user, actor]).await?;
    Ok(may)
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

/// How many lines each of these people has not read.
pub(crate) async fn unread(tx: &mut Tx, users: &[UserId]) -> Result<Vec<i64>, DbError> {
    let people = users.iter().map(|user| params![*user].to_vec()).collect::<Vec<_>>();
    let read: Vec<Option<LinePlace>> = tx.optional_all(&READ_UP_TO, &people).await?;
    let from: Vec<LinePlace> =
        read.into_iter().map(|place| place.unwrap_or_else(LinePlace::bottom)).collect();
    let above = users
        .iter()
        .zip(&from)
        .map(|(user, from)| params![*user, from.updated_at, from.key].to_vec())
        .collect::<Vec<_>>();
    let counts: Vec<Option<(i64,)>> = tx.optional_all(&UNREAD, &above).await?;
    Ok(counts.into_iter().map(|count| count.map_or(0, |(count,)| count)).collect())
}

/// How many lines `user` has not read.
pub(crate) async fn unread_of(tx: &mut Tx, user: UserId) -> Result<i64, DbError> {
    Ok(unread(tx, &[user]).await?.into_iter().sum())
}

/// Up to where `user` has read; `None` if nothing yet.
pub(crate) async fn read_up_to(tx: &mut Tx, user: UserId) -> Result<Option<LinePlace>, DbError> {
    tx.optional(&READ_UP_TO, params![user]).await
}

/// Marks the line at `up_to` and everything older as read.
pub(crate) async fn mark_read(tx: &mut Tx, user: UserId, up_to: &LinePlace) -> Result<(), DbError> {
    tx.run(&READ, params![user, up_to.updated_at, up_to.key]).await
}

/// Lines older than `before` of people after the first of `between` up to the second, at most `limit`.
pub(crate) async fn old(
    tx: &mut Tx,
    between: (UserId, UserId),
    before: Ts,
    limit: i64,
) -> Result<Vec<(UserId, String)>, DbError> {
    tx.all(&OLD, params![between.0, between.1, before, limit]).await
}

/// Removes those of these lines that are older than `before`.
pub(crate) async fn trim(
    tx: &mut Tx,
    lines: &[(UserId, String)],
    before: Ts,
) -> Result<(), DbError> {
    for (user, key) in lines {
        if tx.execute(&DROP_OLD, params![user, key, before]).await? > 0 {
            tx.run(&DROP_ACTORS, params![user, key]).await?;
        }
    }
    Ok(())
}
