//! Tags and how many open posts carry them: public ones of accounts that are neither private nor suspended.

use mainstay_contract::id::UserId;
use mainstay_core::{
    db::{DbError, Tx},
    params, row, statements,
};

statements! {
    /// Whether an author's posts can be open; whoever changes that waits until the transaction ends.
    LOCK_AUTHOR = "select private, suspended from feed.profile where user_id = $1 for no key update",
        sqlite "select private, suspended from feed.profile where user_id = $1";
    /// Counts the tags of an author's public posts in.
    COUNT_OF_AUTHOR = "insert into feed.hashtag (tag, post_count)
                       select t.tag, count(*) from feed.post p join feed.post_tag t on t.post_id = p.id
                       where p.author_id = $1 and p.state = 2 and p.visibility = 0 group by t.tag order by t.tag
                       on conflict (tag) do update set post_count = feed.hashtag.post_count + excluded.post_count",
        sqlite "insert into feed.hashtag (tag, post_count)
                       select t.tag, count(*) from feed.post p join feed.post_tag t on t.post_id = p.id
                       where p.author_id = $1 and p.state = 2 and p.visibility = 0 group by t.tag order by t.tag
                       on conflict (tag) do update set post_count = post_count + excluded.post_count";
    /// Counts them out.
    UNCOUNT_OF_AUTHOR = "update feed.hashtag set post_count = post_count - n.posts
                         from (select t.tag as tag, count(*) as posts
                               from feed.post p join feed.post_tag t on t.post_id = p.id
                               where p.author_id = $1 and p.state = 2 and p.visibility = 0 group by t.tag) n
                         where feed.hashtag.tag = n.tag",
        sqlite "update feed.hashtag set post_count = post_count - n.posts
                         from (select t.tag as tag, count(*) as posts
                               from feed.post p join feed.post_tag t on t.post_id = p.id
                               where p.author_id = $1 and p.state = 2 and p.visibility = 0 group by t.tag) n
                         where hashtag.tag = n.tag";
}

row! {
    /// What of an account decides whether its posts can be open.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct AuthorRow {
        pub(crate) private: bool,
        pub(crate) suspended: bool,
    }
}

impl AuthorRow {
    /// Whether everybody sees the author's public posts.
    pub(crate) fn is_open(self) -> bool {
        !self.private && !self.suspended
    }
}

/// Whether the posts of `author` can be open; that stays so until the transaction ends.
pub(crate) async fn lock_author(tx: &mut Tx, author: UserId) -> Result<AuthorRow, DbError> {
    tx.one(&LOCK_AUTHOR, params![author]).await
}

/// The account of `author` was opened or closed: counts the tags of all their public posts in or out.
pub(crate) async fn recount(tx: &mut Tx, author: UserId, open: bool) -> Result<(), DbError> {
    let statement = if open { &COUNT_OF_AUTHOR } else { &UNCOUNT_OF_AUTHOR };
    tx.run(statement, params![author]).await
}
