//! What is beyond the script: any number of people and posts, written thousands at a time. Every counter is computed
//! beforehand and written with the rows that it counts; nothing emits facts.

use std::{collections::HashMap, sync::Arc};

use futures_util::stream::{self, StreamExt as _};
use mainstay_contract::{
    id::{CommentId, MediaId, PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    auth::{NewUser, Role},
    db::{Db, Json, Tx},
    ids,
    mount::Core,
};

use super::{
    ACCOUNTS_STEP, DAY_S, DemoError, Progress, Size, chance::Chance, plan::DEMO, script::Topic,
    stage::Stage, store, talk,
};
use crate::{
    Feed,
    error::Error,
    model::{
        follow_state, marks, post_state,
        rank::{Counts, Weights, rank_key},
    },
    store::{comments::CommentRow, posts::PostFields},
};

/// Posts in one transaction.
const POSTS_STEP: usize = 5_000;
/// Follows, or counters, in one transaction.
const ROWS_STEP: usize = 20_000;
/// Transactions that are prepared while another is written.
const STEPS_AT_ONCE: usize = 2;
/// How far back posts go.
const POSTS_SPAN_S: i64 = 30 * DAY_S;
/// Whom the person of the demo follows beside the cast.
const DEMO_FOLLOWS_MAX: usize = 1_000;
/// Whom everybody else follows on average.
const FOLLOWS_MEAN: usize = 6;
/// Most likes of one post.
const LIKES_MAX: f64 = 400.0;

const FIRST: &[&str] = &[
    "amber", "azure", "blue", "bronze", "copper", "coral", "crimson", "ebony", "golden", "green",
    "grey", "ivory", "jade", "lilac", "olive", "pearl", "pink", "plum", "ruby", "rusty", "silver",
    "tawny", "violet", "white",
];
const SECOND: &[&str] = &[
    "alder",
    "aspen",
    "banjo",
    "birch",
    "bugle",
    "cedar",
    "clarinet",
    "cornet",
    "cymbal",
    "daisy",
    "fern",
    "fiddle",
    "flute",
    "gong",
    "harp",
    "hazel",
    "heather",
    "iris",
    "ivy",
    "laurel",
    "lute",
    "lyre",
    "moss",
    "organ",
    "piano",
    "poppy",
    "rowan",
    "sage",
    "tambourine",
    "viola",
    "willow",
    "whistle",
];

/// How much is left to be made.
pub(super) struct Bulk<'a> {
    core: &'a Core,
    feed: &'a Feed,
    people: usize,
    posts: usize,
    until: Ts,
}

/// What is added to somebody's counters: posts, followers, follows.
type Added = [i64; 3];

/// A post with all that stands under it.
struct BulkPost {
    id: PostId,
    author: UserId,
    fields: PostFields,
    at: Ts,
    counts: Counts,
    likes: Vec<UserId>,
    comments: Vec<(CommentId, UserId, &'static str)>,
    /// A new upload and the one that it is a copy of.
    picture: Option<(MediaId, MediaId)>,
}

impl<'a> Bulk<'a> {
    /// What `size` wants beyond `cast` people and `posts` posts; it reaches until `until`.
    pub(super) fn new(
        core: &'a Core,
        feed: &'a Feed,
        size: Size,
        cast: usize,
        posts: usize,
        until: Ts,
    ) -> Self {
        let people = (size.people as usize).saturating_sub(cast);
        let posts = (size.posts as usize).saturating_sub(posts);
        Self { core, feed, people, posts, until }
    }

    pub(super) async fn fill(
        &self,
        stage: &Stage<'_>,
        topics: &[Topic],
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), DemoError> {
        let mut chance = Chance::new(11);
        let crowd = self.join(progress).await?;
        let cast: Vec<UserId> = stage.cast().iter().map(|caller| caller.user).collect();
        let mut added: HashMap<UserId, Added> = HashMap::new();
        if !crowd.is_empty() {
            let follows = follows(&mut chance, &cast, &crowd, &mut added);
            self.follow(&follows, progress).await?;
        }
        // Without a crowd the cast posts more.
        let crowd = if crowd.is_empty() { cast } else { crowd };
        let mut pictures: Vec<MediaId> = stage.library.values().copied().collect();
        pictures.sort_unstable();
        self.post(&mut chance, &crowd, (topics, &pictures), &mut added, progress).await?;
        self.count(added.into_iter().collect(), progress).await
    }

    fn db(&self) -> &Db {
        self.feed.log().db()
    }

