//! Posts, likes and views.

use axum::extract::State;
use mainstay_contract::id::PostId;
use mainstay_core::{
    auth::Caller,
    error::Code,
    http::{
        Body, Created, IfMatch, Json, LimitClass, MaybeCaller, NoBody, NoContent, Path, Route,
        route::Routes,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    service::{EditPost, Feed, Liked, NewPost, ViewId},
    view::PostView,
};

pub(super) fn routes(feed: &Feed) -> Vec<Route> {
    let r = Routes::api(feed, "Posts");
    vec![
        r.post("/api/v1/posts", create)
            .about("Write a post")
            .details("Publishes it at once, at `publish_at`, or keeps it as a draft. At least a caption or one picture or film.")
            .takes::<NewPost>(64 << 10)
            .limit(LimitClass::Upload)
            .timeout_ms(feed.fetched_post_ms_max())
            .answers::<PostView>(201)
            .refuses(&[Code::Conflict, Code::TooLarge, Code::Overloaded]),
        r.get("/api/v1/posts/{id}", show).about("Read a post").answers::<PostView>(200),
        r.patch("/api/v1/posts/{id}", edit)
            .about("Change a post")
            .versioned()
            .takes::<EditPost>(64 << 10)
            .answers::<PostView>(200)
            .refuses(&[Code::Conflict]),
        r.delete("/api/v1/posts/{id}", delete)
            .about("Delete a post")
            .versioned()
            .answers_empty(204),
        r.put("/api/v1/posts/{id}/like", like).about("Like a post").answers::<Liked>(200),
        r.delete("/api/v1/posts/{id}/like", unlike).about("Take a like back").answers::<Liked>(200),
        r.post("/api/v1/posts/{id}/views", begin_view)
            .about("Begin a view")
            .details(
                "One view of a viewer counts in 30 minutes. A view that is not heard of for five minutes ends; what its viewer \
                 says of it within six hours of its beginning counts all the same.",
            )
            .answers::<Viewing>(201),
        r.patch("/api/v1/views/{id}", move_view)
            .about("Move a view on or end it")
            .takes::<MoveView>(4 << 10)
            .answers_empty(204),
    ]
}

/// A view that has begun.
#[derive(Debug, Serialize, JsonSchema)]
struct Viewing {
    /// The view.
    id: ViewId,
}

/// How far a view has come.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct MoveView {
    /// How long the post has been looked at in this view, in milliseconds.
    #[serde(default)]
    #[schemars(range(min = 0))]
    dwell_ms: i64,
    /// Whether it is over.
    #[serde(default)]
    ended: bool,
}

async fn create(
    State(feed): State<Feed>,
    caller: Caller,
    body: Body<NewPost>,
) -> Result<Created<PostView>, Error> {
    feed.create_post(&caller, body.value, body.once).await.map(Created)
}

async fn show(
    State(feed): State<Feed>,
    MaybeCaller(caller): MaybeCaller,
    Path(post): Path<PostId>,
) -> Result<Json<PostView>, Error> {
    feed.post(caller.map(|caller| caller.user), post).await.map(Json)
}

async fn edit(
    State(feed): State<Feed>,
    caller: Caller,
    Path(post): Path<PostId>,
    wanted: IfMatch,
    body: Body<EditPost>,
) -> Result<Json<PostView>, Error> {
    feed.edit_post(caller.user, post, body.value, wanted, body.once).await.map(Json)
}

async fn delete(
    State(feed): State<Feed>,
    caller: Caller,
    Path(post): Path<PostId>,
    wanted: IfMatch,
    body: NoBody,
) -> Result<NoContent, Error> {
    feed.delete_post(caller.user, post, wanted, body.once).await.map(|()| NoContent)
}

async fn like(
    State(feed): State<Feed>,
    caller: Caller,
    Path(post): Path<PostId>,
    body: NoBody,
) -> Result<Json<Liked>, Error> {
    feed.like(caller.user, post, body.once).await.map(Json)
}

async fn unlike(
    State(feed): State<Feed>,
    caller: Caller,
    Path(post): Path<PostId>,
    body: NoBody,
) -> Result<Json<Liked>, Error> {
    feed.unlike(caller.user, post, body.once).await.map(Json)
}

async fn begin_view(
    State(feed): State<Feed>,
    caller: Caller,
    Path(post): Path<PostId>,
    body: NoBody,
) -> Result<Created<Viewing>, Error> {
    feed.begin_view(caller.user, post, body.once).await.map(|id| Created(Viewing { id }))
}

async fn move_view(
    State(feed): State<Feed>,
    caller: Caller,
    Path(view): Path<ViewId>,
    body: Body<MoveView>,
) -> Result<NoContent, Error> {
    if body.value.dwell_ms < 0 {
        return Err(Error::invalid("/dwell_ms", "out_of_range", "Send 0 or more milliseconds."));
    }
    feed.move_view(caller.user, view, body.value.dwell_ms, body.value.ended, body.once)
        .await
        .map(|()| NoContent)
}
