//! Who may depend on whom, and what every crate inherits.

use toml::{Table, Value};

use crate::tree::File;

/// Tiers, lowest first; a crate names only crates of a lower tier. A service has tier 3 by its name.
const TIERS: &[(&str, u8)] = &[
    ("mainstay-contract", 0),
    ("mainstay-core", 1),
    ("mainstay-console", 2),
    ("mainstay-testkit", 2),
    ("mainstay", 4),
];
const TESTKIT: &str = "mainstay-testkit";

fn tier(name: &str) -> Option<u8> {
    if name.starts_with("svc-") {
        return Some(3);
    }
    TIERS.iter().find(|(known, _)| *known == name).map(|(_, tier)| *tier)
}

fn manifests(files: &[File]) -> impl Iterator<Item = (&File, Table)> {
    let manifests = files.iter().filter(|file| file.path.ends_with("/Cargo.toml"));
    manifests.map(|file| (file, file.text.parse().unwrap()))
}

/// Names and entries of one kind of dependency.
fn dependencies<'a>(
    manifest: &'a Table,
    kind: &str,
) -> impl Iterator<Item = (&'a String, &'a Value)> {
    manifest.get(kind).and_then(Value::as_table).into_iter().flatten()
}

pub(crate) fn direction(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, manifest) in manifests(files) {
        let Some(folder) = file.path.strip_prefix("crates/") else { continue };
        let name = manifest["package"]["name"].as_str().unwrap();
        if folder != format!("{name}/Cargo.toml") {
            faults.push(format!("{}: the folder is not named as the crate", file.path));
        }
        let Some(own) = tier(name) else {
            faults.push(format!(
                "{}: `{name}` has no tier; give it one in tidy/manifests.rs",
                file.path
            ));
            continue;
        };
        for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
            for (other, _) in dependencies(&manifest, kind) {
                let Some(its) = tier(other) else { continue };
                let in_tests = kind == "dev-dependencies";
                if other == TESTKIT && !in_tests {
                    faults
                        .push(format!("{}: {TESTKIT} is for tests: [dev-dependencies]", file.path));
                } else if its >= own && !(other == TESTKIT && in_tests) {
                    faults.push(format!(
                        "{}: `{name}` (tier {own}) names `{other}` (tier {its}); only lower tiers may be named",
                        file.path
                    ));
                }
            }
        }
    }
    faults
}

pub(crate) fn inheritance(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for (file, manifest) in manifests(files) {
        let inherits = |section: Option<&Value>| {
            section.and_then(|section| section.get("workspace")).and_then(Value::as_bool)
                == Some(true)
        };
        if !inherits(manifest.get("lints")) {
            faults.push(format!("{}: `[lints] workspace = true` is missing", file.path));
        }
        for key in ["version", "edition", "rust-version", "license", "publish"] {
            if !inherits(manifest["package"].get(key)) {
                faults.push(format!("{}: `{key}.workspace = true` is missing", file.path));
            }
        }
        for kind in ["dependencies", "build-dependencies", "dev-dependencies"] {
            for (other, entry) in dependencies(&manifest, kind) {
                if !inherits(Some(entry)) {
                    faults.push(format!(
                        "{}: the version of `{other}` belongs into the root's [workspace.dependencies]",
                        file.path
                    ));
                }
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest(name: &str, rest: &str) -> File {
        let text = format!("[package]\nname = \"{name}\"\n{rest}");
        File::new(&format!("crates/{name}/Cargo.toml"), &text)
    }

    #[test]
    fn a_service_that_names_a_service_or_the_program_is_a_fault() {
        for other in ["svc-boards", "mainstay"] {
            let bad = manifest("svc-feed", &format!("[dependencies]\n{other}.workspace = true"));
            assert_eq!(direction(&[bad]).len(), 1, "{other}");
        }
        let good = manifest("svc-feed", "[dependencies]\nmainstay-core.workspace = true");
        assert_eq!(direction(&[good]), Vec::<String>::new());
    }

    #[test]
    fn the_testkit_is_a_fault_outside_dev_dependencies() {
        let line = "mainstay-testkit.workspace = true";
        assert_eq!(direction(&[manifest("mainstay", &format!("[dependencies]\n{line}"))]).len(), 1);
        let good = manifest("mainstay-core", &format!("[dev-dependencies]\n{line}"));
        assert_eq!(direction(&[good]), Vec::<String>::new());
    }

    #[test]
    fn a_crate_without_a_tier_is_a_fault() {
        assert_eq!(direction(&[manifest("mainstay-extra", "")]).len(), 1);
    }

    #[test]
    fn an_own_version_and_missing_lints_are_faults() {
        let keys =
            "version.workspace = true\nedition.workspace = true\nrust-version.workspace = true
            license.workspace = true\npublish.workspace = true\n";
        let good = format!("{keys}[lints]\nworkspace = true\n[dependencies]\n");
        assert_eq!(inheritance(&[manifest("a", &good)]), Vec::<String>::new());
        assert_eq!(inheritance(&[manifest("a", &format!("{good}serde = \"1\"\n"))]).len(), 1);
        assert_eq!(inheritance(&[manifest("a", keys)]).len(), 1);
        assert_eq!(inheritance(&[manifest("a", "[lints]\nworkspace = true\n")]).len(), 5);
    }
}
