//! Explore: every public post, by score, over a ranking that is frozen at the first page.
//!
//! Nothing is copied to freeze it. A place changes together with a note of what it was before; the ranking as of a
//! version is today's index with the noted places put back. The cursor names the version, so any instance reads it, and
//! the notes are kept for as long as a cursor lives.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use mainstay_contract::{
    id::{PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    cache::{Loaded, Stamp, Tags},
    db::{DbError, Tx},
};
use serde::{Deserialize, Serialize};

use super::{Feed, TimelinePage, WrittenPage, lists::open_cards};
use crate::{
    error::Error,
    model::{
        RANKING_LIFE_S,
        diversity::{BLOCK_LEN, spread},
        rank,
    },
    service::{cards::Card, tags},
    store::{
        self,
        ranking::{Move, Place, Seen},
    },
    view::ExplainView,
};

/// Changes of places since a version that are put back; a cursor behind more has expired.
const MOVES_MAX: usize = 500_000;
/// Changes are kept longer than a cursor by what clocks may differ.
const MOVES_SPARE_S: i64 = 300;
/// Changes that one transaction forgets.
const FORGOTTEN_AT_ONCE: u64 = 1_000;
/// Blocks that one page looks through.
const BLOCKS_MAX: usize = 20;
const LIST: &str = "explore";

/// A place in a frozen ranking: what an explore cursor holds.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub(crate) struct Frozen {
    /// Which changes are in the ranking; the others are put back.
    version: Seen,
    /// Under which weights; a ranking ends with them.
    #[serde(default)]
    generation: i64,
    /// When it was frozen.
    at: Ts,
    /// The block begins below this place: the key's bits, the time, the post.
    below: (u64, Ts, PostId),
    /// How much of the block, in the order shown, was passed.
    passed: usize,
}

/// Which shared page.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct PageKey {
    limit: usize,
    place: Option<Frozen>,
}

/// A page that is the same for everybody who hides nobody, but for what they like.
#[derive(Debug, Clone)]
pub(crate) struct SharedPage {
    cards: Arc<[Arc<Card>]>,
    next_cursor: Option<String>,
    written: Arc<WrittenPage>,
}

impl SharedPage {
    pub(crate) fn weight(&self) -> usize {
        256 + 16 * self.cards.len() + self.written.weight()
    }
}

impl Frozen {
    fn below_key(&self) -> (f64, Ts, PostId) {
        (f64::from_bits(self.below.0), self.below.1, self.below.2)
    }
}

impl Feed {
    /// Every public post that `viewer` may see, by score, equal scores newest first.
    ///
    /// # Errors
    /// A bad cursor; `CursorExpired` an hour after the first page, or when the weights were changed.
    pub(crate) async fn explore(
        &self,
        viewer: Option<UserId>,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<TimelinePage, Error> {
        let place =
            cursor.map(|cursor| self.inner.cursors.open::<Frozen>(LIST, cursor)).transpose()?;
        if place
            .as_ref()
            .is_some_and(|place| self.inner.clock.now() > place.at.plus_s(RANKING_LIFE_S))
        {
            return Err(Error::CursorExpired);
        }
        let scope = match viewer {
            Some(viewer) => self.scope(viewer).await.map_err(super::shared)?,
            None => None,
        };
        let hidden = scope.as_ref().map(|scope| &scope.hidden).filter(|hidden| !hidden.is_empty());
        let page = match hidden {
            None => {
                let key = PageKey { limit, place: place.clone() };
                let load = || Box::pin(self.load_page(limit, place.clone(), None));
                let hit = self.inner.caches.explore.get_or_load(&key, load).await;
                let page = hit.map_err(of_one_load)?.ok_or(Error::NotFound)?;
                SharedPage::clone(&page)
            }
            Some(hidden) => {
                let loaded = Box::pin(self.load_page(limit, place, Some(hidden))).await?;
                loaded.value.ok_or(Error::NotFound)?
            }
        };
        let liked = self.liked(viewer, &page.cards).await?;
        let SharedPage { cards, next_cursor, written } = page;
        let written = Some(written);
        Ok(TimelinePage { cards, liked, explain: Vec::new(), next_cursor, written })
    }

    /// Adds to each post the terms of its score.
    pub(crate) fn explain_scores(&self, page: &mut TimelinePage) {
        let (now, weights) = (self.inner.clock.now(), &self.inner.config.weights);
        page.explain = page
            .cards
            .iter()
            .map(|card| {
                let published_at = card.view.published_at.unwrap_or(card.view.created_at);
                let score = rank::score(card.counts, published_at, now, weights);
                let reason = format!(
                    "its score is {:.4}: likes {:.1}, comments {:.1} and views {:.1}, faded by its age of {:.1} hours",
                    score.total, score.likes, score.comments, score.views, score.age_hours
                );
                Some(ExplainView { reason, score: Some(score) })
            })
            .collect();
    }

    /// Forgets changes of places that no cursor asks for any more.
    pub(crate) async fn forget_moves(&self) -> Result<(), Error> {
        let before = self.inner.clock.now().plus_s(-RANKING_LIFE_S - MOVES_SPARE_S);
        loop {
            let forgotten = self
                .db()
                .write::<_, Error, _>(move |tx| {
                    Box::pin(async move {
                        Ok(store::ranking::forget(tx, before, FORGOTTEN_AT_ONCE).await?)
                    })
                })
                .await?;
            if forgotten < FORGOTTEN_AT_ONCE {
                return Ok(());
            }
        }
    }

    async fn load_page(
        &self,
        limit: usize,
        place: Option<Frozen>,
        hidden: Option<&HashSet<UserId>>,
    ) -> Result<Loaded<SharedPage>, Error> {
        let mut tx = self.db().read().await?;
        let stamp = tx.stamp().await?;
        let top =
            (f64::INFINITY.to_bits(), Ts::from_micros(i64::MAX / 2), PostId::from_bits(u128::MAX));
        let first = place.is_none();
        let in_force = store::ranking::in_force(&mut tx).await?;
        let generation = in_force.map_or(0, |in_force| in_force.generation);
        let mut at = match place {
            Some(place) if place.generation != generation => return Err(Error::CursorExpired),
            Some(place) => place,
            None => {
                let version = store::ranking::seen(&mut tx, stamp).await?;
                Frozen { version, generation, at: self.inner.clock.now(), below: top, passed: 0 }
            }
        };
        let mut oldest = Stamp(stamp);
        let mut shown: Vec<Arc<Card>> = Vec::with_capacity(limit);
        let mut more = true;
        'blocks: for _ in 0..BLOCKS_MAX {
            let block = block_below(&mut tx, at.below_key(), &at.version).await?;
            let authors: Vec<UserId> = block.iter().map(|place| place.author).collect();
            let order: Vec<PostId> = spread(&authors)
                .into_iter()
                .filter_map(|rank| block.get(rank))
                .map(|place| place.post)
                .collect();
            let rest = order.get(at.passed..).unwrap_or_default();
            for some in rest.chunks(limit + 1) {
                let cards = if first && hidden.is_none() {
                    // A kept card is older than the change of order that brought us here, and a page with it would be
                    // outdated as soon as it is kept.
                    self.read_cards(&mut tx, some, Stamp(stamp)).await?
                } else {
                    let (cards, read) = self.cards(some).await?;
                    oldest = read.map_or(oldest, |read| oldest.min(read));
                    cards
                };
                let visible: HashMap<PostId, Arc<Card>> = open_cards(cards)
                    .into_iter()
                    .filter(|card| hidden.is_none_or(|hidden| !hidden.contains(&card.author())))
                    .map(|card| (card.id(), card))
                    .collect();
                for post in some {
                    if let Some(card) = visible.get(post) {
                        if shown.len() == limit {
                            break 'blocks;
                        }
                        shown.push(card.clone());
                    }
                    at.passed += 1;
                }
            }
            let Some(last) = block.last().filter(|_| block.len() == BLOCK_LEN) else {
                more = false;
                break;
            };
            at.below = (last.key.to_bits(), last.published_at, last.post);
            at.passed = 0;
        }
        drop(tx);
        let next_cursor = more.then(|| self.inner.cursors.seal(LIST, &at));
        let mut outdated_by: Tags = shown.iter().flat_map(|card| card.tags()).collect();
        outdated_by.push(if first { tags::EXPLORE } else { tags::WEIGHTS });
        let written = Arc::new(WrittenPage::new(&shown, next_cursor.as_deref()));
        let page = SharedPage { cards: shown.into(), next_cursor, written };
        Ok(Loaded::found(page, outdated_by, oldest))
    }
}

