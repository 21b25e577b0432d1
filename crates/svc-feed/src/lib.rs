//! Feed.
pub mod media;
pub mod view;
