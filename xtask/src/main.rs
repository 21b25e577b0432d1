//! What a developer and CI run on this repository: `cargo xtask <command>`.
//!
//! Reading order: [`setup`] (what tests need from the system), [`mod@test`], [`ci`], then the rarer commands. `run`
//! starts programs. The house rules that are checked by a program are tests, in `xtask/tests/tidy`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "printing is what a command-line program is for"
)]

mod run;

mod bench;
mod ci;
mod coverage;
mod deny;
mod new_service;
mod setup;
mod soak;
mod test;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Setup, checks, tests, benchmarks and new services.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Setup(setup::Args),
    Test(test::Args),
    Ci(ci::Args),
    Bench(bench::Args),
    Coverage(coverage::Args),
    Soak(soak::Args),
    Deny(deny::Args),
    NewService(new_service::Args),
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Setup(args) => setup::run(&args),
        Command::Test(args) => test::run(&args),
        Command::Ci(args) => ci::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Coverage(args) => coverage::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Deny(args) => deny::run(&args),
        Command::NewService(args) => new_service::run(&args),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}
