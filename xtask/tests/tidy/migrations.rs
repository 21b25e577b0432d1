//! Migrations.

use std::collections::BTreeMap;

use crate::tree::File;

fn migrations(files: &[File]) -> impl Iterator<Item = &File> {
    files.iter().filter(|file| file.path.contains("/migrations/") && file.path.contains(".sql"))
}

pub(crate) fn commented(files: &[File]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in migrations(files) {
        let mut above = "";
        for (index, line) in file.text.lines().enumerate() {
            let line = line.trim();
            // `--!` begins a section for one engine.
            let comment = above.starts_with("--") && !above.starts_with("--!");
            if line.to_lowercase().starts_with("create table") && !comment {
                faults.push(format!("{}: say above the table what a row of it is", file.at(index)));
            }
            above = line;
        }
    }
    faults
}

/// In each folder the numbers run 0001, 0002, …: a gap is a migration that somebody has not committed.
pub(crate) fn numbered(files: &[File]) -> Vec<String> {
    let mut folders: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for file in migrations(files) {
        let (folder, name) = file.path.rsplit_once('/').unwrap();
        folders.entry(folder).or_default().push(name);
    }
    let mut faults = Vec::new();
    for (folder, mut names) in folders {
        names.sort_unstable();
        // One number may stand on several files, one for each engine.
        let mut numbers: Vec<&str> =
            names.iter().map(|name| name.split('_').next().unwrap()).collect();
        numbers.dedup();
        for (index, number) in numbers.iter().enumerate() {
            let expected = format!("{:04}", index + 1);
            if *number != expected {
                faults.push(format!("{folder}: {expected} is missing before {number}"));
                break;
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_without_a_comment_is_a_fault() {
        let path = "crates/svc-feed/migrations/0001_posts.sql";
        for above in ["-- Posts.\n\n", "--! sqlite\n", ""] {
            let bad = File::new(path, &format!("{above}create table feed.post (id uuid);"));
            assert_eq!(commented(&[bad]).len(), 1, "{above:?}");
        }
        let good = File::new(path, "-- One row for each post.\ncreate table feed.post (id uuid);");
        assert_eq!(commented(&[good]), Vec::<String>::new());
    }

    #[test]
    fn a_gap_is_a_fault() {
        let file = |name: &str| File::new(&format!("crates/svc-feed/migrations/{name}"), "");
        assert_eq!(numbered(&[file("0001_a.sql"), file("0003_b.sql")]).len(), 1);
        let good = [file("0002_b.sql"), file("0001_a.sql")];
        assert_eq!(numbered(&good), Vec::<String>::new());
    }
}
