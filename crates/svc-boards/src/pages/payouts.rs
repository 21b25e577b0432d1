//! Prizes of competitions that have ended: calculated by one administrator, approved by another.

use mainstay_console::{
    component::{empty, icon, more, with_cursor},
    form::FormErrors,
    format,
    shell::{Head, Shell},
};
use mainstay_contract::boards::CompetitionId;
use maud::{Markup, html};

use super::{
    competitions::players,
    keeping::{Kept, heading},
    money::sum,
};
use crate::service::{CompetitionView, Money, PayoutView};

/// Prizes that are shown at once; the others in a fold.
const SHOWN: usize = 5;

/// A competition that has ended, and its prizes.
#[derive(Debug, Clone)]
pub(crate) struct Ended {
    pub(crate) competition: CompetitionView,
    pub(crate) payout: Option<Payout>,
}

/// Prizes, with what people are called.
#[derive(Debug, Clone)]
pub(crate) struct Payout {
    pub(crate) view: PayoutView,
    /// Best place first.
    pub(crate) prizes: Vec<(String, Money)>,
    pub(crate) proposed_by: String,
    pub(crate) approved_by: Option<String>,
}

/// The list.
#[derive(Debug, Clone)]
pub(crate) struct PayoutsPage {
    /// The one that began last first.
    pub(crate) items: Vec<Ended>,
    /// Asks for the next page; absent at the end.
    pub(crate) next_cursor: Option<String>,
    /// The competition whose form was refused, and why.
    pub(crate) refused: Option<(CompetitionId, FormErrors)>,
}

/// Prizes. Posts to `…/ID/propose` and `…/ID/approve`.
pub(crate) fn payouts_page(shell: &Shell<'_>, view: &PayoutsPage) -> Markup {
    let here = Kept::Prizes.href();
    let next = view.next_cursor.as_deref().map(|cursor| with_cursor(here, cursor));
    shell.page(
        &Head { title: "Prizes", active: "boards-admin", ..Head::default() },
        &html! {
            (heading(shell, Kept::Prizes, &html! {}))
            @if view.items.is_empty() {
                (empty("coins", "No competition has ended yet",
                    "Once one has, its prizes are calculated here and approved by a second administrator.",
                    Some(("See competitions", "/competitions"))))
            } @else {
                ul .cards data-list="prizes" {
                    @for item in &view.items {
                        @let refused = view.refused.as_ref().filter(|(id, _)| *id == item.competition.id);
                        (tile(shell, item, refused.map(|(_, errors)| errors)))
                    }
                }
                (more(next.as_deref(), "Show more competitions"))
            }
        },
    )
}

/// Where a pay-out stands.
fn mark(item: &Ended) -> Markup {
    let payout = item.payout.as_ref().map(|payout| &payout.view);
    let (class, words) = match payout {
        Some(view) if view.paid_at.is_some() => ("mark good", "Paid"),
        Some(view) if view.approved_at.is_some() => ("mark wait", "Being paid"),
        Some(_) => ("mark wait", "Waits for approval"),
        None if item.competition.settled => ("mark wait", "To be calculated"),
        None => ("mark", "Results not final"),
    };
    html! { span class=(class) { (words) } }
}

fn tile(shell: &Shell<'_>, item: &Ended, errors: Option<&FormErrors>) -> Markup {
    let it = &item.competition;
    let free = it.fee.minor == 0 && it.pool.minor == 0;
    html! {
        li .card.stack #(it.id.to_string()) tabindex="-1" data-item {
            div .tile-head {
                h2 .tile-name { a .inline href=(format!("/competitions/{}", it.id)) dir="auto" { (it.name) } }
                (mark(item))
            }
            dl .facts {
                div { dt { "Ended" } dd { (format::time_ago(it.ends_at, shell.now)) } }
                div { dt { "Players" } dd { (players(it)) } }
                div { dt { "In the pool" } dd { (sum(&it.pool)) } }
                @if let Some(payout) = &item.payout {
                    div { dt { "Prizes" } dd { (sum(&payout.view.total)) " to "
                        (format::grouped(payout.view.prize_count)) } }
                }
            }
            @if let Some(errors) = errors { (errors.summary(&[])) }
            @match &item.payout {
                Some(payout) => {
                    (prizes(payout))
                    (deeds(shell, payout))
                    (acts(shell, it, &payout.view))
                }
                None if !it.settled => p .sub { "Prizes follow from the results, once those are final." },
                None if free => p .sub { "It was free, so there is nothing to win." },
                None => (propose(shell, it, "Calculate prizes")),
            }
        }
    }
}

fn prizes(payout: &Payout) -> Markup {
    let line = |place: usize, (name, amount): &(String, Money)| {
        html! { li .entry-row { span .rank { (place + 1) } span .who { bdi .name { (name) } } (sum(amount)) } }
    };
    let beyond = payout.view.prize_count - i64::try_from(payout.prizes.len()).unwrap_or(i64::MAX);
    let all = || payout.prizes.iter().enumerate();
    html! {
        ol .plain-list { @for (place, prize) in all().take(SHOWN) { (line(place, prize)) } }
        @if payout.prizes.len() > SHOWN {
            details .fold-line {
                summary { (payout.prizes.len() - SHOWN) " more" }
                ol .plain-list { @for (place, prize) in all().skip(SHOWN) { (line(place, prize)) } }
                @if beyond > 0 { p .hint { "and " (format::grouped(beyond)) " more" } }
            }
        }
    }
}

/// Who did what.
fn deeds(shell: &Shell<'_>, payout: &Payout) -> Markup {
    html! {
        p .hint {
            "Calculated by " bdi { (payout.proposed_by) } " " (format::time_ago(payout.view.proposed_at, shell.now))
            @if let (Some(by), Some(at)) = (&payout.approved_by, payout.view.approved_at) {
                " · approved by " bdi { (by) } " " (format::time_ago(at, shell.now))
            }
            @if let Some(at) = payout.view.paid_at { " · paid " (format::time_ago(at, shell.now)) }
        }
    }
}

fn acts(shell: &Shell<'_>, it: &CompetitionView, view: &PayoutView) -> Markup {
    let own = shell.is_viewer(view.proposed_by);
    html! {
        @if view.approved_at.is_none() {
            div .row.end {
                @if own { p .hint.grow { "Another administrator has to approve what you have calculated." } }
                (propose(shell, it, "Calculate again"))
                @if !own {
                    form method="post" action=(format!("{}/{}/approve", Kept::Prizes.href(), it.id)) data-swap {
                        (shell.hidden())
                        input type="hidden" name="proposed_at" value=(view.proposed_at.to_string());
                        button .button.primary { (icon("check")) span { "Approve and pay " (sum(&view.total)) } }
                    }
                }
            }
        }
    }
}

fn propose(shell: &Shell<'_>, it: &CompetitionView, label: &str) -> Markup {
    html! {
        form method="post" action=(format!("{}/{}/propose", Kept::Prizes.href(), it.id)) data-swap {
            (shell.hidden())
            button .button { (label) }
        }
    }
}
