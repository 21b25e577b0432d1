//! Uploads: what a post needs of them.

use mainstay_contract::id::{MediaId, PostId, UserId};
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
    /// The uploads of a post, in order.
    IDS_OF_POST = "select id from feed.media where post_id = $1 order by position, id";
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
    tx.execute(&DETACH, params![media, post]).await.map(drop)
}

/// The uploads of `post`, in order.
pub(crate) async fn ids_of_post(tx: &mut Tx, post: PostId) -> Result<Vec<MediaId>, DbError> {
    let rows: Vec<(MediaId,)> = tx.all(&IDS_OF_POST, params![post]).await?;
    Ok(rows.into_iter().map(|(media,)| media).collect())
}
