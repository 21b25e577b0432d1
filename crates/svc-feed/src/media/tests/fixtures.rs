//! Files made here: small pictures of every format, with metadata put where cameras and programs put it.

use std::io::Cursor;

use image::{
    Delay, DynamicImage, Frame, ImageEncoder, ImageFormat, Rgb, RgbImage, Rgba, RgbaImage,
    codecs::{
        gif::{GifEncoder, Repeat},
        jpeg::JpegEncoder,
        png::PngEncoder,
    },
};

/// What must not be found in anything that is served.
pub(crate) const SECRETS: [&[u8]; 4] =
    [b"Exif", b"SecretCamera", b"N 47 22 E 8 32", b"written by somebody"];

/// A picture that looks different from every side: four coloured quarters on a gradient.
pub(crate) fn scene(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let shade = u8::try_from(64 * x / width + 32 * y / height).unwrap();
        match (2 * x < width, 2 * y < height) {
            (true, true) => Rgb([200 - shade, 40, 40]),
            (false, true) => Rgb([40, 160 - shade, 40]),
            (true, false) => Rgb([40, 40, 220 - shade]),
            (false, false) => Rgb([220, 220 - shade, 90]),
        }
    })
}

pub(crate) fn encoded(picture: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    picture.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

pub(crate) fn jpeg(picture: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 95).encode_image(picture).unwrap();
    bytes
}

/// A TIFF block as in Exif: orientation, the camera's maker, and the place in a GPS directory.
pub(crate) fn tiff(orientation: u16) -> Vec<u8> {
    let mut tiff = b"II*\0\x08\0\0\0\x03\0".to_vec();
    let maker = b"SecretCamera\0";
    let place = b"N 47 22 E 8 32\0";
    let directory_end = 10 + 3 * 12 + 4;
    let gps = directory_end + maker.len();
    let place_at = gps + 2 + 12 + 4;
    let mut entry = |tag: u16, kind: u16, count: usize, value: usize| {
        tiff.extend_from_slice(&tag.to_le_bytes());
        tiff.extend_from_slice(&kind.to_le_bytes());
        tiff.extend_from_slice(&u32::try_from(count).unwrap().to_le_bytes());
        tiff.extend_from_slice(&u32::try_from(value).unwrap().to_le_bytes());
    };
    entry(0x10f, 2, maker.len(), directory_end);
    entry(0x112, 3, 1, usize::from(orientation));
    entry(0x8825, 4, 1, gps);
    tiff.extend_from_slice(&[0; 4]);
    tiff.extend_from_slice(maker);
    tiff.extend_from_slice(&[1, 0, 0x1b, 0, 2, 0, u8::try_from(place.len()).unwrap(), 0, 0, 0]);
    tiff.extend_from_slice(&u32::try_from(place_at).unwrap().to_le_bytes());
    tiff.extend_from_slice(&[0; 4]);
    tiff.extend_from_slice(place);
    tiff
}

pub(crate) fn jpeg_segment(code: u8, body: &[u8]) -> Vec<u8> {
    let mut segment = vec![0xff, code];
    segment.extend_from_slice(&u16::try_from(body.len() + 2).unwrap().to_be_bytes());
    segment.extend_from_slice(body);
    segment
}

/// Puts `part` into `bytes` at `at`.
pub(crate) fn spliced(bytes: &[u8], at: usize, part: &[u8]) -> Vec<u8> {
    [&bytes[..at], part, &bytes[at..]].concat()
}

/// A JPEG with Exif, XMP, a comment and bytes behind its end.
pub(crate) fn jpeg_with_metadata(picture: &RgbImage, orientation: u16) -> Vec<u8> {
    let exif = jpeg_segment(0xe1, &[b"Exif\0\0", tiff(orientation).as_slice()].concat());
    let xmp = b"http://ns.adobe.com/xap/1.0/\0<x:xmpmeta>written by somebody</x:xmpmeta>";
    let comment = jpeg_segment(0xfe, b"written by somebody");
    let metadata = [exif, jpeg_segment(0xe1, xmp), comment].concat();
    let mut bytes = spliced(&jpeg(picture), 2, &metadata);
    bytes.extend_from_slice(b"\0\0\0\x18ftypmp42 written by somebody");
    bytes
}

pub(crate) fn png(picture: impl Into<DynamicImage>) -> Vec<u8> {
    encoded(picture, ImageFormat::Png)
}

pub(crate) fn png_chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut chunk = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
    let checked = [name.as_slice(), body].concat();
    chunk.extend_from_slice(&checked);
    chunk.extend_from_slice(&crc32fast::hash(&checked).to_be_bytes());
    chunk
}

/// A PNG with Exif, texts, a private chunk and bytes behind its end.
pub(crate) fn png_with_metadata(picture: impl Into<DynamicImage>, orientation: u16) -> Vec<u8> {
    let metadata = [
        png_chunk(b"eXIf", &tiff(orientation)),
        png_chunk(b"tEXt", b"Comment\0written by somebody"),
        png_chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0written by somebody"),
        png_chunk(b"prVt", b"SecretCamera"),
    ];
    let mut bytes = spliced(&png(picture), 33, &metadata.concat());
    bytes.extend_from_slice(b"PK\x03\x04 written by somebody");
    bytes
}

