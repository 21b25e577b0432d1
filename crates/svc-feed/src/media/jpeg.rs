//! Walks a JPEG file's segments (ITU T.81, annex B) and keeps those that make the picture.
//!
//! Kept: tables, frame, scans. Written anew: JFIF's density (without its thumbnail), Adobe's colour transform (without
//! it CMYK and RGB files change colours) and the colour profile (without its texts). Everything else goes: Exif, XMP,
//! IPTC, comments, previews, further pictures, and whatever stands behind the end, such as a phone's motion film.

use image::metadata::Orientation;

use super::{Clean, Limits, MediaError, color, input::Input, sniff::Format};

const FORMAT: Format = Format::Jpeg;
/// A profile is cut into pieces that fit a segment (ICC.1:2010, B.4).
const ICC_MARK: &[u8] = b"ICC_PROFILE\0";
const ICC_PIECE_BYTES: usize = 65_535 - 2 - 14;

/// Marker codes of T.81, table B.1.
mod marker {
    pub(super) const TEM: u8 = 0x01;
    pub(super) const DHT: u8 = 0xc4;
    pub(super) const DAC: u8 = 0xcc;
    pub(super) const RST0: u8 = 0xd0;
    pub(super) const RST7: u8 = 0xd7;
    pub(super) const SOI: u8 = 0xd8;
    pub(super) const EOI: u8 = 0xd9;
    pub(super) const SOS: u8 = 0xda;
    pub(super) const DQT: u8 = 0xdb;
    pub(super) const DNL: u8 = 0xdc;
    pub(super) const DRI: u8 = 0xdd;
    pub(super) const APP0: u8 = 0xe0;
    pub(super) const APP1: u8 = 0xe1;
    pub(super) const APP2: u8 = 0xe2;
    pub(super) const APP14: u8 = 0xee;
    pub(super) const APP15: u8 = 0xef;
    pub(super) const COM: u8 = 0xfe;
}

/// What the segments say.
#[derive(Default)]
struct Found<'a> {
    /// Width, height, components.
    frame: Option<(u32, u32, u8)>,
    exif: Option<&'a [u8]>,
    icc: Vec<(u8, &'a [u8])>,
    jfif_density: Option<[u8; 5]>,
    adobe_transform: Option<u8>,
    scans: u32,
    /// The segments that are kept, as they are.
    kept: Vec<u8>,
}

pub(super) fn clean(bytes: &[u8], limits: &Limits) -> Result<Clean, MediaError> {
    let mut found = Found::default();
    walk(bytes, limits, &mut found)?;
    let Some((width, height, components)) = found.frame else {
        return Err(MediaError::Damaged { format: FORMAT });
    };
    if found.scans == 0 {
        return Err(MediaError::Truncated { format: FORMAT });
    }
    let profile = found.profile(components);
    let orientation = found.exif.and_then(Orientation::from_exif_chunk);
    Ok(Clean {
        format: FORMAT,
        bytes: found.write(profile.as_ref()),
        width,
        height,
        frames: 1,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        profile,
        // Four components are print colours, which viewers turn to the screen's in different ways.
        servable: components != 4,
    })
}

/// Width and height, read up to the frame's header.
pub(super) fn size(bytes: &[u8], limits: &Limits) -> Result<(u32, u32), MediaError> {
    let mut input = Input::new(bytes, FORMAT);
    input.take(2)?;
    let mut found = Found::default();
    loop {
        let code = next_marker(&mut input)?;
        if matches!(code, marker::TEM | marker::RST0..=marker::EOI) {
            return Err(input.damaged());
        }
        let body = body(&mut input)?;
        if is_frame(code) {
            found.frame(code, body, limits)?;
            return found.frame.map(|(w, h, _)| (w, h)).ok_or_else(|| input.damaged());
        }
    }
}

fn walk<'a>(bytes: &'a [u8], limits: &Limits, found: &mut Found<'a>) -> Result<(), MediaError> {
    let mut input = Input::new(bytes, FORMAT);
    if input.array()? != [0xff, marker::SOI] {
        return Err(input.damaged());
    }
    loop {
        let code = next_marker(&mut input)?;
        match code {
            marker::EOI => return Ok(()),
            marker::TEM | marker::RST0..=marker::RST7 => continue,
            marker::SOI | 0x02..=0xbf => return Err(input.damaged()),
            _ => {}
        }
        let body = body(&mut input)?;
        match code {
            _ if is_frame(code) => {
                found.frame(code, body, limits)?;
                found.keep(code, body);
            }
            marker::DHT | marker::DQT | marker::DRI | marker::DNL => found.keep(code, body),
            marker::SOS => {
                if found.frame.is_none() {
                    return Err(input.damaged());
                }
                found.scans += 1;
                found.keep(code, body);
                let data = input.take(scan_length(input.rest()))?;
                found.kept.extend_from_slice(data);
            }
            marker::APP0..=marker::APP15 => found.application(code, body),
            marker::COM => {}
            marker::DAC => return Err(unsupported("arithmetic coding")),
            _ => return Err(unsupported("a hierarchical or extended file")),
        }
    }
}

/// Whether a frame starts here: SOF0 to SOF15 without the codes between them.
const fn is_frame(code: u8) -> bool {
    matches!(code, 0xc0..=0xcf) && !matches!(code, marker::DHT | 0xc8 | marker::DAC)
}

