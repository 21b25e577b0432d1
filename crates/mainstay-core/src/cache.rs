//! stub
use std::hash::{BuildHasher, Hasher};
/// A tag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tag(pub u64);
impl Tag {
    /// Of.
    pub fn of(kind: &str, id: u128) -> Self {
        let mut h = foldhash::fast::FixedState::with_seed(0).build_hasher();
        h.write(kind.as_bytes());
        h.write_u128(id);
        Tag(h.finish())
    }
}
