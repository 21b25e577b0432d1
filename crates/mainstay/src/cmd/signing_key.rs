//! `mainstay signing-key`.

use anyhow::Context as _;
use mainstay_core::auth::Actor;
use serde_json::{Value, json};

use super::{order::Program, settings::SettingFlags};
use crate::{exit::Exit, output, services::House};

/// The order that the running program takes.
pub(super) const ROTATE: &str = "signing_key.rotate";

/// Replace the key that signs access tokens.
#[derive(Debug, clap::Subcommand)]
#[command(after_help = "Example:
  mainstay signing-key rotate")]
pub(super) enum Command {
    /// Sign with a new key from now on, whether the program runs or not.
    ///
    /// Nobody is signed out: what the old key signed is accepted until it expires. Programs that verify tokens by
    /// themselves find the new key in the JWK set. Other instances sign with it within a minute.
    #[command(after_help = "Example:
  mainstay signing-key rotate --json | jq -r .key")]
    Rotate {
        #[command(flatten)]
        settings: SettingFlags,
    },
}

pub(super) async fn run(command: Command, json: bool) -> anyhow::Result<Exit> {
    let Command::Rotate { settings } = command;
    let program = Program::find(&settings.load()?).await?;
    let answer = program.order(ROTATE, json!({})).await;
    program.close().await;
    let answer = answer?;
    if json {
        output::json(&answer)?;
    } else {
        let key = answer["key"].as_str().unwrap_or_default();
        output::line(&format!("the key {key} signs from now on"))?;
    }
    Ok(Exit::Done)
}

/// Carries out [`ROTATE`].
pub(super) async fn rotate(house: &House) -> anyhow::Result<Value> {
    let key = house.auth().rotate_signing_key(Actor::Operator).await;
    Ok(json!({ "key": key.context("replace the signing key")? }))
}
