//! Cards: posts as they are shown, without what depends on the viewer. Lists are made of them.

use std::{collections::HashMap, sync::Arc};

use mainstay_contract::id::{MediaId, PostId, UserId};
use mainstay_core::{
    cache::{Loaded, Lookup, Stamp, Tag},
    db::{DbError, Tx},
};

use super::{Feed, tags};
use crate::{
    model::{Sight, post_state, rank::Counts, visibility_of},
    store::{self, media::FileRow, people::PersonRow, posts::HeldPost},
    view::{MediaKind, MediaView, PersonView, PostState, PostView, VariantView},
};

/// What stands before the one place in a post's JSON that depends on the viewer.
const LIKED: &str = "\"liked_by_me\":false";

/// A post as it is shown.
#[derive(Debug)]
pub(crate) struct Card {
    /// The view, with `liked_by_me` as for a stranger.
    pub(crate) view: PostView,
    /// How strangers stand to it.
    pub(crate) sight: Sight,
    /// Its counters, for scores.
    pub(crate) counts: Counts,
    before: String,
    after: String,
}

impl Card {
    fn new(view: PostView, held: &HeldPost) -> Self {
        let json = serde_json::to_string(&view).unwrap_or_default();
        // Inside a text the quotes would be escaped, so the words stand once: where the field is.
        let (before, after) = json.split_once(LIKED).unwrap_or((&json, ""));
        let (before, after) = (before.to_owned(), after.to_owned());
        Self { view, sight: held.sight, counts: held.counts, before, after }
    }

    pub(crate) fn id(&self) -> PostId {
        self.view.id
    }

    /// Whether somebody may see what this card shows: its own state and visibility, and how `sight` says that they
    /// stand to the author.
    pub(crate) fn is_visible_to(&self, viewer: Option<UserId>, sight: &Sight) -> bool {
        let Sight { follows, blocked, .. } = *sight;
        Sight { follows, blocked, ..self.sight }.visible_to(viewer)
    }

    pub(crate) fn author(&self) -> UserId {
        self.sight.author
    }

    /// Bytes in memory, roughly.
    pub(crate) fn weight(&self) -> usize {
        1_024 + 2 * (self.before.len() + self.after.len())
    }

    /// The view for somebody.
    pub(crate) fn view(&self, liked: bool) -> PostView {
        PostView { liked_by_me: liked, ..self.view.clone() }
    }

    /// Bytes of its JSON, at most.
    pub(crate) fn json_len(&self) -> usize {
        self.before.len() + LIKED.len() + self.after.len() + 1
    }

    /// Appends the post's JSON for somebody and returns where it says whether they like it.
    pub(crate) fn write_json(&self, liked: bool, out: &mut Vec<u8>) -> usize {
        out.extend_from_slice(self.before.as_bytes());
        out.extend_from_slice(b"\"liked_by_me\":");
        let place = out.len();
        out.extend_from_slice(if liked { b"true" } else { b"false" });
        out.extend_from_slice(self.after.as_bytes());
        place
    }

    /// What outdates it.
    pub(crate) fn tags(&self) -> [Tag; 2] {
        [tags::post(self.id()), tags::profile(self.author())]
    }
}

impl Feed {
    /// Cards of `posts`, in their order; posts without a row are left out. With them the stamp of the oldest reading.
    pub(crate) async fn cards(
        &self,
        posts: &[PostId],
    ) -> Result<(Vec<Arc<Card>>, Option<Stamp>), DbError> {
        let mut oldest: Option<Stamp> = None;
        let mut found: HashMap<PostId, Arc<Card>> = HashMap::with_capacity(posts.len());
        let mut missing = Vec::new();
        for post in posts {
            match self.inner.caches.cards.get(post) {
                Lookup::Hit(hit) => {
                    oldest = Some(oldest.map_or(hit.stamp(), |stamp| stamp.min(hit.stamp())));
                    found.insert(*post, Arc::clone(&hit));
                }
                Lookup::Absent => {}
                Lookup::Miss => missing.push(*post),
            }
        }
        if !missing.is_empty() {
            let mut tx = self.db().read().await?;
            let stamp = Stamp(tx.stamp().await?);
            oldest = Some(oldest.map_or(stamp, |old| old.min(stamp)));
            let read = self.read_cards(&mut tx, &missing, stamp).await?;
            found.extend(read.into_iter().map(|card| (card.id(), card)));
        }
        Ok((posts.iter().filter_map(|post| found.remove(post)).collect(), oldest))
    }

