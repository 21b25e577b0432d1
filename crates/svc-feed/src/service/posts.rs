//! Posts: writing, changing, deleting. `lists` moves them in and out of what is listed, `due` publishes what waited for
//! its time, `purge` erases what is gone.

mod due;
mod lists;
mod purge;

use mainstay_contract::{
    feed::{PostEditedV1, VisibilityV1},
    id::{MediaId, PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    auth::Caller,
    db::{Json, Once, Tx},
    error::Faults,
    http::IfMatch,
    ids, params,
};
use serde::Deserialize;

pub(super) use self::lists::set_post_state;
use self::lists::{list, outdated, publish};
use super::{
    Feed,
    cards::load,
    comments::{resolve_mentions, say_mentioned},
    likes::visible,
};
use crate::{
    error::Error,
    model::{
        CAPTION_CHARS_MAX, MEDIA_MAX, marks, post_state, rank::Weights, text, visibility_number,
        visibility_of,
    },
    store::{
        self,
        posts::{HeldPost, PostFields},
    },
    view::PostView,
};

/// The farthest that a post can be scheduled.
const SCHEDULE_S_MAX: i64 = 366 * 24 * 60 * 60;

/// A post to be written.
#[derive(Debug, Clone, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewPost {
    /// Its words, at most 2,200 characters.
    #[serde(default)]
    #[schemars(length(max = 2200))]
    pub(crate) caption: String,
    /// Uploads of the caller, in order, at most 10.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub(crate) media: Vec<MediaId>,
    /// The address of a picture or film to be fetched and added.
    #[serde(default)]
    #[schemars(length(max = 2000))]
    pub(crate) media_url: Option<String>,
    /// Who may see it; everybody if absent.
    #[serde(default)]
    pub(crate) visibility: Option<VisibilityV1>,
    /// Whether it takes comments; it does if absent.
    #[serde(default)]
    pub(crate) comments_enabled: Option<bool>,
    /// Keep it as a draft.
    #[serde(default)]
    pub(crate) draft: bool,
    /// Publish it then; at once if absent.
    #[serde(default)]
    pub(crate) publish_at: Option<Ts>,
}

/// What is to be changed of a post; what is absent stays.
#[derive(Debug, Clone, Default, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct EditPost {
    /// Its words.
    #[serde(default)]
    #[schemars(length(max = 2200))]
    pub(crate) caption: Option<String>,
    /// Its uploads, in order.
    #[serde(default)]
    #[schemars(length(max = 10))]
    pub(crate) media: Option<Vec<MediaId>>,
    /// Who may see it.
    #[serde(default)]
    pub(crate) visibility: Option<VisibilityV1>,
    /// Whether it takes comments.
    #[serde(default)]
    pub(crate) comments_enabled: Option<bool>,
    /// Of a draft or scheduled post: `false` publishes it, now or at `publish_at`; `true` makes it a draft again.
    #[serde(default)]
    pub(crate) draft: Option<bool>,
    /// When a draft or scheduled post is to be published.
    #[serde(default)]
    pub(crate) publish_at: Option<Ts>,
}

impl Feed {
    /// Writes a post: publishes it, schedules it or keeps it as a draft.
    ///
    /// # Errors
    /// `Invalid` with every fault of the input.
    pub(crate) async fn create_post(
        &self,
        caller: &Caller,
        new: NewPost,
        once: Option<Once>,
    ) -> Result<PostView, Error> {
        let (user, now) = (caller.user, self.inner.clock.now());
        let caption = text::tidy(&new.caption);
        check(&caption, &new.media, new.media_url.is_some(), new.publish_at, now)?;
        let mut new = new;
        // Before the transaction: nothing in it waits for the network.
        let fetched = match new.media_url.take() {
            Some(url) => {
                if let Some(once) = &once
                    && let Some(first) = self.db().first_answer(once).await?
                {
                    return Ok(first);
                }
                attachable(&mut *self.db().read().await?, user, &new.media).await?;
                Some(self.fetch_media(user, &url).await?)
            }
            None => None,
        };
        new.media.extend(fetched);
        let written = self.write_post(caller, new, once).await;
        if let (Some(media), Err(_)) = (fetched, &written) {
            self.give_up(user, media).await;
        }
        written
    }

