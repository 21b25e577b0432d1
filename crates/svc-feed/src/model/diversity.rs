//! Author diversity: in a block of a ranking, posts of one author move apart. Nothing is dropped.

use std::collections::VecDeque;

/// Ranks that are reordered together. The blocks of a frozen ranking are fixed, so pages of any size agree.
pub const BLOCK_LEN: usize = 60;
/// Most posts of one author in a row while others are left in the block.
const IN_A_ROW_MAX: usize = 2;

/// The order in which a block is shown: positions into `authors`, which stand in rank order.
///
/// Each place takes the highest ranked post whose author has not just had two in a row; when only such are left they
/// follow in rank order. The same authors always give the same order.
pub fn spread<A: Copy + Eq>(authors: &[A]) -> Vec<usize> {
    let mut left: VecDeque<(usize, A)> = authors.iter().copied().enumerate().collect();
    let mut order = Vec::with_capacity(authors.len());
    let mut row: Option<(A, usize)> = None;
    while !left.is_empty() {
        let full = row.filter(|(_, len)| *len >= IN_A_ROW_MAX).map(|(author, _)| author);
        let place = left.iter().position(|(_, author)| Some(*author) != full).unwrap_or(0);
        let Some((rank, author)) = left.remove(place) else { break };
        row = match row {
            Some((last, len)) if last == author => Some((author, len + 1)),
            _ => Some((author, 1)),
        };
        order.push(rank);
    }
    order
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_third_in_a_row_waits_for_somebody_else() {
        assert_eq!(spread(&['a', 'a', 'a', 'b', 'a', 'c']), vec![0, 1, 3, 2, 4, 5]);
        assert_eq!(spread(&['a', 'a', 'a', 'a']), vec![0, 1, 2, 3]);
    }

    proptest! {
        #[test]
        fn nothing_is_dropped_and_nothing_stands_twice(authors in proptest::collection::vec(0..5_u8, 0..60)) {
            let mut order = spread(&authors);
            order.sort_unstable();
            prop_assert_eq!(order, (0..authors.len()).collect::<Vec<_>>());
        }
    }
}
