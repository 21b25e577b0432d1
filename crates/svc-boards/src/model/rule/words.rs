//! The words of an expression, each with its place.

use std::borrow::Cow;

/// The longest expression, in characters.
pub(super) const CHARS_MAX: usize = 1_000;

/// What is wrong with an expression, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("at character {at}: {message}")]
pub struct Odd {
    /// The place, in characters from 1.
    pub at: usize,
    /// What is there, and what was expected.
    pub message: Cow<'static, str>,
}

impl Odd {
    pub(super) fn new(at: usize, message: impl Into<Cow<'static, str>>) -> Self {
        Self { at, message: message.into() }
    }
}

/// A word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Word {
    Whole(i64),
    Text(String),
    Name(String),
    Sign(&'static str),
    End,
}

impl Word {
    /// As a message calls it.
    pub(super) fn shown(&self) -> String {
        match self {
            Self::Whole(number) => format!("`{number}`"),
            Self::Text(_) => "a text".to_owned(),
            Self::Name(name) => format!("`{name}`"),
            Self::Sign(sign) => format!("`{sign}`"),
            Self::End => "the end".to_owned(),
        }
    }
}

/// Longer signs before those that they begin with.
const SIGNS: [&str; 19] = [
    "&&", "||", "==", "!=", "<=", ">=", "<", ">", "!", "+", "-", "*", "/", "%", "(", ")", ",", ".",
    "=",
];

/// The words of `text` with their places; the last one is the end.
///
/// # Errors
/// What is no word, or that there are too many characters.
pub(super) fn words(text: &str) -> Result<Vec<(usize, Word)>, Odd> {
    let chars: Vec<char> = text.chars().take(CHARS_MAX + 1).collect();
    if chars.len() > CHARS_MAX {
        let message = format!("an expression has at most {CHARS_MAX} characters");
        return Err(Odd::new(CHARS_MAX + 1, message));
    }
    let (mut words, mut rest) = (Vec::new(), &*chars);
    while let Some((first, after)) = rest.split_first() {
        let at = chars.len() - rest.len() + 1;
        if first.is_whitespace() {
            rest = after;
            continue;
        }
        let (word, left) = word(at, rest)?;
        words.push((at, word));
        rest = left;
    }
    words.push((chars.len() + 1, Word::End));
    Ok(words)
}

fn word(at: usize, chars: &[char]) -> Result<(Word, &[char]), Odd> {
    let run = |belongs: fn(&char) -> bool| {
        let end = chars.iter().position(|c| !belongs(c)).unwrap_or(chars.len());
        chars.split_at(end)
    };
    match chars.first() {
        Some(first) if first.is_ascii_digit() => {
            let (digits, rest) = run(char::is_ascii_digit);
            let number = digits.iter().collect::<String>().parse();
            let number = number.map_err(|_large| {
                Odd::new(at, format!("a whole number is at most {}", i64::MAX))
            })?;
            let ends = |c: &char| !(c.is_ascii_alphanumeric() || *c == '_' || *c == '.');
            match rest.first().is_none_or(ends) {
                true => Ok((Word::Whole(number), rest)),
                false => Err(Odd::new(at, "numbers are whole: digits and nothing else")),
            }
        }
        Some(first) if first.is_ascii_alphabetic() || *first == '_' => {
            let (name, rest) = run(|c| c.is_ascii_alphanumeric() || *c == '_');
            Ok((Word::Name(name.iter().collect()), rest))
        }
        Some('"' | '\'') => quoted(at, chars),
        _ => {
            let begins = |sign: &&str| sign.chars().eq(chars.iter().copied().take(sign.len()));
            let found = SIGNS.into_iter().find(begins);
            let sign = found.ok_or_else(|| {
                let odd = chars.first().copied().unwrap_or(' ');
                let message = format!(
                    "`{}` means nothing here; use fields, numbers, 'texts', ( ), && || ! == != < <= > >= + - * / %",
                    odd.escape_debug()
                );
                Odd::new(at, message)
            })?;
            Ok((Word::Sign(sign), chars.get(sign.len()..).unwrap_or_default()))
        }
    }
}

/// A text in single or double quotes; `\` before a quote or itself takes its meaning.
fn quoted(at: usize, chars: &[char]) -> Result<(Word, &[char]), Odd> {
    let Some((quote, mut rest)) = chars.split_first() else { return Ok((Word::End, chars)) };
    let mut text = String::new();
    loop {
        match rest {
            [c, after @ ..] if c == quote => return Ok((Word::Text(text), after)),
            ['\\', c @ ('\\' | '\'' | '"'), after @ ..] => {
                text.push(*c);
                rest = after;
            }
            ['\\', ..] => {
                let message = r#"in a text, `\` stands before `\`, `'` or `"` only"#;
                return Err(Odd::new(at + chars.len() - rest.len(), message));
            }
            [c, after @ ..] => {
                text.push(*c);
                rest = after;
            }
            [] => return Err(Odd::new(at, format!("this text has no closing {quote}"))),
        }
    }
}
