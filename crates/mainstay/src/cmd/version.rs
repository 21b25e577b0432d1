//! `mainstay version`.

use serde_json::json;

use crate::{exit::Exit, output};

/// The number alone.
pub(super) const SHORT: &str = env!("CARGO_PKG_VERSION");
/// What it was built from; only release builds know.
const COMMIT: Option<&str> = option_env!("MAINSTAY_BUILD_COMMIT");
/// The day it was built on, as `2026-01-31`; only release builds know.
const DATE: Option<&str> = option_env!("MAINSTAY_BUILD_DATE");
/// What it was built for.
const TARGET: Option<&str> = option_env!("MAINSTAY_BUILD_TARGET");

/// Print the version, and for a release what it was built from.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example:\n  mainstay version --json")]
pub(super) struct Args {}

pub(super) fn run(json: bool) -> anyhow::Result<Exit> {
    if json {
        let version = json!({
            "version": SHORT,
            "commit": COMMIT,
            "build_date": DATE,
            "target": TARGET,
            "debug": cfg!(debug_assertions),
        });
        output::json(&version)?;
    } else {
        output::line(&long())?;
    }
    Ok(Exit::Done)
}

/// The version with what is known beside it, for people and the log's first line.
pub(crate) fn long() -> String {
    let kind = cfg!(debug_assertions).then_some("debug build");
    let commit = COMMIT.map(|commit| format!("commit {commit}"));
    let date = DATE.map(|date| format!("built {date}"));
    let known = [commit.as_deref(), date.as_deref(), kind, TARGET];
    let known: Vec<&str> = known.into_iter().flatten().collect();
    format!("mainstay {SHORT} ({})", known.join(", "))
}
