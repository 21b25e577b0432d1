//! The moderators' queue and what they decide.

use axum::extract::State;
use mainstay_console::{form::FormErrors, visit::Visit};
use mainstay_core::{
    auth::Caller,
    http::{Form, Query, Route, extract::Origin, route::Routes},
};
use serde::Deserialize;

use super::{Answer, FORM_BYTES_MAX, Listed, PAGE_LEN, REFUSED, Web, at, said};
use crate::{
    model::target::Act,
    pages::moderation::{ModerationPage, moderation_page},
    service::ActBody,
};

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    vec![
        page.get("/moderation", show).moderators(),
        page.post("/moderation/actions", act).moderators().takes_form(FORM_BYTES_MAX),
    ]
}

async fn show(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Query(listed): Query<Listed>,
) -> Answer {
    let queue = web.feed.moderation_queue(caller.user, PAGE_LEN, listed.cursor.as_deref()).await?;
    let view = ModerationPage { queue, refused: None, errors: FormErrors::default() };
    Ok(visit.page(moderation_page(&visit.shell(), &view)))
}

#[derive(Debug, Deserialize)]
struct ActForm {
    target: String,
    action: Act,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    return_to: String,
}

async fn act(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Origin(origin): Origin,
    Form(form): Form<ActForm>,
) -> Answer {
    let ActForm { target, action, reason, return_to } = form;
    let body = ActBody { target: target.clone(), action, reason };
    match web.feed.moderate(&caller, body, origin, None).await {
        Ok(_done) => Ok(web.site.go(&at(&return_to, target))),
        Err(error) => {
            let errors = said(error)?;
            let visit = visit.at("/moderation");
            let queue = web.feed.moderation_queue(caller.user, PAGE_LEN, None).await?;
            let view = ModerationPage { queue, refused: Some(target), errors };
            Ok(visit.page_as(REFUSED, moderation_page(&visit.shell(), &view)))
        }
    }
}
