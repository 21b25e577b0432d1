//! Posts and their counters.

use mainstay_contract::{
    id::{PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, FromRow, Json, Row, Tx},
    params, row, statements,
};

use super::ranking::{PlaceBefore, Ruling};
use crate::{
    model::{Sight, post_state, rank::Counts},
    view::MentionView,
};

/// How the author of a post and a viewer, `$2`, stand to each other: what [`read_sight`] reads.
macro_rules! sight {
    () => {
        "p.author_id, p.state, p.visibility, a.private, a.suspended,
         exists (select 1 from feed.follow f
                 where f.follower_id = $2 and f.followee_id = p.author_id and f.state = 0),
         exists (select 1 from feed.block b where b.blocker_id = $2 and b.blocked_id = p.author_id)
             or exists (select 1 from feed.block b where b.blocker_id = p.author_id and b.blocked_id = $2)"
    };
}

pub(super) use sight;

/// What a [`HeldPost`] reads, and where; the four weights are given.
macro_rules! held {
    ($weights:literal) => {
        concat!(
            "select ",
            sight!(),
            ", p.id, p.caption, p.comments_enabled, p.hashtags, p.mentions, p.created_at, p.published_at, p.edited_at,
             p.version, s.like_count, s.comment_count, s.view_count, s.rank_key, s.version, ",
            $weights,
            " from feed.post p join feed.profile a on a.user_id = p.author_id join feed.post_stat s on s.post_id = p.id"
        )
    };
}

/// What a [`SightRow`] reads, and where.
macro_rules! sights {
    () => {
        concat!(
            "select ",
            sight!(),
            ", p.id, exists (select 1 from feed.mute m where m.muter_id = $2 and m.muted_id = p.author_id)
             from feed.post p join feed.profile a on a.user_id = p.author_id"
        )
    };
}

statements! {
    /// Locks a post's counters, so that those who change them queue up.
    LOCK_STAT = "select 1 from feed.post_stat where post_id = $1 for update",
        sqlite "select 1 from feed.post_stat where post_id = $1";
    /// Adds a post.
    INSERT = "insert into feed.post (id, author_id, caption, visibility, comments_enabled, state, hashtags, mentions,
                  created_at, published_at, edited_at, version)
              values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, null, 1)";
    /// Adds a post's counters.
    INSERT_STAT = "insert into feed.post_stat (post_id, like_count, comment_count, view_count, published_at, rank_key, version)
                   values ($1, 0, 0, 0, $2, $3, 1)";
    /// Changes what an author wrote.
    UPDATE = "update feed.post set caption = $2, visibility = $3, comments_enabled = $4, state = $5, hashtags = $6,
                  mentions = $7, published_at = $8, edited_at = $9, version = version + 1 where id = $1 returning version";
    /// Changes a post's state.
    SET_STATE = "update feed.post set state = $2, version = version + 1, gone_at = $3 where id = $1 returning version";
    /// Notes that something of a post changed that its row does not hold.
    TOUCH = "update feed.post set version = version + 1 where id = $1 returning version";
    /// Takes the words out of a post that was deleted.
    CLEAR = "update feed.post set caption = '', hashtags = '[]', mentions = '[]' where id = $1";
    /// Changes a post's counters and place.
    SET_STAT = "update feed.post_stat set like_count = $2, comment_count = $3, view_count = $4, published_at = $5,
                    rank_key = $6, version = version + 1 where post_id = $1";
    /// A post as a use case needs it: its row, its counters, how its author and the viewer stand to each other, and the
    /// weights in force, where another instance may have brought others than this one has.
    HELD = concat!(held!("r.like_weight, r.comment_weight, r.view_weight, r.decay_per_hour"),
            " left join feed.ranking r on true where p.id = $1"),
        sqlite concat!(held!("null, null, null, null"), " where p.id = $1");
    /// The same for many, without weights: they are shown and not changed.
    HELD_MANY = concat!(held!("null, null, null, null"), " where p.id = any($1)"),
        sqlite concat!(held!("null, null, null, null"), " where p.id in (select unhex(value) from json_each($1))");
    /// How viewer and authors stand, for many posts: what a list checks at each read.
    SIGHTS = concat!(sights!(), " where p.id = any($1)"),
        sqlite concat!(sights!(), " where p.id in (select unhex(value) from json_each($1))");
    /// Posts after one that are no drafts and not scheduled, in the order of ids.
    STATES = "select p.id, p.author_id, p.visibility, p.state, coalesce(p.published_at, p.created_at), p.hashtags,
                  s.like_count, s.comment_count, s.view_count, p.version, s.version
              from feed.post p join feed.post_stat s on s.post_id = p.id
              where p.id > $1 and p.state > 1 order by p.id limit $2";
    /// Puts a tag on a post.
    ADD_TAG = "insert into feed.post_tag (tag, published_at, post_id) values ($1, $2, $3) on conflict do nothing";
    /// Takes the tags off a post.
    DROP_TAGS = "delete from feed.post_tag where post_id = $1";
    /// Counts a tag's public posts.
    COUNT_TAG = "insert into feed.hashtag (tag, post_count) values ($1, $2)
                 on conflict (tag) do update set post_count = feed.hashtag.post_count + excluded.post_count",
        sqlite "insert into feed.hashtag (tag, post_count) values ($1, $2)
                 on conflict (tag) do update set post_count = post_count + excluded.post_count";
    /// Takes one from a tag's public posts.
    UNCOUNT_TAG = "update feed.hashtag set post_count = post_count - 1 where tag = $1 and post_count > 0";
}

