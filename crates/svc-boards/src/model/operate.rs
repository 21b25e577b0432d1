//! What a submission makes of an owner's scores.

use std::cmp::Ordering;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::board::Direction;

/// How a board takes scores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Operator {
    /// Keeps the better one, compared as a whole: a run counts as it was played.
    Best,
    /// Takes the newest one.
    Set,
    /// Adds each column to what is there.
    Incr,
    /// Takes each column off what is there; below 0 it stays 0. An owner begins with 0.
    Decr,
}

impl Operator {
    /// The word that is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Set => "set",
            Self::Incr => "incr",
            Self::Decr => "decr",
        }
    }

    /// The one with this word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Best, Self::Set, Self::Incr, Self::Decr].into_iter().find(|one| one.as_str() == word)
    }
}

/// A column would leave the numbers of 64 bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow {
    /// Its place, from 0.
    pub column: usize,
}

/// Which of two score lists ranks first, column by column.
pub fn compare(directions: impl IntoIterator<Item = Direction>, a: &[i64], b: &[i64]) -> Ordering {
    directions
        .into_iter()
        .zip(a.iter().zip(b))
        .map(|(direction, (a, b))| match direction {
            Direction::Asc => a.cmp(b),
            Direction::Desc => b.cmp(a),
        })
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// What an owner who has `old` has after submitting `given`. The same list means that nothing changed.
///
/// # Errors
/// [`Overflow`] if a sum leaves 64 bits; the owner keeps what they have.
pub fn operate(
    operator: Operator,
    directions: impl IntoIterator<Item = Direction>,
    old: Option<&[i64]>,
    given: &[i64],
) -> Result<Vec<i64>, Overflow> {
    let Some(old) = old else {
        return Ok(match operator {
            Operator::Decr => vec![0; given.len()],
            _ => given.to_vec(),
        });
    };
    let each = |change: fn(i64, i64) -> Option<i64>| {
        let columns = old.iter().zip(given).enumerate();
        columns.map(|(column, (a, b))| change(*a, *b).ok_or(Overflow { column })).collect()
    };
    match operator {
        Operator::Best if compare(directions, given, old).is_lt() => Ok(given.to_vec()),
        Operator::Best => Ok(old.to_vec()),
        Operator::Set => Ok(given.to_vec()),
        Operator::Incr => each(i64::checked_add),
        Operator::Decr => each(|a, b| a.checked_sub(b).map(|left| left.max(0))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DOWN_UP: [Direction; 2] = [Direction::Desc, Direction::Asc];

    #[test]
    fn best_keeps_a_run_as_it_was_played() {
        let best = |old: &[i64], new: &[i64]| operate(Operator::Best, DOWN_UP, Some(old), new);
        assert_eq!(best(&[100, 5], &[90, 2]), Ok(vec![100, 5]), "never 100 with 2");
        assert_eq!(best(&[100, 5], &[100, 4]), Ok(vec![100, 4]), "less time for the same score");
        assert_eq!(best(&[100, 5], &[101, 9]), Ok(vec![101, 9]));
    }

    #[test]
    fn sums_are_checked_and_taking_off_ends_at_zero() {
        let with = |operator, old: &[i64], new: &[i64]| operate(operator, DOWN_UP, Some(old), new);
        assert_eq!(with(Operator::Incr, &[1, -2], &[2, 2]), Ok(vec![3, 0]));
        assert_eq!(with(Operator::Incr, &[0, i64::MAX], &[0, 1]), Err(Overflow { column: 1 }));
        assert_eq!(with(Operator::Decr, &[5, 5], &[2, 9]), Ok(vec![3, 0]));
        assert_eq!(operate(Operator::Decr, DOWN_UP, None, &[4, 4]), Ok(vec![0, 0]));
        assert_eq!(with(Operator::Set, &[5, 5], &[2, 9]), Ok(vec![2, 9]));
    }
}
