//! Uploads: taken as streams, recognised by content, stored by content, served by their own id.
//!
//! A file is staged first, whatever it is: what waits for its turn or comes slowly takes disk and no memory. Before its
//! bytes get their place, their hash is noted, so that the sweep finds them if nothing comes to refer to them.
//!
//! Reading order: this file (in), `describe`, `serve` (out), `sweep` (gone), `room` and `refuse` (how
//! much, and why not).

mod describe;
mod refuse;
mod room;
mod serve;
mod sweep;

use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use mainstay_contract::id::{MediaId, UserId};
use mainstay_core::{
    blobs::{BlobHash, BoxError, Staged},
    db::{Once, Tx},
    error::Tolerate as _,
    http::Key,
    ids, params,
};

use self::{
    describe::checked_alt,
    refuse::{cut_off, no_room, not_fetched, not_staged, refuse, storage},
};
pub(crate) use self::{room::Rooms, serve::Served, sweep::drop_media_of};
use super::{Feed, cards::media_views};
use crate::{
    error::Error,
    media::{
        MediaError, Processed,
        sniff::{Format, HEAD_BYTES, sniff},
        video::Filter,
    },
    store::{
        self,
        media::{NewFile, NewMedia},
    },
    view::{MediaKind, MediaView},
};

/// A file on its way in.
#[derive(Debug)]
pub(crate) struct Upload<'a> {
    /// Whose it will be.
    pub(crate) owner: UserId,
    /// Words for it.
    pub(crate) alt: &'a str,
    /// Where a fault of the file is.
    pub(crate) pointer: &'static str,
    /// Makes a repeat of the upload answer what the first one did.
    pub(crate) key: Key,
}

