//! The master key's file in the data folder.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
};

use super::seal::Secrets;
use crate::ids;

/// Why the master key could not be had.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// The file could not be read or written.
    #[error("read or create the master key `{}`", path.display())]
    File {
        /// The file or its folder.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The file holds something else.
    #[error("use the master key `{}`: it must hold 64 hexadecimal digits; restore it from where it is kept", path.display())]
    NotAKey {
        /// The file.
        path: PathBuf,
    },
}

/// Reads `keys/master.key` in `folder`, or creates it with a new key: readable by its owner alone, complete or absent,
/// and on the disk before this returns.
///
/// Whoever loses the file loses every e-mail address and must sign everybody out; keep a copy apart from the backups.
///
/// # Errors
/// The file cannot be read or created, or holds no key.
pub fn load_or_create_master_key(folder: &Path) -> Result<Secrets, MasterKeyError> {
    let keys = folder.join("keys");
    let path = keys.join("master.key");
    let failed = |source| MasterKeyError::File { path: path.clone(), source };
    if let Some(secrets) = read(&path)? {
        return Ok(secrets);
    }
    match fs::DirBuilder::new().mode(0o700).create(&keys) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(failed(error)),
        _ => {}
    }
    let mut master = [0_u8; 32];
    ids::fill_random(&mut master);
    let draft = keys.join(format!("master.key.{}", ids::random_token(9)));
    let written =
        write_new(&draft, &hex::encode(master)).and_then(|()| fs::hard_link(&draft, &path));
    // The draft goes whether or not it became the key; the link keeps the content.
    let removed = fs::remove_file(&draft);
    match written {
        Ok(()) => {
            removed.and_then(|()| sync(&keys)).and_then(|()| sync(folder)).map_err(failed)?;
            Ok(Secrets { master })
        }
        // Another process was faster: its key counts.
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            read(&path)?.ok_or(MasterKeyError::NotAKey { path })
        }
        Err(error) => Err(failed(error)),
    }
}

fn read(path: &Path) -> Result<Option<Secrets>, MasterKeyError> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(MasterKeyError::File { path: path.to_owned(), source }),
    };
    let mut text = String::new();
    let not_a_key = || MasterKeyError::NotAKey { path: path.to_owned() };
    file.take(1_024).read_to_string(&mut text).map_err(|source| match source.kind() {
        io::ErrorKind::InvalidData => not_a_key(),
        _ => MasterKeyError::File { path: path.to_owned(), source },
    })?;
    let mut master = [0_u8; 32];
    hex::decode_to_slice(text.trim(), &mut master).map_err(|_no_key| not_a_key())?;
    Ok(Some(Secrets { master }))
}

fn write_new(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()
}

fn sync(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn the_key_is_created_once_and_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = load_or_create_master_key(folder.path()).unwrap();
        let second = load_or_create_master_key(folder.path()).unwrap();
        assert_eq!(first.master, second.master);
        assert_ne!(first.master, [0; 32]);
        let keys = folder.path().join("keys");
        let mode = fs::metadata(keys.join("master.key")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(fs::read_dir(keys).unwrap().count(), 1, "no draft is left");
    }

    #[test]
    fn a_broken_key_file_is_refused_and_not_replaced() {
        let folder = tempfile::tempdir().unwrap();
        load_or_create_master_key(folder.path()).unwrap();
        let path = folder.path().join("keys/master.key");
        fs::write(&path, "no key").unwrap();
        assert!(load_or_create_master_key(folder.path()).is_err());
        assert_eq!(fs::read_to_string(path).unwrap(), "no key");
    }
}
