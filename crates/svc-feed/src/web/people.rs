//! People's pages and how one stands to them.

use axum::extract::State;
use mainstay_console::visit::{Return, Visit};
use mainstay_contract::id::UserId;
use mainstay_core::{
    auth::Caller,
    http::{Form, Path, Query, Route, route::Routes},
};
use serde::Deserialize;

use super::{Answer, FORM_BYTES_MAX, Listed, PAGE_LEN, Web, id_of, posts::ReportForm};
use crate::{
    pages::{
        people::{PeoplePage, RequestLine, people_page, requests_page},
        profile::{ProfilePage, ProfileTab, profile_page},
    },
    service::{Circle, Tie},
    view::Page,
};

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    let form = |route: Route| route.takes_form(FORM_BYTES_MAX);
    vec![
        page.get("/people/{handle}", show),
        page.get("/people/{handle}/followers", |web, visit, handle, listed| {
            circle(web, visit, handle, listed, Circle::Followers)
        }),
        page.get("/people/{handle}/following", |web, visit, handle, listed| {
            circle(web, visit, handle, listed, Circle::Following)
        }),
        form(page.post("/people/{id}/follow", |w, c, p, f| tie(w, c, p, f, Tie::Follow, true))),
        form(page.post("/people/{id}/unfollow", |w, c, p, f| tie(w, c, p, f, Tie::Follow, false))),
        form(page.post("/people/{id}/block", |w, c, p, f| tie(w, c, p, f, Tie::Block, true))),
        form(page.post("/people/{id}/unblock", |w, c, p, f| tie(w, c, p, f, Tie::Block, false))),
        form(page.post("/people/{id}/mute", |w, c, p, f| tie(w, c, p, f, Tie::Mute, true))),
        form(page.post("/people/{id}/unmute", |w, c, p, f| tie(w, c, p, f, Tie::Mute, false))),
        form(page.post("/people/{id}/report", report)),
        page.get("/requests", requests).signed_in(),
        form(page.post("/requests/{id}/accept", |w, c, p, f| answer(w, c, p, f, true))),
        form(page.post("/requests/{id}/reject", |w, c, p, f| answer(w, c, p, f, false))),
    ]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ProfileQuery {
    cursor: Option<String>,
    view: Option<String>,
}

async fn show(
    State(web): State<Web>,
    visit: Visit,
    Path(handle): Path<String>,
    Query(query): Query<ProfileQuery>,
) -> Answer {
    let caller = visit.caller.as_ref();
    let profile = web.feed.profile_by_handle(caller, &handle).await?;
    let (viewer, user) = (id_of(caller), profile.person.id);
    let relation = profile.relation.unwrap_or_default();
    let closed =
        relation.blocking || profile.private && viewer != Some(user) && !relation.following;
    let posts = match closed {
        true => None,
        false => {
            let page = web.feed.posts_of(caller, user, PAGE_LEN, query.cursor.as_deref()).await?;
            Some(page.view())
        }
    };
    let mentions = match profile.bio.contains('@') {
        true => web.feed.mentioned_in(&profile.bio).await?,
        false => Vec::new(),
    };
    let media = query.view.as_deref() == Some("media");
    let tab = if media { ProfileTab::Media } else { ProfileTab::Posts };
    let discover = web.beside(&visit, query.cursor.as_deref()).await?;
    let view = ProfilePage { profile, mentions, tab, posts, discover };
    Ok(visit.page(profile_page(&visit.shell(), &view)))
}

async fn circle(
    State(web): State<Web>,
    visit: Visit,
    Path(handle): Path<String>,
    Query(listed): Query<Listed>,
    circle: Circle,
) -> Answer {
    let caller = visit.caller.as_ref();
    let person = web.feed.profile_by_handle(caller, &handle).await?.person;
    let (viewer, cursor) = (id_of(caller), listed.cursor.as_deref());
    let page = web.feed.circle(viewer, person.id, circle, PAGE_LEN, cursor).await?;
    let items = web.feed.lines(viewer, page.items).await?;
    let people = Page { items, next_cursor: page.next_cursor };
    let discover = web.beside(&visit, cursor).await?;
    let view = PeoplePage { person, following: circle == Circle::Following, people, discover };
    Ok(visit.page(people_page(&visit.shell(), &view)))
}

async fn tie(
    State(web): State<Web>,
    caller: Caller,
    Path(user): Path<UserId>,
    Form(form): Form<Return>,
    tie: Tie,
    on: bool,
) -> Answer {
    web.feed.set_tie(&caller, user, tie, on, None).await?;
    let words = match (tie, on) {
        (Tie::Follow, _) => return Ok(web.site.go(&form.return_to)),
        (Tie::Block, true) => "Blocked. You see nothing of each other while you do.",
        (Tie::Block, false) => "Unblocked.",
        (Tie::Mute, true) => "Muted. Their posts stay out of your timelines; they are not told.",
        (Tie::Mute, false) => "Unmuted.",
    };
    Ok(web.site.go_and_say(&form.return_to, words))
}

async fn report(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<UserId>,
    Form(form): Form<ReportForm>,
) -> Answer {
    web.report(&caller, id.to_string(), form).await
}

async fn requests(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Query(listed): Query<Listed>,
) -> Answer {
    let page = web.feed.follow_requests(caller.user, PAGE_LEN, listed.cursor.as_deref()).await?;
    let items = page.items.into_iter();
    let lines =
        items.map(|asks| RequestLine { person: asks.person, asked_at: asks.created_at }).collect();
    let view = Page { items: lines, next_cursor: page.next_cursor };
    Ok(visit.page(requests_page(&visit.shell(), &view)))
}

async fn answer(
    State(web): State<Web>,
    caller: Caller,
    Path(from): Path<UserId>,
    Form(form): Form<Return>,
    accepts: bool,
) -> Answer {
    web.feed.answer_request(caller.user, from, accepts, None).await?;
    Ok(web.site.go(&form.return_to))
}
