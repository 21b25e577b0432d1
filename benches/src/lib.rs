//! What the benchmarks share: the program in this process, real servers beside each other, load, and tables.
//!
//! Each file of `src/bin` is one benchmark, run by `cargo xtask bench NAME`. Contenders are measured in turn, several
//! rounds in one run, and a figure is the median with the least and the most beside it.
#![expect(clippy::print_stdout, reason = "printing figures is what benchmarks are for")]

pub mod app;
pub mod bulk;
pub mod client;
pub mod keeper;
pub mod nakama;
pub mod report;
pub mod server;
pub mod wrk;
