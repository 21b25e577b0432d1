//! The production core: one folder for each concern.

pub mod blobs;
pub mod fetch;
