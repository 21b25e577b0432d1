//! Statements: constants with one text, or one for each engine where the dialects differ.

use std::sync::OnceLock;

/// A statement. Tables are written with their schema (`feed.post`), parameters as `$1`, `$2`, ….
///
/// On SQLite the schema is the file, so the qualifier is taken out, and `$1` becomes `?1`.
#[derive(Debug)]
pub struct Sql {
    postgres: &'static str,
    sqlite: &'static str,
    sqlite_ready: OnceLock<Box<str>>,
}

impl Sql {
    /// One text for both engines.
    pub const fn new(text: &'static str) -> Self {
        Self::per_engine(text, text)
    }

    /// A text for each engine; both take the same parameters and return the same columns.
    pub const fn per_engine(postgres: &'static str, sqlite: &'static str) -> Self {
        Self { postgres, sqlite, sqlite_ready: OnceLock::new() }
    }

    /// The Postgres text; also the statement's name in errors and slow logs.
    pub const fn text(&self) -> &'static str {
        self.postgres
    }

    /// The SQLite text, ready to be prepared.
    pub(super) fn sqlite(&self, schema: &str) -> &str {
        self.sqlite_ready.get_or_init(|| for_sqlite(self.sqlite, schema).into_boxed_str())
    }
}

/// Takes `schema.` out, turns `$1` into `?1` and makes one space of many, outside of quoted text. Prepared statements
/// are found by their text, so a shorter one is found sooner.
pub(super) fn for_sqlite(text: &str, schema: &str) -> String {
    let qualifier = format!("{schema}.");
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut quoted = false;
    let mut before = ' ';
    while let Some(next) = rest.chars().next() {
        let starts_word = !(before.is_alphanumeric() || before == '_' || before == '.');
        if !quoted && starts_word && rest.starts_with(&qualifier) {
            rest = rest.get(qualifier.len()..).unwrap_or_default();
            before = '.';
            continue;
        }
        quoted ^= next == '\'';
        if !quoted && next.is_whitespace() {
            if !before.is_whitespace() {
                out.push(' ');
            }
            before = ' ';
            rest = rest.get(next.len_utf8()..).unwrap_or_default();
            continue;
        }
        out.push(if next == '$' && !quoted { '?' } else { next });
        before = next;
        rest = rest.get(next.len_utf8()..).unwrap_or_default();
    }
    out
}

/// Declares statements as `static`s and lists them all, so that a test prepares each on both engines.
///
/// ```text
/// statements! {
///     /// The post with this id.
///     POST = "select … from feed.post where id = $1";
///     /// Posts with these ids.
///     POSTS = "… = any($1)", sqlite "… in (select unhex(value) from json_each($1))";
/// }
/// ```
#[macro_export]
macro_rules! statements {
    ($($(#[$doc:meta])* $name:ident = $text:expr $(, sqlite $lite:expr)? ;)*) => {
        $($(#[$doc])* pub static $name: $crate::db::Sql = $crate::statements!(@ $text $(, $lite)?);)*
        /// Every statement of this module.
        pub static STATEMENTS: &[&$crate::db::Sql] = &[$(&$name),*];
    };
    (@ $text:expr) => { $crate::db::Sql::new($text) };
    (@ $text:expr, $lite:expr) => { $crate::db::Sql::per_engine($text, $lite) };
}

#[cfg(test)]
mod tests {
    use super::for_sqlite;

    #[test]
    fn the_schema_goes_and_parameters_change_their_sign() {
        assert_eq!(
            for_sqlite(
                "select post.id, 'feed.$1  ' from\n    feed.post where id = $1 and newfeed.x",
                "feed"
            ),
            "select post.id, 'feed.$1  ' from post where id = ?1 and newfeed.x"
        );
    }
}
