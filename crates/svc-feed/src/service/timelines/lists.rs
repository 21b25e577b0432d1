//! Lists in the order of time: latest, a person's posts, a tag's posts, drafts.

use std::{collections::HashMap, sync::Arc};

use mainstay_contract::id::{PostId, UserId};
use mainstay_core::{auth::Caller, db::Tx};

use super::{Feed, TimelinePage};
use crate::{
    error::Error,
    model::{Sight, marks},
    service::cards::Card,
    store::{self, timelines::Dated},
};

/// How many ids are read at a time, more than a page so that a few hidden posts do not cost another look.
const LOOK: usize = 120;
/// Looks for one page; a page may be short, and its cursor goes on.
const LOOKS_MAX: usize = 20;

/// A post and how the viewer stood to it when it was looked at.
pub(super) type Sighted = (PostId, Sight);

/// Where a list's ids come from.
#[derive(Debug, Clone)]
enum Source {
    Latest,
    Author(UserId),
    Tag(String),
    Unpublished(UserId),
}

impl Source {
    async fn below(&self, tx: &mut Tx, from: Dated) -> Result<Vec<Dated>, Error> {
        let ids = match self {
            Self::Latest => store::timelines::latest(tx, from, LOOK).await,
            Self::Author(author) => store::timelines::of_author(tx, *author, from, LOOK).await,
            Self::Tag(tag) => store::timelines::with_tag(tx, tag, from, LOOK).await,
            Self::Unpublished(author) => {
                store::timelines::unpublished(tx, *author, from, LOOK).await
            }
        };
        Ok(ids?)
    }

    /// Muted people are left out of lists that mix authors.
    fn mixes_authors(&self) -> bool {
        matches!(self, Self::Latest | Self::Tag(_))
    }

    /// What a cursor into this list is bound to.
    fn name(&self) -> String {
        match self {
            Self::Latest => "latest".into(),
            Self::Author(author) => format!("author {author}"),
            Self::Tag(tag) => format!("tag {tag}"),
            Self::Unpublished(author) => format!("unpublished {author}"),
        }
    }
}

impl Feed {
    /// Posts that everybody sees, newest first: what explore holds, in the order of time.
    pub(crate) async fn latest(
        &self,
        viewer: Option<UserId>,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<TimelinePage, Error> {
        self.list(Source::Latest, viewer, limit, cursor).await
    }

    /// A person's posts that the caller may see, newest first.
    ///
    /// # Errors
    /// `NotFound` for a person whom the caller may not see, and for a private account that they do not follow.
    pub(crate) async fn posts_of(
        &self,
        caller: Option<&Caller>,
        author: UserId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<TimelinePage, Error> {
        let viewer = self.may_list(caller, author).await?;
        self.list(Source::Author(author), viewer, limit, cursor).await
    }

    /// Posts with a tag that `viewer` may see, newest first.
    pub(crate) async fn posts_with_tag(
        &self,
        viewer: Option<UserId>,
        tag: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<TimelinePage, Error> {
        self.list(Source::Tag(marks::normal_tag(tag)), viewer, limit, cursor).await
    }

    /// The caller's drafts and scheduled posts, newest first.
    pub(crate) async fn unpublished(
        &self,
        user: UserId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<TimelinePage, Error> {
        self.list(Source::Unpublished(user), Some(user), limit, cursor).await
    }

    async fn list(
        &self,
        source: Source,
        viewer: Option<UserId>,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<TimelinePage, Error> {
        let name = source.name();
        let mut from: Dated = match cursor {
            Some(cursor) => self.inner.cursors.open(&name, cursor)?,
            None => Dated::TOP,
        };
        let mut shown: Vec<Sighted> = Vec::new();
        // Until the end is seen there may be more.
        let mut more = true;
        let mut tx = self.db().read().await?;
        'looks: for _ in 0..LOOKS_MAX {
            let found = source.below(&mut tx, from).await?;
            let mut visible =
                visible_among(&mut tx, &found, viewer, source.mixes_authors()).await?;
            if matches!(source, Source::Latest) {
                visible.retain(|_, sight| sight.is_open());
            }
            let end = found.len() < LOOK;
            for dated in found {
                if let Some(sight) = visible.get(&dated.post) {
                    if shown.len() == limit {
                        break 'looks;
                    }
                    shown.push((dated.post, *sight));
                }
                from = dated;
            }
            if end {
                more = false;
                break;
            }
        }
        drop(tx);
        let next_cursor = more.then(|| self.inner.cursors.seal(&name, &from));
        let cards = self.cards_seen(viewer, &shown).await?;
        self.page(viewer, cards, next_cursor).await
    }

    /// The cards of posts that were visible a moment ago. What a card shows was read at another moment, so each is held
    /// against the viewer once more: words that were written for fewer are not shown to more.
    pub(super) async fn cards_seen(
        &self,
        viewer: Option<UserId>,
        shown: &[Sighted],
    ) -> Result<Vec<Arc<Card>>, Error> {
        let ids: Vec<PostId> = shown.iter().map(|(post, _)| *post).collect();
        let (mut cards, _) = self.cards(&ids).await?;
        let sights: HashMap<PostId, Sight> = shown.iter().copied().collect();
        cards.retain(|card| {
            sights.get(&card.id()).is_some_and(|sight| card.is_visible_to(viewer, sight))
        });
        Ok(cards)
    }
}

/// Which of `found` `viewer` sees, by the records.
async fn visible_among(
    tx: &mut Tx,
    found: &[Dated],
    viewer: Option<UserId>,
    leave_out_muted: bool,
) -> Result<HashMap<PostId, Sight>, Error> {
    let ids: Vec<PostId> = found.iter().map(|dated| dated.post).collect();
    let sights = store::posts::sights(tx, &ids, viewer).await?;
    let visible = sights
        .into_iter()
        .filter(|row| row.sight.visible_to(viewer) && !(leave_out_muted && row.muted));
    Ok(visible.map(|row| (row.post, row.sight)).collect())
}

/// The cards that are still what strangers may see.
pub(super) fn open_cards(cards: Vec<Arc<Card>>) -> Vec<Arc<Card>> {
    cards.into_iter().filter(|card| card.sight.is_open()).collect()
}
