//! The core through its own interface, on real engines.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod auth;
mod background;
mod bucket;
mod configuration;
mod data_folder;
mod dead_letters;
mod engines;
mod failover;
mod health;
mod jobs;
mod live;
mod server;
mod tls;
mod together;
mod writes;
