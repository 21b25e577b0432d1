//! Rows, and how a struct is read from one: column by column, in the order of the statement.

use super::{
    DbError,
    value::{FromValue, Value, decode},
};

/// A row that was read.
#[derive(Debug)]
pub struct Row {
    values: std::vec::IntoIter<Value>,
    column: usize,
}

impl Row {
    pub(super) fn new(values: Vec<Value>) -> Self {
        Self { values: values.into_iter(), column: 0 }
    }

    /// The next column.
    ///
    /// # Errors
    /// `Decode` if it holds something else or there is none.
    #[expect(
        clippy::should_implement_trait,
        reason = "each column has its own type; no iterator can do that"
    )]
    pub fn next<T: FromValue>(&mut self) -> Result<T, DbError> {
        let column = self.column;
        self.column += 1;
        let missing = DbError::Decode { column, expected: T::EXPECTED };
        decode(column, self.values.next().ok_or(missing)?)
    }
}

/// Something that is read from the next columns of a row. Implemented by [`row!`](crate::row) and for tuples.
pub trait FromRow: Sized {
    /// Reads it.
    ///
    /// # Errors
    /// `Decode` if a column holds something else.
    fn from_row(row: &mut Row) -> Result<Self, DbError>;
}

/// Declares a struct that is read from a row: its fields are the statement's columns, in order.
#[macro_export]
macro_rules! row {
    ($(#[$meta:meta])* $vis:vis struct $name:ident {
        $($(#[$fmeta:meta])* $fvis:vis $field:ident : $ty:ty),* $(,)?
    }) => {
        $(#[$meta])* $vis struct $name { $($(#[$fmeta])* $fvis $field: $ty),* }
        impl $crate::db::FromRow for $name {
            fn from_row(row: &mut $crate::db::Row) -> Result<Self, $crate::db::DbError> {
                Ok(Self { $($field: row.next()?),* })
            }
        }
    };
}

macro_rules! tuples {
    ($(($($name:ident),+))*) => { $(
        impl<$($name: FromValue),+> FromRow for ($($name,)+) {
            fn from_row(row: &mut Row) -> Result<Self, DbError> { Ok(($(row.next::<$name>()?,)+)) }
        }
    )* };
}

tuples! { (A) (A, B) (A, B, C) (A, B, C, D) (A, B, C, D, E) (A, B, C, D, E, F) (A, B, C, D, E, F, G) }
