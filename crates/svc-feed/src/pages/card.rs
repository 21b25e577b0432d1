//! A post as it stands in a list.

use mainstay_console::{
    component::{avatar, icon, menu},
    format,
    shell::Shell,
};
use maud::{Markup, html};

use crate::{
    pages::{
        media::{at_least, gallery},
        rich_text::rich_text,
    },
    view::{PersonView, PostState, PostView},
};
use mainstay_contract::feed::VisibilityV1;

/// Longer captions are cut in lists.
const WHOLE_CHARS_MAX: usize = 600;

/// A person's picture; `size` as for [`avatar`].
pub fn face(person: &PersonView, size: &str) -> Markup {
    let width = if size == "l" { 192 } else { 80 };
    let url = person.avatar.as_ref().map(|media| at_least(media, width));
    avatar(url, &person.display_name, &person.handle, size)
}

/// The address of a person's page.
pub fn person_href(person: &PersonView) -> String {
    format!("/people/{}", person.handle)
}

/// A post in a list. `first` loads its picture at once: it is the largest thing on the first screen.
pub fn post_card(shell: &Shell<'_>, post: &PostView, first: bool) -> Markup {
    let href = format!("/posts/{}", post.id);
    html! {
        article .post #(post.id) tabindex="-1" data-item data-open=(href)
            data-topic=(format!("post:{}", post.id))
            data-seen=[seen(shell, post)] aria-labelledby=(format!("by-{}", post.id)) {
            (post_head(shell, post))
            (post_body(post, first))
            @if let Some(explain) = &post.explain {
                p .explain { (icon("info")) (explain.reason) }
            }
            (actions(shell, post, &format!("{href}#comments")))
        }
    }
}

/// Where views of this post are counted; nothing for one's own posts and for strangers.
pub(super) fn seen(shell: &Shell<'_>, post: &PostView) -> Option<String> {
    let counted = shell.viewer.is_some()
        && !shell.is_viewer(post.author.id)
        && post.state == PostState::Published;
    counted.then(|| format!("/api/v1/posts/{}/views", post.id))
}

/// Who, when, to whom, and the menu.
pub(super) fn post_head(shell: &Shell<'_>, post: &PostView) -> Markup {
    let who = person_href(&post.author);
    html! {
        header .post-head {
            a .face-link href=(who) tabindex="-1" aria-hidden="true" { (face(&post.author, "m")) }
            div .post-by #(format!("by-{}", post.id)) {
                a .name href=(who) dir="auto" title=(post.author.display_name)
                    { (post.author.display_name) }
                div .byline {
                    span .handle { "@" (post.author.handle) }
                    span .dot aria-hidden="true" { "·" }
                    a .when href=(format!("/posts/{}", post.id)) {
                        (format::time(post.published_at.unwrap_or(post.created_at), shell.now))
                    }
                    @if let Some(edited) = post.edited_at {
                        span .dot aria-hidden="true" { "·" }
                        span .edited title=(format!("Edited {}", format::exact(edited)))
                            { "edited" }
                    }
                    (audience(post))
                }
            }
            (post_menu(shell, post))
        }
    }
}

fn audience(post: &PostView) -> Markup {
    let (symbol, words) = match (post.state, post.visibility) {
        (PostState::Hidden, _) => ("eye-off", "Hidden by a moderator"),
        (_, VisibilityV1::Followers) => ("users", "Only followers see this"),
        (_, VisibilityV1::Private) => ("lock", "Only you see this"),
        (_, VisibilityV1::Public) => return html! {},
    };
    html! {
        span .dot aria-hidden="true" { "·" }
        span .audience title=(words) { (icon(symbol)) span .sr-only { (words) } }
    }
}

/// Words and media, as they stand in a list: long words are cut until somebody wants them.
pub(super) fn post_body(post: &PostView, first: bool) -> Markup {
    let is_long = post.caption.chars().count() > WHOLE_CHARS_MAX;
    html! {
        (caption(post, is_long))
        @if is_long {
            button .unclamp.with-script type="button" data-unclamp { "Show more" }
        }
        (gallery(&post.media, first))
    }
}

/// Words and media on the post's own page.
pub(super) fn whole_body(post: &PostView) -> Markup {
    html! { (caption(post, false)) (gallery(&post.media, true)) }
}

fn caption(post: &PostView, is_cut: bool) -> Markup {
    html! {
        @if !post.caption.is_empty() {
            div .caption dir="auto" data-clamp[is_cut] {
                (rich_text(&post.caption, &post.mentions))
            }
        }
    }
}

