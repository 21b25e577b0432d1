//! `cargo xtask deny`: licences, sources and banned crates of the whole dependency tree.

use anyhow::Context;

use crate::run::{cargo, run as run_command, succeeds, target_dir};

const VERSION: &str = "0.20.2";

/// Check licences, sources and banned crates of all dependencies, as deny.toml says; installs cargo-deny when it is
/// absent.
#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Also look up known vulnerabilities in the RustSec database, which is downloaded.
    #[arg(long)]
    advisories: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let here = target_dir()?.join("tools/cargo-deny");
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([here.join("bin")]);
    let path = std::env::join_paths(folders).context("make a PATH with the tools' folder")?;
    if !succeeds(cargo(["deny", "--version"])?.env("PATH", &path)) {
        // Two or three minutes of building, so neither `setup` nor a first test run waits for it.
        println!("deny: installing cargo-deny {VERSION} into {} (once)", here.display());
        let words =
            ["install", "--quiet", "--locked", "cargo-deny", "--version", VERSION, "--root"];
        run_command(cargo(words)?.arg(&here))?;
    }
    let mut words = vec!["deny", "--log-level", "error", "check", "bans", "licenses", "sources"];
    if args.advisories {
        words.push("advisories");
    }
    run_command(cargo(words)?.env("PATH", &path))
}
