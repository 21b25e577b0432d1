//! The boxes of an MP4 file (ISO/IEC 14496-12, section 4.2).

use super::{Fault, Payload, pass};

/// `moov` and `trak` are looked into; what lies deeper is left as it is.
const DEPTH_MAX: usize = 2;

/// Whether a player needs a box of this name in the file (0), in `moov` (1) or in `trak` (2).
///
/// All others may tell about people and machines: `udta`, `meta`, `uuid`, what makers of phones invent, and padding
/// that still holds what an editor took out.
const fn plays(name: &[u8; 4], depth: usize) -> bool {
    match depth {
        0 => matches!(name, b"ftyp" | b"styp" | b"pdin" | b"mfra" | b"sidx" | b"ssix" | b"emsg"),
        1 => matches!(name, b"mvhd" | b"mvex" | b"iods" | b"pssh"),
        _ => matches!(name, b"tkhd" | b"tref" | b"trgr" | b"edts" | b"mdia"),
    }
}

#[derive(Debug, Default)]
pub(super) struct Walk {
    /// A box header that has not arrived whole.
    header: Vec<u8>,
    /// Bytes left in each box that is being looked into, outermost first.
    open: Vec<u64>,
    payload: Option<(u64, Payload)>,
    seen_type: bool,
    tracks: u32,
    seen_media: bool,
    /// A box without length was met: it is the last one.
    last: bool,
}

impl Walk {
    /// Takes some of `bytes`, at least one; how many.
    pub(super) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<usize, Fault> {
        if let Some((left, payload)) = &mut self.payload {
            let taken = pass(bytes, left, *payload, out);
            if *left == 0 {
                self.payload = None;
                self.close();
            }
            return Ok(taken);
        }
        let missing = self.header_bytes() - self.header.len();
        let taken = missing.min(bytes.len());
        self.header.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        if self.header.len() == self.header_bytes() {
            self.begin(out)?;
        }
        Ok(taken)
    }

    /// 8 bytes, or 16 where the short length is 1.
    fn header_bytes(&self) -> usize {
        if self.header.len() >= 8 && self.header.starts_with(&[0, 0, 0, 1]) { 16 } else { 8 }
    }

    fn begin(&mut self, out: &mut Vec<u8>) -> Result<(), Fault> {
        let header = std::mem::take(&mut self.header);
        let short = header.first_chunk().map_or(0, |size| u32::from_be_bytes(*size));
        let name: [u8; 4] =
            header.get(4..).and_then(|n| n.first_chunk()).copied().unwrap_or([0; 4]);
        let long = header.get(8..).and_then(|size| size.first_chunk());
        let at_root = self.open.is_empty();
        let size = match (short, long) {
            (0, _) if at_root => u64::MAX,
            (_, Some(long)) => u64::from_be_bytes(*long),
            (short, None) => u64::from(short),
        };
        let left = size.checked_sub(header.len() as u64).ok_or(Fault::Damaged)?;
        if let Some(outer) = self.open.last_mut() {
            *outer = outer.checked_sub(size).ok_or(Fault::Damaged)?;
        }
        self.last = short == 0;
        if at_root && self.seen_type == (&name == b"ftyp") {
            return Err(Fault::Damaged);
        }
        self.seen_type = true;
        let mut payload = Payload::Keep;
        let mut written = header;
        match (&name, self.open.len()) {
            (b"moov", 0) | (b"trak", 1) => {
                self.tracks += u32::from(&name == b"trak");
                out.extend_from_slice(&written);
                self.open.push(left);
                debug_assert!(self.open.len() <= DEPTH_MAX);
                self.close();
                return Ok(());
            }
            (b"mdat" | b"moof", 0) => self.seen_media = true,
            (name, depth) if plays(name, depth) => {}
            _ => {
                payload = Payload::Blank;
                if let Some(place) = written.get_mut(4..8) {
                    place.copy_from_slice(b"free");
                }
            }
        }
        out.extend_from_slice(&written);
        if left > 0 {
            self.payload = Some((left, payload));
        } else {
            self.close();
        }
        Ok(())
    }

    /// Leaves the boxes that have nothing left.
    fn close(&mut self) {
        while self.open.last() == Some(&0) {
            self.open.pop();
        }
    }

    pub(super) fn finish(&self) -> Result<(), Fault> {
        let between = self.header.is_empty() && self.open.is_empty() && self.payload.is_none();
        let in_last = self.last && self.open.is_empty() && self.payload.is_some();
        if (between || in_last) && self.tracks > 0 && self.seen_media {
            Ok(())
        } else {
            Err(Fault::Truncated)
        }
    }
}
