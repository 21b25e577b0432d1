//! Timelines: lists of posts, in the order of time or of explore's ranking.
//!
//! A list proposes ids; what is shown of them, and to whom, is decided at each read. `home` merges the newest posts of
//! everybody whom the reader follows; `explore` pages over a ranking that is frozen at its first page.

mod dry_run;
pub(crate) mod explore;
mod home;
mod lists;

use std::{collections::HashSet, hash::BuildHasher as _, sync::Arc};

use bytes::Bytes;
use mainstay_contract::id::{PostId, UserId};
use mainstay_core::{
    cache::{Hit, Loaded, Stamp},
    db::DbError,
};
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    dry_run::DryRunView,
    explore::{PageKey, SharedPage},
    home::AuthorPosts,
};
use super::{Feed, cards::Card, tags};
use crate::{
    error::Error,
    store,
    view::{ExplainView, Page, PostView},
};

/// Likes of one viewer that are kept; beyond them the records are asked.
const LIKES_KEPT: usize = 4_096;

/// A page of a timeline, ready to be written for one viewer.
#[derive(Debug)]
pub(crate) struct TimelinePage {
    cards: Arc<[Arc<Card>]>,
    liked: Vec<bool>,
    explain: Vec<Option<ExplainView>>,
    next_cursor: Option<String>,
    /// The page as it was written for everybody, if it is a shared one.
    written: Option<Arc<WrittenPage>>,
}

/// A page's JSON for somebody who likes nothing on it, and where the answers differ.
#[derive(Debug)]
pub(crate) struct WrittenPage {
    json: Bytes,
    /// Where `false` stands for each card.
    liked_at: Vec<usize>,
    digest: u64,
}

impl WrittenPage {
    pub(crate) fn new(cards: &[Arc<Card>], next_cursor: Option<&str>) -> Self {
        let mut liked_at = Vec::with_capacity(cards.len());
        let json = Bytes::from(write_page(cards, &[], next_cursor, &mut liked_at));
        let digest = seed().hash_one(&*json);
        Self { json, liked_at, digest }
    }

    pub(crate) fn weight(&self) -> usize {
        64 + self.json.len() + 8 * self.liked_at.len()
    }

    /// The same with `true` where somebody likes.
    fn with_likes(&self, liked: &[bool]) -> Bytes {
        if !liked.contains(&true) {
            return self.json.clone();
        }
        let mut out = Vec::with_capacity(self.json.len());
        let mut from = 0;
        for (at, _) in self.liked_at.iter().zip(liked).filter(|(_, liked)| **liked) {
            out.extend_from_slice(self.json.get(from..*at).unwrap_or_default());
            out.extend_from_slice(b"true");
            from = at + b"false".len();
        }
        out.extend_from_slice(self.json.get(from..).unwrap_or_default());
        out.into()
    }
}

/// The same in every instance, so that entity tags are.
fn seed() -> foldhash::quality::FixedState {
    foldhash::quality::FixedState::with_seed(0x7061_6765)
}

/// `{"items": […], "next_cursor": …}`; notes where each card's `liked_by_me` begins.
fn write_page(
    cards: &[Arc<Card>],
    liked: &[bool],
    next_cursor: Option<&str>,
    liked_at: &mut Vec<usize>,
) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + cards.iter().map(|card| card.json_len()).sum::<usize>());
    out.extend_from_slice(b"{\"items\":[");
    for (place, card) in cards.iter().enumerate() {
        if place > 0 {
            out.push(b',');
        }
        liked_at.push(card.write_json(liked.get(place).copied().unwrap_or_default(), &mut out));
    }
    out.extend_from_slice(b"],\"next_cursor\":");
    match next_cursor {
        // A cursor is base 64: it needs no escapes.
        Some(cursor) => {
            out.push(b'"');
            out.extend_from_slice(cursor.as_bytes());
            out.push(b'"');
        }
        None => out.extend_from_slice(b"null"),
    }
    out.push(b'}');
    out
}

impl TimelinePage {
    /// The page as JSON: `{"items": […], "next_cursor": …}`.
    pub(crate) fn json(&self) -> Bytes {
        if self.explain.iter().any(Option::is_some) {
            return serde_json::to_vec(&self.view()).unwrap_or_default().into();
        }
        if let Some(written) = &self.written {
            return written.with_likes(&self.liked);
        }
        let mut places = Vec::with_capacity(self.cards.len());
        write_page(&self.cards, &self.liked, self.next_cursor.as_deref(), &mut places).into()
    }

