//! The ledger as administrators read it: accounts, what moved on one of them, and the entries of one transfer.

use mainstay_console::{
    component::{empty, icon, more, page_head_back, query_text, with_cursor},
    form::error_line,
    format,
    shell::{Head, Shell},
};
use mainstay_contract::{boards::TransferId, ts::Ts};
use maud::{Markup, html};

use super::{
    keeping::{Kept, heading},
    money::{moved, sum},
    transactions::{Transaction, kind_words},
};
use crate::service::{BalanceView, Money};

/// Letters of a transfer's id that are shown; all of them on hover.
const ID_SHOWN: usize = 8;

/// An account with what it is called: `@ada`, or a competition's name.
#[derive(Debug, Clone)]
pub(crate) struct AccountLine {
    pub(crate) view: BalanceView,
    pub(crate) name: String,
}

/// Accounts, all or one of them.
#[derive(Debug, Clone, Default)]
pub(crate) struct LedgerPage {
    /// What was typed to find an account.
    pub(crate) query: String,
    /// Whether that is a handle that nobody has.
    pub(crate) unknown: bool,
    /// The account that is looked into.
    pub(crate) account: Option<String>,
    pub(crate) accounts: Vec<AccountLine>,
    /// What all accounts have together, by currency: nothing, always.
    pub(crate) sums: Vec<Money>,
    /// What moved on the account, newest first.
    pub(crate) entries: Vec<Transaction>,
    /// Asks for the next page; absent at the end.
    pub(crate) next_cursor: Option<String>,
}

fn account_href(account: &str) -> String {
    format!("{}?account={}", Kept::Ledger.href(), query_text(account))
}

fn transfer_href(transfer: TransferId) -> String {
    format!("{}/{transfer}", Kept::Ledger.href())
}

/// The ledger.
pub(crate) fn ledger_page(shell: &Shell<'_>, view: &LedgerPage) -> Markup {
    let here = match &view.account {
        Some(account) => account_href(account),
        None => Kept::Ledger.href().to_owned(),
    };
    let next = view.next_cursor.as_deref().map(|cursor| with_cursor(&here, cursor));
    shell.page(
        &Head { title: "Ledger", active: "boards-admin", wide: true, ..Head::default() },
        &html! {
            (heading(shell, Kept::Ledger, &html! {}))
            form .search-box.large method="get" action=(Kept::Ledger.href()) data-swap {
                (icon("search"))
                input type="search" name="account" value=(view.query) data-search autocomplete="off"
                    aria-label="Find an account" placeholder="@handle, pool:comp_…, house:fees"
                    aria-invalid=[view.unknown.then_some("true")]
                    aria-describedby=[view.unknown.then_some("account-error")];
                button .button.small.primary { "Find" }
            }
            (error_line("account", view.unknown.then_some("Nobody has this handle.")))
            @match &view.account {
                Some(account) => (one_account(shell, view, account)),
                None if view.unknown => p .row.end.onwards { a .button href=(Kept::Ledger.href()) { "All accounts" } },
                None => (all_accounts(view)),
            }
            (more(next.as_deref(), if view.account.is_some() { "Show older entries" } else { "Show more accounts" }))
        },
    )
}

