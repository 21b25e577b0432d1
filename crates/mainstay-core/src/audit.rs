//! Who did what, when, from where: an append-only log in which each entry carries the hash of the one before it.
//!
//! An entry is written in the transaction of the act, so neither exists without the other. Changing or removing an
//! entry breaks the chain from there on, and [`verify`] finds the place; whoever can rewrite the whole table can
//! rewrite the chain, so an operator who fears that keeps the newest hash elsewhere.

use aws_lc_rs::digest;
use mainstay_contract::ts::Ts;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    db::{Db, DbError, Json, Tx},
    params, row,
};

/// Entries that are read at once while verifying.
const BATCH: i64 = 1_000;

/// The hash before the first entry.
const GENESIS: [u8; 32] = [0; 32];

/// An act, for the log.
#[derive(Debug, Clone)]
pub struct Entry {
    /// Who acted: an id, `operator` or `system`.
    pub actor: String,
    /// What was done, such as `session.create`.
    pub action: &'static str,
    /// What it was done to: an id, or empty.
    pub target: String,
    /// More about it. Whole numbers, words, lists and objects; never a secret, an address or a name.
    pub detail: Value,
    /// Where it came from: a network address, or empty.
    pub origin: String,
}

row! {
    /// An entry as it stands in the log.
    #[derive(Debug, Clone)]
    pub struct Record {
        /// Its number, from 1 without gaps.
        pub seq: i64,
        /// When.
        pub at: Ts,
        /// Who.
        pub actor: String,
        /// What.
        pub action: String,
        /// To what.
        pub target: String,
        /// More about it.
        pub detail: Json<Value>,
        /// From where.
        pub origin: String,
        /// SHA-256 over the previous hash and the fields above.
        pub hash: Vec<u8>,
    }
}

/// What [`verify`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Chain {
    /// Every entry follows from the one before it; so many there are.
    Whole(i64),
    /// The first number whose entry is missing or does not follow from the one before it.
    BrokenAt(i64),
}

/// A sound entry's place, and what the next one follows from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    /// Its number; 0 before the first.
    pub seq: i64,
    /// Its hash.
    pub hash: Vec<u8>,
}

impl Default for Link {
    fn default() -> Self {
        Self { seq: 0, hash: GENESIS.to_vec() }
    }
}

/// What [`verify_after`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stretch {
    /// The entries up to this one follow from each other; there may be more.
    Sound(Link),
    /// Every entry does; this is the last.
    Ended(Link),
    /// The entry after this one is missing or does not follow from it.
    Broken(Link),
}

/// Appends an entry to the log of the transaction's schema.
///
/// On Postgres appends queue up behind each other until their transactions end; a use case that audits therefore runs
/// under [`Db::write_queued`] with `lock_audit`, or is tried again when it met another.
///
/// # Errors
/// What the engine says.
pub async fn append(tx: &mut Tx, entry: &Entry) -> Result<(), DbError> {
    let outbox = tx.outbox();
    tx.run(&outbox.lock_audit, &[]).await?;
    let last: Option<(i64, Vec<u8>)> = tx.optional(&outbox.last_audit, &[]).await?;
    let (last, before) = last.unwrap_or((0, GENESIS.to_vec()));
    let (seq, at) = (last + 1, tx.now());
    let detail = Json(sorted(entry.detail.clone()));
    let fields = [&*entry.actor, entry.action, &entry.target, &detail.0.to_string(), &entry.origin];
    let hash = link(&before, seq, at, fields);
    let values =
        params![seq, at, entry.actor, entry.action, entry.target, detail, entry.origin, hash];
    match tx.execute(&outbox.add_audit, values).await? {
        1 => Ok(()),
        _ => Err(DbError::Constraint("the audit log is one chain".into())),
    }
}

/// Entries before `before` (exclusive), newest first, at most `limit` (≤ 1,000).
///
/// # Errors
/// What the engine says.
pub async fn list(tx: &mut Tx, before: i64, limit: i64) -> Result<Vec<Record>, DbError> {
    let outbox = tx.outbox();
    tx.all(&outbox.audit, params![before, limit.clamp(0, BATCH)]).await
}

/// Reads the whole log of `db` and checks that each entry follows from the one before it.
///
/// # Errors
/// What the engine says.
pub async fn verify(db: &Db) -> Result<Chain, DbError> {
    let mut last = Link::default();
    loop {
        match verify_after(db, last).await? {
            Stretch::Sound(link) => last = link,
            Stretch::Ended(link) => return Ok(Chain::Whole(link.seq)),
            Stretch::Broken(link) => return Ok(Chain::BrokenAt(link.seq + 1)),
        }
    }
}

/// Checks the entries that follow `last`, at most 1,000; for a log that is too long for one go.
///
/// # Errors
/// What the engine says.
pub async fn verify_after(db: &Db, mut last: Link) -> Result<Stretch, DbError> {
    let batch = match entries_after(db, last.seq, BATCH).await {
        // One of them does not even read as an entry, so it was changed. Taken singly they tell which.
        Err(DbError::Decode { .. }) => match entries_after(db, last.seq, 1).await {
            Err(DbError::Decode { .. }) => return Ok(Stretch::Broken(last)),
            one => one?,
        },
        batch => batch?,
    };
    if batch.is_empty() {
        return Ok(Stretch::Ended(last));
    }
    for record in batch {
        let detail = sorted(record.detail.0).to_string();
        let fields = [&*record.actor, &record.action, &record.target, &detail, &record.origin];
        let expected = link(&last.hash, record.seq, record.at, fields);
        if record.seq != last.seq + 1 || record.hash != expected {
            return Ok(Stretch::Broken(last));
        }
        last = Link { seq: record.seq, hash: record.hash };
    }
    Ok(Stretch::Sound(last))
}

async fn entries_after(db: &Db, seq: i64, limit: i64) -> Result<Vec<Record>, DbError> {
    db.read().await?.all(&db.outbox().audit_after, params![seq, limit]).await
}

/// The hash of an entry. Each field comes with its length, so that no two entries have the same bytes.
fn link(before: &[u8], seq: i64, at: Ts, fields: [&str; 5]) -> [u8; 32] {
    let mut context = digest::Context::new(&digest::SHA256);
    context.update(before);
    context.update(&seq.to_be_bytes());
    context.update(&at.as_micros().to_be_bytes());
    for field in fields {
        context.update(&(field.len() as u64).to_be_bytes());
        context.update(field.as_bytes());
    }
    context.finish().as_ref().try_into().unwrap_or_default()
}

/// The same document with its keys in order: Postgres gives them back in an order of its own.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(map) => {
            let mut pairs: Vec<_> =
                map.into_iter().map(|(key, value)| (key, sorted(value))).collect();
            pairs.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(pairs.into_iter().collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}
