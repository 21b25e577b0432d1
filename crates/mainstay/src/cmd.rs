//! The command line. Each command is one file: its arguments, its example, and what it does.

mod audit;
mod board;
mod completions;
mod config;
mod demo;
mod facts;
mod order;
mod routes;
mod serve;
mod settings;
mod signing_key;
mod user;
mod version;

pub(crate) use self::version::long as version_text;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};

use crate::{
    exit::{self, Exit},
    output,
};

const EXAMPLES: &str = "\
Examples:
  mainstay demo                                   a feed with people and posts, to look around in
  mainstay serve                                  on http://127.0.0.1:8080, with its data in ./data
  mainstay serve --config /etc/mainstay.toml
  MAINSTAY_HTTP__LISTEN=0.0.0.0:80 mainstay serve";

/// Mainstay: the services that nearly every product ends up writing, in one program.
#[derive(Debug, Parser)]
#[command(name = "mainstay", version = version::SHORT, propagate_version = true)]
#[command(after_help = format!("{EXAMPLES}\n\n{}", exit::HELP))]
#[command(max_term_width = 100)]
struct Cli {
    #[command(subcommand)]
    command: Command,
    /// Print results and errors as JSON.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::Args),
    Demo(demo::Args),
    #[command(subcommand)]
    User(user::Command),
    #[command(subcommand)]
    Board(board::Command),
    #[command(subcommand)]
    Facts(facts::Command),
    #[command(subcommand)]
    SigningKey(signing_key::Command),
    #[command(subcommand)]
    Audit(audit::Command),
    #[command(subcommand)]
    Config(config::Command),
    Routes(routes::Args),
    Version(version::Args),
    Completions(completions::Args),
}

/// Carries out the command line of this process.
pub(crate) fn run() -> ExitCode {
    let cli = Cli::parse();
    let json = cli.json;
    match dispatch(cli) {
        Ok(exit) => exit.into(),
        Err(error) if json => {
            output::error(&exit::object(&error).to_string());
            exit::of(&error).into()
        }
        Err(error) => {
            output::error(&format!("mainstay: {}", exit::sentence(&error)));
            exit::of(&error).into()
        }
    }
}

fn dispatch(cli: Cli) -> anyhow::Result<Exit> {
    let json = cli.json;
    match cli.command {
        Command::Serve(args) => wait_for(serve::run(args.settings.load()?, json)),
        Command::Demo(args) => wait_for(demo::run(args, json)),
        Command::User(command) => wait_for(user::run(command, json)),
        Command::Board(command) => wait_for(board::run(command, json)),
        Command::Facts(command) => wait_for(facts::run(command, json)),
        Command::SigningKey(command) => wait_for(signing_key::run(command, json)),
        Command::Audit(command) => wait_for(audit::run(command, json)),
        Command::Config(command) => wait_for(config::run(command, json)),
        Command::Routes(_) => wait_for(routes::run(json)),
        Command::Version(_) => version::run(json),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Runs a command that waits for something; the others start no threads.
fn wait_for(command: impl Future<Output = anyhow::Result<Exit>>) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.context("start the threads that the program runs on")?.block_on(command)
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_does_not_contradict_itself() {
        Cli::command().debug_assert();
    }

    #[test]
    fn every_command_says_what_it_does_and_shows_an_example() {
        fn look(command: &clap::Command, path: &str) {
            let path = format!("{path} {}", command.get_name());
            assert!(command.get_about().is_some(), "`{path}` does not say what it does");
            let shown = command.get_after_help().map(ToString::to_string).unwrap_or_default();
            assert!(shown.contains("Example"), "`{path} --help` shows no example");
            for inner in command.get_subcommands() {
                look(inner, &path);
            }
        }
        look(&Cli::command(), "");
    }
}
