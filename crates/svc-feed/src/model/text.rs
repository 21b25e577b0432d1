//! How words are folded for search, and what is tidied in what people write.

use unicode_normalization::{UnicodeNormalization as _, char::is_combining_mark};

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
