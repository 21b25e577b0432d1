//! Writing, changing, liking and deleting comments.

use axum::extract::State;
use mainstay_console::visit::{Return, Visit};
use mainstay_contract::id::{CommentId, PostId};
use mainstay_core::{
    auth::Caller,
    http::{Form, IfMatch, Path, Route, route::Routes},
};
use serde::Deserialize;

use super::{
    Answer, FORM_BYTES_MAX, Web, at,
    posts::{COMMENTS_SHOWN, ReportForm, Typed},
    said,
};
use crate::{error::Error, service::NewComment};

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    let form = |route: Route| route.takes_form(FORM_BYTES_MAX);
    vec![
        form(page.post("/posts/{id}/comments", write)),
        form(page.post("/comments/{id}/edit", edit)),
        form(page.post("/comments/{id}/delete", delete)),
        form(page.post("/comments/{id}/like", like)),
        form(page.post("/comments/{id}/unlike", unlike)),
        form(page.post("/comments/{id}/report", report)),
    ]
}

#[derive(Debug, Deserialize)]
struct CommentForm {
    #[serde(default)]
    text: String,
    #[serde(default)]
    reply_to: Option<CommentId>,
}

async fn write(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Path(post): Path<PostId>,
    Form(form): Form<CommentForm>,
) -> Answer {
    let CommentForm { text, reply_to } = form;
    let new = NewComment { text: text.clone(), reply_to };
    let written = match web.feed.comment(&caller, post, new, None).await {
        Ok(written) => written,
        Err(Error::NotFound) => return Err(Error::NotFound),
        Err(error) => {
            let typed = Typed { text, errors: said(error)? };
            let visit = visit.at(format!("/posts/{post}"));
            return web.post_page(&visit, post, None, typed).await;
        }
    };
    // Beyond the first page of comments the new one is shown by a page that begins with it.
    let count = web.feed.post(Some(caller.user), post).await?.comment_count;
    let first_page = usize::try_from(count).unwrap_or(usize::MAX) <= COMMENTS_SHOWN;
    let to = match first_page {
        true => format!("/posts/{post}#{}", written.id),
        false => {
            let cursor = web.feed.comments_from(post, written.id);
            format!("/posts/{post}?cursor={cursor}#{}", written.id)
        }
    };
    Ok(web.site.go(&to))
}

#[derive(Debug, Deserialize)]
struct EditForm {
    #[serde(default)]
    text: String,
    #[serde(default)]
    return_to: String,
}

async fn edit(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<CommentId>,
    Form(form): Form<EditForm>,
) -> Answer {
    web.feed.edit_comment(caller.user, id, &form.text, IfMatch::Any, None).await?;
    Ok(web.site.go(&at(&form.return_to, id)))
}

async fn delete(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<CommentId>,
    Form(form): Form<Return>,
) -> Answer {
    web.feed.delete_comment(caller.user, id, IfMatch::Any, None).await?;
    Ok(web.site.go_and_say(&form.return_to, "Comment deleted."))
}

async fn like(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<CommentId>,
    Form(form): Form<Return>,
) -> Answer {
    web.feed.set_comment_like(caller.user, id, true, None).await?;
    Ok(web.site.go(&at(&form.return_to, id)))
}

async fn unlike(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<CommentId>,
    Form(form): Form<Return>,
) -> Answer {
    web.feed.set_comment_like(caller.user, id, false, None).await?;
    Ok(web.site.go(&at(&form.return_to, id)))
}

async fn report(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<CommentId>,
    Form(form): Form<ReportForm>,
) -> Answer {
    web.report(&caller, id.to_string(), form).await
}