fn all_accounts(view: &LedgerPage) -> Markup {
    html! {
        @if view.accounts.is_empty() {
            (empty("wallet", "No money has moved", "Fees, refunds and prizes of competitions stand here.", None))
        } @else {
            (sums(&view.sums))
            div .table-scroll tabindex="0" role="region" aria-label="Accounts" {
                table .table {
                    thead { tr { th scope="col" { "Account" } th scope="col" .number { "Balance" } } }
                    tbody data-list="accounts" {
                        @for line in &view.accounts {
                            tr #(row_id(&line.view)) {
                                (whose(&line.view.account, &line.name))
                                td .number { (sum(&line.view.balance)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// An account by what it is called, with its name in the ledger under that as far as there is room.
fn whose(account: &str, name: &str) -> Markup {
    html! {
        td .whose {
            a .name href=(account_href(account)) dir="auto" { @if name.is_empty() { (account) } @else { (name) } }
            @if !name.is_empty() { code title=(account) { (account) } }
        }
    }
}

/// Unique on the page, so that a list that goes on shows nothing twice.
fn row_id(view: &BalanceView) -> String {
    format!("{}-{}", view.account, view.balance.currency)
}

/// That nothing was lost, or that something was.
fn sums(sums: &[Money]) -> Markup {
    html! {
        @for one in sums {
            div .notice .positive[one.minor == 0] .danger[one.minor != 0] role="status" {
                (icon(if one.minor == 0 { "circle-check" } else { "triangle-alert" }))
                p { "All accounts in " (one.currency) " together: " strong { (sum(one)) } "."
                    @if one.minor != 0 { " It has to be nothing: tell whoever runs this server." } }
            }
        }
    }
}

fn one_account(shell: &Shell<'_>, view: &LedgerPage, account: &str) -> Markup {
    html! {
        section .card.stack aria-labelledby="account" {
            div .card-head {
                h2 #account { code { (account) } }
                a .button.small href=(Kept::Ledger.href()) { "All accounts" }
            }
            @for line in &view.accounts {
                p .stand { span .standing-rank { (icon("wallet")) (sum(&line.view.balance)) }
                    span .sub { bdi { (line.name) } } }
            }
            @if view.entries.is_empty() { p .sub { "Nothing has moved on this account." } }
        }
        @if !view.entries.is_empty() {
            div .table-scroll.spaced tabindex="0" role="region" aria-label="Entries" {
                table .table {
                    thead { tr { th scope="col" { "When" } th scope="col" { "What" } th scope="col" { "For" }
                        th scope="col" .number { "Amount" } th scope="col" { "Transfer" } } }
                    tbody data-list="entries" {
                        @for entry in &view.entries { (entry_row(shell, entry)) }
                    }
                }
            }
        }
    }
}

fn entry_row(shell: &Shell<'_>, item: &Transaction) -> Markup {
    let entry = &item.entry;
    let id = entry.transfer_id.to_string();
    let short = id.get(id.len().saturating_sub(ID_SHOWN)..).unwrap_or(&id);
    html! {
        tr #(id) {
            td { (format::time(entry.made_at, shell.now)) }
            td { (kind_words(&entry.kind)) }
            td { (purpose(&entry.reference, item.competition.as_deref())) }
            td .number { (moved(&entry.amount)) }
            td { a href=(transfer_href(entry.transfer_id)) title=(id) { code { "…" (short) } } }
        }
    }
}

/// What something was paid for.
fn purpose(reference: &str, competition: Option<&str>) -> Markup {
    html! {
        @match competition {
            Some(name) => a .inline-link href=(format!("/competitions/{reference}")) dir="auto" { (name) },
            None => code { (reference) },
        }
    }
}

/// A transfer with its entries.
#[derive(Debug, Clone)]
pub(crate) struct TransferPage {
    pub(crate) id: TransferId,
    pub(crate) kind: String,
    pub(crate) reference: String,
    /// What the competition is called that it was for.
    pub(crate) competition: Option<String>,
    pub(crate) made_at: Ts,
    /// Accounts, what they are called, and what they got.
    pub(crate) entries: Vec<(String, String, Money)>,
    /// What the entries come to: nothing, always.
    pub(crate) sum: Money,
}

/// A transfer: what one account gets another gives.
pub(crate) fn transfer_page(shell: &Shell<'_>, view: &TransferPage) -> Markup {
    let title = format!("{}, transfer", kind_words(&view.kind));
    shell.page(
        &Head { title: &title, active: "boards-admin", wide: true, ..Head::default() },
        &html! {
            (page_head_back(&title, Kept::Ledger.href(), "Ledger", &html! {}))
            p .hint.ranking-facts {
                code { (view.id) } " · " (format::exact_time(view.made_at)) " · for "
                (purpose(&view.reference, view.competition.as_deref()))
            }
            div .table-scroll tabindex="0" role="region" aria-label="Entries of the transfer" {
                table .table {
                    thead { tr { th scope="col" { "Account" } th scope="col" .number { "Amount" } } }
                    tbody {
                        @for (account, name, amount) in &view.entries {
                            tr {
                                (whose(account, name))
                                td .number { (moved(amount)) }
                            }
                        }
                    }
                    tfoot { tr { td { "Together" } td .number { (sum(&view.sum)) } } }
                }
            }
        },
    )
}
