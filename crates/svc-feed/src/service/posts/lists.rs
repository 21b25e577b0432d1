//! Posts as they come into what is listed, and out of it.

use mainstay_contract::{
    feed::{PostPublishedV1, PostVisibilityChangedV1, VisibilityV1},
    id::PostId,
};
use mainstay_core::db::Tx;

use crate::{
    error::Error,
    model::{
        post_state,
        rank::{Counts, Weights, rank_key},
        visibility_of,
    },
    service::{comments::say_mentioned, media::drop_media_of, tags},
    store::{self, posts::HeldPost},
};

/// What a change of a post outdates.
pub(super) fn outdated(held: &HeldPost) -> [mainstay_core::cache::Tag; 4] {
    let author = held.sight.author;
    [tags::post(held.id), tags::posts_of(author), tags::profile(author), tags::EXPLORE]
}

/// Says that a post, whose row is `PUBLISHED` now, was published, and puts it into the lists.
pub(super) async fn publish(tx: &mut Tx, id: PostId, weights: &Weights) -> Result<(), Error> {
    let held = store::posts::held(tx, id, None).await?.ok_or(Error::NotFound)?;
    // Looked at again behind the lock on their row: nothing of somebody who is suspended is said to be published.
    if store::tags::lock_author(tx, held.sight.author).await?.suspended {
        return Err(Error::Forbidden("Your account is suspended."));
    }
    let published_at = held.published_at.unwrap_or(held.created_at);
    let fact = PostPublishedV1 {
        post: id,
        author: held.sight.author,
        visibility: visibility_of(held.sight.visibility),
        published_at,
        hashtags: held.hashtags.clone(),
        version: held.version,
    };
    tx.emit(&fact, &outdated(&held)).await?;
    let mut before = held.clone();
    before.sight.state = post_state::DRAFT;
    list(tx, &before, post_state::PUBLISHED, held.sight.visibility, &held.hashtags, weights)
        .await?;
    say_mentioned(tx, id, None, held.sight.author, &held.mentions, &[]).await
}

/// Moves a post to another state, says so, and takes it out of the lists or puts it back.
pub(in crate::service) async fn set_post_state(
    tx: &mut Tx,
    held: &HeldPost,
    state: i64,
    weights: &Weights,
) -> Result<(), Error> {
    let version = store::posts::set_state(tx, held.id, state).await?;
    let fact = PostVisibilityChangedV1 {
        post: held.id,
        author: held.sight.author,
        shown: state == post_state::PUBLISHED,
        visibility: visibility_of(held.sight.visibility),
        published_at: held.published_at.unwrap_or(held.created_at),
        hashtags: held.hashtags.clone(),
        version,
    };
    tx.emit(&fact, &outdated(held)).await?;
    list(tx, held, state, held.sight.visibility, &held.hashtags, weights).await?;
    // What a moderator removed can be restored, so it stays for a while; nobody sees it, nor its media.
    if state == post_state::DELETED {
        store::posts::clear(tx, held.id).await?;
        drop_media_of(tx, held.id).await?;
    }
    // Its author may have changed it meanwhile, of which nothing was said.
    if state == post_state::PUBLISHED {
        say_mentioned(tx, held.id, None, held.sight.author, &held.mentions, &[]).await?;
    }
    Ok(())
}

/// Brings tags, the author's count and the place in explore from what `before` says to the new state. The fact of the
/// change has been emitted.
pub(super) async fn list(
    tx: &mut Tx,
    before: &HeldPost,
    state: i64,
    visibility: i64,
    hashtags: &[String],
    weights: &Weights,
) -> Result<(), Error> {
    let (was, is) = (before.sight.state == post_state::PUBLISHED, state == post_state::PUBLISHED);
    let public = |visibility| visibility_of(visibility) == VisibilityV1::Public;
    let (was_public, is_public) =
        (was && public(before.sight.visibility), is && public(visibility));
    let published_at = before.published_at.unwrap_or(before.created_at);
    if was != is {
        store::people::count_posts(tx, before.sight.author, if is { 1 } else { -1 }).await?;
    }
    let tagged = !(before.hashtags.is_empty() && hashtags.is_empty());
    if tagged && (was, was_public, &before.hashtags[..]) != (is, is_public, hashtags) {
        // Tags are counted for posts that everybody sees. The lock makes those who close or open the account, and
        // recount all of its tags, wait for this post or this post for them.
        let open = store::tags::lock_author(tx, before.sight.author).await?.is_open();
        if was {
            store::posts::drop_tags(tx, before.id, &before.hashtags, was_public && open).await?;
        }
        if is {
            let counted = is_public && open;
            store::posts::add_tags(tx, before.id, hashtags, published_at, counted).await?;
        }
    }
    let counts: Counts = before.counts;
    let key = is_public.then(|| rank_key(counts, published_at, &before.weights.over(weights)));
    if key != before.rank_key || was != is {
        let published_at = is.then_some(published_at).or(before.published_at);
        store::posts::set_stat(tx, before.id, counts, published_at, key, before.rank_key).await?;
    }
    Ok(())
}
