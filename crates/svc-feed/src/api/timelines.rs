//! Timelines.

use axum::{extract::State, response::Response};
use http::{HeaderValue, StatusCode, header};
use mainstay_contract::id::UserId;
use mainstay_core::{
    auth::Caller,
    error::{Code, Problem},
    http::{MaybeCaller, PageQuery, Path, Query, Route, reply::whole, route::Routes},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    error::Error,
    service::{Feed, TimelinePage},
    view::{Page, PostView},
};

pub(super) fn routes(feed: &Feed) -> Vec<Route> {
    let r = Routes::api(feed, "Timelines");
    vec![
        r.get("/api/v1/timelines/home", home)
            .signed_in()
            .about("Read the home timeline")
            .details("The posts of everybody whom you follow, newest first, to the very end.")
            .query::<TimelineQuery>()
            .answers::<Page<PostView>>(200)
            .refuses(&[Code::MalformedCursor]),
        r.get("/api/v1/timelines/explore", explore)
            .about("Read explore")
            .details(
                "Every public post of an account that is neither private nor suspended, by score: what everybody may see, but \
                 for those who block each other. What a private account posts is seen by accepted followers only, whatever \
                 its visibility says, and stands in their home timelines. The ranking is frozen at its first page and can be \
                 paged for one hour.",
            )
            .query::<TimelineQuery>()
            .answers::<Page<PostView>>(200)
            .refuses(&[Code::MalformedCursor, Code::CursorExpired]),
        r.get("/api/v1/timelines/latest", latest)
            .about("Read the latest posts")
            .details("What explore holds, newest first: public posts of accounts that are neither private nor suspended.")
            .query::<PageQuery>()
            .answers::<Page<PostView>>(200)
            .refuses(&[Code::MalformedCursor]),
        r.get("/api/v1/users/{id}/posts", of_user)
            .about("Read a person's posts")
            .details(
                "Newest first, those that you may see. A private account's posts are seen by accepted followers only; for \
                 others there is nothing here (404).",
            )
            .query::<PageQuery>()
            .answers::<Page<PostView>>(200)
            .refuses(&[Code::MalformedCursor]),
        r.get("/api/v1/hashtags/{tag}/posts", with_tag)
            .about("Read the posts with a tag")
            .query::<PageQuery>()
            .answers::<Page<PostView>>(200)
            .refuses(&[Code::MalformedCursor]),
        r.get("/api/v1/drafts", drafts)
            .signed_in()
            .about("List your drafts and scheduled posts")
            .query::<PageQuery>()
            .answers::<Page<PostView>>(200)
            .refuses(&[Code::MalformedCursor]),
    ]
}

/// A page of a timeline, and whether it explains itself.
#[derive(Debug, Deserialize, JsonSchema)]
struct TimelineQuery {
    /// How many items, 1 to 100; 20 if absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    #[serde(default)]
    cursor: Option<String>,
    /// Say for each post why it stands where it stands.
    #[serde(default)]
    explain: bool,
}

impl TimelineQuery {
    fn limit(&self) -> Result<usize, Problem> {
        PageQuery { limit: self.limit, cursor: None }.limit()
    }
}

fn show(page: &TimelinePage) -> Response {
    let mut response = whole(StatusCode::OK, "application/json", page.json());
    if let Some(tag) = page.entity_tag().and_then(|tag| HeaderValue::try_from(tag).ok()) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

async fn home(
    State(feed): State<Feed>,
    caller: Caller,
    Query(query): Query<TimelineQuery>,
) -> Result<Response, Error> {
    let mut page = feed.home(caller.user, query.limit()?, query.cursor.as_deref()).await?;
    if query.explain {
        feed.explain_follows(caller.user, &mut page).await?;
    }
    Ok(show(&page))
}

async fn explore(
    State(feed): State<Feed>,
    MaybeCaller(caller): MaybeCaller,
    Query(query): Query<TimelineQuery>,
) -> Result<Response, Error> {
    let viewer = caller.map(|caller| caller.user);
    let mut page = feed.explore(viewer, query.limit()?, query.cursor.as_deref()).await?;
    if query.explain {
        feed.explain_scores(&mut page);
    }
    Ok(show(&page))
}

async fn latest(
    State(feed): State<Feed>,
    MaybeCaller(caller): MaybeCaller,
    Query(query): Query<PageQuery>,
) -> Result<Response, Error> {
    let viewer = caller.map(|caller| caller.user);
    Ok(show(&feed.latest(viewer, query.limit()?, query.cursor.as_deref()).await?))
}

async fn of_user(
    State(feed): State<Feed>,
    MaybeCaller(caller): MaybeCaller,
    Path(author): Path<UserId>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Error> {
    let caller = caller.as_ref();
    Ok(show(&feed.posts_of(caller, author, query.limit()?, query.cursor.as_deref()).await?))
}

async fn with_tag(
    State(feed): State<Feed>,
    MaybeCaller(caller): MaybeCaller,
    Path(tag): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Response, Error> {
    let viewer = caller.map(|caller| caller.user);
    Ok(show(&feed.posts_with_tag(viewer, &tag, query.limit()?, query.cursor.as_deref()).await?))
}

async fn drafts(
    State(feed): State<Feed>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Response, Error> {
    Ok(show(&feed.unpublished(caller.user, query.limit()?, query.cursor.as_deref()).await?))
}
