//! Typed identifiers: a prefix that names the kind, and a UUIDv7 in Crockford's base 32 (the TypeID format).
//!
//! `post_01h455vb4pex5vsknk084sn02q` is a post; giving it where a comment is expected is a parse error, not a wrong row.

/// An identifier's text that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind; it looks like {prefix}_01h455vb4pex5vsknk084sn02q")]
pub struct NotAnId {
    /// The prefix that was expected.
    pub prefix: &'static str,
}

/// A kind of identifier: its prefix and its 128 bits. Implemented by [`define_id!`](crate::define_id).
pub trait TypedId: Copy + Eq + Ord + std::hash::Hash + Send + Sync + 'static {
    /// The prefix before the underscore.
    const PREFIX: &'static str;
    /// The id with these 128 bits.
    fn from_bits(bits: u128) -> Self;
    /// The 128 bits.
    fn bits(self) -> u128;
}

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// The 26 characters of `bits`, most significant first.
pub fn encode(bits: u128) -> [u8; 26] {
    let mut text = [0_u8; 26];
    let mut rest = bits;
    for slot in text.iter_mut().rev() {
        *slot = ALPHABET.get((rest & 31) as usize).copied().unwrap_or(b'0');
        rest >>= 5;
    }
    text
}

/// The bits behind 26 characters; `None` for another length, an unknown character or more than 128 bits.
pub fn decode(text: &str) -> Option<u128> {
    if text.len() != 26 || text.as_bytes().first().is_none_or(|&first| first > b'7') {
        return None;
    }
    text.bytes().try_fold(0_u128, |bits, byte| {
        let digit = ALPHABET.iter().position(|&letter| letter == byte)?;
        Some(bits << 5 | digit as u128)
    })
}

/// Defines a typed identifier: `define_id!(/// A post. PostId, "post");`
#[macro_export]
macro_rules! define_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(u128);

        impl $crate::id::TypedId for $name {
            const PREFIX: &'static str = $prefix;
            fn from_bits(bits: u128) -> Self {
                Self(bits)
            }
            fn bits(self) -> u128 {
                self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                let text = $crate::id::encode(self.0);
                f.write_str($prefix)?;
                f.write_str("_")?;
                f.write_str(std::str::from_utf8(&text).unwrap_or_default())
            }
        }

        impl std::fmt::Debug for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                std::fmt::Display::fmt(self, f)
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::id::NotAnId;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.strip_prefix(concat!($prefix, "_"))
                    .and_then($crate::id::decode)
                    .map(Self)
                    .ok_or($crate::id::NotAnId { prefix: $prefix })
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": "string",
                    "pattern": concat!("^", $prefix, "_[0-7][0-9a-hjkmnp-tv-z]{25}$"),
                    "examples": [concat!($prefix, "_01h455vb4pex5vsknk084sn02q")]
                })
            }
        }
    };
}

define_id!(
    /// A person's account; the same in every service.
    UserId, "user"
);
define_id!(
    /// A fact in an outbox.
    FactId, "fact"
);
define_id!(
    /// A post in Feed.
    PostId, "post"
);
define_id!(
    /// A comment under a post.
    CommentId, "comment"
);
define_id!(
    /// A picture or film: one upload, owned by one person.
    MediaId, "media"
);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_survives_its_own_text() {
        let id = PostId::from_bits(0x0188_bac7_4afa_78aa_bc3b_bd1e_ef28_d881);
        assert_eq!(id.to_string(), "post_01h2xcejqtf2nbrexx3vqjhp41");
        assert_eq!(id.to_string().parse(), Ok(id));
    }

    #[test]
    fn another_kind_a_wrong_letter_or_too_many_bits_are_refused() {
        for text in [
            "user_01h2xcejqtf2nbrexx3vqjhp41",
            "post_01h2xcejqtf2nbrexx3vqjhp4u",
            "post_81h2xcejqtf2nbrexx3vqjhp41",
            "post_",
            "",
        ] {
            assert!(text.parse::<PostId>().is_err(), "{text}");
        }
    }
}
