//! Scheduled posts.

use mainstay_contract::id::PostId;
use mainstay_core::params;

use super::{Feed, publish};
use crate::{
    error::Error,
    model::post_state,
    store::{self, timelines::Dated},
};

/// Scheduled posts that one look finds.
const DUE_MAX: i64 = 100;
/// Looks of one run; the next run goes on.
const LOOKS_MAX: usize = 50;

impl Feed {
    /// Publishes scheduled posts whose time has come, and returns how many. One that cannot be published is logged and
    /// holds up no other.
    ///
    /// # Errors
    /// If the records cannot be read.
    pub(crate) async fn publish_due(&self) -> Result<usize, Error> {
        let now = self.inner.clock.now();
        let mut published = 0;
        let mut after = Dated::BOTTOM;
        for _ in 0..LOOKS_MAX {
            let due = {
                let mut tx = self.db().read().await?;
                store::timelines::due(&mut tx, now, after, DUE_MAX).await?
            };
            let Some(last) = due.last() else { break };
            after = *last;
            for Dated { post, .. } in due {
                match self.publish_one(post).await {
                    Ok(()) => published += 1,
                    Err(error) => tracing::error!(%post, %error, "publish a scheduled post"),
                }
            }
        }
        Ok(published)
    }

    async fn publish_one(&self, id: PostId) -> Result<(), Error> {
        let weights = self.inner.config.weights;
        self.db()
            .write_locking(&store::posts::LOCK_STAT, params![id], None, move |tx| {
                Box::pin(async move {
                    let held = store::posts::held(tx, id, None).await?;
                    // Another instance may have published it, or its author changed its mind.
                    if held.is_some_and(|held| held.sight.state == post_state::SCHEDULED) {
                        store::posts::set_state(tx, id, post_state::PUBLISHED).await?;
                        publish(tx, id, &weights).await?;
                    }
                    Ok(())
                })
            })
            .await
    }
}
