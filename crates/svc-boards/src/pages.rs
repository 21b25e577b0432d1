//! Boards' pages: pure functions from what is shown to markup.
//!
//! Each takes the [`Shell`](mainstay_console::shell::Shell) of the request and a struct of what it shows, and returns
//! the page (or the main column alone if the script asked for that). Nothing here reads a clock, a record or a header.

pub mod bans;
pub mod board;
pub mod boards;
pub mod competition;
pub mod competition_form;
pub mod competitions;
pub mod dashboard;
pub mod evidence;
pub mod keeping;
pub mod ledger;
pub mod payouts;
pub mod results;
pub mod rules;
pub mod season;
pub mod transactions;

pub mod chart;
pub mod metric;
pub mod money;
pub mod ranking;

use mainstay_console::shell::{Audience, NavItem, Place};

const fn item(
    key: &'static str,
    label: &'static str,
    href: &'static str,
    icon: &'static str,
    audience: Audience,
    letter: char,
) -> NavItem {
    let letter = Some(letter);
    NavItem { key, label, href, icon, audience, place: Place::Side, counts_unread: false, letter }
}

/// What Boards adds to the navigation. The bar of small screens has room for one entry of it.
pub const NAV: [NavItem; 4] = [
    NavItem {
        place: Place::SideAndBar,
        ..item("boards", "Boards", "/boards", "trophy", Audience::Everybody, 'b')
    },
    item("competitions", "Competitions", "/competitions", "medal", Audience::Everybody, 't'),
    item("dashboard", "Dashboard", "/dashboard", "activity", Audience::SignedIn, 'y'),
    item("boards-admin", "Boards admin", "/admin/boards", "scale", Audience::Moderators, 'k'),
];
