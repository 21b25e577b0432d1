//! `cargo xtask coverage`: which lines the tests run.

use anyhow::bail;

use crate::run::{cargo, run as run_command, succeeds};

/// Which part of all lines the tests must run, in percent.
const LINES_MIN: &str = "80";

/// Measure which lines the tests run, write an HTML report, and fail below 80 %.
#[derive(clap::Args)]
pub(crate) struct Args {}

pub(crate) fn run(Args {}: &Args) -> anyhow::Result<()> {
    if !succeeds(&mut cargo(["llvm-cov", "--version"])?) {
        bail!(
            "cargo-llvm-cov is not installed: `cargo install --locked cargo-llvm-cov` and \
             `rustup component add llvm-tools`"
        );
    }
    let words = ["llvm-cov", "--workspace", "--html", "--fail-under-lines", LINES_MIN];
    run_command(&mut cargo(words)?)
}
