//! Colour profiles (ICC.1:2022) of pictures.
//!
//! A profile may carry words about a person's machine, such as the serial number of a monitor, so it is written anew
//! from its curves and matrices. One that says sRGB, or that cannot be read, is dropped: browsers then assume sRGB.

use std::sync::Arc;

use image::DynamicImage;
use moxcms::{ColorProfile, DataColorSpace, Layout, TransformExecutor, TransformOptions};

/// The longest profile that is read.
const BYTES_MAX: usize = 4 << 20;

/// Where a profile's header says when it was made (7.2), and what it says here: 1 January 2000, in numbers of 16 bits.
const DATE_AT: usize = 24;
const DATE: [u8; 12] = [0x07, 0xd0, 0, 1, 0, 1, 0, 0, 0, 0, 0, 0];

/// What the numbers of a picture mean.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Colors {
    Gray,
    Rgb,
}

type Transform = Arc<dyn TransformExecutor<u8> + Send + Sync>;

/// A profile other than sRGB.
pub(super) struct Profile {
    bytes: Vec<u8>,
    colors: Colors,
    to_srgb: Transform,
}

impl Profile {
    /// Reads a profile for a picture of these `colors`; `None` if it is sRGB or of no use.
    pub(super) fn read(raw: &[u8], colors: Colors) -> Option<Self> {
        // Every profile has a header of 128 bytes and a count of tags.
        if raw.len() < 132 || raw.len() > BYTES_MAX {
            return None;
        }
        let mut profile = ColorProfile::new_from_slice(raw).ok()?;
        let (space, layout) = match colors {
            Colors::Gray => (DataColorSpace::Gray, Layout::Gray),
            Colors::Rgb => (DataColorSpace::Rgb, Layout::Rgb),
        };
        if profile.color_space != space {
            return None;
        }
        profile.copyright = None;
        profile.description = None;
        profile.device_manufacturer = None;
        profile.device_model = None;
        profile.char_target = None;
        profile.viewing_conditions_description = None;
        profile.calibration_date = None;
        let srgb = ColorProfile::new_srgb();
        let to_srgb = profile
            .create_transform_8bit(layout, &srgb, Layout::Rgb, TransformOptions::default())
            .ok()?;
        let mut bytes = profile.encode().ok()?;
        // The encoder puts the present time there; the same picture must give the same file.
        bytes.get_mut(DATE_AT..DATE_AT + DATE.len())?.copy_from_slice(&DATE);
        let profile = Self { bytes, colors, to_srgb };
        (!profile.changes_nothing()).then_some(profile)
    }

    /// The profile to put into a file.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether colours all over the cube stay what they are, but for rounding.
    fn changes_nothing(&self) -> bool {
        let steps = [0, 32, 64, 96, 128, 160, 192, 224, 255_u8];
        let from = match self.colors {
            Colors::Gray => steps.to_vec(),
            Colors::Rgb => {
                let pairs = steps.iter().flat_map(|&r| steps.iter().map(move |&g| (r, g)));
                pairs.flat_map(|(r, g)| steps.iter().flat_map(move |&b| [r, g, b])).collect()
            }
        };
        let mut to = vec![0; from.len() / self.channels() * 3];
        if self.to_srgb.transform(&from, &mut to).is_err() {
            return true;
        }
        let same = |(from, to): (&u8, &u8)| from.abs_diff(*to) <= 2;
        match self.colors {
            Colors::Gray => from.iter().zip(to.chunks_exact(3)).all(|(f, t)| same((f, &t[0]))),
            Colors::Rgb => from.iter().zip(&to).all(same),
        }
    }

    const fn channels(&self) -> usize {
        match self.colors {
            Colors::Gray => 1,
            Colors::Rgb => 3,
        }
    }

    /// Turns the colours of `picture` into those of sRGB; leaves what shows through alone.
    pub(super) fn apply(&self, picture: &mut DynamicImage) {
        let width = picture.width() as usize;
        match picture {
            DynamicImage::ImageRgb8(rgb) => self.apply_rows(rgb, width, 3),
            DynamicImage::ImageRgba8(rgba) => self.apply_rows(rgba, width, 4),
            _ => {}
        }
    }

    fn apply_rows(&self, pixels: &mut [u8], width: usize, stride: usize) {
        let channels = self.channels();
        let mut from = vec![0; width * channels];
        let mut to = vec![0; width * 3];
        for row in pixels.chunks_exact_mut(width * stride) {
            for (pixel, own) in row.chunks_exact(stride).zip(from.chunks_exact_mut(channels)) {
                own.copy_from_slice(&pixel[..channels]);
            }
            // Both rows have the length that the transform was made for, which is all that it can complain about.
            if self.to_srgb.transform(&from, &mut to).is_err() {
                return;
            }
            for (pixel, new) in row.chunks_exact_mut(stride).zip(to.chunks_exact(3)) {
                pixel[..3].copy_from_slice(new);
            }
        }
    }
}
