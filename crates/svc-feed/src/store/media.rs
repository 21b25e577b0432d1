//! Uploads: what a post needs of them.

use mainstay_contract::{
    id::{MediaId, PostId, UserId},
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, Tx},
    params, row, statements,
};

statements! {
    /// The files of posts' media, in order, full size first.
    OF_POSTS = "select m.post_id, m.id, m.kind, m.alt, m.width, m.height, m.blurhash, f.width, f.height, f.content_type, f.size_bytes
                from feed.media m join feed.media_file f on f.media_id = m.id
                where m.post_id = any($1) order by m.post_id, m.position, m.id, f.width",
        sqlite "select m.post_id, m.id, m.kind, m.alt, m.width, m.height, m.blurhash, f.width, f.height, f.content_type, f.size_bytes
                from feed.media m join feed.media_file f on f.media_id = m.id
                where m.post_id in (select unhex(value) from json_each($1))
                order by m.post_id, m.position, m.id, f.width";
    /// The files of these uploads.
    OF_MEDIA = "select m.post_id, m.id, m.kind, m.alt, m.width, m.height, m.blurhash, f.width, f.height, f.content_type, f.size_bytes
                from feed.media m join feed.media_file f on f.media_id = m.id
                where m.id = any($1) order by m.id, f.width",
        sqlite "select m.post_id, m.id, m.kind, m.alt, m.width, m.height, m.blurhash, f.width, f.height, f.content_type, f.size_bytes
                from feed.media m join feed.media_file f on f.media_id = m.id
                where m.id in (select unhex(value) from json_each($1)) order by m.id, f.width";
    /// Attaches an unattached upload of this person to a post.
    ATTACH = "update feed.media set post_id = $2, position = $3 where id = $1 and owner_id = $4 and not is_avatar
              and (post_id is null or post_id = $2)";
    /// Takes an upload off its post.
    DETACH = "update feed.media set post_id = null where id = $1 and post_id = $2";
    /// Adds an upload.
    INSERT = "insert into feed.media (id, owner_id, post_id, position, is_avatar, kind, alt, width, height, blurhash, created_at)
              values ($1, $2, null, 0, false, $3, $4, $5, $6, $7, $8)";
    /// Adds a file of an upload.
    INSERT_FILE = "insert into feed.media_file (media_id, width, height, content_type, size_bytes, hash)
                   values ($1, $2, $3, $4, $5, $6)";
    /// Changes the words for a picture.
    SET_ALT = "update feed.media set alt = $3 where id = $1 and owner_id = $2 returning post_id, is_avatar";
    /// One file of an upload and whom it belongs to.
    FILE = "select m.owner_id, m.post_id, m.is_avatar, f.content_type, f.size_bytes, f.hash
            from feed.media m join feed.media_file f on f.media_id = m.id where m.id = $1 and f.width = $2";
    /// Uploads that nobody attached in time.
    UNATTACHED = "select id from feed.media where post_id is null and not is_avatar and created_at < $1 limit $2";
    /// Notes that the files of an upload lose a reference.
    LET_GO = "insert into feed.blob_gone (hash, at) select distinct hash, $2::timestamptz from feed.media_file where media_id = $1
              on conflict (hash) do update set at = excluded.at",
        sqlite "insert into feed.blob_gone (hash, at) select distinct hash, $2 from feed.media_file where media_id = $1
              on conflict (hash) do update set at = excluded.at";
    /// Notes content that is about to be stored.
    NOTE_STORED = "insert into feed.blob_gone (hash, at) values ($1, $2)
                   on conflict (hash) do update set at = excluded.at";
    /// Bytes of somebody's uploads that stand in no post.
    UNATTACHED_BYTES = "select coalesce(sum(f.size_bytes), 0)::bigint
                        from feed.media m join feed.media_file f on f.media_id = m.id
                        where m.owner_id = $1 and m.post_id is null and not m.is_avatar",
        sqlite "select coalesce(sum(f.size_bytes), 0)
                        from feed.media m join feed.media_file f on f.media_id = m.id
                        where m.owner_id = $1 and m.post_id is null and not m.is_avatar";
    /// Whether an upload of this person can be attached.
    FREE = "select exists (select 1 from feed.media
                where id = $1 and owner_id = $2 and post_id is null and not is_avatar)";
    /// Removes the files of an upload.
    DROP_FILES = "delete from feed.media_file where media_id = $1";
    /// Removes an upload.
    DROP = "delete from feed.media where id = $1";
    /// Content that may have no reference any more.
    GONE = "select hash, at, exists (select 1 from feed.media_file f where f.hash = g.hash) from feed.blob_gone g
            where hash > $1 and at < $2 order by hash limit $3";
    /// Forgets content that is gone or used again, unless it was noted anew.
    FORGET_GONE = "delete from feed.blob_gone where hash = $1 and at = $2";
    /// The uploads of a post, in order.
    IDS_OF_POST = "select id from feed.media where post_id = $1 order by position, id";
}

