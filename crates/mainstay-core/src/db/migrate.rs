//! Migrations: numbered files in Postgres' DDL, from which the SQLite form is derived.
//!
//! On SQLite types become its own, tables become `strict`, and the schema's qualifier goes. Where the engines need
//! different statements, a file has sections: `--! postgres`, `--! sqlite`, `--! both`.

use mainstay_contract::ts::Ts;
use rusqlite::Connection;

use super::{DbError, outbox, sql::for_sqlite};

/// One file of `migrations/`; never edited after a release.
#[derive(Debug)]
pub struct Migration {
    /// Its number, ascending from 1 without gaps.
    pub version: i64,
    /// What it does.
    pub name: &'static str,
    /// Its text.
    pub text: &'static str,
}

/// Lists a service's migrations: `migrations![1 "posts", 2 "views"]` reads `migrations/0001_posts.sql`, ….
#[macro_export]
macro_rules! migrations {
    ($($version:literal $name:literal $file:literal),* $(,)?) => {
        &[$($crate::db::migrate::Migration { version: $version, name: $name, text: include_str!($file) }),*]
    };
}

/// The base tables and then the service's own, with numbers that do not meet.
fn all(service: &'static [Migration]) -> impl Iterator<Item = (String, &'static Migration)> {
    let base = outbox::MIGRATIONS
        .iter()
        .map(|migration| (format!("base {}", migration.version), migration));
    base.chain(service.iter().map(|migration| (format!("{}", migration.version), migration)))
}

pub(super) fn postgres_text(migration: &Migration, schema: &str) -> String {
    section(migration.text, "postgres").replace("{s}", schema)
}

fn sqlite_text(migration: &Migration, schema: &str) -> String {
    let text = section(migration.text, "sqlite").replace("{s}", schema);
    let mut out = String::with_capacity(text.len());
    let mut in_table = false;
    for line in text.lines() {
        // Comments go first: an apostrophe in one is not the start of a text.
        let code = for_sqlite(line.split("--").next().unwrap_or_default(), schema);
        in_table |= code.trim_start().starts_with("create table");
        if in_table && code.trim_end() == ");" {
            in_table = false;
            let rowless = if line.contains("without rowid") { ", without rowid" } else { "" };
            out.push_str(&format!(") strict{rowless};\n"));
            continue;
        }
        for (place, word) in
            code.split_inclusive(|c: char| !(c.is_alphanumeric() || c == '_')).enumerate()
        {
            let end = word.len()
                - word
                    .chars()
                    .last()
                    .filter(|c| !(c.is_alphanumeric() || *c == '_'))
                    .map_or(0, char::len_utf8);
            let (name, rest) = word.split_at(end);
            // The first word of a line in a table is a column's name, never a type.
            let kept = place == 0 && !name.is_empty();
            out.push_str(if kept { name } else { sqlite_type(name) });
            out.push_str(rest);
        }
        out.push('\n');
    }
    out
}

fn sqlite_type(word: &str) -> &str {
    match word {
        "uuid" | "bytea" => "blob",
        "timestamptz" | "bigint" | "boolean" => "integer",
        "jsonb" => "text",
        "double" => "real",
        "precision" => "",
        other => other,
    }
}

/// The lines that are meant for `engine`.
fn section(text: &str, engine: &str) -> String {
    let mut current = "both";
    let mut out = String::with_capacity(text.len());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix("--! ") {
            current = name.trim();
        } else if current == "both" || current == engine {
            out.push_str(line);
            out.push('\n');
        }
    }
    out
}

/// What stands in the way of a migration, in the words of an operator.
fn edited(schema: &'static str, version: &str) -> DbError {
    let message = format!(
        "migration {version} was changed after it was applied; use the release that applied it"
    );
    DbError::Migration { schema, message }
}

fn newer(schema: &'static str, version: &str) -> DbError {
    let message = format!(
        "the database has migration {version}, which this program does not know; use the newer release"
    );
    DbError::Migration { schema, message }
}

/// A short, stable mark of a text, to notice an edit.
fn mark(text: &str) -> i64 {
    let digest = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes());
    digest.as_ref().first_chunk::<8>().map_or(0, |eight| i64::from_be_bytes(*eight))
}

