//! Walks a WebP file's chunks (RFC 9649) and keeps those that make the picture, animated ones included.
//!
//! Exif, XMP, unknown chunks (also inside frames) and whatever stands behind the container go, and VP8X's flags are set
//! to what is left.

use image::metadata::Orientation;

use super::{Clean, Limits, MediaError, color, input::Input, sniff::Format};

const FORMAT: Format = Format::Webp;
/// Flags of VP8X (section 2.7.1).
const ANIMATION: u8 = 0x02;
const ALPHA: u8 = 0x10;
const PROFILE: u8 = 0x20;

#[derive(Default)]
struct Found<'a> {
    extended: Option<u8>,
    size: Option<(u32, u32)>,
    exif: Option<&'a [u8]>,
    profile: Option<color::Profile>,
    frames: u32,
    kept: Vec<u8>,
}

pub(super) fn clean(bytes: &[u8], limits: &Limits) -> Result<Clean, MediaError> {
    let mut input = riff(bytes)?;
    let mut found = Found::default();
    while !input.is_empty() {
        let (name, body) = chunk(&mut input)?;
        found.take(name, body, limits)?;
    }
    let Some((width, height)) = found.size else { return Err(input.damaged()) };
    if found.frames == 0 {
        return Err(MediaError::Truncated { format: FORMAT });
    }
    let animated = found.extended.is_some_and(|flags| flags & ANIMATION != 0);
    // Exif in WebP starts with or without JPEG's mark.
    let tiff = found.exif.map(|exif| exif.strip_prefix(b"Exif\0\0").unwrap_or(exif));
    // Turning an animation would mean coding every frame anew; it is shown as its frames are.
    let orientation = if animated { None } else { tiff.and_then(Orientation::from_exif_chunk) };
    Ok(Clean {
        format: FORMAT,
        bytes: found.write(width, height)?,
        width,
        height,
        frames: found.frames,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
        profile: found.profile,
        servable: true,
    })
}

/// Width and height.
pub(super) fn size(bytes: &[u8], limits: &Limits) -> Result<(u32, u32), MediaError> {
    let mut input = riff(bytes)?;
    let (name, body) = chunk(&mut input)?;
    let mut found = Found::default();
    found.take(name, body, limits)?;
    found.size.ok_or_else(|| input.damaged())
}

/// The inside of the container: what its length says, not what stands behind it.
fn riff(bytes: &[u8]) -> Result<Input<'_>, MediaError> {
    let mut input = Input::new(bytes, FORMAT);
    input.take(4)?;
    let length = input.le32()? as usize;
    // Some writers do not count the last chunk's padding, and some leave it out.
    let padded = input.rest().len() > length && length % 2 == 1;
    let mut inside = Input::new(input.take(length + usize::from(padded))?, FORMAT);
    inside.take(4)?;
    Ok(inside)
}

/// One chunk: name, length, body, and a byte of padding if the length is odd (2.3).
fn chunk<'a>(input: &mut Input<'a>) -> Result<([u8; 4], &'a [u8]), MediaError> {
    let name = input.array()?;
    let length = input.le32()? as usize;
    let body = input.take(length)?;
    if length % 2 == 1 && !input.is_empty() {
        input.byte()?;
    }
    Ok((name, body))
}

impl<'a> Found<'a> {
    fn take(&mut self, name: [u8; 4], body: &'a [u8], limits: &Limits) -> Result<(), MediaError> {
        let mut input = Input::new(body, FORMAT);
        let animated = self.extended.is_some_and(|flags| flags & ANIMATION != 0);
        match &name {
            b"VP8X" => {
                if self.size.is_some() {
                    return Err(input.damaged());
                }
                let [flags, _, _, _] = input.array()?;
                let (width, height) = (input.le24()? + 1, input.le24()? + 1);
                limits.check_size(FORMAT, width, height)?;
                self.extended = Some(flags);
                self.size = Some((width, height));
            }
            b"VP8 " | b"VP8L" => {
                let size = bitstream_size(&name, body)?;
                limits.check_size(FORMAT, size.0, size.1)?;
                if animated || self.frames > 0 || *self.size.get_or_insert(size) != size {
                    return Err(input.damaged());
                }
                self.frames = 1;
                write_chunk(&mut self.kept, &name, body);
            }
            b"ANMF" => {
                let Some(screen) = self.size.filter(|_| animated) else {
                    return Err(input.damaged());
                };
                let frame = frame(body, screen)?;
                self.frames += 1;
                if self.frames > limits.frames_max {
                    return Err(MediaError::TooManyFrames { max: limits.frames_max });
                }
                write_chunk(&mut self.kept, &name, &frame);
            }
            b"ANIM" | b"ALPH" if self.extended.is_some() => {
                write_chunk(&mut self.kept, &name, body);
            }
            b"ICCP" => self.profile = color::Profile::read(body, color::Colors::Rgb),
            b"EXIF" => self.exif = Some(body),
            _ if self.size.is_none() => return Err(input.damaged()),
            _ => {}
        }
        Ok(())
    }