/// Like, comment, and the author's count of views.
pub(super) fn actions(shell: &Shell<'_>, post: &PostView, comments_href: &str) -> Markup {
    html! {
        footer .actions {
            (like_button(shell, &Liked {
                path: format!("/posts/{}", post.id),
                count: post.like_count,
                liked: post.liked_by_me,
                topic_count: true,
            }))
            @if post.comments_enabled || post.comment_count > 0 {
                a .action href=(comments_href) data-comment {
                    (icon("message-circle"))
                    span .count data-live-count="comment_count" data-value=(post.comment_count) {
                        (format::compact(post.comment_count))
                    }
                    span .sr-only { " comments" }
                }
            }
            @if shell.is_viewer(post.author.id) {
                span .action.still title=(format::counted(post.view_count, "view", "views")) {
                    (icon("eye"))
                    span .count data-live-count="view_count" data-value=(post.view_count)
                        { (format::compact(post.view_count)) }
                    span .sr-only { " views" }
                }
            }
            button .action.end.with-script type="button" data-copy=(format!("/posts/{}", post.id))
                aria-label="Copy link" {
                (icon("link"))
            }
        }
    }
}

/// What a like button needs to know.
pub(super) struct Liked {
    /// `/posts/ID` or `/comments/ID`: of the console's routes and, after `/api/v1`, of the API's.
    pub(super) path: String,
    pub(super) count: i64,
    pub(super) liked: bool,
    /// Whether the live channel patches the count.
    pub(super) topic_count: bool,
}

/// A form that likes or takes it back; the script shows it at once.
pub(super) fn like_button(shell: &Shell<'_>, like: &Liked) -> Markup {
    let act = if like.liked { "unlike" } else { "like" };
    let inside = html! {
        (icon("heart"))
        span .count data-live-count=[like.topic_count.then_some("like_count")]
            data-value=(like.count) {
            (format::compact(like.count))
        }
        span .sr-only { " likes" }
    };
    html! {
        @if shell.viewer.is_some() {
            form .inline method="post" action=(format!("{}/{act}", like.path))
                data-toggle=(format!("/api/v1{}/like", like.path))
                data-on=(format!("{}/unlike", like.path)) data-off=(format!("{}/like", like.path))
                data-state=(if like.liked { "on" } else { "off" }) {
                (shell.hidden())
                button .action.like data-like aria-pressed=(like.liked) { (inside) }
            }
        } @else {
            a .action href="/sign-in" title="Sign in to like" { (inside) }
        }
    }
}

fn post_menu(shell: &Shell<'_>, post: &PostView) -> Markup {
    let own = shell.is_viewer(post.author.id);
    let path = format!("/posts/{}", post.id);
    let items = html! {
        button .with-script type="button" data-copy=(path) { (icon("link")) "Copy link" }
        @if own {
            a href=(format!("{path}/edit")) { (icon("pencil")) "Edit post" }
            form method="post" action=(format!("{path}/delete")) data-undo="Post deleted"
                data-api=(format!("DELETE /api/v1{path}")) data-gone=(post.id) {
                (shell.hidden())
                button .danger { (icon("trash-2")) "Delete post" }
            }
        } @else if shell.viewer.is_some() {
            (person_acts(shell, &post.author))
            (report(shell, &format!("{path}/report"), &format!("report-{}", post.id), "post"))
        } @else {
            a href="/sign-in" { (icon("log-in")) "Sign in for more" }
        }
    };
    menu(
        &format!("menu-{}", post.id),
        &format!("More for the post by {}", post.author.display_name),
        &items,
    )
}

/// Mute and block, in a menu.
pub(super) fn person_acts(shell: &Shell<'_>, person: &PersonView) -> Markup {
    let path = format!("/people/{}", person.id);
    html! {
        form method="post" action=(format!("{path}/mute")) data-swap {
            (shell.hidden())
            button { (icon("volume-x")) "Mute @" (person.handle) }
        }
        form method="post" action=(format!("{path}/block")) data-swap {
            (shell.hidden())
            button { (icon("ban")) "Block @" (person.handle) }
        }
    }
}

/// A report: the reason unfolds inside the menu, so that it works without script.
pub(super) fn report(shell: &Shell<'_>, action: &str, id: &str, what: &str) -> Markup {
    html! {
        details .fold {
            summary { (icon("flag")) "Report " (what) }
            form .stack method="post" action=(action) data-swap {
                (shell.hidden())
                label for=(id) { "What is wrong with it?" }
                textarea .input #(id) name="reason" rows="2" required {}
                button .button.danger { "Send report" }
            }
        }
    }
}
