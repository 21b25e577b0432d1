//! `mainstay config`.

use mainstay_core::config::{Config, ConfigError, Explained, default_file};
use serde_json::json;

use super::settings::SettingFlags;
use crate::{exit::Exit, output, services};

/// Look at the configuration and check it.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:\n  mainstay config explain db.url")]
pub(super) enum Command {
    /// Print the default configuration file, with every key explained.
    #[command(after_help = "Example:\n  mainstay config default > mainstay.toml")]
    Default,
    /// Show a key's value in force, where it was set, its default, and what it does.
    #[command(after_help = "Examples:
  mainstay config explain db.url
  mainstay config explain limit          all keys of a section
  mainstay config explain                all keys")]
    Explain {
        #[command(flatten)]
        settings: SettingFlags,
        /// A key such as db.url, or a section.
        key: Option<String>,
    },
    /// Check the configuration, and that secrets can be had, without starting anything.
    #[command(after_help = "Example:\n  mainstay config check --config /etc/mainstay.toml")]
    Check {
        #[command(flatten)]
        settings: SettingFlags,
    },
}

pub(super) async fn run(command: Command, json: bool) -> anyhow::Result<Exit> {
    match command {
        Command::Default => print_default(json)?,
        Command::Explain { settings, key } => explain(&settings.load()?, key.as_deref(), json)?,
        Command::Check { settings } => check(&settings.load()?, json).await?,
    }
    Ok(Exit::Done)
}

fn print_default(json: bool) -> anyhow::Result<()> {
    let config = Config::defaults(services::sections())?;
    if json {
        return output::json(&config.explain_all(""));
    }
    output::line(default_file::render(&config).trim_end())
}

fn explain(config: &Config, key: Option<&str>, json: bool) -> anyhow::Result<()> {
    let below = config.explain_all(key.unwrap_or_default());
    if below.is_empty() {
        let one = config.explain(key.unwrap_or_default())?;
        return if json { output::json(&one) } else { output::line(&in_full(&one)) };
    }
    if json {
        return output::json(&below);
    }
    let rows: Vec<_> = below.into_iter().map(|one| vec![one.key, one.value, one.origin]).collect();
    output::line(&output::table(&["KEY", "VALUE", "SET BY"], &rows))
}

fn in_full(one: &Explained) -> String {
    let reloads = if one.reloads { "without a restart" } else { "at the next start" };
    format!(
        "{} = {}\n\n{}\n\nset by    {}\ndefault   {}\ntakes     {}\nvariable  {}\nchanges   {reloads}",
        one.key, one.value, one.description, one.origin, one.default, one.takes, one.variable
    )
}

async fn check(config: &Config, json: bool) -> anyhow::Result<()> {
    let faults = config.unreadable_secrets().await;
    if !faults.is_empty() {
        return Err(ConfigError::Invalid(faults).into());
    }
    let set: Vec<_> =
        config.explain_all("").into_iter().filter(|one| one.origin != "default").collect();
    if json {
        return output::json(&json!({ "valid": true, "file": config.file(), "set": set }));
    }
    let file = match config.file() {
        Some(file) => format!("with the file {}", file.display()),
        None => "without a file".to_owned(),
    };
    output::line(&format!("The configuration is valid, {file}; {} keys are set.", set.len()))
}
