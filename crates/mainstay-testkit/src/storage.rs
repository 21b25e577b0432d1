//! A storage layer that forgets what was not synced (a power cut without cutting the power), is full, or is
//! where the program ends. Linux only.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use crate::EngineError;

/// The library that keeps the undo journals; C, because it stands between a program and its C library. See its head
/// comment for what it does and does not model.
const SOURCE: &str = include_str!("../native/lossy.c");
const HEAD_LEN_BYTES: usize = 24;

/// Watches the files of one folder while a program writes them: can take back what the program had not synced, be full,
/// and end the program at a change.
#[derive(Debug)]
pub struct LossyStorage {
    folder: PathBuf,
    /// Holds the library and the journals.
    private: TempDir,
}

/// How much of what was not synced is lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Loss {
    /// Every write since the last sync of its file.
    All,
    /// In each file, the last of these writes: how many, the seed decides, from none to all.
    Some(u64),
}

/// What was lost.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Lost {
    /// Writes that were taken back.
    pub writes: u64,
    /// Files that had any.
    pub files: u64,
}

impl LossyStorage {
    /// Prepares to watch `folder`, which exists. Needs a C compiler, as the build of the workspace does.
    ///
    /// # Errors
    /// When there is no C compiler.
    pub fn over(folder: &Path) -> Result<Self, EngineError> {
        let doing = "prepare lossy storage";
        let private = tempfile::Builder::new().prefix("mainstay-lossy-").tempdir();
        let private = private.map_err(EngineError::io(doing))?;
        let folder = folder.canonicalize().map_err(EngineError::io(doing))?;
        let source = private.path().join("lossy.c");
        fs::write(&source, SOURCE).map_err(EngineError::io(doing))?;
        fs::create_dir(private.path().join("journal")).map_err(EngineError::io(doing))?;
        let storage = Self { folder, private };
        let output = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-pthread", "-o"])
            .arg(storage.library())
            .arg(&source)
            .arg("-ldl")
            .output()
            .map_err(EngineError::io("start the C compiler `cc`"))?;
        if output.status.success() {
            return Ok(storage);
        }
        let log = String::from_utf8_lossy(&output.stderr).into_owned();
        Err(EngineError::io("compile lossy storage")(std::io::Error::other(log)))
    }

