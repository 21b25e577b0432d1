//! The moderators' queue, what they decide, and what they decided.

use axum::extract::State;
use mainstay_console::{form::FormErrors, visit::Visit};
use mainstay_core::{
    auth::Caller,
    http::{Form, Query, Route, extract::Origin, route::Routes},
};
use serde::Deserialize;

use super::{Answer, FORM_BYTES_MAX, Listed, PAGE_LEN, REFUSED, Web, said};
use crate::{
    model::target::{Act, Target},
    pages::{
        decided::{DecidedPage, decided_page},
        moderation::{ModerationPage, moderation_page},
    },
    service::ActBody,
};

const QUEUE: &str = "/moderation";
const DECIDED: &str = "/moderation/decided";

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    vec![
        page.get(QUEUE, show).moderators(),
        page.get(DECIDED, show_decided).moderators(),
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

async fn show_decided(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Query(listed): Query<Listed>,
) -> Answer {
    let decided = web.feed.decided(caller.user, PAGE_LEN, listed.cursor.as_deref()).await?;
    let view = DecidedPage { decided, refused: None, errors: FormErrors::default() };
    Ok(visit.page(decided_page(&visit.shell(), &view)))
}

#[derive(Debug, Deserialize)]
struct ActForm {
    target: String,
    action: Act,
    /// Who wrote the target: it is they who are suspended.
    #[serde(default)]
    person: String,
    #[serde(default)]
    reason: String,
    #[serde(default)]
    return_to: String,
}

impl ActForm {
    fn body(&self) -> ActBody {
        let about_a_person = matches!(self.target.parse(), Ok(Target::Person(_)));
        let target = match self.action {
            Act::Suspend if !about_a_person => self.person.clone(),
            _ => self.target.clone(),
        };
        ActBody { target, action: self.action, reason: self.reason.clone() }
    }
}

async fn act(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Origin(origin): Origin,
    Form(form): Form<ActForm>,
) -> Answer {
    let from_decided = form.return_to.split(['?', '#']).next() == Some(DECIDED);
    let list = if from_decided { DECIDED } else { QUEUE };
    let error = match web.feed.moderate(&caller, form.body(), origin, None).await {
        Ok(_done) => return Ok(web.site.go_and_say(list, told(form.action))),
        Err(error) => error,
    };
    let errors = said(error)?;
    let (visit, refused) = (visit.at(list), Some(form.target));
    let shell = visit.shell();
    let page = if from_decided {
        let decided = web.feed.decided(caller.user, PAGE_LEN, None).await?;
        decided_page(&shell, &DecidedPage { decided, refused, errors })
    } else {
        let queue = web.feed.moderation_queue(caller.user, PAGE_LEN, None).await?;
        moderation_page(&shell, &ModerationPage { queue, refused, errors })
    };
    Ok(visit.page_as(REFUSED, page))
}

/// What the next page says of an act, and where it is taken back.
fn told(act: Act) -> &'static str {
    match act {
        Act::Hide => "Hidden. It stands under Decided, where you can restore it.",
        Act::Remove => "Removed. It stands under Decided, where you can restore it for 30 days.",
        Act::Suspend => "Suspended. They stand under Decided, where you can lift it.",
        Act::Restore => "It is shown, and its reports are done with.",
        Act::Unsuspend => "The suspension is lifted.",
    }
}
