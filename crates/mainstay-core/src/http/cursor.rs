//! Cursors: opaque, signed, bound to their list.

use aws_lc_rs::hmac;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Serialize, de::DeserializeOwned};

use crate::error::{Code, Problem};

/// How much of the signature a cursor carries: 2^-96 to guess one.
const MARK_LEN: usize = 12;
/// The longest cursor that is looked at.
const CURSOR_LEN_MAX: usize = 2_048;

/// Makes and reads cursors. All instances of an installation share the key.
#[derive(Clone)]
pub struct Cursors(hmac::Key);

impl Cursors {
    /// With a key of 32 bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    /// A cursor into `list` that holds `place`. `list` names everything that the place depends on besides: the route
    /// and whatever must not change between two pages.
    pub fn seal<T: Serialize>(&self, list: &str, place: &T) -> String {
        let mut bytes = serde_json::to_vec(place).unwrap_or_default();
        let mark = self.mark(list, &bytes);
        bytes.extend_from_slice(&mark);
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// The place in `list` that a cursor holds.
    ///
    /// # Errors
    /// `MalformedCursor` if it was not made here, or for another list.
    pub fn open<T: DeserializeOwned>(&self, list: &str, cursor: &str) -> Result<T, Problem> {
        self.read(list, cursor).ok_or_else(|| {
            Problem::new(
                Code::MalformedCursor,
                "Use `next_cursor` of this list's last page as it is, or leave the cursor out to start again.",
            )
        })
    }

    fn read<T: DeserializeOwned>(&self, list: &str, cursor: &str) -> Option<T> {
        if cursor.len() > CURSOR_LEN_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(cursor).ok()?;
        let (place, mark) = bytes.split_at_checked(bytes.len().checked_sub(MARK_LEN)?)?;
        let expected = self.mark(list, place);
        aws_lc_rs::constant_time::verify_slices_are_equal(&expected, mark).ok()?;
        serde_json::from_slice(place).ok()
    }

    fn mark(&self, list: &str, place: &[u8]) -> [u8; MARK_LEN] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(list.as_bytes());
        context.update(&[0]);
        context.update(place);
        context.sign().as_ref().first_chunk().copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_opens_its_own_list_only_and_only_unchanged() {
        let cursors = Cursors::new(&[7; 32]);
        let cursor = cursors.seal("latest", &(5_i64, 9_i64));
        assert_eq!(cursors.read("latest", &cursor), Some((5_i64, 9_i64)));
        assert_eq!(cursors.read::<(i64, i64)>("explore", &cursor), None);
        for place in 0..cursor.len() {
            let mut changed = cursor.clone().into_bytes();
            if let Some(byte) = changed.get_mut(place) {
                *byte = if *byte == b'A' { b'B' } else { b'A' };
            }
            let changed = String::from_utf8_lossy(&changed).into_owned();
            assert!(changed == cursor || cursors.read::<(i64, i64)>("latest", &changed).is_none());
        }
    }
}
