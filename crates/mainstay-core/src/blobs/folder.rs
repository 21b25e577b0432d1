//! Blobs in a folder of one machine.
//!
//! A staged file is written, synced, then renamed to its place; then the folders from its place up to the root are
//! synced, so that the name survives a power cut as well. Rename replaces: readers have the old file or the new one.

use std::{
    fs, io,
    ops::Range,
    path::{Path, PathBuf},
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use mainstay_contract::ts::Ts;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};
use tokio_util::io::ReaderStream;

use super::{BlobError, BlobInfo, BlobStream, Cleaned, Meter, staging_name};

/// What one read asks of the disk.
const READ_CHUNK_BYTES: usize = 64 * 1024;

#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// Held over a rename into place and over "how old? then unlink", so that a delete never takes a fresh commit.
    places: Arc<Mutex<()>>,
}

/// A file in `staging/`; removed when dropped.
#[derive(Debug)]
pub(super) struct StagedFile(PathBuf);

impl Drop for StagedFile {
    fn drop(&mut self) {
        match fs::remove_file(&self.0) {
            Ok(()) => {}
            Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                tracing::warn!(%error, "a staged file stays until the next cleaning");
            }
        }
    }
}

impl Folder {
    pub(super) fn open(root: PathBuf) -> Result<Self, BlobError> {
        let making = "make the folder";
        fs::create_dir_all(root.join("staging")).map_err(BlobError::unavailable(making))?;
        sync_folder(&root).map_err(BlobError::unavailable(making))?;
        Ok(Self { root, places: Arc::default() })
    }

    pub(super) async fn stage<S>(
        &self,
        mut body: Pin<&mut S>,
        mut meter: Meter,
    ) -> Result<(StagedFile, Meter), BlobError>
    where
        S: Stream<Item = Result<Bytes, BlobError>>,
    {
        let path = self.root.join("staging").join(staging_name()?);
        let mut options = tokio::fs::OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        options.mode(0o600);
        // The guard comes first, so that nothing below leaves the file behind. (Dropped while the file is being made,
        // this future may be too early for the guard; then the cleaning finds the file.)
        let staged = StagedFile(path);
        let mut file =
            options.open(&staged.0).await.map_err(BlobError::unavailable("make a file"))?;
        while let Some(chunk) = body.next().await {
            let chunk = chunk?;
            meter.take(&chunk)?;
            file.write_all(&chunk).await.map_err(BlobError::unavailable("write a file"))?;
        }
        file.flush().await.map_err(BlobError::unavailable("write a file"))?;
        file.sync_all().await.map_err(BlobError::unavailable("sync a file"))?;
        Ok((staged, meter))
    }

    pub(super) async fn commit(&self, staged: StagedFile, key: String) -> Result<(), BlobError> {
        let (root, places) = (self.root.clone(), Arc::clone(&self.places));
        blocking("move a file to its place", move || {
            let place = root.join(key);
            let folder = place.parent().unwrap_or(&root);
            fs::create_dir_all(folder)?;
            {
                let _held = places.lock().unwrap_or_else(PoisonError::into_inner);
                fs::rename(&staged.0, &place)?;
            }
            // All three, always: another commit may have made a folder whose name is not on disk yet.
            for folder in folder.ancestors() {
                sync_folder(folder)?;
                if folder == root {
                    break;
                }
            }
            Ok(())
        })
        .await
    }

    pub(super) async fn read_staged(&self, staged: &StagedFile) -> Result<Bytes, BlobError> {
        tokio::fs::read(&staged.0).await.map(Bytes::from).map_err(reading)
    }

    pub(super) async fn stream(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<BlobStream, BlobError> {
        let mut file = tokio::fs::File::open(self.root.join(key)).await.map_err(reading)?;
        let size_bytes = file.metadata().await.map_err(reading)?.len();
        let range = match range {
            Some(range) if range.start >= range.end || range.end > size_bytes => {
                return Err(BlobError::OutOfRange { size_bytes });
            }
            Some(range) => range,
            None => 0..size_bytes,
        };
        if range.start > 0 {
            file.seek(io::SeekFrom::Start(range.start)).await.map_err(reading)?;
        }
        let part = file.take(range.end - range.start);
        let chunks = ReaderStream::with_capacity(part, READ_CHUNK_BYTES);
        Ok(chunks.map(|chunk| chunk.map_err(reading)).boxed())
    }

    pub(super) async fn head(&self, key: &str) -> Result<BlobInfo, BlobError> {
        let meta = tokio::fs::metadata(self.root.join(key)).await.map_err(reading)?;
        let modified = instant(meta.modified().map_err(reading)?);
        Ok(BlobInfo { size_bytes: meta.len(), modified })
    }

    pub(super) async fn delete(&self, key: String, unless_since: Ts) -> Result<bool, BlobError> {
        let (place, places) = (self.root.join(key), Arc::clone(&self.places));
        blocking("remove a file", move || {
            let _held = places.lock().unwrap_or_else(PoisonError::into_inner);
            let modified = match fs::metadata(&place) {
                Ok(meta) => meta.modified()?,
                Err(gone) if gone.kind() == io::ErrorKind::NotFound => return Ok(true),
                Err(error) => return Err(error),
            };
            if instant(modified) >= unless_since {
                return Ok(false);
            }
            fs::remove_file(&place)?;
            // A removal that a power cut undoes would bring back what a person had deleted.
            sync_folder(place.parent().unwrap_or(&place))?;
            Ok(true)
        })
        .await
    }

    pub(super) async fn clean_staging(&self, before: Ts) -> Result<Cleaned, BlobError> {
        let staging = self.root.join("staging");
        blocking("clean the staging folder", move || {
            let mut cleaned = Cleaned::default();
            for entry in fs::read_dir(&staging)? {
                let entry = entry?;
                let modified = match entry.metadata() {
                    Ok(meta) => meta.modified()?,
                    Err(gone) if gone.kind() == io::ErrorKind::NotFound => continue,
                    Err(error) => return Err(error),
                };
                if instant(modified) >= before {
                    cleaned.kept += 1;
                    continue;
                }
                match fs::remove_file(entry.path()) {
                    Ok(()) => cleaned.removed += 1,
                    Err(gone) if gone.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(cleaned)
        })
        .await
    }

    pub(super) async fn check(&self) -> Result<(), BlobError> {
        let looking = BlobError::unavailable("look into the folder");
        tokio::fs::metadata(self.root.join("staging")).await.map(|_meta| ()).map_err(looking)
    }
}

/// Runs disk work where it may block.
async fn blocking<T: Send + 'static>(
    doing: &'static str,
    work: impl FnOnce() -> io::Result<T> + Send + 'static,
) -> Result<T, BlobError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(done) => done.map_err(BlobError::unavailable(doing)),
        Err(source) => Err(BlobError::Unavailable { doing, source: source.into() }),
    }
}

fn reading(error: io::Error) -> BlobError {
    if error.kind() == io::ErrorKind::NotFound {
        BlobError::NotFound
    } else {
        BlobError::Unavailable { doing: "read a file", source: error.into() }
    }
}

#[cfg(unix)]
fn sync_folder(folder: &Path) -> io::Result<()> {
    fs::File::open(folder)?.sync_all()
}

/// Elsewhere a folder cannot be opened to be synced; the file system journals names itself.
#[cfg(not(unix))]
fn sync_folder(_folder: &Path) -> io::Result<()> {
    Ok(())
}

fn instant(time: SystemTime) -> Ts {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Ts::from_micros(i64::try_from(since.as_micros()).unwrap_or(i64::MAX))
}
