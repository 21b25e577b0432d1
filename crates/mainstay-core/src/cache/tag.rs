//! Tags, the names of what a value was built from, and stamps, the age of the snapshot it was read in.

use smallvec::SmallVec;

/// The tags of one value. Four fit without an allocation.
pub type Tags = SmallVec<[Tag; 4]>;

/// The name of something that facts change: a row, a list, a setting.
///
/// Two different names can share a tag or an epoch bucket by accident of hashing. The only effect is a load that
/// was not needed. The number is the same in every build, so it can be stored and sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Tag(u64);

impl Tag {
    /// The tag of the thing of this `kind` (a stable lower-case word such as `post`) with this id.
    pub const fn of(kind: &str, id: u128) -> Self {
        let kind = hash_bytes(kind.as_bytes());
        let low = mix(kind ^ (id as u64));
        Self(mix(low ^ ((id >> 64) as u64)))
    }

    /// The tag of something there is only one of, or of all of a kind: `Tag::named("posts")`.
    pub const fn named(name: &str) -> Self {
        Self::of(name, 0)
    }

    /// A tag that was stored or sent as [`Tag::bits`]. Numbers of other origin fall into few buckets.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    /// The tag as a number, the same in every build.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The tag of something known by a text, such as a hashtag or a handle.
    pub const fn text(kind: &str, text: &str) -> Self {
        Self::of(kind, hash_bytes(text.as_bytes()) as u128)
    }
}

/// FNV-1a, good enough before [`mix`].
const fn hash_bytes(bytes: &[u8]) -> u64 {
    let mut hash = 0xcbf2_9ce4_8422_2325_u64;
    let mut at = 0;
    while at < bytes.len() {
        hash = (hash ^ bytes[at] as u64).wrapping_mul(0x0000_0100_0000_01b3);
        at += 1;
    }
    hash
}

/// The finaliser of splitmix64: each bit of the input moves half of the bits of the output.
pub(super) const fn mix(bits: u64) -> u64 {
    let bits = bits.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    bits ^ (bits >> 31)
}

/// The snapshot of a read: every transaction with a lower position is contained in what was read.
///
/// On SQLite it is the last committed outbox number plus one, on Postgres the `xmin` of the reading snapshot.
/// A value with this stamp is outdated by any fact at this position or a higher one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(pub i64);
