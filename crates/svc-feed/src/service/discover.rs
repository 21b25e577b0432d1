//! What pages show beside their lists: who looks, people in short, people to follow, tags in use.

use std::collections::HashMap;

use mainstay_contract::id::{CommentId, MediaId, PostId, UserId};

use super::{
    Feed,
    cards::{media_views, people},
};
use crate::{
    error::Error,
    pages::{discover::Discover, people::PersonLine},
    store,
    view::{HashtagView, MediaView, PersonView},
};

/// People and tags beside a timeline.
const BESIDE: i64 = 5;

impl Feed {
    /// How `user` is shown, and what they have not read; `None` until they are met first.
    pub(crate) async fn face(&self, user: UserId) -> Result<Option<(PersonView, i64)>, Error> {
        let mut tx = self.db().read().await?;
        let Some(person) = people(&mut tx, &[user]).await?.remove(&user) else { return Ok(None) };
        let unread_count = store::notifications::unread_of(&mut tx, user).await?;
        Ok(Some((person, unread_count)))
    }

    /// What stands beside a timeline.
    pub(crate) async fn discover(&self, viewer: Option<UserId>) -> Result<Discover, Error> {
        let mut tx = self.db().read().await?;
        let hashtags = store::discover::in_use(&mut tx, BESIDE).await?;
        let suggested = store::discover::suggested(&mut tx, viewer, BESIDE).await?;
        let mut known = people(&mut tx, &suggested).await?;
        let people = suggested.iter().filter_map(|user| known.remove(user)).collect();
        Ok(Discover { hashtags, people })
    }

    /// Tags in use, most used first.
    pub(crate) async fn tags_in_use(&self, limit: i64) -> Result<Vec<HashtagView>, Error> {
        let mut tx = self.db().read().await?;
        Ok(store::discover::in_use(&mut tx, limit).await?)
    }

    /// People as lines of a list, in their order, and how `viewer` stands to them.
    pub(crate) async fn lines(
        &self,
        viewer: Option<UserId>,
        people: Vec<PersonView>,
    ) -> Result<Vec<PersonLine>, Error> {
        let ids: Vec<UserId> = people.iter().map(|person| person.id).collect();
        let mut tx = self.db().read().await?;
        let rows = store::discover::lines(&mut tx, &ids, viewer).await?;
        let mut rows: HashMap<UserId, _> = rows.into_iter().map(|row| (row.id, row)).collect();
        let lines = people.into_iter().filter_map(|person| {
            let row = rows.remove(&person.id)?;
            let relation =
                viewer.filter(|viewer| *viewer != person.id).map(|_viewer| row.relation());
            Some(PersonLine { person, private: row.private, relation, bio: row.bio })
        });
        Ok(lines.collect())
    }

    /// The people whom `words` mention, for texts whose mentions are not kept.
    pub(crate) async fn mentioned_in(
        &self,
        words: &str,
    ) -> Result<Vec<crate::view::MentionView>, Error> {
        let mut tx = self.db().read().await?;
        super::comments::resolve_mentions(&mut tx, words).await
    }

    /// Uploads of `owner` in the given order, without those that are not theirs or gone.
    pub(crate) async fn uploads(
        &self,
        owner: UserId,
        ids: &[MediaId],
    ) -> Result<Vec<MediaView>, Error> {
        let mut tx = self.db().read().await?;
        let mut own = Vec::with_capacity(ids.len());
        for id in ids {
            let file = store::media::file(&mut tx, *id, 0).await?;
            if file.is_some_and(|file| file.owner == owner) {
                own.push(*id);
            }
        }
        let files = store::media::of_media(&mut tx, &own).await?;
        let mut views: HashMap<MediaId, MediaView> =
            media_views(files).into_iter().map(|(_, view)| (view.id, view)).collect();
        Ok(own.iter().filter_map(|id| views.remove(id)).collect())
    }

    /// The cursor of the page of a post's comments that begins with `comment`.
    pub(crate) fn comments_from(&self, post: PostId, comment: CommentId) -> String {
        let before = CommentId::from_bits(comment.bits().saturating_sub(1));
        self.inner.cursors.seal(&format!("comments {post}"), &before)
    }
}