impl Feed {
    /// Stores a picture or film, as it comes.
    ///
    /// # Errors
    /// `Invalid` at the pointer with the reason; `TooLarge`; `Conflict` if the owner's uploads that stand in no post
    /// take too much. Nothing that is served is left behind then.
    pub(crate) async fn upload<S, E>(&self, upload: Upload<'_>, body: S) -> Result<MediaView, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Into<BoxError> + Send,
    {
        let Upload { owner, alt, pointer, key } = upload;
        let alt = checked_alt(alt)?;
        // Its row is what uploads of one person queue up at.
        self.meet(owner).await?;
        let max_bytes = self.inner.config.unattached_bytes_max;
        let used = store::media::unattached_bytes(&mut *self.db().read().await?, owner).await?;
        let room = Arc::new(self.inner.rooms.enter(owner, used, max_bytes));
        let counted = room.clone();
        let body = body.map(move |chunk| {
            let chunk = chunk.map_err(Into::into)?;
            counted.grow(chunk.len() as u64)?;
            Ok(chunk)
        });
        let (format, body) = recognised(body, pointer).await?;
        let staged = self.stage(format, body, pointer).await?;
        let once = key.over(&[staged.hash().as_bytes(), alt.as_bytes()]);
        if let Some(once) = &once
            && let Some(first) = self.db().first_answer(once).await?
        {
            self.inner.blobs.discard(staged).await;
            return Ok(first);
        }
        let new = if format.kind() == MediaKind::Video {
            self.store_film(format, staged).await?
        } else {
            self.store_picture(staged, pointer).await?
        };
        let new = NewMedia { id: ids::new_id(self.inner.clock.now()), owner, alt, ..new };
        self.add_media(new, once).await
    }

    async fn add_media(&self, new: NewMedia, once: Option<Once>) -> Result<MediaView, Error> {
        let max_bytes = self.inner.config.unattached_bytes_max;
        let locked = vec![new.owner];
        self.db()
            .write_locking(&store::relations::LOCK, params![locked], once, move |tx| {
                let new = new.clone();
                Box::pin(async move {
                    let used = store::media::unattached_bytes(tx, new.owner).await?;
                    if used.saturating_add(new.size_bytes()) > max_bytes {
                        return Err(no_room());
                    }
                    let now = tx.now();
                    store::media::insert(tx, &new, now).await?;
                    view(tx, new.id).await
                })
            })
            .await
    }

    /// Fetches a picture or film for `owner`.
    ///
    /// # Errors
    /// `Invalid` at `/media_url` with the reason.
    pub(crate) async fn fetch_media(&self, owner: UserId, url: &str) -> Result<MediaId, Error> {
        let fetched = self.inner.fetcher.get(url).await.map_err(|error| not_fetched(&error))?;
        let body = Box::pin(fetched.into_body());
        let upload = Upload { owner, alt: "", pointer: "/media_url", key: Key::default() };
        Ok(self.upload(upload, body).await?.id)
    }

    /// Ends an upload that was made for a post which was not written.
    pub(crate) async fn give_up(&self, owner: UserId, media: MediaId) {
        self.db()
            .write::<_, Error, _>(move |tx| {
                Box::pin(async move { Ok(store::media::drop_unattached(tx, media, owner).await?) })
            })
            .await
            .tolerate("not attached, it ends after a day");
    }

    /// Takes the body to its end into staging; a film is checked and cleaned on the way.
    async fn stage<S>(
        &self,
        format: Format,
        body: S,
        pointer: &'static str,
    ) -> Result<Staged, Error>
    where
        S: Stream<Item = Result<Bytes, BoxError>> + Send + Unpin,
    {
        let limits = self.inner.pool.limits();
        let max_bytes = limits.bytes_max(format);
        let staged = if format.kind() == MediaKind::Video {
            let film = cleaned(Filter::new(format, limits), body);
            self.inner.blobs.stage(film, max_bytes).await
        } else {
            self.inner.blobs.stage(body, max_bytes).await
        };
        staged.map_err(|error| not_staged(error, pointer))
    }

    async fn store_film(&self, format: Format, staged: Staged) -> Result<NewMedia, Error> {
        let (hash, size_bytes) = (staged.hash(), staged.size_bytes() as i64);
        self.note_stored(&[hash]).await?;
        let hash = *self.inner.blobs.commit(staged).await.map_err(storage)?.as_bytes();
        let content_type = format.content_type();
        let file = NewFile { width: 0, height: 0, content_type, size_bytes, hash };
        Ok(media(MediaKind::Video, 0, 0, String::new(), vec![file]))
    }

    async fn store_picture(
        &self,
        staged: Staged,
        pointer: &'static str,
    ) -> Result<NewMedia, Error> {
        let done = self.process(&staged, pointer).await;
        self.inner.blobs.discard(staged).await;
        let Processed { content_type, width, height, blurhash, original, variants, .. } = done?;
        let original = (0, height, content_type, Bytes::from(original));
        let variants =
            variants.into_iter().map(|v| (v.width, v.height, v.content_type, v.bytes.into()));
        let all: Vec<(u32, u32, &'static str, Bytes)> =
            std::iter::once(original).chain(variants).collect();
        let hashes: Vec<BlobHash> = all.iter().map(|(.., bytes)| BlobHash::of(bytes)).collect();
        self.note_stored(&hashes).await?;
        let mut files = Vec::with_capacity(all.len());
        for (width, height, content_type, bytes) in all {
            let size_bytes = bytes.len() as i64;
            let hash = *self.inner.blobs.put(bytes).await.map_err(storage)?.as_bytes();
            files.push(NewFile { width, height, content_type, size_bytes, hash });
        }
        Ok(media(MediaKind::Image, width, height, blurhash, files))
    }

    /// Works on a staged picture when it is its turn; until then it is not in memory.
    async fn process(&self, staged: &Staged, pointer: &'static str) -> Result<Processed, Error> {
        let refused = |error: MediaError| refuse(error, pointer);
        let turn = self.inner.pool.turn().await.map_err(refused)?;
        let bytes = self.inner.blobs.read_staged(staged).await.map_err(storage)?;
        turn.process(bytes).await.map_err(refused)
    }

    /// Notes what is about to be stored: if nothing refers to it an hour later, the sweep removes it.
    async fn note_stored(&self, hashes: &[BlobHash]) -> Result<(), Error> {
        let hashes: Vec<[u8; 32]> = hashes.iter().map(|hash| *hash.as_bytes()).collect();
        self.db()
            .write(move |tx| {
                let hashes = hashes.clone();
                Box::pin(async move { Ok(store::media::note_stored(tx, &hashes).await?) })
            })
            .await
    }
}

async fn view(tx: &mut Tx, id: MediaId) -> Result<MediaView, Error> {
    let files = store::media::of_media(tx, &[id]).await?;
    media_views(files).pop().map(|(_, view)| view).ok_or(Error::NotFound)
}

/// What the file is, and all of its bytes.
async fn recognised<S>(
    mut body: S,
    pointer: &'static str,
) -> Result<(Format, impl Stream<Item = Result<Bytes, BoxError>> + Send + Unpin), Error>
where
    S: Stream<Item = Result<Bytes, BoxError>> + Send + Unpin,
{
    let mut head = BytesMut::new();
    while head.len() < HEAD_BYTES {
        match body.next().await {
            Some(chunk) => head.extend_from_slice(&chunk.map_err(cut_off)?),
            None => break,
        }
    }
    let format = sniff(&head).map_err(|error| refuse(error, pointer))?;
    Ok((format, stream::iter([Ok(head.freeze())]).chain(body)))
}

/// A film as it passes its filter; the first error ends it.
fn cleaned<S>(filter: Filter, body: S) -> impl Stream<Item = Result<Bytes, BoxError>> + Send
where
    S: Stream<Item = Result<Bytes, BoxError>> + Send + Unpin,
{
    stream::try_unfold(Some((filter, body)), async |state| {
        let Some((mut filter, mut body)) = state else { return Ok(None) };
        let mut out = Vec::new();
        while out.is_empty() {
            let Some(chunk) = body.next().await else {
                filter.finish()?;
                return Ok(None);
            };
            let chunk = chunk?;
            out.reserve(chunk.len() + 64);
            filter.push(&chunk, &mut out)?;
        }
        Ok(Some((Bytes::from(out), Some((filter, body)))))
    })
}

fn media(
    kind: MediaKind,
    width: u32,
    height: u32,
    blurhash: String,
    files: Vec<NewFile>,
) -> NewMedia {
    NewMedia {
        id: MediaId::from_bits(0),
        owner: UserId::from_bits(0),
        kind: i64::from(kind == MediaKind::Video),
        alt: String::new(),
        width,
        height,
        blurhash,
        files,
    }
}
