//! Profiles as people edit and find them.

use mainstay_contract::{
    account::AccountSuspensionChangedV1,
    id::{MediaId, UserId},
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, Tx},
    params, row, statements,
};

statements! {
    /// A profile.
    GET = "select user_id, handle, display_name, bio, avatar_id, private, suspended, post_count, follower_count,
               following_count, created_at, version from feed.profile where user_id = $1";
    /// A profile by its handle.
    BY_HANDLE = "select user_id from feed.profile where handle_key = $1";
    /// Changes what somebody says of themselves.
    UPDATE = "update feed.profile set display_name = $2, bio = $3, private = $4, avatar_id = $5, version = version + 1
              where user_id = $1 returning version";
    /// The last of some people after one, in the order of ids.
    LAST_AFTER = "select p.user_id from (select user_id from feed.profile where user_id > $1 order by user_id limit $2) p
                  order by p.user_id desc limit 1";
    /// Profiles after one, in the order of ids.
    STATES = "select user_id, handle, private, suspended, version from feed.profile
              where user_id > $1 order by user_id limit $2";
    /// Removes the words by which a person is found.
    DROP_WORDS = "delete from feed.profile_word where user_id = $1";
    /// Makes an upload of somebody their avatar, if it is a picture and not attached.
    TAKE_AVATAR = "update feed.media set is_avatar = true
                   where id = $1 and owner_id = $2 and post_id is null and kind = 0";
    /// An upload is no avatar any more; it ends like any unattached one.
    LEAVE_AVATAR = "update feed.media set is_avatar = false where id = $1 and owner_id = $2";
    /// Notes that something of a profile changed that its row does not hold.
    TOUCH = "update feed.profile set version = version + 1 where user_id = $1 returning private, suspended, version";
    /// Suspends, or lifts it.
    SUSPEND = "update feed.profile set suspended = $2, version = version + 1 where user_id = $1 and suspended <> $2
               returning private, version";
    /// Notes that a moderator suspended or lifted it just now.
    ACTED = "update feed.profile set acted_version = version where user_id = $1 returning version";
    /// Notes which version of the account was taken over; changes nothing for an older one, and for one that was
    /// decided without knowing what a moderator did since.
    ACCOUNT_VERSION = "update feed.profile set account_version = $2
                       where user_id = $1 and account_version < $2 and acted_version <= $3";
    /// An author's published posts that followers (or, below 1, everybody) may see.
    COUNT_SEEN = "select count(*) from feed.post where author_id = $1 and state = 2 and visibility <= $2";
    /// People found by words: the first word by the index, all of them by comparison.
    SEARCH = "select p.user_id, p.follower_count, p.handle_key = $4 from feed.profile p
              where not p.suspended
                and p.user_id in (select w.user_id from feed.profile_word w where w.word >= $1 and w.word < $2)
                and not exists (select 1 from unnest($3::text[]) q (word) where not exists (
                    select 1 from feed.profile_word w where w.user_id = p.user_id and starts_with(w.word, q.word)))
                and not exists (select 1 from feed.block b where b.blocker_id = $5 and b.blocked_id = p.user_id)
                and not exists (select 1 from feed.block b where b.blocker_id = p.user_id and b.blocked_id = $5)
                and ((p.handle_key = $4) < $6 or ((p.handle_key = $4) = $6
                      and (p.follower_count < $7 or (p.follower_count = $7 and p.user_id > $8))))
              order by p.handle_key = $4 desc, p.follower_count desc, p.user_id limit $9",
        sqlite "select p.user_id, p.follower_count, p.handle_key = $4 from feed.profile p
              where not p.suspended
                and p.user_id in (select w.user_id from feed.profile_word w where w.word >= $1 and w.word < $2)
                and not exists (select 1 from json_each($3) q where not exists (
                    select 1 from feed.profile_word w
                    where w.user_id = p.user_id and substr(w.word, 1, length(q.value)) = q.value))
                and not exists (select 1 from feed.block b where b.blocker_id = $5 and b.blocked_id = p.user_id)
                and not exists (select 1 from feed.block b where b.blocker_id = p.user_id and b.blocked_id = $5)
                and ((p.handle_key = $4) < $6 or ((p.handle_key = $4) = $6
                      and (p.follower_count < $7 or (p.follower_count = $7 and p.user_id > $8))))
              order by p.handle_key = $4 desc, p.follower_count desc, p.user_id limit $9";
    /// Tags by their beginning, most used first.
    TAGS = "select tag, post_count from feed.hashtag
            where tag >= $1 and tag < $2 and post_count > 0
              and (post_count < $3 or (post_count = $3 and tag > $4))
            order by post_count desc, tag limit $5";
}

