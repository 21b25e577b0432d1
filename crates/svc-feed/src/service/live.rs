//! What Feed tells live: new posts of those whom the reader follows, counts of a post on the screen, and that there is
//! something to be told about.
//!
//! A topic is authorised from the records when somebody subscribes, and from facts ever after: `home` by whom the
//! reader follows, a post by whether they still see it (`watch`). `told` keeps counts from going back.

mod listeners;
mod told;
mod watch;

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use mainstay_contract::{
    feed::{
        CommentAddedV1, CommentChangedV1, NotifiedV1, PostEditedV1, PostLikedV1, PostPublishedV1,
        PostUnlikedV1, PostViewedV1, PostVisibilityChangedV1, ProfileChangedV1, RelationChangedV1,
        VisibilityV1,
    },
    id::{PostId, UserId},
};
use mainstay_core::{
    auth::Caller,
    cache::{Epochs, Tag},
    db::{BoxFuture, Emitted},
    error::{Code, Problem},
    live::{Live, LiveMessage, Origin, Subscription, TopicKind},
};
use serde_json::{Value, json};

use self::{
    listeners::Listeners,
    told::{Counted, Told},
    watch::Watch,
};
use super::{Feed, likes::visible, timelines::shared};
use crate::error::Error;

/// Where every new post is published; readers filter it by whom they follow.
const HOME: Tag = Tag::named("live home");
/// The kind of message that says that a post is not there any more.
const GONE: &str = "gone";

fn counts_of(post: PostId) -> Tag {
    Tag::of("live post", post.bits())
}

fn news_of(user: UserId) -> Tag {
    Tag::of("live notifications", user.bits())
}

/// Who listens, and what they were told.
#[derive(Default)]
pub(super) struct Audience {
    readers: Listeners<UserId, Follows>,
    watches: Listeners<PostId, Watch>,
    watches_of_author: Listeners<UserId, Watch>,
    told: Mutex<Told>,
}

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

    fn change(&self, author: UserId, shown: bool) {
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).insert(author, shown);
    }
}

impl Audience {
    fn related(&self, fact: &RelationChangedV1) {
        let shown = fact.follows && !fact.mutes && !fact.blocks;
        self.readers.of(fact.user).iter().for_each(|follows| follows.change(fact.target, shown));
        for author in [fact.user, fact.target] {
            self.watches_of_author.of(author).iter().for_each(|watch| watch.related(author, fact));
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
        let (audience, log) = (self.inner.audience.clone(), self.log());
        let teller = Teller {
            live: live.clone(),
            audience,
            schema: log.db().schema(),
            epochs: log.epochs().clone(),
        };
        log.on_fact(Box::new(move |fact| teller.tell(fact)));
    }

    async fn home_topic(&self, caller: Option<Caller>) -> Result<Subscription, Problem> {
        let reader = signed_in(caller)?;
        // First known to facts, then read: what changes in between is in the one or the other.
        let follows = self.inner.audience.readers.add(reader, Arc::default());
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
        let viewer = caller.map(|caller| caller.user);
        // Who wrote it never changes; everything else is read when facts are taken already.
        let author = visible(&mut *self.db().read().await?, post, viewer).await?.sight.author;
        let audience = &self.inner.audience;
        let watch = Arc::new(Watch::of(viewer));
        let by_author = audience.watches_of_author.add(author, watch.clone());
        let watch = audience.watches.add(post, watch);
        watch.begin(visible(&mut *self.db().read().await?, post, viewer).await?.sight);
        let seen = move |message: &LiveMessage| {
            if message.kind == GONE { by_author.saw() } else { watch.sees() }
        };
        Ok(Subscription::to(counts_of(post)).filtered(Arc::new(seen)))
    }
}

type Resolving = BoxFuture<'static, Result<Subscription, Problem>>;

fn signed_in(caller: Option<Caller>) -> Result<UserId, Problem> {
    caller
        .map(|caller| caller.user)
        .ok_or_else(|| Problem::new(Code::Unauthenticated, "Sign in to follow this topic."))
}

/// Publishes what facts mean to those who listen, and keeps what is known of them current.
struct Teller {
    live: Live,
    audience: Arc<Audience>,
    schema: &'static str,
    epochs: Arc<Epochs>,
}

impl Teller {
    fn tell(&self, fact: &Emitted) {
        let watching = |post: PostId| self.audience.watches.of(post);
        if let Some(told) = fact.read::<PostPublishedV1>() {
            if told.visibility != VisibilityV1::Private {
                let data = json!({ "post_id": told.post, "author_id": told.author });
                self.publish(fact, HOME, "post_published", [told.author.bits(), 0], &data);
            }
        } else if let Some(told) = fact.read::<PostLikedV1>() {
            self.counts(fact, told.post, Counted::Likes, told.like_count, told.version);
        } else if let Some(told) = fact.read::<PostUnlikedV1>() {
            self.counts(fact, told.post, Counted::Likes, told.like_count, told.version);
        } else if let Some(told) = fact.read::<CommentAddedV1>() {
            self.counts(fact, told.post, Counted::Comments, told.comment_count, told.version);
        } else if let Some(told) = fact.read::<CommentChangedV1>() {
            self.counts(fact, told.post, Counted::Comments, told.comment_count, told.version);
        } else if let Some(told) = fact.read::<PostViewedV1>() {
            self.counts(fact, told.post, Counted::Views, told.view_count, told.version);
        } else if let Some(told) = fact.read::<PostEditedV1>() {
            watching(told.post).iter().for_each(|watch| watch.edited(&told));
        } else if let Some(told) = fact.read::<PostVisibilityChangedV1>() {
            watching(told.post).iter().for_each(|watch| watch.shown(&told));
            if !told.shown {
                let data = json!({ "post_id": told.post });
                self.publish(fact, counts_of(told.post), GONE, [0; 2], &data);
            }
        } else if let Some(told) = fact.read::<NotifiedV1>() {
            for person in told.people {
                let data = json!({ "unread_count": person.unread_count });
                self.publish(fact, news_of(person.user), "unread", [0; 2], &data);
            }
        } else if let Some(told) = fact.read::<RelationChangedV1>() {
            self.audience.related(&told);
        } else if let Some(told) = fact.read::<ProfileChangedV1>() {
            let watches = self.audience.watches_of_author.of(told.user);
            watches.iter().for_each(|watch| watch.author_changed(&told));
        }
    }

    /// Tells how often a post was liked, commented on or viewed, unless something newer was told of it.
    fn counts(&self, fact: &Emitted, post: PostId, counted: Counted, count: i64, version: i64) {
        let mut told = self.audience.told.lock().unwrap_or_else(PoisonError::into_inner);
        let news = told.is_news(self.epochs.log_epoch(), post, counted, version);
        drop(told);
        let name = match counted {
            Counted::Likes => "like_count",
            Counted::Comments => "comment_count",
            Counted::Views => "view_count",
        };
        if news {
            let data = json!({ "post_id": post, name: count });
            self.publish(fact, counts_of(post), "counts", [0; 2], &data);
        }
    }

    fn publish(
        &self,
        fact: &Emitted,
        channel: Tag,
        kind: &'static str,
        about: [u128; 2],
        data: &Value,
    ) {
        let (log, log_epoch) = (self.schema, self.epochs.log_epoch());
        let origin = Origin { log, log_epoch, position: fact.position };
        match LiveMessage::new(kind, data, origin) {
            Ok(message) => self.live.publish(channel, message.about(about)),
            Err(error) => tracing::error!(kind, %error, "write a live message"),
        }
    }
}
