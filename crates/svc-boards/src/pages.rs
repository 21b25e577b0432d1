//! Boards' pages: pure functions from what is shown to markup.
//!
//! Each takes the [`Shell`](mainstay_console::shell::Shell) of the request and a struct of what it shows, and returns
//! the page (or the main column alone if the script asked for that). Nothing here reads a clock, a record or a header.

pub mod board;
pub mod boards;

use mainstay_console::shell::{Audience, NavItem, Place};

/// What Boards adds to the navigation.
pub const NAV: [NavItem; 1] = [NavItem {
    key: "boards",
    label: "Boards",
    href: "/boards",
    icon: "trophy",
    audience: Audience::Everybody,
    place: Place::SideAndBar,
    counts_unread: false,
    letter: Some('b'),
}];
