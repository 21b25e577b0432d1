//! What moderators decided, and the way back.

use mainstay_console::{
    component::{empty, icon, more, with_cursor},
    form::FormErrors,
    format,
    shell::{Head, Shell},
};
use maud::{Markup, html};

use crate::{
    pages::{
        card::person_href,
        moderation::{Shown, Subject, act_form, heading},
    },
    view::{DecidedView, Page},
};

/// What was decided, and what was wrong with the last act.
#[derive(Debug, Clone)]
pub struct DecidedPage {
    /// What was hidden, removed or suspended, the newest decision first.
    pub decided: Page<DecidedView>,
    /// The target whose act was refused, if one was.
    pub refused: Option<String>,
    /// What was wrong; the pointer is `/reason`, or another.
    pub errors: FormErrors,
}

/// What was decided; posts `target`, `action` and `reason` to `/moderation/actions`.
pub fn decided_page(shell: &Shell<'_>, view: &DecidedPage) -> Markup {
    let next = view.decided.next_cursor.as_deref();
    let next = next.map(|cursor| with_cursor("/moderation/decided", cursor));
    shell.page(
        &Head { title: "Decided", active: "moderation", ..Head::default() },
        &html! {
            (heading(Shown::Decided))
            @if view.decided.items.is_empty() {
                (empty("shield", "Nothing is hidden, removed or suspended",
                    "What moderators decide stands here and can be taken back.", None))
            } @else {
                ol .queue data-list="decided" {
                    @for item in &view.decided.items {
                        @let refused = view.refused.as_deref() == Some(item.target.as_str());
                        (decision(shell, item, refused.then_some(&view.errors)))
                    }
                }
                (more(next.as_deref(), "Show more decisions"))
            }
        },
    )
}

fn decision(shell: &Shell<'_>, item: &DecidedView, errors: Option<&FormErrors>) -> Markup {
    let subject = Subject {
        post: item.post.as_deref(),
        comment: item.comment.as_ref(),
        person: &item.person,
        status: &item.status,
    };
    let acts = if subject.is_person() {
        html! { button .button name="action" value="unsuspend" { (icon("user-check")) "Lift suspension" } }
    } else {
        html! { button .button name="action" value="restore" { (icon("rotate-ccw")) "Restore" } }
    };
    html! {
        li .card.report #(item.target) tabindex="-1" data-item {
            (subject.render())
            div .reasons {
                p .sub {
                    (icon("shield"))
                    span {
                        (deed(&item.action)) " by "
                        @match &item.moderator {
                            Some(by) => { a href=(person_href(by)) { "@" (by.handle) } }
                            None => { "somebody who is gone" }
                        }
                        ", " (format::time_ago(item.decided_at, shell.now))
                    }
                }
                ul { li dir="auto" { (item.reason) } }
            }
            @if item.restorable {
                (act_form(shell, &item.target, errors, &acts))
            } @else {
                p .hint { (no_way_back(&item.status)) }
            }
        }
    }
}

fn deed(action: &str) -> &'static str {
    match action {
        "hide" => "Hidden",
        "remove" => "Removed",
        _ => "Suspended",
    }
}

fn no_way_back(status: &str) -> &'static str {
    match status {
        "visible" => "It is shown again.",
        _ => "Its author has deleted it since, or its 30 days are over: it cannot be restored.",
    }
}
