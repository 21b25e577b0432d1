//! Bytes that are too large for the database: pictures, films, exports; in a folder or in an S3 bucket.
//!
//! A blob is found by the SHA-256 of its content, at `ab/cd/<hash>`, so the same bytes are kept once. New bytes are
//! streamed to `staging/`, hashed and counted on the way, and moved to their place by [`Blobs::commit`]; a reader
//! sees all of a blob or none of it. Whatever a crash leaves in `staging/` goes with [`Blobs::clean_staging`].
//!
//! **Who deletes.** References are counted in the database, so a last reference may go while somebody commits the
//! same bytes again. Therefore a commit always renews the blob's `modified` time, even when the bytes are there, and
//! [`Blobs::delete`] leaves alone what was stored after the caller's `unless_since`. In a folder this is exact; on
//! S3 the check and the removal are two requests, a few milliseconds apart.
//!
//! Reading order: this file, `blobs/folder.rs`, `blobs/s3.rs`.

use std::{error::Error, fmt, ops::Range, path::PathBuf, str::FromStr, sync::Arc};

use aws_lc_rs::digest;
use bytes::Bytes;
use futures_util::{Stream, StreamExt, stream::BoxStream};
use mainstay_contract::ts::Ts;

mod folder;
mod s3;

use folder::Folder;
use s3::Bucket;
pub use s3::{S3Addressing, S3Settings};

/// A boxed error of somebody else's.
pub type BoxError = Box<dyn Error + Send + Sync>;

/// The bytes of a blob, in order; a failure ends it.
pub type BlobStream = BoxStream<'static, Result<Bytes, BlobError>>;

/// Why a blob could not be stored or read.
#[derive(Debug, thiserror::Error)]
pub enum BlobError {
    /// No such blob.
    #[error("find the blob: it does not exist")]
    NotFound,
    /// The body is longer than the caller allows; nothing of it is kept.
    #[error("store the blob: it is larger than {max_bytes} bytes")]
    TooLarge {
        /// What was allowed.
        max_bytes: u64,
    },
    /// The range is empty or reaches beyond the blob.
    #[error("read the range: the blob has {size_bytes} bytes")]
    OutOfRange {
        /// How long the blob is.
        size_bytes: u64,
    },
    /// Whoever sends the body stopped before its end; nothing of it is kept.
    #[error("store the blob: its body ended early")]
    Interrupted {
        /// What the body said.
        #[source]
        source: BoxError,
    },
    /// The bytes read are not the bytes that were stored.
    #[error("read the blob {hash}: its bytes are damaged; restore it from a backup")]
    Damaged {
        /// Which blob.
        hash: BlobHash,
    },
    /// `blobs.url` or its settings cannot be used.
    #[error("open the blob store: {reason}")]
    Settings {
        /// What is wrong and what to write instead.
        reason: String,
    },
    /// The folder or the bucket did not do it: disk full, no permission, not reachable.
    #[error("{doing} in the blob store")]
    Unavailable {
        /// What was tried, such as `write a file`.
        doing: &'static str,
        /// What the store said.
        #[source]
        source: BoxError,
    },
}

impl BlobError {
    fn unavailable(doing: &'static str) -> impl FnOnce(std::io::Error) -> Self {
        move |source| Self::Unavailable { doing, source: source.into() }
    }
}

/// The SHA-256 of a blob's content; 64 hexadecimal digits as text.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BlobHash([u8; 32]);

impl BlobHash {
    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self::from_digest(&digest::digest(&digest::SHA256, bytes))
    }

    /// The hash with this value, as it is kept in the database.
    pub const fn from_bytes(value: [u8; 32]) -> Self {
        Self(value)
    }

    /// The 32 bytes to keep in the database.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    fn from_digest(digest: &digest::Digest) -> Self {
        let mut value = [0; 32];
        value.copy_from_slice(digest.as_ref());
        Self(value)
    }

    /// Where it is kept: two levels of 256 folders, so that no folder grows beyond what file systems like.
    fn key(&self) -> String {
        let hex = self.to_string();
        format!("{}/{}/{hex}", &hex[..2], &hex[2..4])
    }
}

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A text that is not 64 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a blob's hash; it has 64 hexadecimal digits")]
pub struct NotAHash;