/// The error of a load that several callers shared.
fn of_one_load(error: Arc<Error>) -> Error {
    Arc::try_unwrap(error).unwrap_or_else(|error| match &*error {
        Error::CursorExpired => Error::CursorExpired,
        other => Error::Db(DbError::Unavailable(other.to_string())),
    })
}

/// How places stood at a version, for those that changed since: `None` for posts that were not in the ranking.
async fn moved_since(tx: &mut Tx, version: &Seen) -> Result<HashMap<PostId, Option<Place>>, Error> {
    let moves = store::ranking::moves_since(tx, version.xmin, MOVES_MAX + 1).await?;
    if moves.len() > MOVES_MAX {
        return Err(Error::CursorExpired);
    }
    let mut moved = HashMap::with_capacity(moves.len());
    for Move { xid, post, key_before, published_at, author } in moves {
        if !version.sees(xid) {
            // The first change since the version knows how it stood then.
            moved
                .entry(post)
                .or_insert_with(|| key_before.map(|key| Place { key, published_at, post, author }));
        }
    }
    Ok(moved)
}

/// The next block of the ranking as of the version: today's places that did not change, and the others put back.
///
/// Changes are read after the places, since each statement on Postgres sees what was committed when it began: a place
/// that changes between the two is among the changes, and one that changes later is not among the places.
async fn block_below(
    tx: &mut Tx,
    below: (f64, Ts, PostId),
    version: &Seen,
) -> Result<Vec<Place>, Error> {
    let mut from = below;
    let mut found: Vec<Place> = Vec::new();
    let mut block: Vec<Place> = loop {
        let more = store::ranking::below(tx, from, BLOCK_LEN).await?;
        let end = more.len() < BLOCK_LEN;
        from = more.last().map_or(from, order);
        found.extend(more);
        let moved = moved_since(tx, version).await?;
        let unmoved = found.iter().filter(|place| !moved.contains_key(&place.post));
        if end || unmoved.clone().count() >= BLOCK_LEN {
            let put_back = moved.values().flatten().filter(|place| order(place) < below);
            break unmoved.chain(put_back).copied().collect();
        }
    };
    block.sort_by(|a, b| {
        let (a, b) = (order(a), order(b));
        b.0.total_cmp(&a.0).then_with(|| (b.1, b.2).cmp(&(a.1, a.2)))
    });
    block.truncate(BLOCK_LEN);
    Ok(block)
}

fn order(place: &Place) -> (f64, Ts, PostId) {
    (place.key, place.published_at, place.post)
}
