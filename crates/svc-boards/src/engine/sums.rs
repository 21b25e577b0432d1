//! Sums of a list of counts up to any place.

/// Counts, and for each how much lies before it.
#[derive(Debug, Clone, Default)]
pub(super) struct Sums {
    before: Vec<u64>,
    total: u64,
}

impl Sums {
    /// Of these counts.
    pub(super) fn of(counts: impl Iterator<Item = u64>) -> Self {
        let mut total = 0;
        let before = counts
            .map(|count| {
                total += count;
                total - count
            })
            .collect();
        Self { before, total }
    }

    /// How much lies before `at`.
    pub(super) fn before(&self, at: usize) -> u64 {
        self.before.get(at).copied().unwrap_or(self.total)
    }

    pub(super) fn total(&self) -> u64 {
        self.total
    }

    /// Adds to the count at `at`, or takes off. A few hundred counts lie behind: one pass that compilers widen.
    pub(super) fn add(&mut self, at: usize, change: i64) {
        let change = change.cast_unsigned();
        if let Some(behind) = self.before.get_mut(at + 1..) {
            behind.iter_mut().for_each(|before| *before = before.wrapping_add(change));
        }
        self.total = self.total.wrapping_add(change);
    }

    /// The last count that begins at `place` or before it.
    pub(super) fn find(&self, place: u64) -> usize {
        self.before.partition_point(|before| *before <= place).saturating_sub(1)
    }

    pub(super) fn bytes(&self) -> usize {
        self.before.capacity() * size_of::<u64>()
    }
}
