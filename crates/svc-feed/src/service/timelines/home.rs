//! Home: the newest posts of everybody whom the reader follows, merged at each read.
//!
//! Each author's newest posts are kept in memory until a fact outdates them; deeper ones come from the index, so the
//! list goes on to its real end. Memory only proposes: what is shown is checked against the records.

use std::{
    cmp::Ordering,
    collections::{BinaryHeap, HashMap, VecDeque},
    sync::Arc,
};

use mainstay_contract::id::{PostId, UserId};
use mainstay_core::{
    cache::{Loaded, Lookup, Stamp},
    db::Tx,
};

use super::{Feed, TimelinePage, shared};
use crate::{
    error::Error,
    service::tags,
    store::{self, timelines::Dated},
    view::ExplainView,
};

/// Posts of an author that are kept.
const KEPT: usize = 32;
/// Authors that are read with one statement.
const AUTHORS_AT_ONCE: usize = 500;
/// Candidates that are checked with one statement.
const CHECKED_AT_ONCE: usize = 64;
/// Checks for one page; a page may be short, and its cursor goes on.
const CHECKS_MAX: usize = 20;

/// An author's newest posts.
#[derive(Debug)]
pub(crate) struct AuthorPosts {
    posts: Vec<Dated>,
    /// There are no older ones.
    complete: bool,
}

impl AuthorPosts {
    pub(crate) fn weight(&self) -> usize {
        64 + 32 * self.posts.len()
    }

    fn of(posts: Vec<Dated>) -> Self {
        let complete = posts.len() < KEPT;
        Self { posts, complete }
    }
}

/// One author in the merge: the posts below the last one taken.
struct Stream {
    author: UserId,
    posts: VecDeque<Dated>,
    complete: bool,
}

/// The head of a stream; the heap gives the newest first.
#[derive(PartialEq, Eq)]
struct Head {
    dated: Dated,
    stream: usize,
}

