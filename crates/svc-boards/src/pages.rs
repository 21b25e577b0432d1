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

use self::keeping::Kept;
use mainstay_console::shell::{Audience, NavItem, Place};

/// What its items are part of.
const PART: &str = "boards";

const fn item(
    key: &'static str,
    label: &'static str,
    href: &'static str,
    icon: &'static str,
    audience: Audience,
    letter: char,
) -> NavItem {
    let (place, letter) = (Place::Side, Some(letter));
    NavItem { key, part: PART, label, href, icon, audience, place, counts_unread: false, letter }
}

/// What the palette offers besides: pages that are reached from one of the others.
const fn offer(
    label: &'static str,
    href: &'static str,
    icon: &'static str,
    audience: Audience,
) -> NavItem {
    let (place, counts_unread, letter) = (Place::Palette, false, None);
    NavItem { key: "", part: PART, label, href, icon, audience, place, counts_unread, letter }
}

/// What Boards adds to the navigation. The bar of small screens has room for one entry of it.
pub const NAV: [NavItem; 12] = [
    NavItem {
        place: Place::SideAndBar,
        ..item("boards", "Boards", "/boards", "trophy", Audience::Everybody, 'b')
    },
    item("competitions", "Competitions", "/competitions", "medal", Audience::Everybody, 't'),
    item("dashboard", "Dashboard", "/dashboard", "activity", Audience::SignedIn, 'y'),
    item("boards-admin", "Boards admin", "/admin/boards", "scale", Audience::Moderators, 'k'),
    offer("Your transactions", "/dashboard/transactions", "wallet", Audience::SignedIn),
    offer("New competition", "/competitions/new", "medal", Audience::Administrators),
    offer("New rule", "/admin/boards/new-rule", "target", Audience::Administrators),
    offer("Rules of boards", Kept::Rules.href(), "target", Audience::Administrators),
    offer("Prizes to pay out", Kept::Prizes.href(), "coins", Audience::Administrators),
    offer("Ledger", Kept::Ledger.href(), "scale", Audience::Administrators),
    offer("Bans from boards", Kept::Bans.href(), "ban", Audience::Moderators),
    offer("Evidence of scores", Kept::Evidence.href(), "eye", Audience::Moderators),
];