impl FromStr for BlobHash {
    type Err = NotAHash;

    fn from_str(text: &str) -> Result<Self, NotAHash> {
        let mut value = [0; 32];
        hex::decode_to_slice(text, &mut value).map_err(|_bad| NotAHash)?;
        Ok(Self(value))
    }
}

/// What is known of a blob without reading it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BlobInfo {
    /// Its length.
    pub size_bytes: u64,
    /// When its bytes were last stored, by the store's clock: the end of staging in a folder, the commit on S3.
    pub modified: Ts,
}

/// What a cleaning of `staging/` did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// Left-overs that were removed.
    pub removed: u64,
    /// Younger ones, which may belong to a running upload.
    pub kept: u64,
}

/// Bytes in `staging/`, complete and durable but not yet a blob.
///
/// Dropped without [`Blobs::commit`], they are removed: in a folder at once, on S3 by the next cleaning.
#[derive(Debug)]
pub struct Staged {
    hash: BlobHash,
    size_bytes: u64,
    place: StagedPlace,
}

#[derive(Debug)]
enum StagedPlace {
    File(folder::StagedFile),
    Object(object_store::path::Path),
}

impl Staged {
    /// The hash of the bytes.
    pub const fn hash(&self) -> BlobHash {
        self.hash
    }

    /// How many bytes.
    pub const fn size_bytes(&self) -> u64 {
        self.size_bytes
    }
}

/// Counts and hashes a body while it passes.
struct Meter {
    context: digest::Context,
    size_bytes: u64,
    max_bytes: u64,
}

impl Meter {
    fn new(max_bytes: u64) -> Self {
        Self { context: digest::Context::new(&digest::SHA256), size_bytes: 0, max_bytes }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<(), BlobError> {
        self.size_bytes = self.size_bytes.saturating_add(chunk.len() as u64);
        if self.size_bytes > self.max_bytes {
            return Err(BlobError::TooLarge { max_bytes: self.max_bytes });
        }
        self.context.update(chunk);
        Ok(())
    }

    fn finish(self) -> (BlobHash, u64) {
        (BlobHash::from_digest(&self.context.finish()), self.size_bytes)
    }
}

fn elsewhere() -> BlobError {
    BlobError::Settings { reason: "the staged bytes belong to another blob store".to_owned() }
}

/// A name in `staging/` that nobody else has: 128 random bits.
fn staging_name() -> Result<String, BlobError> {
    let mut random = [0; 16];
    aws_lc_rs::rand::fill(&mut random).map_err(|source| BlobError::Unavailable {
        doing: "draw a random name",
        source: source.into(),
    })?;
    Ok(hex::encode(random))
}

/// The blob store. A clone is the same store.
#[derive(Debug, Clone)]
pub struct Blobs {
    store: Arc<Store>,
    public_url: Arc<str>,
}

#[derive(Debug)]
enum Store {
    Folder(Folder),
    Bucket(Bucket),
}

impl Blobs {
    /// Opens `url`: `file:///folder` or a plain path (made if missing), or `s3://bucket/prefix` with `s3`'s settings.
    ///
    /// A folder belongs to one program at a time; a bucket may be shared. Nothing is asked of S3 before first use.
    ///
    /// # Errors
    /// `Settings` if the URL cannot be used; `Unavailable` if the folder cannot be made.
    pub fn open(url: &str, s3: &S3Settings) -> Result<Self, BlobError> {
        let store = if let Some(place) = url.strip_prefix("s3://") {
            Store::Bucket(Bucket::open(place, s3)?)
        } else if url.starts_with("file:") {
            let folder = url::Url::parse(url).ok().and_then(|url| url.to_file_path().ok());
            Store::Folder(Folder::open(folder.ok_or_else(|| BlobError::Settings {
                reason: format!("`{url}` is no folder; write it like file:///var/lib/mainstay"),
            })?)?)
        } else if url.contains("://") || url.is_empty() {
            let reason = format!("`{url}` is neither a path, file:///folder nor s3://bucket");
            return Err(BlobError::Settings { reason });
        } else {
            Store::Folder(Folder::open(PathBuf::from(url))?)
        };
        Ok(Self { store: Arc::new(store), public_url: "".into() })
    }

