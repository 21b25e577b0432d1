//! Pixels of a cleaned picture: 8 bits, RGB or RGBA; the first frame of an animation.
//!
//! Sizes were checked against the bound by the walk, and are compared again with what the decoder reads.

use std::io::Cursor;

use image::{
    DynamicImage, ImageDecoder, RgbImage, RgbaImage,
    codecs::{gif::GifDecoder, webp::WebPDecoder},
};
use zune_core::{bytestream::ZCursor, colorspace::ColorSpace, options::DecoderOptions};

use super::{Clean, MediaError, sniff::Format};

/// Decodes the whole picture.
///
/// # Errors
/// `Damaged` or `Truncated`; nothing is guessed or filled in.
pub(super) fn decode(clean: &Clean) -> Result<DynamicImage, MediaError> {
    let picture = match clean.format {
        Format::Jpeg => jpeg(clean)?,
        Format::Png => png(clean)?,
        Format::Gif => with_image(clean, GifDecoder::new(Cursor::new(&clean.bytes)))?,
        Format::Webp => with_image(clean, WebPDecoder::new(Cursor::new(&clean.bytes)))?,
        Format::Mp4 | Format::Webm => return Err(damaged(clean)),
    };
    if (picture.width(), picture.height()) != (clean.width, clean.height) {
        return Err(damaged(clean));
    }
    Ok(picture)
}

const fn damaged(clean: &Clean) -> MediaError {
    MediaError::Damaged { format: clean.format }
}

fn pixel_bytes(clean: &Clean, channels: usize) -> usize {
    clean.width as usize * clean.height as usize * channels
}

/// In strict mode; otherwise missing data would come out as grey.
fn jpeg(clean: &Clean) -> Result<DynamicImage, MediaError> {
    let damage = |_cause| damaged(clean);
    let options = DecoderOptions::default()
        .set_strict_mode(true)
        .set_max_width(clean.width as usize)
        .set_max_height(clean.height as usize)
        .jpeg_set_out_colorspace(ColorSpace::RGB);
    let mut decoder =
        zune_jpeg::JpegDecoder::new_with_options(ZCursor::new(clean.bytes.as_slice()), options);
    decoder.decode_headers().map_err(damage)?;
    let length = pixel_bytes(clean, 3);
    if decoder.output_buffer_size() != Some(length) {
        return Err(damaged(clean));
    }
    let mut pixels = vec![0; length];
    decoder.decode_into(&mut pixels).map_err(damage)?;
    let picture = RgbImage::from_raw(clean.width, clean.height, pixels);
    picture.map(DynamicImage::ImageRgb8).ok_or_else(|| damaged(clean))
}

fn png(clean: &Clean) -> Result<DynamicImage, MediaError> {
    let damage = |error: png::DecodingError| match error {
        png::DecodingError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            MediaError::Truncated { format: clean.format }
        }
        _ => damaged(clean),
    };
    let bytes = pixel_bytes(clean, 8) + (16 << 20);
    let source = Cursor::new(&clean.bytes);
    let mut decoder = png::Decoder::new_with_limits(source, png::Limits { bytes });
    decoder.set_transformations(png::Transformations::normalize_to_color8());
    let mut reader = decoder.read_info().map_err(damage)?;
    let length = reader.output_buffer_size().ok_or_else(|| damaged(clean))?;
    if length > pixel_bytes(clean, 4) {
        return Err(damaged(clean));
    }
    let mut pixels = vec![0; length];
    let info = reader.next_frame(&mut pixels).map_err(damage)?;
    let (width, height) = (info.width, info.height);
    let picture = match info.color_type {
        png::ColorType::Grayscale => {
            image::GrayImage::from_raw(width, height, pixels).map(DynamicImage::ImageLuma8)
        }
        png::ColorType::GrayscaleAlpha => {
            image::GrayAlphaImage::from_raw(width, height, pixels).map(DynamicImage::ImageLumaA8)
        }
        png::ColorType::Rgb => {
            RgbImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgb8)
        }
        png::ColorType::Rgba => {
            RgbaImage::from_raw(width, height, pixels).map(DynamicImage::ImageRgba8)
        }
        png::ColorType::Indexed => None,
    };
    picture.map(in_color).ok_or_else(|| damaged(clean))
}

fn with_image(
    clean: &Clean,
    decoder: image::ImageResult<impl ImageDecoder>,
) -> Result<DynamicImage, MediaError> {
    let damage = |_cause| damaged(clean);
    let mut decoder = decoder.map_err(damage)?;
    let mut limits = image::Limits::default();
    limits.max_image_width = Some(clean.width);
    limits.max_image_height = Some(clean.height);
    limits.max_alloc = Some(pixel_bytes(clean, 8) as u64 + (16 << 20));
    decoder.set_limits(limits).map_err(damage)?;
    if decoder.dimensions() != (clean.width, clean.height) {
        return Err(damaged(clean));
    }
    DynamicImage::from_decoder(decoder).map(in_color).map_err(damage)
}

/// Two kinds of pixels are enough for everything after this.
fn in_color(picture: DynamicImage) -> DynamicImage {
    match picture {
        DynamicImage::ImageRgb8(_) | DynamicImage::ImageRgba8(_) => picture,
        other if other.color().has_alpha() => DynamicImage::ImageRgba8(other.into_rgba8()),
        other => DynamicImage::ImageRgb8(other.into_rgb8()),
    }
}
