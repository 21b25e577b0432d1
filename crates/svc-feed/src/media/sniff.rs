//! What a file is, by its first bytes. The client's file name and content type are never looked at.

use std::fmt;

use super::MediaError;
use crate::view::MediaKind;

/// Bytes from the front of a file that decide; fewer are enough only if the file has no more.
pub const HEAD_BYTES: usize = 64;

/// The formats that are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// ITU T.81, in JFIF or Exif.
    Jpeg,
    /// W3C PNG, third edition; APNG included.
    Png,
    /// GIF87a and GIF89a.
    Gif,
    /// RFC 9649.
    Webp,
    /// ISO/IEC 14496-12 and -14.
    Mp4,
    /// The WebM subset of Matroska (RFC 9559).
    Webm,
}

impl Format {
    /// The type to serve it with.
    pub const fn content_type(self) -> &'static str {
        match self {
            Self::Jpeg => "image/jpeg",
            Self::Png => "image/png",
            Self::Gif => "image/gif",
            Self::Webp => "image/webp",
            Self::Mp4 => "video/mp4",
            Self::Webm => "video/webm",
        }
    }

    /// Picture or film.
    pub const fn kind(self) -> MediaKind {
        match self {
            Self::Jpeg | Self::Png | Self::Gif | Self::Webp => MediaKind::Image,
            Self::Mp4 | Self::Webm => MediaKind::Video,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Gif => "GIF",
            Self::Webp => "WebP",
            Self::Mp4 => "MP4",
            Self::Webm => "WebM",
        })
    }
}

const PICTURE: &str = "JPEG or PNG";
const FILM: &str = "MP4 (H.264) or WebM";

/// Types that people try, or that pretend to be a picture, so that the refusal can name them.
const OTHERS: &[(&[u8], &str, &str)] = &[
    (b"%PDF", "a PDF document", PICTURE),
    (b"PK\x03\x04", "a ZIP archive or office document", PICTURE),
    (b"BM", "a BMP picture", PICTURE),
    (b"II*\0", "a TIFF or raw picture", PICTURE),
    (b"MM\0*", "a TIFF or raw picture", PICTURE),
    (b"8BPS", "a Photoshop document", PICTURE),
    (b"\xff\x0a", "a JPEG XL picture", PICTURE),
    (b"\0\0\0\x0cJXL ", "a JPEG XL picture", PICTURE),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000 picture", PICTURE),
    (b"\0\0\x01\0", "an icon", PICTURE),
    (b"MZ", "a program", PICTURE),
    (b"\x7fELF", "a program", PICTURE),
    (b"\x1f\x8b", "a compressed archive", PICTURE),
    (b"ID3", "a sound file", FILM),
    (b"OggS", "an Ogg file", FILM),
    (b"FLV", "a Flash film", FILM),
];

/// Recognises a file by `head`, its first [`HEAD_BYTES`] or all of it.
///
/// # Errors
/// `Empty`, `WrongType` with a name if the type is known, else `UnknownType`.
pub fn sniff(head: &[u8]) -> Result<Format, MediaError> {
    match head {
        [] => Err(MediaError::Empty),
        [0xff, 0xd8, 0xff, ..] => Ok(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Ok(Format::Png),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Ok(Format::Gif),
        [b'R', b'I', b'F', b'F', _, _, _, _, form @ ..] => riff(form),
        [_, _, _, _, b'f', b't', b'y', b'p', ..] => base_media(head),
        // EBML; which of its document types, video.rs reads.
        [0x1a, 0x45, 0xdf, 0xa3, ..] => Ok(Format::Webm),
        _ => Err(refusal(head)),
    }
}

fn riff(form: &[u8]) -> Result<Format, MediaError> {
    if form.starts_with(b"WEBP") {
        Ok(Format::Webp)
    } else if form.starts_with(b"AVI ") {
        Err(MediaError::WrongType { found: "an AVI film", instead: FILM })
    } else {
        Err(MediaError::UnknownType)
    }
}

/// Tells by the brands (ISO/IEC 14496-12, 4.3) whether a file of the MP4 family is a film for browsers.
fn base_media(head: &[u8]) -> Result<Format, MediaError> {
    let size = head.first_chunk().map_or(0, |size| u32::from_be_bytes(*size)) as usize;
    let brands = head.get(8..size.min(head.len())).unwrap_or_default();
    let major = brands.get(..4).unwrap_or_default();
    let wrong = |found, instead| Err(MediaError::WrongType { found, instead });
    match major {
        b"heic" | b"heix" | b"hevc" | b"hevx" | b"heim" | b"heis" | b"mif1" | b"msf1" => {
            return wrong("a HEIC picture", "JPEG");
        }
        b"avif" | b"avis" => return wrong("an AVIF picture", PICTURE),
        b"crx " => return wrong("a raw picture", PICTURE),
        b"qt  " => return wrong("a QuickTime film", FILM),
        b"M4A " | b"M4B " | b"M4P " => return wrong("a sound file", FILM),
        _ => {}
    }
    // The bytes after the major brand are its version, which is never a brand's name.
    let known = brands.chunks_exact(4).any(|brand| {
        let starts: &[&[u8]] = &[
            b"iso", b"mp4", b"avc1", b"hvc1", b"av01", b"M4V", b"3gp", b"3g2", b"dash", b"cmf",
            b"MSNV", b"mmp4",
        ];
        starts.iter().any(|start| brand.starts_with(start))
    });
    if known { Ok(Format::Mp4) } else { Err(MediaError::UnknownType) }
}

fn refusal(head: &[u8]) -> MediaError {
    if let Some(&(_, found, instead)) = OTHERS.iter().find(|(magic, ..)| head.starts_with(magic)) {
        return MediaError::WrongType { found, instead };
    }
    // Markup may stand behind a byte order mark and white space.
    let text = head.strip_prefix(b"\xef\xbb\xbf").unwrap_or(head).trim_ascii_start();
    let lower = text.iter().take(32).map(u8::to_ascii_lowercase).collect::<Vec<_>>();
    if lower.starts_with(b"<svg") || lower.starts_with(b"<?xml") {
        MediaError::WrongType { found: "an SVG or XML document", instead: PICTURE }
    } else if lower.starts_with(b"<") {
        MediaError::WrongType { found: "an HTML document", instead: PICTURE }
    } else {
        MediaError::UnknownType
    }
}
