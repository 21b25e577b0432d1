//! Feed.
pub mod pages;
pub mod view;
