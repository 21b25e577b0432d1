//! In which order scores stand.

/// Which score of a column ranks first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// The lowest.
    Asc,
    /// The highest.
    Desc,
}

/// What happens with equal scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ties {
    /// The lower number ranks first.
    Earliest,
    /// Ranks go by the owner's bytes.
    Owner,
    /// They share a rank, the next one is left out: 1, 2, 2, 4. Listed by number.
    Shared,
    /// They share a rank, none is left out: 1, 2, 2, 3. Listed by number.
    Dense,
}

/// The most columns.
pub const COLUMNS_MAX: usize = 5;

/// The order of a ranking: columns, the first one first, each with its direction; then the rule for ties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    directions: Vec<Direction>,
    ties: Ties,
}

impl Order {
    /// One to five columns; of more the first five count, and none is one that ranks the highest first.
    pub fn new(mut directions: Vec<Direction>, ties: Ties) -> Self {
        directions.truncate(COLUMNS_MAX);
        if directions.is_empty() {
            directions.push(Direction::Desc);
        }
        Self { directions, ties }
    }

    /// How many columns.
    pub fn columns(&self) -> usize {
        self.directions.len()
    }

    /// The directions, the first column's first.
    pub fn directions(&self) -> &[Direction] {
        &self.directions
    }

    /// The rule for ties.
    pub fn ties(&self) -> Ties {
        self.ties
    }

    /// The scores turned so that the first in rank is the smallest. Missing ones are 0.
    pub(super) fn key<const N: usize>(&self, scores: &[i64]) -> [u64; N] {
        let mut key = [0; N];
        for (place, part) in key.iter_mut().enumerate() {
            let score = scores.get(place).copied().unwrap_or_default();
            let ascending = score.cast_unsigned() ^ (1 << 63);
            *part = match self.directions.get(place) {
                Some(Direction::Asc) => ascending,
                Some(Direction::Desc) | None => !ascending,
            };
        }
        key
    }

    /// What [`Order::key`] was made of.
    pub(super) fn scores<const N: usize>(&self, key: &[u64; N]) -> Vec<i64> {
        let parts = key.iter().zip(&self.directions);
        let score = |(part, direction): (&u64, &Direction)| {
            let ascending = match direction {
                Direction::Asc => *part,
                Direction::Desc => !*part,
            };
            (ascending ^ (1 << 63)).cast_signed()
        };
        parts.map(score).collect()
    }
}
