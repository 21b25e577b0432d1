//! What is erased for good, a batch at a time.

use mainstay_contract::{
    id::{CommentId, PostId},
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, Tx},
    params, statements,
};

use super::{comments::leave, moderation::forget};

statements! {
    /// Posts that have been in a state for too long, the longest first.
    GONE_POSTS = "select id from feed.post where gone_at < $2 and state = $1 order by gone_at limit $3";
    /// Nobody can restore a removed post any more.
    END_REMOVED = "update feed.post set state = 5 where id = $1 and state = 4 and gone_at < $2";
    /// Likes of a post.
    DROP_LIKES = "delete from feed.post_like where (user_id, post_id) in (
                      select user_id, post_id from feed.post_like where post_id = $1 limit $2)";
    /// Comments under a post that nothing answers, the newest first.
    LEAVES = "select c.id, c.reply_to from feed.comment c where c.post_id = $1
                  and not exists (select 1 from feed.comment r where r.reply_to = c.id) order by c.id desc limit $2";
    /// Comments under a post that have been gone for too long.
    GONE_COMMENTS = "select id, reply_to from feed.comment where post_id = $1 and gone_at < $2
                     order by gone_at limit $3";
    /// The posts of the comments that have been gone for too long, of so many comments.
    POSTS_OF_GONE = "select distinct post_id from (
                         select post_id from feed.comment where gone_at < $1 order by gone_at limit $2) g";
    /// Likes of a comment.
    DROP_COMMENT_LIKES = "delete from feed.comment_like where (user_id, comment_id) in (
                              select user_id, comment_id from feed.comment_like where comment_id = $1 limit $2)";
    /// A comment.
    DROP_COMMENT = "delete from feed.comment where id = $1";
    /// The tags of a post.
    DROP_TAGS = "delete from feed.post_tag where post_id = $1";
    /// The counters of a post.
    DROP_STAT = "delete from feed.post_stat where post_id = $1";
    /// A post.
    DROP_POST = "delete from feed.post where id = $1";
    /// Views that began too long ago.
    DROP_VIEWS = "delete from feed.view_session where id in (
                      select id from feed.view_session where started_at < $1 order by started_at limit $2)";
    /// Reports that were acted on too long ago.
    DROP_REPORTS = "delete from feed.report where id in (
                        select id from feed.report where resolved_at < $1 order by resolved_at limit $2)";
}

/// Posts that went into `state` before `before`, at most `limit`.
pub(crate) async fn gone_posts(
    tx: &mut Tx,
    state: i64,
    before: Ts,
    limit: i64,
) -> Result<Vec<PostId>, DbError> {
    let rows: Vec<(PostId,)> = tx.all(&GONE_POSTS, params![state, before, limit]).await?;
    Ok(rows.into_iter().map(|(post,)| post).collect())
}

/// From now on nobody can restore `post`, if it was removed before `before`; `false` if it was restored meanwhile.
pub(crate) async fn end_removed(tx: &mut Tx, post: PostId, before: Ts) -> Result<bool, DbError> {
    Ok(tx.execute(&END_REMOVED, params![post, before]).await? == 1)
}

/// Removes likes of `post`, at most `limit`; how many.
pub(crate) async fn drop_likes(tx: &mut Tx, post: PostId, limit: i64) -> Result<u64, DbError> {
    tx.execute(&DROP_LIKES, params![post, limit]).await
}

/// Posts under which comments have been gone since before `before`; at most `limit` comments are looked at.
pub(crate) async fn posts_of_gone(
    tx: &mut Tx,
    before: Ts,
    limit: i64,
) -> Result<Vec<PostId>, DbError> {
    let rows: Vec<(PostId,)> = tx.all(&POSTS_OF_GONE, params![before, limit]).await?;
    Ok(rows.into_iter().map(|(post,)| post).collect())
}

/// Removes comments under `post` that are gone since before `before`, and their likes, at most `limit` of both
/// together; how many. What they answered may be to be erased from then on.
pub(crate) async fn drop_gone_comments(
    tx: &mut Tx,
    post: PostId,
    before: Ts,
    limit: i64,
) -> Result<u64, DbError> {
    let gone = tx.all(&GONE_COMMENTS, params![post, before, limit]).await?;
    drop_each(tx, gone, limit).await
}

/// Removes comments under `post` and their likes, at most `limit` of both together; how many.
pub(crate) async fn drop_comments(tx: &mut Tx, post: PostId, limit: i64) -> Result<u64, DbError> {
    let leaves = tx.all(&LEAVES, params![post, limit]).await?;
    drop_each(tx, leaves, limit).await
}

/// Removes comments that nothing answers, given with what they answer, and their likes.
async fn drop_each(
    tx: &mut Tx,
    comments: Vec<(CommentId, Option<CommentId>)>,
    limit: i64,
) -> Result<u64, DbError> {
    let mut dropped = 0;
    for (comment, reply_to) in comments {
        let left = limit - i64::try_from(dropped).unwrap_or(limit);
        if left <= 0 {
            break;
        }
        let likes = tx.execute(&DROP_COMMENT_LIKES, params![comment, left]).await?;
        dropped += likes;
        // As many likes as were asked for: there may be more.
        if likes < left.unsigned_abs() {
            forget(tx, &comment.to_string()).await?;
            dropped += tx.execute(&DROP_COMMENT, params![comment]).await?;
            if let Some(answered) = reply_to {
                leave(tx, answered).await?;
            }
        }
    }
    Ok(dropped)
}

/// Removes a post that has neither likes, comments nor media any more.
pub(crate) async fn drop_post(tx: &mut Tx, post: PostId) -> Result<(), DbError> {
    tx.run(&DROP_TAGS, params![post]).await?;
    tx.run(&DROP_STAT, params![post]).await?;
    forget(tx, &post.to_string()).await?;
    tx.run(&DROP_POST, params![post]).await
}

/// Removes views that began before `before`, at most `limit`; how many.
pub(crate) async fn drop_views(tx: &mut Tx, before: Ts, limit: i64) -> Result<u64, DbError> {
    tx.execute(&DROP_VIEWS, params![before, limit]).await
}

/// Removes reports that were acted on before `before`, at most `limit`; how many.
pub(crate) async fn drop_reports(tx: &mut Tx, before: Ts, limit: i64) -> Result<u64, DbError> {
    tx.execute(&DROP_REPORTS, params![before, limit]).await
}