    /// Writes a post whose input was looked at.
    async fn write_post(
        &self,
        caller: &Caller,
        new: NewPost,
        once: Option<Once>,
    ) -> Result<PostView, Error> {
        let (user, handle) = (caller.user, caller.handle.clone());
        let weights = self.inner.config.weights;
        let caption = text::tidy(&new.caption);
        let (state, published_at) = life(new.draft, new.publish_at, self.inner.clock.now());
        // Under the lock of the author's row, whose privacy decides what is counted and whose counter changes. New rows
        // of all authors stand side by side, which at SERIALIZABLE is a conflict between any two that post.
        let own = vec![user];
        let public_url = self.public_url().clone();
        self.db()
            .write_locking(&store::relations::LOCK, params![own], once, move |tx| {
                let (new, caption, handle) = (new.clone(), caption.clone(), handle.clone());
                let public_url = public_url.clone();
                Box::pin(async move {
                    let asked_at = tx.now();
                    store::people::ensure(tx, user, &handle, asked_at).await?;
                    // Behind the lock, so that times and ids follow the order in which posts are written.
                    let now = tx.now();
                    let published_at =
                        if state == post_state::PUBLISHED { Some(now) } else { published_at };
                    let fields = PostFields {
                        hashtags: Json(marks::hashtags(&caption)),
                        mentions: Json(resolve_mentions(tx, &caption).await?),
                        caption,
                        visibility: visibility_number(
                            new.visibility.unwrap_or(VisibilityV1::Public),
                        ),
                        comments_enabled: new.comments_enabled.unwrap_or(true),
                        state,
                        published_at,
                    };
                    let id: PostId = ids::new_id(now);
                    store::posts::insert(tx, id, user, &fields, now, None).await?;
                    attach(tx, id, user, &new.media).await?;
                    if state == post_state::PUBLISHED {
                        publish(tx, id, &weights).await?;
                    }
                    shown(tx, id, &public_url).await
                })
            })
            .await
    }

    /// A post as `viewer` sees it.
    ///
    /// # Errors
    /// `NotFound` if they may not.
    pub(crate) async fn post(&self, viewer: Option<UserId>, id: PostId) -> Result<PostView, Error> {
        let mut tx = self.db().read().await?;
        let held = visible(&mut tx, id, viewer).await?;
        let liked = match viewer {
            Some(viewer) => store::likes::liked(&mut tx, viewer, id).await?,
            None => false,
        };
        drop(tx);
        let (cards, _) = self.cards(&[id]).await?;
        // The card was read at another moment than the records.
        let card = cards.first().filter(|card| card.is_visible_to(viewer, &held.sight));
        card.map(|card| card.view(liked)).ok_or(Error::NotFound)
    }

    /// Changes a post, if it is at a version that `wanted` names; what was published is marked as edited when its words
    /// or media change.
    ///
    /// # Errors
    /// `NotFound` unless it is the caller's; `Refused` with the present version if that is another; `Invalid` with
    /// every fault; `Conflict` if a published post would become a draft again.
    pub(crate) async fn edit_post(
        &self,
        user: UserId,
        id: PostId,
        edit: EditPost,
        wanted: IfMatch,
        once: Option<Once>,
    ) -> Result<PostView, Error> {
        let public_url = self.public_url().clone();
        let weights = self.inner.config.weights;
        self.db()
            .write_locking(&store::posts::LOCK_STAT, params![id], once, move |tx| {
                let (edit, wanted) = (edit.clone(), wanted.clone());
                let public_url = public_url.clone();
                Box::pin(async move {
                    let held = visible(tx, id, Some(user)).await?;
                    if held.sight.author != user {
                        return Err(Error::NotFound);
                    }
                    wanted.check(held.version)?;
                    apply_edit(tx, held, edit, &weights).await?;
                    let mut view = shown(tx, id, &public_url).await?;
                    view.liked_by_me = store::likes::liked(tx, user, id).await?;
                    Ok(view)
                })
            })
            .await
    }

    /// Deletes a post of the caller, if it is at a version that `wanted` names. Deleting it again is `NotFound`.
    ///
    /// # Errors
    /// `NotFound` unless it is the caller's; `Refused` with the present version if that is another.
    pub(crate) async fn delete_post(
        &self,
        user: UserId,
        id: PostId,
        wanted: IfMatch,
        once: Option<Once>,
    ) -> Result<(), Error> {
        let weights = self.inner.config.weights;
        self.db()
            .write_locking(&store::posts::LOCK_STAT, params![id], once, move |tx| {
                let wanted = wanted.clone();
                Box::pin(async move {
                    let held = visible(tx, id, Some(user)).await?;
                    if held.sight.author != user {
                        return Err(Error::NotFound);
                    }
                    wanted.check(held.version)?;
                    set_post_state(tx, &held, post_state::DELETED, &weights).await?;
                    Ok(())
                })
            })
            .await
    }
}

/// Finds every fault of what is to be posted.
fn check(
    caption: &str,
    media: &[MediaId],
    by_url: bool,
    at: Option<Ts>,
    now: Ts,
) -> Result<(), Error> {
    let mut faults = Faults::default();
    let chars = caption.chars().count();
    faults.check(chars <= CAPTION_CHARS_MAX, "/caption", "too_long", || {
        format!("A caption has at most {CAPTION_CHARS_MAX} characters; this has {chars}.")
    });
    let count = media.len() + usize::from(by_url);
    faults.check(count <= MEDIA_MAX, "/media", "too_many", || {
        format!("A post has at most {MEDIA_MAX} pictures and films; this has {count}.")
    });
    let mut distinct = media.to_vec();
    distinct.sort_unstable();
    distinct.dedup();
    faults.check(distinct.len() == media.len(), "/media", "repeated", || {
        "Name each upload once.".into()
    });
    faults.check(!text::is_blank(caption) || count > 0, "/caption", "required", || {
        "Write a caption or add a picture; a post needs one of the two.".into()
    });
    faults.check(
        at.is_none_or(|at| at <= now.plus_s(SCHEDULE_S_MAX)),
        "/publish_at",
        "too_far",
        || "A post can be scheduled for up to a year from now.".into(),
    );
    if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults.into_vec())) }
}

