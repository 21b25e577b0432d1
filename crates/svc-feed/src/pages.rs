//! Feed's pages: pure functions from what is shown to markup.
//!
//! Each takes the [`Shell`](mainstay_console::shell::Shell) of the request and a struct of what it shows, and returns
//! the page (or the main column alone if the script asked for that). Nothing here reads a clock, a record or a header.

pub mod compose;
pub mod decided;
pub mod discover;
pub mod moderation;
pub mod notifications;
pub mod people;
pub mod post;
pub mod profile;
pub mod search;
pub mod shelf;
pub mod timeline;

pub mod card;
pub mod comments;
pub mod media;
pub mod rich_text;

use mainstay_console::shell::{Audience, NavItem, Place};

const fn item(
    key: &'static str,
    label: &'static str,
    href: &'static str,
    icon: &'static str,
    audience: Audience,
    place: Place,
    letter: Option<char>,
) -> NavItem {
    // Neither what staff does with posts nor the settings are where one is written.
    let part = match (audience, place) {
        (Audience::Moderators | Audience::Administrators, _) => "admin",
        (_, Place::Menu) => "account",
        _ => "posts",
    };
    NavItem { key, part, label, href, icon, audience, place, counts_unread: false, letter }
}

/// What Feed adds to the navigation.
pub const NAV: [NavItem; 10] = [
    item("home", "Home", "/home", "house", Audience::SignedIn, Place::SideAndBar, Some('h')),
    item(
        "explore",
        "Explore",
        "/explore",
        "compass",
        Audience::Everybody,
        Place::SideAndBar,
        Some('e'),
    ),
    item(
        "search",
        "Search",
        "/search",
        "search",
        Audience::Everybody,
        Place::SideAndBar,
        Some('s'),
    ),
    NavItem {
        counts_unread: true,
        ..item(
            "notifications",
            "Notifications",
            "/notifications",
            "bell",
            Audience::SignedIn,
            Place::SideAndBar,
            Some('n'),
        )
    },
    item("drafts", "Drafts", "/drafts", "file-text", Audience::SignedIn, Place::Side, Some('d')),
    item(
        "moderation",
        "Moderation",
        "/moderation",
        "shield",
        Audience::Moderators,
        Place::Side,
        Some('m'),
    ),
    item(
        "requests",
        "Follow requests",
        "/requests",
        "user-plus",
        Audience::SignedIn,
        Place::Menu,
        None,
    ),
    item(
        "profile-edit",
        "Edit profile",
        "/settings/profile",
        "pencil",
        Audience::SignedIn,
        Place::Menu,
        None,
    ),
    item(
        "settings",
        "Settings",
        "/settings",
        "settings",
        Audience::SignedIn,
        Place::Menu,
        Some(','),
    ),
    item(
        "compose",
        "New post",
        "/compose",
        "square-pen",
        Audience::SignedIn,
        Place::Primary,
        Some('c'),
    ),
];
