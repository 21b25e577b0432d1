//! Files as people and attackers send them.
#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

mod fixtures;
mod hostile;
mod metadata;
mod pictures;
mod pooled;
mod videos;

use image::DynamicImage;

use super::{Limits, MediaError, Processed, process};

pub(super) const CAT_PNG: &[u8] = include_bytes!("../../tests/data/chelsea.png");
pub(super) const ROCKET_JPG: &[u8] = include_bytes!("../../tests/data/rocket.jpg");
pub(super) const PLANT_JPG: &[u8] = include_bytes!("../../tests/data/allium-oreophilum.jpg");
pub(super) const TRUNCATED_JPG: &[u8] = include_bytes!("../../tests/data/truncated.jpg");

fn processed(bytes: &[u8]) -> Processed {
    process(bytes, &Limits::default()).unwrap()
}

fn refusal(bytes: &[u8]) -> MediaError {
    process(bytes, &Limits::default()).err().unwrap()
}

fn open(bytes: &[u8]) -> DynamicImage {
    image::load_from_memory(bytes).unwrap()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// The largest difference of any channel of any pixel.
fn difference(one: &DynamicImage, two: &DynamicImage) -> u8 {
    assert_eq!((one.width(), one.height()), (two.width(), two.height()));
    let (one, two) = (one.to_rgba8(), two.to_rgba8());
    one.iter().zip(two.iter()).map(|(a, b)| a.abs_diff(*b)).max().unwrap()
}
