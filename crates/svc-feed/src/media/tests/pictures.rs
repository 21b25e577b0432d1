//! What comes out of good pictures.

use image::{DynamicImage, GrayImage, Luma, Rgba, RgbaImage};

use super::{
    CAT_PNG, PLANT_JPG, ROCKET_JPG, contains, difference,
    fixtures::{self, scene},
    open, processed,
};
use crate::{media::VARIANT_WIDTHS, view::MediaKind};

#[test]
fn real_photographs_keep_their_pixels_and_get_narrower_copies() {
    for (bytes, content_type, size, widths) in [
        (ROCKET_JPG, "image/jpeg", (640, 427), &[320_u32] as &[_]),
        (CAT_PNG, "image/png", (451, 300), &[320]),
        (PLANT_JPG, "image/jpeg", (600, 760), &[320]),
    ] {
        let done = processed(bytes);
        assert_eq!(done.kind, MediaKind::Image);
        assert_eq!(done.content_type, content_type);
        let before = open(bytes);
        assert_eq!((before.width(), before.height()), (done.width, done.height));
        assert!(done.width >= size.0.min(600) || size.0 < 600);
        assert_eq!(difference(&before, &open(&done.original)), 0, "nothing is coded anew");
        assert!(done.original.len() <= bytes.len());
        let found: Vec<_> = done.variants.iter().map(|v| v.width).collect();
        let expected: Vec<_> = VARIANT_WIDTHS.into_iter().filter(|w| *w < done.width).collect();
        assert_eq!(found, expected);
        assert!(found.starts_with(widths));
        for variant in &done.variants {
            assert_eq!(variant.content_type, "image/jpeg");
            let copy = open(&variant.bytes);
            assert_eq!((copy.width(), copy.height()), (variant.width, variant.height));
            let exact = f64::from(done.height) * f64::from(variant.width) / f64::from(done.width);
            assert!((f64::from(variant.height) - exact).abs() <= 0.5);
            assert!(variant.bytes.len() < bytes.len());
        }
    }
}

#[test]
fn copies_look_like_the_original() {
    let before = scene(1_300, 900);
    let done = processed(&fixtures::png(before.clone()));
    let widths: Vec<_> = done.variants.iter().map(|variant| variant.width).collect();
    assert_eq!(widths, VARIANT_WIDTHS);
    for variant in &done.variants {
        let copy = open(&variant.bytes).to_rgb8();
        for (x, y) in [(0.1, 0.1), (0.9, 0.1), (0.1, 0.9), (0.9, 0.9), (0.3, 0.7)] {
            let at = |picture: &image::RgbImage| {
                let across = (f64::from(picture.width()) * x) as u32;
                *picture.get_pixel(across, (f64::from(picture.height()) * y) as u32)
            };
            let (expected, found) = (at(&before), at(&copy));
            let far = expected.0.iter().zip(found.0).map(|(a, b)| a.abs_diff(b)).max().unwrap();
            assert!(far <= 6, "{x} {y}: {expected:?} {found:?}");
        }
    }
}

#[test]
fn a_picture_narrower_than_the_first_width_has_no_copies() {
    assert!(processed(&fixtures::jpeg(&scene(320, 40))).variants.is_empty());
    assert_eq!(processed(&fixtures::jpeg(&scene(321, 40))).variants.len(), 1);
}

#[test]
fn what_shows_through_still_does_in_copies() {
    let glass =
        RgbaImage::from_fn(400, 200, |x, _| Rgba([255, 0, 0, if x < 200 { 0 } else { 128 }]));
    let done = processed(&fixtures::png(glass.clone()));
    let copy = &done.variants[0];
    assert_eq!(copy.content_type, "image/png");
    let pixels = open(&copy.bytes).to_rgba8();
    assert_eq!(pixels.get_pixel(40, 80).0[3], 0);
    assert_eq!(pixels.get_pixel(280, 80).0, [255, 0, 0, 128]);
    let mut opaque = glass;
    opaque.pixels_mut().for_each(|pixel| pixel.0[3] = 255);
    assert_eq!(processed(&fixtures::png(opaque)).variants[0].content_type, "image/jpeg");
}