row! {
    /// A file that is asked for, and whom it belongs to.
    #[derive(Debug, Clone)]
    pub(crate) struct ServedRow {
        pub(crate) owner: UserId,
        pub(crate) post: Option<PostId>,
        pub(crate) is_avatar: bool,
        pub(crate) content_type: String,
        pub(crate) size_bytes: i64,
        pub(crate) hash: Vec<u8>,
    }
}

row! {
    /// Content that was noted.
    #[derive(Debug, Clone)]
    pub(crate) struct Gone {
        pub(crate) hash: Vec<u8>,
        at: Ts,
        /// Something refers to it.
        pub(crate) used: bool,
    }
}

/// An upload as it is written.
#[derive(Debug, Clone)]
pub(crate) struct NewMedia {
    pub(crate) id: MediaId,
    pub(crate) owner: UserId,
    pub(crate) kind: i64,
    pub(crate) alt: String,
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) blurhash: String,
    pub(crate) files: Vec<NewFile>,
}

impl NewMedia {
    /// All of its files together.
    pub(crate) fn size_bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size_bytes.cast_unsigned()).sum()
    }
}

/// A file of an upload as it is written; the full size has width 0.
#[derive(Debug, Clone)]
pub(crate) struct NewFile {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) content_type: &'static str,
    pub(crate) size_bytes: i64,
    pub(crate) hash: [u8; 32],
}

row! {
    /// One file of an upload, with the upload it belongs to.
    #[derive(Debug, Clone)]
    pub(crate) struct FileRow {
        pub(crate) post: Option<PostId>,
        pub(crate) media: MediaId,
        pub(crate) kind: i64,
        pub(crate) alt: String,
        pub(crate) width: u32,
        pub(crate) height: u32,
        pub(crate) blurhash: String,
        pub(crate) file_width: u32,
        pub(crate) file_height: u32,
        pub(crate) content_type: String,
        pub(crate) size_bytes: i64,
    }
}

/// The files of these posts' media: by post, in order, full size (width 0) first.
pub(crate) async fn of_posts(tx: &mut Tx, posts: &[PostId]) -> Result<Vec<FileRow>, DbError> {
    tx.all(&OF_POSTS, params![posts]).await
}

/// The files of these uploads, full size first.
pub(crate) async fn of_media(tx: &mut Tx, media: &[MediaId]) -> Result<Vec<FileRow>, DbError> {
    if media.is_empty() {
        return Ok(Vec::new());
    }
    tx.all(&OF_MEDIA, params![media]).await
}

/// Attaches an upload of `owner` to `post` at `position`; `false` if it is not theirs or attached elsewhere.
pub(crate) async fn attach(
    tx: &mut Tx,
    media: MediaId,
    post: PostId,
    position: usize,
    owner: UserId,
) -> Result<bool, DbError> {
    Ok(tx.execute(&ATTACH, params![media, post, position as i64, owner]).await? == 1)
}

/// Takes an upload off `post`; it ends later like any unattached one.
pub(crate) async fn detach(tx: &mut Tx, media: MediaId, post: PostId) -> Result<(), DbError> {
    tx.run(&DETACH, params![media, post]).await
}

