//! Likes and views: sets of people, and the counters that equal them.

use mainstay_contract::{
    feed::{PostLikedV1, PostUnlikedV1, PostViewedV1},
    id::{PostId, UserId},
};
use mainstay_core::{
    db::{Once, Tx},
    ids, params,
};
use serde::{Deserialize, Serialize};

use super::{Feed, tags};
use crate::{
    error::Error,
    model::{
        DWELL_MS_MAX, VIEW_SILENCE_S, VIEW_WINDOW_S,
        rank::{Counts, Weights, rank_key},
    },
    store::{self, likes::Standing, posts::HeldPost},
};

mainstay_contract::define_id!(
    /// One view of one post by one person.
    ViewKind => ViewId, "view"
);

/// How a post stands to somebody after a like or its taking back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
pub(crate) struct Liked {
    /// The post.
    pub(crate) id: PostId,
    /// Likes now.
    pub(crate) like_count: i64,
    /// Whether the caller likes it now.
    pub(crate) liked_by_me: bool,
}

impl Feed {
    /// Likes a post. Liking twice counts once.
    ///
    /// # Errors
    /// `NotFound` if the caller may not see the post.
    pub(crate) async fn like(
        &self,
        user: UserId,
        post: PostId,
        once: Option<Once>,
    ) -> Result<Liked, Error> {
        self.set_like(user, post, true, once).await
    }

    /// Takes a like back. Without a like nothing changes.
    ///
    /// # Errors
    /// `NotFound` if the caller may not see the post.
    pub(crate) async fn unlike(
        &self,
        user: UserId,
        post: PostId,
        once: Option<Once>,
    ) -> Result<Liked, Error> {
        self.set_like(user, post, false, once).await
    }

    async fn set_like(
        &self,
        user: UserId,
        post: PostId,
        likes: bool,
        once: Option<Once>,
    ) -> Result<Liked, Error> {
        let weights = self.inner.config.weights;
        let lock = params![post];
        self.db()
            .write_locking(&store::posts::LOCK_STAT, lock, once, move |tx| {
                Box::pin(async move {
                    let held = likeable(tx, post, user).await?;
                    let now = tx.now();
                    let changed = if likes {
                        store::likes::like(tx, user, post, now).await?
                    } else {
                        store::likes::unlike(tx, user, post).await?
                    };
                    let mut counts = held.counts;
                    if changed {
                        counts.likes += if likes { 1 } else { -1 };
                        let version = held.stat_version + 1;
                        let (author, like_count) = (held.sight.author, counts.likes);
                        let outdated = [tags::post(post), tags::likes_of(user), tags::EXPLORE];
                        if likes {
                            tx.emit(
                                &PostLikedV1 { post, author, user, like_count, version },
                                &outdated,
                            )
                            .await?;
                        } else {
                            tx.emit(
                                &PostUnlikedV1 { post, author, user, like_count, version },
                                &outdated,
                            )
                            .await?;
                        }
                        recount(tx, &held, counts, &weights).await?;
                    }
                    Ok(Liked { id: post, like_count: counts.likes, liked_by_me: likes })
                })
            })
            .await
    }

    /// Begins a view of a post. It counts unless this viewer's last counted one is younger than 30 minutes, and never
    /// for the author.
    ///
    /// # Errors
    /// `NotFound` if the caller may not see the post.
    pub(crate) async fn begin_view(
        &self,
        viewer: UserId,
        post: PostId,
        once: Option<Once>,
    ) -> Result<ViewId, Error> {
        let weights = self.inner.config.weights;
        self.db()
            .write_locking(&store::posts::LOCK_STAT, params![post], once, move |tx| {
                Box::pin(async move {
                    let held = likeable(tx, post, viewer).await?;
                    let now = tx.now();
                    let id: ViewId = ids::new_id(now);
                    store::likes::begin_view(tx, id, post, viewer, now).await?;
                    let last = store::likes::counted_at(tx, viewer, post).await?;
                    let counts_again = last.is_none_or(|last| now >= last.plus_s(VIEW_WINDOW_S));
                    if viewer != held.sight.author && counts_again {
                        store::likes::mark(tx, viewer, post, now).await?;
                        let mut counts = held.counts;
                        counts.views += 1;
                        let fact = PostViewedV1 {
                            post,
                            author: held.sight.author,
                            view_count: counts.views,
                            version: held.stat_version + 1,
                        };
                        tx.emit(&fact, &[tags::post(post), tags::EXPLORE]).await?;
                        recount(tx, &held, counts, &weights).await?;
                    }
                    Ok(id)
                })
            })
            .await
    }

    /// Moves a view on: how long the post has been looked at so far, and whether that is over. An older figure than the
    /// one known, anything after the viewer's own end, and anything six hours after the beginning, changes nothing. A
    /// view that ended because it was not heard of goes on.
    ///
    /// # Errors
    /// `NotFound` if it is not a view of the caller.
    pub(crate) async fn move_view(
        &self,
        viewer: UserId,
        id: ViewId,
        dwell_ms: i64,
        ended: bool,
        once: Option<Once>,
    ) -> Result<(), Error> {
        self.db()
            .write_once(once, move |tx| {
                Box::pin(async move {
                    let view = store::likes::view(tx, id, viewer).await?.ok_or(Error::NotFound)?;
                    let now = tx.now();
                    let age_ms = now.micros_since(view.started_at) / 1_000;
                    if view.ended || age_ms > DWELL_MS_MAX {
                        return Ok(());
                    }
                    // A dwell time longer than the view is old is not believed.
                    let most = (age_ms + 1_000).clamp(0, DWELL_MS_MAX);
                    let dwell_ms = dwell_ms.min(most).max(view.dwell_ms);
                    store::likes::move_view(tx, id, now, dwell_ms, ended).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Ends views that were not heard of for five minutes.
    pub(crate) async fn sweep_views(&self) -> Result<u64, Error> {
        let now = self.inner.clock.now();
        let (silent, marks) = (now.plus_s(-VIEW_SILENCE_S), now.plus_s(-VIEW_WINDOW_S));
        self.db()
            .write(move |tx| {
                Box::pin(async move { Ok(store::likes::sweep_views(tx, silent, marks).await?) })
            })
            .await
    }
}

/// How a post stands that `viewer` sees.
async fn likeable(tx: &mut Tx, post: PostId, viewer: UserId) -> Result<Standing, Error> {
    let held = store::likes::standing(tx, post, viewer).await?.ok_or(Error::NotFound)?;
    if held.sight.visible_to(Some(viewer)) { Ok(held) } else { Err(Error::NotFound) }
}

/// A post that `viewer` sees.
pub(super) async fn visible(
    tx: &mut Tx,
    post: PostId,
    viewer: Option<UserId>,
) -> Result<HeldPost, Error> {
    let held = store::posts::held(tx, post, viewer).await?.ok_or(Error::NotFound)?;
    if held.sight.visible_to(viewer) { Ok(held) } else { Err(Error::NotFound) }
}

/// Writes new counters, and the new place with a note of the old one if the post stands in explore. The fact of the
/// change has been emitted: its position dates the note.
pub(super) async fn recount(
    tx: &mut Tx,
    held: &Standing,
    counts: Counts,
    weights: &Weights,
) -> Result<(), Error> {
    let key = match (held.rank_key, held.published_at) {
        (Some(_), Some(published_at)) => {
            Some(rank_key(counts, published_at, &held.weights.over(weights)))
        }
        _ => None,
    };
    store::posts::set_stat(tx, held.id, counts, held.published_at, key, held.rank_key).await?;
    Ok(())
}
