//! `mainstay user role`, `password`, `suspend` and `restore`.

use anyhow::Context as _;
use mainstay_core::auth::{Actor, Origin};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{RoleName, SettingFlags, ask, failed, find, text};
use crate::{exit::Exit, output, services::House};

/// The orders that the running program takes.
pub(in crate::cmd) const ROLE: &str = "user.role";
pub(in crate::cmd) const PASSWORD: &str = "user.password";
pub(in crate::cmd) const SUSPEND: &str = "user.suspend";

/// Who gets which role.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewRole {
    pub(super) handle: String,
    pub(super) role: RoleName,
}

/// Who gets which password. It has no `Debug`, because it holds the password.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NewPassword {
    pub(super) handle: String,
    pub(super) password: String,
}

/// Who is suspended, or is no longer.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Suspension {
    pub(super) handle: String,
    pub(super) suspended: bool,
}

pub(super) async fn run_role(
    settings: SettingFlags,
    role: NewRole,
    json: bool,
) -> anyhow::Result<Exit> {
    let account = ask(settings, ROLE, &role).await?;
    tell(&account, &format!("has the role {}", text(&account, "role")), json)
}

pub(super) async fn run_password(
    settings: SettingFlags,
    password: NewPassword,
    json: bool,
) -> anyhow::Result<Exit> {
    let account = ask(settings, PASSWORD, &password).await?;
    let still = match text(&account, "state") {
        "suspended" => "; the account is still suspended",
        _ => "",
    };
    let now = "has a new password and is signed out everywhere; API keys stay";
    tell(&account, &format!("{now}{still}"), json)
}

pub(super) async fn run_suspension(
    settings: SettingFlags,
    suspension: Suspension,
    json: bool,
) -> anyhow::Result<Exit> {
    let account = ask(settings, SUSPEND, &suspension).await?;
    let now = match suspension.suspended {
        true => "is suspended and signed out everywhere",
        false => "may sign in again",
    };
    tell(&account, now, json)
}

fn tell(account: &Value, now: &str, json: bool) -> anyhow::Result<Exit> {
    if json {
        output::json(account)?;
    } else {
        output::line(&format!("{} ({}) {now}", text(account, "handle"), text(account, "id")))?;
    }
    Ok(Exit::Done)
}

/// Carries out [`ROLE`].
pub(in crate::cmd) async fn set_role(house: &House, arguments: Value) -> anyhow::Result<Value> {
    let NewRole { handle, role } = serde_json::from_value(arguments).context("read the order")?;
    let user = find::changeable(house, &handle).await?.id;
    let (auth, origin) = (house.auth(), Origin::default());
    let changed = auth.set_role(user, role.into(), Actor::Operator, &origin);
    changed.await.map_err(|error| failed("change the role", error))?;
    shown(house, &handle).await
}

/// Carries out [`PASSWORD`].
pub(in crate::cmd) async fn set_password(house: &House, arguments: Value) -> anyhow::Result<Value> {
    let NewPassword { handle, password } =
        serde_json::from_value(arguments).context("read the order")?;
    let user = find::changeable(house, &handle).await?.id;
    let (auth, origin) = (house.auth(), Origin::default());
    let changed = auth.set_password(user, password, Actor::Operator, &origin);
    changed.await.map_err(|error| failed("change the password", error))?;
    shown(house, &handle).await
}

/// Carries out [`SUSPEND`].
pub(in crate::cmd) async fn set_suspended(
    house: &House,
    arguments: Value,
) -> anyhow::Result<Value> {
    let Suspension { handle, suspended } =
        serde_json::from_value(arguments).context("read the order")?;
    let user = find::changeable(house, &handle).await?.id;
    let (auth, origin) = (house.auth(), Origin::default());
    let changed = auth.set_suspended(user, suspended, Actor::Operator, &origin);
    let doing = if suspended { "suspend the account" } else { "restore the account" };
    changed.await.map_err(|error| failed(doing, error))?;
    shown(house, &handle).await
}

/// The account as it is now.
async fn shown(house: &House, handle: &str) -> anyhow::Result<Value> {
    let account = find::described(house, handle).await?;
    serde_json::to_value(account).context("show the account")
}
