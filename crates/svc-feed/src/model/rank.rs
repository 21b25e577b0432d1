//! Explore's score, and the key that orders by it without growing old.
//!
//! The score is `(likes·wl + comments·wc + views·wv) · e^(−decay·hours)`. Its order does not change with time alone:
//! `ln(weight) + decay·published_hours` orders the same and moves only when something happens, so it is a column with
//! an index and nothing is ever recomputed in the background.

use mainstay_contract::ts::Ts;
use serde::{Deserialize, Serialize};

use crate::view::ScoreView;

/// What each thing weighs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Weights {
    /// A like.
    pub like: f64,
    /// A comment.
    pub comment: f64,
    /// A counted view.
    pub view: f64,
    /// How fast a score falls, per hour: at 0.1 it halves in seven hours.
    pub decay_per_hour: f64,
}

impl Default for Weights {
    fn default() -> Self {
        Self { like: 2.0, comment: 3.0, view: 0.1, decay_per_hour: 0.1 }
    }
}

impl Weights {
    /// Whether every weight is a number from 0 to a million, and something weighs at all.
    pub fn are_valid(&self) -> bool {
        let all = [self.like, self.comment, self.view, self.decay_per_hour];
        all.iter().all(|weight| (0.0..=1e6).contains(weight))
            && all.iter().take(3).any(|weight| *weight > 0.0)
    }
}

/// The key of posts that nobody reacted to: below every other, so that among them the newest is first.
pub const NO_REACTION: f64 = -1e300;

/// A post's counters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts {
    /// Likes.
    pub likes: i64,
    /// Shown comments.
    pub comments: i64,
    /// Counted views.
    pub views: i64,
}

/// The key that orders explore; greater is higher.
pub fn rank_key(counts: Counts, published_at: Ts, weights: &Weights) -> f64 {
    let weight = counts.likes as f64 * weights.like
        + counts.comments as f64 * weights.comment
        + counts.views as f64 * weights.view;
    if weight <= 0.0 {
        return NO_REACTION;
    }
    weight.ln() + weights.decay_per_hour * hours(published_at)
}

/// Hours since 2020: small numbers keep all digits of a double.
fn hours(at: Ts) -> f64 {
    (at.as_micros() - 1_577_836_800_000_000) as f64 / 3_600e6
}

/// The score's terms at `now`.
pub fn score(counts: Counts, published_at: Ts, now: Ts, weights: &Weights) -> ScoreView {
    let age_hours = now.micros_since(published_at).max(0) as f64 / 3_600e6;
    let likes = counts.likes as f64 * weights.like;
    let comments = counts.comments as f64 * weights.comment;
    let views = counts.views as f64 * weights.view;
    let decay = (-weights.decay_per_hour * age_hours).exp();
    ScoreView {
        likes,
        comments,
        views,
        age_hours,
        decay,
        total: (likes + comments + views) * decay,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts() -> impl Strategy<Value = Counts> {
        (0..10_000_i64, 0..10_000_i64, 0..1_000_000_i64)
            .prop_map(|(likes, comments, views)| Counts { likes, comments, views })
    }

    proptest! {
        #[test]
        fn the_key_orders_as_the_score_does_at_any_time(
            a in counts(), b in counts(), age_a in 0..800_000_i64, age_b in 0..800_000_i64,
        ) {
            let now = Ts::from_micros(1_795_000_000_000_000);
            let weights = Weights::default();
            let (at_a, at_b) = (now.plus_s(-age_a), now.plus_s(-age_b));
            let (score_a, score_b) = (score(a, at_a, now, &weights).total, score(b, at_b, now, &weights).total);
            let (key_a, key_b) = (rank_key(a, at_a, &weights), rank_key(b, at_b, &weights));
            // Scores closer than a double can tell apart may order either way.
            if (score_a - score_b).abs() > 1e-9 * score_a.max(score_b) {
                prop_assert_eq!(score_a > score_b, key_a > key_b);
            }
        }
    }
}
