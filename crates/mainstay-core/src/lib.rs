//! The production core: what a service needs so that its own code holds only its own rules.
//!
//! Reading order: [`clock`] and [`ids`], [`error`], [`config`] and [`secrets`], [`data_dir`] and [`control`] (one
//! program owns a data folder), [`db`] (records and the one write path), [`events`] (facts out and in), [`cache`],
//! [`redis`](mod@redis) (what a fleet shares), [`http`] (routes as data), [`auth`] (who calls), [`audit`] (who did
//! what), [`live`] (updates to clients), [`mount`] (what a service hands to the program), and [`program`] (how it
//! runs).
//!
//! **Invariant:** the core knows no service by name.

pub mod clock;
pub mod ids;

pub mod error;

pub mod config;
pub mod secrets;

pub mod control;
pub mod data_dir;

pub mod cache;
pub mod db;
mod engine_address;
pub mod events;
pub mod jobs;
pub mod redis;
pub mod request;

pub mod blobs;
pub mod fetch;

pub mod audit;
pub mod auth;
pub mod health;
pub mod http;
pub mod limit;
pub mod live;
pub mod telemetry;

pub mod front;
pub mod mount;
pub mod program;

pub use mainstay_contract as contract;
