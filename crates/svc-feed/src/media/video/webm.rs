//! The elements of a WebM file (EBML, RFC 8794; Matroska, RFC 9559).

use super::{Fault, Payload, pass};

const EBML: u32 = 0x1a45_dfa3;
const DOC_TYPE: u32 = 0x4282;
const SEGMENT: u32 = 0x1853_8067;
const TRACKS: u32 = 0x1654_ae6b;
const CLUSTER: u32 = 0x1f43_b675;
const TAGS: u32 = 0x1254_c367;
const ATTACHMENTS: u32 = 0x1941_a469;
const VOID: u8 = 0xec;
/// The head of the file is held to read its document type; real ones have about 40 bytes.
const HEAD_BYTES_MAX: u64 = 4_096;

#[derive(Debug, Default)]
pub(super) struct Walk {
    place: Place,
    /// An element's id and size, or the whole EBML head, as far as it has arrived.
    header: Vec<u8>,
    /// Bytes left in the segment, if it says.
    segment_left: Option<u64>,
    payload: Option<(u64, Payload)>,
    seen_tracks: bool,
    seen_cluster: bool,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Start,
    /// In the EBML head of this length, which is being gathered.
    Head(u64),
    BeforeSegment,
    InSegment,
    /// In a cluster without a size, as browsers' recorders write: its end cannot be known without reading it.
    Open,
}

/// An element's id and size; no size means until its parent ends.
struct Element {
    id: u32,
    size: Option<u64>,
}

impl Walk {
    /// Takes some of `bytes`, at least one; how many.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Fault> {
        if self.place == Place::Open {
            out.extend_from_slice(bytes);
            return Ok(bytes.len());
        }
        if let Some((left, payload)) = &mut self.payload {
            let taken = pass(bytes, left, *payload, out);
            if *left == 0 {
                self.payload = None;
            }
            return Ok(taken);
        }
        // Byte by byte: headers are short, and only their bytes say how long they are.
        let Some(byte) = bytes.first() else { return Ok(0) };
        self.header.push(*byte);
        if let Place::Head(length) = self.place {
            if self.header.len() as u64 == length {
                check_document_type(&self.header)?;
                out.append(&mut self.header);
                self.place = Place::BeforeSegment;
            }
        } else if let Some(element) = element(&self.header)? {
            self.begin(&element, out)?;
        }
        Ok(1)
    }

    fn begin(&mut self, element: &Element, out: &mut Vec<u8>) -> Result<(), Fault> {
        let mut header = std::mem::take(&mut self.header);
        let header_bytes = header.len() as u64;
        match (self.place, element.id, element.size) {
            (Place::Start, EBML, Some(size @ 1..=HEAD_BYTES_MAX)) => {
                self.place = Place::Head(size);
            }
            (Place::BeforeSegment, SEGMENT, size) => {
                self.segment_left = size;
                self.place = Place::InSegment;
            }
            (Place::InSegment, id, size) => {
                self.seen_tracks |= id == TRACKS;
                self.seen_cluster |= id == CLUSTER;
                match size {
                    Some(size) => {
                        self.spend(header_bytes.checked_add(size).ok_or(Fault::Damaged)?)?;
                        let secret = matches!(id, TAGS | ATTACHMENTS);
                        let payload = if secret { Payload::Blank } else { Payload::Keep };
                        if secret {
                            header = void_header(header.len(), size);
                        }
                        self.payload = (size > 0).then_some((size, payload));
                    }
                    None if id == CLUSTER => self.place = Place::Open,
                    None => return Err(Fault::Damaged),
                }
            }
            // Padding between the head and the segment.
            (Place::BeforeSegment, id, Some(size)) if id == u32::from(VOID) => {
                self.payload = (size > 0).then_some((size, Payload::Keep));
            }
            _ => return Err(Fault::Damaged),
        }
        out.extend_from_slice(&header);
        Ok(())
    }

    /// Takes an element off what the segment has left.
    fn spend(&mut self, bytes: u64) -> Result<(), Fault> {
        if let Some(left) = &mut self.segment_left {
            *left = left.checked_sub(bytes).ok_or(Fault::Damaged)?;
        }
        Ok(())
    }

    pub(super) fn finish(&self) -> Result<(), Fault> {
        let inside = matches!(self.place, Place::InSegment | Place::Open);
        let whole = self.header.is_empty() && self.payload.is_none();
        let ended = self.place == Place::Open || self.segment_left.is_none_or(|left| left == 0);
        if inside && whole && ended && self.seen_tracks && self.seen_cluster {
            Ok(())
        } else {
            Err(Fault::Truncated)
        }
    }
}

/// Reads id and size, each as long as the zeros at its start say; `None` if more bytes are needed.
fn element(bytes: &[u8]) -> Result<Option<Element>, Fault> {
    let Some((first, _)) = bytes.split_first() else { return Ok(None) };
    let id_bytes = first.leading_zeros() as usize + 1;
    if id_bytes > 4 {
        return Err(Fault::Damaged);
    }
    let Some((id, rest)) = bytes.split_at_checked(id_bytes) else { return Ok(None) };
    let id = id.iter().fold(0, |id, byte| id << 8 | u32::from(*byte));
    let Some((first, _)) = rest.split_first() else { return Ok(None) };
    let size_bytes = first.leading_zeros() as usize + 1;
    if size_bytes > 8 {
        return Err(Fault::Damaged);
    }
    let Some(size) = rest.get(..size_bytes) else { return Ok(None) };
    let size = size.iter().fold(0, |size, byte| size << 8 | u64::from(*byte));
    // The bit that ends the zeros is not part of the number; all ones mean that the size is not known.
    let ones = (1 << (7 * size_bytes)) - 1;
    let size = size & ones;
    Ok(Some(Element { id, size: (size != ones).then_some(size) }))
}

/// A Void element's header, as long as the one it replaces and for the same payload.
fn void_header(length: usize, size: u64) -> Vec<u8> {
    let size_bytes = (length - 1).min(8);
    // What the header is longer than the longest Void header counts as its payload.
    let padding = length - 1 - size_bytes;
    let size = (size + padding as u64) | (1 << (7 * size_bytes));
    let mut header = vec![VOID];
    header.extend_from_slice(size.to_be_bytes().get(8 - size_bytes..).unwrap_or_default());
    header.resize(length, 0);
    header
}

fn check_document_type(head: &[u8]) -> Result<(), Fault> {
    let mut rest = head;
    while !rest.is_empty() {
        let longest = rest.get(..rest.len().min(12)).unwrap_or_default();
        let Some(Element { id, size: Some(size) }) = element(longest)? else {
            return Err(Fault::Damaged);
        };
        let id_bytes = rest.first().map_or(0, |first| first.leading_zeros() as usize + 1);
        let size_at = rest.get(id_bytes..).unwrap_or_default();
        let size_bytes = size_at.first().map_or(0, |first| first.leading_zeros() as usize + 1);
        let size = usize::try_from(size).map_err(|_large| Fault::Damaged)?;
        let body = size_at.get(size_bytes..).unwrap_or_default();
        let body = body.get(..size).ok_or(Fault::Damaged)?;
        if id == DOC_TYPE {
            // Texts may be padded with zeros.
            let end = body.iter().position(|&byte| byte == 0).unwrap_or(body.len());
            return match body.get(..end) {
                Some(b"webm") => Ok(()),
                Some(b"matroska") => Err(Fault::Matroska),
                _ => Err(Fault::Damaged),
            };
        }
        rest = rest.get(id_bytes + size_bytes + size..).unwrap_or_default();
    }
    Err(Fault::Damaged)
}
