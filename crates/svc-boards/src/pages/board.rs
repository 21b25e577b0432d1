//! One board, live: its top, where the reader stands, its periods.

use mainstay_console::{
    component::{Tab, empty, icon, page_head_back, tabs},
    format,
    shell::{Head, Shell},
};
use mainstay_contract::ts::Ts;
use maud::{Markup, html};

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
}

/// How ranks follow from places, for the script.
const fn word(ties: Ties) -> &'static str {
    match ties {
        Ties::Earliest | Ties::Owner => "unique",
        Ties::Shared => "shared",
        Ties::Dense => "dense",
    }
}

/// A board as it stands.
pub fn board_page(shell: &Shell<'_>, view: &BoardPage) -> Markup {
    let here = format!("/boards/{}", view.id);
    let (starts_at, ends_at) = view.span;
    let aside = view.mine.as_ref().map(|mine| standing(shell, mine, view));
    let topic = view.current.then(|| format!("board:{}", view.id));
    shell.page(
        &Head { title: &view.title, active: "boards", aside, ..Head::default() },
        &html! {
            (page_head_back(&view.title, "/boards", "All boards", &html! {
                @if view.current { span .mark.live-mark data-live-mark hidden { "Live" } }
            }))
            @if view.period > 1 || !view.current {
                (tabs("Periods", &[
                    Tab { label: "Now", href: &here, current: view.current },
                    Tab { label: "Previous period", href: &format!("{here}?window=previous"), current: !view.current },
                ]))
            }
            p .hint.ranking-facts {
                span data-ranking-count=(view.count)
                    { (format::counted(i64::try_from(view.count).unwrap_or(i64::MAX), "entry", "entries")) }
                @match (view.current, ends_at) {
                    (true, Some(ends_at)) => { " · ends " (format::time(ends_at, shell.now)) }
                    (false, Some(ends_at)) => {
                        " · " (format::exact_time(starts_at)) " to " (format::exact_time(ends_at))
                    }
                    (_, None) => {}
                }
            }
            @if view.entries.is_empty() {
                (empty("trophy", "Nobody is on this board yet", "The first score appears here at once.", None))
            }
            ol .card.ranking data-ranking=[topic.as_deref()] data-topic=[topic.as_deref()]
                data-ties=(word(view.ties)) hidden[view.entries.is_empty()]
                aria-label=(format!("Ranking of {}", view.title)) {
                @for entry in &view.entries { (row(shell, entry, view)) }
            }
        },
    )
}

/// A score with its digits grouped: `1,234`, `-0.50`.
pub(super) fn grouped(score: &str) -> String {
    let (whole, rest) = score.split_once('.').map_or((score, ""), |(whole, rest)| (whole, rest));
    let shown = match whole.parse() {
        // Of `-0.50` nothing would be left before the point.
        Ok(0) | Err(_) => whole.replace('-', "−"),
        Ok(number) => format::grouped(number),
    };
    if rest.is_empty() { shown } else { format!("{shown}.{rest}") }
}

fn row(shell: &Shell<'_>, entry: &EntryLine, view: &BoardPage) -> Markup {
    let own = shell.viewer.as_ref().is_some_and(|viewer| viewer.id.to_string() == entry.owner);
    html! {
        li .rank-row.own[own] data-key=(entry.owner) data-item tabindex="-1" {
            span .rank data-rank=(entry.rank) { (entry.rank) }
            span .who {
                span .name dir="auto" title=(entry.name) { (entry.name) }
                @if own { span .sr-only { "you" } }
            }
            @for (column, score) in view.columns.iter().zip(&entry.scores) {
                span .score {
                    span .score-value data-score=(score) { (grouped(score)) }
                    span .handle { (column) }
                }
            }
        }
    }
}

fn standing(shell: &Shell<'_>, mine: &Mine, view: &BoardPage) -> Markup {
    html! {
        section .card.standing aria-label="Where you stand" {
            h2 { "You" }
            p .standing-rank aria-live="polite" {
                (icon("trophy"))
                span data-my-rank=(mine.rank) { (mine.rank) }
                span .handle { " of " (format::grouped(i64::try_from(view.count).unwrap_or(i64::MAX))) }
            }
            ol .ranking.small { @for entry in &mine.around { (row(shell, entry, view)) } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scores_are_grouped_and_keep_their_decimals() {
        assert_eq!(grouped("1234567"), "1,234,567");
        assert_eq!(grouped("-1234.50"), "−1,234.50");
        assert_eq!(grouped("-0.07"), "−0.07");
        assert_eq!(grouped("0"), "0");
    }
}
