//! `cargo xtask new-service`: a service that works, to be changed into the one that is wanted.

use std::fs;
use std::path::Path;

use anyhow::{Context, bail};

use crate::run::{cargo, root, run as run_command};

/// Write a new service: the folder crates/svc-NAME with one route and its test, the three lines that make it part of
/// the program, and its settings in mainstay.default.toml.
///
/// For example: cargo xtask new-service notes
#[derive(clap::Args)]
pub(crate) struct Args {
    /// A noun of small letters; it becomes the schema, the configuration section and the path under /api/v1.
    name: String,
}

/// Paths in the crate's folder, and their texts with `{{name}}` and `{{Name}}`.
const TEMPLATES: &[(&str, &str)] = &[
    ("Cargo.toml", include_str!("../templates/service/Cargo.toml.tmpl")),
    ("src/lib.rs", include_str!("../templates/service/src/lib.rs.tmpl")),
    ("src/api.rs", include_str!("../templates/service/src/api.rs.tmpl")),
    ("src/service.rs", include_str!("../templates/service/src/service.rs.tmpl")),
    ("src/model.rs", include_str!("../templates/service/src/model.rs.tmpl")),
    ("src/store.rs", include_str!("../templates/service/src/store.rs.tmpl")),
    ("src/events.rs", include_str!("../templates/service/src/events.rs.tmpl")),
    ("src/error.rs", include_str!("../templates/service/src/error.rs.tmpl")),
    (
        "migrations/0001_entries.sql",
        include_str!("../templates/service/migrations/0001_entries.sql.tmpl"),
    ),
    ("tests/it/main.rs", include_str!("../templates/service/tests/it/main.rs.tmpl")),
];

/// The files with one line for each service. The line of `feed` is the pattern, so a new one always fits its
/// neighbours.
const LISTS: [(&str, &str); 3] = [
    ("Cargo.toml", "svc-feed = "),
    ("crates/mainstay/Cargo.toml", "svc-feed.workspace"),
    ("crates/mainstay/src/services.rs", "svc_feed::SERVICE"),
];

const NAME_LEN_MAX: usize = 24;

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    for path in write(&root()?, &args.name)? {
        println!("{path}");
    }
    // Lines break elsewhere for a longer or shorter name.
    run_command(&mut cargo(["fmt", "--package", &format!("svc-{}", args.name)])?)?;
    // Its settings belong into the file that lists all of them, which a test compares.
    let listed = cargo(["run", "--quiet", "--package", "mainstay", "--", "config", "default"])?
        .output()
        .context("list the settings")?;
    if !listed.status.success() {
        bail!("the new service does not build: {}", String::from_utf8_lossy(&listed.stderr));
    }
    fs::write(root()?.join("mainstay.default.toml"), listed.stdout)
        .context("write mainstay.default.toml")?;
    println!("mainstay.default.toml");
    println!(
        "next: cargo xtask test -- -p svc-{0}; then make crates/svc-{0}/src/lib.rs say what it is",
        args.name
    );
    Ok(())
}

/// Writes the service into the repository at `root`; returns what was written or changed. Checks first, so that a
/// refusal changes nothing.
fn write(root: &Path, name: &str) -> anyhow::Result<Vec<String>> {
    if !(2..=NAME_LEN_MAX).contains(&name.len())
        || !name.bytes().all(|byte| byte.is_ascii_lowercase())
    {
        bail!("`{name}` is not 2 to {NAME_LEN_MAX} small letters, such as `notes`");
    }
    let folder = format!("crates/svc-{name}");
    if root.join(&folder).exists() {
        bail!("{folder} is there already");
    }
    let mut changes = Vec::new();
    for (path, pattern) in &LISTS {
        let text = fs::read_to_string(root.join(path)).with_context(|| format!("read {path}"))?;
        let text = with_line(&text, pattern, name).with_context(|| {
            format!("{path}: find the line with `{pattern}` to write one like it")
        })?;
        changes.push(((*path).to_owned(), text));
    }
    for (path, template) in TEMPLATES {
        changes.push((format!("{folder}/{path}"), fill(template, name)));
    }
    for (path, text) in &changes {
        let file = root.join(path);
        if let Some(folder) = file.parent() {
            fs::create_dir_all(folder).with_context(|| format!("make the folder of {path}"))?;
        }
        fs::write(file, text).with_context(|| format!("write {path}"))?;
    }
    Ok(changes.into_iter().map(|(path, _)| path).collect())
}

