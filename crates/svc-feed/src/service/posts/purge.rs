//! What is erased for good after its time, in batches: deleted and removed posts with what others said of them, deleted
//! comments that nothing answers, old views, reports that were acted on.

use mainstay_contract::{id::PostId, ts::Ts};
use mainstay_core::{
    db::{BoxFuture, DbError, Tx},
    params,
};

use super::Feed;
use crate::{
    error::Error,
    model::{
        DELETED_COMMENT_LIFE_S, DELETED_LIFE_S, REMOVED_LIFE_S, REPORT_LIFE_S, VIEW_LIFE_S,
        post_state,
    },
    service::media::drop_media_of,
    store::{self, purge},
};

/// Rows that one transaction removes.
const BATCH: i64 = 500;
/// Transactions for one post or kind of rows in one run; the next run goes on.
const BATCHES_MAX: usize = 200;
/// Posts of each kind that one run erases.
const POSTS_MAX: i64 = 100;

impl Feed {
    /// Erases what has been kept for long enough. Harmless on repeat; what one run does not get to, the next one does.
    ///
    /// # Errors
    /// If the records cannot be used; a single post that cannot be erased is logged and holds up no other.
    pub(crate) async fn purge(&self) -> Result<(), Error> {
        let now = self.inner.clock.now();
        let (deleted, removed) = (now.plus_s(-DELETED_LIFE_S), now.plus_s(-REMOVED_LIFE_S));
        for post in self.gone(post_state::REMOVED, removed).await? {
            if let Err(error) = self.end_removed(post, removed).await {
                tracing::error!(%post, %error, "give up a removed post");
            }
        }
        for post in self.gone(post_state::DELETED, deleted).await? {
            if let Err(error) = self.erase(post).await {
                tracing::error!(%post, %error, "erase a post that is gone");
            }
        }
        let comments = now.plus_s(-DELETED_COMMENT_LIFE_S);
        for post in self.posts_of_gone_comments(comments).await? {
            if let Err(error) = self.erase_comments(post, comments).await {
                tracing::error!(%post, %error, "erase comments that are gone");
            }
        }
        let (views, reports) = (now.plus_s(-VIEW_LIFE_S), now.plus_s(-REPORT_LIFE_S));
        self.in_batches(views, |tx, before| Box::pin(purge::drop_views(tx, before, BATCH))).await?;
        self.in_batches(reports, |tx, before| Box::pin(purge::drop_reports(tx, before, BATCH)))
            .await?;
        Ok(())
    }

    async fn gone(&self, state: i64, before: Ts) -> Result<Vec<PostId>, Error> {
        let mut tx = self.db().read().await?;
        Ok(purge::gone_posts(&mut tx, state, before, POSTS_MAX).await?)
    }

    /// Makes a removed post one that is erased like those that were deleted: half erased it must not be restored.
    async fn end_removed(&self, post: PostId, before: Ts) -> Result<bool, Error> {
        self.db()
            .write_locking(&store::posts::LOCK_STAT, params![post], None, move |tx| {
                Box::pin(async move { Ok(purge::end_removed(tx, post, before).await?) })
            })
            .await
    }

    /// Erases a post with everything that hangs on it, or a good part of that.
    async fn erase(&self, post: PostId) -> Result<(), Error> {
        let comments = self
            .in_batches(post, |tx, post| Box::pin(purge::drop_comments(tx, post, BATCH)))
            .await?;
        let likes =
            self.in_batches(post, |tx, post| Box::pin(purge::drop_likes(tx, post, BATCH))).await?;
        if !(comments && likes) {
            return Ok(());
        }
        self.db()
            .write(move |tx| {
                Box::pin(async move {
                    drop_media_of(tx, post).await?;
                    Ok(purge::drop_post(tx, post).await?)
                })
            })
            .await
    }

    async fn posts_of_gone_comments(&self, before: Ts) -> Result<Vec<PostId>, Error> {
        let mut tx = self.db().read().await?;
        Ok(purge::posts_of_gone(&mut tx, before, BATCH).await?)
    }

    /// Erases comments that are gone under a post that stays, in transactions of a batch each. What is left waits for
    /// the next run.
    async fn erase_comments(&self, post: PostId, before: Ts) -> Result<(), Error> {
        for _ in 0..BATCHES_MAX {
            if self.erase_some_comments(post, before).await? == 0 {
                break;
            }
        }
        Ok(())
    }

    async fn erase_some_comments(&self, post: PostId, before: Ts) -> Result<u64, Error> {
        self.db()
            .write_locking(&store::posts::LOCK_STAT, params![post], None, move |tx| {
                Box::pin(
                    async move { Ok(purge::drop_gone_comments(tx, post, before, BATCH).await?) },
                )
            })
            .await
    }

    /// Removes rows until there are none, in transactions of a batch each; `false` if there may be more.
    async fn in_batches<K: Copy + Send + Sync + 'static>(
        &self,
        of: K,
        remove: for<'t> fn(&'t mut Tx, K) -> Batch<'t>,
    ) -> Result<bool, Error> {
        for _ in 0..BATCHES_MAX {
            let removed: u64 = self
                .db()
                .write::<_, Error, _>(move |tx| Box::pin(async move { Ok(remove(tx, of).await?) }))
                .await?;
            if removed == 0 {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

type Batch<'t> = BoxFuture<'t, Result<u64, DbError>>;
