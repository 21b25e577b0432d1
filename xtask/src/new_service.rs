//! `cargo xtask new-service NAME`.

/// Write a new service.
#[derive(clap::Args)]
pub(crate) struct Args {
    name: String,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    anyhow::bail!("{}", args.name)
}
