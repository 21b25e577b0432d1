//! Drafts and posts that wait for their time.

use mainstay_console::{
    component::{self, empty, icon, more, page_head},
    format,
    shell::{Head, Shell},
};
use maud::{Markup, html};

use crate::{
    pages::media::thumbnail,
    view::{Page, PostState, PostView},
};

/// The reader's drafts and scheduled posts, as one list; scheduled ones are shown first.
pub fn drafts_page(shell: &Shell<'_>, posts: &Page<PostView>) -> Markup {
    let (scheduled, drafts): (Vec<_>, Vec<_>) =
        posts.items.iter().partition(|post| post.state == PostState::Scheduled);
    let next = posts.next_cursor.as_deref().map(|cursor| component::with_cursor("/drafts", cursor));
    shell.page(
        &Head { title: "Drafts", active: "drafts", ..Head::default() },
        &html! {
            (page_head("Drafts", &html! { a .button.small href="/compose"
                { (icon("plus")) "New post" } }))
            @if posts.items.is_empty() {
                (empty("file-text", "No drafts",
                    "What you save or schedule waits here until you publish it.",
                    Some(("Write a post", "/compose"))))
            }
            @if !scheduled.is_empty() { (group(shell, "scheduled", "Scheduled", &scheduled)) }
            @if !drafts.is_empty() { (group(shell, "drafts", "Drafts", &drafts)) }
            (more(next.as_deref(), "Show more"))
        },
    )
}

fn group(shell: &Shell<'_>, id: &str, title: &str, posts: &[&PostView]) -> Markup {
    html! {
        section .card aria-labelledby=(format!("{id}-title")) {
            h2 #(format!("{id}-title")) { (title) }
            ul .plain-list.roomy data-list=(id) { @for post in posts { (line(shell, post)) } }
        }
    }
}

fn line(shell: &Shell<'_>, post: &PostView) -> Markup {
    let path = format!("/posts/{}", post.id);
    html! {
        li .draft #(post.id) tabindex="-1" data-item data-open=(format!("{path}/edit")) {
            @if let Some(first) = post.media.first() { (thumbnail(first, 112)) }
            a .who href=(format!("{path}/edit")) {
                span .draft-words dir="auto" {
                    @if post.caption.is_empty() { "No words yet" } @else { (post.caption) }
                }
                span .handle {
                    @match (post.state, post.published_at) {
                        (PostState::Scheduled, Some(at)) =>
                            { "Publishes " (format::time_ago(at, shell.now)) }
                        _ => { "Saved " (format::time_ago(post.edited_at.unwrap_or(post.created_at),
                            shell.now)) }
                    }
                    @if post.media.len() > 1 { " · " (post.media.len()) " pictures" }
                }
            }
            form method="post" action=(format!("{path}/delete")) data-undo="Draft deleted"
                data-api=(format!("DELETE /api/v1{path}")) data-gone=(post.id) {
                (shell.hidden())
                button .icon-button aria-label="Delete draft" { (icon("trash-2")) }
            }
        }
    }
}
