//! Files as they are given out.

use std::ops::Range;

use mainstay_contract::id::{MediaId, UserId};
use mainstay_core::blobs::{BlobHash, BlobStream};

use super::{Feed, refuse::storage};
use crate::{error::Error, store};

/// A file that may be served, and how it may be kept.
#[derive(Debug)]
pub(crate) struct Served {
    pub(crate) content_type: String,
    pub(crate) size_bytes: u64,
    /// Everybody may see it, so anybody may keep it.
    pub(crate) open: bool,
    hash: BlobHash,
}

impl Feed {
    /// A file that `viewer` may see: of a post that they see, of anybody's avatar, or of their own upload.
    ///
    /// # Errors
    /// `NotFound` otherwise.
    pub(crate) async fn media_file(
        &self,
        viewer: Option<UserId>,
        id: MediaId,
        width: u32,
    ) -> Result<Served, Error> {
        let mut tx = self.db().read().await?;
        let row = store::media::file(&mut tx, id, width).await?.ok_or(Error::NotFound)?;
        let (visible, open) = match row.post {
            Some(post) => {
                let sight = store::posts::sights(&mut tx, &[post], viewer).await?;
                let sight = sight.first().ok_or(Error::NotFound)?.sight;
                (sight.visible_to(viewer), sight.is_open())
            }
            None if row.is_avatar => (true, true),
            None => (viewer == Some(row.owner), false),
        };
        if !visible {
            return Err(Error::NotFound);
        }
        let hash = row.hash.try_into().map(BlobHash::from_bytes).map_err(|_len| Error::NotFound)?;
        Ok(Served {
            content_type: row.content_type,
            size_bytes: row.size_bytes.cast_unsigned(),
            open,
            hash,
        })
    }

    /// The bytes of a file, or a part of them.
    ///
    /// # Errors
    /// If the store does not give them.
    pub(crate) async fn media_bytes(
        &self,
        file: &Served,
        range: Option<Range<u64>>,
    ) -> Result<BlobStream, Error> {
        self.inner.blobs.stream(&file.hash, range).await.map_err(storage)
    }
}
