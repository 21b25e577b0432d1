//! Typed identifiers: a prefix that names the kind, and a UUIDv7 in Crockford's base 32 (the TypeID format).
//!
//! `post_01h455vb4pex5vsknk084sn02q` is a post; giving it where a comment is expected is a parse error, not a wrong
//! row.

use std::{
    borrow::Cow,
    cmp::Ordering,
    fmt,
    hash::{Hash, Hasher},
    marker::PhantomData,
    str::FromStr,
};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// An identifier's text that could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an id of this kind; it looks like {prefix}_01h455vb4pex5vsknk084sn02q")]
pub struct NotAnId {
    /// The prefix that was expected.
    pub prefix: &'static str,
}

/// What an [`Id`] identifies; the type parameter keeps a comment's id out of a post's place.
pub trait Kind: Send + Sync + 'static {
    /// The prefix before the underscore.
    const PREFIX: &'static str;
    /// The name of the id's type in the interface's schema.
    const NAME: &'static str;
}

/// A typed identifier of 128 bits, ordered by the time it was made.
pub struct Id<K>(u128, PhantomData<fn() -> K>);

impl<K: Kind> Id<K> {
    /// The id with these 128 bits.
    pub const fn from_bits(bits: u128) -> Self {
        Self(bits, PhantomData)
    }

    /// The 128 bits.
    pub const fn bits(self) -> u128 {
        self.0
    }
}

impl<K> Clone for Id<K> {
    fn clone(&self) -> Self {
        *self
    }
}
impl<K> Copy for Id<K> {}
impl<K> PartialEq for Id<K> {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0
    }
}
impl<K> Eq for Id<K> {}
impl<K> PartialOrd for Id<K> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl<K> Ord for Id<K> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }
}
impl<K> Hash for Id<K> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.hash(state);
    }
}

impl<K: Kind> fmt::Display for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = encode(self.0);
        write!(f, "{}_{}", K::PREFIX, std::str::from_utf8(&text).unwrap_or_default())
    }
}

impl<K: Kind> fmt::Debug for Id<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<K: Kind> FromStr for Id<K> {
    type Err = NotAnId;

    fn from_str(text: &str) -> Result<Self, NotAnId> {
        text.strip_prefix(K::PREFIX)
            .and_then(|rest| rest.strip_prefix('_'))
            .and_then(decode)
            .map(Self::from_bits)
            .ok_or(NotAnId { prefix: K::PREFIX })
    }
}

impl<K: Kind> Serialize for Id<K> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, K: Kind> Deserialize<'de> for Id<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}

impl<K: Kind> schemars::JsonSchema for Id<K> {
    fn schema_name() -> Cow<'static, str> {
        K::NAME.into()
    }

    fn json_schema(_generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": format!("^{}_[0-7][0-9a-hjkmnp-tv-z]{{25}}$", K::PREFIX),
            "examples": [format!("{}_01h455vb4pex5vsknk084sn02q", K::PREFIX)]
        })
    }
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

/// Defines a kind of identifier: `define_id!(/// A post. Post => PostId, "post");`
#[macro_export]
macro_rules! define_id {
    ($(#[$doc:meta])* $kind:ident => $id:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Debug)]
        pub enum $kind {}
        impl $crate::id::Kind for $kind {
            const PREFIX: &'static str = $prefix;
            const NAME: &'static str = stringify!($id);
        }
        $(#[$doc])*
        pub type $id = $crate::id::Id<$kind>;
    };
}

define_id!(
    /// A person's account; the same in every service.
    User => UserId, "user"
);
define_id!(
    /// A fact in an outbox.
    FactKind => FactId, "fact"
);
define_id!(
    /// A post in Feed.
    Post => PostId, "post"
);
define_id!(
    /// A comment under a post.
    Comment => CommentId, "comment"
);
define_id!(
    /// A picture or film: one upload, owned by one person.
    Media => MediaId, "media"
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
