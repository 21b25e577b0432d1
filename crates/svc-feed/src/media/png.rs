//! Walks a PNG file's chunks (W3C PNG, third edition) and keeps those that make the picture, animated ones included.
//!
//! Texts, Exif, times, private chunks and whatever stands behind the end go. Each checksum is verified.

use std::io::{Read, Write};

use image::metadata::Orientation;

use super::{Clean, Limits, MediaError, color, input::Input, sniff::Format};

const FORMAT: Format = Format::Png;
const SIGNATURE: [u8; 8] = *b"\x89PNG\r\n\x1a\n";
/// The longest colour profile that is unpacked.
const ICC_BYTES_MAX: u64 = 4 << 20;

#[derive(Default)]
struct Found<'a> {
    /// Width, height, colour type (11.2.1).
    header: Option<(u32, u32, u8)>,
    exif: Option<&'a [u8]>,
    icc: Option<&'a [u8]>,
    data_chunks: u32,
    frames: u32,
    ended: bool,
    kept: Vec<(&'a [u8], &'a [u8])>,
}

pub(super) fn clean(bytes: &[u8], limits: &Limits) -> Result<Clean, MediaError> {
    let mut found = Found::default();
    let mut input = Input::new(bytes, FORMAT);
    if input.array()? != SIGNATURE {
        return Err(input.damaged());
    }
    while !found.ended {
        let (name, body) = chunk(&mut input)?;
        found.take(name, body, limits)?;
    }
    let Some((width, height, color_type)) = found.header else { return Err(input.damaged()) };
    if found.data_chunks == 0 {
        return Err(MediaError::Truncated { format: FORMAT });
    }
    let colors = if color_type & 2 == 0 { color::Colors::Gray } else { color::Colors::Rgb };
    let profile =
        found.icc.and_then(unpack).and_then(|profile| color::Profile::read(&profile, colors));
    let orientation = found.exif.and_then(Orientation::from_exif_chunk);
    Ok(Clean {
        format: FORMAT,
        bytes: found.write(profile.as_ref())?,
        width,
        height,
        frames: found.frames.max(1),
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        profile,
        servable: true,
    })
}

/// Width and height.
pub(super) fn size(bytes: &[u8], limits: &Limits) -> Result<(u32, u32), MediaError> {
    let mut input = Input::new(bytes, FORMAT);
    input.take(SIGNATURE.len())?;
    let (name, body) = chunk(&mut input)?;
    let mut found = Found::default();
    found.take(name, body, limits)?;
    found.header.map(|(width, height, _)| (width, height)).ok_or_else(|| input.damaged())
}

/// One chunk: length, name, body, checksum over name and body (5.3).
fn chunk<'a>(input: &mut Input<'a>) -> Result<(&'a [u8], &'a [u8]), MediaError> {
    let length = input.be32()?;
    if length > 0x7fff_ffff {
        return Err(input.damaged());
    }
    let checked = input.take(4 + length as usize)?;
    if input.be32()? != crc32fast::hash(checked) {
        return Err(input.damaged());
    }
    Ok(checked.split_at(4))
}

impl<'a> Found<'a> {
    fn take(&mut self, name: &'a [u8], body: &'a [u8], limits: &Limits) -> Result<(), MediaError> {
        let damaged = MediaError::Damaged { format: FORMAT };
        if self.header.is_none() != (name == b"IHDR") {
            return Err(damaged);
        }
        match name {
            b"IHDR" => {
                let mut input = Input::new(body, FORMAT);
                let (width, height) = (input.be32()?, input.be32()?);
                let [_depth, color_type] = input.array()?;
                limits.check_size(FORMAT, width, height)?;
                self.header = Some((width, height, color_type));
            }
            b"IDAT" => self.data_chunks += 1,
            b"IEND" => self.ended = true,
            b"iCCP" => {
                self.icc = Some(body);
                return Ok(());
            }
            b"eXIf" => {
                self.exif = Some(body);
                return Ok(());
            }
            b"fcTL" => self.frames += 1,
            b"PLTE" | b"tRNS" | b"gAMA" | b"cHRM" | b"sRGB" | b"cICP" | b"mDCV" | b"cLLI"
            | b"acTL" | b"fdAT" => {}
            // A capital first letter: without this chunk the picture cannot be shown (5.4).
            [b'A'..=b'Z', ..] => return Err(damaged),
            _ => return Ok(()),
        }
        self.kept.push((name, body));
        Ok(())
    }

    fn write(&self, profile: Option<&color::Profile>) -> Result<Vec<u8>, MediaError> {
        let length = self.kept.iter().map(|(_, body)| body.len() + 12).sum::<usize>();
        let mut out = Vec::with_capacity(SIGNATURE.len() + length + 4_096);
        out.extend_from_slice(&SIGNATURE);
        for (name, body) in &self.kept {
            // A profile outweighs the older ways to tell colours (4.3); where one stood, none of them may show again.
            if self.icc.is_some() && matches!(*name, b"gAMA" | b"cHRM" | b"sRGB") {
                continue;
            }
            write_chunk(&mut out, name, body);
            if *name == b"IHDR" && self.icc.is_some() {
                match profile {
                    Some(profile) => write_chunk(&mut out, b"iCCP", &pack(profile.bytes())?),
                    None => write_chunk(&mut out, b"sRGB", &[0]),
                }
            }
        }
        Ok(out)
    }
}

fn write_chunk(out: &mut Vec<u8>, name: &[u8], body: &[u8]) {
    // A body that was read from a chunk, or a profile of at most 4 MiB: the length fits.
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes());
    let start = out.len();
    out.extend_from_slice(name);
    out.extend_from_slice(body);
    let sum = crc32fast::hash(out.get(start..).unwrap_or_default());
    out.extend_from_slice(&sum.to_be_bytes());
}

/// The profile out of an iCCP chunk (11.3.2.3): name, zero, method 0, zlib stream.
fn unpack(body: &[u8]) -> Option<Vec<u8>> {
    let end = body.iter().position(|&byte| byte == 0)?;
    let [0, packed @ ..] = body.get(end + 1..)? else { return None };
    let mut profile = Vec::new();
    let unpacked = flate2::read::ZlibDecoder::new(packed);
    unpacked.take(ICC_BYTES_MAX + 1).read_to_end(&mut profile).ok()?;
    (profile.len() as u64 <= ICC_BYTES_MAX).then_some(profile)
}

fn pack(profile: &[u8]) -> Result<Vec<u8>, MediaError> {
    let packed = b"ICC\0\0".to_vec();
    let mut packer = flate2::write::ZlibEncoder::new(packed, flate2::Compression::default());
    packer
        .write_all(profile)
        .and_then(|()| packer.finish())
        .map_err(|source| MediaError::Failed { source: source.into() })
}
