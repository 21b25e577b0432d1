//! Which statements stand where.

use crate::tree::File;

/// Words after which a statement names a table.
const BEFORE_A_TABLE: &[&str] =
    &["from", "join", "into", "update", "table", "references", "on", "exists"];

/// The service whose source or migration this is.
fn service(file: &File) -> Option<&str> {
    file.path.strip_prefix("crates/svc-")?.split('/').next()
}

fn is_store(file: &File) -> bool {
    file.path.contains("/src/store") || file.path.ends_with("/store.rs")
}

/// A test may look at rows in its own way.
fn is_test(file: &File) -> bool {
    file.path.ends_with("/tests.rs") || file.path.contains("/tests/")
}

/// A service reads and writes no schema but its own: what another knows, it tells in a fact.
pub(crate) fn own_schema(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| is_store(file) || file.path.contains("/migrations/")) {
        let Some(own) = service(file) else { continue };
        for (index, line) in file.text.lines().enumerate() {
            for (schema, table) in tables(line).into_iter().filter(|(schema, _)| *schema != own) {
                faults.push(format!(
                    "{}: `{schema}.{table}` is another's table; svc-{own} has only `{own}.*`",
                    file.at(index)
                ));
            }
        }
    }
    faults
}

/// The tables with a schema that a line names, as (schema, table).
fn tables(line: &str) -> Vec<(&str, &str)> {
    let line = line.trim_start();
    if line.starts_with("//") || line.starts_with("--") {
        return Vec::new();
    }
    let words: Vec<&str> = line
        .split(|c: char| c.is_whitespace() || "\"',;".contains(c))
        .filter(|word| !word.is_empty())
        .collect();
    let mut tables = Vec::new();
    for (index, pair) in words.windows(2).enumerate() {
        let [before, name] = pair else { continue };
        let before = before.to_ascii_lowercase();
        if !BEFORE_A_TABLE.contains(&before.as_str()) {
            continue;
        }
        // `is distinct from p.score` compares; it names no table.
        let earlier = index.checked_sub(1).and_then(|index| words.get(index));
        if before == "from" && earlier.is_some_and(|word| word.eq_ignore_ascii_case("distinct")) {
            continue;
        }
        let Some((schema, rest)) = name.split_once('.') else { continue };
        let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(rest.len());
        let (table, after) = rest.split_at(end);
        // `on` stands before a table in `create index … on feed.post (…)`, and before a column of an alias in a join.
        let next = words.get(index + 2).copied().unwrap_or_default();
        let indexed = [after, next].iter().any(|word| word.starts_with('(') || *word == "using");
        if before == "on" && !indexed {
            continue;
        }
        let is_name = |word: &str| {
            !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
        };
        if is_name(schema) && is_name(table) {
            tables.push((schema, table));
        }
    }
    tables
}

/// How statements begin; what only looks like one is rare enough to be worded otherwise.
const STATEMENTS: &[&str] =
    &["insert into ", "delete from ", "select 1", "select count", "returning "];

/// Statements stand in `store.rs` and its folder alone, so that a table's readers are found by reading one place.
pub(crate) fn only_in_store(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| file.is_rust() && file.path.contains("/src/")) {
        if service(file).is_none() || is_store(file) || is_test(file) {
            continue;
        }
        for (index, line) in file.text.lines().enumerate() {
            let line = line.trim_start().to_ascii_lowercase();
            let begins =
                |word: &&str| line.starts_with(*word) || line.contains(&format!("\"{word}"));
            if !line.starts_with("//") && STATEMENTS.iter().any(begins) {
                faults.push(format!("{}: a statement outside the store", file.at(index)));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store(statement: &str) -> File {
        File::new("crates/svc-feed/src/store/posts.rs", statement)
    }

    #[test]
    fn a_statement_on_another_schema_is_a_fault() {
        for bad in [
            "\"select id from core.account\"",
            "  left join boards.entry e on e.id = p.id",
            "INSERT INTO tracker.issue (id) values ($1)",
            "update core.account set handle = $1",
            "delete from kv.cell where true",
            "create index a on lake.event (at)",
            "create index a on lake.event using gin (tags)",
            "author uuid references core.account(id)",
            "create table if not exists boards.entry (",
        ] {
            assert_eq!(own_schema(&[store(bad)]).len(), 1, "{bad}");
        }
    }

    #[test]
    fn own_tables_aliases_and_comments_are_no_fault() {
        for good in [
            "select p.id from feed.post p join feed.like l on l.post = p.id",
            "on conflict (id) do update set score = excluded.score",
            "where p.score is distinct from excluded.score",
            "// taken from model.rs",
            "create index post_author on feed.post (author)",
            "insert into feed.post(id) values ($1)",
        ] {
            assert_eq!(own_schema(&[store(good)]), Vec::<String>::new(), "{good}");
        }
    }

    #[test]
    fn migrations_are_read_too() {
        let bad = File::new("crates/svc-feed/migrations/0001_x.sql", "create table boards.entry (");
        assert_eq!(own_schema(&[bad]).len(), 1);
    }

    #[test]
    fn a_statement_outside_the_store_is_a_fault() {
        let file = |path: &str| File::new(path, "tx.run(\"insert into feed.post values ($1)\")");
        assert_eq!(only_in_store(&[file("crates/svc-feed/src/service.rs")]).len(), 1);
        assert_eq!(only_in_store(&[file("crates/svc-feed/src/store.rs")]), Vec::<String>::new());
    }
}
