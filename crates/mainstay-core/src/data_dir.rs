//! The data folder: what it holds, and that one program owns it.
//!
//! ```text
//! <data.dir>/
//! ├─ lock           held while a program runs; its text is that program's process id
//! ├─ control.sock   where a running program takes orders from the command line; see `control`
//! ├─ db/            embedded records
//! ├─ blobs/         files
//! └─ keys/          keys, readable by the owner alone
//! ```
//!
//! **Invariant:** nothing in the folder is written by a program that does not hold the lock.

use std::{
    fs::{self, DirBuilder, File, Permissions, TryLockError},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

const LOCK: &str = "lock";
const PRIVATE: u32 = 0o700;

/// Why a data folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DataDirError {
    /// Another program has it.
    #[error(
        "take the data folder `{}`, because {} uses it; stop that program, or choose another folder \
         with --data",
        path.display(),
        owner(*pid)
    )]
    InUse {
        /// The folder.
        path: PathBuf,
        /// The other program, if it has written that down already.
        pid: Option<u32>,
    },
    /// The folder, or something in it, cannot be made, read or written.
    #[error(
        "use the data folder: `{}`; check that it can be written, or choose another folder with --data",
        path.display()
    )]
    Io {
        /// What could not be used.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

fn owner(pid: Option<u32>) -> String {
    match pid {
        Some(pid) => format!("the program with process id {pid}"),
        None => "another program".to_owned(),
    }
}

/// The part of it where embedded records are.
const DB: &str = "db";

/// A data folder that this program owns until the value is dropped, or the program ends in whatever way.
#[derive(Debug)]
pub struct DataDir {
    path: PathBuf,
    // Closing the file gives the lock back. It is advisory (flock): it holds between programs of this kind, and on a
    // network file system only if that offers locks.
    _lock: File,
}

impl DataDir {
    /// Makes what is missing in the folder at `path`, and takes it for this program. A new folder is private to its
    /// owner.
    ///
    /// # Errors
    /// `InUse` if another program has it; `Io` if it cannot be written.
    pub fn open(path: &Path) -> Result<Self, DataDirError> {
        make(path)?;
        let path = path.canonicalize().map_err(|source| io_at(path, source))?;
        let lock = take_lock(&path)?;
        let folder = Self { path, _lock: lock };
        for part in [folder.db(), folder.blobs(), folder.keys()] {
            make(&part)?;
        }
        let private = Permissions::from_mode(PRIVATE);
        let keys = folder.keys();
        fs::set_permissions(&keys, private).map_err(|source| io_at(&keys, source))?;
        Ok(folder)
    }

    /// Whether a program has kept something at `path` before.
    pub fn is_one(path: &Path) -> bool {
        path.join(DB).is_dir()
    }

    /// The folder itself, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Where embedded records are.
    pub fn db(&self) -> PathBuf {
        self.path.join(DB)
    }

    /// Where files are.
    pub fn blobs(&self) -> PathBuf {
        self.path.join("blobs")
    }

    /// Where keys are, readable by the owner alone.
    pub fn keys(&self) -> PathBuf {
        self.path.join("keys")
    }
}

fn take_lock(folder: &Path) -> Result<File, DataDirError> {
    let path = folder.join(LOCK);
    let failed = |source| io_at(&path, source);
    // Not truncated here: until the lock is ours, the text is the owner's. The file is never removed either, because
    // then two programs could hold locks on two files of one name.
    let open = File::options().read(true).write(true).create(true).truncate(false).open(&path);
    let mut file = open.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(DataDirError::InUse { path: folder.to_owned(), pid: pid_in(&file) });
        }
        Err(TryLockError::Error(source)) => return Err(failed(source)),
    }
    file.set_len(0).map_err(failed)?;
    writeln!(file, "{}", std::process::id()).map_err(failed)?;
    Ok(file)
}

fn pid_in(file: &File) -> Option<u32> {
    let mut text = String::new();
    file.take(32).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

fn make(path: &Path) -> Result<(), DataDirError> {
    let made = DirBuilder::new().recursive(true).mode(PRIVATE).create(path);
    made.map_err(|source| io_at(path, source))
}

fn io_at(path: &Path, source: io::Error) -> DataDirError {
    DataDirError::Io { path: path.to_owned(), source }
}
