//! `mainstay audit`.

use anyhow::Context as _;
use mainstay_core::program::{AuditPlace, Verified, VerifyError};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{order::Program, settings::SettingFlags};
use crate::{
    exit::{Exit, Refusal},
    output,
    services::House,
};

/// The order that the running program takes.
pub(super) const VERIFY: &str = "audit.verify";

/// See whether the audit logs are as they were written.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:
  mainstay audit verify")]
pub(super) enum Command {
    /// Check that no entry of an audit log was changed or removed, whether the program runs or not.
    ///
    /// Each service has a log, and each entry carries a hash of itself and of the one before it. The command ends with
    /// 1 if an entry of any log does not fit, and names the first. What it cannot see is that the newest entries were
    /// removed, or that a whole log was written anew: keep the printed hashes elsewhere and compare.
    #[command(after_help = "Examples:
  mainstay audit verify
  mainstay audit verify --json | jq -r '.items[] | [.log, .sound, .hash] | @tsv'")]
    Verify {
        #[command(flatten)]
        settings: SettingFlags,
    },
}

/// Where to go on.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Place {
    from: Option<AuditPlace>,
}

pub(super) async fn run(command: Command, json: bool) -> anyhow::Result<Exit> {
    let Command::Verify { settings } = command;
    let program = Program::find(&settings.load()?).await?;
    let found = verify_all(&program).await;
    program.close().await;
    let found = found?;
    if json {
        let item = |log: &Verified| {
            let Verified { log, sound, hash, broken_at, .. } = log;
            json!({ "log": log, "sound": sound, "hash": hash, "broken_at": broken_at })
        };
        output::json(&json!({ "items": found.iter().map(item).collect::<Vec<_>>() }))?;
    } else {
        found.iter().try_for_each(|log| output::line(&line_of(log)))?;
    }
    let broken: Vec<String> = found.iter().filter_map(fault_of).collect();
    if broken.is_empty() {
        return Ok(Exit::Done);
    }
    anyhow::bail!(
        "find every audit log as it was written: {}; a backup from before tells what stood there",
        broken.join("; ")
    )
}

/// Every log, with what was found in it.
async fn verify_all(program: &Program) -> anyhow::Result<Vec<Verified>> {
    let mut found: Vec<Verified> = Vec::new();
    let mut place = Place { from: None };
    loop {
        let answer = program.order(VERIFY, serde_json::to_value(&place)?).await?;
        let mut part: Verified = serde_json::from_value(answer).context("read the answer")?;
        place.from = part.next.take();
        // A part of a log counts what was found before it too.
        found.pop_if(|before| before.log == part.log);
        found.push(part);
        if place.from.is_none() {
            return Ok(found);
        }
    }
}

/// `core  12 entries are sound, up to the hash 3f…`.
fn line_of(found: &Verified) -> String {
    let Verified { log, sound, hash, .. } = found;
    match (fault_of(found), sound) {
        (Some(_), _) => format!("{log:8}  {sound} entries are sound, the next is not"),
        (None, 0) => format!("{log:8}  0 entries"),
        (None, _) => format!("{log:8}  {sound} entries are sound, the last has the hash {hash}"),
    }
}

fn fault_of(found: &Verified) -> Option<String> {
    let at = found.broken_at?;
    Some(format!("in `{}` the entry {at} was changed, or is missing", found.log))
}

/// Carries out [`VERIFY`].
pub(super) async fn verify(house: &House, arguments: Value) -> anyhow::Result<Value> {
    let Place { from } = serde_json::from_value(arguments).context("read the order")?;
    match house.audit().verify(from).await {
        Ok(found) => serde_json::to_value(found).context("show what was found"),
        Err(error @ VerifyError::NoLog { .. }) => Err(Refusal(error.to_string()).into()),
        Err(error @ VerifyError::Db { .. }) => Err(error.into()),
    }
}
