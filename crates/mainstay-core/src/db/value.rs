//! What goes into a statement and comes out of a row, the same for both engines.
//!
//! | Rust | Postgres | SQLite |
//! |---|---|---|
//! | `Id<K>` | `uuid` | blob of 16 bytes |
//! | `Ts` | `timestamptz` | integer, microseconds |
//! | `Json<T>` | `jsonb` | text |
//! | `i64`, `i32`, `u32`, `bool` | `bigint`, `boolean` | integer |
//! | `f64` | `double precision` | real |
//! | `String`, `&str` | `text` | text |
//! | `Vec<u8>`, `&[u8]` | `bytea` | blob |
//! | `Vec<Id<K>>` | `uuid[]` | JSON array of hex strings |

use std::borrow::Cow;

use mainstay_contract::{
    id::{Id, Kind},
    ts::Ts,
};
use serde::{Serialize, de::DeserializeOwned};

use super::DbError;

/// A parameter of a statement.
#[derive(Debug, Clone)]
pub enum Param<'a> {
    /// No value.
    Null,
    /// A truth value.
    Bool(bool),
    /// A whole number.
    I64(i64),
    /// A real number.
    F64(f64),
    /// Text.
    Text(Cow<'a, str>),
    /// Bytes.
    Bytes(Cow<'a, [u8]>),
    /// An identifier, big-endian.
    Id([u8; 16]),
    /// An instant.
    Ts(Ts),
    /// A document, as text.
    Json(String),
    /// Several identifiers, for `= any($1)`.
    Ids(Vec<[u8; 16]>),
    /// Several texts, for `= any($1)`.
    Texts(Cow<'a, [String]>),
    /// Values of many rows, for `unnest($1::bigint[])`; on Postgres only, see [`Tx::run_rows`](super::Tx::run_rows).
    List(Vec<Param<'a>>),
}

impl Param<'_> {
    /// It without what it borrows.
    pub(super) fn into_owned(self) -> Param<'static> {
        match self {
            Self::Null => Param::Null,
            Self::Bool(value) => Param::Bool(value),
            Self::I64(value) => Param::I64(value),
            Self::F64(value) => Param::F64(value),
            Self::Text(value) => Param::Text(value.into_owned().into()),
            Self::Bytes(value) => Param::Bytes(value.into_owned().into()),
            Self::Id(value) => Param::Id(value),
            Self::Ts(value) => Param::Ts(value),
            Self::Json(value) => Param::Json(value),
            Self::Ids(values) => Param::Ids(values),
            Self::Texts(values) => Param::Texts(values.into_owned().into()),
            Self::List(values) => Param::List(values.into_iter().map(Param::into_owned).collect()),
        }
    }
}

/// A value of a row.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// No value.
    Null,
    /// A truth value (Postgres only; SQLite has integers).
    Bool(bool),
    /// A whole number.
    I64(i64),
    /// A real number.
    F64(f64),
    /// Text, or a document.
    Text(String),
    /// Bytes, or an identifier on SQLite.
    Bytes(Vec<u8>),
    /// An identifier (Postgres only).
    Id(u128),
    /// An instant (Postgres only).
    Ts(Ts),
}

/// A document in a column: serialised on the way in, parsed on the way out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Json<T>(pub T);

/// Something that can be a parameter.
pub trait ToParam {
    /// It as a parameter.
    fn to_param(&self) -> Param<'_>;
}

/// Something that a column can hold.
pub trait FromValue: Sized {
    /// The type's name in an error.
    const EXPECTED: &'static str;
    /// It from a value; `None` if the value is of another kind.
    fn from_value(value: Value) -> Option<Self>;
}

/// The parameters of a statement: `params![post, user, now]`.
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { &[$($crate::db::ToParam::to_param(&$value)),*] };
}

macro_rules! both {
    ($($ty:ty: |$value:ident| $param:expr, $expected:literal, $($pattern:pat => $out:expr),+;)*) => { $(
        impl ToParam for $ty {
            fn to_param(&self) -> Param<'_> { let $value = self; $param }
        }
        impl FromValue for $ty {
            const EXPECTED: &'static str = $expected;
            fn from_value(value: Value) -> Option<Self> {
                match value { $($pattern => $out,)+ _ => None }
            }
        }
    )* };
}

