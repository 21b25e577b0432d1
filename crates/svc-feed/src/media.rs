//! Pictures and films as they come from people: recognised by content, bounded, freed of metadata, made narrower.
//!
//! **Invariants.** Nothing here reads a file, a clock or a socket (only `pool.rs` knows of threads). The client's word
//! about type or size is never used. Pixels are bounded from the header before anything is allocated. What is decoded
//! and measured is the cleaned file, so what was checked is what is served. No input makes this panic; if a decoder
//! does all the same, `pool.rs` answers with [`MediaError::Failed`].
//!
//! Reading order: `sniff.rs` → one container each (`jpeg.rs`, `png.rs`, `gif.rs`, `webp.rs`: walk and clean) →
//! `color.rs` → `decode.rs` → `render.rs`; `video.rs`; `pool.rs`.

mod color;
mod decode;
mod gif;
mod input;
mod jpeg;
mod png;
pub mod pool;
mod render;
pub mod sniff;
pub mod video;
mod webp;

use image::metadata::Orientation;

use self::sniff::Format;
use crate::view::MediaKind;

/// Widths of the narrower copies, in pixels.
pub const VARIANT_WIDTHS: [u32; 3] = [320, 640, 1080];

/// What is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Limits {
    /// Longest picture file.
    pub image_bytes_max: u64,
    /// Longest film file.
    pub video_bytes_max: u64,
    /// Most pixels of a picture: width × height.
    pub pixels_max: u64,
    /// Most frames of an animated picture.
    pub frames_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            image_bytes_max: 30 << 20,
            video_bytes_max: 200 << 20,
            pixels_max: 50_000_000,
            frames_max: 2_000,
        }
    }
}

/// Why a file is not taken, in words for the person who uploads it.
#[derive(Debug, thiserror::Error)]
pub enum MediaError {
    /// No bytes.
    #[error("the file is empty; choose another one")]
    Empty,
    /// Nothing that is known here.
    #[error("the file is neither JPEG, PNG, GIF, WebP, MP4 nor WebM; export it as one of these")]
    UnknownType,
    /// Another type, whatever it is called.
    #[error("the file is {found}, which is not taken; export it as {instead}")]
    WrongType {
        /// Such as `a PDF document`.
        found: &'static str,
        /// Such as `JPEG or PNG`.
        instead: &'static str,
    },
    /// The file ends before its content does.
    #[error("the file says {format} but ends too early; export it again and upload the new file")]
    Truncated {
        /// What it is.
        format: Format,
    },
    /// The file contradicts itself.
    #[error("the {format} file is damaged; export it again and upload the new file")]
    Damaged {
        /// What it is.
        format: Format,
    },
    /// A rare kind of the format.
    #[error(
        "the file is {what}, a kind of {format} that is not shown here; export it as {instead}"
    )]
    Unsupported {
        /// What it is.
        format: Format,
        /// Such as `12 bits deep`.
        what: &'static str,
        /// Such as `an ordinary JPEG`.
        instead: &'static str,
    },
    /// Too many bytes.
    #[error("the file is larger than {} MB; choose a smaller one", .max_bytes / 1_000_000)]
    TooLarge {
        /// The bound.
        max_bytes: u64,
    },
    /// Too many pixels.
    #[error(
        "the picture has {width} × {height} pixels, more than {} million; make it smaller",
        .max / 1_000_000
    )]
    TooManyPixels {
        /// Pixels from left to right.
        width: u32,
        /// Pixels from top to bottom.
        height: u32,
        /// The bound on their product.
        max: u64,
    },
    /// Too many frames.
    #[error("the animation has more than {max} frames; upload it as MP4 or WebM")]
    TooManyFrames {
        /// The bound.
        max: u32,
    },
    /// Too many pictures are being worked on.
    #[error("too many pictures are being processed; try again in a few seconds")]
    Busy,
    /// A fault of this program.
    #[error("the picture could not be processed; export it again or choose another one")]
    Failed {
        /// What went wrong.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

/// A picture or film that can be stored and served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Processed {
    /// Picture or film.
    pub kind: MediaKind,
    /// The type of `original`.
    pub content_type: &'static str,
    /// Width in pixels, orientation applied; 0 for film.
    pub width: u32,
    /// Height in pixels; 0 for film.
    pub height: u32,
    /// A few colours; empty for film.
    pub blurhash: String,
    /// The full size, freed of metadata.
    pub original: Vec<u8>,
    /// Narrower copies in sRGB, narrowest first; empty for film and for pictures of at most 320 pixels width.
    pub variants: Vec<Variant>,
}