    /// What the program under test must have in its environment.
    pub fn environment(&self) -> [(&'static str, OsString); 5] {
        [
            ("LD_PRELOAD", self.library().into()),
            ("MAINSTAY_LOSSY_FOLDER", self.folder.clone().into()),
            ("MAINSTAY_LOSSY_JOURNAL", self.journals().into()),
            ("MAINSTAY_LOSSY_FULL", self.full().into()),
            ("MAINSTAY_LOSSY_KILL", self.kill().into()),
        ]
    }

    /// From now on the disk has room for `bytes` more; a write that would make a file longer by more than is left
    /// fails as on a full disk. Works while the program runs.
    ///
    /// # Errors
    /// When the note for the library cannot be written.
    pub fn fill_after(&self, bytes: u64) -> Result<(), EngineError> {
        self.limit(&self.full(), bytes).map_err(EngineError::io("fill the disk"))
    }

    /// The disk has room again.
    ///
    /// # Errors
    /// When the note for the library cannot be deleted.
    pub fn make_room(&self) -> Result<(), EngineError> {
        lift(&self.full()).map_err(EngineError::io("make room on the disk"))
    }

    /// After so many changes of the folder from now on (writes, syncs, names that are made, moved or deleted) the next
    /// one ends the program as `kill -9` does, a write when half of it is done. Works while the program runs.
    ///
    /// # Errors
    /// When the note for the library cannot be written.
    pub fn kill_after(&self, changes: u64) -> Result<(), EngineError> {
        self.limit(&self.kill(), changes).map_err(EngineError::io("set a program's end"))
    }

    /// No change ends a program any more.
    ///
    /// # Errors
    /// When the note for the library cannot be deleted.
    pub fn spare(&self) -> Result<(), EngineError> {
        lift(&self.kill()).map_err(EngineError::io("spare a program"))
    }

    fn limit(&self, note: &Path, count: u64) -> std::io::Result<()> {
        // Renamed into place: the library reads the number once, and must not see half of it.
        let draft = self.private.path().join("draft");
        fs::write(&draft, count.to_string())?;
        fs::rename(draft, note)
    }

    /// Takes back what was not synced. The program must have ended (`kill -9`), and may be started again on the
    /// folder afterwards.
    ///
    /// # Errors
    /// When a file or a journal cannot be read or written.
    pub fn lose(&self, loss: Loss) -> Result<Lost, EngineError> {
        let mut lost = Lost::default();
        self.lose_below(&self.folder, loss, &mut lost)
            .map_err(EngineError::io("take back what was not synced"))?;
        Ok(lost)
    }

    fn lose_below(&self, folder: &Path, loss: Loss, lost: &mut Lost) -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let found = entry.metadata()?;
            if found.is_dir() {
                self.lose_below(&entry.path(), loss, lost)?;
            } else if found.is_file() {
                let journal = self.journals().join(format!("{}.undo", found.ino()));
                let records = records(&journal)?;
                if !records.is_empty() {
                    let undone =
                        undo(&entry.path(), &records, keep(loss, found.ino(), records.len()))?;
                    lost.writes += undone;
                    lost.files += u64::from(undone > 0);
                    fs::remove_file(journal)?;
                }
            }
        }
        Ok(())
    }

    fn library(&self) -> PathBuf {
        self.private.path().join("lossy.so")
    }

    fn full(&self) -> PathBuf {
        self.private.path().join("full")
    }

    fn kill(&self) -> PathBuf {
        self.private.path().join("kill")
    }

    fn journals(&self) -> PathBuf {
        self.private.path().join("journal")
    }
}

fn lift(note: &Path) -> std::io::Result<()> {
    match fs::remove_file(note) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// How many of a file's unsynced writes, the oldest ones, survive.
fn keep(loss: Loss, inode: u64, writes: usize) -> usize {
    match loss {
        Loss::All => 0,
        Loss::Some(seed) => {
            // SplitMix64: any mixing will do, as long as a seed always does the same to the same files.
            let mut mixed = (seed ^ inode).wrapping_add(0x9e37_79b9_7f4a_7c15);
            mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
            mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
            let choices = writes as u64 + 1;
            usize::try_from((mixed ^ (mixed >> 31)) % choices).unwrap_or(0)
        }
    }
}

/// What a write replaced.
struct Record {
    offset: u64,
    size_before: u64,
    bytes: Vec<u8>,
}

/// A journal's records, oldest first. A record that a kill has cut short belongs to a write that did not happen.
fn records(journal: &Path) -> std::io::Result<Vec<Record>> {
    let mut text = Vec::new();
    match File::open(journal) {
        Ok(mut file) => file.read_to_end(&mut text)?,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut records = Vec::new();
    let mut rest = text.as_slice();
    while let Some((head, after)) = rest.split_at_checked(HEAD_LEN_BYTES) {
        let mut words =
            head.chunks_exact(8).map(|word| word.try_into().map_or(0, u64::from_ne_bytes));
        let mut word = || words.next().unwrap_or_default();
        let (offset, size_before, len) = (word(), word(), word());
        let Some((bytes, next)) =
            usize::try_from(len).ok().and_then(|len| after.split_at_checked(len))
        else {
            break;
        };
        records.push(Record { offset, size_before, bytes: bytes.to_vec() });
        rest = next;
    }
    Ok(records)
}

/// Takes back all writes but the first `keep`; returns how many.
fn undo(file: &Path, records: &[Record], keep: usize) -> std::io::Result<u64> {
    let file = OpenOptions::new().write(true).open(file)?;
    let mut undone = 0;
    for record in records.iter().skip(keep).rev() {
        file.write_all_at(&record.bytes, record.offset)?;
        file.set_len(record.size_before)?;
        undone += 1;
    }
    Ok(undone)
}
