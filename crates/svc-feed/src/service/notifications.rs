//! Notifications: made from Feed's own facts, grouped into lines, read in pages.
//!
//! Each fact is a hint to look: the line follows what the records say when the fact is taken, so facts that come
//! twice or in another order end in the same lines.

use std::collections::{BTreeSet, HashMap};

use mainstay_contract::{
    feed::{
        CommentAddedV1, CommentChangedV1, CommentLikedV1, MentionedV1, NotifiedV1,
        PostVisibilityChangedV1, RelationActV1, RelationChangedV1,
    },
    id::{CommentId, PostId, UserId},
};
use mainstay_core::{
    db::{DbError, Once, Tx},
    params,
};
use serde::{Deserialize, Serialize};

use super::{Feed, cards};
use crate::{
    error::Error,
    model::{
        NOTIFICATION_LIFE_S, comment_state,
        notify::{Line, concerned, keys_about, kind_of},
        post_state,
    },
    store::{
        self,
        notifications::{LinePlace, LineRow},
        posts::HeldPost,
    },
    view::{MediaView, NotificationView, NotifiedPostView, PersonView},
};

/// People of a line who are shown.
const ACTORS_SHOWN: i64 = 3;
/// Characters of a post that are shown in a line.
const EXCERPT_CHARS: usize = 80;
/// Lines that one look removes when they are old.
const TRIM_MAX: i64 = 500;
/// Looks of one run.
const TRIMS_MAX: usize = 20;
/// Lines that a block takes somebody out of.
const BLOCKED_LINES_MAX: i64 = 10_000;

/// A page of notifications.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct NotificationsPage {
    /// Newest activity first.
    pub(crate) items: Vec<NotificationView>,
    /// Asks for the next page; absent at the end.
    pub(crate) next_cursor: Option<String>,
    /// Lines that were not read.
    pub(crate) unread_count: i64,
}

/// What is left to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct Unread {
    /// Lines that were not read.
    pub(crate) unread_count: i64,
}