    /// The entity tag, if it is known without a look at every byte: what is written and who likes what make the page.
    pub(crate) fn entity_tag(&self) -> Option<String> {
        let written = self.written.as_ref().filter(|_| self.explain.is_empty())?;
        let tag = seed().hash_one((written.digest, &self.liked));
        Some(format!("W/\"{tag:016x}\""))
    }

    /// The page as views.
    pub(crate) fn view(&self) -> Page<PostView> {
        let items = self.cards.iter().enumerate().map(|(place, card)| {
            let mut view = card.view(self.liked.get(place).copied().unwrap_or_default());
            view.explain = self.explain.get(place).cloned().flatten();
            view
        });
        Page { items: items.collect(), next_cursor: self.next_cursor.clone() }
    }
}

/// Whom a viewer follows and whose posts are left out for them, as no applied fact has outdated it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ViewerScope {
    /// Whom they follow, accepted, ascending.
    pub(crate) follows: Vec<UserId>,
    /// Whom they block or mute, and who blocks them.
    pub(crate) hidden: HashSet<UserId>,
}

impl ViewerScope {
    pub(crate) fn weight(&self) -> usize {
        64 + 16 * self.follows.len() + 24 * self.hidden.len()
    }
}

/// What a viewer likes.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ViewerLikes {
    posts: HashSet<PostId, foldhash::fast::RandomState>,
    /// Nothing older is missing.
    complete: bool,
}

impl ViewerLikes {
    pub(crate) fn weight(&self) -> usize {
        64 + 24 * self.posts.len()
    }
}

impl Feed {
    pub(super) async fn scope(
        &self,
        viewer: UserId,
    ) -> Result<Option<Hit<ViewerScope>>, Arc<DbError>> {
        self.inner
            .caches
            .viewers
            .get_or_load(&viewer, || async move {
                let mut tx = self.db().read().await?;
                let stamp = Stamp(tx.stamp().await?);
                let follows =
                    store::timelines::follows_of(&mut tx, viewer, crate::model::FOLLOWS_MAX)
                        .await?;
                let hidden =
                    store::timelines::hidden_from(&mut tx, viewer).await?.into_iter().collect();
                Ok(Loaded::found(
                    ViewerScope { follows, hidden },
                    [tags::relations_of(viewer)],
                    stamp,
                ))
            })
            .await
    }

    /// Which of `cards` `viewer` likes.
    async fn liked(&self, viewer: Option<UserId>, cards: &[Arc<Card>]) -> Result<Vec<bool>, Error> {
        let Some(viewer) = viewer else { return Ok(vec![false; cards.len()]) };
        let likes = self
            .inner
            .caches
            .likes
            .get_or_load(&viewer, || async move {
                let mut tx = self.db().read().await?;
                let stamp = Stamp(tx.stamp().await?);
                let posts = store::likes::likes_of(&mut tx, viewer, LIKES_KEPT as i64).await?;
                let complete = posts.len() < LIKES_KEPT;
                let likes = ViewerLikes { posts: posts.into_iter().collect(), complete };
                Ok::<_, DbError>(Loaded::found(likes, [tags::likes_of(viewer)], stamp))
            })
            .await
            .map_err(shared)?;
        if let Some(likes) = &likes
            && likes.complete
        {
            return Ok(cards.iter().map(|card| likes.posts.contains(&card.id())).collect());
        }
        Box::pin(self.liked_by_the_records(viewer, cards)).await
    }

    async fn liked_by_the_records(
        &self,
        viewer: UserId,
        cards: &[Arc<Card>],
    ) -> Result<Vec<bool>, Error> {
        let ids: Vec<PostId> = cards.iter().map(|card| card.id()).collect();
        let mut tx = self.db().read().await?;
        let liked = store::likes::liked_among(&mut tx, viewer, &ids).await?;
        Ok(ids.iter().map(|id| liked.contains(id)).collect())
    }

    async fn page(
        &self,
        viewer: Option<UserId>,
        cards: Vec<Arc<Card>>,
        next_cursor: Option<String>,
    ) -> Result<TimelinePage, Error> {
        let liked = self.liked(viewer, &cards).await?;
        let cards = cards.into();
        Ok(TimelinePage { cards, liked, explain: Vec::new(), next_cursor, written: None })
    }
}

/// An error that several callers of one load share.
pub(super) fn shared(error: Arc<DbError>) -> Error {
    match Arc::try_unwrap(error) {
        Ok(error) => Error::Db(error),
        Err(error) => Error::Db(DbError::Unavailable(error.to_string())),
    }
}
