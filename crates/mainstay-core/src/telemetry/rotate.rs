//! A log file that never outgrows its bound.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    path::{Path, PathBuf},
};

/// A file that is put aside when it is full: `name`, then `name.1` (newer) to `name.N` (older).
///
/// A line is never cut in two: a write that does not fit goes to the next file. So all files together hold at most
/// `bytes_max × (keep + 1)` plus one line. Writing is unbuffered, so what was written survives a crash of the process.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    written: u64,
    bytes_max: u64,
    keep: u32,
}

impl RotatingFile {
    /// Goes on writing to `path`, whose folder is made if needed. `keep` full files stay beside it.
    ///
    /// # Errors
    /// When the file cannot be opened.
    pub fn open(path: impl Into<PathBuf>, bytes_max: u64, keep: u32) -> io::Result<Self> {
        let path = path.into();
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder)?;
        }
        let file = open(&path)?;
        let written = file.metadata()?.len();
        Ok(Self { path, file, written, bytes_max: bytes_max.max(1), keep })
    }

    fn rotate(&mut self) -> io::Result<()> {
        for age in (1..self.keep).rev() {
            rename_if_there(&self.aside(age), &self.aside(age + 1))?;
        }
        if self.keep > 0 {
            rename_if_there(&self.path, &self.aside(1))?;
            self.file = open(&self.path)?;
        } else {
            self.file.set_len(0)?;
        }
        self.written = self.file.metadata()?.len();
        Ok(())
    }

    fn aside(&self, age: u32) -> PathBuf {
        let mut name = self.path.clone().into_os_string();
        name.push(format!(".{age}"));
        name.into()
    }
}

impl Write for RotatingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = bytes.len() as u64;
        if self.written > 0 && self.written + len > self.bytes_max {
            // If the folder refuses, the file starts anew: the bound comes before the oldest lines.
            self.rotate().or_else(|_refused| self.file.set_len(0).map(|()| self.written = 0))?;
        }
        self.file.write_all(bytes)?;
        self.written += len;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn open(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn rename_if_there(from: &Path, to: &Path) -> io::Result<()> {
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        renamed => renamed,
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use super::*;

    #[test]
    fn full_files_are_put_aside_and_the_oldest_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("logs/mainstay.log");
        let mut log = RotatingFile::open(&path, 10, 2).unwrap();
        for line in ["one 5678\n", "two 5678\n", "three\n", "xx\n", "five 678\n"] {
            log.write_all(line.as_bytes()).unwrap();
        }
        let read = |name: &str| fs::read_to_string(folder.path().join("logs").join(name)).unwrap();
        assert_eq!(read("mainstay.log"), "five 678\n");
        assert_eq!(read("mainstay.log.1"), "three\nxx\n");
        assert_eq!(read("mainstay.log.2"), "two 5678\n");
        assert_eq!(fs::read_dir(folder.path().join("logs")).unwrap().count(), 3);
    }

    #[test]
    fn a_restart_goes_on_where_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mainstay.log");
        RotatingFile::open(&path, 10, 1).unwrap().write_all(b"12345678\n").unwrap();
        RotatingFile::open(&path, 10, 1).unwrap().write_all(b"next\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "next\n");
    }

    #[test]
    fn without_kept_files_the_one_file_starts_anew() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("mainstay.log");
        let mut log = RotatingFile::open(&path, 10, 0).unwrap();
        log.write_all(b"12345678\n").unwrap();
        log.write_all(b"next\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "next\n");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
