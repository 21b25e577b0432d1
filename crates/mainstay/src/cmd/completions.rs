//! `mainstay completions`.

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::Cli;
use crate::{exit::Exit, output};

/// Print a script with which a shell completes commands and flags.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mainstay completions bash > /usr/share/bash-completion/completions/mainstay
  mainstay completions fish > ~/.config/fish/completions/mainstay.fish")]
pub(super) struct Args {
    /// Which shell.
    shell: Shell,
}

pub(super) fn run(args: &Args) -> anyhow::Result<Exit> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "mainstay", &mut script);
    output::line(String::from_utf8_lossy(&script).trim_end())?;
    Ok(Exit::Done)
}
