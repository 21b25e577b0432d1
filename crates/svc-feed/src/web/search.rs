//! Finding people and tags.

use axum::extract::State;
use mainstay_console::visit::Visit;
use mainstay_core::http::{LimitClass, Query, Route, route::Routes};
use serde::Deserialize;

use super::{Answer, PAGE_LEN, Web, id_of};
use crate::{
    pages::{
        discover::Discover,
        search::{Found, SearchPage, search_page},
    },
    view::Page,
};

/// Tags that are offered before anything was typed.
const TAGS_OFFERED: i64 = 20;

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    vec![page.get("/search", show).limit(LimitClass::Search)]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    q: String,
    kind: String,
    cursor: Option<String>,
}

async fn show(State(web): State<Web>, visit: Visit, Query(asked): Query<Asked>) -> Answer {
    let (feed, viewer) = (&web.feed, id_of(visit.caller.as_ref()));
    let (query, cursor) = (asked.q.trim(), asked.cursor.as_deref());
    let hashtags = asked.kind == "hashtags" || query.starts_with('#');
    let found = if query.is_empty() {
        let hashtags = feed.tags_in_use(TAGS_OFFERED).await?;
        Found::Nothing(Discover { hashtags, ..feed.discover(viewer).await? })
    } else if hashtags {
        Found::Hashtags(feed.search_hashtags(query, PAGE_LEN, cursor).await?)
    } else {
        let page = feed.search_people(viewer, query, PAGE_LEN, cursor).await?;
        let items = feed.lines(viewer, page.items).await?;
        Found::People(Page { items, next_cursor: page.next_cursor })
    };
    let view = SearchPage { query, hashtags, found };
    Ok(visit.page(search_page(&visit.shell(), &view)))
}
