//! Likes and views.

use mainstay_contract::{
    id::{CommentId, PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, FromRow, Row, Tx},
    params, row, statements,
};

use super::{
    posts::{HeldPost, read_sight, sight},
    ranking::Ruling,
};
use crate::{
    model::{Sight, rank::Counts},
    service::ViewId,
};

/// What a [`Standing`] reads, and where; the four weights are given.
macro_rules! standing {
    ($weights:literal) => {
        concat!(
            "select ",
            sight!(),
            ", p.id, s.published_at, s.like_count, s.comment_count, s.view_count, s.rank_key, s.version, ",
            $weights,
            " from feed.post p join feed.profile a on a.user_id = p.author_id join feed.post_stat s on s.post_id = p.id"
        )
    };
}

statements! {
    /// How a post stands to somebody who likes or views it, without its words.
    STANDING = concat!(standing!("r.like_weight, r.comment_weight, r.view_weight, r.decay_per_hour"),
            " left join feed.ranking r on true where p.id = $1"),
        sqlite concat!(standing!("null, null, null, null"), " where p.id = $1");
    /// Adds a like; changes nothing if there is one.
    LIKE = "insert into feed.post_like (user_id, post_id, created_at) values ($1, $2, $3) on conflict do nothing";
    /// Takes a like back.
    UNLIKE = "delete from feed.post_like where user_id = $1 and post_id = $2";
    /// Whether somebody likes a post.
    LIKED = "select exists (select 1 from feed.post_like where user_id = $1 and post_id = $2)";
    /// What somebody likes, newest first.
    LIKES_OF = "select post_id from feed.post_like where user_id = $1 order by post_id desc limit $2";
    /// Which of these posts somebody likes.
    LIKED_AMONG = "select post_id from feed.post_like where user_id = $1 and post_id = any($2)",
        sqlite "select post_id from feed.post_like where user_id = $1
                and post_id in (select unhex(value) from json_each($2))";
    /// Adds a like of a comment.
    LIKE_COMMENT = "insert into feed.comment_like (user_id, comment_id, created_at) values ($1, $2, $3)
                    on conflict do nothing";
    /// Takes a like of a comment back.
    UNLIKE_COMMENT = "delete from feed.comment_like where user_id = $1 and comment_id = $2";
    /// Which of these comments somebody likes.
    COMMENTS_LIKED_AMONG = "select comment_id from feed.comment_like where user_id = $1 and comment_id = any($2)",
        sqlite "select comment_id from feed.comment_like where user_id = $1
                and comment_id in (select unhex(value) from json_each($2))";
    /// When a viewer's view of a post was last counted.
    COUNTED_AT = "select counted_at from feed.view_mark where viewer_id = $1 and post_id = $2";
    /// Notes that a view was counted.
    MARK = "insert into feed.view_mark (viewer_id, post_id, counted_at) values ($1, $2, $3)
            on conflict (viewer_id, post_id) do update set counted_at = excluded.counted_at";
    /// Forgets marks that no longer hold anything back.
    FORGET_MARKS = "delete from feed.view_mark where counted_at < $1";
    /// Begins a view.
    BEGIN_VIEW = "insert into feed.view_session (id, post_id, viewer_id, started_at, seen_at, dwell_ms, ended, silent)
                  values ($1, $2, $3, $4, $4, 0, false, false)";
    /// A view of this viewer.
    VIEW = "select post_id, started_at, dwell_ms, ended and not silent from feed.view_session where id = $1 and viewer_id = $2";
    /// Moves a view on.
    MOVE_VIEW = "update feed.view_session set seen_at = $2, dwell_ms = $3, ended = $4, silent = false where id = $1";
    /// Ends views that were not heard of.
    END_SILENT = "update feed.view_session set ended = true, silent = true where not ended and seen_at < $1";
}

row! {
    /// A view.
    #[derive(Debug, Clone)]
    pub(crate) struct ViewRow {
        pub(crate) post: PostId,
        pub(crate) started_at: Ts,
        pub(crate) dwell_ms: i64,
        /// Its viewer has said so; being silent is not that.
        pub(crate) ended: bool,
    }
}

/// A post as those need it who change its counters.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Standing {
    pub(crate) sight: Sight,
    pub(crate) id: PostId,
    pub(crate) published_at: Option<Ts>,
    pub(crate) counts: Counts,
    pub(crate) rank_key: Option<f64>,
    pub(crate) stat_version: i64,
    /// By which the post is to be ranked.
    pub(crate) weights: Ruling,
}

impl FromRow for Standing {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self {
            sight: read_sight(row)?,
            id: row.next()?,
            published_at: row.next()?,
            counts: Counts { likes: row.next()?, comments: row.next()?, views: row.next()? },
            rank_key: row.next()?,
            stat_version: row.next()?,
            weights: Ruling::from_row(row)?,
        })
    }
}

impl From<&HeldPost> for Standing {
    fn from(held: &HeldPost) -> Self {
        let HeldPost { sight, id, published_at, counts, rank_key, stat_version, weights, .. } =
            *held;
        Self { sight, id, published_at, counts, rank_key, stat_version, weights }
    }
}

