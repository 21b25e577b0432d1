//! Lossy storage: what was synced stays, what was not goes, and what does not fit is refused.

use std::fs::{self, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use mainstay_testkit::{Loss, LossyStorage};

/// Set in the child: the folder that it writes to.
const FOLDER: &str = "MAINSTAY_TESTKIT_FOLDER";

/// Runs the test `name` of this program again as a child on `folder`.
fn child(name: &str, folder: &Path, storage: &LossyStorage) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", name])
        .env(FOLDER, folder)
        .envs(storage.environment())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Does so, lets it work until it says that it is done, and kills it.
fn run_and_kill(name: &str, folder: &Path, storage: &LossyStorage) {
    let mut child = child(name, folder, storage);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    assert!(lines.any(|line| line.ends_with("written")), "the child ended early");
    child.kill().unwrap();
    child.wait().unwrap();
}

/// In the child, after its work: waits for the end.
fn written() {
    let mut out = std::io::stdout();
    writeln!(out, "written").unwrap();
    loop {
        std::thread::park();
    }
}

#[test]
fn only_synced_bytes_survive() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let path = Path::new(&folder).join("old-name");
        let mut file = OpenOptions::new().create_new(true).append(true).open(&path).unwrap();
        file.write_all(b"synced.").unwrap();
        file.sync_data().unwrap();
        fs::rename(path, Path::new(&folder).join("file")).unwrap();
        file.write_all(b"lost").unwrap();
        let again = OpenOptions::new().write(true).open(Path::new(&folder).join("file")).unwrap();
        again.write_all_at(b"SYN", 0).unwrap();
        again.set_len(5).unwrap();
        again.write_all_at(b"far away", 100).unwrap();
        assert_eq!(fs::read(Path::new(&folder).join("file")).unwrap().len(), 108);
        written();
    }
    let folder = tempfile::tempdir().unwrap();
    let storage = LossyStorage::over(folder.path()).unwrap();
    run_and_kill("storage::only_synced_bytes_survive", folder.path(), &storage);
    let file = folder.path().join("file");
    assert!(fs::read(&file).unwrap().starts_with(b"SYNce\0"));
    let lost = storage.lose(Loss::All).unwrap();
    assert_eq!((lost.writes, lost.files), (4, 1));
    assert_eq!(fs::read(&file).unwrap(), b"synced.");
    assert_eq!(storage.lose(Loss::All).unwrap().writes, 0, "nothing is lost twice");
}

#[test]
fn some_loss_takes_the_last_writes_and_depends_on_the_seed() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let mut file = fs::File::create(Path::new(&folder).join("file")).unwrap();
        for _ in 0..20 {
            file.write_all(b"x").unwrap();
        }
        written();
    }
    let mut lengths = std::collections::BTreeSet::new();
    let folder = tempfile::tempdir().unwrap();
    let name = "storage::some_loss_takes_the_last_writes_and_depends_on_the_seed";
    for seed in 0..6 {
        let storage = LossyStorage::over(folder.path()).unwrap();
        run_and_kill(name, folder.path(), &storage);
        let lost = storage.lose(Loss::Some(seed)).unwrap();
        let length = fs::read(folder.path().join("file")).unwrap().len() as u64;
        assert_eq!(length + lost.writes, 20);
        lengths.insert(length);
    }
    assert!(lengths.len() > 1, "every seed kept {lengths:?}");
}

#[test]
fn a_full_disk_refuses_what_is_longer_and_takes_the_rest() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let mut file = fs::File::create(Path::new(&folder).join("file")).unwrap();
        file.write_all(b"four").unwrap();
        file.write_all(b"more").unwrap();
        let error = file.write_all(b"five!").unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
        file.write_all_at(b"FOUR", 0).unwrap();
        fs::remove_file(std::env::var_os("MAINSTAY_LOSSY_FULL").unwrap()).unwrap();
        file.write_all(b" and more").unwrap();
        file.sync_data().unwrap();
        written();
    }
    let folder = tempfile::tempdir().unwrap();
    let storage = LossyStorage::over(folder.path()).unwrap();
    storage.fill_after(10).unwrap();
    let name = "storage::a_full_disk_refuses_what_is_longer_and_takes_the_rest";
    run_and_kill(name, folder.path(), &storage);
    assert_eq!(storage.lose(Loss::All).unwrap().writes, 0);
    assert_eq!(fs::read(folder.path().join("file")).unwrap(), b"FOURmore and more");
    storage.make_room().unwrap();
}

#[test]
fn a_program_ends_at_the_change_that_was_said_in_the_middle_of_a_write() {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let path = Path::new(&folder).join("file");
        let mut file = fs::File::create(&path).unwrap();
        file.write_all(b"half").unwrap();
        file.sync_data().unwrap();
        fs::rename(&path, path.with_extension("moved")).unwrap();
        file.write_all(b"half").unwrap();
        written();
    }
    let name = "storage::a_program_ends_at_the_change_that_was_said_in_the_middle_of_a_write";
    for (changes, file, expected) in
        [(0, "file", "ha"), (1, "file", "half"), (2, "file", "half"), (3, "file.moved", "halfha")]
    {
        let folder = tempfile::tempdir().unwrap();
        let storage = LossyStorage::over(folder.path()).unwrap();
        storage.kill_after(changes).unwrap();
        let mut child = child(name, folder.path(), &storage);
        assert!(!child.wait().unwrap().success());
        let left = fs::read_to_string(folder.path().join(file)).unwrap();
        assert_eq!(left, expected, "after {changes} changes");
    }
    let folder = tempfile::tempdir().unwrap();
    let storage = LossyStorage::over(folder.path()).unwrap();
    storage.kill_after(4).unwrap();
    storage.spare().unwrap();
    run_and_kill(name, folder.path(), &storage);
}

/// Commits 20 rows one by one, each acknowledged; how many are there after a power cut.
fn rows_after_power_cut(name: &str, synchronous: &str) -> i64 {
    if let Some(folder) = std::env::var_os(FOLDER) {
        let db = rusqlite::Connection::open(Path::new(&folder).join("file.db")).unwrap();
        db.pragma_update(None, "journal_mode", "wal").unwrap();
        db.pragma_update(None, "synchronous", "full").unwrap();
        db.execute_batch("create table t (n integer) strict; pragma wal_checkpoint(truncate)")
            .unwrap();
        db.pragma_update(None, "synchronous", synchronous).unwrap();
        for n in 0..20 {
            db.execute("insert into t values (?1)", [n]).unwrap();
        }
        written();
    }
    let folder = tempfile::tempdir().unwrap();
    let storage = LossyStorage::over(folder.path()).unwrap();
    run_and_kill(name, folder.path(), &storage);
    storage.lose(Loss::All).unwrap();
    let db = rusqlite::Connection::open(folder.path().join("file.db")).unwrap();
    db.query_row("select count(*) from t", [], |row| row.get(0)).unwrap()
}

#[test]
fn sqlite_that_syncs_keeps_every_acknowledged_row() {
    let name = "storage::sqlite_that_syncs_keeps_every_acknowledged_row";
    assert_eq!(rows_after_power_cut(name, "full"), 20);
}

#[test]
fn sqlite_that_does_not_sync_loses_acknowledged_rows() {
    let name = "storage::sqlite_that_does_not_sync_loses_acknowledged_rows";
    assert_eq!(rows_after_power_cut(name, "off"), 0);
}
