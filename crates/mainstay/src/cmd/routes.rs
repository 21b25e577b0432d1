//! `mainstay routes`.

use mainstay_core::http::{Access, Route};
use serde::Serialize;

use crate::{exit::Exit, output, services};

/// List every route: method, path, who may call it, and its bounds.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  mainstay routes
  mainstay routes --json")]
pub(super) struct Args {}

#[derive(Serialize)]
struct Row {
    method: String,
    path: &'static str,
    access: String,
    limit: String,
    timeout_ms: u32,
    body_bytes_max: usize,
    summary: &'static str,
}

impl From<&Route> for Row {
    fn from(route: &Route) -> Self {
        Self {
            method: route.method.to_string(),
            path: route.path,
            access: access(route.access),
            limit: format!("{:?}", route.limit).to_lowercase(),
            timeout_ms: route.timeout_ms,
            body_bytes_max: route.body_bytes_max,
            summary: route.summary,
        }
    }
}

fn access(access: Access) -> String {
    match access {
        Access::Public => "everybody".to_owned(),
        Access::SignedIn(_) => "signed in".to_owned(),
        Access::Role(role, _) => format!("{role:?}").to_lowercase(),
        Access::Loopback => "this machine".to_owned(),
    }
}

pub(super) async fn run(json: bool) -> anyhow::Result<Exit> {
    let routes = services::routes().await?;
    let mut rows: Vec<Row> = routes.iter().map(Row::from).collect();
    rows.sort_by(|a, b| (a.path, &a.method).cmp(&(b.path, &b.method)));
    if json {
        output::json(&rows)?;
        return Ok(Exit::Done);
    }
    let cells = |row: Row| {
        vec![
            row.method,
            row.path.to_owned(),
            row.access,
            row.limit,
            row.timeout_ms.to_string(),
            row.body_bytes_max.to_string(),
            row.summary.to_owned(),
        ]
    };
    let titles = ["METHOD", "PATH", "ACCESS", "LIMIT", "MS", "BODY", "WHAT"];
    let rows: Vec<_> = rows.into_iter().map(cells).collect();
    output::line(&output::table(&titles, &rows))?;
    Ok(Exit::Done)
}
