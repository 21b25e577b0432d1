//! What stands in a caption or comment: tags and mentions; and how words are folded for search.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

/// Most tags of a post; later ones are plain words.
const TAGS_MAX: usize = 30;
/// Most mentions of a text; later ones are plain words.
const MENTIONS_MAX: usize = 30;
/// Longest tag, in characters.
const TAG_CHARS_MAX: usize = 100;

/// The tags of a text: lower case, without `#`, each once, in order of appearance.
pub fn hashtags(text: &str) -> Vec<String> {
    let mut tags = Vec::new();
    for word in marked(text, '#') {
        let tag = normal_tag(&word);
        let counts = !tag.is_empty()
            && tag.chars().count() <= TAG_CHARS_MAX
            && !tag.chars().all(|c| c.is_ascii_digit());
        if counts && !tags.contains(&tag) && tags.len() < TAGS_MAX {
            tags.push(tag);
        }
    }
    tags
}

/// A tag as it is kept and looked up.
pub fn normal_tag(tag: &str) -> String {
    tag.trim_start_matches('#').nfkc().collect::<String>().to_lowercase()
}

/// The handles that a text mentions: as written, without `@`, each once.
pub fn mentions(text: &str) -> Vec<String> {
    let mut handles: Vec<String> = Vec::new();
    for word in marked(text, '@') {
        let handle = word.trim_end_matches('.').to_owned();
        let plain = (3..=30).contains(&handle.len())
            && handle.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'.');
        if plain
            && !handles.iter().any(|known| known.eq_ignore_ascii_case(&handle))
            && handles.len() < MENTIONS_MAX
        {
            handles.push(handle);
        }
    }
    handles
}

/// The words after `mark`, where the mark does not stand in the middle of a word (an address is not a mention).
fn marked(text: &str, mark: char) -> Vec<String> {
    let mut words = Vec::new();
    let mut before = ' ';
    let mut rest = text.chars().peekable();
    while let Some(next) = rest.next() {
        if next == mark
            && !(before.is_alphanumeric() || before == '_' || before == '/' || before == mark)
        {
            let mut word = String::new();
            while let Some(letter) = rest.next_if(|c| {
                c.is_alphanumeric()
                    || is_combining_mark(*c)
                    || *c == '_'
                    || (mark == '@' && *c == '.')
            }) {
                word.push(letter);
            }
            before = word.chars().last().unwrap_or(mark);
            words.push(word);
        } else {
            before = next;
        }
    }
    words
}

/// A word for search: compatibility forms and accents folded, lower case.
pub fn fold(text: &str) -> String {
    text.nfkd().filter(|c| !is_combining_mark(*c)).collect::<String>().to_lowercase()
}

/// The words by which a person is found.
pub fn search_words(handle: &str, display_name: &str) -> Vec<String> {
    let mut words = vec![fold(handle)];
    let parts = handle.split(['_', '.']).chain(display_name.split(|c: char| !c.is_alphanumeric()));
    for word in parts.map(fold).filter(|word| !word.is_empty()) {
        if !words.contains(&word) && words.len() < 16 {
            words.push(word.chars().take(60).collect());
        }
    }
    words
}

/// The words of a search for people: folded, each once, the longest first, at most eight.
pub fn query_words(query: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in
        query.split(|c: char| !(c.is_alphanumeric() || is_combining_mark(c) || "_.".contains(c)))
    {
        let word: String = fold(word.trim_matches('.')).chars().take(60).collect();
        if !word.is_empty() && !words.contains(&word) {
            words.push(word);
        }
    }
    words.sort_by_key(|word| std::cmp::Reverse(word.chars().count()));
    words.truncate(8);
    words
}

/// Whether anything of a text can be seen.
pub fn is_blank(text: &str) -> bool {
    let invisible = |c: char| {
        c.is_whitespace()
            || matches!(c, '\u{ad}' | '\u{115f}' | '\u{1160}' | '\u{180e}' | '\u{200b}'..='\u{200f}'
                | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}'
                | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}')
    };
    text.chars().all(invisible)
}

/// Control characters out, except line breaks; ends trimmed. What a person sees stays as it was typed.
pub fn tidy(text: &str) -> String {
    let kept = text.replace("\r\n", "\n");
    kept.chars()
        .filter(|c| *c == '\n' || *c == '\t' || !c.is_control())
        .collect::<String>()
        .trim()
        .to_owned()
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
    }

    #[test]
    fn an_address_is_not_a_mention_and_a_full_stop_ends_a_sentence() {
        assert_eq!(
            mentions("mail a@b.example, hi @ada. and @Ada, @grace.h and @x"),
            ["ada", "grace.h"]
        );
    }

    #[test]
    fn people_are_found_without_accents_and_by_parts() {
        assert_eq!(search_words("ada_l", "Ádà Lovelace"), ["ada_l", "ada", "l", "lovelace"]);
    }

    #[test]
    fn a_search_folds_its_words_and_begins_with_the_longest() {
        assert_eq!(query_words("@Ádà  lovel, ADA"), ["lovel", "ada"]);
        assert_eq!(query_words("ada_l."), ["ada_l"]);
        assert!(query_words("@ !").is_empty());
    }

    #[test]
    fn control_characters_go_and_line_breaks_stay() {
        assert_eq!(tidy(" a\r\nb\u{0}\u{7}c \n"), "a\nbc");
    }
}
