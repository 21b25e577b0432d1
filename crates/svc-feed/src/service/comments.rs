//! Comments and their likes.

use std::collections::HashMap;

use mainstay_contract::{
    feed::{CommentAddedV1, CommentChangedV1, CommentLikedV1, MentionedV1},
    id::{CommentId, PostId, UserId},
};
use mainstay_core::{
    auth::Caller,
    db::{Json, Once, Tx},
    http::IfMatch,
    ids, params,
};
use serde::{Deserialize, Serialize};

use super::{
    Feed,
    cards::people,
    likes::{recount, visible},
    tags,
};
use crate::{
    error::Error,
    model::{COMMENT_CHARS_MAX, comment_state, marks, rank::Weights, text},
    store::{self, comments::CommentRow, posts::HeldPost},
    view::{CommentView, MentionView, Page, PersonView},
};

/// A comment to be written.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewComment {
    /// Its words, 1 to 2,200 characters.
    #[schemars(length(min = 1, max = 2200))]
    pub(crate) text: String,
    /// The comment it answers; one under the same post.
    #[serde(default)]
    pub(crate) reply_to: Option<CommentId>,
}

/// How a comment stands to somebody after a like or its taking back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct LikedComment {
    /// The comment.
    pub(crate) id: CommentId,
    /// Likes now.
    pub(crate) like_count: i64,
    /// Whether the caller likes it now.
    pub(crate) liked_by_me: bool,
}

impl Feed {
    /// Adds a comment.
    ///
    /// # Errors
    /// `NotFound` if the caller may not see the post, or the comment that is answered is not under it; `Conflict` if
    /// the post takes no comments; `Invalid` for its words.
    pub(crate) async fn comment(
        &self,
        caller: &Caller,
        post: PostId,
        new: NewComment,
        once: Option<Once>,
    ) -> Result<CommentView, Error> {
        let (user, handle) = (caller.user, caller.handle.clone());
        let words = checked(&new.text)?;
        let weights = self.inner.config.weights;
        let reply_to = new.reply_to;
        self.db()
            .write_locking(&store::posts::LOCK_STAT, params![post], once, move |tx| {
                let (words, handle) = (words.clone(), handle.clone());
                Box::pin(async move {
                    let asked_at = tx.now();
                    store::people::ensure(tx, user, &handle, asked_at).await?;
                    // Behind the lock, so that times and ids follow the order in which comments are written.
                    let now = tx.now();
                    let held = visible(tx, post, Some(user)).await?;
                    if !held.comments_enabled {
                        return Err(Error::Conflict("This post does not take comments."));
                    }
                    if let Some(parent) = reply_to {
                        let parent = store::comments::get(tx, parent).await?;
                        let answers =
                            parent.filter(|c| c.post == post && c.state == comment_state::SHOWN);
                        let answers = answers.ok_or_else(|| {
                            Error::invalid(
                                "/reply_to",
                                "not_found",
                                "Answer a comment that stands under this post.",
                            )
                        })?;
                        store::comments::count_reply(tx, answers.id, 1).await?;
                    }
                    let row = CommentRow {
                        id: ids::new_id(now),
                        post,
                        author: user,
                        reply_to,
                        mentions: Json(resolve_mentions(tx, &words).await?),
                        text: words,
                        state: comment_state::SHOWN,
                        like_count: 0,
                        reply_count: 0,
                        created_at: now,
                        edited_at: None,
                        version: 1,
                    };
                    store::comments::insert(tx, &row).await?;
                    added(tx, &row, &held, &weights).await?;
                    let people = people(tx, &[user]).await?;
                    view(&row, &people, false).ok_or(Error::NotFound)
                })
            })
            .await
    }

