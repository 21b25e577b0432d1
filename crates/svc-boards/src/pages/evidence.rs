//! What somebody has sent with their scores to show that they are real, as moderators see it.

use mainstay_console::{
    component::{empty, icon, more, query_text, with_cursor},
    form::{Field, FormErrors},
    format,
    shell::{Head, Shell},
};
use maud::{Markup, html};

use super::keeping::{Kept, heading};
use crate::service::EvidenceView;

/// The evidence of an owner.
#[derive(Debug, Clone, Default)]
pub(crate) struct EvidencePage {
    /// On this board.
    pub(crate) board: String,
    /// What was typed to say whose.
    pub(crate) owner: String,
    /// Newest first; `None` before somebody is asked for.
    pub(crate) sent: Option<Vec<EvidenceView>>,
    /// Asks for the next page; absent at the end.
    pub(crate) next_cursor: Option<String>,
    /// What was wrong; the pointers are `/owner` and `/board`.
    pub(crate) errors: FormErrors,
}

/// Evidence, asked for with `?board=&owner=`.
pub(crate) fn evidence_page(shell: &Shell<'_>, view: &EvidencePage) -> Markup {
    let (board, owner) = (query_text(&view.board), query_text(&view.owner));
    let here = format!("{}?board={board}&owner={owner}", Kept::Evidence.href());
    let next = view.next_cursor.as_deref().map(|cursor| with_cursor(&here, cursor));
    shell.page(
        &Head { title: "Evidence", active: "boards-admin", ..Head::default() },
        &html! {
            (heading(shell, Kept::Evidence, &html! {}))
            form .card.stack method="get" action=(Kept::Evidence.href()) data-swap {
                (view.errors.summary(&["/owner", "/board"]))
                div .fields-2 {
                    (Field { label: "Who", name: "owner", value: &view.owner, required: true,
                        hint: "A person’s @handle, or a name as it stands on the board.", ..Field::default() }
                        .render(&view.errors))
                    (Field { label: "On the board", name: "board", value: &view.board, required: true,
                        ..Field::default() }.render(&view.errors))
                }
                div .row.end { button .button.primary { (icon("search")) "Show evidence" } }
            }
            @match view.sent.as_deref() {
                None => {}
                Some([]) => (empty("shield", "Nothing was sent as evidence",
                    "Boards that ask for evidence refuse scores of people without some. Servers need not send any.", None)),
                Some(sent) => {
                    ul .card.plain-list.roomy data-list="evidence" {
                        @for one in sent { (line(shell, one)) }
                    }
                    (more(next.as_deref(), "Show older evidence"))
                    p .row.end.onwards {
                        a .button href=(format!("{}?board={board}", Kept::Bans.href())) { (icon("ban")) "Bans of this board" }
                    }
                }
            }
        },
    )
}

fn line(shell: &Shell<'_>, one: &EvidenceView) -> Markup {
    let scores: Vec<String> = one.scores.iter().map(ToString::to_string).collect();
    let text = |value: &serde_json::Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None => serde_json::to_string_pretty(value).unwrap_or_default(),
    };
    html! {
        li .device tabindex="-1" data-item {
            div .who {
                span .name { (scores.join(" · ")) }
                pre dir="auto" { (text(&one.evidence)) }
                span .hint {
                    "Period " (one.period) " · submission " (one.seq) " · "
                    (format::time_ago(one.submitted_at, shell.now))
                }
            }
        }
    }
}
