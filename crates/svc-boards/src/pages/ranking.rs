//! A ranking that the script moves, and where the reader stands in it.

use mainstay_console::format;
use maud::{Markup, html};

use super::board::EntryLine;
use crate::model::board::Ties;

/// A ranking.
#[derive(Debug, Clone, Copy)]
pub struct Ranking<'a> {
    /// What is ranked, for those who hear the page.
    pub title: &'a str,
    /// The topic that tells of changes; absent for what does not change.
    pub topic: Option<&'a str>,
    /// What the columns are called.
    pub columns: &'a [String],
    /// What happens with equal scores.
    pub ties: Ties,
    /// Whether it has begun: before that nobody has a place.
    pub begun: bool,
    /// Whose row is the reader's.
    pub own: Option<&'a str>,
    /// In order.
    pub entries: &'a [EntryLine],
}

/// How ranks follow from places, for the script.
const fn word(ties: Ties) -> &'static str {
    match ties {
        Ties::Earliest | Ties::Owner => "unique",
        Ties::Shared => "shared",
        Ties::Dense => "dense",
    }
}

impl Ranking<'_> {
    /// The list, or `nobody` as long as it is empty.
    pub(super) fn list(&self, nobody: &Markup) -> Markup {
        html! {
            @if self.entries.is_empty() { div data-ranking-empty { (nobody) } }
            ol .card.ranking data-ranking=[self.topic] data-topic=[self.topic]
                data-ties=(word(self.ties)) hidden[self.entries.is_empty()]
                aria-label=(format!("Ranking of {}", self.title)) {
                @for entry in self.entries { (self.row(entry)) }
            }
        }
    }

    /// One entry.
    pub(super) fn row(&self, entry: &EntryLine) -> Markup {
        let own = self.own == Some(&*entry.owner);
        html! {
            li .rank-row.own[own].many[self.columns.len() > 1] data-key=(entry.owner) data-item
                data-open=[entry.href.as_deref()] tabindex="-1" {
                @if self.begun { span .rank data-rank=(entry.rank) { (entry.rank) } }
                span .who {
                    (owner_name(&entry.name, entry.href.as_deref()))
                    @if own { span .sr-only { "you" } }
                }
                @if let Some(moves) = entry.moves { (moves.mark()) }
                @if self.begun { span .scores {
                    @for (column, score) in self.columns.iter().zip(&entry.scores) {
                        span .score {
                            span .score-value data-score=(score) { (grouped(score)) }
                            span .handle { (column) }
                        }
                    }
                } }
            }
        }
    }
}

/// What an owner is called: the way to a person, of others the name alone.
pub(super) fn owner_name(name: &str, href: Option<&str>) -> Markup {
    html! {
        @match href {
            Some(href) => { a .name href=(href) dir="auto" title=(name) { (name) } }
            None => { span .name dir="auto" title=(name) { (name) } }
        }
    }
}

/// How many there are, as the script rewrites it.
pub(super) fn entry_count(count: u64) -> Markup {
    let shown = i64::try_from(count).unwrap_or(i64::MAX);
    html! {
        span data-ranking-count=(count) { (format::counted(shown, "entry", "entries")) }
    }
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
