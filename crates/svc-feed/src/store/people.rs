//! Profiles, as the rest of Feed needs them.

use mainstay_contract::{
    id::{MediaId, UserId},
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, Tx},
    params, row, statements,
};

statements! {
    /// Makes a profile, if there is none.
    ENSURE = "insert into feed.profile (user_id, handle, handle_key, display_name, bio, avatar_id, private, suspended,
                  post_count, follower_count, following_count, created_at, version)
              values ($1, $2, $3, '', '', null, false, false, 0, 0, 0, $4, 1) on conflict do nothing";
    /// Adds a word by which a person is found.
    ADD_WORD = "insert into feed.profile_word (word, user_id) values ($1, $2) on conflict do nothing";
    /// People as they are shown.
    PERSONS = "select user_id, handle, display_name, avatar_id, private, suspended from feed.profile
               where user_id = any($1)",
        sqlite "select user_id, handle, display_name, avatar_id, private, suspended from feed.profile
               where user_id in (select unhex(value) from json_each($1))";
    /// People by their handles.
    BY_HANDLES = "select user_id, handle from feed.profile where handle_key = any($1) and not suspended",
        sqlite "select user_id, handle from feed.profile
               where handle_key in (select value from json_each($1)) and not suspended";
    /// Counts an author's posts.
    COUNT_POSTS = "update feed.profile set post_count = post_count + $2 where user_id = $1";
}

row! {
    /// A person as shown beside what they wrote.
    #[derive(Debug, Clone, PartialEq)]
    pub(crate) struct PersonRow {
        pub(crate) id: UserId,
        pub(crate) handle: String,
        pub(crate) display_name: String,
        pub(crate) avatar: Option<MediaId>,
        pub(crate) private: bool,
        pub(crate) suspended: bool,
    }
}

/// Makes the profile of somebody who acts for the first time; `true` if it was made now.
pub(crate) async fn ensure(
    tx: &mut Tx,
    user: UserId,
    handle: &str,
    now: Ts,
) -> Result<bool, DbError> {
    let key = handle.to_ascii_lowercase();
    let made = tx.execute(&ENSURE, params![user, handle, key, now]).await? == 1;
    if made {
        add_words(tx, user, handle, "").await?;
    }
    Ok(made)
}

/// Adds the words by which a person is found.
pub(crate) async fn add_words(
    tx: &mut Tx,
    user: UserId,
    handle: &str,
    display_name: &str,
) -> Result<(), DbError> {
    for word in crate::model::text::search_words(handle, display_name) {
        tx.run(&ADD_WORD, params![word, user]).await?;
    }
    Ok(())
}

/// The people among `users` who are known, in any order.
pub(crate) async fn persons(tx: &mut Tx, users: &[UserId]) -> Result<Vec<PersonRow>, DbError> {
    tx.all(&PERSONS, params![users]).await
}

/// The people among `handles` who exist: id and handle as they write it.
pub(crate) async fn by_handles(
    tx: &mut Tx,
    handles: &[String],
) -> Result<Vec<(UserId, String)>, DbError> {
    if handles.is_empty() {
        return Ok(Vec::new());
    }
    let keys: Vec<String> = handles.iter().map(|handle| handle.to_ascii_lowercase()).collect();
    tx.all(&BY_HANDLES, params![keys]).await
}

/// Adds `by` to an author's count of posts.
pub(crate) async fn count_posts(tx: &mut Tx, author: UserId, by: i64) -> Result<(), DbError> {
    tx.run(&COUNT_POSTS, params![author, by]).await
}
