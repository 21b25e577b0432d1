//! `cargo xtask ci`: everything that must hold before a change goes in, the same on a laptop and in CI.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, bail};

use crate::run::{cargo, root, run as run_command};
use crate::{deny, test};

/// Run everything that must hold before a change goes in; stops at the first failure.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// All but the tests, for a caller that runs `cargo xtask test` itself.
    #[arg(long)]
    without_tests: bool,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let before = work_tree()?;
    step("format", || run_command(cargo(["fmt", "--all", "--check"])?.arg("--quiet")))?;
    step("house rules", || {
        run_command(&mut cargo(["test", "--quiet", "--package", "xtask", "--test", "tidy"])?)
    })?;
    step("clippy", || {
        let words = ["clippy", "--workspace", "--all-targets", "--", "--deny", "warnings"];
        run_command(&mut cargo(words)?)
    })?;
    step("documentation", || {
        let words = ["doc", "--workspace", "--no-deps", "--document-private-items"];
        run_command(
            cargo(words)?
                .env("RUSTDOCFLAGS", "--deny warnings --allow rustdoc::private-intra-doc-links"),
        )
    })?;
    step("dependencies", || deny::run(&deny::Args::default()))?;
    if !args.without_tests {
        step("tests", || test::run(&test::Args::default()))?;
    }
    step("generated files", || unchanged(&before))
}

fn step(name: &str, work: impl FnOnce() -> anyhow::Result<()>) -> anyhow::Result<()> {
    println!("== {name}");
    let start = Instant::now();
    work().with_context(|| format!("step `{name}`"))?;
    println!("== {name}: ok, {:.1} s", start.elapsed().as_secs_f64());
    Ok(())
}

/// What differs from the last commit, in every tracked file; none outside a git checkout.
fn work_tree() -> anyhow::Result<Option<Vec<u8>>> {
    let mut git = Command::new("git");
    let output = git.args(["diff", "HEAD"]).current_dir(root()?).output();
    Ok(output.ok().filter(|output| output.status.success()).map(|output| output.stdout))
}

/// Steps check and never write: a build that changes Cargo.lock or a generated file has found one that was not
/// committed.
fn unchanged(before: &Option<Vec<u8>>) -> anyhow::Result<()> {
    if work_tree()? != *before {
        bail!("a step changed tracked files; look with `git diff` and commit what is right");
    }
    Ok(())
}
