//! One post with its comments, and the form that edits it.

use mainstay_console::{
    component::{empty, icon, more, page_head_back},
    form::FormErrors,
    format,
    shell::{Head, Shell},
};
use maud::{Markup, html};

use crate::{
    pages::{
        card::{actions, post_head, seen, whole_body},
        comments::{self, CommentNode},
        discover::{Discover, discover},
    },
    view::PostView,
};

/// A post's page.
#[derive(Debug, Clone)]
pub struct PostPage {
    /// The post.
    pub post: PostView,
    /// Its comments.
    pub comments: Vec<CommentNode>,
    /// Where more top-level comments are.
    pub more_href: Option<String>,
    /// What was typed into the comment's form, if it was refused.
    pub typed: String,
    /// What was wrong with it; the pointer is `/text`.
    pub errors: FormErrors,
    /// What stands beside it.
    pub discover: Discover,
}

/// A post with its comments.
pub fn post_page(shell: &Shell<'_>, view: &PostPage) -> Markup {
    let post = &view.post;
    let title = format!("Post by {}", post.author.display_name);
    shell.page(
        &Head { title: &title, aside: Some(discover(shell, &view.discover)), ..Head::default() },
        &html! {
            (page_head_back("Post", "/", "Back", &html! {}))
            article .post.single #(post.id) tabindex="-1" data-item
                data-topic=(format!("post:{}", post.id))
                data-seen=[seen(shell, post)] aria-labelledby=(format!("by-{}", post.id)) {
                (post_head(shell, post))
                (whole_body(post))
                p .exact { (format::exact_time(post.published_at.unwrap_or(post.created_at))) }
                (actions(shell, post, "#comment-text"))
            }
            section #comments .card.comments-card aria-labelledby="comments-title" {
                h2 #comments-title { "Comments" }
                (comment_entry(shell, view))
                @if view.comments.is_empty() {
                    @if post.comments_enabled {
                        p .quiet { "No comments yet." @if shell.viewer.is_some()
                            { " Say the first word." } }
                    }
                } @else {
                    (comments::comment_tree(shell, post, &view.comments))
                    (more(view.more_href.as_deref(), "Show more comments"))
                }
            }
        },
    )
}

fn comment_entry(shell: &Shell<'_>, view: &PostPage) -> Markup {
    html! {
        @if !view.post.comments_enabled {
            p .quiet { (icon("message-circle")) " The author does not take comments on this post." }
        } @else if shell.viewer.is_some() {
            (comments::form(shell, &view.post, None, &view.typed, &view.errors))
        } @else {
            p .quiet { a href="/sign-in" { "Sign in" } " to write a comment." }
        }
    }
}

/// What stands where a post was: deleted, hidden, or not for this reader.
pub fn post_gone(shell: &Shell<'_>) -> Markup {
    shell.page(
        &Head { title: "Post not found", ..Head::default() },
        &html! {
            h1 .sr-only { "Post not found" }
            (empty("eye-off", "This post is not here",
                "It may have been deleted, or it is only for some people.",
                Some(("Explore posts", "/explore"))))
        },
    )
}