row! {
    /// A profile.
    #[derive(Debug, Clone)]
    pub(crate) struct ProfileRow {
        pub(crate) id: UserId,
        pub(crate) handle: String,
        pub(crate) display_name: String,
        pub(crate) bio: String,
        pub(crate) avatar: Option<MediaId>,
        pub(crate) private: bool,
        pub(crate) suspended: bool,
        pub(crate) post_count: i64,
        pub(crate) follower_count: i64,
        pub(crate) following_count: i64,
        pub(crate) created_at: Ts,
        pub(crate) version: i64,
    }
}

row! {
    /// How a person stands.
    #[derive(Debug, Clone)]
    pub(crate) struct ProfileState {
        pub(crate) id: UserId,
        pub(crate) handle: String,
        pub(crate) private: bool,
        pub(crate) suspended: bool,
        pub(crate) version: i64,
    }
}

row! {
    /// A place in the people found.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    pub(crate) struct FoundPerson {
        pub(crate) user: UserId,
        pub(crate) followers: i64,
        pub(crate) exact: bool,
    }
}

impl FoundPerson {
    /// Above everybody.
    pub(crate) const TOP: Self =
        Self { user: UserId::from_bits(0), followers: i64::MAX, exact: true };
}

row! {
    /// A place in the tags found.
    #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    pub(crate) struct FoundTag {
        pub(crate) tag: String,
        pub(crate) post_count: i64,
    }
}

impl FoundTag {
    /// Above every tag.
    pub(crate) const TOP: Self = Self { tag: String::new(), post_count: i64::MAX };
}

/// What a person search looks for.
#[derive(Debug)]
pub(crate) struct PersonSearch<'a> {
    /// Folded words; the first is the longest. Each is the beginning of a word of the person.
    pub(crate) words: &'a Vec<String>,
    /// The whole query as a handle.
    pub(crate) handle_key: &'a str,
    /// Whoever blocks or is blocked by them is left out.
    pub(crate) viewer: Option<UserId>,
}

/// The first text after all that begin with `prefix`, in the order of code points.
pub(crate) fn after_prefix(prefix: &str) -> String {
    let mut end: Vec<char> = prefix.chars().collect();
    while let Some(last) = end.pop() {
        // Surrogates are no characters; the next one after them is.
        let next = match last {
            '\u{d7ff}' => Some('\u{e000}'),
            last => char::from_u32(u32::from(last) + 1),
        };
        if let Some(next) = next {
            end.push(next);
            return end.into_iter().collect();
        }
    }
    char::MAX.to_string()
}

/// A profile.
pub(crate) async fn get(tx: &mut Tx, user: UserId) -> Result<Option<ProfileRow>, DbError> {
    tx.optional(&GET, params![user]).await
}

/// Who has `handle`.
pub(crate) async fn by_handle(tx: &mut Tx, handle: &str) -> Result<Option<UserId>, DbError> {
    let key = handle.to_ascii_lowercase();
    let user: Option<(UserId,)> = tx.optional(&BY_HANDLE, params![key]).await?;
    Ok(user.map(|(user,)| user))
}

/// Writes what somebody says of themselves, with the words by which they are found; returns the new version.
pub(crate) async fn update(tx: &mut Tx, row: &ProfileRow) -> Result<i64, DbError> {
    let params = params![row.id, row.display_name, row.bio, row.private, row.avatar];
    let (version,): (i64,) = tx.one(&UPDATE, params).await?;
    tx.run(&DROP_WORDS, params![row.id]).await?;
    super::people::add_words(tx, row.id, &row.handle, &row.display_name).await?;
    Ok(version)
}

/// Makes an upload the avatar of `owner`; `false` if it is not theirs, attached, or no picture.
pub(crate) async fn take_avatar(
    tx: &mut Tx,
    media: MediaId,
    owner: UserId,
) -> Result<bool, DbError> {
    Ok(tx.execute(&TAKE_AVATAR, params![media, owner]).await? == 1)
}

