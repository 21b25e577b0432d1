//! The bytes of one value in the second level.
//!
//! ```text
//! 0  format  u8 = 1
//! 1  codec   u8   0 nothing there, 1 JSON
//! 2  stamp   i64  } little endian
//! 10 soft    i64  } milliseconds since the Unix epoch
//! 18 hard    i64  }
//! 26 filled  i64  }
//! 34 tags    u16, then that many u64
//!    value   the rest
//! ```
//! What does not read as this is treated as not there.

use crate::cache::tag::{Stamp, Tag, Tags};

const FORMAT: u8 = 1;
const HEAD_LEN: usize = 36;
/// A record that claims more is broken.
const TAGS_MAX: usize = 1_024;

pub(super) const CODEC_ABSENT: u8 = 0;
pub(super) const CODEC_JSON: u8 = 1;

/// A record's parts; `body` is empty when nothing is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Record<'a> {
    pub(super) codec: u8,
    pub(super) stamp: Stamp,
    pub(super) soft_ms: i64,
    pub(super) hard_ms: i64,
    pub(super) filled_ms: i64,
    pub(super) tags: Tags,
    pub(super) body: &'a [u8],
}

impl<'a> Record<'a> {
    /// The bytes, or `None` when there are more tags than a record may have.
    pub(super) fn encode(&self) -> Option<Vec<u8>> {
        let tags = u16::try_from(self.tags.len()).ok().filter(|n| usize::from(*n) <= TAGS_MAX)?;
        let mut bytes = Vec::with_capacity(HEAD_LEN + self.tags.len() * 8 + self.body.len());
        bytes.extend([FORMAT, self.codec]);
        bytes.extend(self.stamp.0.to_le_bytes());
        bytes.extend(self.soft_ms.to_le_bytes());
        bytes.extend(self.hard_ms.to_le_bytes());
        bytes.extend(self.filled_ms.to_le_bytes());
        bytes.extend(tags.to_le_bytes());
        for tag in &self.tags {
            bytes.extend(tag.bits().to_le_bytes());
        }
        bytes.extend(self.body);
        Some(bytes)
    }

    /// The parts of `bytes`, or `None` when they are no record.
    pub(super) fn decode(bytes: &'a [u8]) -> Option<Self> {
        let (head, rest) = bytes.split_at_checked(HEAD_LEN)?;
        let number = |at: usize| head.get(at..at + 8)?.try_into().ok().map(i64::from_le_bytes);
        if head[0] != FORMAT || !matches!(head[1], CODEC_ABSENT | CODEC_JSON) {
            return None;
        }
        let count = usize::from(u16::from_le_bytes([head[34], head[35]]));
        if count > TAGS_MAX {
            return None;
        }
        let (tags, body) = rest.split_at_checked(count * 8)?;
        let tags =
            tags.as_chunks::<8>().0.iter().map(|tag| Tag::from_bits(u64::from_le_bytes(*tag)));
        Some(Self {
            codec: head[1],
            stamp: Stamp(number(2)?),
            soft_ms: number(10)?,
            hard_ms: number(18)?,
            filled_ms: number(26)?,
            tags: tags.collect(),
            body,
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_record_reads_as_it_was_written(
            stamp in any::<i64>(), soft in any::<i64>(), hard in any::<i64>(), filled in any::<i64>(),
            tags in proptest::collection::vec(any::<u64>(), 0..9),
            body in proptest::collection::vec(any::<u8>(), 0..64),
        ) {
            let tags = tags.into_iter().map(Tag::from_bits).collect();
            let record = Record {
                codec: CODEC_JSON, stamp: Stamp(stamp), soft_ms: soft,
                hard_ms: hard, filled_ms: filled, tags, body: &body,
            };
            let bytes = record.encode().unwrap();
            prop_assert_eq!(Record::decode(&bytes), Some(record.clone()));
            let head_and_tags = bytes.len() - body.len();
            for cut in 0..head_and_tags {
                prop_assert_eq!(Record::decode(&bytes[..cut]), None);
            }
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            if let Some(record) = Record::decode(&bytes) {
                prop_assert_eq!(record.encode().unwrap(), bytes);
            }
        }
    }
}
