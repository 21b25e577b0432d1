//! Home, explore, latest, tags and drafts.

use axum::{extract::State, response::Response};
use mainstay_console::visit::Visit;
use mainstay_core::{
    auth::Caller,
    http::{Path, Query, Route, route::Routes},
};

use super::{Answer, Listed, PAGE_LEN, Web, id_of};
use crate::{
    error::Error,
    model::marks,
    pages::{
        shelf::drafts_page,
        timeline::{Timeline, Which, timeline},
    },
    service::TimelinePage,
};

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    vec![
        page.get("/home", home).signed_in(),
        page.get("/explore", explore),
        page.get("/latest", latest),
        page.get("/tags/{tag}", tag),
        page.get("/drafts", drafts).signed_in(),
    ]
}

impl Web {
    async fn timeline(
        &self,
        visit: &Visit,
        which: Which<'_>,
        listed: &Listed,
        page: TimelinePage,
    ) -> Answer {
        let discover = self.beside(visit, listed.cursor.as_deref()).await?;
        let view = Timeline { which, posts: page.view(), discover };
        Ok(visit.page(timeline(&visit.shell(), &view)))
    }
}

async fn home(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Query(listed): Query<Listed>,
) -> Answer {
    let page = web.feed.home(caller.user, PAGE_LEN, listed.cursor.as_deref()).await?;
    web.timeline(&visit, Which::Home, &listed, page).await
}

async fn explore(State(web): State<Web>, visit: Visit, Query(listed): Query<Listed>) -> Answer {
    let viewer = id_of(visit.caller.as_ref());
    let page = web.feed.explore(viewer, PAGE_LEN, listed.cursor.as_deref()).await?;
    web.timeline(&visit, Which::Explore, &listed, page).await
}

async fn latest(State(web): State<Web>, visit: Visit, Query(listed): Query<Listed>) -> Answer {
    let viewer = id_of(visit.caller.as_ref());
    let page = web.feed.latest(viewer, PAGE_LEN, listed.cursor.as_deref()).await?;
    web.timeline(&visit, Which::Latest, &listed, page).await
}

async fn tag(
    State(web): State<Web>,
    visit: Visit,
    Path(tag): Path<String>,
    Query(listed): Query<Listed>,
) -> Answer {
    let (viewer, tag) = (id_of(visit.caller.as_ref()), marks::normal_tag(&tag));
    let page = web.feed.posts_with_tag(viewer, &tag, PAGE_LEN, listed.cursor.as_deref()).await?;
    web.timeline(&visit, Which::Tag(&tag), &listed, page).await
}

async fn drafts(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Query(listed): Query<Listed>,
) -> Result<Response, Error> {
    let page = web.feed.unpublished(caller.user, PAGE_LEN, listed.cursor.as_deref()).await?;
    Ok(visit.page(drafts_page(&visit.shell(), &page.view())))
}