    /// Makes accounts, without passwords, and their profiles.
    async fn join(
        &self,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<Vec<UserId>, DemoError> {
        let step = "more people";
        let mut made: Vec<UserId> = Vec::with_capacity(self.people);
        while made.len() < self.people {
            let end = self.people.min(made.len() + ACCOUNTS_STEP);
            let names: Vec<(String, String)> = (made.len()..end).map(name).collect();
            let new = names.iter().map(|(handle, _)| NewUser {
                handle: handle.clone(),
                email: format!("{handle}@example.org"),
                password: None,
                role: Role::User,
            });
            let accounts =
                self.core.auth.create_users(new.collect()).await.map_err(DemoError::Accounts)?;
            made.extend(accounts.iter().map(|account| account.id));
            let people: Arc<Vec<_>> =
                Arc::new(accounts.iter().map(|account| account.id).zip(names).collect());
            let written = self.db().write::<_, Error, _>(move |tx| {
                let people = people.clone();
                Box::pin(async move {
                    let now = tx.now();
                    for (user, (handle, name)) in people.iter() {
                        store::add_person(tx, *user, handle, name, now).await?;
                    }
                    Ok(())
                })
            });
            written.await.map_err(DemoError::at(step))?;
            progress(Progress { step, done: made.len() as u64, total: self.people as u64 });
        }
        Ok(made)
    }

    async fn follow(
        &self,
        follows: &[(UserId, UserId)],
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), DemoError> {
        let (step, total) = ("more follows", follows.len() as u64);
        let begin = self.until.plus_s(-POSTS_SPAN_S);
        let each = POSTS_SPAN_S * 1_000_000 / (total as i64).max(1);
        for (nth, some) in follows.chunks(ROWS_STEP).enumerate() {
            let rows = Arc::new(some.to_vec());
            let first = (nth * ROWS_STEP) as i64;
            let written = self.db().write::<_, Error, _>(move |tx| {
                let rows = rows.clone();
                Box::pin(async move {
                    for (place, (who, whom)) in rows.iter().enumerate() {
                        let at = begin.plus_micros((first + place as i64) * each);
                        let state = follow_state::ACCEPTED;
                        let version = crate::store::relations::next_version(tx).await?;
                        let at = (at, version);
                        crate::store::relations::follow(tx, *who, *whom, state, at).await?;
                    }
                    Ok(())
                })
            });
            written.await.map_err(DemoError::at(step))?;
            progress(Progress { step, done: first as u64 + some.len() as u64, total });
        }
        Ok(())
    }

    async fn post(
        &self,
        chance: &mut Chance,
        crowd: &[UserId],
        (topics, pictures): (&[Topic], &[MediaId]),
        added: &mut HashMap<UserId, Added>,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), DemoError> {
        let (step, total) = ("more posts", self.posts as u64);
        let weights = self.feed.weights();
        let db = self.db();
        let batches = (0..self.posts).step_by(POSTS_STEP).map(|first| {
            let end = self.posts.min(first + POSTS_STEP);
            let posts: Vec<BulkPost> = (first..end)
                .filter_map(|nth| self.draw(chance, nth, crowd, topics, pictures))
                .collect();
            for post in &posts {
                added.entry(post.author).or_default()[0] += 1;
            }
            let posts = Arc::new(posts);
            async move {
                db.write::<_, Error, _>(move |tx| {
                    let posts = posts.clone();
                    Box::pin(async move { write(tx, &posts, &weights).await })
                })
                .await
                .map(|()| end as u64)
            }
        });
        let mut written = stream::iter(batches).buffered(STEPS_AT_ONCE);
        while let Some(done) = written.next().await {
            progress(Progress { step, done: done.map_err(DemoError::at(step))?, total });
        }
        Ok(())
    }

    /// The `nth` post. Few get many likes: their number goes with one over a random share.
    fn draw(
        &self,
        chance: &mut Chance,
        nth: usize,
        crowd: &[UserId],
        topics: &[Topic],
        pictures: &[MediaId],
    ) -> Option<BulkPost> {
        let place = chance.below(crowd.len());
        let author = *crowd.get(place)?;
        let share = (nth as f64 + 0.5) / self.posts as f64;
        let at = self
            .until
            .plus_s(-POSTS_SPAN_S)
            .plus_micros((share * (POSTS_SPAN_S - 120) as f64 * 1e6) as i64);
        let likes = (0.3 / chance.share().max(1e-9) - 0.25).clamp(0.0, LIKES_MAX) as usize;
        let likes = likes.min(crowd.len().saturating_sub(1));
        let from = place + 1 + chance.below(crowd.len().saturating_sub(likes));
        let next = |by: usize| crowd.get((from + by) % crowd.len()).copied();
        let likes: Vec<UserId> =
            (0..likes).filter_map(next).filter(|liker| *liker != author).collect();
        let mut comments = Vec::new();
        if chance.happens(0.12) {
            let talk = topics.iter().find(|topic| topic.name == "talk");
            let talk = talk.map(|topic| &topic.comments[..]).unwrap_or_default();
            for by in 0..=chance.below(3) {
                let id = ids::new_id(at);
                comments.push((id, next(by)?, *chance.pick(talk)?));
            }
        }
        let caption = talk::words(chance);
        let picture = chance.happens(0.25).then(|| chance.pick(pictures)).flatten();
        Some(BulkPost {
            id: ids::new_id(at),
            author,
            fields: PostFields {
                hashtags: Json(marks::hashtags(&caption)),
                mentions: Json(Vec::new()),
                caption,
                visibility: 0,
                comments_enabled: true,
                state: post_state::PUBLISHED,
                published_at: Some(at),
            },
            at,
            counts: Counts {
                likes: likes.len() as i64,
                comments: comments.len() as i64,
                views: likes.len() as i64 * 4 + chance.below(20) as i64,
            },
            likes,
            comments,
            picture: picture.map(|picture| (ids::new_id(at), *picture)),
        })
    }

    /// Adds to the counters of people what was written of them.
    async fn count(
        &self,
        mut added: Vec<(UserId, Added)>,
        progress: &(dyn Fn(Progress) + Send + Sync),
    ) -> Result<(), DemoError> {
        let (step, total) = ("counters", added.len() as u64);
        added.sort_unstable();
        let mut done = 0;
        for some in added.chunks(ROWS_STEP) {
            let rows = Arc::new(some.to_vec());
            let written = self.db().write::<_, Error, _>(move |tx| {
                let rows = rows.clone();
                Box::pin(async move {
                    for (user, added) in rows.iter() {
                        store::count(tx, *user, *added).await?;
                    }
                    Ok(())
                })
            });
            written.await.map_err(DemoError::at(step))?;
            done += some.len() as u64;
            progress(Progress { step, done, total });
        }
        Ok(())
    }
}

/// A handle that nobody else has, and a name.
fn name(nth: usize) -> (String, String) {
    let first = FIRST.get(nth % FIRST.len()).copied().unwrap_or_default();
    let second = SECOND.get(nth / FIRST.len() % SECOND.len()).copied().unwrap_or_default();
    let capital = |word: &str| {
        let (head, tail) = word.split_at(1.min(word.len()));
        format!("{}{tail}", head.to_ascii_uppercase())
    };
    (format!("{first}_{second}_{nth}"), format!("{} {}", capital(first), capital(second)))
}

/// Who follows whom: the person of the demo many, everybody a few of the crowd and now and then one of the cast.
fn follows(
    chance: &mut Chance,
    cast: &[UserId],
    crowd: &[UserId],
    added: &mut HashMap<UserId, Added>,
) -> Vec<(UserId, UserId)> {
    let mut all = Vec::new();
    let mut follow = |who: UserId, whom: UserId| {
        added.entry(who).or_default()[2] += 1;
        added.entry(whom).or_default()[1] += 1;
        all.push((who, whom));
    };
    if let Some(demo) = cast.get(DEMO) {
        crowd.iter().take(DEMO_FOLLOWS_MAX).for_each(|whom| follow(*demo, *whom));
    }
    for (place, who) in crowd.iter().enumerate() {
        // Consecutive people from a random place on: distinct, and never oneself.
        let count = chance.below(2 * FOLLOWS_MEAN + 1).min(crowd.len() - 1);
        let from = place + 1 + chance.below(crowd.len() - count);
        for by in 0..count {
            if let Some(whom) = crowd.get((from + by) % crowd.len()).filter(|whom| *whom != who) {
                follow(*who, *whom);
            }
        }
        if chance.happens(0.3)
            && let Some(whom) = chance.pick(cast)
        {
            follow(*who, *whom);
        }
    }
    all
}

async fn write(tx: &mut Tx, posts: &[BulkPost], weights: &Weights) -> Result<(), Error> {
    let mut tags: HashMap<&str, i64> = HashMap::new();
    for post in posts {
        store::add_post(tx, post.id, post.author, &post.fields, post.at).await?;
        let key = rank_key(post.counts, post.at, weights);
        store::add_stat(tx, post.id, post.counts, post.at, key).await?;
        for tag in &post.fields.hashtags.0 {
            store::add_tag(tx, tag, post.at, post.id).await?;
            *tags.entry(tag).or_default() += 1;
        }
        if let Some((id, like)) = post.picture {
            store::copy_media(tx, id, post.author, Some(post.id), like, post.at).await?;
        }
        for liker in &post.likes {
            crate::store::likes::like(tx, *liker, post.id, post.at).await?;
        }
        for (id, author, says) in &post.comments {
            let row = CommentRow {
                id: *id,
                post: post.id,
                author: *author,
                reply_to: None,
                text: (*says).to_owned(),
                mentions: Json(Vec::new()),
                state: 0,
                like_count: 0,
                reply_count: 0,
                created_at: post.at,
                edited_at: None,
                version: 1,
            };
            crate::store::comments::insert(tx, &row).await?;
        }
    }
    let mut tags: Vec<_> = tags.into_iter().collect();
    tags.sort_unstable();
    for (tag, count) in tags {
        store::count_tag(tx, tag, count).await?;
    }
    Ok(())
}