    /// Cards of `posts` as they are read now, in any order; memory has them afterwards.
    pub(crate) async fn read_cards(
        &self,
        tx: &mut Tx,
        posts: &[PostId],
        stamp: Stamp,
    ) -> Result<Vec<Arc<Card>>, DbError> {
        let cards: Vec<Arc<Card>> =
            load(tx, posts, self.public_url()).await?.into_iter().map(Arc::new).collect();
        // What others do not see changes without a fact that would outdate it.
        for card in cards.iter().filter(|card| card.sight.state == post_state::PUBLISHED) {
            let loaded = Loaded::found(card.clone(), card.tags(), stamp);
            self.inner.caches.cards.put(card.id(), loaded);
        }
        Ok(cards)
    }
}

/// Reads posts as they are shown, in any order. Media of those that everybody sees are at `public_url`.
pub(crate) async fn load(
    tx: &mut Tx,
    posts: &[PostId],
    public_url: &str,
) -> Result<Vec<Card>, DbError> {
    let held = store::posts::held_many(tx, posts, None).await?;
    let mut authors: Vec<UserId> = held.iter().map(|post| post.sight.author).collect();
    authors.sort_unstable();
    authors.dedup();
    let people = people(tx, &authors).await?;
    let mut media: HashMap<PostId, Vec<MediaView>> = HashMap::new();
    for (post, view) in media_views(store::media::of_posts(tx, posts).await?) {
        media.entry(post.unwrap_or(PostId::from_bits(0))).or_default().push(view);
    }
    let cards = held.iter().filter_map(|post| {
        let author = people.get(&post.sight.author)?.clone();
        let mut media = media.remove(&post.id).unwrap_or_default();
        if post.sight.is_open() {
            media.iter_mut().for_each(|media| publish(media, public_url));
        }
        Some(Card::new(post_view(post, author, media), post))
    });
    Ok(cards.collect())
}

/// Puts the place before the addresses of an upload.
fn publish(media: &mut MediaView, public_url: &str) {
    let copies = media.variants.iter_mut().map(|copy| &mut copy.url);
    copies.chain([&mut media.url]).for_each(|url| url.insert_str(0, public_url));
}

/// People as they are shown, by id.
pub(crate) async fn people(
    tx: &mut Tx,
    users: &[UserId],
) -> Result<HashMap<UserId, PersonView>, DbError> {
    let rows = store::people::persons(tx, users).await?;
    let avatars: Vec<MediaId> = rows.iter().filter_map(|person| person.avatar).collect();
    let views = media_views(store::media::of_media(tx, &avatars).await?);
    let mut avatars: HashMap<MediaId, MediaView> =
        views.into_iter().map(|(_, view)| (view.id, view)).collect();
    Ok(rows.into_iter().map(|row| (row.id, person_view(&row, &mut avatars))).collect())
}

fn person_view(row: &PersonRow, avatars: &mut HashMap<MediaId, MediaView>) -> PersonView {
    let display_name =
        if row.display_name.is_empty() { row.handle.clone() } else { row.display_name.clone() };
    let avatar = row.avatar.and_then(|avatar| avatars.remove(&avatar));
    PersonView { id: row.id, handle: row.handle.clone(), display_name, avatar }
}

/// Groups files into uploads: the row of width 0 is the full size, the others its narrower copies.
pub(crate) fn media_views(files: Vec<FileRow>) -> Vec<(Option<PostId>, MediaView)> {
    let mut views: Vec<(Option<PostId>, MediaView)> = Vec::new();
    for file in files {
        if file.file_width == 0 {
            views.push((file.post, full_size(file)));
        } else if let Some((_, view)) = views.last_mut().filter(|(_, view)| view.id == file.media) {
            let url = format!("/media/{}/{}", file.media, file.file_width);
            view.variants.push(VariantView {
                width: file.file_width,
                height: file.file_height,
                url,
            });
        }
    }
    views
}

fn full_size(file: FileRow) -> MediaView {
    MediaView {
        id: file.media,
        kind: if file.kind == 0 { MediaKind::Image } else { MediaKind::Video },
        alt: file.alt,
        width: file.width,
        height: file.height,
        blurhash: file.blurhash,
        content_type: file.content_type,
        size_bytes: file.size_bytes,
        url: format!("/media/{}", file.media),
        variants: Vec::new(),
    }
}

fn post_view(post: &HeldPost, author: PersonView, media: Vec<MediaView>) -> PostView {
    PostView {
        id: post.id,
        author,
        caption: post.caption.clone(),
        media,
        hashtags: post.hashtags.clone(),
        mentions: post.mentions.clone(),
        visibility: visibility_of(post.sight.visibility),
        comments_enabled: post.comments_enabled,
        state: match post.sight.state {
            post_state::DRAFT => PostState::Draft,
            post_state::SCHEDULED => PostState::Scheduled,
            post_state::PUBLISHED => PostState::Published,
            _ => PostState::Hidden,
        },
        like_count: post.counts.likes,
        comment_count: post.counts.comments,
        view_count: post.counts.views,
        liked_by_me: false,
        created_at: post.created_at,
        published_at: post.published_at,
        edited_at: post.edited_at,
        version: post.version,
        explain: None,
    }
}
