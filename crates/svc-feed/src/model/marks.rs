//! What stands in a caption or comment besides plain words: tags, mentions and addresses. What is kept of a text and
//! what is shown as a link are both read here, so that they cannot differ.

use std::ops::Range;

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Most tags of a text; later ones are plain words.
const TAGS_MAX: usize = 30;
/// Most mentions of a text; later ones are plain words.
const MENTIONS_MAX: usize = 30;
/// Longest tag, in characters.
const TAG_CHARS_MAX: usize = 100;

/// Something in a text that leads elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark<'a> {
    /// Where it stands, in bytes, with its `#` or `@`.
    pub at: Range<usize>,
    /// What it is.
    pub kind: MarkKind<'a>,
}

/// What a mark is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MarkKind<'a> {
    /// A tag, as it is kept and looked up.
    Tag(String),
    /// A handle as written, without `@`; whether somebody has it is not known here.
    Mention(&'a str),
    /// An address with `http://` or `https://`.
    Address(&'a str),
}

/// The marks of a text, in order; they never overlap.
pub fn marks(text: &str) -> Vec<Mark<'_>> {
    let mut found: Vec<Mark<'_>> = Vec::new();
    let (mut tags, mut handles) = (Vec::new(), Vec::new());
    let (mut from, mut before) = (0, None);
    while let Some(rest) = text.get(from..).filter(|rest| !rest.is_empty()) {
        let mark = if begins_word(before) { mark_at(rest) } else { None };
        let mark = mark.filter(|(_, kind)| match kind {
            MarkKind::Tag(tag) => has_room(&mut tags, tag.clone(), TAGS_MAX),
            MarkKind::Mention(handle) => {
                has_room(&mut handles, handle.to_ascii_lowercase(), MENTIONS_MAX)
            }
            MarkKind::Address(_) => true,
        });
        let len = match mark {
            Some((len, kind)) => {
                found.push(Mark { at: from..from + len, kind });
                len
            }
            None => rest.chars().next().map_or(1, char::len_utf8),
        };
        before = rest.get(..len).and_then(|taken| taken.chars().next_back());
        from += len;
    }
    found
}

/// The tags of a text: lower case, without `#`, each once, in order of appearance.
pub fn hashtags(text: &str) -> Vec<String> {
    let mut tags = Vec::new();
    for mark in marks(text) {
        if let MarkKind::Tag(tag) = mark.kind
            && !tags.contains(&tag)
        {
            tags.push(tag);
        }
    }
    tags
}

/// The handles that a text mentions: as written, without `@`, each once.
pub fn mentions(text: &str) -> Vec<String> {
    let mut handles: Vec<String> = Vec::new();
    for mark in marks(text) {
        if let MarkKind::Mention(handle) = mark.kind
            && !handles.iter().any(|known| known.eq_ignore_ascii_case(handle))
        {
            handles.push(handle.to_owned());
        }
    }
    handles
}

/// A tag as it is kept and looked up.
pub fn normal_tag(tag: &str) -> String {
    tag.trim_start_matches('#').nfkc().collect::<String>().to_lowercase()
}

/// Whether `one` is among the first so many different ones.
fn has_room(known: &mut Vec<String>, one: String, max: usize) -> bool {
    let is_known = known.contains(&one);
    if !is_known && known.len() < max {
        known.push(one);
        return true;
    }
    is_known
}

/// Whether a mark may follow: not in the middle of a word (an address of e-mail is no mention), of a path, or of
/// another mark.
fn begins_word(before: Option<char>) -> bool {
    before.is_none_or(|c| !is_of_word(c) && !matches!(c, '/' | '@' | '#' | '&'))
}

/// Letters of any script with what is put above or below them, digits and `_`.
fn is_of_word(c: char) -> bool {
    c.is_alphanumeric() || is_combining_mark(c) || c == '_'
}

/// What `rest` begins with, and the bytes it takes.
fn mark_at(rest: &str) -> Option<(usize, MarkKind<'_>)> {
    if let Some(after) = rest.strip_prefix('#') {
        let word = prefix(after, is_of_word);
        let tag = normal_tag(word);
        let is_tag = !tag.is_empty()
            && tag.chars().count() <= TAG_CHARS_MAX
            && !tag.chars().all(|c| c.is_ascii_digit());
        return is_tag.then(|| (1 + word.len(), MarkKind::Tag(tag)));
    }
    if let Some(after) = rest.strip_prefix('@') {
        let handle = prefix(after, |c| is_of_word(c) || c == '.').trim_end_matches('.');
        let is_handle = (3..=30).contains(&handle.len())
            && handle.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
        return is_handle.then_some((1 + handle.len(), MarkKind::Mention(handle)));
    }
    let host = rest.strip_prefix("https://").or_else(|| rest.strip_prefix("http://"))?;
    let host = prefix(host, |c| !c.is_whitespace() && !matches!(c, '<' | '>' | '"'));
    let host = host.trim_end_matches(['.', ',', ';', ':', '!', '?', ')', '\'', '…']);
    let len = rest.find("://").map_or(0, |scheme| scheme + 3) + host.len();
    (!host.is_empty()).then(|| (len, MarkKind::Address(rest.get(..len).unwrap_or_default())))
}

fn prefix(text: &str, keep: impl Fn(char) -> bool) -> &str {
    let end = text.find(|c| !keep(c)).unwrap_or(text.len());
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_folded_once_and_numbers_are_none() {
        assert_eq!(
            hashtags("#Berlin, #berlin! a#b #2026 #été #写真 (#x_1)"),
            ["berlin", "été", "写真", "x_1"]
        );
        assert_eq!(hashtags("#①"), [""; 0], "a number in disguise");
    }

    #[test]
    fn a_letter_with_its_accent_beside_it_is_one_letter() {
        // Both ways to write `é`; vowels that Hindi and Thai put around a letter.
        assert_eq!(hashtags("#caf\u{e9} #cafe\u{301}"), ["caf\u{e9}"]);
        assert_eq!(hashtags("#हिन्दी #ที่นี่"), ["हिन्दी", "ที่นี่"]);
        assert_eq!(hashtags("e\u{301}#x"), [""; 0], "it stands in a word");
        assert_eq!(mentions("@ada\u{301}"), [""; 0], "nobody is called so");
    }

    #[test]
    fn an_address_is_not_a_mention_and_a_full_stop_ends_a_sentence() {
        assert_eq!(
            mentions("mail a@b.example, hi @ada. and @Ada, @grace.h and @x"),
            ["ada", "grace.h"]
        );
        assert_eq!(hashtags("https://a.example/?#part"), [""; 0]);
        assert_eq!(mentions("see https://a.example/(@ada)"), [""; 0]);
    }

    #[test]
    fn what_comes_after_the_first_thirty_is_plain_words() {
        let text: String = (0..32).map(|at| format!("#tag{at} @person{at} ")).collect();
        assert_eq!((hashtags(&text).len(), mentions(&text).len()), (30, 30));
        let again = format!("{text} #tag0 #tag31");
        let last = marks(&again).pop().map(|mark| mark.kind);
        assert_eq!(last, Some(MarkKind::Tag("tag0".into())));
    }
}
