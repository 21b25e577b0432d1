//! The navigation: at the side, as icons, or as a bar at the bottom; which of them is the style sheet's choice.

use maud::{Markup, html};

use super::{Audience, Head, NavItem, Place, Shell, Theme, Viewer};
use crate::{
    assets,
    component::{avatar, icon},
    format,
};

impl Shell<'_> {
    fn sees(&self, item: &NavItem) -> bool {
        match item.audience {
            Audience::Everybody => true,
            Audience::SignedIn => self.viewer.is_some(),
            Audience::Moderators => self.is_moderator(),
            Audience::Administrators => self.is_admin(),
        }
    }

    pub(super) fn items(&self, places: &'static [Place]) -> impl Iterator<Item = &NavItem> {
        self.nav.iter().filter(move |item| places.contains(&item.place) && self.sees(item))
    }

    /// Whether the page is of another part than the act that stands out: on small screens that is then not in its way.
    /// A page that no item leads to, such as a person's, is of any part.
    pub(super) fn is_elsewhere(&self, head: &Head<'_>) -> bool {
        let part = |of: &dyn Fn(&NavItem) -> bool| {
            self.nav.iter().find(|item| of(item)).map(|item| item.part)
        };
        let here = part(&|item| !head.active.is_empty() && item.key == head.active);
        here.is_some() && here != part(&|item| item.place == Place::Primary)
    }

    pub(super) fn side(&self, head: &Head<'_>) -> Markup {
        html! {
            header .side {
                a .brand href="/" aria-label="Mainstay, start page" {
                    img src=(assets::url("logo.svg")) width="32" height="32" alt="";
                    span .word { "Mainstay" }
                }
                nav .nav aria-label="Main" {
                    ul {
                        @for item in self.items(&[Place::SideAndBar, Place::Side]) {
                            li .in-bar[item.place == Place::SideAndBar]
                                { (self.nav_link(item, head.active)) }
                        }
                        @if self.viewer.is_none() {
                            li .in-bar.bar-only { a .nav-link href="/sign-in"
                                { (icon("log-in")) span .word { "Sign in" } } }
                        }
                    }
                }
                @for item in self.items(&[Place::Primary]) {
                    a .button.primary.create href=(item.href) data-key=(item.key) data-create
                        aria-current=[(item.key == head.active).then_some("page")] {
                        (icon(item.icon)) span .word { (item.label) }
                    }
                }
                @match &self.viewer {
                    Some(viewer) => { (self.account_menu(viewer, head.active)) }
                    None => {
                        div .join {
                            a .button.primary href="/register" { "Create account" }
                            a .button href="/sign-in" { "Sign in" }
                        }
                    }
                }
            }
        }
    }

    fn nav_link(&self, item: &NavItem, active: &str) -> Markup {
        let unread = if item.counts_unread { self.unread_count } else { 0 };
        html! {
            a .nav-link href=(item.href) data-key=(item.key) data-letter=[item.letter]
                aria-current=[(item.key == active).then_some("page")] {
                span .nav-icon {
                    (icon(item.icon))
                    @if item.counts_unread {
                        span .badge data-unread-badge hidden[unread == 0] {
                            span data-unread-count { (format::compact(unread)) } span .sr-only
                                { " unread" }
                        }
                    }
                }
                span .word { (item.label) }
            }
        }
    }

    fn account_menu(&self, viewer: &Viewer, active: &str) -> Markup {
        html! {
            div .account {
                button .account-button type="button" popovertarget="account-menu"
                    aria-haspopup="true" {
                    span .sr-only { "Your menu: " }
                    (avatar(viewer.avatar_url.as_deref(), &viewer.display_name, &viewer.handle,
                        "s"))
                    span .word.who {
                        span .name dir="auto" { (viewer.display_name) }
                        span .handle { "@" (viewer.handle) }
                    }
                    span .word { (icon("ellipsis")) }
                }
                div #account-menu .menu.account-menu popover {
                    a href=(viewer.profile_href) data-letter="p" { (icon("user")) "Your profile" }
                    @for item in self.items(&[Place::Side]) {
                        a .small-only href=(item.href) data-key=(item.key)
                            aria-current=[(item.key == active).then_some("page")]
                                { (icon(item.icon)) (item.label) }
                    }
                    @for item in self.items(&[Place::Menu]) {
                        a href=(item.href) data-key=(item.key) data-letter=[item.letter]
                            aria-current=[(item.key == active).then_some("page")]
                                { (icon(item.icon)) (item.label) }
                    }
                    button type="button" data-show-keys .with-script
                        { (icon("keyboard")) "Keyboard shortcuts" }
                    hr;
                    (self.theme_choice())
                    hr;
                    form method="post" action="/sign-out" data-plain {
                        (self.hidden())
                        button { (icon("log-out")) "Sign out" }
                    }
                }
            }
        }
    }

    /// Three buttons that choose the theme; without script they post to `/theme`.
    pub fn theme_choice(&self) -> Markup {
        html! {
            form method="post" action="/theme" data-theme-form {
                (self.hidden())
                div .themes role="group" aria-label="Theme" {
                    @for (theme, word, symbol) in Theme::OFFERED {
                        button name="theme" value=(theme.name()) aria-pressed=(theme == self.theme)
                            {
                            (icon(symbol)) (word)
                        }
                    }
                }
            }
        }
    }
}
