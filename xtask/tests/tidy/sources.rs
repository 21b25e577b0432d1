//! How a source file looks.

use crate::tree::File;

const LINES_MAX: usize = 500;
const TEST_LINES_MAX: usize = 800;
/// Of comments, except rows of a table. Code is as wide as rustfmt makes it; texts and statements in it are as long
/// as they are.
const COLUMNS_MAX: usize = 120;

fn rust(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| file.is_rust())
}

fn is_test(file: &File) -> bool {
    file.path.contains("/tests/") || file.path.ends_with("/tests.rs")
}

pub(crate) fn module_doc(files: &[File]) -> Vec<String> {
    let missing = |file: &&File| {
        let said = file.text.lines().next().and_then(|line| line.strip_prefix("//! "));
        !said.is_some_and(|said| said.contains(char::is_alphabetic))
    };
    rust(files)
        .filter(missing)
        .map(|file| format!("{}: the first line must say what the file is: `//! …`", file.path))
        .collect()
}

pub(crate) fn size(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in rust(files) {
        let max = if is_test(file) { TEST_LINES_MAX } else { LINES_MAX };
        let lines = file.text.lines().count();
        if lines > max {
            faults.push(format!("{}: {lines} lines, at most {max}; is it one subject?", file.path));
        }
        for (index, line) in file.text.lines().enumerate() {
            let columns = line.chars().count();
            let comment = line.trim_start().starts_with("//") && !line.ends_with('|');
            if columns > COLUMNS_MAX && comment {
                faults
                    .push(format!("{}: {columns} columns, at most {COLUMNS_MAX}", file.at(index)));
            }
        }
    }
    faults
}

/// `mod.rs` says nothing in a list of open files, and `utils` is where things go that have no subject.
pub(crate) fn file_names(files: &[File]) -> Vec<String> {
    let bad = ["mod.rs", "utils.rs", "util.rs", "helpers.rs", "common.rs", "misc.rs"];
    rust(files)
        .filter(|file| bad.contains(&file.path.rsplit('/').next().unwrap_or_default()))
        .map(|file| format!("{}: name the file after its one subject", file.path))
        .collect()
}

/// What no file may contain, and why.
const FORBIDDEN: &[(&str, &str)] = &[
    ("#[ignore", "a test that does not run proves nothing"),
    ("todo!(", "finish it"),
    ("unimplemented!(", "finish it"),
    (
        "env!(\"CARGO_MANIFEST_DIR\")",
        "what is built here may run for another checkout; ask `std::env` for it",
    ),
    ("#[allow(", "use #[expect(.., reason = \"..\")], which ends when it is not needed"),
    ("#![allow(", "use #![expect(.., reason = \"..\")], which ends when it is not needed"),
];

pub(crate) fn forbidden(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in rust(files).filter(|file| !file.is_tidy()) {
        let mut in_tests = is_test(file);
        // In a test with a paused clock a sleep takes no time and always the same.
        let mut paused = false;
        for (index, line) in file.text.lines().enumerate() {
            in_tests |= line.trim() == "#[cfg(test)]";
            if line.trim_start().starts_with("#[tokio::test") {
                paused = line.contains("start_paused = true");
            }
            if line.trim_start().starts_with("//") {
                if line.contains("```ignore") || line.contains("```rust,ignore") {
                    faults.push(format!(
                        "{}: an ignored example; let it run, or mark it `text`",
                        file.at(index)
                    ));
                }
                continue;
            }
            for (word, why) in FORBIDDEN {
                if line.contains(word) {
                    faults.push(format!("{}: `{word}`: {why}", file.at(index)));
                }
            }
            if in_tests && !paused && line.contains("sleep(") {
                faults
                    .push(format!("{}: wait for a condition, or pause the clock", file.at(index)));
            }
        }
    }
    faults
}

/// What an engine may not name: it decides, others act.
const IMPURE: &[&str] = &[
    "tokio",
    "std::fs",
    "std::net",
    "std::thread",
    "std::process",
    "SystemTime",
    "Instant",
    "::clock",
];

pub(crate) fn pure_engines(files: &[File]) -> Vec<String> {
    let engine =
        |file: &&File| file.path.contains("/src/engine/") || file.path.ends_with("/src/engine.rs");
    let mut faults = Vec::new();
    for file in rust(files).filter(engine) {
        for (index, line) in file.text.lines().enumerate() {
            let comment = line.trim_start().starts_with("//");
            for word in IMPURE.iter().filter(|word| !comment && line.contains(**word)) {
                faults.push(format!(
                    "{}: an engine has no `{word}`; take it as an input",
                    file.at(index)
                ));
            }
        }
    }
    faults
}

