//! Explore under other weights, tried on the last day's posts.

use std::collections::HashMap;

use mainstay_contract::id::PostId;
use serde::Serialize;

use super::Feed;
use crate::{
    error::Error,
    model::{
        dry_run::{Sampled, compare},
        rank::Weights,
    },
    store,
    view::{PostView, ScoreView},
};

/// Posts that are read.
const SAMPLE_MAX: usize = 10_000;
/// Posts that are shown.
const SHOWN: usize = 50;
/// How far back posts are read.
const SAMPLE_S: i64 = 24 * 60 * 60;

/// Explore under other weights.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub(crate) struct DryRunView {
    /// Posts that were ranked.
    pub(crate) sampled: usize,
    /// The first 50 under the given weights.
    pub(crate) items: Vec<DryRunItem>,
}

/// A post under both weights. Ranks count from 1 among the posts that were ranked.
#[derive(Debug, Clone, PartialEq, Serialize, schemars::JsonSchema)]
pub(crate) struct DryRunItem {
    /// The post.
    pub(crate) post: PostView,
    /// Its place under the present weights.
    pub(crate) old_rank: usize,
    /// Its place under the given weights.
    pub(crate) new_rank: usize,
    /// The terms of its score under the present weights.
    pub(crate) old_score: ScoreView,
    /// The terms of its score under the given weights.
    pub(crate) new_score: ScoreView,
}

impl Feed {
    /// Ranks the last day's public posts under the present and under other weights. Nothing changes.
    ///
    /// # Errors
    /// `Invalid` for the weights.
    pub(crate) async fn dry_run(&self, weights: Weights) -> Result<DryRunView, Error> {
        if !weights.are_valid() {
            return Err(Error::invalid(
                "/weights",
                "out_of_range",
                "Each weight is a number from 0 to 1000000, and a like, comment or view is above 0.",
            ));
        }
        let now = self.inner.clock.now();
        let sample: Vec<Sampled> = {
            let mut tx = self.db().read().await?;
            store::ranking::sample(&mut tx, now.plus_s(-SAMPLE_S), SAMPLE_MAX).await?
        };
        let compared = compare(&sample, &self.inner.config.weights, &weights, now, SHOWN);
        let ids: Vec<PostId> = compared.iter().map(|compared| compared.post).collect();
        let (cards, _) = self.cards(&ids).await?;
        let mut posts: HashMap<PostId, PostView> =
            cards.iter().map(|card| (card.id(), card.view(false))).collect();
        let items = compared.into_iter().filter_map(|compared| {
            Some(DryRunItem {
                post: posts.remove(&compared.post)?,
                old_rank: compared.old_rank,
                new_rank: compared.new_rank,
                old_score: compared.old,
                new_score: compared.new,
            })
        });
        Ok(DryRunView { sampled: sample.len(), items: items.collect() })
    }
}
