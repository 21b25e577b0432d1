//! `cargo xtask test`: every test of the workspace.

use std::io::{BufRead, BufReader};
use std::process::Stdio;
use std::time::Instant;

use anyhow::{Context, bail};

use crate::run::{cargo, shown};
use crate::setup;

/// Run every test of the workspace and end with the counts.
///
/// Arguments after `--` go to `cargo test`, for example: cargo xtask test -- -p svc-feed liking
#[derive(Default, clap::Args)]
pub(crate) struct Args {
    /// Arguments of `cargo test`.
    #[arg(last = true)]
    arguments: Vec<String>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    for line in setup::lacking() {
        println!(
            "test: missing {line} (cargo xtask setup installs it; tests that need it will fail)"
        );
    }
    // Plain cargo test: the tests of one program share its Postgres, so one process for each test would start hundreds.
    let mut words = vec!["test"];
    if !args.arguments.iter().any(|word| word.starts_with("-p") || word.starts_with("--package")) {
        words.push("--workspace");
    }
    words.push("--no-fail-fast");
    let mut command = cargo(words)?;
    command.args(&args.arguments).stdout(Stdio::piped());
    let shown = shown(&command);
    let start = Instant::now();
    let mut child = command.spawn().with_context(|| format!("start `{shown}`"))?;
    let mut total = Total::default();
    for line in BufReader::new(child.stdout.take().context("read the tests' output")?).lines() {
        let line = line.context("read the tests' output")?;
        total.add(&line);
        println!("{line}");
    }
    let status = child.wait().with_context(|| format!("wait for `{shown}`"))?;
    println!("{total}, {} s", start.elapsed().as_secs());
    if !status.success() {
        bail!("`{shown}` failed ({status})");
    }
    Ok(())
}

/// The sum of the result lines of all test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Total {
    programs: u32,
    passed: u32,
    failed: u32,
    ignored: u32,
}

impl Total {
    fn add(&mut self, line: &str) {
        let Some(result) = line.strip_prefix("test result: ") else { return };
        self.programs += 1;
        // `ok. 3 passed; 0 failed; 0 ignored; …`: each number stands before its word.
        let words: Vec<&str> = result.split([' ', ';', '.']).collect();
        for pair in words.windows(2) {
            let [number, word] = pair else { continue };
            let Ok(number) = number.parse::<u32>() else { continue };
            match *word {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }
}

impl std::fmt::Display for Total {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { programs, passed, failed, ignored } = self;
        write!(
            f,
            "all tests: {passed} passed, {failed} failed, {ignored} ignored in {programs} programs"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn result_lines_are_summed_and_other_lines_are_not() {
        let mut total = Total::default();
        total.add("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 9 filtered out; finished in 0.10s");
        total.add("test a_result_of_5_passed ... ok");
        total.add("test result: FAILED. 4 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1s");
        assert_eq!(total, Total { programs: 2, passed: 7, failed: 2, ignored: 1 });
        assert_eq!(total.to_string(), "all tests: 7 passed, 2 failed, 1 ignored in 2 programs");
    }
}
