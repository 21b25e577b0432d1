//! Lists of posts: ids in order; what they show comes from cards.

use mainstay_contract::{
    id::{PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, Tx},
    params, row, statements,
};

statements! {
    /// Public posts before a place, newest first.
    LATEST = "select published_at, id from feed.post where state = 2 and visibility = 0
              and (published_at, id) < ($1, $2) order by published_at desc, id desc limit $3";
    /// An author's published posts before a place, newest first.
    OF_AUTHOR = "select published_at, id from feed.post where author_id = $1 and state = 2
                 and (published_at, id) < ($2, $3) order by published_at desc, id desc limit $4";
    /// The newest posts of many authors; where the last ones are of the same instant, SQLite gives all of those.
    OF_AUTHORS = "select a.id, p.published_at, p.id from unnest($1::uuid[]) a (id)
                  cross join lateral (select published_at, id from feed.post where author_id = a.id and state = 2
                      order by published_at desc, id desc limit $2) p",
        sqlite "select a.id, p.published_at, p.id from (select unhex(value) as id from json_each($1)) a
                  cross join feed.post p where p.author_id = a.id and p.state = 2
                    and p.published_at >= coalesce((select q.published_at from feed.post q
                        where q.author_id = a.id and q.state = 2
                        order by q.published_at desc, q.id desc limit 1 offset $2 - 1), 0)";
    /// Posts with a tag before a place, newest first.
    WITH_TAG = "select published_at, post_id from feed.post_tag where tag = $1
                and (published_at, post_id) < ($2, $3) order by published_at desc, post_id desc limit $4";
    /// A person's drafts and scheduled posts, newest first.
    UNPUBLISHED = "select created_at, id from feed.post where author_id = $1 and state < 2
                   and (created_at, id) < ($2, $3) order by created_at desc, id desc limit $4";
    /// Whom somebody follows, accepted.
    FOLLOWS_OF = "select followee_id from feed.follow where follower_id = $1 and state = 0 order by followee_id limit $2";
    /// Since when somebody follows these authors.
    FOLLOWS_SINCE = "select followee_id, created_at from feed.follow
                     where follower_id = $1 and state = 0 and followee_id = any($2)",
        sqlite "select followee_id, created_at from feed.follow
                     where follower_id = $1 and state = 0 and followee_id in (select unhex(value) from json_each($2))";
    /// Whom somebody blocks or mutes, and who blocks them.
    HIDDEN_FROM = "select blocked_id from feed.block where blocker_id = $1
                   union select blocker_id from feed.block where blocked_id = $1
                   union select muted_id from feed.mute where muter_id = $1";
    /// Scheduled posts whose time has come, of people who may publish, the longest due first.
    DUE = "select p.published_at, p.id from feed.post p join feed.profile a on a.user_id = p.author_id
           where p.state = 1 and p.published_at <= $1 and (p.published_at, p.id) > ($2, $3) and not a.suspended
           order by p.published_at, p.id limit $4";
}

row! {
    /// A place in a list ordered by time.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
    pub(crate) struct Dated {
        pub(crate) at: Ts,
        pub(crate) post: PostId,
    }
}

impl Dated {
    /// Below every post.
    pub(crate) const BOTTOM: Self = Self { at: Ts::from_micros(0), post: PostId::from_bits(0) };
    /// Above every post.
    pub(crate) const TOP: Self =
        Self { at: Ts::from_micros(253_402_300_799_000_000), post: PostId::from_bits(u128::MAX) };
}

/// Public posts below `from`, newest first.
pub(crate) async fn latest(tx: &mut Tx, from: Dated, limit: usize) -> Result<Vec<Dated>, DbError> {
    tx.all(&LATEST, params![from.at, from.post, limit as i64]).await
}

/// Published posts of `author` below `from`, newest first.
pub(crate) async fn of_author(
    tx: &mut Tx,
    author: UserId,
    from: Dated,
    limit: usize,
) -> Result<Vec<Dated>, DbError> {
    tx.all(&OF_AUTHOR, params![author, from.at, from.post, limit as i64]).await
}

/// The newest `each` posts of each author, in any order; it may be more, none is left out above them.
pub(crate) async fn of_authors(
    tx: &mut Tx,
    authors: &[UserId],
    each: usize,
) -> Result<Vec<(UserId, Dated)>, DbError> {
    let rows: Vec<(UserId, Ts, PostId)> =
        tx.all(&OF_AUTHORS, params![authors, each as i64]).await?;
    Ok(rows.into_iter().map(|(author, at, post)| (author, Dated { at, post })).collect())
}

/// Posts with `tag` below `from`, newest first.
pub(crate) async fn with_tag(
    tx: &mut Tx,
    tag: &str,
    from: Dated,
    limit: usize,
) -> Result<Vec<Dated>, DbError> {
    tx.all(&WITH_TAG, params![tag, from.at, from.post, limit as i64]).await
}

/// Drafts and scheduled posts of `author` below `from`, newest first.
pub(crate) async fn unpublished(
    tx: &mut Tx,
    author: UserId,
    from: Dated,
    limit: usize,
) -> Result<Vec<Dated>, DbError> {
    tx.all(&UNPUBLISHED, params![author, from.at, from.post, limit as i64]).await
}

/// Whom `user` follows, accepted, at most `limit`.
pub(crate) async fn follows_of(
    tx: &mut Tx,
    user: UserId,
    limit: i64,
) -> Result<Vec<UserId>, DbError> {
    let rows: Vec<(UserId,)> = tx.all(&FOLLOWS_OF, params![user, limit]).await?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}

/// Since when `user` follows those among `authors` whom they follow.
pub(crate) async fn follows_since(
    tx: &mut Tx,
    user: UserId,
    authors: &[UserId],
) -> Result<Vec<(UserId, Ts)>, DbError> {
    tx.all(&FOLLOWS_SINCE, params![user, authors]).await
}

/// Whose posts are left out of `user`'s lists.
pub(crate) async fn hidden_from(tx: &mut Tx, user: UserId) -> Result<Vec<UserId>, DbError> {
    let rows: Vec<(UserId,)> = tx.all(&HIDDEN_FROM, params![user]).await?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}

/// Scheduled posts whose time has come, after `after`, the longest due first, at most `limit`.
pub(crate) async fn due(
    tx: &mut Tx,
    now: Ts,
    after: Dated,
    limit: i64,
) -> Result<Vec<Dated>, DbError> {
    tx.all(&DUE, params![now, after.at, after.post, limit]).await
}