#[test]
fn grey_deep_and_indexed_pictures_are_shown_like_others() {
    let grey = GrayImage::from_fn(400, 30, |x, _| Luma([(x / 2) as u8]));
    let deep = DynamicImage::from(scene(400, 30)).into_rgb16();
    for (bytes, expected) in [
        (fixtures::png(grey.clone()), DynamicImage::from(grey.clone())),
        (fixtures::png(deep.clone()), DynamicImage::from(deep)),
        (fixtures::encoded(grey.clone(), image::ImageFormat::Jpeg), DynamicImage::from(grey)),
    ] {
        let done = processed(&bytes);
        assert_eq!(done.variants.len(), 1);
        let found = DynamicImage::from(open(&done.original).to_rgb8());
        assert!(difference(&found, &DynamicImage::from(expected.to_rgb8())) <= 4);
    }
}

#[test]
fn an_animated_gif_keeps_moving_and_its_copies_show_the_first_frame() {
    use image::{AnimationDecoder, codecs::gif::GifDecoder};
    let bytes = fixtures::gif_with_metadata(400, 60, 5);
    let done = processed(&bytes);
    assert_eq!(done.content_type, "image/gif");
    assert!(contains(&done.original, b"NETSCAPE2.0\x03\x01\0\0\0"), "repeats for ever");
    let frames = |bytes: &[u8]| {
        let decoder = GifDecoder::new(std::io::Cursor::new(bytes.to_vec())).unwrap();
        decoder.into_frames().collect_frames().unwrap()
    };
    let (before, after) = (frames(&bytes), frames(&done.original));
    assert_eq!((before.len(), after.len()), (5, 5));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.delay(), after.delay());
        assert_eq!(before.buffer(), after.buffer());
    }
    let copy = open(&done.variants[0].bytes);
    let first = after[0].buffer().get_pixel(0, 0).0;
    let shown = copy.to_rgb8().get_pixel(100, 20).0;
    assert!(first.iter().zip(shown).all(|(a, b)| a.abs_diff(b) < 6), "{first:?} {shown:?}");
}

#[test]
fn an_animated_webp_keeps_moving() {
    use image::{AnimationDecoder, codecs::webp::WebPDecoder};
    let bytes = fixtures::animated_webp(340, 40, 3);
    let done = processed(&bytes);
    assert_eq!((done.content_type, done.width, done.height), ("image/webp", 340, 40));
    let frames = |bytes: &[u8]| {
        let decoder = WebPDecoder::new(std::io::Cursor::new(bytes.to_vec())).unwrap();
        decoder.into_frames().collect_frames().unwrap()
    };
    let (before, after) = (frames(&bytes), frames(&done.original));
    assert_eq!((before.len(), after.len()), (3, 3));
    for (before, after) in before.iter().zip(&after) {
        assert_eq!(before.buffer(), after.buffer());
    }
    assert_eq!(done.variants.len(), 1);
}

#[test]
fn the_blurhash_shows_the_colours_of_the_picture() {
    let red = image::RgbImage::from_pixel(500, 300, image::Rgb([200, 20, 40]));
    let done = processed(&fixtures::png(red));
    let shown = blurhash::decode(&done.blurhash, 4, 4, 1.0).unwrap();
    assert!(
        shown.chunks(4).all(|p| p[0].abs_diff(200) < 14 && p[1] < 40 && p[2] < 60),
        "{shown:?}"
    );
    // Four across, three down: one character for the counts, one for the range, four for the mean, two for each other.
    assert_eq!(done.blurhash.len(), 6 + 2 * 11);
    let clear = RgbaImage::from_pixel(50, 30, Rgba([0, 0, 0, 0]));
    let shown = blurhash::decode(&processed(&fixtures::png(clear)).blurhash, 2, 2, 1.0).unwrap();
    assert!(shown.chunks(4).all(|p| p[0] > 250), "what shows through is on white");
}

#[test]
fn extreme_shapes_are_processed() {
    for (width, height) in [(1, 1), (1, 3_000), (3_000, 1), (5_000, 7), (7, 5_000), (2, 2)] {
        let done = processed(&fixtures::png(scene(width, height)));
        assert_eq!((done.width, done.height), (width, height));
        assert!(!done.blurhash.is_empty());
        assert!(done.variants.iter().all(|variant| variant.height >= 1));
    }
}

#[test]
fn a_copy_that_no_jpeg_can_hold_is_left_out() {
    let done = processed(&fixtures::png(GrayImage::new(321, 66_000)));
    assert_eq!((done.width, done.height), (321, 66_000));
    assert!(done.variants.is_empty());
}
