//! The list of boards.

use mainstay_console::{
    component::{empty, icon, more, page_head, with_cursor},
    format,
    shell::{Head, Shell},
};
use mainstay_contract::ts::Ts;
use maud::{Markup, html};

use super::ranking::grouped;

/// A board in the list.
#[derive(Debug, Clone)]
pub struct BoardLine {
    /// Its name.
    pub id: String,
    /// What people see.
    pub title: String,
    /// Entries in the present period.
    pub count: u64,
    /// Who leads, with their first score; nobody yet if absent.
    pub leader: Option<(String, String)>,
    /// When the period ends; never if absent.
    pub ends_at: Option<Ts>,
}

/// The list.
#[derive(Debug, Clone)]
pub struct BoardsPage {
    /// By name.
    pub boards: Vec<BoardLine>,
    /// Asks for the next page; absent at the end.
    pub next_cursor: Option<String>,
}

/// Boards that the reader may see.
pub fn boards_page(shell: &Shell<'_>, view: &BoardsPage) -> Markup {
    let next = view.next_cursor.as_deref().map(|cursor| with_cursor("/boards", cursor));
    shell.page(
        &Head { title: "Boards", active: "boards", ..Head::default() },
        &html! {
            (page_head("Boards", &html! {}))
            @if view.boards.is_empty() {
                (empty("trophy", "No boards yet",
                    "Leaderboards appear here once an administrator has made one, with `mainstay board create` or the API.",
                    Some(("Read how", "/docs#Boards"))))
            } @else {
                ul .card.plain-list.roomy data-list="boards" {
                    @for board in &view.boards { (line(shell, board)) }
                }
                (more(next.as_deref(), "Show more boards"))
            }
        },
    )
}

fn line(shell: &Shell<'_>, board: &BoardLine) -> Markup {
    let href = format!("/boards/{}", board.id);
    let entries = i64::try_from(board.count).unwrap_or(i64::MAX);
    html! {
        li tabindex="-1" data-item data-open=(href) {
            a .tag-row href=(href) {
                span .tag-icon { (icon("trophy")) }
                span .who {
                    span .name dir="auto" { (board.title) }
                    span .handle {
                        (format::counted(entries, "entry", "entries"))
                        @if let Some((leader, score)) = &board.leader {
                            " · " bdi { (leader) } " leads with " (grouped(score))
                        }
                        @if let Some(ends_at) = board.ends_at {
                            " · ends " (format::time_ago(ends_at, shell.now))
                        }
                    }
                }
            }
        }
    }
}
