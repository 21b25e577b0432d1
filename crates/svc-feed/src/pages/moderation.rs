//! The moderators' queue.

use mainstay_console::{
    component::{self, Tab, empty, icon, more, page_head},
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
    view::{CommentView, Page, PersonView, PostView, ReportedView},
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
            (heading(Shown::Queue))
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

/// Which of the two lists.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Shown {
    Queue,
    Decided,
}

/// The title, and the way to the other list.
pub(super) fn heading(shown: Shown) -> Markup {
    let tabs = [
        Tab { label: "Queue", href: "/moderation", current: shown == Shown::Queue },
        Tab { label: "Decided", href: "/moderation/decided", current: shown == Shown::Decided },
    ];
    html! {
        (page_head("Moderation", &html! {}))
        (component::tabs("Moderation", &tabs))
    }
}

/// What a moderator looks at: a post, a comment or a person, and how it stands.
pub(super) struct Subject<'a> {
    pub(super) post: Option<&'a PostView>,
    pub(super) comment: Option<&'a CommentView>,
    pub(super) person: &'a PersonView,
    pub(super) status: &'a str,
}

impl Subject<'_> {
    pub(super) fn is_person(&self) -> bool {
        self.post.is_none() && self.comment.is_none()
    }

    /// Who, how it stands, and the thing itself.
    pub(super) fn render(&self) -> Markup {
        let href = person_href(self.person);
        let what = match (self.post, self.comment) {
            (Some(_), _) => "Post by",
            (None, Some(_)) => "Comment by",
            (None, None) => "Profile of",
        };
        html! {
            header .report-head {
                a .face-link href=(href) tabindex="-1" aria-hidden="true"
                    { (face(self.person, "m")) }
                div .who {
                    span .handle { (what) }
                    a .name href=(href) dir="auto" { (self.person.display_name) }
                }
                span class=(format!("mark status-{}", status_class(self.status))) { (self.status) }
                @if let (Some(post), true) = (self.post, self.status != "removed") {
                    a .icon-button href=(format!("/posts/{}", post.id)) aria-label="Open the post"
                        { (icon("chevron-right")) }
                }
            }
            div .reported {
                @if let Some(post) = self.post { (post_body(post, false)) }
                @if let Some(comment) = self.comment { div .caption dir="auto"
                    { (rich_text(&comment.text, &comment.mentions)) } }
                @if self.is_person() { p { "@" (self.person.handle) } }
            }
        }
    }
}

fn report(shell: &Shell<'_>, item: &ReportedView, errors: Option<&FormErrors>) -> Markup {
    let subject = Subject {
        post: item.post.as_deref(),
        comment: item.comment.as_ref(),
        person: &item.person,
        status: &item.status,
    };
    html! {
        li .card.report #(item.target) tabindex="-1" data-item {
            (subject.render())
            div .reasons {
                p .sub {
                    (icon("flag")) (format::counted(item.report_count, "report", "reports"))
                    ", first " (format::time_ago(item.first_reported_at, shell.now))
                }
                ul { @for reason in &item.reasons { li dir="auto" { (reason) } } }
            }
            (act_form(shell, &item.target, errors, &acts(item, subject.is_person())))
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

/// A form that asks for the reason of an act on `target`; `acts` are its buttons.
pub(super) fn act_form(
    shell: &Shell<'_>,
    target: &str,
    errors: Option<&FormErrors>,
    acts: &Markup,
) -> Markup {
    let id = format!("reason-{target}");
    let error = errors.and_then(|errors| errors.at("/reason"));
    html! {
        form .decide method="post" action="/moderation/actions" data-swap {
            (shell.hidden())
            input type="hidden" name="target" value=(target);
            @if let Some(errors) = errors { (errors.summary(&["/reason"])) }
            div .field .bad[error.is_some()] {
                label for=(id) { "Reason, kept in the audit log" }
                input .input #(id) name="reason" required autocomplete="off" dir="auto"
                    aria-invalid=[error.map(|_| "true")]
                        aria-describedby=[error.map(|_| format!("{id}-error"))];
                (mainstay_console::form::error_line(&id, error))
            }
            div .row { (acts) }
        }
    }
}

fn acts(item: &ReportedView, is_person: bool) -> Markup {
    html! {
        @if !is_person && item.status == "visible" {
            button .button name="action" value="hide" { (icon("eye-off")) "Hide" }
            button .button.danger name="action" value="remove" { (icon("trash-2")) "Remove" }
        }
        @if item.status != "removed" {
            button .button name="action" value="restore" { (icon("rotate-ccw"))
                @if item.status == "visible" { "Keep, dismiss reports" } @else { "Restore" } }
        }
        @if !is_person && item.status == "hidden" {
            button .button.danger name="action" value="remove" { (icon("trash-2")) "Remove" }
        }
        @if item.status != "suspended" {
            // What is reported may be a post; it is its author who is suspended.
            input type="hidden" name="person" value=(item.person.id);
            button .button.danger name="action" value="suspend"
                { (icon("user-x")) "Suspend person" }
        }
    }
}