/// A post as a use case holds it.
#[derive(Debug, Clone)]
pub(crate) struct HeldPost {
    pub(crate) sight: Sight,
    pub(crate) id: PostId,
    pub(crate) caption: String,
    pub(crate) comments_enabled: bool,
    pub(crate) hashtags: Vec<String>,
    pub(crate) mentions: Vec<MentionView>,
    pub(crate) created_at: Ts,
    pub(crate) published_at: Option<Ts>,
    pub(crate) edited_at: Option<Ts>,
    pub(crate) version: i64,
    pub(crate) counts: Counts,
    pub(crate) rank_key: Option<f64>,
    pub(crate) stat_version: i64,
    /// By which the post is to be ranked.
    pub(crate) weights: Ruling,
}

impl FromRow for HeldPost {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        let sight = read_sight(row)?;
        Ok(Self {
            sight,
            id: row.next()?,
            caption: row.next()?,
            comments_enabled: row.next()?,
            hashtags: row.next::<Json<Vec<String>>>()?.0,
            mentions: row.next::<Json<Vec<MentionView>>>()?.0,
            created_at: row.next()?,
            published_at: row.next()?,
            edited_at: row.next()?,
            version: row.next()?,
            counts: Counts { likes: row.next()?, comments: row.next()?, views: row.next()? },
            rank_key: row.next()?,
            stat_version: row.next()?,
            weights: Ruling::from_row(row)?,
        })
    }
}

/// How a viewer stands to one post of a list.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SightRow {
    pub(crate) sight: Sight,
    pub(crate) post: PostId,
    /// The viewer muted the author: left out of lists, shown when asked for by name.
    pub(crate) muted: bool,
}

impl FromRow for SightRow {
    fn from_row(row: &mut Row) -> Result<Self, DbError> {
        Ok(Self { sight: read_sight(row)?, post: row.next()?, muted: row.next()? })
    }
}

/// The columns of a sight, which stand first in a row.
pub(super) fn read_sight(row: &mut Row) -> Result<Sight, DbError> {
    Ok(Sight {
        author: row.next()?,
        state: row.next()?,
        visibility: row.next()?,
        author_private: row.next()?,
        author_suspended: row.next()?,
        follows: row.next()?,
        blocked: row.next()?,
    })
}

row! {
    /// How a post stands.
    #[derive(Debug, Clone)]
    pub(crate) struct PostStateRow {
        pub(crate) id: PostId,
        pub(crate) author: UserId,
        pub(crate) visibility: i64,
        pub(crate) state: i64,
        pub(crate) published_at: Ts,
        pub(crate) hashtags: Json<Vec<String>>,
        pub(crate) like_count: i64,
        pub(crate) comment_count: i64,
        pub(crate) view_count: i64,
        pub(crate) version: i64,
        pub(crate) counts_version: i64,
    }
}

row! {
    /// What is written when a post is made.
    #[derive(Debug, Clone)]
    pub(crate) struct PostFields {
        pub(crate) caption: String,
        pub(crate) visibility: i64,
        pub(crate) comments_enabled: bool,
        pub(crate) state: i64,
        pub(crate) hashtags: Json<Vec<String>>,
        pub(crate) mentions: Json<Vec<MentionView>>,
        pub(crate) published_at: Option<Ts>,
    }
}

/// A post and how `viewer` stands to it; `None` if there is no such row.
pub(crate) async fn held(
    tx: &mut Tx,
    post: PostId,
    viewer: Option<UserId>,
) -> Result<Option<HeldPost>, DbError> {
    tx.optional(&HELD, params![post, viewer]).await
}