pub(super) fn sqlite(
    conn: &Connection,
    schema: &'static str,
    service: &'static [Migration],
    now: Ts,
) -> Result<(), DbError> {
    let failed = |error: rusqlite::Error| DbError::Migration { schema, message: error.to_string() };
    conn.execute_batch(
        "create table if not exists schema_migration (
            version text primary key, name text not null, mark integer not null, at integer not null) strict",
    )
    .map_err(failed)?;
    for (version, migration) in all(service) {
        let known = "select mark from schema_migration where version = ?1";
        let applied: Option<i64> = conn
            .query_row(known, [&version], |row| row.get(0))
            .map(Some)
            .or_else(|error| {
                if error == rusqlite::Error::QueryReturnedNoRows { Ok(None) } else { Err(error) }
            })
            .map_err(failed)?;
        match applied {
            Some(found) if found == mark(migration.text) => continue,
            Some(_) => return Err(edited(schema, &version)),
            None => {}
        }
        conn.execute_batch("begin immediate").map_err(failed)?;
        let result = conn.execute_batch(&sqlite_text(migration, schema)).and_then(|()| {
            conn.execute(
                "insert into schema_migration (version, name, mark, at) values (?1, ?2, ?3, ?4)",
                (&version, migration.name, mark(migration.text), now.as_micros()),
            )
        });
        if let Err(error) = result {
            drop(conn.execute_batch("rollback"));
            let message = format!("{version} ({}): {error}", migration.name);
            return Err(DbError::Migration { schema, message });
        }
        conn.execute_batch("commit").map_err(failed)?;
    }
    let mut statement = conn.prepare("select version from schema_migration").map_err(failed)?;
    let found = statement.query_map([], |row| row.get::<_, String>(0)).map_err(failed)?;
    for version in found {
        let version = version.map_err(failed)?;
        if !all(service).any(|(known, _)| known == version) {
            return Err(newer(schema, &version));
        }
    }
    Ok(())
}

pub(super) async fn postgres(
    client: &mut tokio_postgres::Client,
    schema: &'static str,
    service: &'static [Migration],
    now: Ts,
) -> Result<(), DbError> {
    let failed = |error: tokio_postgres::Error| {
        let message = error.as_db_error().map_or_else(|| error.to_string(), ToString::to_string);
        DbError::Migration { schema, message }
    };
    // One instance migrates at a time; the lock ends with the transaction.
    let transaction = client.transaction().await.map_err(failed)?;
    let lock = format!(
        "select pg_advisory_xact_lock(hashtext('mainstay migrations')); create schema if not exists {schema};
         create table if not exists {schema}.schema_migration (
            version text primary key, name text not null, mark bigint not null, at bigint not null)"
    );
    transaction.batch_execute(&lock).await.map_err(failed)?;
    let rows = transaction
        .query(&format!("select version, mark from {schema}.schema_migration"), &[])
        .await
        .map_err(failed)?;
    let applied: Vec<(String, i64)> = rows.iter().map(|row| (row.get(0), row.get(1))).collect();
    if let Some((version, _)) =
        applied.iter().find(|(found, _)| !all(service).any(|(known, _)| known == *found))
    {
        return Err(newer(schema, version));
    }
    for (version, migration) in all(service) {
        match applied.iter().find(|(found, _)| *found == version) {
            Some((_, found)) if *found == mark(migration.text) => continue,
            Some(_) => return Err(edited(schema, &version)),
            None => {}
        }
        transaction.batch_execute(&postgres_text(migration, schema)).await.map_err(failed)?;
        let insert = format!(
            "insert into {schema}.schema_migration (version, name, mark, at) values ($1, $2, $3, $4)"
        );
        let values: [&(dyn tokio_postgres::types::ToSql + Sync); 4] =
            [&version, &migration.name, &mark(migration.text), &now.as_micros()];
        transaction.execute(&insert, &values).await.map_err(failed)?;
    }
    transaction.commit().await.map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sqlite_gets_its_own_types_and_strict_tables() {
        let text = "-- Posts.\ncreate table feed.post (\n    id uuid primary key, -- the id\n    at timestamptz not null,\n    score double precision\n);\n--! postgres\ncreate index a on feed.post using gin (at);\n";
        let derived = sqlite_text(&Migration { version: 1, name: "posts", text }, "feed");
        assert!(derived.contains("create table post ("), "{derived}");
        assert!(derived.contains("id blob primary key"), "{derived}");
        assert!(derived.contains("at integer not null"), "{derived}");
        assert!(derived.contains("score real"), "{derived}");
        assert!(derived.contains(") strict;"), "{derived}");
        assert!(!derived.contains("gin"), "{derived}");
    }
}
