//! What was moved on somebody's account.

use mainstay_console::{
    component::{empty, icon, more, page_head_back, with_cursor},
    format,
    shell::{Head, Shell},
};
use maud::{Markup, html};

use super::money::{moved, sum};
use crate::service::{BalanceView, LedgerEntryView, Money};

/// A movement, and what the competition is called that it was for.
#[derive(Debug, Clone)]
pub(crate) struct Transaction {
    pub(crate) entry: LedgerEntryView,
    pub(crate) competition: Option<String>,
}

/// Everything that was moved.
#[derive(Debug, Clone)]
pub(crate) struct TransactionsPage {
    pub(crate) balances: Vec<BalanceView>,
    /// Newest first.
    pub(crate) items: Vec<Transaction>,
    /// Asks for the next page; absent at the end.
    pub(crate) next_cursor: Option<String>,
}

/// The page of all of them.
pub(crate) fn transactions_page(shell: &Shell<'_>, view: &TransactionsPage) -> Markup {
    let here = "/dashboard/transactions";
    let next = view.next_cursor.as_deref().map(|cursor| with_cursor(here, cursor));
    shell.page(
        &Head { title: "Transactions", active: "dashboard", ..Head::default() },
        &html! {
            (page_head_back("Transactions", "/dashboard", "Dashboard", &html! {}))
            @if view.items.is_empty() {
                (empty("wallet", "No money has moved", "Fees, refunds and prizes of competitions stand here.",
                    Some(("See competitions", "/competitions"))))
            } @else {
                section .card { (balance(&view.balances)) }
                ul .card.plain-list.roomy data-list="transactions" {
                    @for item in &view.items { (transaction(shell, item)) }
                }
                (more(next.as_deref(), "Show older transactions"))
            }
        },
    )
}

/// How an account stands.
pub(super) fn balance(balances: &[BalanceView]) -> Markup {
    html! {
        @if balances.is_empty() { p .sub { "Nothing was paid or won yet." } }
        @for one in balances {
            @let Money { minor, currency } = &one.balance;
            @let size = Money { minor: minor.saturating_abs(), currency: currency.clone() };
            p .stand {
                span .standing-rank { (icon("wallet")) (sum(&one.balance)) }
                span .sub {
                    @match minor.signum() {
                        -1 => { "You paid " (sum(&size)) " more than you got." }
                        0 => "What you paid and what you got are even.",
                        _ => { "You got " (sum(&size)) " more than you paid." }
                    }
                }
            }
        }
    }
}

/// What kind of movement it was.
pub(super) fn kind_words(kind: &str) -> &str {
    match kind {
        "entry_fee" => "Entry fee",
        "prize" => "Prize",
        "refund" => "Refund",
        "forfeit" => "Nobody’s prizes",
        other => other,
    }
}

/// One movement.
pub(super) fn transaction(shell: &Shell<'_>, item: &Transaction) -> Markup {
    let entry = &item.entry;
    html! {
        li .entry-row #(entry.transfer_id.to_string()) tabindex="-1" data-item {
            span .tag-icon { (icon(match &*entry.kind {
                "prize" => "trophy",
                "refund" => "rotate-ccw",
                _ => "coins",
            })) }
            span .who {
                span .name { (kind_words(&entry.kind)) }
                span .handle {
                    @if let Some(name) = &item.competition {
                        a .inline-link href=(format!("/competitions/{}", entry.reference)) dir="auto" { (name) }
                        " · "
                    }
                    (format::time(entry.made_at, shell.now))
                }
            }
            (moved(&entry.amount))
        }
    }
}
