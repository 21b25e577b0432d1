//! Uploads: taken as streams, recognised by content, stored by content, served by their own id.

use std::ops::Range;

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt as _, stream};
use mainstay_contract::{
    feed::PostEditedV1,
    id::{MediaId, PostId, UserId},
};
use mainstay_core::{
    blobs::{BlobError, BlobHash, BlobStream, BoxError},
    error::{Code, Fault, Problem},
    fetch::FetchError,
    ids,
};

use super::{Feed, cards::media_views, tags};
use crate::{
    error::Error,
    media::{
        MediaError, Processed,
        sniff::{Format, sniff},
        video::Filter,
    },
    model::{ALT_CHARS_MAX, UPLOAD_LIFE_S, text, visibility_of},
    store::{
        self,
        media::{NewFile, NewMedia},
    },
    view::{MediaKind, MediaView},
};

/// Bytes by which a file is recognised.
const HEAD_LEN: usize = 64;
/// Time between storing bytes and referring to them, with room: bytes younger than that stay.
const UNREFERENCED_S: i64 = 60;
/// Uploads and contents that one sweep looks at.
const SWEEP_MAX: i64 = 500;
/// The longest that an upload may take; what stands in staging for longer was left by a crash.
const STAGING_S: i64 = 2 * 60 * 60;

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
    /// Stores a picture or film of `owner`, as it comes.
    ///
    /// # Errors
    /// `Invalid` at `pointer` with the reason; `TooLarge`; nothing is left behind then.
    pub(crate) async fn upload<S, E>(
        &self,
        owner: UserId,
        body: S,
        alt: &str,
        pointer: &'static str,
    ) -> Result<MediaView, Error>
    where
        S: Stream<Item = Result<Bytes, E>> + Send + Unpin,
        E: Into<BoxError> + Send,
    {
        let refused = |error: MediaError| refuse(error, pointer);
        let alt = text::tidy(alt);
        if alt.chars().count() > ALT_CHARS_MAX {
            let detail = format!("Describe it in at most {ALT_CHARS_MAX} characters.");
            return Err(Error::invalid("/alt", "too_long", detail));
        }
        let mut body = body;
        let mut head = BytesMut::new();
        while head.len() < HEAD_LEN {
            match body.next().await {
                Some(chunk) => {
                    head.extend_from_slice(&chunk.map_err(|error| cut_off(error.into()))?)
                }
                None => break,
            }
        }
        let format = sniff(&head).map_err(refused)?;
        let whole = stream::once(async { Ok(head.freeze()) })
            .chain(body.map(|chunk| chunk.map_err(Into::into)));
        let new = if matches!(format, Format::Mp4 | Format::Webm) {
            self.store_film(format, whole, pointer).await?
        } else {
            self.store_picture(whole, pointer).await?
        };
        let new = NewMedia { id: ids::new_id(self.inner.clock.now()), owner, alt, ..new };
        self.db()
            .write(move |tx| {
                let new = new.clone();
                Box::pin(async move {
                    let now = tx.now();
                    store::media::insert(tx, &new, now).await?;
                    let files = store::media::of_media(tx, &[new.id]).await?;
                    media_views(files).pop().map(|(_, view)| view).ok_or(Error::NotFound)
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
        Ok(self.upload(owner, body, "", "/media_url").await?.id)
    }

    async fn store_picture<S>(&self, body: S, pointer: &'static str) -> Result<NewMedia, Error>
    where
        S: Stream<Item = Result<Bytes, BoxError>> + Send,
    {
        let refused = |error: MediaError| refuse(error, pointer);
        let max_bytes = self.inner.config.image_bytes_max;
        let mut body = std::pin::pin!(body);
        let mut bytes = BytesMut::new();
        while let Some(chunk) = body.next().await {
            let chunk = chunk.map_err(cut_off)?;
            if (bytes.len() + chunk.len()) as u64 > max_bytes {
                return Err(refused(MediaError::TooLarge { max_bytes }));
            }
            bytes.extend_from_slice(&chunk);
        }
        let Processed { content_type, width, height, blurhash, original, variants, .. } =
            self.inner.pool.process(bytes.freeze()).await.map_err(refused)?;
        let mut files = vec![self.put(0, height, content_type, original).await?];
        for variant in variants {
            files.push(
                self.put(variant.width, variant.height, variant.content_type, variant.bytes)
                    .await?,
            );
        }
        Ok(media(MediaKind::Image, width, height, blurhash, files))
    }

    async fn store_film<S>(
        &self,
        format: Format,
        body: S,
        pointer: &'static str,
    ) -> Result<NewMedia, Error>
    where
        S: Stream<Item = Result<Bytes, BoxError>> + Send,
    {
        let max_bytes = self.inner.config.video_bytes_max;
        let mut filter = Filter::new(format, self.inner.pool.limits());
        let mut body = Box::pin(body);
        let mut ended = false;
        let cleaned = stream::poll_fn(move |context| {
            while !ended {
                match std::task::ready!(body.poll_next_unpin(context)) {
                    Some(Ok(chunk)) => {
                        let mut out = Vec::with_capacity(chunk.len() + 64);
                        if let Err(error) = filter.push(&chunk, &mut out) {
                            ended = true;
                            return std::task::Poll::Ready(Some(Err::<Bytes, BoxError>(Box::new(
                                error,
                            ))));
                        }
                        if !out.is_empty() {
                            return std::task::Poll::Ready(Some(Ok(out.into())));
                        }
                    }
                    Some(Err(error)) => {
                        ended = true;
                        return std::task::Poll::Ready(Some(Err(error)));
                    }
                    None => {
                        ended = true;
                        if let Err(error) = filter.finish() {
                            return std::task::Poll::Ready(Some(Err(Box::new(error))));
                        }
                    }
                }
            }
            std::task::Poll::Ready(None)
        });
        let staged = self
            .inner
            .blobs
            .stage(cleaned, max_bytes)
            .await
            .map_err(|error| film_failed(error, pointer))?;
        let size_bytes = staged.size_bytes() as i64;
        let hash = *self.inner.blobs.commit(staged).await.map_err(storage)?.as_bytes();
        let content_type = if format == Format::Webm { "video/webm" } else { "video/mp4" };
        let file = NewFile { width: 0, height: 0, content_type, size_bytes, hash };
        Ok(media(MediaKind::Video, 0, 0, String::new(), vec![file]))
    }

    async fn put(
        &self,
        width: u32,
        height: u32,
        content_type: &'static str,
        bytes: Vec<u8>,
    ) -> Result<NewFile, Error> {
        let size_bytes = bytes.len() as i64;
        let hash = *self.inner.blobs.put(bytes.into()).await.map_err(storage)?.as_bytes();
        Ok(NewFile { width, height, content_type, size_bytes, hash })
    }

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

    /// Changes the words for a picture.
    ///
    /// # Errors
    /// `NotFound` unless it is the caller's; `Invalid` if they are too long.
    pub(crate) async fn set_alt(
        &self,
        owner: UserId,
        id: MediaId,
        alt: &str,
    ) -> Result<MediaView, Error> {
        let alt = text::tidy(alt);
        if alt.chars().count() > ALT_CHARS_MAX {
            let detail = format!("Describe it in at most {ALT_CHARS_MAX} characters.");
            return Err(Error::invalid("/alt", "too_long", detail));
        }
        self.db()
            .write(move |tx| {
                let alt = alt.clone();
                Box::pin(async move {
                    let post =
                        store::media::set_alt(tx, id, owner, &alt).await?.ok_or(Error::NotFound)?;
                    if let Some(post) = post {
                        let held =
                            store::posts::held(tx, post, None).await?.ok_or(Error::NotFound)?;
                        let fact = PostEditedV1 {
                            post,
                            author: owner,
                            visibility: visibility_of(held.sight.visibility),
                            published_at: held.published_at.unwrap_or(held.created_at),
                            hashtags: held.hashtags,
                            version: held.version,
                        };
                        tx.emit(&fact, &[tags::post(post)]).await?;
                    }
                    let files = store::media::of_media(tx, &[id]).await?;
                    media_views(files).pop().map(|(_, view)| view).ok_or(Error::NotFound)
                })
            })
            .await
    }

    /// Ends uploads that nobody attached within a day, and removes bytes that nothing refers to. Harmless on repeat.
    pub(crate) async fn sweep_media(&self) -> Result<(), Error> {
        let now = self.inner.clock.now();
        let old = now.plus_s(-UPLOAD_LIFE_S);
        self.db()
            .write::<_, Error, _>(move |tx| {
                Box::pin(async move {
                    for media in store::media::unattached(tx, old, SWEEP_MAX).await? {
                        store::media::drop_media(tx, media).await?;
                    }
                    Ok(())
                })
            })
            .await?;
        let mut after = Vec::new();
        loop {
            let gone = store::media::gone(&mut *self.db().read().await?, &after, SWEEP_MAX).await?;
            let Some((last, ..)) = gone.last() else { break };
            after.clone_from(last);
            for (hash, _, used) in gone {
                self.remove_bytes(hash, used).await?;
            }
        }
        self.inner.blobs.clean_staging(now.plus_s(-STAGING_S)).await.map_err(storage)?;
        Ok(())
    }

    async fn remove_bytes(&self, hash: Vec<u8>, used: bool) -> Result<(), Error> {
        let before = self.inner.clock.now().plus_s(-UNREFERENCED_S);
        let done = match <[u8; 32]>::try_from(hash.as_slice()) {
            Ok(bytes) if !used => self
                .inner
                .blobs
                .delete(&BlobHash::from_bytes(bytes), before)
                .await
                .map_err(storage)?,
            _ => true,
        };
        if !done {
            return Ok(());
        }
        self.db()
            .write(move |tx| {
                let hash = hash.clone();
                Box::pin(async move { Ok(store::media::forget_gone(tx, &hash).await?) })
            })
            .await
    }
}

/// Removes every upload of a post.
pub(super) async fn drop_media_of(
    tx: &mut mainstay_core::db::Tx,
    post: PostId,
) -> Result<(), Error> {
    for media in store::media::ids_of_post(tx, post).await? {
        store::media::drop_media(tx, media).await?;
    }
    Ok(())
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

/// What is wrong with a file, in a stable word.
fn fault_code(error: &MediaError) -> &'static str {
    match error {
        MediaError::Empty => "empty",
        MediaError::UnknownType => "unknown_type",
        MediaError::WrongType { .. } => "wrong_type",
        MediaError::Truncated { .. } => "truncated",
        MediaError::Damaged { .. } => "damaged",
        MediaError::Unsupported { .. } => "unsupported",
        MediaError::TooLarge { .. } => "too_large",
        MediaError::TooManyPixels { .. } => "too_many_pixels",
        MediaError::TooManyFrames { .. } => "too_many_frames",
        MediaError::Busy => "busy",
        MediaError::Failed { .. } => "failed",
    }
}

fn refuse(error: MediaError, pointer: &'static str) -> Error {
    let fault = Fault::new(pointer, fault_code(&error), sentence(&error.to_string()));
    let problem = match error {
        MediaError::TooLarge { .. } => Problem::new(Code::TooLarge, fault.detail.clone()),
        MediaError::Busy => Problem::new(Code::Overloaded, fault.detail.clone()).retry_after_s(5),
        MediaError::Failed { source } => Problem::invalid(vec![fault.clone()]).because(source),
        _ => Problem::invalid(vec![fault.clone()]),
    };
    let mut problem = problem;
    if problem.faults.is_empty() {
        problem.faults = vec![fault];
    }
    problem.into()
}

/// `the file is …` → `The file is ….`
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    format!("{}.", first.chain(letters).collect::<String>())
}

fn cut_off(error: BoxError) -> Error {
    if let Some(fetch) = error.downcast_ref::<FetchError>() {
        return not_fetched(fetch);
    }
    let detail = "The upload ended before all of it had arrived. Send it again.";
    Problem::new(Code::MalformedBody, detail).because(error).into()
}

fn not_fetched(error: &FetchError) -> Error {
    Error::invalid("/media_url", "not_fetched", sentence(&error.to_string()))
}

fn film_failed(error: BlobError, pointer: &'static str) -> Error {
    match error {
        BlobError::Interrupted { source } => match source.downcast::<MediaError>() {
            Ok(error) => refuse(*error, pointer),
            Err(source) => cut_off(source),
        },
        BlobError::TooLarge { max_bytes } => refuse(MediaError::TooLarge { max_bytes }, pointer),
        other => storage(other),
    }
}

fn storage(error: BlobError) -> Error {
    match error {
        BlobError::NotFound => Error::NotFound,
        other => Problem::new(
            Code::Unavailable,
            "The media store does not answer at the moment. Try again in a few seconds.",
        )
        .retry_after_s(5)
        .because(other)
        .into(),
    }
}
