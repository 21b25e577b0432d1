//! Resume tokens: where a connection stands, as opaque text.
//!
//! A token names everything that its hub had published up to one message: exactly, for the hub that made it, and as
//! log positions, for another instance. It reveals nothing beyond counts, so it is not signed: who changes one can at
//! most ask for a replay of topics that are checked anyway.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::db::Position;

/// The longest token that is looked at.
const TOKEN_LEN_MAX: usize = 2_048;
/// Facts beyond the settled ones that a token lists; with more of them it is good for its own hub only.
pub(super) const ABOVE_MAX: usize = 16;
const VERSION: u8 = 1;
/// In the place of the number of logs: the token means nothing to another hub.
const NOT_PORTABLE: u8 = u8::MAX;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Token {
    /// The hub that made it.
    pub(super) hub: u64,
    /// The last message of that hub which it covers.
    pub(super) seq: u64,
    /// The same as positions of each log, if they are few enough.
    pub(super) marks: Option<Vec<Mark>>,
}

/// What of one log a token covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mark {
    /// The log's name, hashed.
    pub(super) log: u32,
    /// Which life of the log.
    pub(super) epoch: u64,
    /// Everything in transactions below it is covered.
    pub(super) low: i64,
    /// Facts from `low` on that are covered too, with how many of their messages.
    pub(super) above: Vec<(Position, u16)>,
}

impl Token {
    pub(super) fn encode(&self) -> std::sync::Arc<str> {
        let mut out = Vec::with_capacity(48);
        out.push(VERSION);
        out.extend_from_slice(&self.hub.to_le_bytes());
        put(&mut out, self.seq);
        let Some(marks) = &self.marks else {
            out.push(NOT_PORTABLE);
            return URL_SAFE_NO_PAD.encode(out).into();
        };
        out.push(u8::try_from(marks.len()).unwrap_or(NOT_PORTABLE));
        for mark in marks {
            out.extend_from_slice(&mark.log.to_le_bytes());
            out.extend_from_slice(&mark.epoch.to_le_bytes());
            put(&mut out, zigzag(mark.low));
            put(&mut out, mark.above.len() as u64);
            for (position, parts) in &mark.above {
                put(&mut out, zigzag(position.xid.wrapping_sub(mark.low)));
                put(&mut out, zigzag(position.seq));
                put(&mut out, u64::from(*parts));
            }
        }
        URL_SAFE_NO_PAD.encode(out).into()
    }

    /// Reads a token; nothing if it is none.
    pub(super) fn decode(text: &str) -> Option<Self> {
        if text.len() > TOKEN_LEN_MAX {
            return None;
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        let mut rest = bytes.as_slice();
        let [version] = take::<1>(&mut rest)?;
        if version != VERSION {
            return None;
        }
        let hub = u64::from_le_bytes(take(&mut rest)?);
        let seq = get(&mut rest)?;
        let [count] = take::<1>(&mut rest)?;
        if count == NOT_PORTABLE {
            return rest.is_empty().then_some(Self { hub, seq, marks: None });
        }
        let marks = (0..count).map(|_| mark(&mut rest)).collect::<Option<Vec<Mark>>>()?;
        rest.is_empty().then_some(Self { hub, seq, marks: Some(marks) })
    }
}

fn mark(rest: &mut &[u8]) -> Option<Mark> {
    let log = u32::from_le_bytes(take(rest)?);
    let epoch = u64::from_le_bytes(take(rest)?);
    let low = unzigzag(get(rest)?);
    let count = get(rest)?;
    if count > ABOVE_MAX as u64 {
        return None;
    }
    let above = (0..count).map(|_| {
        let xid = low.wrapping_add(unzigzag(get(rest)?));
        let seq = unzigzag(get(rest)?);
        Some((Position { xid, seq }, u16::try_from(get(rest)?).ok()?))
    });
    Some(Mark { log, epoch, low, above: above.collect::<Option<_>>()? })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (first, others) = rest.split_first_chunk::<N>()?;
    *rest = others;
    Some(*first)
}

/// Seven bits a byte, lowest first; the highest bit says that more follow.
fn put(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value as u8) | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn get(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0_u64;
    for shift in (0..64).step_by(7) {
        let [byte] = take::<1>(rest)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marks() -> impl Strategy<Value = Option<Vec<Mark>>> {
        let position = (any::<i64>(), any::<i64>()).prop_map(|(xid, seq)| Position { xid, seq });
        let above = prop::collection::vec((position, any::<u16>()), 0..=ABOVE_MAX);
        let mark = (any::<u32>(), any::<u64>(), any::<i64>(), above)
            .prop_map(|(log, epoch, low, above)| Mark { log, epoch, low, above });
        prop::option::of(prop::collection::vec(mark, 0..3))
    }

    proptest! {
        #[test]
        fn a_token_says_what_was_put_into_it(hub: u64, seq: u64, marks in marks()) {
            let token = Token { hub, seq, marks };
            let text = token.encode();
            prop_assert!(text.len() <= TOKEN_LEN_MAX);
            prop_assert_eq!(Token::decode(&text), Some(token));
        }

        #[test]
        fn no_text_breaks_the_reader(text in "[A-Za-z0-9_-]{0,80}") {
            if let Some(token) = Token::decode(&text) {
                prop_assert!(token.marks.is_none_or(|marks| marks.len() < 255));
            }
        }
    }
}
