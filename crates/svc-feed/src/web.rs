//! Feed's pages and forms, live: each handler takes a visit, calls the use cases that the API calls, and shows a page.
//!
//! A form answers `303` when it is done, so that a reload does not send it again; when its input is refused it is shown
//! again with what was typed and what is wrong (`422`).

mod comments;
mod compose;
mod moderation;
mod notifications;
mod parts;
mod people;
mod posts;
mod profile;
mod search;
mod timelines;

use axum::response::Response;
use http::StatusCode;
use mainstay_console::{
    form::FormErrors,
    visit::{Site, Visit},
};
use mainstay_contract::id::UserId;
use mainstay_core::{
    auth::Caller,
    error::{Code, Problem},
    front::{Face, SettingsLink},
    http::{PageQuery, Route, route::Routes},
    mount::Core,
};
use serde::Deserialize;

use crate::{
    error::Error,
    pages::{self, card, discover::Discover, media::at_least},
    service::Feed,
};

/// The largest body of a form without files.
const FORM_BYTES_MAX: usize = 64 << 10;
/// Items of a page of a list.
const PAGE_LEN: usize = 20;

/// What the handlers share.
#[derive(Clone)]
struct Web {
    feed: Feed,
    site: Site,
}

impl AsRef<Site> for Web {
    fn as_ref(&self) -> &Site {
        &self.site
    }
}

type Answer = Result<Response, Error>;

/// Every page and form of Feed; adds Feed to the console's navigation and settings.
pub(crate) fn routes(core: &Core, feed: &Feed) -> Vec<Route> {
    core.front.add_nav(&pages::NAV);
    core.front.add_settings(&[SettingsLink {
        icon: "user",
        title: "Profile",
        text: "Your name, picture, what you say of yourself, and who sees your posts.",
        href: "/settings/profile",
    }]);
    let shown = feed.clone();
    core.front.show_faces(Box::new(move |caller| {
        let (feed, user) = (shown.clone(), caller.user);
        Box::pin(async move { face(&feed, user).await })
    }));
    let web = Web { feed: feed.clone(), site: Site::new(core) };
    let page = Routes::pages(&web);
    [
        timelines::routes(&page),
        posts::routes(&page),
        compose::routes(&page, feed),
        comments::routes(&page),
        people::routes(&page),
        profile::routes(&page, feed),
        notifications::routes(&page),
        search::routes(&page),
        moderation::routes(&page),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn face(feed: &Feed, user: UserId) -> Option<Face> {
    match feed.face(user).await {
        Ok(found) => found.map(|(person, unread_count)| Face {
            avatar_url: person.avatar.as_ref().map(|media| at_least(media, 80).to_owned()),
            profile_href: card::person_href(&person),
            display_name: person.display_name,
            unread_count,
        }),
        Err(error) => {
            // The page itself says more, if it cannot be shown either.
            tracing::warn!(%error, "a page is shown without the name of who looks");
            None
        }
    }
}

/// A place in a list.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    /// Where the page begins.
    cursor: Option<String>,
}

impl From<Listed> for PageQuery {
    fn from(listed: Listed) -> Self {
        Self { limit: None, cursor: listed.cursor }
    }
}

fn id_of(caller: Option<&Caller>) -> Option<UserId> {
    caller.map(|caller| caller.user)
}

impl Web {
    /// What stands beside a page. The rest of a list, from `cursor` on, is added to a page that has its side already.
    async fn beside(&self, visit: &Visit, cursor: Option<&str>) -> Result<Discover, Error> {
        match cursor {
            None => self.feed.discover(id_of(visit.caller.as_ref())).await,
            Some(_) => Ok(Discover::default()),
        }
    }
}

/// What a form can say about a refusal; a failure of ours, or what is not there, is passed on.
fn said(error: Error) -> Result<FormErrors, Error> {
    let problem = Problem::from(error);
    match problem.code {
        Code::Invalid
        | Code::Conflict
        | Code::TooLarge
        | Code::Taken
        | Code::UnsupportedMediaType => Ok(FormErrors::of(&problem)),
        _ => Err(problem.into()),
    }
}

/// The status of a form that is shown again.
const REFUSED: StatusCode = StatusCode::UNPROCESSABLE_ENTITY;

/// `path` with the place of `id` on it, unless it names a place already.
fn at(path: &str, id: impl std::fmt::Display) -> String {
    if path.contains('#') { path.to_owned() } else { format!("{path}#{id}") }
}