impl Feed {
    /// The caller's notifications, newest activity first, without those about posts that they may no longer see.
    ///
    /// # Errors
    /// A bad cursor.
    pub(crate) async fn notifications(
        &self,
        user: UserId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<NotificationsPage, Error> {
        let list = format!("notifications {user}");
        let from = match cursor {
            Some(cursor) => self.inner.cursors.open(&list, cursor)?,
            None => LinePlace::top(),
        };
        let mut tx = self.db().read().await?;
        let mut rows = store::notifications::page(&mut tx, user, &from, limit + 1).await?;
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor =
            rows.last().filter(|_| more).map(|last| self.inner.cursors.seal(&list, &place(last)));
        let unread_count = store::notifications::unread(&mut tx, user).await?;
        let shown = Shown::load(&mut tx, user, &rows).await?;
        let id_list = ids_of(user);
        let items = rows.iter().filter_map(|row| {
            let id = self.inner.cursors.seal(&id_list, &place(row));
            shown.view(row, id)
        });
        Ok(NotificationsPage { items: items.collect(), next_cursor, unread_count })
    }

    /// Marks the line `up_to` and everything older as read.
    ///
    /// # Errors
    /// `Invalid` if it is not the id of a line of the caller.
    pub(crate) async fn read_notifications(
        &self,
        user: UserId,
        up_to: &str,
        once: Option<Once>,
    ) -> Result<Unread, Error> {
        let place: LinePlace = self.inner.cursors.open(&ids_of(user), up_to).map_err(|_bad| {
            let detail = "Send the `id` of one of your notifications as it is.";
            Error::invalid("/up_to", "unknown", detail)
        })?;
        let own = vec![user];
        self.db()
            .write_locking(&store::relations::LOCK, params![own], once, move |tx| {
                let place = place.clone();
                Box::pin(async move {
                    let now = tx.now();
                    let read = store::notifications::mark_read(tx, user, &place, now).await?;
                    let unread_count = store::notifications::unread(tx, user).await?;
                    if read > 0 {
                        tx.emit(&NotifiedV1 { user, unread_count }, &[]).await?;
                    }
                    Ok(Unread { unread_count })
                })
            })
            .await
    }

    /// Removes lines without activity for 90 days.
    pub(crate) async fn trim_notifications(&self) -> Result<(), Error> {
        let before = self.inner.clock.now().plus_s(-NOTIFICATION_LIFE_S);
        for _ in 0..TRIMS_MAX {
            let removed = self
                .db()
                .write::<_, Error, _>(move |tx| {
                    Box::pin(
                        async move { Ok(store::notifications::trim(tx, before, TRIM_MAX).await?) },
                    )
                })
                .await?;
            if removed < usize::try_from(TRIM_MAX).unwrap_or(usize::MAX) {
                break;
            }
        }
        Ok(())
    }
}

fn place(row: &LineRow) -> LinePlace {
    LinePlace { updated_at: row.updated_at, key: row.key.clone() }
}

/// What the ids of a person's lines are bound to.
fn ids_of(user: UserId) -> String {
    format!("notification {user}")
}

/// What the lines of a page show.
struct Shown {
    actors: HashMap<String, Vec<UserId>>,
    people: HashMap<UserId, PersonView>,
    posts: HashMap<PostId, NotifiedPostView>,
}

impl Shown {
    async fn load(tx: &mut Tx, user: UserId, rows: &[LineRow]) -> Result<Self, Error> {
        let keys: Vec<String> = rows.iter().map(|row| row.key.clone()).collect();
        let mut actors: HashMap<String, Vec<UserId>> = HashMap::new();
        for (key, actor) in store::notifications::actors(tx, user, &keys, ACTORS_SHOWN).await? {
            actors.entry(key).or_default().push(actor);
        }
        let known: BTreeSet<UserId> = actors.values().flatten().copied().collect();
        let people = cards::people(tx, &known.into_iter().collect::<Vec<_>>()).await?;
        let posts: BTreeSet<PostId> = rows.iter().filter_map(|row| row.post).collect();
        let posts: Vec<PostId> = posts.into_iter().collect();
        let held = store::posts::held_many(tx, &posts, Some(user)).await?;
        let mut pictures: HashMap<PostId, MediaView> = HashMap::new();
        for (post, view) in cards::media_views(store::media::of_posts(tx, &posts).await?) {
            if let Some(post) = post {
                pictures.entry(post).or_insert(view);
            }
        }
        let seen = held.into_iter().filter(|post| post.sight.visible_to(Some(user)));
        let posts = seen
            .map(|post| {
                let excerpt = excerpt(&post.caption);
                let thumbnail = pictures.remove(&post.id);
                (post.id, NotifiedPostView { id: post.id, excerpt, thumbnail })
            })
            .collect();
        Ok(Self { actors, people, posts })
    }