/// What a segment holds behind its length, which counts itself.
fn body<'a>(input: &mut Input<'a>) -> Result<&'a [u8], MediaError> {
    let length = usize::from(input.be16()?);
    input.take(length.checked_sub(2).ok_or_else(|| input.damaged())?)
}

/// The code of the next marker; any number of 0xff may stand before it (B.1.1.2).
fn next_marker(input: &mut Input<'_>) -> Result<u8, MediaError> {
    if input.byte()? != 0xff {
        return Err(input.damaged());
    }
    loop {
        match input.byte()? {
            0xff => {}
            0 => return Err(input.damaged()),
            code => return Ok(code),
        }
    }
}

/// How long the coded data of a scan are: up to a marker that is neither a stuffed zero nor a restart.
fn scan_length(data: &[u8]) -> usize {
    let mut at = 0;
    while let Some(ff) = data.get(at..).and_then(|rest| rest.iter().position(|&b| b == 0xff)) {
        at += ff;
        match data.get(at + 1) {
            Some(0 | marker::RST0..=marker::RST7) => at += 2,
            Some(0xff) => at += 1,
            _ => return at,
        }
    }
    data.len()
}

const fn unsupported(what: &'static str) -> MediaError {
    MediaError::Unsupported { format: FORMAT, what, instead: "an ordinary JPEG" }
}

impl<'a> Found<'a> {
    fn frame(&mut self, code: u8, body: &[u8], limits: &Limits) -> Result<(), MediaError> {
        match code {
            // Baseline, extended and progressive with Huffman codes.
            0xc0..=0xc2 => {}
            0xc3 => return Err(unsupported("lossless coding")),
            0xc9..=0xcb => return Err(unsupported("arithmetic coding")),
            _ => return Err(unsupported("a hierarchical or extended file")),
        }
        let mut input = Input::new(body, FORMAT);
        if self.frame.is_some() {
            return Err(input.damaged());
        }
        if input.byte()? != 8 {
            return Err(unsupported("more than 8 bits deep"));
        }
        let height = u32::from(input.be16()?);
        let width = u32::from(input.be16()?);
        let components = input.byte()?;
        limits.check_size(FORMAT, width, height)?;
        if !matches!(components, 1 | 3 | 4) {
            return Err(unsupported("an unusual number of colours"));
        }
        self.frame = Some((width, height, components));
        Ok(())
    }

    fn application(&mut self, code: u8, body: &'a [u8]) {
        match code {
            marker::APP0 => {
                // JFIF (ITU T.871): version, then unit and density, then a thumbnail.
                if let Some(rest) = body.strip_prefix(b"JFIF\0") {
                    self.jfif_density = rest.get(2..7).and_then(|d| d.try_into().ok());
                }
            }
            marker::APP1 => {
                if let Some(exif) = body.strip_prefix(b"Exif\0\0") {
                    self.exif.get_or_insert(exif);
                }
            }
            marker::APP2 => {
                if let Some([number, _count, piece @ ..]) = body.strip_prefix(ICC_MARK) {
                    self.icc.push((*number, piece));
                }
            }
            marker::APP14 => {
                // ITU T.872, 6.5.3: version, two words of flags, transform.
                if let Some(rest) = body.strip_prefix(b"Adobe") {
                    self.adobe_transform = rest.get(6).copied();
                }
            }
            _ => {}
        }
    }

    fn keep(&mut self, code: u8, body: &[u8]) {
        segment(&mut self.kept, code, &[body]);
    }

    fn profile(&mut self, components: u8) -> Option<color::Profile> {
        self.icc.sort_by_key(|(number, _)| *number);
        let whole = self.icc.iter().flat_map(|(_, piece)| *piece).copied().collect::<Vec<_>>();
        let colors = if components == 1 { color::Colors::Gray } else { color::Colors::Rgb };
        if components == 4 { None } else { color::Profile::read(&whole, colors) }
    }

    fn write(&self, profile: Option<&color::Profile>) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.kept.len() + 4_096);
        out.extend_from_slice(&[0xff, marker::SOI]);
        if let Some(density) = &self.jfif_density {
            segment(&mut out, marker::APP0, &[b"JFIF\0\x01\x02", density, &[0, 0]]);
        }
        if let Some(transform) = self.adobe_transform {
            segment(&mut out, marker::APP14, &[b"Adobe\0\x64\0\0\0\0", &[transform]]);
        }
        let icc = profile.map(color::Profile::bytes).unwrap_or_default();
        let pieces = icc.chunks(ICC_PIECE_BYTES);
        // At most 4 MiB of profile are read, so both numbers fit.
        let count = u8::try_from(pieces.len()).unwrap_or(u8::MAX);
        for (number, piece) in (1_u8..).zip(pieces) {
            segment(&mut out, marker::APP2, &[ICC_MARK, &[number, count], piece]);
        }
        out.extend_from_slice(&self.kept);
        out.extend_from_slice(&[0xff, marker::EOI]);
        out
    }
}

fn segment(out: &mut Vec<u8>, code: u8, parts: &[&[u8]]) {
    let length = 2 + parts.iter().map(|part| part.len()).sum::<usize>();
    out.extend_from_slice(&[0xff, code]);
    // Every caller's parts come from a segment or are cut to one, so the length fits.
    out.extend_from_slice(&u16::try_from(length).unwrap_or(u16::MAX).to_be_bytes());
    for part in parts {
        out.extend_from_slice(part);
    }
}
