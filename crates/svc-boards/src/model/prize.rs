//! How a pool is split among places.

/// The most places that get something.
pub const PLACES_MAX: usize = 100;

/// Whether these are shares of a pool in per cent: 1 to 100 of them, none below the next one, 100 in all.
pub fn is_split(split: &[u32]) -> bool {
    let fits = (1..=PLACES_MAX).contains(&split.len());
    fits && split.is_sorted_by(|a, b| a >= b)
        && split.iter().map(|share| u64::from(*share)).sum::<u64>() == 100
}

/// What each of those in the order of places gets of a pool of minor units; `scores` are theirs.
///
/// Shares are rounded down; what is left over goes to the best place, and so does what nobody has a place for. Those
/// who are tied share the sum of their places; what that leaves over goes to the first of them, a unit to each. So all
/// of the pool is given away as long as somebody takes part, nobody gets more than somebody better, and those who are
/// tied get the same but for a unit.
pub fn split_pool(pool: i64, split: &[u32], scores: &[i64]) -> Vec<i64> {
    let share = |percent: &u32| {
        let share = i128::from(pool.max(0)) * i128::from(*percent) / 100;
        i64::try_from(share).unwrap_or_default()
    };
    let mut places: Vec<i64> = split.iter().map(share).take(scores.len()).collect();
    places.resize(scores.len(), 0);
    if let Some(best) = places.first_mut() {
        *best = 0;
        let others: i64 = places.iter().sum();
        if let Some(best) = places.first_mut() {
            *best = pool.max(0) - others;
        }
    }
    let mut first = 0;
    for tied in scores.chunk_by(|a, b| a == b) {
        let Some(theirs) = places.get_mut(first..first + tied.len()) else { break };
        let (sum, count) = (theirs.iter().sum::<i64>(), tied.len() as i64);
        let (each, left) = (sum / count, sum % count);
        for (prize, place) in theirs.iter_mut().zip(0..) {
            *prize = each + i64::from(place < left);
        }
        first += tied.len();
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_pool_is_split_as_guide_two_has_it() {
        // 100 people pay ₹50; 60 % of it is ₹3,000.
        let scores: Vec<i64> = (0..100).rev().collect();
        let prizes = split_pool(300_000, &[60, 30, 10], &scores);
        assert_eq!(prizes[..4], [180_000, 90_000, 30_000, 0]);
    }

    #[test]
    fn what_is_left_over_goes_to_the_best_and_ties_share() {
        assert_eq!(split_pool(101, &[60, 30, 10], &[9, 8, 7]), [61, 30, 10]);
        assert_eq!(split_pool(100, &[60, 30, 10], &[9, 9, 7]), [45, 45, 10]);
        assert_eq!(split_pool(100, &[60, 30, 10], &[9, 8, 8, 8]), [60, 14, 13, 13]);
        assert_eq!(split_pool(100, &[60, 30, 10], &[9]), [100], "nobody else has a place");
        let many = split_pool(23, &[25, 25, 25, 25], &[9, 8, 8, 8]);
        assert_eq!(many, [8, 5, 5, 5]);
        let left = split_pool(24, &[20, 20, 20, 20, 20], &[9, 8, 8, 8, 8]);
        assert_eq!(left, [8, 4, 4, 4, 4]);
        let behind = split_pool(50, &[30, 24, 23, 23], &[9, 8, 8, 8]);
        assert_eq!(behind, [16, 12, 11, 11], "a unit to each of the first");
        assert_eq!(split_pool(100, &[60, 30, 10], &[]), Vec::<i64>::new());
        assert!(is_split(&[60, 30, 10]) && !is_split(&[30, 60, 10]) && !is_split(&[60, 30]));
    }

    proptest! {
        #[test]
        fn all_of_a_pool_is_given_by_rank_and_the_tied_get_the_same(
            pool in 0_i64..1_000_000_000_000,
            mut split in proptest::collection::vec(0_u32..40, 1..8),
            mut scores in proptest::collection::vec(0_i64..6, 1..30),
        ) {
            split.sort_unstable_by(|a, b| b.cmp(a));
            let sum: u32 = split.iter().sum();
            prop_assume!(sum <= 100);
            split[0] += 100 - sum;
            scores.sort_unstable_by(|a, b| b.cmp(a));
            let prizes = split_pool(pool, &split, &scores);
            prop_assert_eq!(prizes.iter().sum::<i64>(), pool);
            prop_assert!(prizes.iter().all(|prize| *prize >= 0));
            prop_assert!(prizes.is_sorted_by(|a, b| a >= b), "nobody gets more than somebody better");
            for tied in prizes.iter().zip(&scores).collect::<Vec<_>>().chunk_by(|a, b| a.1 == b.1) {
                let [first, .., last] = tied else { continue };
                prop_assert!(first.0 - last.0 <= 1, "the tied get the same but for a unit");
            }
            prop_assert_eq!(split_pool(pool, &split, &scores), prizes);
        }
    }
}
