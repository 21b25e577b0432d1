//! Bans of boards, as moderators see them.

use mainstay_console::{
    component::{empty, icon, more, query_text, with_cursor},
    form::{Field, FormErrors, error_line},
    format,
    shell::{Head, Shell},
};
use maud::{Markup, html};

use super::keeping::{Kept, heading};
use crate::service::BanView;

/// A ban, with what people are called.
#[derive(Debug, Clone)]
pub(crate) struct BanLine {
    pub(crate) view: BanView,
    pub(crate) name: String,
    pub(crate) by: String,
}

/// Bans.
#[derive(Debug, Clone, Default)]
pub(crate) struct BansPage {
    /// On this board; on every board if it is empty.
    pub(crate) listed: String,
    /// Why there is no such list; the pointer is `/board`.
    pub(crate) refused: FormErrors,
    /// By owner.
    pub(crate) bans: Vec<BanLine>,
    /// Asks for the next page; absent at the end.
    pub(crate) next_cursor: Option<String>,
    /// What was typed for a new one.
    pub(crate) owner: String,
    pub(crate) board: String,
    pub(crate) reason: String,
    /// What was wrong; the pointers are `/owner`, `/board` and `/reason`.
    pub(crate) errors: FormErrors,
}

/// Bans. Posts to `/admin/boards/bans` and `…/lift`.
pub(crate) fn bans_page(shell: &Shell<'_>, view: &BansPage) -> Markup {
    let here = match view.listed.as_str() {
        "" => Kept::Bans.href().to_owned(),
        board => format!("{}?board={}", Kept::Bans.href(), query_text(board)),
    };
    let next = view.next_cursor.as_deref().map(|cursor| with_cursor(&here, cursor));
    let unknown = view.refused.at("/board");
    shell.page(
        &Head { title: "Bans of boards", active: "boards-admin", ..Head::default() },
        &html! {
            (heading(shell, Kept::Bans, &html! {}))
            form .search-box.large method="get" action=(Kept::Bans.href()) data-swap {
                (icon("search"))
                input type="search" name="board" value=(view.listed) autocomplete="off"
                    aria-label="Bans on one board" placeholder="A board’s name"
                    aria-invalid=[unknown.map(|_| "true")] aria-describedby=[unknown.map(|_| "listed-error")];
                button .button.small.primary { "Show" }
            }
            (error_line("listed", unknown))
            @if unknown.is_some() {
            } @else if view.bans.is_empty() {
                (empty("ban", "Nobody is banned here",
                    "Scores of whoever is banned do not count, and what they brought to others is taken back.", None))
            } @else {
                ul .card.plain-list.roomy data-list="bans" {
                    @for line in &view.bans { (ban(shell, line)) }
                }
                (more(next.as_deref(), "Show more bans"))
            }
            (new_ban(shell, view))
        },
    )
}

fn ban(shell: &Shell<'_>, line: &BanLine) -> Markup {
    html! {
        li .device tabindex="-1" data-item {
            span .tag-icon { (icon("ban")) }
            div .who {
                span .name dir="auto" title=(line.view.owner) { (line.name) }
                span .sub dir="auto" { (line.view.reason) }
                span .hint { "by " bdi { (line.by) } " · " (format::time_ago(line.view.banned_at, shell.now)) }
            }
            form method="post" action="/admin/boards/bans/lift" data-swap {
                (shell.hidden())
                input type="hidden" name="owner" value=(line.view.owner);
                input type="hidden" name="board" value=(line.view.board.as_deref().unwrap_or_default());
                button .button.small { "Lift" span .sr-only { " the ban of " (line.name) } }
            }
        }
    }
}

fn new_ban(shell: &Shell<'_>, view: &BansPage) -> Markup {
    html! {
        section .card aria-labelledby="new-ban" {
            h2 #new-ban { "Ban somebody" }
            form .stack method="post" action=(Kept::Bans.href()) data-swap {
                (shell.hidden())
                (view.errors.summary(&["/owner", "/board", "/reason"]))
                div .fields-2 {
                    (Field { label: "Who", name: "owner", value: &view.owner, required: true,
                        hint: "A person’s @handle, or a name as it stands on the board.", ..Field::default() }
                        .render(&view.errors))
                    (Field { label: "On the board", name: "board", value: &view.board,
                        hint: "On every board if empty.", ..Field::default() }.render(&view.errors))
                }
                (Field { label: "Reason", name: "reason", value: &view.reason, required: true,
                    hint: "Kept in the audit log.", ..Field::default() }.render(&view.errors))
                div .row.end { button .button.danger { (icon("ban")) "Ban" } }
            }
        }
    }
}
