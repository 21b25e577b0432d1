//! A ranking as bytes: entries in order, so that it is loaded again without being sorted.
//!
//! # Format, version 1
//! Numbers are little-endian; a *varint* has seven bits in each byte, the lowest first, the top bit set in all but the
//! last.
//!
//! ```text
//! "MSRANKS1"                                the format and its version
//! columns: u8 | ties: u8 | ascending: u8    a bit of `ascending` for each column that ranks the lowest first
//! notes: u8                                 1 if entries carry notes
//! label: 4 × i64                            what it is of, as whoever keeps it says
//! count: u64 | names: u64                   entries, and bytes that their names need in memory
//! entry × count                             in order:
//!   first column: varint                    turned, as the difference to the entry before
//!   other columns: varint each              turned and moved, so that small scores are short
//!   seq: varint | name length: u8 | name
//!   note: varint                            only with notes: 0 none, n the nth that was met, or a new one:
//!                                           then its length as a varint, and its bytes
//! checksum: u64                             of all bytes before
//! ```
//!
//! The checksum finds damage, not intent: whoever can write where these bytes are kept is trusted.

use std::collections::HashMap;

use super::{
    Loader, Ranking,
    order::{COLUMNS_MAX, Direction, Order, Ties},
};

/// The format's name and version.
const MAGIC: &[u8; 8] = b"MSRANKS1";
/// What stands before the entries.
const HEAD_BYTES: usize = 60;
const CHECKSUM_BYTES: usize = 8;
/// The shortest entry: two numbers and the length of a name, a byte each.
const ENTRY_BYTES_MIN: usize = 3;
/// Turned scores stand around the middle of their range.
const MIDDLE: u64 = 1 << 63;

/// What a ranking is of, in the words of whoever keeps it: compared, and not understood.
pub type Label = [i64; 4];

/// What is to be written of an owner besides their entry.
pub type Note<'n> = dyn FnMut(&str) -> Option<Vec<u8>> + 'n;

/// Why bytes are no ranking that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// They are something else, or of a version that is not known.
    #[error("read a ranking: it is none, or of another version")]
    Unknown,
    /// They are not what was written.
    #[error("read a ranking: its bytes are damaged")]
    Damaged,
    /// They are sound, and of another order or label than was asked for.
    #[error("read a ranking: it is another one")]
    Other,
}

/// An entry as it is read.
#[derive(Debug, Clone, Copy)]
pub struct Entry<'a> {
    /// Whose.
    pub owner: &'a str,
    /// Which of the notes it carries, from 0; see [`Reader::note`].
    pub note: Option<usize>,
    /// The record's number.
    pub seq: u64,
    key: [u64; COLUMNS_MAX],
}

impl Ranking {
    /// This ranking as bytes, with what `note` says of owners. Equal notes are written once.
    pub fn encode(&self, label: Label, mut note: Option<&mut Note<'_>>) -> Vec<u8> {
        let (order, count) = (self.order(), self.len());
        let names = self.names_room();
        let mut bytes = Vec::with_capacity(HEAD_BYTES + names + count as usize * 8);
        bytes.extend_from_slice(MAGIC);
        bytes.extend([order.columns() as u8, ties_code(order.ties()), ascending(order)]);
        bytes.push(u8::from(note.is_some()));
        label.iter().for_each(|part| bytes.extend_from_slice(&part.to_le_bytes()));
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(&(names as u64).to_le_bytes());
        let mut last = 0;
        let mut notes: HashMap<Vec<u8>, u64> = HashMap::new();
        self.each(&mut |owner, key, seq| {
            let Some((first, others)) = key.split_first() else { return };
            put_varint(&mut bytes, first.wrapping_sub(last));
            last = *first;
            others.iter().for_each(|part| put_varint(&mut bytes, fold(*part)));
            put_varint(&mut bytes, seq);
            // At most 255 bytes of a name are kept.
            bytes.push(owner.len() as u8);
            bytes.extend_from_slice(owner.as_bytes());
            let Some(note) = &mut note else { return };
            let Some(said) = note(owner) else {
                bytes.push(0);
                return;
            };
            let next = notes.len() as u64 + 1;
            match notes.get(&said) {
                Some(known) => put_varint(&mut bytes, *known),
                None => {
                    put_varint(&mut bytes, next);
                    put_varint(&mut bytes, said.len() as u64);
                    bytes.extend_from_slice(&said);
                    notes.insert(said, next);
                }
            }
        });
        seal(&mut bytes);
        bytes
    }

