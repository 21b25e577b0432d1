//! One board, live: its top, where the reader stands, its periods.

use mainstay_console::{
    component::{Tab, empty, icon, page_head_back, tabs},
    format,
    shell::{Head, Shell},
};
use mainstay_contract::ts::Ts;
use maud::{Markup, html};

use super::ranking::{Ranking, entry_count};
use crate::model::board::Ties;

/// An entry in the list.
#[derive(Debug, Clone)]
pub struct EntryLine {
    /// From 1.
    pub rank: u64,
    /// Whose, as the board knows them.
    pub owner: String,
    /// What they are called.
    pub name: String,
    /// One for each column, as they are shown.
    pub scores: Vec<String>,
    /// When the scores came to what they are.
    pub updated_at: Ts,
}

/// Where the reader stands.
#[derive(Debug, Clone)]
pub struct Mine {
    /// Their rank.
    pub rank: u64,
    /// They and those next to them.
    pub around: Vec<EntryLine>,
}

/// A board.
#[derive(Debug, Clone)]
pub struct BoardPage {
    /// Its name.
    pub id: String,
    /// What people see.
    pub title: String,
    /// What the columns are called.
    pub columns: Vec<String>,
    /// What happens with equal scores.
    pub ties: Ties,
    /// The first entries.
    pub entries: Vec<EntryLine>,
    /// Entries in all.
    pub count: u64,
    /// Whether this is the period that scores go to.
    pub current: bool,
    /// The period's number, from 1.
    pub period: i64,
    /// When it began and ends; it never ends if that is absent.
    pub span: (Ts, Option<Ts>),
    /// Where the reader stands, if they have an entry.
    pub mine: Option<Mine>,
    /// Where the competition is that it belongs to.
    pub competition_href: Option<String>,
}

/// A board as it stands.
pub fn board_page(shell: &Shell<'_>, view: &BoardPage) -> Markup {
    let here = format!("/boards/{}", view.id);
    let (starts_at, ends_at) = view.span;
    let topic = view.current.then(|| format!("board:{}", view.id));
    let own = shell.viewer.as_ref().map(|viewer| viewer.id.to_string());
    let ranking = Ranking {
        title: &view.title,
        topic: topic.as_deref(),
        columns: &view.columns,
        ties: view.ties,
        own: own.as_deref(),
        entries: &view.entries,
    };
    let aside = view.mine.as_ref().map(|mine| standing(&ranking, mine, view.count));
    shell.page(
        &Head { title: &view.title, active: "boards", aside, ..Head::default() },
        &html! {
            (page_head_back(&view.title, "/boards", "All boards", &html! {
                @if view.current { span .mark.live-mark data-live-mark hidden { "Live" } }
                @if let Some(href) = &view.competition_href {
                    a .button.small href=(href) { (icon("medal")) "Competition" }
                }
            }))
            @if view.period > 1 || !view.current {
                (tabs("Periods", &[
                    Tab { label: "Now", href: &here, current: view.current },
                    Tab { label: "Previous period", href: &format!("{here}?window=previous"), current: !view.current },
                ]))
            }
            p .hint.ranking-facts {
                (entry_count(view.count))
                @match (view.current, ends_at) {
                    (true, Some(ends_at)) => { " · ends " (format::time(ends_at, shell.now)) }
                    (false, Some(ends_at)) => {
                        " · " (format::exact_time(starts_at)) " to " (format::exact_time(ends_at))
                    }
                    (_, None) => {}
                }
            }
            (ranking.list(&empty("trophy", "Nobody is on this board yet",
                "The first score appears here at once.", None)))
        },
    )
}

fn standing(ranking: &Ranking<'_>, mine: &Mine, count: u64) -> Markup {
    let count = i64::try_from(count).unwrap_or(i64::MAX);
    html! {
        section .card.standing aria-label="Where you stand" {
            h2 { "You" }
            p .standing-rank aria-live="polite" {
                (icon("trophy"))
                span data-my-rank=(mine.rank) { (mine.rank) }
                span .handle { " of " (format::grouped(count)) }
            }
            ol .ranking.small { @for entry in &mine.around { (ranking.row(entry)) } }
        }
    }
}