    /// The same store, whose public files are fetched from `url`, an address on the web: a CDN that asks this program
    /// for what it does not have. Empty: from this program.
    #[must_use]
    pub fn public_at(self, url: &str) -> Self {
        Self { public_url: url.trim_end_matches('/').into(), ..self }
    }

    /// Where files that everybody may see are fetched from, without a slash at its end; empty for this program.
    pub fn public_url(&self) -> &Arc<str> {
        &self.public_url
    }

    /// Takes `body` to its end into `staging/`, hashed, and durable when this returns. Memory: a few parts of 8 MiB.
    ///
    /// # Errors
    /// `TooLarge` as soon as `max_bytes` is passed, `Interrupted` if the body fails, `Unavailable`. After an error, or
    /// when the future is dropped, nothing stays in a folder, and on S3 nothing that cleaning would not find.
    pub async fn stage<S, E>(&self, body: S, max_bytes: u64) -> Result<Staged, BlobError>
    where
        S: Stream<Item = Result<Bytes, E>> + Send,
        E: Into<BoxError>,
    {
        let body = body
            .map(|chunk| chunk.map_err(|source| BlobError::Interrupted { source: source.into() }));
        let body = std::pin::pin!(body);
        let meter = Meter::new(max_bytes);
        let (place, meter) = match &*self.store {
            Store::Folder(folder) => {
                let (file, meter) = folder.stage(body, meter).await?;
                (StagedPlace::File(file), meter)
            }
            Store::Bucket(bucket) => {
                let (path, meter) = bucket.stage(body, meter).await?;
                (StagedPlace::Object(path), meter)
            }
        };
        let (hash, size_bytes) = meter.finish();
        Ok(Staged { hash, size_bytes, place })
    }

    /// Makes `staged` a blob: durable, and readable by its hash, when this returns. The same bytes twice are one blob.
    ///
    /// # Errors
    /// `Unavailable`; then the bytes may or may not be a blob, and committing them again is right.
    pub async fn commit(&self, staged: Staged) -> Result<BlobHash, BlobError> {
        let hash = staged.hash;
        match (&*self.store, staged.place) {
            (Store::Folder(folder), StagedPlace::File(file)) => {
                folder.commit(file, hash.key()).await?;
            }
            (Store::Bucket(bucket), StagedPlace::Object(path)) => {
                bucket.commit(&path, &hash.key()).await?;
            }
            (Store::Folder(_) | Store::Bucket(_), _) => return Err(elsewhere()),
        }
        Ok(hash)
    }

    /// The staged bytes. For what is known to be small: they are held in memory.
    ///
    /// # Errors
    /// `Unavailable`; `Damaged` if they are not what was staged.
    pub async fn read_staged(&self, staged: &Staged) -> Result<Bytes, BlobError> {
        let bytes = match (&*self.store, &staged.place) {
            (Store::Folder(folder), StagedPlace::File(file)) => folder.read_staged(file).await?,
            (Store::Bucket(bucket), StagedPlace::Object(path)) => bucket.read_staged(path).await?,
            (Store::Folder(_) | Store::Bucket(_), _) => return Err(elsewhere()),
        };
        if BlobHash::of(&bytes) == staged.hash {
            Ok(bytes)
        } else {
            Err(BlobError::Damaged { hash: staged.hash })
        }
    }

    /// Removes staged bytes that are to be no blob. Dropping them does the same in a folder, but not on S3.
    pub async fn discard(&self, staged: Staged) {
        if let (Store::Bucket(bucket), StagedPlace::Object(path)) = (&*self.store, &staged.place) {
            bucket.discard(path).await;
        }
    }