    fn write(&self, width: u32, height: u32) -> Result<Vec<u8>, MediaError> {
        let mut out = b"RIFF\0\0\0\0WEBP".to_vec();
        out.reserve(self.kept.len() + 4_096);
        if let Some(flags) = self.extended {
            let mut flags = flags & (ANIMATION | ALPHA);
            if self.profile.is_some() {
                flags |= PROFILE;
            }
            let mut body = vec![flags, 0, 0, 0];
            for side in [width, height] {
                body.extend_from_slice(
                    side.saturating_sub(1).to_le_bytes().get(..3).unwrap_or(&[]),
                );
            }
            write_chunk(&mut out, b"VP8X", &body);
            if let Some(profile) = &self.profile {
                write_chunk(&mut out, b"ICCP", profile.bytes());
            }
        }
        out.extend_from_slice(&self.kept);
        let length = u32::try_from(out.len() - 8);
        let length = length.map_err(|source| MediaError::Failed { source: source.into() })?;
        if let Some(place) = out.get_mut(4..8) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        Ok(out)
    }
}

/// A frame of an animation (2.7.1.1) without the chunks that are not part of the picture.
fn frame(body: &[u8], screen: (u32, u32)) -> Result<Vec<u8>, MediaError> {
    let mut input = Input::new(body, FORMAT);
    let head = input.take(16)?;
    let mut fields = Input::new(head, FORMAT);
    let (left, top) = (fields.le24()? * 2, fields.le24()? * 2);
    let size = (fields.le24()? + 1, fields.le24()? + 1);
    if left + size.0 > screen.0 || top + size.1 > screen.1 {
        return Err(input.damaged());
    }
    let mut frame = head.to_vec();
    let mut pictures = 0;
    while !input.is_empty() {
        let (name, body) = chunk(&mut input)?;
        match &name {
            b"VP8 " | b"VP8L" => {
                if bitstream_size(&name, body)? != size {
                    return Err(input.damaged());
                }
                pictures += 1;
                write_chunk(&mut frame, &name, body);
            }
            b"ALPH" => write_chunk(&mut frame, &name, body),
            _ => {}
        }
    }
    if pictures == 1 { Ok(frame) } else { Err(input.damaged()) }
}

/// The size in the head of a lossy (RFC 6386, 9.1) or lossless (RFC 9649, 3.4) picture.
fn bitstream_size(name: &[u8; 4], body: &[u8]) -> Result<(u32, u32), MediaError> {
    let mut input = Input::new(body, FORMAT);
    if name == b"VP8L" {
        if input.byte()? != 0x2f {
            return Err(input.damaged());
        }
        let bits = input.le32()?;
        return Ok(((bits & 0x3fff) + 1, (bits >> 14 & 0x3fff) + 1));
    }
    let [first, _, _, a, b, c] = input.array()?;
    if first & 1 != 0 || [a, b, c] != [0x9d, 0x01, 0x2a] {
        return Err(input.damaged());
    }
    Ok((u32::from(input.le16()? & 0x3fff), u32::from(input.le16()? & 0x3fff)))
}

fn write_chunk(out: &mut Vec<u8>, name: &[u8; 4], body: &[u8]) {
    out.extend_from_slice(name);
    // A body read from a chunk with a length of 32 bits, or made shorter.
    out.extend_from_slice(&u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(body);
    if body.len() % 2 == 1 {
        out.push(0);
    }
}
