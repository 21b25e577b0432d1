//! The served full size, the narrower copies and the blurhash.

use fast_image_resize::{FilterType, ResizeAlg, ResizeOptions, Resizer};
use image::{
    DynamicImage, ImageEncoder, RgbImage,
    codecs::{jpeg::JpegEncoder, png::PngEncoder},
    metadata::Orientation,
};

use super::{Clean, MediaError, Processed, VARIANT_WIDTHS, Variant, sniff::Format};
use crate::view::MediaKind;

/// Of a full size that had to be coded anew; no difference is seen beside the original.
const FULL_QUALITY: u8 = 88;
/// Of the narrower copies.
const VARIANT_QUALITY: u8 = 82;
/// The longest side that a JPEG file can have.
const JPEG_SIDE_MAX: u32 = 65_535;
/// The longest side of the copy from which the blurhash is made. The method's waves do not sum to zero on few pixels,
/// which tints the left and upper edge; at 64 nobody sees it.
const BLUR_SIDE: u32 = 64;

/// Renders everything that is stored of a picture.
///
/// # Errors
/// `Failed` if an encoder does not do it.
pub(super) fn render(clean: Clean, mut picture: DynamicImage) -> Result<Processed, MediaError> {
    picture.apply_orientation(clean.orientation);
    if is_opaque(&picture) {
        // Drops an alpha channel that hides nothing, so that copies may be JPEG.
        picture = DynamicImage::ImageRgb8(picture.into_rgb8());
    }
    let (width, height) = (picture.width(), picture.height());
    let mut resizer = Resizer::new();
    let mut variants = Vec::new();
    // From wide to narrow, each copy from the one before: the large picture is read once.
    let mut last: Option<DynamicImage> = None;
    for target in VARIANT_WIDTHS.into_iter().rev().filter(|&target| target < width) {
        let target_height = scaled(height, target, width);
        if target_height > JPEG_SIDE_MAX {
            continue;
        }
        let from = last.as_ref().unwrap_or(&picture);
        let mut copy = resize(&mut resizer, from, target, target_height)?;
        if let Some(profile) = clean.profile.as_ref().filter(|_| last.is_none()) {
            profile.apply(&mut copy);
        }
        let (content_type, bytes) = encode(&copy, VARIANT_QUALITY, None)?;
        variants.push(Variant { width: target, height: target_height, content_type, bytes });
        last = Some(copy);
    }
    variants.reverse();
    let blurhash = match &last {
        Some(copy) => blurhash(&mut resizer, copy, None)?,
        None => blurhash(&mut resizer, &picture, clean.profile.as_ref())?,
    };
    let (content_type, original) = full(clean, &picture)?;
    Ok(Processed {
        kind: MediaKind::Image,
        content_type,
        width,
        height,
        blurhash,
        original,
        variants,
    })
}

/// The cleaned file itself wherever that is possible, so that nothing is lost by coding it again.
fn full(clean: Clean, picture: &DynamicImage) -> Result<(&'static str, Vec<u8>), MediaError> {
    if clean.orientation == Orientation::NoTransforms && clean.servable {
        return Ok((clean.format.content_type(), clean.bytes));
    }
    let profile = clean.profile.as_ref().map(|profile| profile.bytes().to_vec());
    match clean.format {
        // Lossless stays lossless.
        Format::Png => Ok(("image/png", encode_png(picture, profile)?)),
        _ => encode(picture, FULL_QUALITY, profile),
    }
}

fn encode(
    picture: &DynamicImage,
    quality: u8,
    profile: Option<Vec<u8>>,
) -> Result<(&'static str, Vec<u8>), MediaError> {
    if picture.color().has_alpha() {
        return Ok(("image/png", encode_png(picture, profile)?));
    }
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, quality);
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile).map_err(failed)?;
    }
    picture.write_with_encoder(encoder).map_err(failed)?;
    Ok(("image/jpeg", bytes))
}

fn encode_png(picture: &DynamicImage, profile: Option<Vec<u8>>) -> Result<Vec<u8>, MediaError> {
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    if let Some(profile) = profile {
        encoder.set_icc_profile(profile).map_err(failed)?;
    }
    picture.write_with_encoder(encoder).map_err(failed)?;
    Ok(bytes)
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> MediaError {
    MediaError::Failed { source: error.into() }
}

fn is_opaque(picture: &DynamicImage) -> bool {
    match picture {
        DynamicImage::ImageRgba8(rgba) => rgba.as_raw().chunks_exact(4).all(|p| p[3] == 255),
        _ => true,
    }
}

/// `side × to / from`, rounded, at least 1.
fn scaled(side: u32, to: u32, from: u32) -> u32 {
    let (side, to, from) = (u64::from(side), u64::from(to), u64::from(from.max(1)));
    u32::try_from((side * to + from / 2) / from).unwrap_or(u32::MAX).max(1)
}

fn resize(
    resizer: &mut Resizer,
    from: &DynamicImage,
    width: u32,
    height: u32,
) -> Result<DynamicImage, MediaError> {
    let mut to = DynamicImage::new(width, height, from.color());
    let lanczos = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    resizer.resize(from, &mut to, &lanczos).map_err(failed)?;
    Ok(to)
}

/// The blurhash of `picture` on white: about twelve waves, more along the longer side.
fn blurhash(
    resizer: &mut Resizer,
    picture: &DynamicImage,
    profile: Option<&super::color::Profile>,
) -> Result<String, MediaError> {
    let (width, height) = (picture.width(), picture.height());
    let longer = width.max(height);
    let (small_width, small_height) = if longer > BLUR_SIDE {
        (scaled(width, BLUR_SIDE, longer), scaled(height, BLUR_SIDE, longer))
    } else {
        (width, height)
    };
    let mut small = resize(resizer, picture, small_width, small_height)?;
    if let Some(profile) = profile {
        profile.apply(&mut small);
    }
    let rgba = DynamicImage::ImageRgb8(on_white(small)).into_rgba8();
    let (across, down) = components(width, height);
    blurhash::encode(across, down, small_width, small_height, rgba.as_raw()).map_err(failed)
}

/// Waves across and down; 4 × 3 for a usual picture.
fn components(width: u32, height: u32) -> (u32, u32) {
    let (width, height) = (u64::from(width), u64::from(height));
    if width > 8 * height {
        (9, 1)
    } else if 2 * width > 5 * height {
        (6, 2)
    } else if width >= height {
        (4, 3)
    } else if 2 * height <= 5 * width {
        (3, 4)
    } else if height <= 8 * width {
        (2, 6)
    } else {
        (1, 9)
    }
}

fn on_white(picture: DynamicImage) -> RgbImage {
    match picture {
        DynamicImage::ImageRgba8(rgba) => {
            let mut rgb = RgbImage::new(rgba.width(), rgba.height());
            for (to, from) in rgb.pixels_mut().zip(rgba.pixels()) {
                let [r, g, b, alpha] = from.0.map(u32::from);
                // A mean of two numbers of 8 bits has 8 bits.
                let over_white = |c: u32| ((c * alpha + 255 * (255 - alpha)) / 255) as u8;
                to.0 = [over_white(r), over_white(g), over_white(b)];
            }
            rgb
        }
        other => other.into_rgb8(),
    }
}
