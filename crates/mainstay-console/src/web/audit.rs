//! The audit logs of all services, for administrators.

use axum::{extract::State, response::Response};
use mainstay_core::{
    error::{Code, Problem},
    http::{PageQuery, Query, Route, route::Routes},
};

use super::Console;
use crate::{audit::audit_page, visit::Visit};

pub(super) fn route(page: &Routes<Console>) -> Route {
    page.get("/audit", show).admins()
}

async fn show(
    State(console): State<Console>,
    visit: Visit,
    Query(query): Query<PageQuery>,
) -> Result<Response, Problem> {
    let logs = console
        .audit
        .get()
        .ok_or_else(|| Problem::new(Code::Unavailable, "The program is still starting."))?;
    let page = logs.list(query.limit()?, query.cursor.as_deref()).await?;
    Ok(visit.page(audit_page(&visit.shell(), &page)))
}
