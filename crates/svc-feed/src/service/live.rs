//! What Feed tells live: new posts of those whom the reader follows, counts of a post on the screen, and that there is
//! something to be told about.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, OnceLock, PoisonError, Weak},
};

use mainstay_contract::{
    feed::{
        CommentAddedV1, CommentChangedV1, NotifiedV1, PostLikedV1, PostPublishedV1, PostUnlikedV1,
        PostViewedV1, PostVisibilityChangedV1, RelationChangedV1, VisibilityV1,
    },
    id::{PostId, UserId},
};
use mainstay_core::{
    auth::Caller,
    cache::{Epochs, Tag},
    db::Emitted,
    error::{Code, Problem},
    live::{Live, LiveMessage, Origin, Subscription, TopicKind},
};
use serde::Serialize;
use serde_json::json;

use super::{Feed, likes::visible, timelines::shared};
use crate::error::Error;

/// Where every new post is published; readers filter it by whom they follow.
const HOME: Tag = Tag::named("live home");

fn counts_of(post: PostId) -> Tag {
    Tag::of("live post", post.bits())
}

fn news_of(user: UserId) -> Tag {
    Tag::of("live notifications", user.bits())
}

/// Whom connected readers follow, kept current by facts.
#[derive(Default)]
pub(super) struct Readers(Mutex<HashMap<UserId, Vec<Weak<Follows>>>>);

/// Whom one reader sees in home: as it was when they subscribed, and what facts have changed since.
#[derive(Default)]
struct Follows {
    base: OnceLock<HashSet<UserId>>,
    changed: Mutex<HashMap<UserId, bool>>,
}

impl Follows {
    fn contains(&self, author: UserId) -> bool {
        let changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        match changed.get(&author) {
            Some(follows) => *follows,
            None => self.base.get().is_some_and(|base| base.contains(&author)),
        }
    }
}

impl Readers {
    fn add(&self, reader: UserId) -> Arc<Follows> {
        let follows = Arc::new(Follows::default());
        let mut readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of_reader = readers.entry(reader).or_default();
        of_reader.retain(|known| known.strong_count() > 0);
        of_reader.push(Arc::downgrade(&follows));
        follows
    }

    fn change(&self, fact: &RelationChangedV1) {
        let mut readers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(of_reader) = readers.get_mut(&fact.user) else { return };
        of_reader.retain(|known| known.strong_count() > 0);
        for follows in of_reader.iter().filter_map(Weak::upgrade) {
            let shown = fact.follows && !fact.mutes && !fact.blocks;
            follows
                .changed
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .insert(fact.target, shown);
        }
        if of_reader.is_empty() {
            readers.remove(&fact.user);
        }
    }
}

impl Feed {
    /// Offers Feed's topics and tells them of every fact from now on.
    pub(super) fn go_live(&self, live: &Live) {
        let topic = |prefix, resolve: fn(Feed, Option<Caller>, String) -> Resolving| {
            let feed = Arc::downgrade(&self.inner);
            live.topic(TopicKind {
                prefix,
                resolve: Arc::new(move |caller, rest| match feed.upgrade() {
                    Some(inner) => resolve(Feed { inner }, caller, rest),
                    None => Box::pin(async {
                        Err(Problem::new(Code::Unavailable, "The program is ending."))
                    }),
                }),
            });
        };
        topic("home", |feed, caller, _| Box::pin(async move { feed.home_topic(caller).await }));
        topic("post", |feed, caller, post| {
            Box::pin(async move { feed.post_topic(caller, &post).await })
        });
        topic("notifications", |_, caller, _| {
            Box::pin(async move { Ok(Subscription::to(news_of(signed_in(caller)?))) })
        });
        let (live, readers, log) = (live.clone(), self.inner.readers.clone(), self.log());
        let (schema, epochs) = (log.db().schema(), log.epochs().clone());
        log.on_fact(Box::new(move |fact| tell(&live, &readers, schema, &epochs, fact)));
    }

