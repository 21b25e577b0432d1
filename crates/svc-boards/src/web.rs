//! Boards' pages and forms, live: each handler takes a visit, calls the use cases that the API calls, and shows a page.

mod boards;

use axum::response::Response;
use mainstay_console::visit::Site;
use mainstay_contract::id::UserId;
use mainstay_core::{
    auth::Auth,
    http::{Route, route::Routes},
    mount::Core,
};

use crate::{error::Error, pages, service::Boards};

/// Items of a page of a list.
const PAGE_LEN: usize = 20;

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
    [boards::routes(&page)].into_iter().flatten().collect()
}

/// What owners are called: people by their handles, others by the names that they have on the board.
struct Names(std::collections::HashMap<UserId, String>);

impl Names {
    async fn of(auth: &Auth, owners: impl Iterator<Item = &str>) -> Result<Self, Error> {
        let users: Vec<UserId> = owners.filter_map(|owner| owner.parse().ok()).collect();
        if users.is_empty() {
            return Ok(Self(std::collections::HashMap::new()));
        }
        let found = auth.handles(&users).await.map_err(mainstay_core::error::Problem::from)?;
        Ok(Self(found))
    }

    fn of_owner(&self, owner: &str) -> String {
        let handle = owner.parse().ok().and_then(|user| self.0.get(&user));
        handle.map_or_else(|| owner.to_owned(), |handle| format!("@{handle}"))
    }
}
