//! How a competition ended: places, prizes, and the certificate.

use std::collections::HashMap;

use mainstay_console::{
    component::{empty, icon, more, with_cursor},
    format,
    shell::Shell,
};
use mainstay_contract::id::UserId;
use maud::{Markup, html};

use super::{money::sum, ranking::owner_name};
use crate::service::{CompetitionView, Money};

/// How somebody ended.
#[derive(Debug, Clone)]
pub(crate) struct ResultLine {
    /// From 1; those who are tied share it.
    pub(crate) rank: i64,
    /// Who.
    pub(crate) user: UserId,
    /// What they are called.
    pub(crate) name: String,
    /// Where they are shown, if they are known.
    pub(crate) href: Option<String>,
    pub(crate) score: i64,
}

/// Results that are final.
#[derive(Debug, Clone)]
pub(crate) struct Results {
    /// Best first.
    pub(crate) lines: Vec<ResultLine>,
    /// What people have won; absent until that is approved.
    pub(crate) prizes: Option<Prizes>,
    /// Asks for the next page; absent at the end.
    pub(crate) next_cursor: Option<String>,
}

/// Prizes that two administrators have agreed on.
#[derive(Debug, Clone)]
pub(crate) struct Prizes {
    /// What they come to.
    pub(crate) total: Money,
    /// The best thousand.
    pub(crate) by_user: HashMap<UserId, Money>,
}

impl Results {
    /// What the reader has won.
    pub(super) fn prize_of(&self, shell: &Shell<'_>) -> Option<&Money> {
        self.prizes.as_ref()?.by_user.get(&shell.viewer.as_ref()?.id)
    }
}

/// Results, with the way to their certificate.
pub(super) fn results(shell: &Shell<'_>, it: &CompetitionView, all: &Results) -> Markup {
    let here = format!("/competitions/{}", it.id);
    let next = all.next_cursor.as_deref().map(|cursor| with_cursor(&here, cursor));
    html! {
        @if all.lines.is_empty() {
            (empty("medal", "Nobody took part", "So there is nothing to win either.", None))
        } @else {
            section .card aria-labelledby="results" {
                div .card-head {
                    h2 #results { "Results" }
                    a .button.small href=(format!("{here}/certificate")) download data-plain
                        { (icon("shield")) "Certificate" }
                }
                p .hint { "Final and signed: the certificate is a JWS that "
                    a .inline-link href="/.well-known/jwks.json" data-plain { "the keys of this server" } " verify." }
                ol .ranking data-list="results" aria-label="Results" {
                    @for line in &all.lines { (row(shell, it, all, line)) }
                }
                @if all.prizes.is_none() && it.fee.minor > 0 {
                    p .hint { "Prizes are paid once two administrators have seen them." }
                }
            }
            (more(next.as_deref(), "Show more results"))
        }
    }
}

fn row(shell: &Shell<'_>, it: &CompetitionView, all: &Results, line: &ResultLine) -> Markup {
    let own = shell.is_viewer(line.user);
    let prize = all.prizes.as_ref().and_then(|prizes| prizes.by_user.get(&line.user));
    html! {
        li .rank-row.own[own] #(format!("result-{}", line.user)) data-item data-open=[line.href.as_deref()]
            tabindex="-1" {
            span .rank data-rank=(line.rank) { (line.rank) }
            span .who {
                (owner_name(&line.name, line.href.as_deref()))
                @if own { span .sr-only { "you" } }
                @if let Some(prize) = prize { span .handle { "won " (sum(prize)) } }
            }
            span .scores {
                span .score {
                    span .score-value { (format::grouped(line.score)) }
                    span .handle { (it.metric.replace('_', " ")) }
                }
            }
        }
    }
}