/// Posts and how `viewer` stands to them, in any order.
pub(crate) async fn held_many(
    tx: &mut Tx,
    posts: &[PostId],
    viewer: Option<UserId>,
) -> Result<Vec<HeldPost>, DbError> {
    tx.all(&HELD_MANY, params![posts, viewer]).await
}

/// At most `limit` posts after `after`, in the order of ids.
pub(crate) async fn states(
    tx: &mut Tx,
    after: PostId,
    limit: i64,
) -> Result<Vec<PostStateRow>, DbError> {
    tx.all(&STATES, params![after, limit]).await
}

/// How `viewer` stands to posts, in any order.
pub(crate) async fn sights(
    tx: &mut Tx,
    posts: &[PostId],
    viewer: Option<UserId>,
) -> Result<Vec<SightRow>, DbError> {
    tx.all(&SIGHTS, params![posts, viewer]).await
}

/// Adds a post with counters at zero.
pub(crate) async fn insert(
    tx: &mut Tx,
    id: PostId,
    author: UserId,
    fields: &PostFields,
    now: Ts,
    rank_key: Option<f64>,
) -> Result<(), DbError> {
    let f = fields;
    let params = params![
        id,
        author,
        f.caption,
        f.visibility,
        f.comments_enabled,
        f.state,
        f.hashtags,
        f.mentions,
        now,
        f.published_at
    ];
    tx.run(&INSERT, params).await?;
    tx.run(&INSERT_STAT, params![id, f.published_at, rank_key]).await
}

/// Writes what an author changed and returns the new version.
pub(crate) async fn update(
    tx: &mut Tx,
    id: PostId,
    fields: &PostFields,
    edited_at: Option<Ts>,
) -> Result<i64, DbError> {
    let f = fields;
    let params = params![
        id,
        f.caption,
        f.visibility,
        f.comments_enabled,
        f.state,
        f.hashtags,
        f.mentions,
        f.published_at,
        edited_at
    ];
    let (version,): (i64,) = tx.one(&UPDATE, params).await?;
    Ok(version)
}

/// Changes a post's state and returns the new version.
pub(crate) async fn set_state(tx: &mut Tx, id: PostId, state: i64) -> Result<i64, DbError> {
    let gone_at = (state > post_state::HIDDEN).then(|| tx.now());
    let (version,): (i64,) = tx.one(&SET_STATE, params![id, state, gone_at]).await?;
    Ok(version)
}

/// Notes that something of a post changed that its row does not hold, behind those who change the post, and returns the
/// new version.
pub(crate) async fn touch(tx: &mut Tx, id: PostId) -> Result<i64, DbError> {
    let (_one,): (i64,) = tx.one(&LOCK_STAT, params![id]).await?;
    let (version,): (i64,) = tx.one(&TOUCH, params![id]).await?;
    Ok(version)
}

/// Takes the words out of a deleted post.
pub(crate) async fn clear(tx: &mut Tx, id: PostId) -> Result<(), DbError> {
    tx.run(&CLEAR, params![id]).await
}

/// Writes counters and place, and notes with `before` where the post stood until the fact that was emitted last.
pub(crate) async fn set_stat(
    tx: &mut Tx,
    id: PostId,
    counts: Counts,
    published_at: Option<Ts>,
    rank_key: Option<f64>,
    before: Option<f64>,
) -> Result<(), DbError> {
    let Counts { likes, comments, views } = counts;
    tx.run(&SET_STAT, params![id, likes, comments, views, published_at, rank_key]).await?;
    if let (true, Some(published_at)) = (before != rank_key, published_at) {
        let before = PlaceBefore { post: id, key: before, published_at };
        super::ranking::note(tx, before).await?;
    }
    Ok(())
}

/// Puts tags on a published post; `public` ones are counted.
pub(crate) async fn add_tags(
    tx: &mut Tx,
    post: PostId,
    tags: &[String],
    published_at: Ts,
    public: bool,
) -> Result<(), DbError> {
    for tag in tags {
        tx.run(&ADD_TAG, params![tag, published_at, post]).await?;
        if public {
            tx.run(&COUNT_TAG, params![tag, 1_i64]).await?;
        }
    }
    Ok(())
}

/// Takes the tags off a post; `public` ones are counted out.
pub(crate) async fn drop_tags(
    tx: &mut Tx,
    post: PostId,
    tags: &[String],
    public: bool,
) -> Result<(), DbError> {
    tx.run(&DROP_TAGS, params![post]).await?;
    if public {
        for tag in tags {
            tx.run(&UNCOUNT_TAG, params![tag]).await?;
        }
    }
    Ok(())
}