/// How a post stands to `viewer`; `None` if there is no such row.
pub(crate) async fn standing(
    tx: &mut Tx,
    post: PostId,
    viewer: UserId,
) -> Result<Option<Standing>, DbError> {
    tx.optional(&STANDING, params![post, viewer]).await
}

/// Adds a like; `true` if it is new.
pub(crate) async fn like(
    tx: &mut Tx,
    user: UserId,
    post: PostId,
    now: Ts,
) -> Result<bool, DbError> {
    Ok(tx.execute(&LIKE, params![user, post, now]).await? == 1)
}

/// Takes a like back; `true` if there was one.
pub(crate) async fn unlike(tx: &mut Tx, user: UserId, post: PostId) -> Result<bool, DbError> {
    Ok(tx.execute(&UNLIKE, params![user, post]).await? == 1)
}

/// Whether `user` likes `post`.
pub(crate) async fn liked(tx: &mut Tx, user: UserId, post: PostId) -> Result<bool, DbError> {
    let (liked,): (bool,) = tx.one(&LIKED, params![user, post]).await?;
    Ok(liked)
}

/// What `user` likes, newest posts first, at most `limit`.
pub(crate) async fn likes_of(
    tx: &mut Tx,
    user: UserId,
    limit: i64,
) -> Result<Vec<PostId>, DbError> {
    let rows: Vec<(PostId,)> = tx.all(&LIKES_OF, params![user, limit]).await?;
    Ok(rows.into_iter().map(|(post,)| post).collect())
}

/// Which of `posts` `user` likes.
pub(crate) async fn liked_among(
    tx: &mut Tx,
    user: UserId,
    posts: &[PostId],
) -> Result<Vec<PostId>, DbError> {
    let rows: Vec<(PostId,)> = tx.all(&LIKED_AMONG, params![user, posts]).await?;
    Ok(rows.into_iter().map(|(post,)| post).collect())
}

/// Adds a like of a comment; `true` if it is new.
pub(crate) async fn like_comment(
    tx: &mut Tx,
    user: UserId,
    comment: CommentId,
    now: Ts,
) -> Result<bool, DbError> {
    Ok(tx.execute(&LIKE_COMMENT, params![user, comment, now]).await? == 1)
}

/// Takes a like of a comment back; `true` if there was one.
pub(crate) async fn unlike_comment(
    tx: &mut Tx,
    user: UserId,
    comment: CommentId,
) -> Result<bool, DbError> {
    Ok(tx.execute(&UNLIKE_COMMENT, params![user, comment]).await? == 1)
}

/// Which of `comments` `user` likes.
pub(crate) async fn comments_liked_among(
    tx: &mut Tx,
    user: UserId,
    comments: &[CommentId],
) -> Result<Vec<CommentId>, DbError> {
    let rows: Vec<(CommentId,)> = tx.all(&COMMENTS_LIKED_AMONG, params![user, comments]).await?;
    Ok(rows.into_iter().map(|(comment,)| comment).collect())
}

/// When `viewer`'s view of `post` was last counted.
pub(crate) async fn counted_at(
    tx: &mut Tx,
    viewer: UserId,
    post: PostId,
) -> Result<Option<Ts>, DbError> {
    let at: Option<(Ts,)> = tx.optional(&COUNTED_AT, params![viewer, post]).await?;
    Ok(at.map(|(at,)| at))
}

/// Notes that `viewer`'s view of `post` was counted at `now`.
pub(crate) async fn mark(
    tx: &mut Tx,
    viewer: UserId,
    post: PostId,
    now: Ts,
) -> Result<(), DbError> {
    tx.run(&MARK, params![viewer, post, now]).await
}

/// Begins a view.
pub(crate) async fn begin_view(
    tx: &mut Tx,
    id: ViewId,
    post: PostId,
    viewer: UserId,
    now: Ts,
) -> Result<(), DbError> {
    tx.run(&BEGIN_VIEW, params![id, post, viewer, now]).await
}

/// A view of `viewer`.
pub(crate) async fn view(
    tx: &mut Tx,
    id: ViewId,
    viewer: UserId,
) -> Result<Option<ViewRow>, DbError> {
    tx.optional(&VIEW, params![id, viewer]).await
}

/// Moves a view on.
pub(crate) async fn move_view(
    tx: &mut Tx,
    id: ViewId,
    now: Ts,
    dwell_ms: i64,
    ended: bool,
) -> Result<(), DbError> {
    tx.run(&MOVE_VIEW, params![id, now, dwell_ms, ended]).await
}

/// Ends views not heard of since `before`, and forgets marks that hold nothing back any more.
pub(crate) async fn sweep_views(
    tx: &mut Tx,
    silent_before: Ts,
    marks_before: Ts,
) -> Result<u64, DbError> {
    tx.run(&FORGET_MARKS, params![marks_before]).await?;
    tx.execute(&END_SILENT, params![silent_before]).await
}
