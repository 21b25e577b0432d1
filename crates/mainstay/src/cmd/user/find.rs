//! `mainstay user show` and `list`.

use anyhow::Context as _;
use mainstay_core::auth::{Described, Role, Standing};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{RoleName, SettingFlags, ask, failed, text};
use crate::{
    exit::{Exit, Refusal},
    output,
    services::House,
};

/// The orders that the running program takes.
pub(in crate::cmd) const SHOW: &str = "user.show";
pub(in crate::cmd) const LIST: &str = "user.list";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    handle: String,
}

/// Which page of the list.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Page {
    pub(super) role: Option<RoleName>,
    pub(super) limit: u32,
    pub(super) after: Option<String>,
}

pub(super) async fn run_show(
    settings: SettingFlags,
    handle: String,
    json: bool,
) -> anyhow::Result<Exit> {
    let account = ask(settings, SHOW, &Named { handle }).await?;
    if json {
        output::json(&account)?;
        return Ok(Exit::Done);
    }
    let part = |name| text(&account, name);
    output::line(&format!("{}  {}", part("handle"), part("id")))?;
    let email = account.get("email").and_then(Value::as_str).unwrap_or("none");
    output::line(&format!("  email  {email}"))?;
    output::line(&format!("  role   {}", part("role")))?;
    output::line(&format!("  state  {}", part("state")))?;
    output::line(&format!("  since  {}", part("created_at")))?;
    Ok(Exit::Done)
}

pub(super) async fn run_list(
    settings: SettingFlags,
    page: Page,
    json: bool,
) -> anyhow::Result<Exit> {
    let answer = ask(settings, LIST, &page).await?;
    let all = page.role.is_none() && page.after.is_none();
    if json {
        output::json(&answer)?;
        return Ok(Exit::Done);
    }
    let row = |account: &Value| {
        ["handle", "id", "role", "state"].map(|name| text(account, name).to_owned()).to_vec()
    };
    let rows: Vec<Vec<String>> =
        answer["items"].as_array().into_iter().flatten().map(row).collect();
    if rows.is_empty() {
        output::line(match all {
            true => "no accounts yet; make one with `mainstay user create`",
            false => "no such accounts",
        })?;
        return Ok(Exit::Done);
    }
    output::line(&output::table(&["HANDLE", "ID", "ROLE", "STATE"], &rows))?;
    if let Some(last) = answer["next"].as_str() {
        output::line(&format!("there are more; go on with --after {last}"))?;
    }
    Ok(Exit::Done)
}

/// Carries out [`SHOW`].
pub(in crate::cmd) async fn show(house: &House, arguments: Value) -> anyhow::Result<Value> {
    let Named { handle } = serde_json::from_value(arguments).context("read the order")?;
    let account = described(house, &handle).await?;
    serde_json::to_value(account).context("show the account")
}

/// Carries out [`LIST`].
pub(in crate::cmd) async fn list(house: &House, arguments: Value) -> anyhow::Result<Value> {
    let Page { role, limit, after } =
        serde_json::from_value(arguments).context("read the order")?;
    let (role, after) = (role.map(Role::from), after.unwrap_or_default());
    let page = house.auth().accounts(role, &after, limit.into()).await;
    let page = page.map_err(|error| failed("list accounts", error))?;
    Ok(json!({ "items": page.items, "next": page.next }))
}

/// The account with this handle.
pub(super) async fn described(house: &House, handle: &str) -> anyhow::Result<Described> {
    let found = house.auth().describe(handle).await;
    let found = found.map_err(|error| failed("look the account up", error))?;
    found.ok_or_else(|| {
        let said = format!(
            "find what was named: There is no account `{handle}`. `mainstay user list` shows those that there are."
        );
        Refusal(said).into()
    })
}

/// The same, if its person was not forgotten: nothing can be done for those any more.
pub(super) async fn changeable(house: &House, handle: &str) -> anyhow::Result<Described> {
    let account = described(house, handle).await?;
    if account.state == Standing::Forgotten {
        let said = format!("change `{handle}`: This person was forgotten, which cannot be undone.");
        return Err(Refusal(said).into());
    }
    Ok(account)
}
