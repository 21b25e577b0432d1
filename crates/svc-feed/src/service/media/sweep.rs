//! Uploads and bytes that nobody needs any more.

use mainstay_contract::id::PostId;
use mainstay_core::{blobs::BlobHash, db::Tx};

use super::{Feed, refuse::storage};
use crate::{
    error::Error,
    model::UPLOAD_LIFE_S,
    store::{self, media::Gone},
};

/// From staging to the reference's commit, with room for clocks that differ: bytes younger than that stay.
const UNREFERENCED_S: i64 = 60 * 60;
/// Uploads and contents that one look takes.
const SWEEP_MAX: i64 = 500;
/// The longest that an upload may take; what stands in staging for longer was left by a crash.
const STAGING_S: i64 = 2 * 60 * 60;

impl Feed {
    /// Ends uploads that nobody attached within a day, and removes bytes that nothing refers to. Harmless on repeat.
    pub(crate) async fn sweep_media(&self) -> Result<(), Error> {
        let now = self.inner.clock.now();
        let old = now.plus_s(-UPLOAD_LIFE_S);
        self.db()
            .write::<_, Error, _>(move |tx| {
                Box::pin(async move {
                    for media in store::media::unattached(tx, old, SWEEP_MAX).await? {
                        store::media::drop_media(tx, media).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        let before = now.plus_s(-UNREFERENCED_S);
        let mut after = Vec::new();
        loop {
            let mut tx = self.db().read().await?;
            let gone = store::media::gone(&mut tx, &after, before, SWEEP_MAX).await?;
            drop(tx);
            let Some(last) = gone.last() else { break };
            after.clone_from(&last.hash);
            for content in gone {
                self.remove_bytes(content).await?;
            }
        }
        self.inner.blobs.clean_staging(now.plus_s(-STAGING_S)).await.map_err(storage)?;
        Ok(())
    }

    /// Removes bytes that nothing refers to, and forgets them; what was stored again meanwhile stays in both ways.
    async fn remove_bytes(&self, content: Gone) -> Result<(), Error> {
        let before = self.inner.clock.now().plus_s(-UNREFERENCED_S);
        let done = match <[u8; 32]>::try_from(content.hash.as_slice()) {
            Ok(bytes) if !content.used => self
                .inner
                .blobs
                .delete(&BlobHash::from_bytes(bytes), before)
                .await
                .map_err(storage)?,
            _ => true,
        };
        if !done {
            return Ok(());
        }
        self.db()
            .write(move |tx| {
                let content = content.clone();
                Box::pin(async move { Ok(store::media::forget_gone(tx, &content).await?) })
            })
            .await
    }
}

/// Removes every upload of a post.
pub(crate) async fn drop_media_of(tx: &mut Tx, post: PostId) -> Result<(), Error> {
    for media in store::media::ids_of_post(tx, post).await? {
        store::media::drop_media(tx, media).await?;
    }
    Ok(())
}
