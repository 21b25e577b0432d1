//! Search for people and tags.

use mainstay_contract::id::UserId;
use serde::{Deserialize, Serialize};

use super::{Feed, cards::people};
use crate::{
    error::Error,
    model::{QUERY_CHARS_MAX, marks, text},
    store::{
        self,
        profiles::{FoundPerson, FoundTag, PersonSearch},
    },
    view::{HashtagView, Page, PersonView},
};

/// What is searched for.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SearchKind {
    /// People, by the beginnings of the words of their handles and names.
    #[default]
    People,
    /// Tags, by their beginning.
    Hashtags,
}

impl Feed {
    /// People each of whose words the query begins, the exact handle first, then those with most followers. Suspended
    /// people and those whom a block stands between are left out.
    ///
    /// # Errors
    /// `Invalid` for the query; a bad cursor.
    pub(crate) async fn search_people(
        &self,
        viewer: Option<UserId>,
        query: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<PersonView>, Error> {
        let query = checked(query)?;
        let words = text::query_words(&query);
        let list = format!("people {viewer:?} {query}");
        let from = match cursor {
            Some(cursor) => self.inner.cursors.open(&list, cursor)?,
            None => FoundPerson::TOP,
        };
        let handle_key = query.trim_start_matches('@').to_ascii_lowercase();
        let what = PersonSearch { words: &words, handle_key: &handle_key, viewer };
        let mut tx = self.db().read().await?;
        let mut found = store::profiles::search(&mut tx, &what, from, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next_cursor =
            found.last().filter(|_| more).map(|last| self.inner.cursors.seal(&list, last));
        let ids: Vec<UserId> = found.iter().map(|found| found.user).collect();
        let mut people = people(&mut tx, &ids).await?;
        let items = ids.iter().filter_map(|user| people.remove(user)).collect();
        Ok(Page { items, next_cursor })
    }

    /// Tags that begin with the query, most used first.
    ///
    /// # Errors
    /// `Invalid` for the query; a bad cursor.
    pub(crate) async fn search_hashtags(
        &self,
        query: &str,
        limit: usize,
        cursor: Option<&str>,
    ) -> Result<Page<HashtagView>, Error> {
        let prefix = marks::normal_tag(&checked(query)?);
        let list = format!("tags {prefix}");
        let from = match cursor {
            Some(cursor) => self.inner.cursors.open(&list, cursor)?,
            None => FoundTag::TOP,
        };
        if prefix.is_empty() {
            return Ok(Page { items: Vec::new(), next_cursor: None });
        }
        let mut tx = self.db().read().await?;
        let mut found = store::profiles::tags(&mut tx, &prefix, &from, limit + 1).await?;
        let more = found.len() > limit;
        found.truncate(limit);
        let next_cursor =
            found.last().filter(|_| more).map(|last| self.inner.cursors.seal(&list, last));
        let items = found
            .into_iter()
            .map(|found| HashtagView { tag: found.tag, post_count: found.post_count });
        Ok(Page { items: items.collect(), next_cursor })
    }
}

/// The query, tidied.
fn checked(query: &str) -> Result<String, Error> {
    let query = text::tidy(query);
    match query.chars().count() {
        0 => Err(Error::invalid("?q", "required", "Say what to search for.")),
        count if count > QUERY_CHARS_MAX => {
            let detail =
                format!("A search has at most {QUERY_CHARS_MAX} characters; this has {count}.");
            Err(Error::invalid("?q", "too_long", detail))
        }
        _ => Ok(query),
    }
}