/// The uploads of `post`, in order.
pub(crate) async fn ids_of_post(tx: &mut Tx, post: PostId) -> Result<Vec<MediaId>, DbError> {
    let rows: Vec<(MediaId,)> = tx.all(&IDS_OF_POST, params![post]).await?;
    Ok(rows.into_iter().map(|(media,)| media).collect())
}

/// Adds an upload with its files.
pub(crate) async fn insert(tx: &mut Tx, new: &NewMedia, now: Ts) -> Result<(), DbError> {
    let params =
        params![new.id, new.owner, new.kind, new.alt, new.width, new.height, new.blurhash, now];
    tx.run(&INSERT, params).await?;
    for file in &new.files {
        let params =
            params![new.id, file.width, file.height, file.content_type, file.size_bytes, file.hash];
        tx.run(&INSERT_FILE, params).await?;
    }
    Ok(())
}

/// Changes the words for a picture of `owner`; with it the post that shows it, and whether it is their avatar. `None`
/// if it is not theirs.
pub(crate) async fn set_alt(
    tx: &mut Tx,
    media: MediaId,
    owner: UserId,
    alt: &str,
) -> Result<Option<(Option<PostId>, bool)>, DbError> {
    tx.optional(&SET_ALT, params![media, owner, alt]).await
}

/// Whether `media` is an upload of `owner` that stands nowhere.
pub(crate) async fn is_free(tx: &mut Tx, media: MediaId, owner: UserId) -> Result<bool, DbError> {
    let (free,): (bool,) = tx.one(&FREE, params![media, owner]).await?;
    Ok(free)
}

/// Bytes of the uploads of `owner` that stand in no post.
pub(crate) async fn unattached_bytes(tx: &mut Tx, owner: UserId) -> Result<u64, DbError> {
    let (bytes,): (i64,) = tx.one(&UNATTACHED_BYTES, params![owner]).await?;
    Ok(bytes.cast_unsigned())
}

/// Notes content that is about to be stored, so that it is found if nothing comes to refer to it.
pub(crate) async fn note_stored(tx: &mut Tx, hashes: &[[u8; 32]]) -> Result<(), DbError> {
    let now = tx.now();
    for hash in hashes {
        tx.run(&NOTE_STORED, params![hash, now]).await?;
    }
    Ok(())
}

/// One file of an upload; `width` 0 is the full size.
pub(crate) async fn file(
    tx: &mut Tx,
    media: MediaId,
    width: u32,
) -> Result<Option<ServedRow>, DbError> {
    tx.optional(&FILE, params![media, width]).await
}

/// Uploads made before `before` that nobody attached, at most `limit`.
pub(crate) async fn unattached(
    tx: &mut Tx,
    before: Ts,
    limit: i64,
) -> Result<Vec<MediaId>, DbError> {
    let rows: Vec<(MediaId,)> = tx.all(&UNATTACHED, params![before, limit]).await?;
    Ok(rows.into_iter().map(|(media,)| media).collect())
}

/// Removes an upload; its bytes go with the next sweep if nothing else has the same.
pub(crate) async fn drop_media(tx: &mut Tx, media: MediaId) -> Result<(), DbError> {
    let now = tx.now();
    tx.run(&LET_GO, params![media, now]).await?;
    tx.run(&DROP_FILES, params![media]).await?;
    tx.run(&DROP, params![media]).await
}

/// Removes an upload unless it stands somewhere.
pub(crate) async fn drop_unattached(
    tx: &mut Tx,
    media: MediaId,
    owner: UserId,
) -> Result<(), DbError> {
    if is_free(tx, media, owner).await? { drop_media(tx, media).await } else { Ok(()) }
}

/// Content after `after` that was noted before `before`, in the order of its hashes.
pub(crate) async fn gone(
    tx: &mut Tx,
    after: &[u8],
    before: Ts,
    limit: i64,
) -> Result<Vec<Gone>, DbError> {
    tx.all(&GONE, params![after, before, limit]).await
}

/// Forgets content that is gone or used again, unless it was noted anew meanwhile.
pub(crate) async fn forget_gone(tx: &mut Tx, content: &Gone) -> Result<(), DbError> {
    tx.run(&FORGET_GONE, params![content.hash, content.at]).await
}
