//! Captions and comments with their tags, mentions and addresses as links; everything else is escaped.

use std::ops::Range;

use mainstay_console::component::query_text;
use maud::{Markup, PreEscaped, html};

use crate::{
    model::marks::{MarkKind, marks},
    view::MentionView,
};

/// `text` with `#tag` and `http(s)://…` as links, and `@handle` where it is one of `mentions`.
///
/// Addresses of other sites carry `nofollow ugc noopener`. Line breaks stay (the style sheet keeps them).
pub fn rich_text(text: &str, mentions: &[MentionView]) -> Markup {
    let part = |range: Range<usize>| text.get(range).unwrap_or_default();
    let mut out = String::new();
    let mut plain_from = 0;
    for mark in marks(text) {
        let Some(link) = link(part(mark.at.clone()), &mark.kind, mentions) else { continue };
        out.push_str(&html! { (part(plain_from..mark.at.start)) (link) }.into_string());
        plain_from = mark.at.end;
    }
    out.push_str(&html! { (part(plain_from..text.len())) }.into_string());
    PreEscaped(out)
}

/// The link for a mark that was `written` so; `None` for a handle that nobody had when the text was written.
fn link(written: &str, kind: &MarkKind<'_>, mentions: &[MentionView]) -> Option<Markup> {
    Some(match kind {
        MarkKind::Tag(tag) => {
            let href = format!("/tags/{}", query_text(tag));
            html! { a href=(href) dir="auto" { (written) } }
        }
        MarkKind::Mention(handle) => {
            mentions.iter().find(|known| known.handle.eq_ignore_ascii_case(handle))?;
            let href = format!("/people/{handle}");
            html! { a href=(href) dir="ltr" { (written) } }
        }
        MarkKind::Address(address) => {
            let shown = address.split_once("://").map_or("", |(_scheme, shown)| shown);
            html! {
                a href=(address) dir="ltr" rel="nofollow ugc noopener" target="_blank"
                    { (shorten(shown)) }
            }
        }
    })
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
    use crate::model::marks::{hashtags, mentions as handles};

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

    /// Whether a link leads there is decided when the text is written; what is shown must not say otherwise.
    #[test]
    fn what_is_a_link_is_what_is_kept_of_the_text() {
        for text in [
            "#cafe\u{301} and #caf\u{e9}, e\u{301}#x",
            "#हिन्दी @ada\u{301} @ada.",
            "@Ada a@ada.example (#x) #1 #①",
            "https://a.example/?#part &#39; #a#b @ada@ada",
            &"#long".repeat(25),
            &(0..32).map(|at| format!("#tag{at} ")).collect::<String>(),
        ] {
            let html = rich_text(text, &ada()).into_string();
            let linked = |kind: &str| html.matches(&format!("<a href=\"/{kind}/")).count();
            let tags = hashtags(text);
            assert!(linked("tags") >= tags.len(), "{text} became {html}");
            for tag in &tags {
                let href = format!("<a href=\"/tags/{}\"", query_text(tag));
                assert!(html.contains(&href), "no {href} in {html}");
            }
            assert_eq!(linked("tags") > 0, !tags.is_empty(), "{text} became {html}");
            assert_eq!(linked("people") > 0, !handles(text).is_empty(), "{text} became {html}");
        }
    }

    #[test]
    fn tags_of_any_script_are_links() {
        let html = rich_text("#été #日本", &[]).into_string();
        assert!(html.contains("/tags/%C3%A9t%C3%A9"), "{html}");
        assert!(html.contains(">#日本</a>"), "{html}");
    }
}
