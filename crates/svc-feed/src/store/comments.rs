//! Comments.

use mainstay_contract::{
    id::{CommentId, PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, Json, Tx},
    params, row, statements,
};

use crate::view::MentionView;

statements! {
    /// Adds a comment.
    INSERT = "insert into feed.comment (id, post_id, author_id, reply_to, text, mentions, state, like_count, reply_count,
                  created_at, edited_at, version)
              values ($1, $2, $3, $4, $5, $6, 0, 0, 0, $7, null, 1)";
    /// A comment, whatever its state.
    GET = "select id, post_id, author_id, reply_to, text, mentions, state, like_count, reply_count, created_at,
               edited_at, version from feed.comment where id = $1";
    /// A post's comments that are shown, oldest first.
    OF_POST = "select id, post_id, author_id, reply_to, text, mentions, state, like_count, reply_count, created_at,
                   edited_at, version from feed.comment
               where post_id = $1 and state = 0 and id > $2
                 and not exists (select 1 from feed.profile a where a.user_id = author_id and a.suspended)
                 and not exists (select 1 from feed.block b where b.blocker_id = $4 and b.blocked_id = author_id)
                 and not exists (select 1 from feed.block b where b.blocker_id = author_id and b.blocked_id = $4)
               order by id limit $3";
    /// Changes a comment's words.
    EDIT = "update feed.comment set text = $2, mentions = $3, edited_at = $4, version = version + 1 where id = $1
            returning version";
    /// Changes a comment's state.
    SET_STATE = "update feed.comment set state = $2, version = version + 1 where id = $1";
    /// Takes the words out of a deleted comment.
    CLEAR = "update feed.comment set text = '', mentions = '[]' where id = $1";
    /// A deleted comment that nothing answers, whatever its state, is to be erased.
    LEAVE = "update feed.comment set gone_at = $2 where id = $1 and state = 3 and gone_at is null
             and not exists (select 1 from feed.comment r where r.reply_to = $1)";
    /// Counts likes.
    COUNT_LIKE = "update feed.comment set like_count = like_count + $2 where id = $1 returning like_count";
    /// Counts replies.
    COUNT_REPLY = "update feed.comment set reply_count = reply_count + $2 where id = $1";
}

row! {
    /// A comment.
    #[derive(Debug, Clone)]
    pub(crate) struct CommentRow {
        pub(crate) id: CommentId,
        pub(crate) post: PostId,
        pub(crate) author: UserId,
        pub(crate) reply_to: Option<CommentId>,
        pub(crate) text: String,
        pub(crate) mentions: Json<Vec<MentionView>>,
        pub(crate) state: i64,
        pub(crate) like_count: i64,
        pub(crate) reply_count: i64,
        pub(crate) created_at: Ts,
        pub(crate) edited_at: Option<Ts>,
        pub(crate) version: i64,
    }
}

/// Adds a comment.
pub(crate) async fn insert(tx: &mut Tx, row: &CommentRow) -> Result<(), DbError> {
    let params =
        params![row.id, row.post, row.author, row.reply_to, row.text, row.mentions, row.created_at];
    tx.run(&INSERT, params).await
}

/// A comment, whatever its state.
pub(crate) async fn get(tx: &mut Tx, id: CommentId) -> Result<Option<CommentRow>, DbError> {
    tx.optional(&GET, params![id]).await
}

/// Comments of `post` after `after` that `viewer` may see, oldest first, at most `limit`.
pub(crate) async fn of_post(
    tx: &mut Tx,
    post: PostId,
    after: CommentId,
    limit: usize,
    viewer: Option<UserId>,
) -> Result<Vec<CommentRow>, DbError> {
    tx.all(&OF_POST, params![post, after, limit as i64, viewer]).await
}

/// Changes a comment's words and returns the new version.
pub(crate) async fn edit(
    tx: &mut Tx,
    id: CommentId,
    text: &str,
    mentions: &Json<Vec<MentionView>>,
    now: Ts,
) -> Result<i64, DbError> {
    let (version,): (i64,) = tx.one(&EDIT, params![id, text, mentions, now]).await?;
    Ok(version)
}

/// Changes a comment's state; a deleted one loses its words, and is to be erased unless something answers it.
pub(crate) async fn set_state(tx: &mut Tx, id: CommentId, state: i64) -> Result<(), DbError> {
    tx.run(&SET_STATE, params![id, state]).await?;
    if state == crate::model::comment_state::DELETED {
        tx.run(&CLEAR, params![id]).await?;
        leave(tx, id).await?;
    }
    Ok(())
}

/// Notes that a comment is to be erased, if it is deleted and nothing answers it. Whoever calls this holds the lock on
/// the post's counters, as whoever answers does.
pub(crate) async fn leave(tx: &mut Tx, id: CommentId) -> Result<(), DbError> {
    let now = tx.now();
    tx.run(&LEAVE, params![id, now]).await
}

/// Adds `by` to a comment's likes and returns the new count.
pub(crate) async fn count_like(tx: &mut Tx, id: CommentId, by: i64) -> Result<i64, DbError> {
    let (count,): (i64,) = tx.one(&COUNT_LIKE, params![id, by]).await?;
    Ok(count)
}

/// Adds `by` to a comment's replies.
pub(crate) async fn count_reply(tx: &mut Tx, id: CommentId, by: i64) -> Result<(), DbError> {
    tx.run(&COUNT_REPLY, params![id, by]).await
}
