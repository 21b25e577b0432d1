//! What others did with what is yours.

use mainstay_console::{
    component::{self, empty, icon, more, page_head},
    format,
    shell::{Head, Shell},
};
use maud::{Markup, html};

use crate::{
    pages::{
        card::{face, person_href},
        discover::{Discover, discover},
        media::thumbnail,
    },
    view::{NotificationKind, NotificationView, Page, PersonView},
};

/// The notifications, and what stands `beside` them. "Mark all as read" posts `up_to` (the newest id) to
/// `/notifications/read`.
pub fn notifications_page(
    shell: &Shell<'_>,
    notifications: &Page<NotificationView>,
    beside: &Discover,
) -> Markup {
    let next = notifications
        .next_cursor
        .as_deref()
        .map(|cursor| component::with_cursor("/notifications", cursor));
    let newest = notifications.items.first().map(|newest| newest.id.as_str());
    let unread = notifications.items.iter().any(|line| !line.read) || shell.unread_count > 0;
    let mark = html! {
        @if let (Some(newest), true) = (newest, unread) {
            form method="post" action="/notifications/read" data-swap {
                (shell.hidden())
                input type="hidden" name="up_to" value=(newest);
                button .button.small { (icon("check")) "Mark all as read" }
            }
        }
    };
    shell.page(
        &Head {
            title: "Notifications",
            active: "notifications",
            aside: Some(discover(shell, beside)),
            ..Head::default()
        },
        &html! {
            (page_head("Notifications", &mark))
            div .pill-place { button .pill type="button" data-pill="notifications" hidden
                { (icon("arrow-up")) span data-pill-text {} } }
            @if notifications.items.is_empty() {
                (empty("bell", "Nothing new",
                    "Likes, comments, mentions and followers appear here.",
                    Some(("Write a post", "/compose"))))
            } @else {
                ol .card.plain-list.notes data-list="notifications" {
                    @for line in &notifications.items { (note(shell, line)) }
                }
                (more(next.as_deref(), "Show older"))
            }
        },
    )
}

/// The icon, its colour's class and what was done.
fn deed(kind: NotificationKind) -> (&'static str, &'static str, &'static str) {
    match kind {
        NotificationKind::Like => ("heart", "deed-like", "liked your post"),
        NotificationKind::CommentLike => ("heart", "deed-like", "liked your comment"),
        NotificationKind::Comment => ("message-circle", "deed-talk", "commented on your post"),
        NotificationKind::Reply => ("reply", "deed-talk", "replied to your comment"),
        NotificationKind::Mention => ("at-sign", "deed-talk", "mentioned you"),
        NotificationKind::Follow => ("user-plus", "deed-follow", "followed you"),
        NotificationKind::FollowRequest => ("user-plus", "deed-follow", "asked to follow you"),
        NotificationKind::FollowAccepted => ("user-check", "deed-follow", "accepted your request"),
    }
}

fn target(line: &NotificationView) -> String {
    if line.kind == NotificationKind::FollowRequest {
        return "/requests".to_owned();
    }
    match (&line.post, &line.comment_id, line.actors.first()) {
        (Some(post), Some(comment), _) => format!("/posts/{}#{comment}", post.id),
        (Some(post), None, _) => format!("/posts/{}", post.id),
        (None, _, Some(person)) => person_href(person),
        (None, _, None) => "/notifications".to_owned(),
    }
}

fn note(shell: &Shell<'_>, line: &NotificationView) -> Markup {
    let (symbol, class, words) = deed(line.kind);
    let href = target(line);
    html! {
        li .note .unread[!line.read] tabindex="-1" data-item data-open=(href) {
            span class=(format!("deed {class}")) { (icon(symbol)) }
            div .note-body {
                div .faces {
                    @for person in &line.actors {
                        a href=(person_href(person)) tabindex="-1" aria-hidden="true"
                            { (face(person, "s")) }
                    }
                }
                p {
                    @if !line.read { span .sr-only { "Unread: " } }
                    (names(&line.actors, line.actor_count)) " "
                    a .note-link href=(href) { (words) }
                    " " span .when { (format::time(line.updated_at, shell.now)) }
                }
                @if let Some(post) = &line.post {
                    @if !post.excerpt.is_empty() { p .excerpt dir="auto" { (post.excerpt) } }
                }
            }
            @if let Some(picture) = line.post.as_ref().and_then(|post| post.thumbnail.as_ref())
                { (thumbnail(picture, 112)) }
        }
    }
}

/// `Ada`, `Ada and Ben`, `Ada, Ben and 41 others`.
fn names(actors: &[PersonView], count: i64) -> Markup {
    let named = actors.iter().take(2);
    let others = count.saturating_sub(i64::try_from(actors.len().min(2)).unwrap_or(2)).max(0);
    let last = actors.len().min(2).saturating_sub(1);
    html! {
        @for (at, person) in named.enumerate() {
            @if at > 0 { @if at == last && others == 0 { " and " } @else { ", " } }
            a .name href=(person_href(person)) dir="auto" { (person.display_name) }
        }
        @if others > 0 { " and " (format::counted(others, "other", "others")) }
    }
}
