//! What is in a program's blob store, where that is a folder.

use std::{
    fs,
    path::{Path, PathBuf},
};

use super::Program;

impl Program {
    /// Every file in the blob store, staging included, by its path below it.
    pub fn blob_files(&self) -> Vec<PathBuf> {
        let root = self.blob_folder();
        let mut files = Vec::new();
        collect(&root, &root, &mut files);
        files.sort();
        files
    }

    /// Where the blob store is.
    pub fn blob_folder(&self) -> PathBuf {
        self.place.folder.join("blobs")
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            collect(root, &path, files);
        } else if let Ok(below) = path.strip_prefix(root) {
            files.push(below.to_owned());
        }
    }
}
