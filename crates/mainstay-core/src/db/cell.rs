//! Rows that are looked at in place, without a copy of each: for lists of millions.

use tokio_postgres::types::{FromSql, Type};

use super::{DbError, postgres::POSTGRES_EPOCH};

/// A column of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cell<'a> {
    /// No value.
    Null,
    /// A whole number; of an instant, its microseconds.
    I64(i64),
    /// Text, or a document.
    Text(&'a str),
    /// Bytes.
    Bytes(&'a [u8]),
}

/// Looks at a row.
pub type Look<'l> = dyn FnMut(&[Cell<'_>]) -> Result<(), DbError> + Send + 'l;

impl<'a> Cell<'a> {
    /// The text, if it is one.
    ///
    /// # Errors
    /// `Decode` if it is something else.
    pub fn text(self, column: usize) -> Result<&'a str, DbError> {
        match self {
            Self::Text(text) => Ok(text),
            _ => Err(DbError::Decode { column, expected: "text" }),
        }
    }

    /// The bytes, if it is some.
    ///
    /// # Errors
    /// `Decode` if it is something else.
    pub fn bytes(self, column: usize) -> Result<&'a [u8], DbError> {
        match self {
            Self::Bytes(bytes) => Ok(bytes),
            _ => Err(DbError::Decode { column, expected: "bytes" }),
        }
    }

    /// The number, if it is one.
    ///
    /// # Errors
    /// `Decode` if it is something else.
    pub fn i64(self, column: usize) -> Result<i64, DbError> {
        match self {
            Self::I64(number) => Ok(number),
            _ => Err(DbError::Decode { column, expected: "a whole number" }),
        }
    }
}

impl<'a> FromSql<'a> for Cell<'a> {
    fn from_sql(
        ty: &Type,
        raw: &'a [u8],
    ) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        match *ty {
            Type::INT8 => i64::from_sql(ty, raw).map(Self::I64),
            // Microseconds too, of another beginning.
            Type::TIMESTAMPTZ => {
                let since = <[u8; 8]>::try_from(raw).map(i64::from_be_bytes)?;
                Ok(Self::I64(since.saturating_add(POSTGRES_EPOCH)))
            }
            Type::BYTEA => Ok(Self::Bytes(raw)),
            // One byte says which form the document has.
            Type::JSONB => {
                let text = raw.split_first().map(|(_, text)| text).unwrap_or_default();
                Ok(Self::Text(std::str::from_utf8(text)?))
            }
            _ => Ok(Self::Text(std::str::from_utf8(raw)?)),
        }
    }

    fn from_sql_null(_ty: &Type) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        Ok(Self::Null)
    }

    fn accepts(ty: &Type) -> bool {
        matches!(*ty, Type::INT8 | Type::TIMESTAMPTZ | Type::BYTEA | Type::TEXT | Type::JSONB)
    }
}
