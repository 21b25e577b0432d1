//! Words for pictures.

use mainstay_contract::{
    feed::{PostEditedV1, ProfileChangedV1},
    id::{MediaId, PostId, UserId},
};
use mainstay_core::db::{Once, Tx};

use super::{Feed, view};
use crate::{
    error::Error,
    model::{ALT_CHARS_MAX, post_state, text, visibility_of},
    service::tags,
    store,
    view::MediaView,
};

impl Feed {
    /// Changes the words for a picture.
    ///
    /// # Errors
    /// `NotFound` unless it is the caller's; `Invalid` if they are too long.
    pub(crate) async fn set_alt(
        &self,
        owner: UserId,
        id: MediaId,
        alt: &str,
        once: Option<Once>,
    ) -> Result<MediaView, Error> {
        let alt = checked_alt(alt)?;
        self.db()
            .write_once(once, move |tx| {
                let alt = alt.clone();
                Box::pin(async move {
                    let shown = store::media::set_alt(tx, id, owner, &alt).await?;
                    let (post, is_avatar) = shown.ok_or(Error::NotFound)?;
                    if let Some(post) = post {
                        describe_post(tx, owner, post).await?;
                    }
                    if is_avatar {
                        describe_avatar(tx, owner).await?;
                    }
                    view(tx, id).await
                })
            })
            .await
    }
}

/// Says that a picture of a post has other words, if anybody else can see it.
async fn describe_post(tx: &mut Tx, owner: UserId, post: PostId) -> Result<(), Error> {
    let held = store::posts::held(tx, post, None).await?.ok_or(Error::NotFound)?;
    if !held.sight.visible_to(Some(owner)) {
        return Err(Error::NotFound);
    }
    let version = store::posts::touch(tx, post).await?;
    if held.sight.state != post_state::PUBLISHED {
        return Ok(());
    }
    let fact = PostEditedV1 {
        post,
        author: owner,
        visibility: visibility_of(held.sight.visibility),
        published_at: held.published_at.unwrap_or(held.created_at),
        hashtags: held.hashtags,
        version,
    };
    tx.emit(&fact, &[tags::post(post)]).await?;
    Ok(())
}

/// Says that somebody's picture has other words.
async fn describe_avatar(tx: &mut Tx, owner: UserId) -> Result<(), Error> {
    let touched = store::profiles::touch(tx, owner).await?;
    let (private, suspended, version) = touched.ok_or(Error::NotFound)?;
    let fact = ProfileChangedV1 { user: owner, private, suspended, version };
    tx.emit(&fact, &[tags::profile(owner)]).await?;
    Ok(())
}

/// Words for a picture, tidied.
pub(super) fn checked_alt(alt: &str) -> Result<String, Error> {
    let alt = text::tidy(alt);
    if alt.chars().count() > ALT_CHARS_MAX {
        let detail = format!("Describe it in at most {ALT_CHARS_MAX} characters.");
        return Err(Error::invalid("/alt", "too_long", detail));
    }
    Ok(alt)
}