/// Folders of a developer's machine, written in two halves so that this file may be read like any other.
const FOREIGN: &[&str] = &[concat!("/wo", "rk/"), concat!("/ho", "me/"), concat!("/Us", "ers/")];

pub(crate) fn foreign_paths(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files {
        for (index, line) in file.text.lines().enumerate() {
            for word in FOREIGN.iter().filter(|word| line.contains(**word)) {
                faults.push(format!("{}: `{word}` is a path of one machine", file.at(index)));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(rule: fn(&[File]) -> Vec<String>, path: &str, text: &str) -> usize {
        rule(&[File::new(path, text)]).len()
    }

    #[test]
    fn a_file_without_a_first_line_of_doc_is_a_fault() {
        for bad in ["", "use std::fs;", "//!", "//! .", "// Posts.", "\n//! Posts."] {
            assert_eq!(faults(module_doc, "crates/a/src/b.rs", bad), 1, "{bad:?}");
        }
        assert_eq!(faults(module_doc, "crates/a/src/b.rs", "//! Posts.\n"), 0);
        assert_eq!(faults(module_doc, "README.md", "Posts"), 0);
    }

    #[test]
    fn long_files_and_long_lines_are_faults() {
        assert_eq!(faults(size, "crates/a/src/b.rs", &"x\n".repeat(LINES_MAX)), 0);
        assert_eq!(faults(size, "crates/a/src/b.rs", &"x\n".repeat(LINES_MAX + 1)), 1);
        assert_eq!(faults(size, "crates/a/tests/it/b.rs", &"x\n".repeat(LINES_MAX + 1)), 0);
        assert_eq!(faults(size, "crates/a/tests/it/b.rs", &"x\n".repeat(TEST_LINES_MAX + 1)), 1);
        let comment = |columns: usize| format!("// {}", "é".repeat(columns - 3));
        assert_eq!(faults(size, "crates/a/src/b.rs", &comment(COLUMNS_MAX)), 0);
        assert_eq!(faults(size, "crates/a/src/b.rs", &comment(COLUMNS_MAX + 1)), 1);
    }

    #[test]
    fn files_named_after_nothing_are_faults() {
        assert_eq!(faults(file_names, "crates/a/src/db/mod.rs", ""), 1);
        assert_eq!(faults(file_names, "crates/a/src/utils.rs", ""), 1);
        assert_eq!(faults(file_names, "crates/a/src/model.rs", ""), 0);
    }

    #[test]
    fn unfinished_ignored_and_sleeping_code_is_a_fault() {
        for (word, _) in FORBIDDEN {
            assert_eq!(faults(forbidden, "crates/a/src/b.rs", &format!("    {word}")), 1, "{word}");
        }
        assert_eq!(faults(forbidden, "crates/a/src/b.rs", "/// ```ignore"), 1);
        assert_eq!(faults(forbidden, "crates/a/src/b.rs", "/// ```text"), 0);
        let sleep = "tokio::time::sleep(SECOND).await;";
        assert_eq!(faults(forbidden, "crates/a/tests/it/b.rs", sleep), 1);
        assert_eq!(faults(forbidden, "crates/a/src/b.rs", &format!("#[cfg(test)]\n{sleep}")), 1);
        let test =
            |attribute: &str| format!("#[tokio::test{attribute}]\nasync fn a() {{\n{sleep}\n}}");
        assert_eq!(faults(forbidden, "crates/a/tests/it/b.rs", &test("")), 1);
        assert_eq!(faults(forbidden, "crates/a/tests/it/b.rs", &test("(start_paused = true)")), 0);
        assert_eq!(faults(forbidden, "crates/a/src/b.rs", sleep), 0);
    }

    #[test]
    fn an_engine_that_knows_the_time_or_a_file_is_a_fault() {
        let path = "crates/svc-kv/src/engine/raft.rs";
        assert_eq!(faults(pure_engines, path, "use std::time::Instant;"), 1);
        assert_eq!(faults(pure_engines, path, "use tokio::sync::mpsc;"), 1);
        assert_eq!(
            faults(pure_engines, path, "// no tokio here\nuse std::collections::BTreeMap;"),
            0
        );
        assert_eq!(
            faults(pure_engines, "crates/svc-kv/src/service.rs", "use tokio::sync::mpsc;"),
            0
        );
    }

    #[test]
    fn a_path_of_one_machine_is_a_fault() {
        for word in FOREIGN {
            assert_eq!(faults(foreign_paths, "README.md", &format!("see {word}x")), 1);
        }
        assert_eq!(faults(foreign_paths, "README.md", "GET /api/v1/timelines/home"), 0);
    }
}
