//! The page around a service's content: navigation, notices, palette, and the fragment that a swap asks for.

use mainstay_contract::{id::UserId, ts::Ts};
pub use mainstay_core::front::{Audience, NavItem, Place};
use maud::{DOCTYPE, Markup, html};

use crate::{assets, component::icon};

mod overlay;
mod side;

/// The header with which the script asks for the main column alone; its value is `main`.
pub const FRAGMENT_HEADER: &str = "x-fragment";

/// Who looks at the page.
#[derive(Debug, Clone)]
pub struct Viewer {
    /// Their account.
    pub id: UserId,
    /// Without `@`.
    pub handle: String,
    /// The name they chose.
    pub display_name: String,
    /// Their picture's address.
    pub avatar_url: Option<String>,
    /// Where their own page is.
    pub profile_href: String,
    /// Whether they may see what is for moderators.
    pub moderator: bool,
    /// Whether they may see what is for administrators.
    pub admin: bool,
}

/// Light, dark, or as the system says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Theme {
    /// As the system says.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// All, in the order in which they are offered, with their words and icons.
    pub const OFFERED: [(Theme, &'static str, &'static str); 3] = [
        (Theme::System, "System", "monitor"),
        (Theme::Light, "Light", "sun"),
        (Theme::Dark, "Dark", "moon"),
    ];

    /// The value of the cookie `theme` and of the form's field.
    pub const fn name(self) -> &'static str {
        match self {
            Theme::System => "system",
            Theme::Light => "light",
            Theme::Dark => "dark",
        }
    }

    /// The theme with this name; [`Theme::System`] for anything else.
    pub fn parse(name: &str) -> Self {
        match name {
            "light" => Theme::Light,
            "dark" => Theme::Dark,
            _ => Theme::System,
        }
    }
}

/// What is told once at the top of the next page.
#[derive(Debug, Clone)]
pub struct Flash {
    /// Whether it went well.
    pub good: bool,
    /// A sentence.
    pub text: String,
}

/// What every page needs; made once for each request.
#[derive(Debug, Clone)]
pub struct Shell<'a> {
    /// Who looks; `None` for a stranger.
    pub viewer: Option<Viewer>,
    /// The navigation of all services, in order.
    pub nav: &'a [NavItem],
    /// The session's token; goes into every form and the page's head.
    pub csrf: &'a str,
    /// Unread notifications.
    pub unread_count: i64,
    /// The theme from the cookie.
    pub theme: Theme,
    /// Told once.
    pub flash: Option<Flash>,
    /// The reader's locale, such as `en-GB`; the script formats numbers and times with it.
    pub locale: &'a str,
    /// The time of this request.
    pub now: Ts,
    /// Path and query of this page: where forms return to.
    pub path: &'a str,
    /// `true` if the request had [`FRAGMENT_HEADER`]: only the main column is answered.
    pub fragment: bool,
}

/// What one page says about itself.
#[derive(Debug, Clone, Default)]
pub struct Head<'a> {
    /// The title, without the product's name.
    pub title: &'a str,
    /// The key of the navigation item that is current; empty for none.
    pub active: &'a str,
    /// A column beside the main one, on wide screens only.
    pub aside: Option<Markup>,
    /// `true` for tables and boards; `false` for one reading column.
    pub wide: bool,
    /// `true` for pages that stand alone, such as signing in.
    pub plain: bool,
}

impl Shell<'_> {
    /// Whether this account is the one that looks.
    pub fn is_viewer(&self, id: UserId) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.id == id)
    }

    /// Whether the one who looks is a moderator.
    pub fn is_moderator(&self) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.moderator)
    }

    /// Whether the one who looks is an administrator.
    pub fn is_admin(&self) -> bool {
        self.viewer.as_ref().is_some_and(|viewer| viewer.admin)
    }

    /// The hidden fields of every form: the token and where to return to.
    pub fn hidden(&self) -> Markup {
        html! {
            input type="hidden" name="csrf" value=(self.csrf);
            input type="hidden" name="return_to" value=(self.path);
        }
    }

    /// The whole page, or its main column if the script asked for that.
    pub fn page(&self, head: &Head<'_>, main: &Markup) -> Markup {
        let column = self.column(head, main);
        if self.fragment { column } else { self.document(head, &column) }
    }

    fn column(&self, head: &Head<'_>, main: &Markup) -> Markup {
        let title = format!("{} · Mainstay", head.title);
        html! {
            div #page .page .wide[head.wide] .plain[head.plain] .elsewhere[self.is_elsewhere(head)] data-title=(title)
                data-active=(head.active)
                data-path=(self.path) data-unread=(self.unread_count) {
                main #main .main tabindex="-1" {
                    @if let Some(flash) = &self.flash {
                        div .notice.positive[flash.good].danger[!flash.good] role="status"
                            data-flash {
                            (icon(if flash.good { "circle-check" } else { "triangle-alert" }))
                            p { (flash.text) }
                        }
                    }
                    (main)
                }
                @if let Some(aside) = &head.aside {
                    aside .aside aria-label="More to discover" { (aside) }
                }
            }
        }
    }

    fn document(&self, head: &Head<'_>, column: &Markup) -> Markup {
        html! {
            (DOCTYPE)
            html lang="en" data-theme=(self.theme.name()) data-locale=(self.locale) {
                head {
                    meta charset="utf-8";
                    meta name="viewport"
                        content="width=device-width, initial-scale=1, viewport-fit=cover";
                    meta name="color-scheme" content="light dark";
                    @if self.viewer.is_some() { meta name="csrf" content=(self.csrf); }
                    @if let Some(viewer) = &self.viewer { meta name="viewer" content=(viewer.id); }
                    title { (head.title) " · Mainstay" }
                    link rel="icon" href=(assets::url("logo.svg")) type="image/svg+xml";
                    link rel="preload" href=(assets::url("inter-latin.woff2")) as="font"
                        type="font/woff2" crossorigin;
                    link rel="stylesheet" href=(assets::url("console.css"));
                    script type="module" src=(assets::url("console.js")) {}
                }
                body .alone[head.plain] {
                    a .skip href="#main" { "Skip to the content" }
                    div .app {
                        @if !head.plain { (self.side(head)) }
                        (column)
                    }
                    (self.overlays())
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(fragment: bool) -> Shell<'static> {
        Shell {
            viewer: None,
            nav: &[],
            csrf: "t",
            unread_count: 0,
            theme: Theme::Dark,
            flash: None,
            locale: "en",
            now: Ts::from_micros(0),
            path: "/a?b=\"c\"",
            fragment,
        }
    }

    #[test]
    fn a_fragment_is_the_part_of_the_page_that_is_swapped() {
        let head = Head { title: "A <b>", ..Head::default() };
        let main = html! { p { "x" } };
        let whole = shell(false).page(&head, &main).into_string();
        let part = shell(true).page(&head, &main).into_string();
        assert!(whole.starts_with("<!DOCTYPE html>") && whole.contains(&part));
        assert!(part.starts_with("<div") && !part.contains("<head"));
        assert!(part.contains("data-title=\"A &lt;b&gt; · Mainstay\""), "{part}");
    }

    #[test]
    fn the_theme_stands_in_the_page_so_that_it_never_flashes() {
        let whole = shell(false).page(&Head::default(), &html! {}).into_string();
        assert!(whole.contains("data-theme=\"dark\""));
        for (theme, ..) in Theme::OFFERED {
            assert_eq!(Theme::parse(theme.name()), theme);
        }
        assert_eq!(Theme::parse("\"><script>"), Theme::System);
    }
}
