//! What floats above the page: messages, palette, keys, the view of a picture.

use maud::{Markup, html};

use super::{Place, Shell};
use crate::component::{self, icon};

/// Where the palette leads besides the navigation: icon, words, address.
const PLACES: [(&str, &str, &str); 3] = [
    ("lock", "Password and sign-ins", "/settings/security"),
    ("key-round", "API keys", "/settings/keys"),
    ("file-text", "API reference", "/docs"),
];
/// The same for strangers.
const PLACES_OF_STRANGERS: [(&str, &str, &str); 3] = [
    ("log-in", "Sign in", "/sign-in"),
    ("user-plus", "Create an account", "/register"),
    ("file-text", "API reference", "/docs"),
];

impl Shell<'_> {
    /// Where the palette leads besides what is seen: found there by the script.
    fn palette_links(&self) -> Markup {
        let own = if self.viewer.is_some() { PLACES } else { PLACES_OF_STRANGERS };
        let items = self.items(&[Place::Palette]).map(|item| (item.icon, item.label, item.href));
        html! {
            div hidden {
                @for (symbol, words, href) in items.chain(own) {
                    a href=(href) data-go { (icon(symbol)) (words) }
                }
            }
        }
    }

    /// What floats above the page; filled and opened by the script.
    pub(super) fn overlays(&self) -> Markup {
        html! {
            (self.palette_links())
            div #said .sr-only aria-live="polite" {}
            div #toasts .toasts role="region" aria-label="Messages" {}
            div #offline .offline role="status" hidden { (icon("wifi-off"))
                "Connection lost. Trying again…" }
            dialog #palette .palette aria-label="Go to or do" {
                div .palette-field {
                    (icon("search"))
                    input #palette-input type="text" role="combobox" aria-expanded="true"
                        aria-controls="palette-list" aria-label="Go to or do"
                        placeholder="Go to, do, or search…" autocomplete="off" spellcheck="false";
                    kbd { "Esc" }
                }
                ul #palette-list role="listbox" aria-label="Matches" {}
            }
            dialog #keys .sheet aria-labelledby="keys-title" {
                (component::dialog_head("keys-title", "Keyboard shortcuts"))
                dl #keys-list .keys {}
            }
            dialog #viewer .viewer aria-label="Picture" {}
        }
    }
}