    /// Stores `bytes` as a blob: [`Blobs::stage`] and [`Blobs::commit`] in one.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn put(&self, bytes: Bytes) -> Result<BlobHash, BlobError> {
        match &*self.store {
            Store::Folder(_) => {
                let max_bytes = bytes.len() as u64;
                let body = futures_util::stream::iter([Ok::<_, BoxError>(bytes)]);
                let staged = self.stage(body, max_bytes).await?;
                self.commit(staged).await
            }
            Store::Bucket(bucket) => {
                let hash = BlobHash::of(&bytes);
                bucket.put(&hash.key(), bytes).await?;
                Ok(hash)
            }
        }
    }

    /// The whole blob, checked against its hash. For what is known to be small: it is held in memory.
    ///
    /// # Errors
    /// `NotFound`, `TooLarge` if it has more than `max_bytes`, `Damaged`, `Unavailable`.
    pub async fn read(&self, hash: &BlobHash, max_bytes: u64) -> Result<Bytes, BlobError> {
        let size_bytes = self.head(hash).await?.size_bytes;
        if size_bytes > max_bytes {
            return Err(BlobError::TooLarge { max_bytes });
        }
        let mut whole = Vec::with_capacity(usize::try_from(size_bytes).unwrap_or(0));
        let mut body = self.stream(hash, None).await?;
        while let Some(chunk) = body.next().await {
            whole.extend_from_slice(&chunk?);
        }
        if BlobHash::of(&whole) == *hash {
            Ok(whole.into())
        } else {
            Err(BlobError::Damaged { hash: *hash })
        }
    }

    /// The bytes of `range` (its end exclusive), or all of them, as a stream of chunks.
    ///
    /// # Errors
    /// `NotFound`; `OutOfRange` if the range is empty or reaches beyond the end; `Unavailable`, also inside the stream.
    pub async fn stream(
        &self,
        hash: &BlobHash,
        range: Option<Range<u64>>,
    ) -> Result<BlobStream, BlobError> {
        match &*self.store {
            Store::Folder(folder) => folder.stream(&hash.key(), range).await,
            Store::Bucket(bucket) => bucket.stream(&hash.key(), range).await,
        }
    }

    /// Length and time of a blob.
    ///
    /// # Errors
    /// `NotFound`, `Unavailable`.
    pub async fn head(&self, hash: &BlobHash) -> Result<BlobInfo, BlobError> {
        match &*self.store {
            Store::Folder(folder) => folder.head(&hash.key()).await,
            Store::Bucket(bucket) => bucket.head(&hash.key()).await,
        }
    }

    /// Removes a blob unless its bytes were stored at or after `unless_since`; whether it is gone now.
    ///
    /// A blob that was not there is gone. Choose `unless_since` an hour before the transaction that saw no references:
    /// room for the time from staging to the reference's commit, and for clocks that differ. Ask again later after
    /// `false`.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn delete(&self, hash: &BlobHash, unless_since: Ts) -> Result<bool, BlobError> {
        match &*self.store {
            Store::Folder(folder) => folder.delete(hash.key(), unless_since).await,
            Store::Bucket(bucket) => bucket.delete(&hash.key(), unless_since).await,
        }
    }

    /// Removes what stands in `staging/` since before `before`: uploads whose program ended in the middle.
    ///
    /// `before` must lie further back than the longest upload. Run it at start and every hour.
    ///
    /// # Errors
    /// `Unavailable`; what was removed so far stays removed.
    pub async fn clean_staging(&self, before: Ts) -> Result<Cleaned, BlobError> {
        match &*self.store {
            Store::Folder(folder) => folder.clean_staging(before).await,
            Store::Bucket(bucket) => bucket.clean_staging(before).await,
        }
    }

    /// Answers when the store can be reached, for the health probe.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn check(&self) -> Result<(), BlobError> {
        match &*self.store {
            Store::Folder(folder) => folder.check().await,
            Store::Bucket(bucket) => bucket.check().await,
        }
    }
}

#[cfg(test)]
mod tests;
