//! A large Feed, written straight into its SQLite file: there it takes seconds what the interface would take hours for.

use std::path::Path;

use anyhow::Context as _;
use mainstay_contract::id::UserId;
use rusqlite::{Connection, params};

/// How large.
#[derive(Debug, Clone, Copy)]
pub struct Size {
    /// People, each with a profile.
    pub people: u64,
    /// Public posts, spread over the people and over the last year.
    pub posts: u64,
    /// People whom each of the readers follows.
    pub follows: u64,
}

/// Fills the Feed of `data`, whose program is closed; each of `readers` follows others, evenly spread.
///
/// # Errors
/// If the file refuses something.
pub fn fill(data: &Path, size: Size, readers: &[UserId], now_us: i64) -> anyhow::Result<()> {
    let mut conn = Connection::open(data.join("db/feed.db")).context("open Feed's records")?;
    conn.execute_batch(
        "pragma synchronous=off; pragma foreign_keys=off; pragma cache_size=-262144",
    )?;
    let tx = conn.transaction()?;
    profiles(&tx, size, readers, now_us)?;
    posts(&tx, size, now_us)?;
    follows(&tx, size, readers, now_us)?;
    tx.commit()?;
    conn.execute_batch("analyze; pragma wal_checkpoint(truncate)").context("finish the file")
}

/// A person's id: any 16 bytes that are the same each time.
fn person(number: u64) -> [u8; 16] {
    (0x0190_0000_0000_7000_8000_0000_0000_0000_u128 + u128::from(number)).to_be_bytes()
}

fn profiles(
    tx: &rusqlite::Transaction<'_>,
    size: Size,
    readers: &[UserId],
    now_us: i64,
) -> anyhow::Result<()> {
    let mut add = tx.prepare(
        "insert into profile (user_id, handle, handle_key, display_name, bio, avatar_id, private, suspended, \
         post_count, follower_count, following_count, created_at, version) \
         values (?1, ?2, ?2, ?3, '', null, 0, 0, ?4, 0, ?5, ?6, 1) on conflict do nothing",
    )?;
    let each = (size.posts / size.people).cast_signed();
    for number in 0..size.people {
        let handle = format!("p{number}");
        add.execute(params![person(number), handle, format!("Person {number}"), each, 0, now_us])?;
    }
    for (number, reader) in readers.iter().enumerate() {
        let handle = format!("reader{number}");
        let id = reader.bits().to_be_bytes();
        let follows = size.follows.cast_signed();
        add.execute(params![id, handle, format!("Reader {number}"), 0, follows, now_us])?;
    }
    Ok(())
}

fn posts(tx: &rusqlite::Transaction<'_>, size: Size, now_us: i64) -> anyhow::Result<()> {
    const YEAR_US: i64 = 365 * 24 * 3_600 * 1_000_000;
    let mut add = tx.prepare(
        "insert into post (id, author_id, caption, visibility, comments_enabled, state, hashtags, mentions, created_at, \
         published_at, edited_at, version) values (?1, ?2, ?3, 0, 1, 2, '[]', '[]', ?4, ?4, null, 1)",
    )?;
    let mut count = tx.prepare(
        "insert into post_stat (post_id, like_count, comment_count, view_count, published_at, rank_key, version) \
         values (?1, 0, 0, 0, ?2, ?3, 1)",
    )?;
    let step_us = YEAR_US / size.posts.cast_signed();
    for number in 0..size.posts {
        let at_us = now_us - YEAR_US + step_us * number.cast_signed();
        // As real ids: the time in milliseconds, then what makes it one of a kind.
        let bits = (at_us / 1_000).cast_unsigned() as u128;
        let id = (bits << 80 | 0x7000 << 64 | 0x8000 << 48 | u128::from(number)).to_be_bytes();
        // A walk over all people in an order that is neither theirs nor regular in time.
        let author = person(number.wrapping_mul(7_919) % size.people);
        let caption = format!(
            "Post {number}: the light over the harbour this morning, before the boats went out."
        );
        add.execute(params![id, author, caption, at_us])?;
        count.execute(params![id, at_us, at_us as f64 / 3.6e10])?;
    }
    Ok(())
}

fn follows(
    tx: &rusqlite::Transaction<'_>,
    size: Size,
    readers: &[UserId],
    now_us: i64,
) -> anyhow::Result<()> {
    let mut add = tx.prepare(
        "insert into follow (follower_id, followee_id, state, created_at) values (?1, ?2, 0, ?3) on conflict do nothing",
    )?;
    let apart = (size.people / size.follows).max(1);
    for (place, reader) in readers.iter().enumerate() {
        for number in 0..size.follows {
            let followee = person((number * apart + place as u64) % size.people);
            add.execute(params![reader.bits().to_be_bytes(), followee, now_us])?;
        }
    }
    Ok(())
}
