//! Feed.
pub mod view;
