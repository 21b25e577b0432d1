//! Feed's handle: one method is one use case, and a use case that writes is one transaction.

mod cards;
mod comments;
mod discover;
mod likes;
mod live;
mod media;
mod moderation;
pub(crate) mod notifications;
mod posts;
pub(crate) mod profiles;
pub(crate) mod ranking;
mod relations;
mod search;
mod timelines;

use std::sync::Arc;

use mainstay_contract::id::{PostId, UserId};
use mainstay_core::{
    auth::Auth,
    blobs::Blobs,
    cache::{Class, Policy, Tag},
    clock::Clock,
    db::Db,
    events::Log,
    fetch::Fetcher,
    http::Cursors,
    mount::{Core, MountError},
};

use self::cards::Card;
use crate::{MIGRATIONS, config::Config, media::pool::Pool};

pub(crate) use self::{
    comments::{LikedComment, NewComment},
    likes::{Liked, ViewId},
    media::{Served, Upload},
    moderation::{ActBody, ActedView, NewReportBody, ReportId, ReportView},
    notifications::{NotificationsPage, Unread},
    posts::{EditPost, NewPost},
    profiles::EditProfile,
    relations::{Circle, FollowRequestView, Tie},
    search::SearchKind,
    timelines::{DryRunView, TimelinePage},
};

/// Feed. Cloning is cheap.
#[derive(Clone)]
pub struct Feed {
    inner: Arc<Inner>,
}

struct Inner {
    log: Log,
    auth: Auth,
    clock: Clock,
    cursors: Cursors,
    config: Config,
    caches: Caches,
    blobs: Blobs,
    pool: Pool,
    fetcher: Fetcher,
    rooms: media::Rooms,
    audience: Arc<live::Audience>,
}

/// What is kept in memory; each class is outdated by facts (see [`tags`]).
struct Caches {
    /// A post as it is shown, without what depends on the viewer.
    cards: Class<PostId, Arc<Card>>,
    /// Shared pages of explore.
    explore: Class<timelines::PageKey, timelines::SharedPage>,
    /// An author's newest posts, for home timelines.
    authors: Class<UserId, Arc<timelines::AuthorPosts>>,
    /// Whom a viewer follows, and whose posts are left out for them.
    viewers: Class<UserId, timelines::ViewerScope>,
    /// What a viewer likes.
    likes: Class<UserId, timelines::ViewerLikes>,
}

impl Feed {
    pub(crate) async fn open(core: &Core, config: Config) -> Result<Self, MountError> {
        if !config.weights.are_valid() {
            return Err(MountError::new(
                "feed.weights: each weight is a number from 0 to 1000000 and one is above 0",
            ));
        }
        let log = core.log("feed", MIGRATIONS).await?;
        let caches = Caches::new(core, &log, &config);
        let (pool, fetcher) = (config.pool(), config.fetcher()?);
        let inner = Inner {
            log,
            auth: core.auth.clone(),
            clock: core.clock.clone(),
            cursors: core.cursors.clone(),
            config,
            caches,
            blobs: core.blobs.clone(),
            pool,
            fetcher,
            rooms: media::Rooms::default(),
            audience: Arc::default(),
        };
        let feed = Self { inner: Arc::new(inner) };
        feed.go_live(&core.live);
        let begun = feed.begin_weights().await;
        begun.map_err(|error| MountError::because("begin with feed.weights", error))?;
        Ok(feed)
    }

    /// Feed's log, which other services and the program follow.
    pub fn log(&self) -> &Log {
        &self.inner.log
    }

    /// What likes, comments and views weigh in explore.
    pub(crate) fn weights(&self) -> crate::model::rank::Weights {
        self.inner.config.weights
    }

    /// The largest file that is taken.
    pub(crate) fn upload_bytes_max(&self) -> usize {
        let bytes = self.inner.config.video_bytes_max.max(self.inner.config.image_bytes_max);
        usize::try_from(bytes).unwrap_or(usize::MAX / 2)
    }

    /// The longest that a `media_url` may take from its address to a post.
    pub(crate) fn fetched_post_ms_max(&self) -> u32 {
        // The fetch, a turn in the pool and memory for it, the work itself and the writes.
        self.inner.config.fetch_ms_max.saturating_add(45_000)
    }

    /// Where media of posts that everybody sees are fetched from; empty for this program.
    fn public_url(&self) -> &Arc<str> {
        self.inner.blobs.public_url()
    }

    fn db(&self) -> &Db {
        self.inner.log.db()
    }
}

impl Caches {
    fn new(core: &Core, log: &Log, config: &Config) -> Self {
        let policy = |name, share: u64, items| {
            let capacity_bytes = (config.memory_bytes_max / 16 * share).max(1 << 20);
            Policy {
                capacity_bytes,
                items,
                soft_ttl_ms: 300_000,
                hard_ttl_ms: 3_600_000,
                ..Policy::new(name)
            }
        };
        let epochs = || log.epochs().clone();
        let metrics = &core.cache_metrics;
        Self {
            cards: Class::new(policy("feed_card", 6, 100_000), epochs(), metrics, |_, card| {
                card.weight()
            }),
            explore: Class::new(policy("feed_explore", 1, 1_000), epochs(), metrics, |_, page| {
                page.weight()
            }),
            authors: Class::new(
                policy("feed_author", 6, 100_000),
                epochs(),
                metrics,
                |_, posts| posts.weight(),
            ),
            // Small, and read by whichever instance the viewer meets next: worth sharing.
            viewers: shared_by_all(
                core,
                Class::new(
                    policy("feed_viewer", 2, 10_000),
                    epochs(),
                    metrics,
                    |_, scope: &timelines::ViewerScope| scope.weight(),
                ),
            ),
            likes: shared_by_all(
                core,
                Class::new(
                    policy("feed_likes", 1, 10_000),
                    epochs(),
                    metrics,
                    |_, likes: &timelines::ViewerLikes| likes.weight(),
                ),
            ),
        }
    }
}

/// Puts a class into the second level as well, if there is one.
fn shared_by_all<V>(core: &Core, class: Class<UserId, V>) -> Class<UserId, V>
where
    V: serde::Serialize + serde::de::DeserializeOwned + Send + Sync + 'static,
{
    match &core.second_level {
        Some(second) => class.with_second_level(second.clone()),
        None => class,
    }
}

/// What the facts of Feed outdate. A fact carries the tags of everything it changes; an entry, of everything it shows.
pub(crate) mod tags {
    use super::{PostId, Tag, UserId};

    /// A post: its words, media, state and counters.
    pub(crate) fn post(post: PostId) -> Tag {
        Tag::of("post", post.bits())
    }

    /// A person as shown beside posts, and their privacy and suspension.
    pub(crate) fn profile(user: UserId) -> Tag {
        Tag::of("profile", user.bits())
    }

    /// Which posts an author has published.
    pub(crate) fn posts_of(author: UserId) -> Tag {
        Tag::of("posts_of", author.bits())
    }

    /// Whom somebody follows, blocks and mutes, and who blocks them.
    pub(crate) fn relations_of(user: UserId) -> Tag {
        Tag::of("relations_of", user.bits())
    }

    /// What somebody likes.
    pub(crate) fn likes_of(user: UserId) -> Tag {
        Tag::of("likes_of", user.bits())
    }

    /// The order of explore and what is in it.
    pub(crate) const EXPLORE: Tag = Tag::named("explore");

    /// What explore's places are computed with.
    pub(crate) const WEIGHTS: Tag = Tag::named("weights");
}