both! {
    i64: |v| Param::I64(*v), "a whole number", Value::I64(n) => Some(n);
    i32: |v| Param::I64(i64::from(*v)), "a whole number of 32 bits", Value::I64(n) => n.try_into().ok();
    u32: |v| Param::I64(i64::from(*v)), "a whole number of 32 bits", Value::I64(n) => n.try_into().ok();
    u16: |v| Param::I64(i64::from(*v)), "a whole number of 16 bits", Value::I64(n) => n.try_into().ok();
    bool: |v| Param::Bool(*v), "a truth value", Value::Bool(b) => Some(b), Value::I64(n) => Some(n != 0);
    f64: |v| Param::F64(*v), "a real number", Value::F64(n) => Some(n);
    String: |v| Param::Text(v.into()), "text", Value::Text(text) => Some(text);
    Vec<u8>: |v| Param::Bytes(v.into()), "bytes", Value::Bytes(bytes) => Some(bytes);
    Ts: |v| Param::Ts(*v), "an instant", Value::Ts(ts) => Some(ts), Value::I64(n) => Some(Ts::from_micros(n));
}

impl<K: Kind> ToParam for Id<K> {
    fn to_param(&self) -> Param<'_> {
        Param::Id(self.bits().to_be_bytes())
    }
}

impl<K: Kind> FromValue for Id<K> {
    const EXPECTED: &'static str = K::NAME;
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Id(bits) => Some(Self::from_bits(bits)),
            Value::Bytes(bytes) => {
                Some(Self::from_bits(u128::from_be_bytes(bytes.try_into().ok()?)))
            }
            _ => None,
        }
    }
}

impl<K: Kind> ToParam for Vec<Id<K>> {
    fn to_param(&self) -> Param<'_> {
        Param::Ids(self.iter().map(|id| id.bits().to_be_bytes()).collect())
    }
}

impl<K: Kind> ToParam for [Id<K>] {
    fn to_param(&self) -> Param<'_> {
        Param::Ids(self.iter().map(|id| id.bits().to_be_bytes()).collect())
    }
}

impl ToParam for Vec<String> {
    fn to_param(&self) -> Param<'_> {
        Param::Texts(self.into())
    }
}

impl ToParam for str {
    fn to_param(&self) -> Param<'_> {
        Param::Text(self.into())
    }
}

impl ToParam for [u8] {
    fn to_param(&self) -> Param<'_> {
        Param::Bytes(self.into())
    }
}

impl<const N: usize> ToParam for [u8; N] {
    fn to_param(&self) -> Param<'_> {
        Param::Bytes(self.as_slice().into())
    }
}

impl<T: ToParam + ?Sized> ToParam for &T {
    fn to_param(&self) -> Param<'_> {
        (**self).to_param()
    }
}

impl<T: ToParam> ToParam for Option<T> {
    fn to_param(&self) -> Param<'_> {
        self.as_ref().map_or(Param::Null, ToParam::to_param)
    }
}

impl<T: FromValue> FromValue for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Null => Some(None),
            value => T::from_value(value).map(Some),
        }
    }
}

impl<T: Serialize> ToParam for Json<T> {
    fn to_param(&self) -> Param<'_> {
        // Our own types serialise; a map with keys that are no strings would be a fault in the code, seen by its test.
        Param::Json(serde_json::to_string(&self.0).unwrap_or_else(|_| "null".to_owned()))
    }
}

impl<T: DeserializeOwned> FromValue for Json<T> {
    const EXPECTED: &'static str = "a document of the expected shape";
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(text) => serde_json::from_str(&text).ok().map(Json),
            _ => None,
        }
    }
}

/// Reads a value or says which column it was.
pub(super) fn decode<T: FromValue>(column: usize, value: Value) -> Result<T, DbError> {
    T::from_value(value).ok_or(DbError::Decode { column, expected: T::EXPECTED })
}
