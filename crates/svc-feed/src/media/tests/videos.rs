//! Films: passed through whole, without what tells where they were made.

use super::{contains, processed, refusal};
use crate::{
    media::{Limits, MediaError, process, sniff::Format, video::Filter},
    view::MediaKind,
};

fn mp4_box(name: &[u8; 4], body: &[u8]) -> Vec<u8> {
    let size = u32::try_from(body.len() + 8).unwrap().to_be_bytes();
    [&size, name.as_slice(), body].concat()
}

/// A film as a phone writes it: its place in `udta`, and in `meta` of the track.
pub(super) fn mp4() -> Vec<u8> {
    let place = mp4_box(b"udta", &mp4_box(b"\xa9xyz", b"\0\x10\x15\xc7N 47 22 E 8 32/"));
    let keys = mp4_box(b"meta", b"\0\0\0\0com.apple.quicktime.location.ISO6709 N 47 22 E 8 32");
    let track = mp4_box(b"trak", &[mp4_box(b"tkhd", &[7; 84]), keys].concat());
    let mut large = [&1_u32.to_be_bytes()[..], b"mdat", &24_u64.to_be_bytes()].concat();
    large.extend_from_slice(b"pictures");
    [
        mp4_box(b"ftyp", b"mp42\0\0\0\0mp42isom"),
        mp4_box(b"uuid", b"0123456789abcdefSecretCamera"),
        mp4_box(b"moov", &[mp4_box(b"mvhd", &[0; 100]), track, place].concat()),
        mp4_box(b"free", &[]),
        mp4_box(b"free", b"udta SecretCamera"),
        mp4_box(b"smta", b"SecretCamera"),
        large,
    ]
    .concat()
}

/// An element; its size takes `size_bytes` bytes.
fn element(id: &[u8], size_bytes: usize, body: &[u8]) -> Vec<u8> {
    let size = (1_u64 << (7 * size_bytes)) | body.len() as u64;
    [id, &size.to_be_bytes()[8 - size_bytes..], body].concat()
}

fn webm_head(document_type: &[u8]) -> Vec<u8> {
    let version = element(&[0x42, 0x86], 1, &[1]);
    element(
        &[0x1a, 0x45, 0xdf, 0xa3],
        1,
        &[version, element(&[0x42, 0x82], 1, document_type)].concat(),
    )
}

const CLUSTER: [u8; 4] = [0x1f, 0x43, 0xb6, 0x75];
const SEGMENT: [u8; 4] = [0x18, 0x53, 0x80, 0x67];

fn webm_parts() -> Vec<u8> {
    [
        element(&[0x16, 0x54, 0xae, 0x6b], 8, &[5; 40]),
        element(&[0x12, 0x54, 0xc3, 0x67], 1, b"N 47 22 E 8 32"),
        element(&[0x12, 0x54, 0xc3, 0x67], 8, b"N 47 22 E 8 32"),
        element(&[0x19, 0x41, 0xa4, 0x69], 4, b"SecretCamera"),
        element(&CLUSTER, 4, b"pictures"),
    ]
    .concat()
}

pub(super) fn webm() -> Vec<u8> {
    [webm_head(b"webm"), element(&SEGMENT, 8, &webm_parts())].concat()
}

/// As browsers record: segment and clusters without a size.
fn live_webm() -> Vec<u8> {
    let open = [1, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff];
    let start = [webm_head(b"webm\0\0"), SEGMENT.to_vec(), open.to_vec(), webm_parts()].concat();
    [start, CLUSTER.to_vec(), open.to_vec(), b"more pictures".to_vec()].concat()
}

fn films() -> [(&'static str, Vec<u8>); 3] {
    [("video/mp4", mp4()), ("video/webm", webm()), ("video/webm", live_webm())]
}

#[test]
fn films_pass_with_their_length_and_without_their_place() {
    for (content_type, bytes) in films() {
        let done = processed(&bytes);
        assert_eq!((done.kind, done.content_type), (MediaKind::Video, content_type));
        assert_eq!((done.width, done.height, done.variants.len()), (0, 0, 0));
        assert_eq!(done.original.len(), bytes.len(), "no offset in the file may change");
        assert!(contains(&bytes, b"N 47 22 E 8 32"));
        assert!(!contains(&done.original, b"N 47 22 E 8 32"));
        assert!(!contains(&done.original, b"SecretCamera"));
        assert!(contains(&done.original, b"pictures"));
        assert_eq!(processed(&done.original), done);
    }
}

#[test]
fn a_film_comes_out_the_same_however_it_is_cut_into_pieces() {
    for (_, bytes) in films() {
        let whole = processed(&bytes).original;
        let format = if bytes.starts_with(&[0x1a]) { Format::Webm } else { Format::Mp4 };
        for piece in [1, 2, 3, 7, 16, 100] {
            let mut filter = Filter::new(format, &Limits::default());
            let mut out = Vec::new();
            for part in bytes.chunks(piece) {
                filter.push(part, &mut out).unwrap();
            }
            filter.finish().unwrap();
            assert_eq!(out, whole, "{format} in pieces of {piece}");
        }
    }
}

#[test]
fn half_a_film_is_refused() {
    for bytes in [mp4(), webm()] {
        for length in 24..bytes.len() {
            let error = refusal(&bytes[..length]);
            let told = matches!(error, MediaError::Truncated { .. });
            // A last box of no length is a whole file; here the cut never falls on such a place.
            assert!(told, "{length} of {}: {error}", bytes.len());
        }
    }
}

#[test]
fn containers_that_contradict_themselves_are_refused() {
    let mut child_beyond_parent = mp4();
    let track = child_beyond_parent.windows(4).position(|w| w == b"trak").unwrap();
    child_beyond_parent[track - 4] = 0x7f;
    let mut too_small = mp4();
    let media = too_small.windows(4).position(|w| w == b"moov").unwrap();
    too_small[media - 4..media].copy_from_slice(&[0, 0, 0, 7]);
    let no_type = mp4_box(b"ftyp", b"xxxx\0\0\0\0");
    let twice = [mp4_box(b"ftyp", b"mp42\0\0\0\0"), mp4()].concat();
    for bytes in [child_beyond_parent, too_small, twice] {
        assert!(matches!(refusal(&bytes), MediaError::Damaged { .. }));
    }
    assert!(matches!(refusal(&no_type), MediaError::UnknownType));
    let matroska = [webm_head(b"matroska"), element(&SEGMENT, 8, &webm_parts())].concat();
    assert!(matches!(refusal(&matroska), MediaError::WrongType { .. }));
    let other = [webm_head(b"other"), element(&SEGMENT, 8, &webm_parts())].concat();
    assert!(matches!(refusal(&other), MediaError::Damaged { .. }));
}

#[test]
fn a_film_is_cut_at_its_bound() {
    let limits = Limits { video_bytes_max: 100, ..Limits::default() };
    let error = process(&mp4(), &limits).err().unwrap();
    assert!(matches!(error, MediaError::TooLarge { max_bytes: 100 }));
    let mut filter = Filter::new(Format::Mp4, &limits);
    let error = filter.push(&mp4(), &mut Vec::new()).err().unwrap();
    assert!(matches!(error, MediaError::TooLarge { max_bytes: 100 }));
}