    /// A line; `None` if it is about a post that may not be seen any more.
    fn view(&self, row: &LineRow, id: String) -> Option<NotificationView> {
        let post = match row.post {
            Some(post) => Some(self.posts.get(&post)?.clone()),
            None => None,
        };
        let actors = self.actors.get(&row.key).into_iter().flatten();
        Some(NotificationView {
            id,
            kind: kind_of(&row.kind)?,
            actors: actors.filter_map(|user| self.people.get(user).cloned()).collect(),
            actor_count: row.actor_count,
            post,
            comment_id: row.comment,
            updated_at: row.updated_at,
            read: row.read,
        })
    }
}

/// A post was liked, or a like was taken back.
pub(crate) async fn post_liked(tx: &mut Tx, post: PostId, user: UserId) -> Result<(), DbError> {
    let Some(held) = store::posts::held(tx, post, Some(user)).await? else { return Ok(()) };
    let line = Line::like(held.sight.author, post);
    if store::likes::liked(tx, user, post).await? {
        tell(tx, line, user, Some(&held)).await
    } else {
        untell(tx, &line, user).await
    }
}

/// A comment was liked, or a like was taken back.
pub(crate) async fn comment_liked(tx: &mut Tx, fact: &CommentLikedV1) -> Result<(), DbError> {
    let line = Line::comment_like(fact.author, fact.post, fact.comment);
    if !store::notifications::likes_comment(tx, fact.user, fact.comment).await? {
        return untell(tx, &line, fact.user).await;
    }
    if shown_comment(tx, fact.comment).await? {
        tell_of_post(tx, line, fact.user, fact.post).await?;
    }
    Ok(())
}

/// A comment was added.
pub(crate) async fn comment_added(tx: &mut Tx, fact: &CommentAddedV1) -> Result<(), DbError> {
    let Some(row) = store::comments::get(tx, fact.comment).await? else { return Ok(()) };
    if row.state != comment_state::SHOWN {
        return Ok(());
    }
    let parent = match row.reply_to {
        Some(parent) => store::comments::get(tx, parent).await?,
        None => None,
    };
    let (reply, comment) =
        concerned(row.author, fact.author, parent.as_ref().map(|parent| parent.author));
    if let (Some(user), Some(parent)) = (reply, &parent) {
        let line = Line::reply(user, row.post, parent.id, row.id);
        tell_again(tx, line, row.author, row.post).await?;
    }
    if let Some(user) = comment {
        tell_again(tx, Line::comment(user, row.post, row.id), row.author, row.post).await?;
    }
    Ok(())
}

/// A comment was changed; if it is not shown any more, nobody is told of it.
pub(crate) async fn comment_changed(tx: &mut Tx, fact: &CommentChangedV1) -> Result<(), DbError> {
    let Some(row) = store::comments::get(tx, fact.comment).await? else { return Ok(()) };
    if row.state == comment_state::SHOWN {
        return Ok(());
    }
    let gone = store::notifications::drop_of_keys(tx, row.post, &keys_about(row.id)).await?;
    recount(tx, gone).await?;
    if let Some(held) = store::posts::held(tx, row.post, None).await? {
        let line = Line::comment(held.sight.author, row.post, row.id);
        comment_gone(tx, &line, row.author, row.id, None).await?;
    }
    if let Some(parent) = row.reply_to
        && let Some(answered) = store::comments::get(tx, parent).await?
    {
        let line = Line::reply(answered.author, row.post, parent, row.id);
        comment_gone(tx, &line, row.author, row.id, Some(parent)).await?;
    }
    Ok(())
}

/// People are mentioned who were not before.
pub(crate) async fn mentioned(tx: &mut Tx, fact: &MentionedV1) -> Result<(), DbError> {
    let (answered, shown) = match fact.comment {
        Some(comment) => match store::comments::get(tx, comment).await? {
            Some(row) => {
                let parent = match row.reply_to {
                    Some(parent) => store::comments::get(tx, parent).await?,
                    None => None,
                };
                (parent.map(|parent| parent.author), row.state == comment_state::SHOWN)
            }
            None => (None, false),
        },
        None => (None, true),
    };
    if !shown {
        return Ok(());
    }
    for user in &fact.mentioned {
        // Who is answered is told of the answer.
        if Some(*user) != answered {
            let line = Line::mention(*user, fact.post, fact.comment);
            tell_of_post(tx, line, fact.user, fact.post).await?;
        }
    }
    Ok(())
}

/// A post was hidden, removed, deleted or restored.
pub(crate) async fn post_visibility(
    tx: &mut Tx,
    fact: &PostVisibilityChangedV1,
) -> Result<(), DbError> {
    let held = store::posts::held(tx, fact.post, None).await?;
    if held.is_some_and(|held| held.sight.state <= post_state::HIDDEN) {
        return Ok(());
    }
    let gone = store::notifications::drop_of_post(tx, fact.post).await?;
    recount(tx, gone).await
}

/// How somebody stands to another changed.
pub(crate) async fn relation(tx: &mut Tx, fact: &RelationChangedV1) -> Result<(), DbError> {
    let (user, target) = (fact.user, fact.target);
    let now = store::relations::standing(tx, user, target).await?;
    match fact.act {
        RelationActV1::Follow if now.following => tell(tx, Line::follow(target), user, None).await,
        RelationActV1::Request if now.requested => {
            tell(tx, Line::follow_request(target), user, None).await
        }
        RelationActV1::Accept if now.following => {
            untell(tx, &Line::follow_request(target), user).await?;
            tell(tx, Line::follow_accepted(user), target, None).await
        }
        RelationActV1::Unfollow if !now.following && !now.requested => {
            untell(tx, &Line::follow(target), user).await?;
            untell(tx, &Line::follow_request(target), user).await?;
            untell(tx, &Line::follow_accepted(user), target).await
        }
        RelationActV1::Block if now.blocking => {
            forget(tx, user, target).await?;
            forget(tx, target, user).await
        }
        _ => Ok(()),
    }
}

/// Takes `actor` out of every line of `user`.
async fn forget(tx: &mut Tx, user: UserId, actor: UserId) -> Result<(), DbError> {
    let keys = store::notifications::lines_with(tx, user, actor, BLOCKED_LINES_MAX).await?;
    for key in &keys {
        store::notifications::remove(tx, user, key, actor).await?;
    }
    recount(tx, if keys.is_empty() { Vec::new() } else { vec![user] }).await
}

async fn shown_comment(tx: &mut Tx, comment: CommentId) -> Result<bool, DbError> {
    let row = store::comments::get(tx, comment).await?;
    Ok(row.is_some_and(|row| row.state == comment_state::SHOWN))
}

/// Whether `actor`'s act is to be told in this line: not to themselves, to nobody who is blocked, blocks or mutes, and
/// only about a post that the line's owner sees.
async fn may_tell(
    tx: &mut Tx,
    line: &Line,
    actor: UserId,
    post: Option<&HeldPost>,
) -> Result<bool, DbError> {
    let sees = post.is_none_or(|held| held.sight.visible_to(Some(line.user)));
    Ok(line.user != actor && sees && store::notifications::may_tell(tx, line.user, actor).await?)
}

/// Puts `actor` into a line, once.
async fn tell(
    tx: &mut Tx,
    line: Line,
    actor: UserId,
    post: Option<&HeldPost>,
) -> Result<(), DbError> {
    let now = tx.now();
    if may_tell(tx, &line, actor, post).await?
        && store::notifications::add(tx, &line, actor, now).await?
    {
        recount(tx, vec![line.user]).await?;
    }
    Ok(())
}

/// The same, about a post as the line's owner sees it.
async fn tell_of_post(tx: &mut Tx, line: Line, actor: UserId, post: PostId) -> Result<(), DbError> {
    match store::posts::held(tx, post, Some(line.user)).await? {
        Some(held) => tell(tx, line, actor, Some(&held)).await,
        None => Ok(()),
    }
}

/// The same for what somebody does more than once: it brings the line up each time.
async fn tell_again(tx: &mut Tx, line: Line, actor: UserId, post: PostId) -> Result<(), DbError> {
    let Some(held) = store::posts::held(tx, post, Some(line.user)).await? else { return Ok(()) };
    if !may_tell(tx, &line, actor, Some(&held)).await? {
        return Ok(());
    }
    let now = tx.now();
    if !store::notifications::add(tx, &line, actor, now).await? {
        store::notifications::touch(tx, &line, actor, now).await?;
    }
    recount(tx, vec![line.user]).await
}

/// Takes `actor` out of a line.
async fn untell(tx: &mut Tx, line: &Line, actor: UserId) -> Result<(), DbError> {
    if store::notifications::remove(tx, line.user, &line.key, actor).await? {
        recount(tx, vec![line.user]).await?;
    }
    Ok(())
}

/// A comment that a line counts is gone: its author leaves the line unless another comment of theirs stands there.
async fn comment_gone(
    tx: &mut Tx,
    line: &Line,
    author: UserId,
    gone: CommentId,
    reply_to: Option<CommentId>,
) -> Result<(), DbError> {
    let (post, user) = (line.post.unwrap_or(PostId::from_bits(0)), line.user);
    if store::notifications::last_comment(tx, post, author, reply_to).await?.is_none() {
        untell(tx, line, author).await?;
    }
    store::notifications::show_other_comment(tx, user, &line.key, post, gone).await
}

/// Says to each of `users` how many lines they have not read.
async fn recount(tx: &mut Tx, users: Vec<UserId>) -> Result<(), DbError> {
    for user in users.into_iter().collect::<BTreeSet<_>>() {
        let unread_count = store::notifications::unread(tx, user).await?;
        tx.emit(&NotifiedV1 { user, unread_count }, &[]).await?;
    }
    Ok(())
}

/// The beginning of a caption; it says so when that is not all.
fn excerpt(caption: &str) -> String {
    match caption.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}…", caption.get(..end).unwrap_or_default().trim_end()),
        None => caption.to_owned(),
    }
}