    async fn home_topic(&self, caller: Option<Caller>) -> Result<Subscription, Problem> {
        let reader = signed_in(caller)?;
        // First known to facts, then read: what changes in between is in the one or the other.
        let follows = self.inner.readers.add(reader);
        let scope = self.scope(reader).await.map_err(|error| Problem::from(shared(error)))?;
        let base = scope.map_or_else(HashSet::new, |scope| {
            scope.follows.iter().copied().filter(|author| !scope.hidden.contains(author)).collect()
        });
        follows.base.get_or_init(|| base);
        let seen = move |message: &LiveMessage| {
            let [author, _] = message.about;
            follows.contains(UserId::from_bits(author))
        };
        Ok(Subscription::to(HOME).filtered(Arc::new(seen)))
    }

    async fn post_topic(
        &self,
        caller: Option<Caller>,
        post: &str,
    ) -> Result<Subscription, Problem> {
        let post: PostId = post.parse().map_err(|_bad| Problem::from(Error::NotFound))?;
        let mut tx = self.db().read().await?;
        visible(&mut tx, post, caller.map(|caller| caller.user)).await?;
        Ok(Subscription::to(counts_of(post)))
    }
}

type Resolving = mainstay_core::db::BoxFuture<'static, Result<Subscription, Problem>>;

fn signed_in(caller: Option<Caller>) -> Result<UserId, Problem> {
    caller
        .map(|caller| caller.user)
        .ok_or_else(|| Problem::new(Code::Unauthenticated, "Sign in to follow this topic."))
}

/// Publishes what a fact means to those who watch.
fn tell(live: &Live, readers: &Readers, schema: &'static str, epochs: &Epochs, fact: &Emitted) {
    let origin = Origin { log: schema, log_epoch: epochs.log_epoch(), position: fact.position };
    let say = |channel: Tag, kind: &'static str, about: [u128; 2], data: serde_json::Value| {
        publish(live, channel, kind, &data, about, origin);
    };
    let counts =
        |post: PostId, data: serde_json::Value| say(counts_of(post), "counts", [0; 2], data);
    if let Some(fact) = fact.read::<PostPublishedV1>() {
        if fact.visibility != VisibilityV1::Private {
            let data = json!({ "post_id": fact.post, "author_id": fact.author });
            say(HOME, "post_published", [fact.author.bits(), 0], data);
        }
    } else if let Some(fact) = fact.read::<PostLikedV1>() {
        counts(fact.post, json!({ "post_id": fact.post, "like_count": fact.like_count }));
    } else if let Some(fact) = fact.read::<PostUnlikedV1>() {
        counts(fact.post, json!({ "post_id": fact.post, "like_count": fact.like_count }));
    } else if let Some(fact) = fact.read::<CommentAddedV1>() {
        counts(fact.post, json!({ "post_id": fact.post, "comment_count": fact.comment_count }));
    } else if let Some(fact) = fact.read::<CommentChangedV1>() {
        counts(fact.post, json!({ "post_id": fact.post, "comment_count": fact.comment_count }));
    } else if let Some(fact) = fact.read::<PostViewedV1>() {
        counts(fact.post, json!({ "post_id": fact.post, "view_count": fact.view_count }));
    } else if let Some(fact) = fact.read::<PostVisibilityChangedV1>() {
        if !fact.shown {
            say(counts_of(fact.post), "gone", [0; 2], json!({ "post_id": fact.post }));
        }
    } else if let Some(fact) = fact.read::<NotifiedV1>() {
        say(news_of(fact.user), "unread", [0; 2], json!({ "unread_count": fact.unread_count }));
    } else if let Some(fact) = fact.read::<RelationChangedV1>() {
        readers.change(&fact);
    }
}

fn publish<T: Serialize>(
    live: &Live,
    channel: Tag,
    kind: &'static str,
    data: &T,
    about: [u128; 2],
    origin: Origin,
) {
    match LiveMessage::new(kind, data, origin) {
        Ok(message) => live.publish(channel, message.about(about)),
        Err(error) => tracing::error!(kind, %error, "write a live message"),
    }
}