impl Ord for Head {
    fn cmp(&self, other: &Self) -> Ordering {
        self.dated.cmp(&other.dated)
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The merge of the streams, newest first.
struct Merge {
    streams: Vec<Stream>,
    heap: BinaryHeap<Head>,
}

impl Merge {
    /// The next `count` posts; fewer only at the end of every stream.
    async fn take(&mut self, tx: &mut Tx, count: usize) -> Result<Vec<Dated>, Error> {
        let mut taken = Vec::with_capacity(count);
        while taken.len() < count {
            let Some(head) = self.heap.pop() else { break };
            taken.push(head.dated);
            self.push(tx, head.stream, head.dated).await?;
        }
        Ok(taken)
    }

    /// Puts the stream's next post into the heap, from the index if memory has no more.
    async fn push(&mut self, tx: &mut Tx, place: usize, below: Dated) -> Result<(), Error> {
        let Some(stream) = self.streams.get_mut(place) else { return Ok(()) };
        if stream.posts.is_empty() && !stream.complete {
            let more = store::timelines::of_author(tx, stream.author, below, KEPT).await?;
            stream.complete = more.len() < KEPT;
            stream.posts = more.into();
        }
        if let Some(dated) = stream.posts.pop_front() {
            self.heap.push(Head { dated, stream: place });
        }
        Ok(())
    }
}

impl Feed {
    /// The newest posts of everybody whom `viewer` follows.
    ///
    /// # Errors
    /// A bad cursor.
    pub(crate) async fn home(
        &self,
        viewer: UserId,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<TimelinePage, Error> {
        let name = format!("home {viewer}");
        let mut from: Dated = match cursor {
            Some(cursor) => self.inner.cursors.open(&name, cursor)?,
            None => Dated::TOP,
        };
        let Some(scope) = self.scope(viewer).await.map_err(shared)? else {
            return Err(Error::NotFound);
        };
        let lists = self.newest(&scope.follows).await?;
        let mut tx = self.db().read().await?;
        let mut merge = merge(&mut tx, lists, from).await?;
        let mut shown = Vec::with_capacity(limit);
        let mut more = true;
        'checks: for _ in 0..CHECKS_MAX {
            let found = merge.take(&mut tx, CHECKED_AT_ONCE.min(limit + 8)).await?;
            if found.is_empty() {
                more = false;
                break;
            }
            let ids: Vec<PostId> = found.iter().map(|dated| dated.post).collect();
            let sights = store::posts::sights(&mut tx, &ids, Some(viewer)).await?;
            let visible = |post| {
                let row = sights.iter().find(|row| row.post == post)?;
                let shows = row.sight.follows && !row.muted && row.sight.visible_to(Some(viewer));
                shows.then_some((post, row.sight))
            };
            for dated in found {
                if let Some(sighted) = visible(dated.post) {
                    if shown.len() == limit {
                        break 'checks;
                    }
                    shown.push(sighted);
                }
                from = dated;
            }
        }
        drop(tx);
        let next_cursor = more.then(|| self.inner.cursors.seal(&name, &from));
        let cards = self.cards_seen(Some(viewer), &shown).await?;
        self.page(Some(viewer), cards, next_cursor).await
    }

    /// Says of each post since when the reader follows its author.
    pub(crate) async fn explain_follows(
        &self,
        viewer: UserId,
        page: &mut TimelinePage,
    ) -> Result<(), Error> {
        let authors: Vec<UserId> = page.cards.iter().map(|card| card.author()).collect();
        let mut tx = self.db().read().await?;
        let since: HashMap<UserId, _> =
            store::timelines::follows_since(&mut tx, viewer, &authors).await?.into_iter().collect();
        page.explain = page
            .cards
            .iter()
            .map(|card| {
                let since = since.get(&card.author())?;
                let reason = format!("you follow @{} since {since}", card.view.author.handle);
                Some(ExplainView { reason, score: None })
            })
            .collect();
        Ok(())
    }

    /// The newest posts of each author, from memory or from the index.
    async fn newest(&self, authors: &[UserId]) -> Result<Vec<(UserId, Arc<AuthorPosts>)>, Error> {
        let mut lists = Vec::with_capacity(authors.len());
        let mut missing = Vec::new();
        for author in authors {
            match self.inner.caches.authors.get(author) {
                Lookup::Hit(hit) => lists.push((*author, Arc::clone(&hit))),
                Lookup::Absent => {}
                Lookup::Miss => missing.push(*author),
            }
        }
        for some in missing.chunks(AUTHORS_AT_ONCE) {
            let mut tx = self.db().read().await?;
            let stamp = Stamp(tx.stamp().await?);
            let mut found: HashMap<UserId, Vec<Dated>> = HashMap::with_capacity(some.len());
            for (author, dated) in store::timelines::of_authors(&mut tx, some, KEPT).await? {
                found.entry(author).or_default().push(dated);
            }
            for author in some {
                let mut posts = found.remove(author).unwrap_or_default();
                posts.sort_unstable_by(|a, b| b.cmp(a));
                let posts = Arc::new(AuthorPosts::of(posts));
                let loaded = Loaded::found(posts.clone(), [tags::posts_of(*author)], stamp);
                self.inner.caches.authors.put(*author, loaded);
                lists.push((*author, posts));
            }
        }
        Ok(lists)
    }
}

async fn merge(
    tx: &mut Tx,
    lists: Vec<(UserId, Arc<AuthorPosts>)>,
    from: Dated,
) -> Result<Merge, Error> {
    let streams = lists.into_iter().map(|(author, list)| {
        let below = list.posts.partition_point(|dated| *dated >= from);
        let posts: VecDeque<Dated> = list.posts.iter().skip(below).copied().collect();
        Stream { author, posts, complete: list.complete }
    });
    let streams: Vec<Stream> = streams.collect();
    let mut merge = Merge { heap: BinaryHeap::with_capacity(streams.len()), streams };
    for place in 0..merge.streams.len() {
        merge.push(tx, place, from).await?;
    }
    Ok(merge)
}