/// The state and time that a new or unpublished post gets.
fn life(draft: bool, publish_at: Option<Ts>, now: Ts) -> (i64, Option<Ts>) {
    match (draft, publish_at) {
        (true, _) => (post_state::DRAFT, None),
        (false, Some(at)) if at > now => (post_state::SCHEDULED, Some(at)),
        (false, _) => (post_state::PUBLISHED, Some(now)),
    }
}

async fn attach(tx: &mut Tx, post: PostId, owner: UserId, media: &[MediaId]) -> Result<(), Error> {
    let mut attached = Vec::with_capacity(media.len());
    for (position, id) in media.iter().enumerate() {
        attached.push(store::media::attach(tx, *id, post, position, owner).await?);
    }
    all_attached(&attached)
}

/// Whether `media` can be attached to a new post, found out without attaching them.
async fn attachable(tx: &mut Tx, owner: UserId, media: &[MediaId]) -> Result<(), Error> {
    let mut free = Vec::with_capacity(media.len());
    for id in media {
        free.push(store::media::is_free(tx, *id, owner).await?);
    }
    all_attached(&free)
}

fn all_attached(attached: &[bool]) -> Result<(), Error> {
    let mut faults = Faults::default();
    for (position, attached) in attached.iter().enumerate() {
        faults.check(*attached, format!("/media/{position}"), "not_found", || {
            "There is no such upload of yours that is free; upload the file first.".into()
        });
    }
    if faults.is_empty() { Ok(()) } else { Err(Error::Invalid(faults.into_vec())) }
}

/// A post as its author sees it, read in the transaction that wrote it.
async fn shown(tx: &mut Tx, id: PostId, public_url: &str) -> Result<PostView, Error> {
    load(tx, &[id], public_url).await?.pop().map(|card| card.view).ok_or(Error::NotFound)
}

async fn apply_edit(
    tx: &mut Tx,
    held: HeldPost,
    edit: EditPost,
    weights: &Weights,
) -> Result<(), Error> {
    let (id, now) = (held.id, tx.now());
    let was_published = held.sight.state >= post_state::PUBLISHED;
    if was_published && (edit.draft == Some(true) || edit.publish_at.is_some()) {
        return Err(Error::Conflict(
            "A published post cannot become a draft or be scheduled; delete it instead.",
        ));
    }
    let media_before = store::media::ids_of_post(tx, id).await?;
    let media = edit.media.clone().unwrap_or_else(|| media_before.clone());
    let caption = edit.caption.as_deref().map_or_else(|| held.caption.clone(), text::tidy);
    check(&caption, &media, false, edit.publish_at, now)?;
    let (state, published_at) = match (was_published, edit.draft, edit.publish_at) {
        (true, ..) | (_, None, None) => (held.sight.state, held.published_at),
        (false, draft, at) => life(draft.unwrap_or(false), at, now),
    };
    if media != media_before {
        for gone in media_before.iter().filter(|gone| !media.contains(gone)) {
            store::media::detach(tx, *gone, id).await?;
        }
        attach(tx, id, held.sight.author, &media).await?;
    }
    let words_changed = caption != held.caption || media != media_before;
    let fields = PostFields {
        hashtags: Json(marks::hashtags(&caption)),
        mentions: Json(resolve_mentions(tx, &caption).await?),
        caption,
        visibility: edit.visibility.map_or(held.sight.visibility, visibility_number),
        comments_enabled: edit.comments_enabled.unwrap_or(held.comments_enabled),
        state,
        published_at,
    };
    let edited_at = if was_published && words_changed { Some(now) } else { held.edited_at };
    let version = store::posts::update(tx, id, &fields, edited_at).await?;
    // What nobody else sees is changed without a word: all is said when it is published or restored.
    if held.sight.state == post_state::PUBLISHED {
        let mut hashtags = held.hashtags.clone();
        hashtags
            .extend(fields.hashtags.0.iter().filter(|tag| !held.hashtags.contains(tag)).cloned());
        let fact = PostEditedV1 {
            post: id,
            author: held.sight.author,
            visibility: visibility_of(fields.visibility),
            published_at: held.published_at.unwrap_or(now),
            hashtags,
            version,
        };
        tx.emit(&fact, &outdated(&held)).await?;
        list(tx, &held, state, fields.visibility, &fields.hashtags.0, weights).await?;
        // Who could not see it before was not told of it.
        let widened = fields.visibility < held.sight.visibility;
        let told = if widened { &[][..] } else { &held.mentions };
        say_mentioned(tx, id, None, held.sight.author, &fields.mentions.0, told).await?;
    } else if state == post_state::PUBLISHED {
        publish(tx, id, weights).await?;
    }
    Ok(())
}
