//! `mainstay user create`.

use anyhow::Context as _;
use mainstay_core::auth::{self, Actor, Origin};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RoleName, SettingFlags, ask, failed, text};
use crate::{exit::Exit, output, services::House};

/// The order that the running program takes.
pub(in crate::cmd) const CREATE: &str = "user.create";

/// An account to be made. It has no `Debug`, because it holds the password.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewUser {
    pub(super) handle: String,
    pub(super) email: String,
    pub(super) role: RoleName,
    pub(super) password: String,
}

pub(super) async fn run(settings: SettingFlags, user: NewUser, json: bool) -> anyhow::Result<Exit> {
    let made = ask(settings, CREATE, &user).await?;
    if json {
        output::json(&made)?;
    } else {
        let part = |name| text(&made, name);
        output::line(&format!("made {} ({}), role {}", part("handle"), part("id"), part("role")))?;
    }
    Ok(Exit::Done)
}

/// Carries out [`CREATE`].
pub(in crate::cmd) async fn create(house: &House, arguments: Value) -> anyhow::Result<Value> {
    let user: NewUser = serde_json::from_value(arguments).context("read the order")?;
    let new = auth::NewUser {
        handle: user.handle,
        email: user.email,
        password: Some(user.password),
        role: user.role.into(),
    };
    let made = house.auth().create_user(new, Actor::Operator, &Origin::default()).await;
    let account = made.map_err(|error| failed("make the account", error))?;
    serde_json::to_value(account).context("show the account")
}
