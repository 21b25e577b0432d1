//! What floats above the page: messages, palette, keys, the view of a picture.

use maud::{Markup, html};

use crate::component::{self, icon};

/// What floats above the page; filled and opened by the script.
pub(super) fn overlays() -> Markup {
    html! {
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
