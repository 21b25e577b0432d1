//! `mainstay facts`.

use anyhow::Context as _;
use mainstay_core::{
    contract::id::FactId,
    events::dead::By,
    program::{DeadLetters, FactsError, Replay, Replayed, Retried, Retry},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{order::Program, settings::SettingFlags};
use crate::{
    exit::{Exit, Refusal},
    output,
    services::House,
};

/// The orders that the running program takes.
pub(super) const DEAD: &str = "facts.dead";
pub(super) const RETRY: &str = "facts.retry";
pub(super) const REPLAY: &str = "facts.replay";
/// Facts of one answer: it must fit into a line of the private socket.
const PAGE: usize = 50;
/// Facts that fail again before the command gives up: by then it is not the facts.
const FAILED_MAX: usize = 1_000;

/// See facts that could not be taken, and have them taken; have present state told again.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Examples:
  mainstay facts dead
  mainstay facts retry feed.notifications
  mainstay facts replay core")]
pub(super) enum Command {
    /// List facts that consumers put aside after eight attempts, oldest first.
    #[command(after_help = "Example:
  mainstay facts dead --json | jq '.items[].error'")]
    Dead {
        /// How many are listed at most.
        #[arg(long, default_value = "100", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        limit: u32,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Have facts taken that a consumer put aside, whether the program runs or not.
    ///
    /// Each takes effect once, however often this is said. What fails again stays aside with its new error, and the
    /// command ends with 1.
    #[command(after_help = "Examples:
  mainstay facts retry feed.notifications
  mainstay facts retry feed.notifications fact_01h455vb4pex5vsknk084sn02q")]
    Retry {
        /// Who put them aside, as `facts dead` shows it.
        consumer: String,
        /// One fact; without it all that this consumer put aside.
        fact: Option<FactId>,
        #[command(flatten)]
        settings: SettingFlags,
    },
    /// Have a service tell its present state again, whether the program runs or not.
    ///
    /// For a consumer that is new, or has lost what it knew, when the facts that it needs are older than
    /// `events.retention_days`. Each record becomes a fact with the version that it is at; whoever knows that version
    /// already passes it over, so the command may be broken off and repeated.
    #[command(after_help = "Example:
  mainstay facts replay core")]
    Replay {
        /// The service whose state it is.
        service: String,
        #[command(flatten)]
        settings: SettingFlags,
    },
}

/// Which page of the list.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Page {
    limit: usize,
    cursor: Option<String>,
}

pub(super) async fn run(command: Command, json: bool) -> anyhow::Result<Exit> {
    match command {
        Command::Dead { limit, settings } => {
            let program = Program::find(&settings.load()?).await?;
            let shown = show_dead(&program, limit as usize, json).await;
            program.close().await;
            shown
        }
        Command::Retry { consumer, fact, settings } => {
            let program = Program::find(&settings.load()?).await?;
            let retry = Retry { consumer, fact, after: None };
            let tried = retry_all(&program, retry, json).await;
            program.close().await;
            tried
        }
        Command::Replay { service, settings } => {
            let program = Program::find(&settings.load()?).await?;
            let told = tell_all(&program, service, json).await;
            program.close().await;
            told
        }
    }
}

async fn show_dead(program: &Program, limit: usize, json: bool) -> anyhow::Result<Exit> {
    let mut shown = DeadLetters { items: Vec::new(), next_cursor: None };
    while shown.items.len() < limit {
        let page = Page { limit: PAGE.min(limit - shown.items.len()), cursor: shown.next_cursor };
        let answer = program.order(DEAD, serde_json::to_value(page)?).await?;
        let page: DeadLetters = serde_json::from_value(answer).context("read the answer")?;
        shown.items.extend(page.items);
        shown.next_cursor = page.next_cursor;
        if shown.next_cursor.is_none() {
            break;
        }
    }
    let more = shown.next_cursor.is_some();
    if json {
        output::json(&json!({ "items": shown.items, "more": more }))?;
        return Ok(Exit::Done);
    }
    if shown.items.is_empty() {
        output::line("no facts were put aside")?;
    }
    for letter in shown.items {
        output::line(&format!(
            "{}  {}  {}  {}, after {} attempts: {}",
            letter.consumer, letter.fact, letter.name, letter.at, letter.attempts, letter.error
        ))?;
    }
    if more {
        output::line("there are more; --limit says how many are listed")?;
    }
    Ok(Exit::Done)
}

async fn retry_all(program: &Program, mut retry: Retry, json: bool) -> anyhow::Result<Exit> {
    let mut all = Retried { taken: 0, failed: Vec::new(), next: None };
    loop {
        let answer = program.order(RETRY, serde_json::to_value(&retry)?).await?;
        let some: Retried = serde_json::from_value(answer).context("read the answer")?;
        all.taken += some.taken;
        all.failed.extend(some.failed);
        all.next = some.next;
        retry.after = some.next;
        if retry.after.is_none() || all.failed.len() >= FAILED_MAX {
            break;
        }
    }
    let failed = all.failed.len();
    if json {
        output::json(&serde_json::to_value(&all)?)?;
    } else {
        output::line(&format!("{} taken, {failed} failed again", all.taken))?;
        for failure in &all.failed {
            output::line(&format!("{}: {}", failure.fact, failure.error))?;
        }
        if all.next.is_some() {
            output::line("so many failed that the others were not tried; mend the cause first")?;
        }
    }
    Ok(if failed == 0 { Exit::Done } else { Exit::Failed })
}

async fn tell_all(program: &Program, service: String, json: bool) -> anyhow::Result<Exit> {
    let mut replay = Replay { service, from: None, limit: None };
    let mut told: u64 = 0;
    loop {
        let answer = program.order(REPLAY, serde_json::to_value(&replay)?).await?;
        let some: Replayed = serde_json::from_value(answer).context("read the answer")?;
        told += u64::from(some.told);
        replay.from = some.next;
        if replay.from.is_none() {
            break;
        }
    }
    if json {
        output::json(&json!({ "service": replay.service, "told": told }))?;
    } else {
        output::line(&format!("{told} facts told of the state of `{}`", replay.service))?;
    }
    Ok(Exit::Done)
}

/// Carries out [`REPLAY`].
pub(super) async fn tell(house: &House, arguments: Value) -> anyhow::Result<Value> {
    let replay: Replay = serde_json::from_value(arguments).context("read the order")?;
    match house.facts().replay(&replay).await {
        Ok(replayed) => serde_json::to_value(replayed).context("show what was told"),
        Err(error @ FactsError::NoState { .. }) => Err(Refusal(error.to_string()).into()),
        Err(error) => Err(anyhow::Error::from(error).context("have state told")),
    }
}

/// Carries out [`DEAD`].
pub(super) async fn list(house: &House, arguments: Value) -> anyhow::Result<Value> {
    let page: Page = serde_json::from_value(arguments).context("read the order")?;
    let letters = house.facts().dead(page.limit.clamp(1, PAGE), page.cursor.as_deref()).await;
    serde_json::to_value(letters.context("list what was put aside")?).context("show it")
}

/// Carries out [`RETRY`].
pub(super) async fn retry(house: &House, arguments: Value) -> anyhow::Result<Value> {
    let retry: Retry = serde_json::from_value(arguments).context("read the order")?;
    let by = By { actor: "operator".to_owned(), origin: String::new() };
    match house.facts().retry(&retry, &by).await {
        Ok(retried) => serde_json::to_value(retried).context("show what was taken"),
        Err(error @ (FactsError::NoConsumer { .. } | FactsError::NoFact(_))) => {
            Err(Refusal(error.to_string()).into())
        }
        Err(error) => Err(anyhow::Error::from(error).context("have facts taken")),
    }
}
