//! The default file: every key with its default, its meaning and its bounds, made from the structs.

use std::{collections::HashSet, fmt::Write as _};

use super::{Config, Key, Kind, section};
use crate::error::Tolerate as _;

const COLUMNS: usize = 100;

const HEAD: &str = "\
# Mainstay: every setting with its default. The program runs without this file.
# Printed by `mainstay config default`; keep of it only what you change.
#
# A key can also be set in the environment (db.url is MAINSTAY_DB__URL) and, first of all, with flags.
# `mainstay config explain KEY` shows the value in force and where it was set; `mainstay config check` tries a file.
";

/// The text of the default file for the sections that `config` was loaded with.
pub fn render(config: &Config) -> String {
    let mut text = String::from(HEAD);
    for section in config.sections.iter() {
        let mut explained = HashSet::new();
        for table in section.tables() {
            text.push('\n');
            comment(&mut text, &table.doc);
            line(&mut text, format_args!("[{}]", table.path));
            let direct = section.keys().iter().filter(|key| {
                key.path.rsplit_once('.').is_some_and(|(parent, _)| parent == table.path)
            });
            for key in direct {
                // Tables of one shape, as the rates are, explain their keys once.
                if explained.insert((key.doc.as_str(), key.kind.to_string())) {
                    comment(&mut text, &key.doc);
                    comment(&mut text, &bounds(key));
                }
                let name = key.path.rsplit('.').next().unwrap_or_default();
                line(&mut text, format_args!("{name} = {}", section::toml_text(&key.default)));
            }
        }
    }
    text
}

/// What may be written, where the default does not show it, and when it takes effect.
fn bounds(key: &Key) -> String {
    let bounded = match key.kind {
        Kind::Integer { min, max } => min > 0 || max < i64::MAX,
        Kind::Number { min, max } => min > f64::MIN || max < f64::MAX,
        _ => false,
    };
    let takes = bounded.then(|| format!("Takes {}.", key.kind));
    let reloads = key.reloads.then(|| "Changes without a restart.".to_owned());
    [takes, reloads].into_iter().flatten().collect::<Vec<_>>().join(" ")
}

fn line(text: &mut String, content: std::fmt::Arguments<'_>) {
    writeln!(text, "{content}").tolerate("a String takes everything");
}

/// Paragraphs as comment lines, wrapped at words.
fn comment(text: &mut String, doc: &str) {
    let paragraphs = doc.split("\n\n").map(str::trim).filter(|paragraph| !paragraph.is_empty());
    for (index, paragraph) in paragraphs.enumerate() {
        if index > 0 {
            text.push_str("#\n");
        }
        let mut width = 0;
        for word in paragraph.split_whitespace() {
            let letters = word.chars().count();
            if width > 0 && width + 1 + letters > COLUMNS {
                text.push('\n');
                width = 0;
            }
            text.push_str(if width == 0 { "# " } else { " " });
            width += letters + if width == 0 { 2 } else { 1 };
            text.push_str(word);
        }
        text.push('\n');
    }
}
