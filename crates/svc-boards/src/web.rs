//! Boards' pages and forms, live: each handler takes a visit, calls the use cases that the API calls, and shows a page.

mod bans;
mod boards;
mod competition_form;
mod competitions;
mod dashboard;
mod evidence;
mod ledger;
mod payouts;
mod rules;

use axum::response::Response;
use http::StatusCode;
use mainstay_console::{
    component::person_href,
    form::{FieldError, FormErrors},
    visit::Site,
};
use mainstay_contract::id::UserId;
use mainstay_core::{
    auth::Auth,
    error::{Code, Problem},
    http::{Route, route::Routes},
    mount::Core,
};

use crate::{error::Error, pages, service::Boards};

/// The largest body of a form.
const FORM_BYTES_MAX: usize = 64 << 10;
/// Items of a page of a list.
const PAGE_LEN: usize = 20;
/// The status of a form that is shown again.
const REFUSED: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

/// What the handlers share.
#[derive(Clone)]
struct Web {
    boards: Boards,
    site: Site,
}

impl AsRef<Site> for Web {
    fn as_ref(&self) -> &Site {
        &self.site
    }
}

type Answer = Result<Response, Error>;

/// Every page and form of Boards; adds Boards to the console's navigation.
pub(crate) fn routes(core: &Core, boards: &Boards) -> Vec<Route> {
    core.front.add_nav(&pages::NAV);
    let web = Web { boards: boards.clone(), site: Site::new(core) };
    let page = Routes::pages(&web);
    [
        boards::routes(&page),
        competitions::routes(&page),
        competition_form::routes(&page),
        dashboard::routes(&page),
        rules::routes(&page),
        payouts::routes(&page),
        ledger::routes(&page),
        bans::routes(&page),
        evidence::routes(&page),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// What a form can say about a refusal; a failure of ours, or what is not there, is passed on.
fn said(error: Error) -> Result<FormErrors, Error> {
    let problem = Problem::from(error);
    match problem.code {
        Code::Invalid | Code::Conflict | Code::Forbidden => Ok(FormErrors::of(&problem)),
        // The interface speaks of versions, which people do not see.
        Code::PreconditionFailed => Ok(FormErrors(vec![FieldError {
            pointer: String::new(),
            detail: "Somebody else changed it since you opened this form. Sent again, it goes over theirs.".into(),
        }])),
        _ => Err(problem.into()),
    }
}

/// What owners are called: people by their handles, others by the names that they have on the board.
struct Names(std::collections::HashMap<UserId, String>);

impl Names {
    /// Owners are called what the board calls them.
    fn none() -> Self {
        Self(std::collections::HashMap::new())
    }

    async fn of(auth: &Auth, owners: impl Iterator<Item = &str>) -> Result<Self, Error> {
        let users: Vec<UserId> = owners.filter_map(|owner| owner.parse().ok()).collect();
        if users.is_empty() {
            return Ok(Self::none());
        }
        let found = auth.handles(&users).await.map_err(Problem::from)?;
        Ok(Self(found))
    }

    fn handle(&self, owner: &str) -> Option<&String> {
        owner.parse().ok().and_then(|user| self.0.get(&user))
    }

    fn of_owner(&self, owner: &str) -> String {
        self.handle(owner).map_or_else(|| owner.to_owned(), |handle| format!("@{handle}"))
    }

    /// Where somebody is shown; nowhere if the owner is nobody who is known.
    fn href(&self, owner: &str) -> Option<String> {
        self.handle(owner).map(|handle| person_href(handle))
    }
}
