//! What must be gone, and what must be as if it had never been needed.

use image::DynamicImage;
use moxcms::{ColorProfile, LocalizableString, ProfileText};

use super::{
    PLANT_JPG, Processed, contains, difference,
    fixtures::{self, SECRETS, scene},
    open, processed,
};

fn assert_clean(name: &str, bytes: &[u8], done: &Processed) {
    let served = done.variants.iter().map(|variant| &variant.bytes).chain([&done.original]);
    for served in served {
        for secret in SECRETS {
            let text = String::from_utf8_lossy(secret);
            assert!(!contains(served, secret), "{name}: {text}");
        }
    }
    assert!(SECRETS.iter().any(|secret| contains(bytes, secret)), "{name} had something to hide");
}

#[test]
fn place_camera_and_comments_are_gone_from_every_format() {
    let picture = scene(400, 300);
    for (name, bytes) in [
        ("jpeg", fixtures::jpeg_with_metadata(&picture, 1)),
        ("turned jpeg", fixtures::jpeg_with_metadata(&picture, 6)),
        ("png", fixtures::png_with_metadata(picture.clone(), 1)),
        ("turned png", fixtures::png_with_metadata(picture.clone(), 6)),
        ("gif", fixtures::gif_with_metadata(400, 300, 2)),
        ("webp", fixtures::webp_with_metadata(&picture, 1)),
        ("turned webp", fixtures::webp_with_metadata(&picture, 6)),
        ("animated webp", fixtures::animated_webp(400, 300, 2)),
        ("real", PLANT_JPG.to_vec()),
    ] {
        assert_clean(name, &bytes, &processed(&bytes));
    }
}

#[test]
fn a_file_without_metadata_stays_what_it_is() {
    let picture = scene(40, 30);
    for bytes in [fixtures::jpeg(&picture), fixtures::png(picture.clone()), fixtures::gif(9, 9, 3)]
    {
        assert!(processed(&bytes).original == bytes);
    }
    let webp = fixtures::webp_file(&[fixtures::webp_chunk(b"VP8L", &fixtures::vp8l(picture))]);
    assert!(processed(&webp).original == webp);
}

#[test]
fn cleaning_twice_changes_nothing() {
    let picture = scene(40, 30);
    let p3 = ColorProfile::new_display_p3().encode().unwrap();
    for bytes in [
        fixtures::jpeg_with_metadata(&picture, 6),
        fixtures::png_with_metadata(picture.clone(), 8),
        fixtures::gif_with_metadata(9, 9, 3),
        fixtures::webp_with_metadata(&picture, 1),
        fixtures::animated_webp(10, 10, 2),
        fixtures::jpeg_with_profile(&picture, p3.clone()),
        fixtures::png_with_profile(&picture, p3),
    ] {
        let once = processed(&bytes).original;
        assert!(processed(&once).original == once);
    }
}

/// The picture as a camera in this position would have stored it.
fn turned_back(picture: &image::RgbImage, orientation: u16) -> image::RgbImage {
    let picture = DynamicImage::from(picture.clone());
    let stored = match orientation {
        2 => picture.fliph(),
        3 => picture.rotate180(),
        4 => picture.flipv(),
        5 => picture.rotate90().fliph(),
        6 => picture.rotate270(),
        7 => picture.rotate270().fliph(),
        8 => picture.rotate90(),
        _ => picture,
    };
    stored.into_rgb8()
}

#[test]
fn all_eight_orientations_give_the_same_picture() {
    let picture = scene(64, 48);
    let expected = DynamicImage::from(picture.clone());
    for orientation in 1..=8 {
        let stored = turned_back(&picture, orientation);
        if orientation >= 5 {
            assert_eq!((stored.width(), stored.height()), (48, 64));
        }
        let png = processed(&fixtures::png_with_metadata(stored.clone(), orientation));
        assert_eq!((png.width, png.height, png.content_type), (64, 48, "image/png"));
        assert_eq!(difference(&open(&png.original), &expected), 0, "PNG, {orientation}");
        let jpeg = processed(&fixtures::jpeg_with_metadata(&stored, orientation));
        assert_eq!((jpeg.width, jpeg.height, jpeg.content_type), (64, 48, "image/jpeg"));
        let far = difference(&open(&jpeg.original), &expected);
        assert!(far <= 40, "JPEG, {orientation}: {far}");
        let webp = processed(&fixtures::webp_with_metadata(&stored, orientation));
        assert_eq!((webp.width, webp.height), (64, 48));
        let far = difference(&open(&webp.original), &expected);
        assert!(far <= 40, "WebP, {orientation}: {far}");
    }
}

#[test]
fn an_orientation_that_makes_no_sense_is_none() {
    for orientation in [0, 9, 65_535] {
        let bytes = fixtures::jpeg_with_metadata(&scene(20, 10), orientation);
        assert_eq!(processed(&bytes).width, 20);
    }
}

fn p3_with_a_serial_number() -> Vec<u8> {
    let mut profile = ColorProfile::new_display_p3();
    profile.description = Some(ProfileText::Localizable(vec![LocalizableString::new(
        "en".into(),
        "US".into(),
        "monitor 4711".into(),
    )]));
    profile.encode().unwrap()
}

/// As the profile's text is stored: UTF-16.
fn serial_number() -> Vec<u8> {
    "monitor 4711".encode_utf16().flat_map(u16::to_be_bytes).collect()
}

#[test]
fn a_profile_is_kept_without_its_texts_and_copies_are_srgb() {
    let raw = p3_with_a_serial_number();
    assert!(contains(&raw, &serial_number()));
    let picture = image::RgbImage::from_pixel(400, 30, image::Rgb([200, 100, 50]));
    // By the definitions of Display P3 and sRGB, computed apart from this program: 214.9, 92.6, 31.0.
    let srgb = [215, 93, 31];
    for bytes in [
        fixtures::jpeg_with_profile(&picture, raw.clone()),
        fixtures::png_with_profile(&picture, raw.clone()),
    ] {
        let done = processed(&bytes);
        let again = image::ImageReader::new(std::io::Cursor::new(&done.original));
        let mut decoder = again.with_guessed_format().unwrap().into_decoder().unwrap();
        let kept = image::ImageDecoder::icc_profile(&mut decoder).unwrap().unwrap();
        assert!(!contains(&kept, &serial_number()));
        assert_eq!(kept[24..30], [0x07, 0xd0, 0, 1, 0, 1], "no time of processing in the file");
        let kept = ColorProfile::new_from_slice(&kept).unwrap();
        let p3 = ColorProfile::new_display_p3();
        assert!((kept.red_colorant.x - p3.red_colorant.x).abs() < 1e-3);
        assert!(difference(&open(&bytes), &open(&done.original)) == 0);
        let shown = open(&done.variants[0].bytes).to_rgb8().get_pixel(100, 10).0;
        assert!(shown.iter().zip(srgb).all(|(a, b)| a.abs_diff(b) <= 3), "{shown:?}");
    }
}

#[test]
fn an_srgb_or_unreadable_profile_is_dropped() {
    let picture = scene(40, 30);
    let srgb = ColorProfile::new_srgb().encode().unwrap();
    for profile in [srgb, b"written by somebody, no profile at all".repeat(9)] {
        let done = processed(&fixtures::jpeg_with_profile(&picture, profile.clone()));
        assert!(!contains(&done.original, b"ICC_PROFILE"));
        let done = processed(&fixtures::png_with_profile(&picture, profile));
        assert!(!contains(&done.original, b"iCCP") && contains(&done.original, b"sRGB"));
    }
}