fn fill(template: &str, name: &str) -> String {
    template.replace("{{name}}", name).replace("{{Name}}", &capitalised(name))
}

fn capitalised(name: &str) -> String {
    let (first, rest) = name.split_at(1);
    first.to_ascii_uppercase() + rest
}

/// The text with a copy of the line that has `pattern`, for `name` instead of `feed`, after it.
fn with_line(text: &str, pattern: &str, name: &str) -> Option<String> {
    let line = text.lines().find(|line| line.contains(pattern))?;
    let copy = line.replace("feed", name).replace("Feed", &capitalised(name));
    Some(text.replacen(line, &format!("{line}\n{copy}"), 1))
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use std::path::PathBuf;

    use super::*;

    #[test]
    fn a_line_is_copied_from_its_neighbour() {
        let text = "a\n    svc_feed::SERVICE,\n]\n";
        let expected = "a\n    svc_feed::SERVICE,\n    svc_notes::SERVICE,\n]\n";
        assert_eq!(with_line(text, "svc_feed::SERVICE", "notes").unwrap(), expected);
        assert_eq!(with_line("a\n", "svc_feed::SERVICE", "notes"), None);
    }

    #[test]
    fn a_bad_or_used_name_changes_nothing() {
        for bad in ["", "a", "Notes", "no-tes", "feed", "../x"] {
            let error = write(&root().unwrap(), bad).unwrap_err().to_string();
            assert!(error.contains("small letters") || error.contains("already"), "{error}");
        }
    }

    #[test]
    fn every_template_is_listed() {
        let mut files = Vec::new();
        let folder = root().unwrap().join("xtask/templates/service");
        copy(&folder, &folder, &mut |path, _| files.push(path.to_owned()));
        let mut listed: Vec<_> =
            TEMPLATES.iter().map(|(path, _)| PathBuf::from(format!("{path}.tmpl"))).collect();
        files.sort();
        listed.sort();
        assert_eq!(files, listed);
    }

    /// The copy lies in the build folder, always at the same place, so that its second build is quick. It is built
    /// apart: Cargo tells crates of two checkouts in one build folder apart only by their times.
    ///
    /// The service's own test serves its route on both engines; that the program takes it is left to the compiler,
    /// which takes minutes less than to link the program once more.
    #[test]
    fn a_new_service_serves_its_route_and_fits_the_program_with_no_other_edit() {
        let target = crate::run::target_dir().unwrap();
        let there = target.join("tmp/new-service");
        if there.exists() {
            fs::remove_dir_all(&there).unwrap();
        }
        let here = root().unwrap();
        copy(&here, &here, &mut |path, text| {
            let file = there.join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text).unwrap();
        });
        let written = write(&there, "probe").unwrap();
        let lists: Vec<&String> =
            written.iter().filter(|path| !path.starts_with("crates/svc-probe/")).collect();
        assert_eq!(lists, LISTS.map(|(path, _)| path));
        let built = target.join("tmp/new-service-target");
        let cargo_there = |words: &[&str]| {
            let mut cargo = cargo(words.iter().copied()).unwrap();
            cargo.arg("--offline").current_dir(&there).env("CARGO_TARGET_DIR", &built);
            let output = cargo.output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            String::from_utf8(output.stdout).unwrap()
        };
        let tested = cargo_there(&["test", "--package", "svc-probe", "--test", "it"]);
        let served = "an_entry_is_added_once_for_each_idempotency_key ... ok";
        assert!(tested.contains(served), "{tested}");
        cargo_there(&["check", "--package", "mainstay"]);
    }

    fn copy(root: &Path, folder: &Path, each: &mut dyn FnMut(&Path, &[u8])) {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            let relative = path.strip_prefix(root).unwrap();
            if matches!(relative.to_str(), Some("target" | "data" | ".git")) {
                continue;
            }
            if path.is_dir() {
                copy(root, &path, each);
            } else {
                each(relative, &fs::read(&path).unwrap());
            }
        }
    }
}
