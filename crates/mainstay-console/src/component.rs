//! The parts that every page is made of.

use maud::{Markup, PreEscaped, html};

use crate::assets;

/// An icon of the sprite (20 px, or the size that CSS gives), hidden from screen readers: a text stands beside it.
pub fn icon(name: &str) -> Markup {
    let sprite = assets::url("icons.svg");
    PreEscaped(format!(
        "<svg class=\"icon\" width=\"20\" height=\"20\" aria-hidden=\"true\">\
         <use href=\"{sprite}#{name}\"/></svg>"
    ))
}

/// A round picture of a person, or the first letter of their name; decoration: the name stands beside it.
///
/// `size` is `s` (32 px), `m` (40 px) or `l` (96 px).
pub fn avatar(url: Option<&str>, name: &str, handle: &str, size: &str) -> Markup {
    let letter: String =
        name.chars().find(|c| c.is_alphanumeric()).unwrap_or('·').to_uppercase().collect();
    let hue =
        handle.bytes().fold(0_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(byte)))
            % 8;
    let pixels = match size {
        "s" => 32,
        "l" => 96,
        _ => 40,
    };
    html! {
        @match url {
            Some(url) => {
                img class=(format!("avatar avatar-{size}")) src=(url) alt="" width=(pixels)
                    height=(pixels)
                    loading="lazy" decoding="async";
            }
            None => {
                span class=(format!("avatar avatar-{size} hue-{hue}")) aria-hidden="true"
                    { (letter) }
            }
        }
    }
}

/// The top of a page: its only `h1`, and what stands at its right.
pub fn page_head(title: &str, end: &Markup) -> Markup {
    html! {
        div .page-head { h1 { (title) } div .page-head-end { (end) } }
    }
}

/// The top of a page that was reached from another: a way back before the title.
///
/// With the label `Back` the script goes back in the history if there is one; any other label names the place.
pub fn page_head_back(title: &str, back: &str, back_label: &str, end: &Markup) -> Markup {
    html! {
        div .page-head {
            a .icon-button href=(back) aria-label=(back_label) data-back[back_label == "Back"] { (icon("arrow-left")) }
            h1 { (title) }
            div .page-head-end { (end) }
        }
    }
}

/// One of several views of the same thing.
#[derive(Debug, Clone, Copy)]
pub struct Tab<'a> {
    /// The word.
    pub label: &'a str,
    /// Where it leads.
    pub href: &'a str,
    /// Whether it is the current one.
    pub current: bool,
}

/// Links beside each other, one of them current.
pub fn tabs(label: &str, tabs: &[Tab<'_>]) -> Markup {
    html! {
        nav .tabs aria-label=(label) {
            @for tab in tabs {
                a href=(tab.href) aria-current=[tab.current.then_some("page")] { (tab.label) }
            }
        }
    }
}

/// What a list shows when there is nothing in it: what this is, and one act.
pub fn empty(symbol: &str, title: &str, text: &str, act: Option<(&str, &str)>) -> Markup {
    html! {
        div .empty {
            span .empty-icon { (icon(symbol)) }
            h2 { (title) }
            p { (text) }
            @if let Some((label, href)) = act { a .button.primary href=(href) { (label) } }
        }
    }
}

/// Where people are shown, by their handles: the service that knows them has this page.
pub fn person_href(handle: &str) -> String {
    format!("/people/{handle}")
}

/// The link to the next part of a list; the script follows it when it comes into view.
pub fn more(href: Option<&str>, label: &str) -> Markup {
    html! {
        @if let Some(href) = href {
            div .more data-more { a .button href=(href) rel="next" { (label) } }
        }
    }
}

/// `href` with `cursor=` added to its query. Cursors are opaque text, escaped here.
pub fn with_cursor(href: &str, cursor: &str) -> String {
    let joint = if href.contains('?') { '&' } else { '?' };
    format!("{href}{joint}cursor={}", query_text(cursor))
}

/// `text` as it stands in a query: everything but letters, digits, `-`, `_`, `.` and `~` as `%XX`.
pub fn query_text(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~') {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A button that opens a menu, and the menu. It works without script: the browser shows and hides it.
pub fn menu(id: &str, label: &str, items: &Markup) -> Markup {
    html! {
        button .icon-button.menu-button type="button" popovertarget=(id) aria-label=(label)
            aria-haspopup="true" {
            (icon("ellipsis"))
        }
        div #(id) .menu popover { (items) }
    }
}

/// The top of a dialog: title and a way out.
pub fn dialog_head(id: &str, title: &str) -> Markup {
    html! {
        div .dialog-head {
            h2 #(id) { (title) }
            form method="dialog" data-plain { button .icon-button aria-label="Close" { (icon("x")) }
                }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_cannot_break_out_of_the_address() {
        assert_eq!(with_cursor("/home", "a+b&c=d"), "/home?cursor=a%2Bb%26c%3Dd");
        assert_eq!(with_cursor("/search?q=x", "é"), "/search?q=x&cursor=%C3%A9");
    }
}
