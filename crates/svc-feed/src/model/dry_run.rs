//! What other weights would make of explore: the same posts in both orders.

use mainstay_contract::{id::PostId, ts::Ts};

use super::rank::{Counts, Weights, rank_key, score};
use crate::view::ScoreView;

/// A post of the sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sampled {
    /// The post.
    pub post: PostId,
    /// Its counters.
    pub counts: Counts,
    /// When it was published.
    pub published_at: Ts,
}

/// A post with its place under both weights, from 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// The post.
    pub post: PostId,
    /// Its place under the present weights.
    pub old_rank: usize,
    /// Its place under the new ones.
    pub new_rank: usize,
    /// The terms under the present weights.
    pub old: ScoreView,
    /// The terms under the new ones.
    pub new: ScoreView,
}

/// The first `limit` posts under the `new` weights, each with what it is under the `old` ones.
pub fn compare(
    posts: &[Sampled],
    old: &Weights,
    new: &Weights,
    now: Ts,
    limit: usize,
) -> Vec<Compared> {
    let mut old_ranks = vec![0; posts.len()];
    for (rank, place) in order(posts, old).into_iter().enumerate() {
        if let Some(slot) = old_ranks.get_mut(place) {
            *slot = rank + 1;
        }
    }
    let first = order(posts, new).into_iter().take(limit).enumerate();
    first
        .filter_map(|(rank, place)| {
            let sampled = posts.get(place)?;
            Some(Compared {
                post: sampled.post,
                old_rank: old_ranks.get(place).copied().unwrap_or_default(),
                new_rank: rank + 1,
                old: score(sampled.counts, sampled.published_at, now, old),
                new: score(sampled.counts, sampled.published_at, now, new),
            })
        })
        .collect()
}

/// The places of `posts` in explore's order.
fn order(posts: &[Sampled], weights: &Weights) -> Vec<usize> {
    let keys: Vec<(f64, Ts, PostId)> = posts
        .iter()
        .map(|p| (rank_key(p.counts, p.published_at, weights), p.published_at, p.post))
        .collect();
    let mut places: Vec<usize> = (0..posts.len()).collect();
    places.sort_by(|a, b| match (keys.get(*a), keys.get(*b)) {
        (Some(a), Some(b)) => b.0.total_cmp(&a.0).then_with(|| (b.1, b.2).cmp(&(a.1, a.2))),
        _ => a.cmp(b),
    });
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_weights_turn_the_order_round_and_both_places_are_told() {
        let now = Ts::from_micros(1_795_000_000_000_000);
        let sampled = |id, likes, comments| Sampled {
            post: PostId::from_bits(id),
            counts: Counts { likes, comments, views: 0 },
            published_at: now.plus_s(-3_600),
        };
        let posts = [sampled(1, 10, 0), sampled(2, 0, 4), sampled(3, 0, 0)];
        let old = Weights::default();
        let new = Weights { like: 1.0, comment: 5.0, ..old };
        let compared = compare(&posts, &old, &new, now, 2);
        let ranks: Vec<(u128, usize, usize)> =
            compared.iter().map(|c| (c.post.bits(), c.old_rank, c.new_rank)).collect();
        assert_eq!(ranks, [(2, 2, 1), (1, 1, 2)]);
        assert!(compared.iter().all(|c| c.new.total > 0.0 && c.new.age_hours == 1.0));
    }
}
