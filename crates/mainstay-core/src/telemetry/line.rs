//! One log line, written by hand: JSON, or text for people.

use std::{
    fmt::{self, Write as _},
    io::Write as _,
};

use mainstay_contract::ts::Ts;
use tracing::{
    Level,
    field::{Field, Visit},
};

/// Bytes of one field's text; the rest is cut off and marked.
const TEXT_BYTES_MAX: usize = 16 << 10;

/// A line while it is written. The message of a human line comes first, so its fields wait.
#[derive(Debug)]
pub(super) struct Line {
    human: bool,
    head: Vec<u8>,
    fields: Vec<u8>,
}

impl Line {
    /// A line that begins with the time, the level and where it comes from.
    pub(super) fn event(human: bool, at: Ts, level: Level, target: &str) -> Self {
        let mut line = Self::fields(human);
        // Writing into a vector does not fail.
        let _infallible = if human {
            let (colour, level) = match level {
                Level::ERROR => ("31", "ERROR"),
                Level::WARN => ("33", " WARN"),
                Level::INFO => ("32", " INFO"),
                Level::DEBUG => ("34", "DEBUG"),
                Level::TRACE => ("35", "TRACE"),
            };
            write!(
                line.head,
                "\x1b[2m{at}\x1b[0m \x1b[{colour}m{level}\x1b[0m \x1b[2m{target}\x1b[0m "
            )
        } else {
            write!(line.head, "{{\"ts\":\"{at}\",\"level\":\"{level}\",\"target\":\"{target}\"")
        };
        line
    }

    /// Only fields, to be added to other lines with [`Line::raw`].
    pub(super) fn fields(human: bool) -> Self {
        Self { human, head: Vec::with_capacity(256), fields: Vec::new() }
    }

    /// Fields written before.
    pub(super) fn raw(&mut self, fields: &[u8]) {
        self.fields.extend_from_slice(fields);
    }

    /// A field with a text.
    pub(super) fn text(&mut self, name: &str, text: &str) {
        let cut = text.floor_char_boundary(TEXT_BYTES_MAX);
        let (text, mark) = (&text[..cut], if cut < text.len() { "…" } else { "" });
        if self.human && name == "message" {
            for character in text.chars().chain(mark.chars()) {
                push_printable(&mut self.head, character);
            }
        } else if self.human {
            self.name(name);
            let quoted = text.is_empty() || text.contains([' ', '"', '=']);
            if quoted {
                json_text(&mut self.fields, text, mark);
            } else {
                text.chars().chain(mark.chars()).for_each(|c| push_printable(&mut self.fields, c));
            }
        } else {
            self.name(name);
            json_text(&mut self.fields, text, mark);
        }
    }

    fn name(&mut self, name: &str) {
        let _infallible = if self.human {
            write!(self.fields, " \x1b[3m{name}\x1b[0m=")
        } else {
            write!(self.fields, ",\"{name}\":")
        };
    }

    fn plain(&mut self, name: &str, value: impl fmt::Display) {
        self.name(name);
        let _infallible = write!(self.fields, "{value}");
    }

    pub(super) fn into_bytes(self) -> Vec<u8> {
        self.fields
    }

    /// The whole line with its line feed.
    pub(super) fn finish(mut self) -> Vec<u8> {
        self.head.append(&mut self.fields);
        self.head.extend_from_slice(if self.human { b"\n" } else { b"}\n" });
        self.head
    }
}

/// A JSON string; `mark` follows the text within the quotes.
fn json_text(out: &mut Vec<u8>, text: &str, mark: &str) {
    if serde_json::to_writer(&mut *out, text).is_ok() && !mark.is_empty() {
        out.pop();
        out.extend_from_slice(mark.as_bytes());
        out.push(b'"');
    }
}

/// A line stays one line and no text moves the cursor of a terminal.
fn push_printable(out: &mut Vec<u8>, character: char) {
    let mut bytes = [0; 4];
    if character.is_control() {
        let _infallible = write!(out, "{}", character.escape_default());
    } else {
        out.extend_from_slice(character.encode_utf8(&mut bytes).as_bytes());
    }
}

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.text(field.name(), value);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let mut text = String::new();
        // A value whose `Debug` fails is shown as far as it came.
        let _partial = write!(text, "{value:?}");
        self.text(field.name(), &text);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        // An error's text never holds its source's, so the chain is written here, once.
        let mut text = value.to_string();
        let mut source = value.source();
        while let Some(error) = source {
            let _infallible = write!(text, ": {error}");
            source = error.source();
        }
        self.text(field.name(), &text);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.plain(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.plain(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.plain(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            self.plain(field.name(), value);
        } else {
            self.text(field.name(), &value.to_string());
        }
    }
}