pub(crate) fn png_with_profile(picture: &RgbImage, profile: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = PngEncoder::new(&mut bytes);
    encoder.set_icc_profile(profile).unwrap();
    DynamicImage::from(picture.clone()).write_with_encoder(encoder).unwrap();
    bytes
}

pub(crate) fn jpeg_with_profile(picture: &RgbImage, profile: Vec<u8>) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = JpegEncoder::new_with_quality(&mut bytes, 95);
    encoder.set_icc_profile(profile).unwrap();
    DynamicImage::from(picture.clone()).write_with_encoder(encoder).unwrap();
    bytes
}

/// A GIF of `frames` frames in different colours that repeats for ever.
pub(crate) fn gif(width: u32, height: u32, frames: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = GifEncoder::new_with_speed(&mut bytes, 30);
    encoder.set_repeat(Repeat::Infinite).unwrap();
    for frame in 0..frames {
        let color = Rgba([frame.wrapping_mul(40), 255 - frame.wrapping_mul(20), 90, 255]);
        let picture = RgbaImage::from_pixel(width, height, color);
        let delay = Delay::from_numer_denom_ms(100, 1);
        encoder.encode_frame(Frame::from_parts(picture, 0, 0, delay)).unwrap();
    }
    drop(encoder);
    bytes
}

/// A GIF with a comment, XMP as programs write it, and bytes behind its end.
pub(crate) fn gif_with_metadata(width: u32, height: u32, frames: u8) -> Vec<u8> {
    let plain = gif(width, height, frames);
    let flags = plain[10];
    let head = 13 + if flags & 0x80 == 0 { 0 } else { 3 << ((flags & 7) + 1) };
    let comment = b"\x21\xfe\x13written by somebody\0";
    let mut xmp = b"\x21\xff\x0bXMP DataXMP".to_vec();
    xmp.extend_from_slice(b"<x>written by somebody</x>");
    // XMP's "magic trailer" makes its text look like data blocks.
    xmp.push(1);
    xmp.extend((0..=255).rev());
    xmp.push(0);
    let mut bytes = spliced(&plain, head, &[comment.as_slice(), &xmp].concat());
    bytes.extend_from_slice(b"written by somebody");
    bytes
}

pub(crate) fn webp_chunk(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let mut chunk = name.to_vec();
    chunk.extend_from_slice(&u32::try_from(body.len()).unwrap().to_le_bytes());
    chunk.extend_from_slice(body);
    if body.len() % 2 == 1 {
        chunk.push(0);
    }
    chunk
}

pub(crate) fn webp_file(chunks: &[Vec<u8>]) -> Vec<u8> {
    webp_chunk(b"RIFF", &[b"WEBP".as_slice(), &chunks.concat()].concat())
}

fn le24(value: u32) -> [u8; 3] {
    let [a, b, c, _] = value.to_le_bytes();
    [a, b, c]
}

pub(crate) fn vp8x(flags: u8, width: u32, height: u32) -> Vec<u8> {
    let sides = [le24(width - 1), le24(height - 1)].concat();
    webp_chunk(b"VP8X", &[&[flags, 0, 0, 0], sides.as_slice()].concat())
}

/// The lossless picture inside a WebP file.
pub(crate) fn vp8l(picture: impl Into<DynamicImage>) -> Vec<u8> {
    let file = encoded(picture, ImageFormat::WebP);
    assert_eq!(&file[12..16], b"VP8L");
    let length = u32::from_le_bytes(file[16..20].try_into().unwrap());
    file[20..20 + length as usize].to_vec()
}

/// A WebP with Exif, XMP and an unknown chunk.
pub(crate) fn webp_with_metadata(picture: &RgbImage, orientation: u16) -> Vec<u8> {
    webp_file(&[
        vp8x(0x0c, picture.width(), picture.height()),
        webp_chunk(b"VP8L", &vp8l(picture.clone())),
        webp_chunk(b"EXIF", &[b"Exif\0\0".as_slice(), &tiff(orientation)].concat()),
        webp_chunk(b"XMP ", b"<x>written by somebody</x>"),
        webp_chunk(b"priv", b"SecretCamera"),
    ])
}

/// An animated WebP, with metadata in the file and inside a frame.
pub(crate) fn animated_webp(width: u32, height: u32, frames: u8) -> Vec<u8> {
    let mut chunks = vec![vp8x(0x0e, width, height), webp_chunk(b"ANIM", &[0, 0, 0, 0, 0, 0])];
    for frame in 0..frames {
        let color = Rgba([frame.wrapping_mul(40), 20, 255 - frame.wrapping_mul(20), 255]);
        let place = [le24(0), le24(0), le24(width - 1), le24(height - 1), le24(100)].concat();
        let picture = RgbaImage::from_pixel(width, height, color);
        let parts = [
            [place.as_slice(), &[0]].concat(),
            webp_chunk(b"VP8L", &vp8l(picture)),
            webp_chunk(b"priv", b"SecretCamera"),
        ];
        chunks.push(webp_chunk(b"ANMF", &parts.concat()));
    }
    chunks.push(webp_chunk(b"EXIF", &tiff(6)));
    chunks.push(webp_chunk(b"XMP ", b"<x>written by somebody</x>"));
    webp_file(&chunks)
}
