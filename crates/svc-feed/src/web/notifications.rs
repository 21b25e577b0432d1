//! What others did.

use axum::extract::State;
use mainstay_console::visit::Visit;
use mainstay_core::{
    auth::Caller,
    http::{Form, Query, Route, route::Routes},
};
use serde::Deserialize;

use super::{Answer, FORM_BYTES_MAX, Listed, PAGE_LEN, Web};
use crate::{pages::notifications::notifications_page, view::Page};

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    vec![
        page.get("/notifications", show).signed_in().shows(&["notifications"]),
        page.post("/notifications/read", read).takes_form(FORM_BYTES_MAX),
    ]
}

async fn show(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Query(listed): Query<Listed>,
) -> Answer {
    let page = web.feed.notifications(caller.user, PAGE_LEN, listed.cursor.as_deref()).await?;
    let visit = visit.unread(page.unread_count);
    let beside = web.beside(&visit, listed.cursor.as_deref()).await?;
    let view = Page { items: page.items, next_cursor: page.next_cursor };
    Ok(visit.page(notifications_page(&visit.shell(), &view, &beside)))
}

#[derive(Debug, Deserialize)]
struct ReadForm {
    #[serde(default)]
    up_to: String,
}

async fn read(State(web): State<Web>, caller: Caller, Form(form): Form<ReadForm>) -> Answer {
    web.feed.read_notifications(caller.user, &form.up_to, None).await?;
    Ok(web.site.go("/notifications"))
}