/// An upload is the avatar of `owner` no more.
pub(crate) async fn leave_avatar(
    tx: &mut Tx,
    media: MediaId,
    owner: UserId,
) -> Result<(), DbError> {
    tx.run(&LEAVE_AVATAR, params![media, owner]).await
}

/// Notes that something of a profile changed that its row does not hold; privacy, suspension and the new version.
pub(crate) async fn touch(tx: &mut Tx, user: UserId) -> Result<Option<(bool, bool, i64)>, DbError> {
    tx.optional(&TOUCH, params![user]).await
}

/// Suspends or lifts it; the account's privacy and the row's new version if that changed anything.
pub(crate) async fn suspend(
    tx: &mut Tx,
    user: UserId,
    suspended: bool,
) -> Result<Option<(bool, i64)>, DbError> {
    tx.optional(&SUSPEND, params![user, suspended]).await
}

/// Notes that a moderator suspended or lifted it just now, with the row's present version, which is returned.
pub(crate) async fn acted(tx: &mut Tx, user: UserId) -> Result<i64, DbError> {
    let (version,): (i64,) = tx.one(&ACTED, params![user]).await?;
    Ok(version)
}

/// Notes that the account of `fact` was taken over; `false` if that or a newer one was before, or if it was decided
/// without knowing what a moderator did since.
pub(crate) async fn account_version(
    tx: &mut Tx,
    fact: &AccountSuspensionChangedV1,
) -> Result<bool, DbError> {
    let params = params![fact.user, fact.version, fact.person_version];
    Ok(tx.execute(&ACCOUNT_VERSION, params).await? == 1)
}

/// The last of the `count` people after `from`, in the order of ids; `None` if there is nobody.
pub(crate) async fn last_after(
    tx: &mut Tx,
    from: UserId,
    count: i64,
) -> Result<Option<UserId>, DbError> {
    let row: Option<(UserId,)> = tx.optional(&LAST_AFTER, params![from, count]).await?;
    Ok(row.map(|(last,)| last))
}

/// At most `limit` people after `after`, in the order of ids.
pub(crate) async fn states(
    tx: &mut Tx,
    after: UserId,
    limit: i64,
) -> Result<Vec<ProfileState>, DbError> {
    tx.all(&STATES, params![after, limit]).await
}

/// How many published posts of `author` have at most this visibility number.
pub(crate) async fn count_seen(
    tx: &mut Tx,
    author: UserId,
    visibility_max: i64,
) -> Result<i64, DbError> {
    let (count,): (i64,) = tx.one(&COUNT_SEEN, params![author, visibility_max]).await?;
    Ok(count)
}

/// People found by words below `from`: the exact handle first, then by followers.
pub(crate) async fn search(
    tx: &mut Tx,
    what: &PersonSearch<'_>,
    from: FoundPerson,
    limit: usize,
) -> Result<Vec<FoundPerson>, DbError> {
    let Some(first) = what.words.first() else { return Ok(Vec::new()) };
    let (end, limit) = (after_prefix(first), limit as i64);
    let params = params![
        first,
        end,
        what.words,
        what.handle_key,
        what.viewer,
        from.exact,
        from.followers,
        from.user,
        limit
    ];
    tx.all(&SEARCH, params).await
}

/// Tags that begin with `prefix`, below `from`, most used first.
pub(crate) async fn tags(
    tx: &mut Tx,
    prefix: &str,
    from: &FoundTag,
    limit: usize,
) -> Result<Vec<FoundTag>, DbError> {
    let end = after_prefix(prefix);
    tx.all(&TAGS, params![prefix, end, from.post_count, from.tag, limit as i64]).await
}

#[cfg(test)]
mod tests {
    use super::after_prefix;

    #[test]
    fn the_end_of_a_prefix_is_above_all_that_begin_with_it() {
        for prefix in ["a", "zz", "été", "写", "\u{d7ff}", "a\u{10ffff}"] {
            let end = after_prefix(prefix);
            assert!(*prefix < *end && *format!("{prefix}\u{10ffff}") < *end, "{prefix:?} {end:?}");
        }
    }
}
