//! Who did what, as administrators read it.

use mainstay_core::program::{AuditEntry, AuditPage};
use maud::{Markup, html};
use serde_json::Value;

use crate::{
    component::{empty, more, page_head, with_cursor},
    format,
    shell::{Head, Shell},
};

/// The audit logs of all services, newest first.
pub fn audit_page(shell: &Shell<'_>, page: &AuditPage) -> Markup {
    let next = page.next_cursor.as_deref().map(|cursor| with_cursor("/audit", cursor));
    shell.page(
        &Head { title: "Audit log", active: "audit", ..Head::default() },
        &html! {
            (page_head("Audit log", &html! {}))
            @if page.items.is_empty() {
                (empty("clock", "Nobody has done anything yet",
                    "Sign-ins, roles, keys and what moderators do are written down here.", None))
            } @else {
                ol .card.plain-list.roomy.audit data-list="audit" {
                    @for entry in &page.items { (line(shell, entry)) }
                }
                (more(next.as_deref(), "Show older entries"))
            }
        },
    )
}

fn line(shell: &Shell<'_>, entry: &AuditEntry) -> Markup {
    let id = format!("audit-{}-{}", entry.log, entry.seq);
    html! {
        li #(id) tabindex="-1" data-item {
            div .audit-head {
                code .mark { (entry.action) }
                span .name dir="auto" { (who(&entry.actor, entry.actor_handle.as_deref())) }
                span .sub { (format::time(entry.at, shell.now)) }
            }
            @if !entry.target.is_empty() && entry.target != entry.actor {
                p { "On "
                    // An id is read letter by letter; the page's font would make `×` of an `x` between digits.
                    @match &entry.target_handle {
                        Some(handle) => { strong { "@" (handle) } }
                        None => { code { (entry.target) } }
                    }
                }
            }
            @for (name, words) in details(&entry.detail) {
                p { span .sub { (name) ": " } span dir="auto" { (words) } }
            }
            p .hint {
                (entry.log) " " (format::grouped(entry.seq))
                @if !entry.origin.is_empty() { " · from " (entry.origin) }
                " · " span title=(entry.hash) { (entry.hash.get(..HASH_SHOWN).unwrap_or_default()) "…" }
            }
        }
    }
}

/// Digits of an entry's hash that are shown; all of them on hover.
const HASH_SHOWN: usize = 12;

fn who(id: &str, handle: Option<&str>) -> String {
    match (handle, id) {
        (Some(handle), _) => format!("@{handle}"),
        (None, "") => "Somebody unknown".to_owned(),
        (None, "operator") => "The operator".to_owned(),
        (None, "system") => "The program".to_owned(),
        (None, id) => id.to_owned(),
    }
}

/// What more is known, as names and words.
fn details(detail: &Value) -> Vec<(String, String)> {
    let words = |value: &Value| match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => {
            let items = items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned));
            items.collect::<Vec<_>>().join(", ")
        }
        other => other.to_string(),
    };
    let name = |name: &str| {
        let words = name.replace('_', " ");
        let mut letters = words.chars();
        letters
            .next()
            .map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
    };
    match detail {
        Value::Object(fields) => {
            fields.iter().map(|(field, value)| (name(field), words(value))).collect()
        }
        Value::Null => Vec::new(),
        other => vec![("Detail".to_owned(), words(other))],
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn details_read_as_names_and_words() {
        let detail =
            json!({ "reason": "Rule 3.", "reports_resolved": 2, "scopes": ["read", "write"] });
        let expected =
            [("Reason", "Rule 3."), ("Reports resolved", "2"), ("Scopes", "read, write")];
        let found = details(&detail);
        let found: Vec<_> = found.iter().map(|(name, words)| (&**name, &**words)).collect();
        assert_eq!(found, expected);
        assert!(details(&Value::Null).is_empty());
    }

    #[test]
    fn everybody_has_a_name() {
        assert_eq!(who("user_1", Some("ada")), "@ada");
        assert_eq!(who("operator", None), "The operator");
        assert_eq!(who("", None), "Somebody unknown");
    }
}
