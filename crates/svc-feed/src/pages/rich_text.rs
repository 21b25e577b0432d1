//! Captions and comments with their tags, mentions and addresses as links; everything else is escaped.

use mainstay_console::component::query_text;
use maud::{Markup, PreEscaped, html};

use crate::view::MentionView;

/// `text` with `#tag` and `http(s)://…` as links, and `@handle` where it is one of `mentions`.
///
/// Addresses of other sites carry `nofollow ugc noopener`. Line breaks stay (the style sheet keeps them).
pub fn rich_text(text: &str, mentions: &[MentionView]) -> Markup {
    let mut out = Vec::new();
    let mut rest = text;
    let mut before = None;
    let mut plain = String::new();
    while let Some(first) = rest.chars().next() {
        let link = if starts_word(before) { link_at(rest, mentions) } else { None };
        let taken = match link {
            Some((taken, markup)) => {
                out.push(html! { (plain) });
                plain.clear();
                out.push(markup);
                taken
            }
            None => {
                plain.push(first);
                first.len_utf8()
            }
        };
        before = rest.get(..taken).and_then(|part| part.chars().next_back());
        rest = rest.get(taken..).unwrap_or_default();
    }
    out.push(html! { (plain) });
    PreEscaped(out.into_iter().map(PreEscaped::into_string).collect())
}

fn starts_word(before: Option<char>) -> bool {
    before.is_none_or(|c| !c.is_alphanumeric() && !matches!(c, '_' | '/' | '@' | '#' | '&'))
}

/// The link that `rest` starts with, and the bytes it takes.
fn link_at(rest: &str, mentions: &[MentionView]) -> Option<(usize, Markup)> {
    if let Some(tag) = rest.strip_prefix('#') {
        let tag = word(tag, |c| c.is_alphanumeric() || c == '_');
        if tag.is_empty() || tag.chars().all(|c| c.is_ascii_digit()) {
            return None;
        }
        let href = format!("/tags/{}", query_text(&tag.to_lowercase()));
        return Some((tag.len() + 1, html! { a href=(href) dir="auto" { "#" (tag) } }));
    }
    if let Some(handle) = rest.strip_prefix('@') {
        let handle = word(handle, |c| c.is_ascii_alphanumeric() || c == '_' || c == '.');
        let handle = handle.trim_end_matches('.');
        mentions.iter().find(|known| known.handle.eq_ignore_ascii_case(handle))?;
        let href = format!("/people/{handle}");
        return Some((handle.len() + 1, html! { a href=(href) dir="ltr" { "@" (handle) } }));
    }
    if rest.starts_with("https://") || rest.starts_with("http://") {
        let address = word(rest, |c| !c.is_whitespace() && !matches!(c, '<' | '>' | '"'));
        let address = address.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '\'', '…']);
        let shown = address.split_once("://").map_or("", |(_scheme, shown)| shown);
        if shown.is_empty() {
            return None;
        }
        let link = html! { a href=(address) dir="ltr" rel="nofollow ugc noopener" target="_blank"
        { (shorten(shown)) } };
        return Some((address.len(), link));
    }
    None
}

fn word(text: &str, keep: impl Fn(char) -> bool) -> &str {
    let end = text.find(|c| !keep(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

/// The first 32 characters, so that an address does not fill the card.
fn shorten(shown: &str) -> String {
    let shown = shown.trim_end_matches('/');
    match shown.char_indices().nth(32) {
        Some((cut, _)) => format!("{}…", shown.get(..cut).unwrap_or_default()),
        None => shown.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use mainstay_contract::id::UserId;

    use super::*;

    fn ada() -> Vec<MentionView> {
        vec![MentionView { id: UserId::from_bits(1), handle: "ada".into() }]
    }

    #[test]
    fn tags_known_mentions_and_addresses_become_links() {
        let html =
            rich_text("Hi @ada, see #Ebbe at https://a.example/x?y=1&z.", &ada()).into_string();
        assert_eq!(
            html,
            "Hi <a href=\"/people/ada\" dir=\"ltr\">@ada</a>, see <a href=\"/tags/ebbe\" dir=\"auto\">#Ebbe</a> at \
             <a href=\"https://a.example/x?y=1&amp;z\" dir=\"ltr\" rel=\"nofollow ugc noopener\" target=\"_blank\">\
             a.example/x?y=1&amp;z</a>."
        );
    }

    #[test]
    fn what_is_no_link_is_escaped_text() {
        for text in ["a@ada.example", "#1", "# x", "@nobody", "x#y", "http://", "<b>&</b>"] {
            let html = rich_text(text, &ada()).into_string();
            assert!(!html.contains("<a"), "{text} became {html}");
            assert!(!html.contains("<b>"), "{html}");
        }
    }

    #[test]
    fn a_script_address_is_never_a_link() {
        let html = rich_text("javascript:alert(1) https://x\" onclick=\"y", &[]).into_string();
        assert!(!html.contains("href=\"javascript"));
        assert!(!html.contains("\" onclick=\"y\""), "{html}");
    }

    #[test]
    fn tags_of_any_script_are_links() {
        let html = rich_text("#été #日本", &[]).into_string();
        assert!(html.contains("/tags/%C3%A9t%C3%A9"), "{html}");
        assert!(html.contains(">#日本</a>"), "{html}");
    }
}
