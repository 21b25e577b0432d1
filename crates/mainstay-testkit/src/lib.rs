//! Real engines for tests: each a child process on a free port, in a private temporary folder.
//!
//! Reading order: [`EngineError`] (what can go wrong, and the command that mends it), `child` (how a process is kept
//! and ended), then one module for each engine, and [`Link`], a connection that a test can break; [`program`], a whole
//! program of the services that it is given.
//!
//! **Invariants.** No port is fixed. No engine outlives the test process, however that ends (by return, by panic or by
//! `kill -9`); nor does its folder. An engine that is not installed is an error that names the command, never a skipped
//! test.

mod certificate;
mod child;
mod chromium;
mod dice;
mod error;
mod link;
mod postgres;
pub mod program;
mod redis;
mod s3;
pub mod soak;
mod storage;
mod tools;

pub use certificate::self_signed;
pub use chromium::{Chromium, Page, keys};
pub use dice::Dice;
pub use error::EngineError;
pub use fantoccini;
pub use link::Link;
pub use postgres::Postgres;
pub use redis::Redis;
pub use s3::S3;
pub use storage::{Loss, LossyStorage, Lost};
pub use tools::{artefacts, schemathesis};
