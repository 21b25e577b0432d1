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
/// who are tied share the sum of their places; what that leaves over goes to the first of them. All of the pool is
/// given away as long as somebody takes part.
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
        theirs.fill(sum / count);
        if let Some(best) = theirs.first_mut() {
            *best += sum % count;
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
        assert_eq!(split_pool(100, &[60, 30, 10], &[]), Vec::<i64>::new());
        assert!(is_split(&[60, 30, 10]) && !is_split(&[30, 60, 10]) && !is_split(&[60, 30]));
    }

    proptest! {
        #[test]
        fn all_of_a_pool_is_given_and_nobody_gets_more_than_somebody_better(
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
            for (prizes, scores) in prizes.windows(2).zip(scores.windows(2)) {
                if scores[0] == scores[1] {
                    // What a division leaves over, at most one unit for each of the tied.
                    prop_assert!(prizes[0] >= prizes[1] && prizes[0] - prizes[1] < 30);
                } else {
                    prop_assert!(prizes[0] + 30 >= prizes[1]);
                }
            }
        }
    }
}
