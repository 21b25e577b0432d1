//! The moderators' queue.

use mainstay_console::{
    component::{self, empty, icon, more, page_head},
    form::FormErrors,
    format,
    shell::{Head, Shell},
};
use maud::{Markup, html};

use crate::{
    pages::{
        card::{face, person_href, post_body},
        rich_text::rich_text,
    },
    view::{Page, ReportedView},
};

/// The queue, and what was wrong with the last act.
#[derive(Debug, Clone)]
pub struct ModerationPage {
    /// What was reported, oldest report first.
    pub queue: Page<ReportedView>,
    /// The target whose act was refused, if one was.
    pub refused: Option<String>,
    /// What was wrong; the pointer is `/reason`.
    pub errors: FormErrors,
}

/// What was reported, with what a moderator may do; posts `target`, `action` and `reason` to `/moderation/actions`.
pub fn moderation_page(shell: &Shell<'_>, view: &ModerationPage) -> Markup {
    let next = view
        .queue
        .next_cursor
        .as_deref()
        .map(|cursor| component::with_cursor("/moderation", cursor));
    shell.page(
        &Head { title: "Moderation", active: "moderation", ..Head::default() },
        &html! {
            (page_head("Moderation", &html! {}))
            @if view.queue.items.is_empty() {
                (empty("shield", "The queue is empty",
                    "What people report waits here for your decision.", None))
            } @else {
                ol .queue data-list="reports" {
                    @for item in &view.queue.items {
                        @let refused = view.refused.as_deref() == Some(item.target.as_str());
                        (report(shell, item, refused.then_some(&view.errors)))
                    }
                }
                (more(next.as_deref(), "Show more reports"))
            }
        },
    )
}

fn report(shell: &Shell<'_>, item: &ReportedView, errors: Option<&FormErrors>) -> Markup {
    let href = person_href(&item.person);
    let what = match (&item.post, &item.comment) {
        (Some(_), _) => "Post by",
        (None, Some(_)) => "Comment by",
        (None, None) => "Profile of",
    };
    html! {
        li .card.report #(item.target) tabindex="-1" data-item {
            header .report-head {
                a .face-link href=(href) tabindex="-1" aria-hidden="true"
                    { (face(&item.person, "m")) }
                div .who {
                    span .handle { (what) }
                    a .name href=(href) dir="auto" { (item.person.display_name) }
                }
                span class=(format!("mark status-{}", status_class(&item.status))) { (item.status) }
                @if let (Some(post), true) = (&item.post, item.status != "removed") {
                    a .icon-button href=(format!("/posts/{}", post.id)) aria-label="Open the post"
                        { (icon("chevron-right")) }
                }
            }
            div .reported {
                @if let Some(post) = &item.post { (post_body(post, false)) }
                @if let Some(comment) = &item.comment { div .caption dir="auto"
                    { (rich_text(&comment.text, &comment.mentions)) } }
                @if item.post.is_none() && item.comment.is_none() { p { "@" (item.person.handle) } }
            }
            div .reasons {
                p .sub {
                    (icon("flag")) (format::counted(item.report_count, "report", "reports"))
                    ", first " (format::time(item.first_reported_at, shell.now))
                }
                ul { @for reason in &item.reasons { li dir="auto" { (reason) } } }
            }
            (decide(shell, item, errors))
        }
    }
}

fn status_class(status: &str) -> &'static str {
    match status {
        "visible" => "visible",
        "hidden" => "hidden",
        _ => "ended",
    }
}

fn decide(shell: &Shell<'_>, item: &ReportedView, errors: Option<&FormErrors>) -> Markup {
    let id = format!("reason-{}", item.target);
    let person = item.post.is_none() && item.comment.is_none();
    let error = errors.and_then(|errors| errors.at("/reason"));
    html! {
        form .decide method="post" action="/moderation/actions" data-swap data-keep-scroll {
            (shell.hidden())
            input type="hidden" name="target" value=(item.target);
            div .field .bad[error.is_some()] {
                label for=(id) { "Reason, kept in the audit log" }
                input .input #(id) name="reason" required autocomplete="off" dir="auto"
                    aria-invalid=[error.map(|_| "true")]
                        aria-describedby=[error.map(|_| format!("{id}-error"))];
                (mainstay_console::form::error_line(&id, error))
            }
            div .row {
                @if !person && item.status == "visible" {
                    button .button name="action" value="hide" { (icon("eye-off")) "Hide" }
                    button .button.danger name="action" value="remove"
                        { (icon("trash-2")) "Remove" }
                }
                @if item.status != "removed" {
                    button .button name="action" value="restore" { (icon("rotate-ccw"))
                        @if item.status == "visible" { "Keep, dismiss reports" } @else { "Restore" }
                            }
                }
                @if !person && item.status == "hidden" {
                    button .button.danger name="action" value="remove"
                        { (icon("trash-2")) "Remove" }
                }
                @if item.status != "suspended" {
                    button .button.danger name="action" value="suspend"
                        { (icon("user-x")) "Suspend person" }
                }
            }
        }
    }
}
