//! Walks a GIF file's blocks (CompuServe GIF89a, appendix A) and keeps the frames, their timing and the loop count.
//!
//! Comments, plain text, other applications' blocks (XMP, colour profiles) and whatever stands behind the trailer go.

use image::metadata::Orientation;

use super::{Clean, Limits, MediaError, input::Input, sniff::Format};

const FORMAT: Format = Format::Gif;
const EXTENSION: u8 = 0x21;
const IMAGE: u8 = 0x2c;
const TRAILER: u8 = 0x3b;
const GRAPHIC_CONTROL: u8 = 0xf9;
const APPLICATION: u8 = 0xff;

pub(super) fn clean(bytes: &[u8], limits: &Limits) -> Result<Clean, MediaError> {
    let mut input = Input::new(bytes, FORMAT);
    let mut out = Vec::with_capacity(bytes.len());
    let screen = input.take(13)?;
    let (width, height) = size(bytes, limits)?;
    out.extend_from_slice(screen);
    out.extend_from_slice(input.take(color_table_bytes(screen.get(10)))?);
    let mut frames = 0_u32;
    loop {
        match input.byte()? {
            TRAILER => break,
            EXTENSION => extension(&mut input, &mut out)?,
            IMAGE => {
                frame(&mut input, &mut out, (width, height))?;
                frames += 1;
                if frames > limits.frames_max {
                    return Err(MediaError::TooManyFrames { max: limits.frames_max });
                }
            }
            _ => return Err(input.damaged()),
        }
    }
    if frames == 0 {
        return Err(MediaError::Truncated { format: FORMAT });
    }
    out.push(TRAILER);
    Ok(Clean {
        format: FORMAT,
        bytes: out,
        width,
        height,
        frames,
        orientation: Orientation::NoTransforms,
        profile: None,
        servable: true,
    })
}

/// Width and height of the screen that the frames are drawn on.
pub(super) fn size(bytes: &[u8], limits: &Limits) -> Result<(u32, u32), MediaError> {
    let mut input = Input::new(bytes, FORMAT);
    input.take(6)?;
    let (width, height) = (u32::from(input.le16()?), u32::from(input.le16()?));
    limits.check_size(FORMAT, width, height)?;
    Ok((width, height))
}

/// How long the colour table is that these flags announce.
fn color_table_bytes(flags: Option<&u8>) -> usize {
    match flags {
        Some(flags) if flags & 0x80 != 0 => 3 << ((flags & 7) + 1),
        _ => 0,
    }
}

/// A frame: position and size, its own colours if any, and the coded pixels.
fn frame(input: &mut Input<'_>, out: &mut Vec<u8>, screen: (u32, u32)) -> Result<(), MediaError> {
    let start = input.rest();
    let edges = [input.le16()?, input.le16()?, input.le16()?, input.le16()?].map(u32::from);
    let [left, top, width, height] = edges;
    // A frame beyond the screen would get past the bound on pixels.
    if width == 0 || height == 0 || left + width > screen.0 || top + height > screen.1 {
        return Err(input.damaged());
    }
    let flags = input.byte()?;
    input.take(color_table_bytes(Some(&flags)))?;
    let code_bits = input.byte()?;
    if !(1..=11).contains(&code_bits) {
        return Err(input.damaged());
    }
    skip_blocks(input)?;
    out.push(IMAGE);
    out.extend_from_slice(start.get(..start.len() - input.rest().len()).unwrap_or_default());
    Ok(())
}

/// Passes data blocks up to the empty one that ends them.
fn skip_blocks(input: &mut Input<'_>) -> Result<(), MediaError> {
    loop {
        match input.byte()? {
            0 => return Ok(()),
            length => {
                input.take(usize::from(length))?;
            }
        }
    }
}

fn extension(input: &mut Input<'_>, out: &mut Vec<u8>) -> Result<(), MediaError> {
    let label = input.byte()?;
    let mut blocks = input.clone();
    skip_blocks(input)?;
    match label {
        GRAPHIC_CONTROL => {
            let [4, control @ .., 0] = blocks.array::<6>()? else { return Err(input.damaged()) };
            out.extend_from_slice(&[EXTENSION, GRAPHIC_CONTROL, 4]);
            out.extend_from_slice(&control);
            out.push(0);
        }
        APPLICATION => {
            // The one block that browsers read: how often to repeat.
            let length = blocks.byte()?;
            let head = blocks.take(usize::from(length))?;
            if (head == b"NETSCAPE2.0" || head == b"ANIMEXTS1.0")
                && let [3, 1, low, high] = blocks.array()?
            {
                out.extend_from_slice(&[EXTENSION, APPLICATION, 11]);
                out.extend_from_slice(b"NETSCAPE2.0");
                out.extend_from_slice(&[3, 1, low, high, 0]);
            }
        }
        _ => {}
    }
    Ok(())
}
