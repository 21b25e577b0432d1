//! Comments under a post, as a tree.

use mainstay_console::{
    component::{icon, menu},
    form::{Area, FormErrors},
    format,
    shell::Shell,
};
use maud::{Markup, html};

use crate::{
    pages::{
        card::{Liked, face, like_button, person_acts, person_href, report},
        rich_text::rich_text,
    },
    view::{CommentView, PostView},
};

/// The deepest indentation; deeper replies stand at this depth and name whom they answer.
const DEPTH_MAX: u8 = 3;

/// A comment with the replies that are shown under it.
#[derive(Debug, Clone)]
pub struct CommentNode {
    /// The comment.
    pub comment: CommentView,
    /// Its replies, oldest first.
    pub replies: Vec<CommentNode>,
    /// Where more of its replies are; `None` if all are here.
    pub more_href: Option<String>,
}

/// The tree under `post`.
pub(super) fn comment_tree(shell: &Shell<'_>, post: &PostView, nodes: &[CommentNode]) -> Markup {
    html! { ol .comments data-list="comments" { @for node in nodes
    { (branch(shell, post, node, 0)) } } }
}

fn branch(shell: &Shell<'_>, post: &PostView, node: &CommentNode, depth: u8) -> Markup {
    html! {
        li .comment-branch {
            (comment(shell, post, &node.comment))
            @if !node.replies.is_empty() {
                ol .replies.flat[depth >= DEPTH_MAX] {
                    @for reply in &node.replies { (branch(shell, post, reply,
                        depth.saturating_add(1))) }
                }
            }
            @if let Some(href) = &node.more_href {
                a .more-replies href=(href) {
                    (icon("corner-down-right"))
                    (format::counted(hidden_replies(node), "more reply", "more replies"))
                }
            }
        }
    }
}

fn hidden_replies(node: &CommentNode) -> i64 {
    let shown = i64::try_from(node.replies.len()).unwrap_or(i64::MAX);
    node.comment.reply_count.saturating_sub(shown).max(1)
}

fn comment(shell: &Shell<'_>, post: &PostView, comment: &CommentView) -> Markup {
    let who = person_href(&comment.author);
    let path = format!("/comments/{}", comment.id);
    html! {
        article .comment #(comment.id) tabindex="-1" data-item
            aria-labelledby=(format!("by-{}", comment.id)) {
            a .face-link href=(who) tabindex="-1" aria-hidden="true"
                { (face(&comment.author, "s")) }
            div .comment-body {
                div .comment-by #(format!("by-{}", comment.id)) {
                    a .name href=(who) dir="auto" { (comment.author.display_name) }
                    @if comment.author.id == post.author.id { span .mark { "Author" } }
                    a .when href=(format!("/posts/{}#{}", post.id, comment.id))
                        { (format::time(comment.created_at, shell.now)) }
                    @if comment.edited_at.is_some() { span .edited { "edited" } }
                    (comment_menu(shell, comment, &path))
                }
                div .comment-text dir="auto" { (rich_text(&comment.text, &comment.mentions)) }
                div .comment-acts {
                    (like_button(shell, &Liked {
                        path, count: comment.like_count, liked: comment.liked_by_me, topic_count:
                            false,
                    }))
                    @if shell.viewer.is_some() && post.comments_enabled {
                        details .fold.reply {
                            summary .action { (icon("reply")) "Reply" }
                            (form(shell, post, Some(comment), "", &FormErrors::default()))
                        }
                    }
                }
            }
        }
    }
}

fn comment_menu(shell: &Shell<'_>, comment: &CommentView, path: &str) -> Markup {
    let items = html! {
        @if shell.is_viewer(comment.author.id) {
            details .fold {
                summary { (icon("pencil")) "Edit comment" }
                form .stack method="post" action=(format!("{path}/edit")) data-swap {
                    (shell.hidden())
                    label .sr-only for=(format!("edit-{}", comment.id)) { "Your comment" }
                    textarea .input #(format!("edit-{}", comment.id)) name="text" rows="4"
                        dir="auto" required { (comment.text) }
                    button .button.primary { "Save comment" }
                }
            }
            form method="post" action=(format!("{path}/delete")) data-undo="Comment deleted"
                data-api=(format!("DELETE /api/v1{path}")) data-gone=(comment.id) {
                (shell.hidden())
                button .danger { (icon("trash-2")) "Delete comment" }
            }
        } @else if shell.viewer.is_some() {
            (person_acts(shell, &comment.author))
            (report(shell, &format!("{path}/report"), &format!("report-{}", comment.id), "comment"))
        }
    };
    html! {
        @if shell.viewer.is_some() {
            (menu(&format!("menu-{}", comment.id), &format!("More for the comment by {}",
                comment.author.display_name), &items))
        }
    }
}

/// The form for a comment, or for a reply to `to`.
pub(super) fn form(
    shell: &Shell<'_>,
    post: &PostView,
    to: Option<&CommentView>,
    typed: &str,
    errors: &FormErrors,
) -> Markup {
    let id =
        to.map_or_else(|| "comment-text".to_owned(), |comment| format!("reply-{}", comment.id));
    let (label, placeholder, verb) = match to {
        Some(comment) => (
            format!("Reply to {}", comment.author.display_name),
            format!("Reply to @{}", comment.author.handle),
            "Reply",
        ),
        None => ("Your comment".to_owned(), "Write a comment".to_owned(), "Comment"),
    };
    html! {
        form .comment-form method="post" action=(format!("/posts/{}/comments", post.id)) data-swap {
            (shell.hidden())
            @if let Some(comment) = to { input type="hidden" name="reply_to" value=(comment.id); }
            (Area { label: &label, label_hidden: true, name: "text", id: &id, value: typed,
                placeholder: &placeholder, rows: 1, limit: None }.render(errors))
            button .button.primary { (verb) }
        }
    }
}