    /// The ranking that these bytes were made of.
    ///
    /// # Errors
    /// [`Refused`] if they are not exactly what was written, or not of this order and label.
    pub fn decode(order: &Order, label: Label, bytes: &[u8]) -> Result<Self, Refused> {
        let mut reader = Reader::open(order, label, bytes)?;
        let mut loader = reader.loader(order);
        while let Some(entry) = reader.next()? {
            loader.push_next(&entry);
        }
        loader.finish_sorted().ok_or(Refused::Damaged)
    }
}

/// Reads the entries of a ranking that was written as bytes.
pub struct Reader<'a> {
    /// What is not read yet, without the checksum.
    rest: &'a [u8],
    columns: usize,
    has_notes: bool,
    notes: Vec<&'a [u8]>,
    count: u64,
    left: u64,
    names: u64,
    last: u64,
}

impl<'a> Reader<'a> {
    /// Looks at all bytes, and reads what stands before the entries.
    ///
    /// # Errors
    /// [`Refused`], as [`Ranking::decode`].
    pub fn open(order: &Order, label: Label, bytes: &'a [u8]) -> Result<Self, Refused> {
        if !bytes.starts_with(MAGIC) {
            return Err(Refused::Unknown);
        }
        let (body, sum) = bytes.split_last_chunk::<CHECKSUM_BYTES>().ok_or(Refused::Damaged)?;
        if u64::from_le_bytes(*sum) != checksum(body) {
            return Err(Refused::Damaged);
        }
        let mut rest = body.get(MAGIC.len()..).unwrap_or_default();
        let [columns, ties, up, has_notes] = *take::<4>(&mut rest)?;
        let mut found = Label::default();
        for part in &mut found {
            *part = i64::from_le_bytes(*take(&mut rest)?);
        }
        let count = u64::from_le_bytes(*take(&mut rest)?);
        let names = u64::from_le_bytes(*take(&mut rest)?);
        let same_order = usize::from(columns) == order.columns()
            && ties == ties_code(order.ties())
            && up == ascending(order);
        if !same_order || found != label {
            return Err(Refused::Other);
        }
        if count > (rest.len() / ENTRY_BYTES_MIN) as u64 {
            return Err(Refused::Damaged);
        }
        let columns = order.columns();
        let (has_notes, notes) = (has_notes == 1, Vec::new());
        Ok(Self { rest, columns, has_notes, notes, count, left: count, names, last: 0 })
    }

    /// How many entries there are in all.
    pub fn count(&self) -> u64 {
        self.count
    }

    /// A loader with room for all of them.
    pub fn loader(&self, order: &Order) -> Loader {
        // A name takes at most three bytes more than it is long, besides what stands before it.
        let most = self.rest.len() + self.count as usize * 8;
        let names = usize::try_from(self.names).unwrap_or(most).min(most);
        Loader::with_room(order.clone(), self.count as usize, names)
    }

    /// A note, once an entry with it was read.
    pub fn note(&self, number: usize) -> &'a [u8] {
        self.notes.get(number).copied().unwrap_or_default()
    }

    /// The next entry; `None` after the last.
    ///
    /// # Errors
    /// `Damaged` if the bytes are no entries.
    #[expect(
        clippy::should_implement_trait,
        reason = "a failure ends it, and notes are asked for meanwhile"
    )]
    pub fn next(&mut self) -> Result<Option<Entry<'a>>, Refused> {
        if self.left == 0 {
            return if self.rest.is_empty() { Ok(None) } else { Err(Refused::Damaged) };
        }
        self.left -= 1;
        let rest = &mut self.rest;
        let mut key = [0; COLUMNS_MAX];
        self.last = self.last.wrapping_add(varint(rest)?);
        key[0] = self.last;
        for part in &mut key[1..self.columns] {
            *part = unfold(varint(rest)?);
        }
        let seq = varint(rest)?;
        let [len] = *take::<1>(rest)?;
        let owner =
            std::str::from_utf8(slice(rest, len.into())?).map_err(|_odd| Refused::Damaged)?;
        let note = if self.has_notes { self.read_note()? } else { None };
        Ok(Some(Entry { owner, note, seq, key }))
    }

    fn read_note(&mut self) -> Result<Option<usize>, Refused> {
        let number = usize::try_from(varint(&mut self.rest)?).map_err(|_odd| Refused::Damaged)?;
        let Some(place) = number.checked_sub(1) else { return Ok(None) };
        if place == self.notes.len() {
            let len = varint(&mut self.rest)?;
            let len = usize::try_from(len).map_err(|_odd| Refused::Damaged)?;
            self.notes.push(slice(&mut self.rest, len)?);
        }
        if place < self.notes.len() { Ok(Some(place)) } else { Err(Refused::Damaged) }
    }
}

