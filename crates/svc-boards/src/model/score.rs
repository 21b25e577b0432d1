//! Scores as clients write them: whole numbers, or decimal texts where a column has decimals. Kept as whole numbers of
//! the smallest unit, so that they compare and add up exactly.

use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// The most decimals of a column.
pub const SCALE_MAX: u8 = 6;

/// A score as it is written in JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// A whole number.
    Whole(i64),
    /// A text, such as `12.50`.
    Text(String),
    /// A number that is not whole or too large: what it stands for is not exact.
    Inexact,
}

/// Why a score is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotAScore {
    /// It has decimals where there are none.
    #[error("Send a whole number from -9223372036854775808 to 9223372036854775807.")]
    Whole,
    /// It is not a decimal text.
    #[error("Send a text such as \"12.50\", with at most {0} decimals.")]
    Decimal(u8),
    /// It does not fit into 64 bits.
    #[error("Send a number that fits into 64 bits together with its {0} decimals.")]
    Large(u8),
}

impl NotAScore {
    /// The stable word for this fault.
    pub const fn code(self) -> &'static str {
        match self {
            Self::Whole => "not_whole",
            Self::Decimal(_) => "not_decimal",
            Self::Large(_) => "too_large",
        }
    }
}

impl Written {
    /// The score in units of 10^-`scale`. A whole number is taken with every scale.
    ///
    /// # Errors
    /// [`NotAScore`] if it is no number, is not exact, or does not fit.
    pub fn read(&self, scale: u8) -> Result<i64, NotAScore> {
        let odd = if scale == 0 { NotAScore::Whole } else { NotAScore::Decimal(scale) };
        match self {
            Self::Whole(number) => {
                number.checked_mul(10_i64.pow(scale.into())).ok_or(NotAScore::Large(scale))
            }
            Self::Text(text) => read_decimal(text, scale).unwrap_or(Err(odd)),
            Self::Inexact => Err(odd),
        }
    }

    /// A score of 10^-`scale` as it is shown: a whole number, or a text with all its decimals.
    pub fn of(score: i64, scale: u8) -> Self {
        if scale == 0 {
            return Self::Whole(score);
        }
        let unit = 10_u64.pow(scale.into());
        let (whole, rest) = (score.unsigned_abs() / unit, score.unsigned_abs() % unit);
        let sign = if score < 0 { "-" } else { "" };
        Self::Text(format!("{sign}{whole}.{rest:0width$}", width = scale.into()))
    }
}

/// `None` if it is no decimal number at all.
fn read_decimal(text: &str, scale: u8) -> Option<Result<i64, NotAScore>> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
    let dangling = digits.ends_with('.');
    if whole.is_empty() || dangling || !all_digits(whole) || !all_digits(decimals) {
        return None;
    }
    if decimals.len() > scale.into() {
        return None;
    }
    let large = NotAScore::Large(scale);
    let padded = format!("{whole}{decimals:0<width$}", width = scale.into());
    let Ok(units) = padded.parse::<u64>() else { return Some(Err(large)) };
    let units = i128::from(units) * if negative { -1 } else { 1 };
    Some(i64::try_from(units).map_err(|_wide| large))
}

impl fmt::Display for Written {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
            Self::Inexact => f.write_str("?"),
        }
    }
}

impl Serialize for Written {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Whole(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Inexact => serializer.serialize_none(),
        }
    }
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl de::Visitor<'_> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a whole number or a decimal text")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Written, E> {
        Ok(Written::Whole(number))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Written, E> {
        Ok(i64::try_from(number).map_or(Written::Inexact, Written::Whole))
    }

    fn visit_f64<E: de::Error>(self, _number: f64) -> Result<Written, E> {
        Ok(Written::Inexact)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Written, E> {
        // No score is longer: 19 digits, a sign, a point.
        let fits = text.len() <= 32;
        Ok(if fits { Written::Text(text.to_owned()) } else { Written::Inexact })
    }
}

impl JsonSchema for Written {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Score".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A whole number of 64 bits; a decimal text where the column has decimals.",
            "anyOf": [
                { "type": "integer", "format": "int64" },
                { "type": "string", "pattern": "^-?[0-9]+(\\.[0-9]+)?$", "maxLength": 32 },
            ],
        })
    }
}

/// The bytes that are kept for scores: 8 for each, big-endian, the sign turned, so that they sort as the numbers do.
pub fn to_bytes(scores: &[i64]) -> Vec<u8> {
    scores.iter().flat_map(|score| (score.cast_unsigned() ^ (1 << 63)).to_be_bytes()).collect()
}

/// The scores in these bytes, one after the other; what is left over is not looked at.
pub fn each(bytes: &[u8]) -> impl Iterator<Item = i64> {
    let turned = |eight: &[u8; 8]| (u64::from_be_bytes(*eight) ^ (1 << 63)).cast_signed();
    bytes.as_chunks::<8>().0.iter().map(turned)
}

/// The scores in these bytes; `None` if they were not made by [`to_bytes`].
pub fn from_bytes(bytes: &[u8]) -> Option<Vec<i64>> {
    bytes.len().is_multiple_of(8).then(|| each(bytes).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, scale: u8) -> Result<i64, NotAScore> {
        serde_json::from_str::<Written>(json).unwrap_or(Written::Inexact).read(scale)
    }

    #[test]
    fn whole_numbers_of_64_bits_are_exact() {
        assert_eq!(read("9223372036854775807", 0), Ok(i64::MAX));
        assert_eq!(read("-9223372036854775808", 0), Ok(i64::MIN));
        assert_eq!(read("\"-12\"", 0), Ok(-12));
        for odd in ["9223372036854775808", "1.5", "1e300", "\"1.5\"", "\"NaN\"", "\"\"", "\"+1\""] {
            assert!(read(odd, 0).is_err(), "{odd}");
        }
    }

    #[test]
    fn decimals_are_texts_and_survive_their_own_text() {
        assert_eq!(read("\"12.5\"", 2), Ok(1_250));
        assert_eq!(read("12", 2), Ok(1_200));
        assert_eq!(read("\"-0.07\"", 2), Ok(-7));
        assert_eq!(Written::of(-7, 2), Written::Text("-0.07".into()));
        assert_eq!(Written::of(1_250, 2), Written::Text("12.50".into()));
        for odd in ["12.5", "\"12.505\"", "\".5\"", "\"5.\"", "\"1e3\"", "\"Infinity\"", "\"1 2\""]
        {
            assert!(read(odd, 2).is_err(), "{odd}");
        }
        assert_eq!(read("9223372036854775807", 1), Err(NotAScore::Large(1)));
        assert_eq!(read("\"99999999999999999999\"", 0), Err(NotAScore::Large(0)));
        for units in [i64::MIN, -1, 0, 1, i64::MAX] {
            assert_eq!(Written::of(units, 6).read(6), Ok(units));
        }
    }

    #[test]
    fn bytes_sort_as_numbers_do() {
        let numbers = [i64::MIN, -2, -1, 0, 1, 2, i64::MAX];
        let bytes: Vec<_> = numbers.iter().map(|number| to_bytes(&[*number])).collect();
        assert!(bytes.is_sorted());
        assert_eq!(from_bytes(&to_bytes(&numbers)).as_deref(), Some(&numbers[..]));
        assert_eq!(from_bytes(&[0; 9]), None);
    }
}
