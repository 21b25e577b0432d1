//! Bombs, disguises, halves and noise.

use proptest::prelude::*;

use super::{
    CAT_PNG, PLANT_JPG, ROCKET_JPG, TRUNCATED_JPG,
    fixtures::{self, scene},
    open, refusal,
};
use crate::media::{Limits, MediaError, cost_bytes, process, sniff};

/// A PNG whose header says this size, with a real zlib stream of a few zeros.
fn png_bomb(width: u32, height: u32) -> Vec<u8> {
    let header = [&width.to_be_bytes()[..], &height.to_be_bytes(), &[8, 6, 0, 0, 0]].concat();
    let zeros = b"\x78\x9c\x63\x60\x60\x60\x00\x00\x00\x04\x00\x01";
    [
        b"\x89PNG\r\n\x1a\n".to_vec(),
        fixtures::png_chunk(b"IHDR", &header),
        fixtures::png_chunk(b"IDAT", zeros),
        fixtures::png_chunk(b"IEND", &[]),
    ]
    .concat()
}

fn jpeg_bomb(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = fixtures::jpeg(&scene(16, 16));
    let frame = bytes.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

fn gif_bomb(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = fixtures::gif(4, 4, 1);
    bytes[6..8].copy_from_slice(&width.to_le_bytes());
    bytes[8..10].copy_from_slice(&height.to_le_bytes());
    bytes
}

#[test]
fn bombs_are_refused_by_their_header() {
    let picture = scene(16, 16);
    let vp8l = fixtures::webp_chunk(b"VP8L", &fixtures::vp8l(picture));
    for (name, bytes) in [
        ("png", png_bomb(10_000, 10_000)),
        ("png", png_bomb(0x7fff_ffff, 0x7fff_ffff)),
        ("png", png_bomb(50_000_001, 1)),
        ("jpeg", jpeg_bomb(65_535, 65_535)),
        ("gif", gif_bomb(65_535, 65_535)),
        ("webp", fixtures::webp_file(&[fixtures::vp8x(0, 10_000, 10_000), vp8l.clone()])),
        ("webp", fixtures::webp_file(&[fixtures::vp8x(2, 1 << 24, 1 << 24), vp8l.clone()])),
    ] {
        let error = refusal(&bytes);
        assert!(matches!(error, MediaError::TooManyPixels { .. }), "{name}: {error}");
        assert_eq!(cost_bytes(&bytes, &Limits::default()), 0, "{name} waits for no memory");
    }
    assert!(matches!(refusal(&png_bomb(0, 5)), MediaError::Damaged { .. }));
}

#[test]
fn a_picture_that_hides_a_larger_one_is_refused() {
    // A small canvas with a large bitstream in it.
    let vp8l = fixtures::vp8l(scene(64, 64));
    let small =
        fixtures::webp_file(&[fixtures::vp8x(0, 8, 8), fixtures::webp_chunk(b"VP8L", &vp8l)]);
    assert!(matches!(refusal(&small), MediaError::Damaged { .. }));
    // A frame that is larger than the screen it is drawn on.
    let mut gif = fixtures::gif(8, 8, 1);
    let frame = gif.windows(5).position(|w| w == [0x2c, 0, 0, 0, 0]).unwrap();
    gif[frame + 5..frame + 9].copy_from_slice(&[0xff; 4]);
    assert!(matches!(refusal(&gif), MediaError::Damaged { .. }));
}

#[test]
fn a_large_file_and_too_many_frames_are_refused() {
    let limits = Limits { image_bytes_max: 1_000, frames_max: 3, ..Limits::default() };
    let error = process(ROCKET_JPG, &limits).err().unwrap();
    assert!(matches!(error, MediaError::TooLarge { max_bytes: 1_000 }), "{error}");
    for bytes in [fixtures::gif(2, 2, 4), fixtures::animated_webp(2, 2, 4)] {
        let error = process(&bytes, &limits).err().unwrap();
        assert!(matches!(error, MediaError::TooManyFrames { max: 3 }), "{error}");
    }
    assert!(process(&fixtures::gif(2, 2, 3), &limits).is_ok());
}

#[test]
fn files_in_disguise_are_called_by_their_name() {
    for (bytes, name) in [
        (&b"<!DOCTYPE html><script>alert(1)</script>"[..], "HTML"),
        (b"\n\t <HTML><body>", "HTML"),
        (b"\xef\xbb\xbf  <svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'>", "SVG"),
        (b"<?xml version='1.0'?><svg>", "SVG"),
        (b"%PDF-1.7\n", "PDF"),
        (b"PK\x03\x04\x14\0", "ZIP"),
        (b"BM\x36\0\0\0", "BMP"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"MM\0*\0\0\0\x08", "TIFF"),
        (b"MZ\x90\0", "program"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "HEIC"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", "AVIF"),
        (b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", "QuickTime"),
        (b"RIFF\x10\0\0\0AVI LIST", "AVI"),
    ] {
        let error = refusal(bytes);
        assert!(matches!(error, MediaError::WrongType { .. }), "{name}: {error}");
        assert!(error.to_string().contains(name), "{name}: {error}");
    }
    for bytes in [&b"hello"[..], b"\xff\xd8", b"RIFF\x10\0\0\0WAVEfmt ", b"GIF88a", &[0; 99]] {
        assert!(matches!(refusal(bytes), MediaError::UnknownType), "{bytes:?}");
    }
    assert!(matches!(refusal(b""), MediaError::Empty));
}

#[test]
fn a_page_behind_a_pictures_first_bytes_is_refused() {
    let page = b"<html><script>alert(document.cookie)</script></html>";
    for head in [
        &b"\xff\xd8\xff\xe0\0\x10JFIF\0"[..],
        b"\x89PNG\r\n\x1a\n",
        b"GIF89a",
        b"RIFF\x40\0\0\0WEBPVP8 ",
        b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom",
        b"\x1a\x45\xdf\xa3",
    ] {
        let bytes = [head, page].concat();
        let error = refusal(&bytes);
        // Where a GIF has its size, the page has letters.
        let told = matches!(
            error,
            MediaError::Damaged { .. }
                | MediaError::Truncated { .. }
                | MediaError::TooManyPixels { .. }
        );
        assert!(told, "{:?}: {error}", sniff::sniff(&bytes));
    }
}

#[test]
fn half_a_picture_is_an_error_and_not_half_grey() {
    assert!(matches!(refusal(TRUNCATED_JPG), MediaError::Truncated { .. }));
    let picture = scene(60, 40);
    for (name, bytes) in [
        ("jpeg", fixtures::jpeg(&picture)),
        ("png", fixtures::png(picture.clone())),
        ("gif", fixtures::gif(60, 40, 3)),
        ("webp", fixtures::webp_with_metadata(&picture, 1)),
        ("animated webp", fixtures::animated_webp(60, 40, 3)),
    ] {
        for length in 12..bytes.len() {
            let error = refusal(&bytes[..length]);
            let told = matches!(error, MediaError::Damaged { .. } | MediaError::Truncated { .. });
            assert!(told, "{name} cut to {length} of {}: {error}", bytes.len());
        }
    }
    for bytes in [CAT_PNG, ROCKET_JPG, PLANT_JPG] {
        for part in 1..20 {
            let error = refusal(&bytes[..bytes.len() * part / 20]);
            assert!(matches!(error, MediaError::Truncated { .. }), "{part}/20: {error}");
        }
    }
}

#[test]
fn kinds_of_jpeg_that_browsers_do_not_show_are_named() {
    let plain = fixtures::jpeg(&scene(16, 16));
    let frame = plain.windows(2).position(|w| w == [0xff, 0xc0]).unwrap();
    for (at, value) in [(1, 0xc3), (1, 0xc9), (1, 0xc5), (4, 12), (9, 2)] {
        let mut bytes = plain.clone();
        bytes[frame + at] = value;
        let error = refusal(&bytes);
        assert!(matches!(error, MediaError::Unsupported { .. }), "{at} {value}: {error}");
    }
}

#[test]
fn a_damaged_png_checksum_is_noticed() {
    let mut bytes = fixtures::png(scene(20, 20));
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    assert!(matches!(refusal(&bytes), MediaError::Damaged { .. }));
}

fn valid() -> impl Strategy<Value = Vec<u8>> {
    let picture = scene(24, 18);
    let films = [super::videos::mp4(), super::videos::webm()];
    let pictures = [
        fixtures::jpeg_with_metadata(&picture, 6),
        fixtures::png_with_metadata(picture.clone(), 3),
        fixtures::gif_with_metadata(24, 18, 3),
        fixtures::webp_with_metadata(&picture, 5),
        fixtures::animated_webp(24, 18, 2),
        fixtures::jpeg_with_profile(
            &picture,
            moxcms::ColorProfile::new_display_p3().encode().unwrap(),
        ),
    ];
    prop::sample::select(pictures.into_iter().chain(films).collect::<Vec<_>>())
}

/// What was taken must be openable, and the same when it comes a second time.
fn judge(bytes: &[u8]) {
    let limits = Limits { pixels_max: 1_000_000, ..Limits::default() };
    let _cost = cost_bytes(bytes, &limits);
    let Ok(done) = process(bytes, &limits) else { return };
    if done.width > 0 {
        let picture = open(&done.original);
        assert_eq!((picture.width(), picture.height()), (done.width, done.height));
    }
    assert!(process(&done.original, &limits).unwrap().original == done.original);
}

/// PNG's checksums would stop every change at the door; with them made right again, the decoder is reached.
fn with_right_checksums(mut bytes: Vec<u8>) -> Vec<u8> {
    let mut at = 8;
    while let Some(length) = bytes.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
        let end = at + 8 + u32::from_be_bytes(*length) as usize;
        let Some(sum) = bytes.get(at + 4..end).map(crc32fast::hash) else { break };
        let Some(place) = bytes.get_mut(end..end + 4) else { break };
        place.copy_from_slice(&sum.to_be_bytes());
        at = end + 4;
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn noise_never_panics(
        noise in prop::collection::vec(any::<u8>(), 0..300),
        head in valid(),
        cut in 0..64_usize,
    ) {
        judge(&noise);
        judge(&[&head[..cut.min(head.len())], &noise].concat());
    }

    #[test]
    fn changed_files_never_panic(
        bytes in valid(),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in prop::option::weighted(0.2, any::<prop::sample::Index>()),
    ) {
        let mut bytes = bytes;
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(bytes.len()));
        }
        judge(&bytes);
        if bytes.starts_with(b"\x89PNG") {
            judge(&with_right_checksums(bytes));
        }
    }
}