impl Loader {
    /// Adds the next entry of those that were written: of an owner who is new, behind all before.
    pub fn push_next(&mut self, entry: &Entry<'_>) {
        self.push_sorted(entry.owner, &entry.key, entry.seq);
    }
}

fn ties_code(ties: Ties) -> u8 {
    match ties {
        Ties::Earliest => 0,
        Ties::Owner => 1,
        Ties::Shared => 2,
        Ties::Dense => 3,
    }
}

fn ascending(order: &Order) -> u8 {
    let bits = order.directions().iter().enumerate();
    bits.map(|(place, direction)| u8::from(*direction == Direction::Asc) << place).sum()
}

/// Numbers near the middle become small ones: 0, -1, 1, -2 and so on of it become 0, 1, 2, 3.
fn fold(part: u64) -> u64 {
    let from = part.wrapping_sub(MIDDLE).cast_signed();
    (from.wrapping_shl(1) ^ (from >> 63)).cast_unsigned()
}

fn unfold(folded: u64) -> u64 {
    ((folded >> 1) ^ (folded & 1).wrapping_neg()).wrapping_add(MIDDLE)
}

fn put_varint(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(number as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn varint(rest: &mut &[u8]) -> Result<u64, Refused> {
    let mut number = 0;
    for (place, byte) in rest.iter().take(10).enumerate() {
        number |= u64::from(byte & 0x7f) << (7 * place);
        if byte & 0x80 == 0 {
            *rest = &rest[place + 1..];
            return Ok(number);
        }
    }
    Err(Refused::Damaged)
}

fn take<'a, const N: usize>(rest: &mut &'a [u8]) -> Result<&'a [u8; N], Refused> {
    let (head, tail) = rest.split_first_chunk().ok_or(Refused::Damaged)?;
    *rest = tail;
    Ok(head)
}

fn slice<'a>(rest: &mut &'a [u8], len: usize) -> Result<&'a [u8], Refused> {
    let (head, tail) = rest.split_at_checked(len).ok_or(Refused::Damaged)?;
    *rest = tail;
    Ok(head)
}

/// Puts the checksum behind all other bytes.
pub(super) fn seal(bytes: &mut Vec<u8>) {
    let sum = checksum(bytes);
    bytes.extend_from_slice(&sum.to_le_bytes());
}

/// Four lanes of words that are mixed in one after the other. Each step can be undone, so a lane differs whenever one
/// of its words does.
fn checksum(bytes: &[u8]) -> u64 {
    const ODD: u64 = 0x9e37_79b9_7f4a_7c15;
    let mix = |lane: u64, word: u64| (lane ^ word).wrapping_mul(ODD).rotate_left(29);
    let mut lanes: [u64; 4] = [1, 2, 3, 4];
    let (pieces, tail) = bytes.as_chunks::<32>();
    for piece in pieces {
        let (words, _) = piece.as_chunks::<8>();
        for (lane, word) in lanes.iter_mut().zip(words) {
            *lane = mix(*lane, u64::from_le_bytes(*word));
        }
    }
    let mut last = [0; 32];
    last[..tail.len()].copy_from_slice(tail);
    let (words, _) = last.as_chunks::<8>();
    let with_tail =
        lanes.into_iter().zip(words).map(|(lane, word)| mix(lane, u64::from_le_bytes(*word)));
    with_tail.fold(bytes.len() as u64, mix)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_as_they_were_written() {
        let mut bytes = Vec::new();
        let numbers = [0, 1, 127, 128, 300, u64::MAX / 2, u64::MAX - 1, u64::MAX];
        numbers.iter().for_each(|number| put_varint(&mut bytes, *number));
        let mut rest = &bytes[..];
        for number in numbers {
            assert_eq!(varint(&mut rest), Ok(number));
            assert_eq!(unfold(fold(number)), number);
        }
        assert_eq!(varint(&mut rest), Err(Refused::Damaged));
        assert_eq!([fold(MIDDLE), fold(MIDDLE - 1), fold(MIDDLE + 1)], [0, 1, 2]);
    }

    #[test]
    fn a_checksum_differs_with_any_bit_and_with_the_length() {
        let bytes: Vec<u8> = (0..200).map(|number| number as u8).collect();
        for len in 0..bytes.len() {
            let sum = checksum(&bytes[..len]);
            for at in 0..len {
                let mut other = bytes[..len].to_vec();
                other[at] ^= 1 << (at % 8);
                assert_ne!(sum, checksum(&other), "byte {at} of {len}");
            }
            assert_ne!(sum, checksum(&bytes[..=len]));
        }
    }
}
