//! Comments.

use axum::extract::State;
use mainstay_contract::id::{CommentId, PostId};
use mainstay_core::{
    auth::Caller,
    error::Code,
    http::{
        Body, Created, IfMatch, Json, MaybeCaller, NoBody, NoContent, PageQuery, Path, Query,
        Route, route::Routes,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    error::Error,
    service::{Feed, LikedComment, NewComment},
    view::{CommentView, Page},
};

pub(super) fn routes(feed: &Feed) -> Vec<Route> {
    let r = Routes::api(feed, "Comments");
    vec![
        r.get("/api/v1/posts/{id}/comments", list)
            .about("List a post's comments")
            .details("Oldest first; replies stand among them and name what they answer.")
            .query::<PageQuery>()
            .answers::<Page<CommentView>>(200)
            .refuses(&[Code::MalformedCursor]),
        r.post("/api/v1/posts/{id}/comments", create)
            .about("Comment on a post")
            .takes::<NewComment>(32 << 10)
            .answers::<CommentView>(201)
            .refuses(&[Code::Conflict]),
        r.patch("/api/v1/comments/{id}", edit)
            .about("Change a comment")
            .versioned()
            .takes::<EditComment>(32 << 10)
            .answers::<CommentView>(200),
        r.delete("/api/v1/comments/{id}", delete)
            .about("Delete a comment")
            .versioned()
            .answers_empty(204),
        r.put("/api/v1/comments/{id}/like", like)
            .about("Like a comment")
            .answers::<LikedComment>(200),
        r.delete("/api/v1/comments/{id}/like", unlike)
            .about("Take a comment's like back")
            .answers::<LikedComment>(200),
    ]
}

/// New words for a comment.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct EditComment {
    /// 1 to 2,200 characters.
    #[schemars(length(min = 1, max = 2200))]
    text: String,
}

async fn list(
    State(feed): State<Feed>,
    MaybeCaller(caller): MaybeCaller,
    Path(post): Path<PostId>,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<CommentView>>, Error> {
    let viewer = caller.map(|caller| caller.user);
    feed.comments(viewer, post, page.limit()?, page.cursor.as_deref()).await.map(Json)
}

async fn create(
    State(feed): State<Feed>,
    caller: Caller,
    Path(post): Path<PostId>,
    body: Body<NewComment>,
) -> Result<Created<CommentView>, Error> {
    feed.comment(&caller, post, body.value, body.once).await.map(Created)
}

async fn edit(
    State(feed): State<Feed>,
    caller: Caller,
    Path(comment): Path<CommentId>,
    wanted: IfMatch,
    body: Body<EditComment>,
) -> Result<Json<CommentView>, Error> {
    feed.edit_comment(caller.user, comment, &body.value.text, wanted, body.once).await.map(Json)
}

async fn delete(
    State(feed): State<Feed>,
    caller: Caller,
    Path(comment): Path<CommentId>,
    wanted: IfMatch,
    body: NoBody,
) -> Result<NoContent, Error> {
    feed.delete_comment(caller.user, comment, wanted, body.once).await.map(|()| NoContent)
}

async fn like(
    State(feed): State<Feed>,
    caller: Caller,
    Path(comment): Path<CommentId>,
    body: NoBody,
) -> Result<Json<LikedComment>, Error> {
    feed.set_comment_like(caller.user, comment, true, body.once).await.map(Json)
}

async fn unlike(
    State(feed): State<Feed>,
    caller: Caller,
    Path(comment): Path<CommentId>,
    body: NoBody,
) -> Result<Json<LikedComment>, Error> {
    feed.set_comment_like(caller.user, comment, false, body.once).await.map(Json)
}
