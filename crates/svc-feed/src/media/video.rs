//! Films: the container is checked and freed of metadata while the bytes pass; pictures and sound are not touched.
//!
//! What tells where and by whom a film was made (`udta`, `meta`, `uuid` and others in MP4; `Tags`, `Attachments` in
//! WebM) is overwritten with padding of the same length, so that no offset in the file changes. A track of positions
//! that runs beside pictures and sound, as some action cameras write, is not looked into.

use super::{Limits, MediaError, sniff::Format};

mod mp4;
mod webm;

/// Checks and cleans a film that is streamed through it, in memory of a few hundred bytes.
#[derive(Debug)]
pub struct Filter {
    format: Format,
    left_bytes: u64,
    max_bytes: u64,
    walk: Walk,
}

#[derive(Debug)]
enum Walk {
    Mp4(mp4::Walk),
    Webm(webm::Walk),
}

/// What to do with the next bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Payload {
    /// Let them pass.
    Keep,
    /// Put zeros in their place.
    Blank,
}

impl Filter {
    /// A filter for a film of this `format`, as [`super::sniff::sniff`] found it.
    pub fn new(format: Format, limits: &Limits) -> Self {
        let walk = match format {
            Format::Webm => Walk::Webm(webm::Walk::default()),
            _ => Walk::Mp4(mp4::Walk::default()),
        };
        let max_bytes = limits.video_bytes_max;
        Self { format, left_bytes: max_bytes, max_bytes, walk }
    }

    /// Takes the next bytes of the film and appends to `out` what may be stored; a few bytes may be held back.
    ///
    /// # Errors
    /// `TooLarge`; `Damaged`, `Truncated` or `WrongType` as soon as the container shows it. Then give up the film.
    pub fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), MediaError> {
        self.left_bytes = self
            .left_bytes
            .checked_sub(bytes.len() as u64)
            .ok_or(MediaError::TooLarge { max_bytes: self.max_bytes })?;
        let mut rest = bytes;
        while !rest.is_empty() {
            let taken = match &mut self.walk {
                Walk::Mp4(walk) => walk.push(rest, out),
                Walk::Webm(walk) => walk.push(rest, out),
            };
            rest = rest.get(taken.map_err(|fault| self.error(fault))?..).unwrap_or_default();
        }
        Ok(())
    }

    /// Says that the film is at its end.
    ///
    /// # Errors
    /// `Truncated` if the container is not.
    pub fn finish(&self) -> Result<(), MediaError> {
        let finished = match &self.walk {
            Walk::Mp4(walk) => walk.finish(),
            Walk::Webm(walk) => walk.finish(),
        };
        finished.map_err(|fault| self.error(fault))
    }

    const fn error(&self, fault: Fault) -> MediaError {
        let format = self.format;
        match fault {
            Fault::Truncated => MediaError::Truncated { format },
            Fault::Damaged => MediaError::Damaged { format },
            Fault::Matroska => {
                MediaError::WrongType { found: "a Matroska film", instead: "MP4 (H.264) or WebM" }
            }
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Truncated,
    Damaged,
    Matroska,
}

/// Appends the next of `left` bytes of a payload; how many were taken.
fn pass(bytes: &[u8], left: &mut u64, payload: Payload, out: &mut Vec<u8>) -> usize {
    let taken = usize::try_from(*left).unwrap_or(usize::MAX).min(bytes.len());
    match payload {
        Payload::Keep => out.extend_from_slice(bytes.get(..taken).unwrap_or_default()),
        Payload::Blank => out.resize(out.len() + taken, 0),
    }
    *left -= taken as u64;
    taken
}
