//! Every released fact is still read as it was written, and still written as it was.
//!
//! `golden/NAME.json` holds examples of a fact: an array with every variant of its enums, and each optional field with
//! and without a value.
#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use mainstay_contract::{Fact, Visit, visit_facts};

fn folder(name: &str) -> PathBuf {
    Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").unwrap()).join(name)
}

fn files(folder: &Path) -> Vec<PathBuf> {
    fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// What is wrong with the examples of each fact.
#[derive(Default)]
struct Compared {
    faults: Vec<String>,
    /// The facts that were visited, and whether they have examples.
    known: BTreeMap<&'static str, bool>,
}

impl Visit for Compared {
    fn fact<F: Fact>(&mut self) {
        let name = F::NAME;
        let examples = fs::read_to_string(folder("tests/golden").join(format!("{name}.json")));
        self.known.insert(name, examples.is_ok());
        let Ok(examples) = examples else {
            self.faults.push(format!(
                "`{name}` has no examples. Write tests/golden/{name}.json: an array of it as JSON, with every variant of \
                 its enums, and each optional field with and without a value. From then on it is never changed."
            ));
            return;
        };
        let rule = "A released fact is never changed: declare a new version beside it, and take the old one as well.";
        match serde_json::from_str::<Vec<F>>(&examples) {
            Ok(facts) if facts.is_empty() => {
                self.faults.push(format!("tests/golden/{name}.json holds no example."));
            }
            Ok(facts) => {
                let written = serde_json::to_string_pretty(&facts).unwrap() + "\n";
                if written != examples {
                    self.faults.push(format!(
                        "`{name}` is no longer written as it was. {rule} It was:\n{examples}and is:\n{written}"
                    ));
                }
            }
            Err(error) => {
                self.faults.push(format!("`{name}` is no longer read as it was: {error}. {rule}"));
            }
        }
    }
}

#[test]
fn every_released_fact_still_reads_and_is_written_the_same() {
    let mut compared = Compared::default();
    visit_facts(&mut compared);
    for file in files(&folder("tests/golden")) {
        let name = file.file_stem().unwrap().to_string_lossy().into_owned();
        if !compared.known.contains_key(&*name) {
            compared.faults.push(format!(
                "tests/golden/{name}.json is of no fact. One that was released stays readable: keep its type."
            ));
        }
    }
    assert!(compared.faults.is_empty(), "{}", compared.faults.join("\n\n"));
}

/// A fact that is declared where nobody visits it would have no examples and nobody would notice.
#[test]
fn every_fact_in_the_sources_is_visited() {
    let mut compared = Compared::default();
    visit_facts(&mut compared);
    let is_name = |text: &&str| {
        let parts: Vec<&str> = text.split('.').collect();
        matches!(parts[..], [service, what, version]
            if [service, what].iter().all(|part| {
                !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            }) && version.strip_prefix('v').is_some_and(|n| n.parse::<u32>().is_ok()))
    };
    let mut declared = BTreeSet::new();
    for file in files(&folder("src")) {
        let text = fs::read_to_string(&file).unwrap();
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
        declared.extend(code.flat_map(|line| {
            line.split('"')
                .skip(1)
                .step_by(2)
                .filter(is_name)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        }));
    }
    let visited: BTreeSet<String> = compared.known.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(declared, visited, "declare facts with `facts!`, and visit their module in lib.rs");
}
