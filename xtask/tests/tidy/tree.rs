//! The files of the repository.

use std::fs;
use std::path::Path;

/// A text file.
pub(crate) struct File {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
}

impl File {
    #[cfg(test)]
    pub(crate) fn new(path: &str, text: &str) -> Self {
        Self { path: path.to_owned(), text: text.to_owned() }
    }

    /// Where line `index` stands, for a fault.
    pub(crate) fn at(&self, index: usize) -> String {
        format!("{}:{}", self.path, index + 1)
    }

    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs") || self.path.ends_with(".rs.tmpl")
    }

    /// The rules' own files, which must name what they forbid.
    pub(crate) fn is_tidy(&self) -> bool {
        self.path.starts_with("xtask/tests/tidy/")
    }
}

/// Every text file but builds, data and what Git keeps.
pub(crate) fn read() -> Vec<File> {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    let root = Path::new(&here).parent().unwrap();
    let mut files = Vec::new();
    collect(root, root, &mut files);
    assert!(files.iter().any(|file| file.path == "xtask/tests/tidy/tree.rs"), "the tree is empty");
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let relative = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
        if matches!(relative.as_str(), "target" | "data" | ".git" | "Cargo.lock") {
            continue;
        }
        if path.is_dir() {
            collect(root, &path, files);
        } else if let Ok(text) = fs::read_to_string(&path) {
            // What is not UTF-8 is a picture or an archive.
            files.push(File { path: relative, text });
        }
    }
}
