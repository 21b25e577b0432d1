//! Notifications: made from Feed's own facts, grouped into [`lines`], read in pages.

pub(crate) mod lines;

use std::collections::{BTreeSet, HashMap};

use mainstay_contract::{
    feed::{NotifiedV1, UnreadV1},
    id::{PostId, UserId},
};
use mainstay_core::{
    db::{Once, Tx},
    params,
};
use serde::{Deserialize, Serialize};

use super::{Feed, cards};
use crate::{
    error::Error,
    model::{NOTIFICATION_LIFE_S, notify::kind_of},
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
/// People whose old lines one look removes.
const TRIM_PEOPLE: i64 = 1_000;
/// Lines that one look removes; those left wait for the next run.
const TRIM_LINES_MAX: i64 = 500;

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
    /// The caller's notifications, newest activity first, without those about posts that they may no longer see
    /// and without people who are suspended.
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
        let unread_count = store::notifications::unread_of(&mut tx, user).await?;
        let read_up_to = store::notifications::read_up_to(&mut tx, user).await?;
        let shown = Shown::load(&mut tx, user, &rows).await?;
        let id_list = ids_of(user);
        let items = rows.iter().filter_map(|row| {
            let id = self.inner.cursors.seal(&id_list, &place(row));
            shown.view(row, id, read_up_to.as_ref())
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
                    let before = store::notifications::unread_of(tx, user).await?;
                    store::notifications::mark_read(tx, user, &place).await?;
                    let unread_count = store::notifications::unread_of(tx, user).await?;
                    if unread_count != before {
                        let people = vec![UnreadV1 { user, unread_count }];
                        tx.emit(&NotifiedV1 { people }, &[]).await?;
                    }
                    Ok(Unread { unread_count })
                })
            })
            .await
    }

    /// Removes lines without activity for 90 days: walks through everybody, for an index by age would cost each new
    /// line more than the walk.
    pub(crate) async fn trim_notifications(&self) -> Result<(), Error> {
        let before = self.inner.clock.now().plus_s(-NOTIFICATION_LIFE_S);
        let mut from = UserId::from_bits(0);
        loop {
            let mut tx = self.db().read().await?;
            let Some(last) = store::profiles::last_after(&mut tx, from, TRIM_PEOPLE).await? else {
                return Ok(());
            };
            let limit = TRIM_LINES_MAX;
            let old = store::notifications::old(&mut tx, (from, last), before, limit).await?;
            drop(tx);
            if !old.is_empty() {
                self.db()
                    .write::<_, Error, _>(move |tx| {
                        let old = old.clone();
                        Box::pin(
                            async move { Ok(store::notifications::trim(tx, &old, before).await?) },
                        )
                    })
                    .await?;
            }
            from = last;
        }
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
    people: HashMap<UserId, PersonView>,
    posts: HashMap<PostId, NotifiedPostView>,
    /// By the lines' keys.
    actors: HashMap<String, Actors>,
}

/// The people of a line who are told of.
#[derive(Default)]
struct Actors {
    count: i64,
    /// The newest of them, newest first.
    newest: Vec<UserId>,
}

impl Shown {
    async fn load(tx: &mut Tx, user: UserId, rows: &[LineRow]) -> Result<Self, Error> {
        let posts: BTreeSet<PostId> = rows.iter().filter_map(|row| row.post).collect();
        let posts: Vec<PostId> = posts.into_iter().collect();
        let mut held = store::posts::held_many(tx, &posts, Some(user)).await?;
        held.retain(|post| post.sight.visible_to(Some(user)));
        let mut actors = written_down(tx, user, rows).await?;
        actors.extend(likers(tx, user, rows, &held).await?);
        let known: BTreeSet<UserId> =
            actors.values().flat_map(|of| of.newest.iter().copied()).collect();
        let people = cards::people(tx, &known.into_iter().collect::<Vec<_>>()).await?;
        let mut pictures: HashMap<PostId, MediaView> = HashMap::new();
        for (post, view) in cards::media_views(store::media::of_posts(tx, &posts).await?) {
            if let Some(post) = post {
                pictures.entry(post).or_insert(view);
            }
        }
        let posts = held
            .into_iter()
            .map(|post| {
                let excerpt = excerpt(&post.caption);
                let thumbnail = pictures.remove(&post.id);
                (post.id, NotifiedPostView { id: post.id, excerpt, thumbnail })
            })
            .collect();
        Ok(Self { people, posts, actors })
    }

    /// A line; `None` if it is about a post that may not be seen any more, or nobody is left in it who is told of.
    fn view(
        &self,
        row: &LineRow,
        id: String,
        read_up_to: Option<&LinePlace>,
    ) -> Option<NotificationView> {
        let post = match row.post {
            Some(post) => Some(self.posts.get(&post)?.clone()),
            None => None,
        };
        let actors = self.actors.get(&row.key).filter(|actors| actors.count > 0)?;
        Some(NotificationView {
            id,
            kind: kind_of(&row.kind)?,
            actors: actors
                .newest
                .iter()
                .filter_map(|user| self.people.get(user).cloned())
                .collect(),
            actor_count: actors.count,
            post,
            comment_id: row.comment,
            updated_at: row.updated_at,
            read: read_up_to >= Some(&place(row)),
        })
    }
}

/// The people of lines that have a count: those who were written down with them.
async fn written_down(
    tx: &mut Tx,
    user: UserId,
    rows: &[LineRow],
) -> Result<HashMap<String, Actors>, Error> {
    let counted = rows.iter().filter_map(|row| Some((row.key.clone(), row.actor_count?)));
    let mut actors: HashMap<String, Actors> =
        counted.map(|(key, count)| (key, Actors { count, newest: Vec::new() })).collect();
    let keys: Vec<String> = actors.keys().cloned().collect();
    for (key, actor) in store::notifications::actors(tx, user, &keys, ACTORS_SHOWN).await? {
        actors.entry(key).or_default().newest.push(actor);
    }
    for (key, suspended) in store::notifications::suspended(tx, user, &keys).await? {
        actors.entry(key).or_default().count -= suspended;
    }
    Ok(actors)
}

/// The people of lines of likes: those who like the posts, as far as they are told of.
async fn likers(
    tx: &mut Tx,
    user: UserId,
    rows: &[LineRow],
    held: &[HeldPost],
) -> Result<HashMap<String, Actors>, Error> {
    let of_likes = rows.iter().filter(|row| row.actor_count.is_none());
    let keys: HashMap<PostId, &str> =
        of_likes.filter_map(|row| Some((row.post?, row.key.as_str()))).collect();
    let posts: Vec<PostId> = keys.keys().copied().collect();
    let liked = held.iter().filter(|post| keys.contains_key(&post.id));
    let mut actors: HashMap<PostId, Actors> = liked
        .map(|post| (post.id, Actors { count: post.counts.likes, newest: Vec::new() }))
        .collect();
    for (post, untold) in store::like_lines::untold(tx, user, &posts).await? {
        actors.entry(post).or_default().count -= untold;
    }
    for (post, actor) in store::like_lines::actors(tx, user, &posts, ACTORS_SHOWN).await? {
        actors.entry(post).or_default().newest.push(actor);
    }
    let by_key = actors.into_iter().filter_map(|(post, of)| Some(((*keys.get(&post)?).into(), of)));
    Ok(by_key.collect())
}

/// The beginning of a caption; it says so when that is not all.
fn excerpt(caption: &str) -> String {
    match caption.char_indices().nth(EXCERPT_CHARS) {
        Some((end, _)) => format!("{}…", caption.get(..end).unwrap_or_default().trim_end()),
        None => caption.to_owned(),
    }
}
