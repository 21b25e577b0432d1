//! Statements that only the demo needs.

use mainstay_contract::{
    id::{MediaId, PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, Tx},
    params, statements,
};

use crate::{
    model::rank::Counts,
    store::posts::{self, PostFields},
};

statements! {
    /// Adds an upload like another, for somebody else.
    COPY = "insert into feed.media (id, owner_id, post_id, position, is_avatar, kind, alt, width, height, blurhash, created_at)
            select $1::uuid, $2::uuid, $3::uuid, 0, false, kind, alt, width, height, blurhash, $4::timestamptz
            from feed.media where id = $5",
        sqlite "insert into feed.media (id, owner_id, post_id, position, is_avatar, kind, alt, width, height, blurhash, created_at)
            select $1, $2, $3, 0, false, kind, alt, width, height, blurhash, $4 from feed.media where id = $5";
    /// The files of the copy: the same content.
    COPY_FILES = "insert into feed.media_file (media_id, width, height, content_type, size_bytes, hash)
                  select $1::uuid, width, height, content_type, size_bytes, hash from feed.media_file where media_id = $2",
        sqlite "insert into feed.media_file (media_id, width, height, content_type, size_bytes, hash)
                  select $1, width, height, content_type, size_bytes, hash from feed.media_file where media_id = $2";
    /// Makes a profile with a name.
    ADD_PERSON = "insert into feed.profile (user_id, handle, handle_key, display_name, bio, avatar_id, private, suspended,
                      post_count, follower_count, following_count, created_at, version)
                  values ($1, $2, $2, $3, '', null, false, false, 0, 0, 0, $4, 1)";
    /// Adds a post's counters as they are.
    ADD_STAT = "insert into feed.post_stat (post_id, like_count, comment_count, view_count, published_at, rank_key, version)
                values ($1, $2, $3, $4, $5, $6, 1)";
    /// Counts somebody's posts, followers and follows.
    COUNT = "update feed.profile set post_count = post_count + $2, follower_count = follower_count + $3,
                 following_count = following_count + $4 where user_id = $1";
}

/// Adds an upload of `owner` with the content of `like`, attached to `post` if there is one.
pub(super) async fn copy_media(
    tx: &mut Tx,
    id: MediaId,
    owner: UserId,
    post: Option<PostId>,
    like: MediaId,
    at: Ts,
) -> Result<(), DbError> {
    tx.run(&COPY, params![id, owner, post, at, like]).await?;
    tx.run(&COPY_FILES, params![id, like]).await
}

/// Makes the profile of somebody with an account; `handle` is in lower case.
pub(super) async fn add_person(
    tx: &mut Tx,
    user: UserId,
    handle: &str,
    name: &str,
    now: Ts,
) -> Result<(), DbError> {
    tx.run(&ADD_PERSON, params![user, handle, name, now]).await?;
    crate::store::people::add_words(tx, user, handle, name).await
}

/// Adds a published post's counters.
pub(super) async fn add_stat(
    tx: &mut Tx,
    post: PostId,
    counts: Counts,
    published_at: Ts,
    rank_key: f64,
) -> Result<(), DbError> {
    let params = params![post, counts.likes, counts.comments, counts.views, published_at, rank_key];
    tx.run(&ADD_STAT, params).await
}

/// Adds to somebody's counters.
pub(super) async fn count(
    tx: &mut Tx,
    user: UserId,
    [posts, followers, following]: [i64; 3],
) -> Result<(), DbError> {
    tx.run(&COUNT, params![user, posts, followers, following]).await
}

/// Adds a post without its counters.
pub(super) async fn add_post(
    tx: &mut Tx,
    id: PostId,
    author: UserId,
    fields: &PostFields,
    at: Ts,
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
        at,
        f.published_at
    ];
    tx.run(&posts::INSERT, params).await
}

/// Puts a tag on a post without counting it.
pub(super) async fn add_tag(tx: &mut Tx, tag: &str, at: Ts, post: PostId) -> Result<(), DbError> {
    tx.run(&posts::ADD_TAG, params![tag, at, post]).await
}

/// Counts `by` posts that carry a tag.
pub(super) async fn count_tag(tx: &mut Tx, tag: &str, by: i64) -> Result<(), DbError> {
    tx.run(&posts::COUNT_TAG, params![tag, by]).await
}