/// A narrower copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variant {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `image/jpeg`, or `image/png` if something shows through.
    pub content_type: &'static str,
    /// The file.
    pub bytes: Vec<u8>,
}

/// A picture file after its container was walked: nothing in it but what is shown.
struct Clean {
    format: Format,
    bytes: Vec<u8>,
    width: u32,
    height: u32,
    frames: u32,
    /// What the metadata said; not in `bytes` any more.
    orientation: Orientation,
    /// A profile other than sRGB; `bytes` carry it, without its texts.
    profile: Option<color::Profile>,
    /// Whether browsers show `bytes` as the decoder here does, so that they can be served as they are.
    servable: bool,
}

/// Recognises, checks, cleans and renders one file.
///
/// A picture takes up to [`cost_bytes`] of memory and, for each million pixels, about 10 ms of one core, or 45 ms if it
/// must be turned and coded anew; call this through [`pool::Pool`]. A film is checked and freed of metadata; long ones
/// are better streamed through [`video::Filter`].
///
/// # Errors
/// Every [`MediaError`] but `Busy` and `Failed`.
pub fn process(bytes: &[u8], limits: &Limits) -> Result<Processed, MediaError> {
    let format = sniff::sniff(bytes)?;
    let max_bytes = limits.bytes_max(format);
    if bytes.len() as u64 > max_bytes {
        return Err(MediaError::TooLarge { max_bytes });
    }
    if format.kind() == MediaKind::Video {
        let mut filter = video::Filter::new(format, limits);
        let mut original = Vec::with_capacity(bytes.len());
        filter.push(bytes, &mut original)?;
        filter.finish()?;
        return Ok(Processed {
            kind: MediaKind::Video,
            content_type: format.content_type(),
            width: 0,
            height: 0,
            blurhash: String::new(),
            original,
            variants: Vec::new(),
        });
    }
    let clean = clean(format, bytes, limits)?;
    let picture = decode::decode(&clean)?;
    render::render(clean, picture)
}

fn clean(format: Format, bytes: &[u8], limits: &Limits) -> Result<Clean, MediaError> {
    let clean = match format {
        Format::Jpeg => jpeg::clean(bytes, limits)?,
        Format::Png => png::clean(bytes, limits)?,
        Format::Gif => gif::clean(bytes, limits)?,
        Format::Webp => webp::clean(bytes, limits)?,
        Format::Mp4 | Format::Webm => return Err(MediaError::UnknownType),
    };
    if clean.frames > limits.frames_max {
        return Err(MediaError::TooManyFrames { max: limits.frames_max });
    }
    Ok(clean)
}

/// The most memory that [`process`] takes beside `bytes`; read from the header, 0 if it is refused there.
///
/// Per pixel at most 10 bytes: the decoded copy (3 or 4) with the turned copy (as many), or with what a decoder keeps
/// (a progressive JPEG 6, WebP 4). Beside that the file and its cleaned copy.
pub fn cost_bytes(bytes: &[u8], limits: &Limits) -> u64 {
    let Ok(format) = sniff::sniff(bytes) else { return 0 };
    let size = match format {
        Format::Jpeg => jpeg::size(bytes, limits),
        Format::Png => png::size(bytes, limits),
        Format::Gif => gif::size(bytes, limits),
        Format::Webp => webp::size(bytes, limits),
        Format::Mp4 | Format::Webm => return bytes.len() as u64,
    };
    size.map_or(0, |(width, height)| {
        u64::from(width) * u64::from(height) * 10 + 2 * bytes.len() as u64
    })
}

impl Limits {
    /// The bound on the file of this format.
    pub const fn bytes_max(&self, format: Format) -> u64 {
        match format.kind() {
            MediaKind::Image => self.image_bytes_max,
            MediaKind::Video => self.video_bytes_max,
        }
    }

    /// Refuses a picture with too many pixels or none.
    fn check_size(&self, format: Format, width: u32, height: u32) -> Result<(), MediaError> {
        if width == 0 || height == 0 {
            return Err(MediaError::Damaged { format });
        }
        if u64::from(width) * u64::from(height) > self.pixels_max {
            return Err(MediaError::TooManyPixels { width, height, max: self.pixels_max });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
