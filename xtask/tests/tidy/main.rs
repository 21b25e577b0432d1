//! The house rules that a program can check. Each rule reads the whole tree and returns its faults; each has a test
//! of its own that shows it failing. CONTRIBUTING.md says why the rules are as they are.
#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

mod manifests;
mod migrations;
mod sources;
mod sql;
mod tree;

use tree::File;

fn holds(rule: fn(&[File]) -> Vec<String>) {
    let faults = rule(&tree::read());
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn crates_depend_only_downwards() {
    holds(manifests::direction);
}

#[test]
fn manifests_inherit_lints_and_versions() {
    holds(manifests::inheritance);
}

#[test]
fn a_service_names_only_its_own_tables() {
    holds(sql::own_schema);
}

#[test]
fn statements_stand_in_the_store() {
    holds(sql::only_in_store);
}

#[test]
fn migrations_say_what_each_table_is() {
    holds(migrations::commented);
}

#[test]
fn migrations_are_numbered_without_gaps() {
    holds(migrations::numbered);
}

#[test]
fn files_begin_with_what_they_are() {
    holds(sources::module_doc);
}

#[test]
fn files_and_lines_are_short() {
    holds(sources::size);
}

#[test]
fn no_file_is_named_mod_or_utils() {
    holds(sources::file_names);
}

#[test]
fn nothing_is_unfinished_ignored_or_slept() {
    holds(sources::forbidden);
}

#[test]
fn engines_are_pure() {
    holds(sources::pure_engines);
}

#[test]
fn no_path_of_somebodys_machine_is_named() {
    holds(sources::foreign_paths);
}
