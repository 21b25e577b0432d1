//! What the program prints: results on standard output, errors on standard error.

use std::io::{self, ErrorKind, Write as _};

use anyhow::Context as _;
use serde::Serialize;

/// Prints `text` and an end of line. A reader that has gone, as in `… | head`, is no error.
pub(crate) fn line(text: &str) -> anyhow::Result<()> {
    let mut out = io::stdout().lock();
    match out
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(b"\n"))
        .and_then(|()| out.flush())
    {
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("write to standard output"),
    }
}

/// Prints a value as JSON.
pub(crate) fn json(value: &impl Serialize) -> anyhow::Result<()> {
    line(&serde_json::to_string_pretty(value).context("write the result as JSON")?)
}

/// Tells an error to the person, or to the program that asked for JSON.
pub(crate) fn error(text: &str) {
    use mainstay_core::error::Tolerate as _;
    writeln!(io::stderr().lock(), "{text}").tolerate("there is nowhere else to say it");
}

/// Overwrites the present line of a terminal on standard error; an empty text clears it.
pub(crate) fn overwrite(text: &str) {
    use mainstay_core::error::Tolerate as _;
    let mut err = io::stderr().lock();
    write!(err, "\r{text}\x1b[K").and_then(|()| err.flush()).tolerate("there is nowhere to draw");
}

/// Rows below their titles, in columns as wide as they need to be.
pub(crate) fn table(titles: &[&str], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count());
        cells.chain(titles.get(column).map(|title| title.len())).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..titles.len()).map(width).collect();
    let print = |cells: Vec<&str>| {
        let padded: Vec<String> =
            cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        padded.join("  ").trim_end().to_owned()
    };
    let mut lines = vec![print(titles.to_vec())];
    lines.extend(rows.iter().map(|row| print(row.iter().map(String::as_str).collect())));
    lines.join("\n")
}
