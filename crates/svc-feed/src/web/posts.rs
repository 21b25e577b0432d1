//! A post's page, its likes, its end.

use std::collections::HashMap;

use axum::extract::State;
use http::StatusCode;
use mainstay_console::{
    component::with_cursor,
    form::FormErrors,
    visit::{Return, Visit},
};
use mainstay_contract::id::{CommentId, PostId};
use mainstay_core::{
    auth::Caller,
    http::{Form, IfMatch, Path, Query, Route, route::Routes},
};
use serde::Deserialize;

use super::{Answer, FORM_BYTES_MAX, Listed, Web, at, id_of};
use crate::{
    error::Error,
    pages::{
        comments::CommentNode,
        post::{PostPage, post_gone, post_page},
    },
    service::NewReportBody,
    view::CommentView,
};

/// Comments on one page of a post.
pub(super) const COMMENTS_SHOWN: usize = 50;

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    vec![
        page.get("/posts/{id}", show),
        page.post("/posts/{id}/like", like).takes_form(FORM_BYTES_MAX),
        page.post("/posts/{id}/unlike", unlike).takes_form(FORM_BYTES_MAX),
        page.post("/posts/{id}/delete", delete).takes_form(FORM_BYTES_MAX),
        page.post("/posts/{id}/report", report).takes_form(FORM_BYTES_MAX),
    ]
}

/// What was typed into the comment's form, if it was refused.
#[derive(Default)]
pub(super) struct Typed {
    pub(super) text: String,
    pub(super) errors: FormErrors,
}

impl Web {
    /// A post's page, or the page in its place.
    pub(super) async fn post_page(
        &self,
        visit: &Visit,
        id: PostId,
        cursor: Option<&str>,
        typed: Typed,
    ) -> Answer {
        let viewer = id_of(visit.caller.as_ref());
        let post = match self.feed.post(viewer, id).await {
            Ok(post) => post,
            Err(Error::NotFound) => {
                return Ok(visit.page_as(StatusCode::NOT_FOUND, post_gone(&visit.shell())));
            }
            Err(error) => return Err(error),
        };
        let comments = self.feed.comments(viewer, id, COMMENTS_SHOWN, cursor).await?;
        let more_href =
            comments.next_cursor.as_deref().map(|next| with_cursor(&format!("/posts/{id}"), next));
        let status = if typed.errors.0.is_empty() { StatusCode::OK } else { super::REFUSED };
        let view = PostPage {
            post,
            comments: tree(comments.items),
            more_href,
            typed: typed.text,
            errors: typed.errors,
            discover: self.beside(visit, cursor).await?,
        };
        Ok(visit.page_as(status, post_page(&visit.shell(), &view)))
    }
}

/// Comments, oldest first, with replies under what they answer; a reply whose parent stands on an earlier page stands
/// by itself.
fn tree(comments: Vec<CommentView>) -> Vec<CommentNode> {
    let here: Vec<CommentId> = comments.iter().map(|comment| comment.id).collect();
    let mut under: HashMap<Option<CommentId>, Vec<CommentView>> = HashMap::new();
    for comment in comments {
        let parent = comment.reply_to.filter(|parent| here.contains(parent));
        under.entry(parent).or_default().push(comment);
    }
    branch(None, &mut under)
}

fn branch(
    parent: Option<CommentId>,
    under: &mut HashMap<Option<CommentId>, Vec<CommentView>>,
) -> Vec<CommentNode> {
    let comments = under.remove(&parent).unwrap_or_default();
    let nodes = comments.into_iter().map(|comment| {
        let replies = branch(Some(comment.id), under);
        CommentNode { comment, replies, more_href: None }
    });
    nodes.collect()
}

async fn show(
    State(web): State<Web>,
    visit: Visit,
    Path(id): Path<PostId>,
    Query(listed): Query<Listed>,
) -> Answer {
    web.post_page(&visit, id, listed.cursor.as_deref(), Typed::default()).await
}

async fn like(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<PostId>,
    Form(form): Form<Return>,
) -> Answer {
    web.feed.like(caller.user, id, None).await?;
    Ok(web.site.go(&at(&form.return_to, id)))
}

async fn unlike(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<PostId>,
    Form(form): Form<Return>,
) -> Answer {
    web.feed.unlike(caller.user, id, None).await?;
    Ok(web.site.go(&at(&form.return_to, id)))
}

async fn delete(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<PostId>,
    Form(form): Form<Return>,
) -> Answer {
    web.feed.delete_post(caller.user, id, IfMatch::Any, None).await?;
    // Its own page is gone with it.
    let to = if form.return_to.contains(&id.to_string()) { "/" } else { &form.return_to };
    Ok(web.site.go_and_say(to, "Post deleted."))
}

/// What is wrong with something.
#[derive(Debug, Deserialize)]
pub(super) struct ReportForm {
    #[serde(default)]
    reason: String,
    #[serde(default)]
    return_to: String,
}

impl Web {
    /// Reports what has this id.
    pub(super) async fn report(&self, caller: &Caller, target: String, form: ReportForm) -> Answer {
        let place = target.clone();
        self.feed.report(caller, NewReportBody { target, reason: form.reason }, None).await?;
        let thanks = "Thank you. A moderator will look at it.";
        Ok(self.site.go_and_say(&at(&form.return_to, place), thanks))
    }
}

async fn report(
    State(web): State<Web>,
    caller: Caller,
    Path(id): Path<PostId>,
    Form(form): Form<ReportForm>,
) -> Answer {
    web.report(&caller, id.to_string(), form).await
}

#[cfg(test)]
mod tests {
    use mainstay_contract::{id::UserId, ts::Ts};

    use super::*;
    use crate::view::PersonView;

    fn comment(id: u128, reply_to: Option<u128>) -> CommentView {
        CommentView {
            id: CommentId::from_bits(id),
            post_id: PostId::from_bits(1),
            author: PersonView {
                id: UserId::from_bits(1),
                handle: "ada".into(),
                display_name: "Ada".into(),
                avatar: None,
            },
            text: id.to_string(),
            reply_to: reply_to.map(CommentId::from_bits),
            mentions: Vec::new(),
            reply_count: 0,
            like_count: 0,
            liked_by_me: false,
            created_at: Ts::from_micros(0),
            edited_at: None,
            version: 1,
        }
    }

    fn drawn(nodes: &[CommentNode]) -> String {
        let one = |node: &CommentNode| match node.replies.as_slice() {
            [] => node.comment.text.clone(),
            replies => format!("{}({})", node.comment.text, drawn(replies)),
        };
        nodes.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn replies_stand_under_what_they_answer_and_none_is_lost() {
        let comments = vec![
            comment(10, None),
            comment(11, Some(10)),
            comment(12, None),
            comment(13, Some(11)),
            comment(14, Some(10)),
            comment(15, Some(3)),
        ];
        assert_eq!(drawn(&tree(comments)), "10(11(13) 14) 12 15");
    }
}
