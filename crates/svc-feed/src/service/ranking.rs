//! New weights: every place in explore is computed again.
//!
//! The weights in force are a row that each change of a post reads with the post, so from the moment they are there
//! nothing is ranked by others, whatever an instance that started earlier has configured. What was ranked before is
//! walked through in the order of ids, some posts at a time, and how far is written with them: a crash loses nothing,
//! and of several instances one walks while the others wait. Each change of a place is noted as any other is.

use mainstay_contract::feed::RankingChangedV1;

use super::{Feed, tags};
use crate::{
    error::Error,
    model::rank::rank_key,
    store::ranking::{self, PlaceBefore},
};

/// Posts of one step: whoever likes one of them meanwhile waits for some 10 ms at most.
const STEP: usize = 64;

/// Whether there is more to walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Walked {
    /// Some posts; there may be more.
    Some,
    /// Every place follows the weights in force.
    All,
}

impl Feed {
    /// Puts the configured weights in force, unless they are: cursors from before end, and
    /// [`Feed::rank_again`] has something to do.
    pub(super) async fn begin_weights(&self) -> Result<(), Error> {
        let configured = self.inner.config.weights;
        let mut tx = self.db().read().await?;
        let known = ranking::in_force(&mut tx).await?;
        drop(tx);
        if known.is_some_and(|known| known.weights() == configured) {
            return Ok(());
        }
        self.db()
            .write(move |tx| {
                Box::pin(async move {
                    let known = ranking::in_force(tx).await?;
                    if known.is_some_and(|known| known.weights() == configured) {
                        return Ok(());
                    }
                    let generation = known.map_or(1, |known| known.generation + 1);
                    ranking::begin(tx, generation, &configured).await?;
                    let fact = RankingChangedV1 { generation, complete: false };
                    tx.emit(&fact, &[tags::EXPLORE, tags::WEIGHTS]).await?;
                    Ok(())
                })
            })
            .await
    }

    /// Computes every place again that may not follow the weights in force.
    pub(crate) async fn rank_again(&self) -> Result<(), Error> {
        while self.rank_some_again().await? == Walked::Some {}
        Ok(())
    }

    /// The next step of it.
    pub(crate) async fn rank_some_again(&self) -> Result<Walked, Error> {
        let mut tx = self.db().read().await?;
        let known = ranking::in_force(&mut tx).await?;
        drop(tx);
        if known.is_none_or(|known| known.walked_to.is_none()) {
            return Ok(Walked::All);
        }
        self.db()
            .write_queued(&ranking::LOCK, &[], |tx| {
                Box::pin(async move {
                    // Another instance may have taken this step, or brought yet other weights.
                    let Some(in_force) = ranking::in_force(tx).await? else {
                        return Ok(Walked::All);
                    };
                    let Some(walked_to) = in_force.walked_to else { return Ok(Walked::All) };
                    let weights = in_force.weights();
                    let posts = ranking::places_after(tx, walked_to, STEP).await?;
                    let last = posts.last().filter(|_| posts.len() == STEP).map(|last| last.post);
                    ranking::walked(tx, last).await?;
                    let moved: Vec<_> = posts
                        .iter()
                        .filter_map(|keyed| {
                            let (before, published_at) = (keyed.key?, keyed.published_at?);
                            let after = rank_key(keyed.counts(), published_at, &weights);
                            let before =
                                PlaceBefore { post: keyed.post, key: Some(before), published_at };
                            (Some(after) != before.key).then_some((before, after))
                        })
                        .collect();
                    if last.is_none() || !moved.is_empty() {
                        let generation = in_force.generation;
                        let fact = RankingChangedV1 { generation, complete: last.is_none() };
                        tx.emit(&fact, &[tags::EXPLORE]).await?;
                    }
                    ranking::set_keys(tx, &moved).await?;
                    Ok(if last.is_some() { Walked::Some } else { Walked::All })
                })
            })
            .await
    }
}
