//! `cargo xtask bench`: side-by-side benchmarks against real peers.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::run::{cargo, root, run as run_command};

/// Run one benchmark; without a name, list them.
///
/// Each file in benches/src/bin is one benchmark; its first line says what it measures.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The benchmark's name.
    name: Option<String>,
    /// Arguments of the benchmark.
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let benches = benches(&root()?.join("benches/src/bin"))?;
    let Some(wanted) = &args.name else {
        for (name, about) in &benches {
            println!("{name:20} {about}");
        }
        println!("{} benchmarks; run one with cargo xtask bench NAME", benches.len());
        return Ok(());
    };
    if !benches.iter().any(|(name, _)| name == wanted) {
        let names: Vec<&str> = benches.iter().map(|(name, _)| name.as_str()).collect();
        bail!("there is no benchmark `{wanted}`; there are: {}", names.join(", "));
    }
    let words = ["run", "--release", "--package", "benches", "--bin", wanted, "--"];
    run_command(cargo(words)?.args(&args.arguments))
}

/// Names and first lines of the benchmarks, by name; empty when there is no such folder.
fn benches(folder: &Path) -> anyhow::Result<Vec<(String, String)>> {
    let mut benches = Vec::new();
    for file in fs::read_dir(folder).into_iter().flatten() {
        let file = file.context("list the benchmarks")?.path();
        let Some(name) = file.file_stem().and_then(|name| name.to_str()) else { continue };
        let text = fs::read_to_string(&file).with_context(|| format!("read {}", file.display()))?;
        let about = text.lines().next().unwrap_or_default().trim_start_matches("//!").trim();
        benches.push((name.to_owned(), about.to_owned()));
    }
    benches.sort();
    Ok(benches)
}