    /// A post's comments, oldest first.
    ///
    /// # Errors
    /// `NotFound` if the caller may not see the post; a bad cursor.
    pub(crate) async fn comments(
        &self,
        viewer: Option<UserId>,
        post: PostId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<CommentView>, Error> {
        let list = format!("comments {post}");
        let after: CommentId = match cursor {
            Some(cursor) => self.inner.cursors.open(&list, cursor)?,
            None => CommentId::from_bits(0),
        };
        let mut tx = self.db().read().await?;
        visible(&mut tx, post, viewer).await?;
        let mut rows = store::comments::of_post(&mut tx, post, after, limit + 1, viewer).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor =
            rows.last().filter(|_| more).map(|last| self.inner.cursors.seal(&list, &last.id));
        let items = views(&mut tx, &rows, viewer).await?;
        Ok(Page { items, next_cursor })
    }

    /// The post that a comment stands under, whose counters queue up those who change comments.
    pub(super) async fn post_of(&self, comment: CommentId) -> Result<PostId, Error> {
        let mut tx = self.db().read().await?;
        Ok(store::comments::get(&mut tx, comment).await?.ok_or(Error::NotFound)?.post)
    }

    /// Changes a comment's words, if it is at a version that `wanted` names.
    ///
    /// # Errors
    /// `NotFound` if there is no such comment of the caller; `Refused` with the present version if that is another;
    /// `Invalid` for its words.
    pub(crate) async fn edit_comment(
        &self,
        user: UserId,
        id: CommentId,
        words: &str,
        wanted: IfMatch,
        once: Option<Once>,
    ) -> Result<CommentView, Error> {
        let words = checked(words)?;
        let post = self.post_of(id).await?;
        self.db()
            .write_locking(&store::posts::LOCK_STAT, params![post], once, move |tx| {
                let (words, wanted) = (words.clone(), wanted.clone());
                Box::pin(async move {
                    let (row, held) = own(tx, id, user).await?;
                    wanted.check(row.version)?;
                    let mentions = Json(resolve_mentions(tx, &words).await?);
                    let now = tx.now();
                    let version = store::comments::edit(tx, id, &words, &mentions, now).await?;
                    changed(tx, &row, &held).await?;
                    let before = &row.mentions.0;
                    say_mentioned(tx, row.post, Some(id), user, &mentions.0, before).await?;
                    let edited_at = Some(now);
                    let row = CommentRow { text: words, mentions, edited_at, version, ..row };
                    views(tx, &[row], Some(user)).await?.pop().ok_or(Error::NotFound)
                })
            })
            .await
    }

    /// Deletes a comment, if it is at a version that `wanted` names: its author may, and the author of the post.
    ///
    /// # Errors
    /// `NotFound` for anybody else; `Refused` with the present version if that is another.
    pub(crate) async fn delete_comment(
        &self,
        user: UserId,
        id: CommentId,
        wanted: IfMatch,
        once: Option<Once>,
    ) -> Result<(), Error> {
        let weights = self.inner.config.weights;
        let post = self.post_of(id).await?;
        self.db()
            .write_locking(&store::posts::LOCK_STAT, params![post], once, move |tx| {
                let wanted = wanted.clone();
                Box::pin(async move {
                    let row = store::comments::get(tx, id).await?.ok_or(Error::NotFound)?;
                    let held = store::posts::held(tx, row.post, Some(user))
                        .await?
                        .ok_or(Error::NotFound)?;
                    if row.author != user && held.sight.author != user
                        || row.state > comment_state::HIDDEN
                    {
                        return Err(Error::NotFound);
                    }
                    wanted.check(row.version)?;
                    set_comment_state(tx, &row, &held, comment_state::DELETED, &weights).await
                })
            })
            .await
    }

    /// Likes a comment or takes the like back; twice counts once.
    ///
    /// # Errors
    /// `NotFound` if the caller may not see it.
    pub(crate) async fn set_comment_like(
        &self,
        user: UserId,
        id: CommentId,
        likes: bool,
        once: Option<Once>,
    ) -> Result<LikedComment, Error> {
        self.db()
            .write_once(once, move |tx| {
                Box::pin(async move {
                    let row = store::comments::get(tx, id).await?.ok_or(Error::NotFound)?;
                    let held = visible(tx, row.post, Some(user)).await?;
                    if row.state != comment_state::SHOWN {
                        return Err(Error::NotFound);
                    }
                    let now = tx.now();
                    let new = if likes {
                        store::likes::like_comment(tx, user, id, now).await?
                    } else {
                        store::likes::unlike_comment(tx, user, id).await?
                    };
                    let like_count = match (new, likes) {
                        (true, true) => store::comments::count_like(tx, id, 1).await?,
                        (true, false) => store::comments::count_like(tx, id, -1).await?,
                        (false, _) => row.like_count,
                    };
                    if new {
                        let fact = CommentLikedV1 {
                            comment: id,
                            post: row.post,
                            author: row.author,
                            user,
                            liked: likes,
                        };
                        tx.emit(&fact, &[tags::post(held.id)]).await?;
                    }
                    Ok(LikedComment { id, like_count, liked_by_me: likes })
                })
            })
            .await
    }
}

/// The words of a comment, tidied.
fn checked(words: &str) -> Result<String, Error> {
    let words = text::tidy(words);
    match words.chars().count() {
        _ if text::is_blank(&words) => Err(Error::invalid("/text", "required", "Write something.")),
        count if count > COMMENT_CHARS_MAX => {
            let detail =
                format!("A comment has at most {COMMENT_CHARS_MAX} characters; this has {count}.");
            Err(Error::invalid("/text", "too_long", detail))
        }
        _ => Ok(words),
    }
}

/// The people that a text mentions and who exist.
pub(super) async fn resolve_mentions(tx: &mut Tx, words: &str) -> Result<Vec<MentionView>, Error> {
    let handles = marks::mentions(words);
    let known = store::people::by_handles(tx, &handles).await?;
    let found = handles.into_iter().filter_map(|handle| {
        let (id, _) = known.iter().find(|(_, name)| name.eq_ignore_ascii_case(&handle))?;
        Some(MentionView { id: *id, handle })
    });
    Ok(found.collect())
}

/// A comment of `user` that can still be changed, and its post.
async fn own(tx: &mut Tx, id: CommentId, user: UserId) -> Result<(CommentRow, HeldPost), Error> {
    let row = store::comments::get(tx, id).await?.ok_or(Error::NotFound)?;
    let held = visible(tx, row.post, Some(user)).await?;
    if row.author != user || row.state != comment_state::SHOWN {
        return Err(Error::NotFound);
    }
    Ok((row, held))
}

/// Says that a comment was added, and counts it.
async fn added(
    tx: &mut Tx,
    row: &CommentRow,
    held: &HeldPost,
    weights: &Weights,
) -> Result<(), Error> {
    let mut counts = held.counts;
    counts.comments += 1;
    let fact = CommentAddedV1 {
        comment: row.id,
        reply_to: row.reply_to,
        post: row.post,
        author: held.sight.author,
        user: row.author,
        comment_count: counts.comments,
        version: held.stat_version + 1,
    };
    tx.emit(&fact, &[tags::post(row.post), tags::EXPLORE]).await?;
    recount(tx, &held.into(), counts, weights).await?;
    say_mentioned(tx, row.post, Some(row.id), row.author, &row.mentions.0, &[]).await
}

/// Says whom a published post, or a comment under it, mentions `now` and did not mention `before`.
pub(super) async fn say_mentioned(
    tx: &mut Tx,
    post: PostId,
    comment: Option<CommentId>,
    user: UserId,
    now: &[MentionView],
    before: &[MentionView],
) -> Result<(), Error> {
    let was = |id| before.iter().any(|mention| mention.id == id);
    let mentioned: Vec<UserId> =
        now.iter().map(|mention| mention.id).filter(|id| !was(*id)).collect();
    if !mentioned.is_empty() {
        tx.emit(&MentionedV1 { post, comment, user, mentioned }, &[]).await?;
    }
    Ok(())
}

/// Says that a comment changed, without a change of counters.
async fn changed(tx: &mut Tx, row: &CommentRow, held: &HeldPost) -> Result<(), Error> {
    let fact = CommentChangedV1 {
        comment: row.id,
        post: row.post,
        comment_count: held.counts.comments,
        version: held.stat_version,
    };
    tx.emit(&fact, &[tags::post(row.post)]).await?;
    Ok(())
}

/// Moves a comment to another state and keeps the counters equal to what is shown.
pub(super) async fn set_comment_state(
    tx: &mut Tx,
    row: &CommentRow,
    held: &HeldPost,
    state: i64,
    weights: &Weights,
) -> Result<(), Error> {
    let by =
        i64::from(state == comment_state::SHOWN) - i64::from(row.state == comment_state::SHOWN);
    store::comments::set_state(tx, row.id, state).await?;
    if let (Some(parent), true) = (row.reply_to, by != 0) {
        store::comments::count_reply(tx, parent, by).await?;
    }
    let mut counts = held.counts;
    counts.comments += by;
    let fact = CommentChangedV1 {
        comment: row.id,
        post: row.post,
        comment_count: counts.comments,
        version: held.stat_version + 1,
    };
    tx.emit(&fact, &[tags::post(row.post), tags::EXPLORE]).await?;
    recount(tx, &held.into(), counts, weights).await
}

/// Comments as `viewer` sees them, in order.
pub(super) async fn views(
    tx: &mut Tx,
    rows: &[CommentRow],
    viewer: Option<UserId>,
) -> Result<Vec<CommentView>, Error> {
    let mut authors: Vec<UserId> = rows.iter().map(|row| row.author).collect();
    authors.sort_unstable();
    authors.dedup();
    let people = people(tx, &authors).await?;
    let ids: Vec<CommentId> = rows.iter().map(|row| row.id).collect();
    let liked = match viewer {
        Some(viewer) if !ids.is_empty() => {
            store::likes::comments_liked_among(tx, viewer, &ids).await?
        }
        _ => Vec::new(),
    };
    Ok(rows.iter().filter_map(|row| view(row, &people, liked.contains(&row.id))).collect())
}

fn view(
    row: &CommentRow,
    people: &HashMap<UserId, PersonView>,
    liked: bool,
) -> Option<CommentView> {
    Some(CommentView {
        id: row.id,
        post_id: row.post,
        author: people.get(&row.author)?.clone(),
        text: row.text.clone(),
        reply_to: row.reply_to,
        mentions: row.mentions.0.clone(),
        reply_count: row.reply_count,
        like_count: row.like_count,
        liked_by_me: liked,
        created_at: row.created_at,
        edited_at: row.edited_at,
        version: row.version,
    })
}
