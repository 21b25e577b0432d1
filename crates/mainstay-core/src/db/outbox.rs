//! The tables that every service has beside its own, and the statements on them: the outbox, what was consumed, dead
//! letters, idempotency records, jobs and the audit log.
//!
//! They live in the service's own file or schema so that they are written in the business transaction.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use mainstay_contract::{id::FactId, ts::Ts};

use serde::de::DeserializeOwned;

use super::{DbError, Sql, Tx, migrate::Migration};
use crate::{cache::Tag, params, row};

/// What is said where the server keeps from the program which cluster and timeline it writes.
const HIDDEN: &str = "the database does not say all of which log it is, so a failover may go unnoticed: restart every \
    instance after one, or let the program's role execute pg_control_system, pg_walfile_name and pg_current_wal_lsn";

/// Where a fact stands in its log: on SQLite both are the sequence; on Postgres the transaction and the row in it.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Default,
    serde::Serialize,
    serde::Deserialize,
)]
pub struct Position {
    /// The transaction, as cache stamps count it.
    pub xid: i64,
    /// The row.
    pub seq: i64,
}

/// A caller's idempotency key, bound to one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Once {
    /// Who sent it; keys of different callers do not meet.
    pub caller: String,
    /// The key.
    pub key: String,
    /// A digest of method, path and body: the same key with another one is refused.
    pub fingerprint: Vec<u8>,
}

/// A fact as it stands in an outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Emitted {
    /// Where it stands.
    pub position: Position,
    /// Its id: consumers know by it what they have seen.
    pub id: FactId,
    /// Its name, such as `feed.post_liked.v1`.
    pub name: Arc<str>,
    /// Its payload as JSON.
    pub payload: String,
    /// The cache tags it outdates.
    pub tags: Arc<[Tag]>,
    /// When it was written.
    pub at: Ts,
}

impl Emitted {
    /// The payload as `F`, if this is such a fact.
    pub fn read<F: mainstay_contract::Fact>(&self) -> Option<F> {
        (&*self.name == F::NAME).then(|| serde_json::from_str(&self.payload).ok()).flatten()
    }
}

/// The oldest transaction that may still be running, on Postgres; SQLite knows it without asking.
pub(super) static SNAPSHOT_XMIN: Sql = Sql::per_engine(
    "select pg_snapshot_xmin(pg_current_snapshot())::text::bigint",
    "select coalesce((select seq from sqlite_sequence where name = 'outbox'), 0) + 1",
);

row! {
    /// An outbox row as it is read.
    struct OutboxRow {
        xid: i64,
        seq: i64,
        id: FactId,
        name: String,
        payload: String,
        tags: Vec<u8>,
        at: Ts,
    }
}

macro_rules! base {
    ($($(#[$doc:meta])* $field:ident : $text:literal $(, sqlite $lite:literal)? ;)*) => {
        /// The statements on one service's base tables.
        #[derive(Debug)]
        pub struct Outbox { $($(#[$doc])* pub $field: Sql),* }

        impl Outbox {
            fn new(schema: &'static str) -> Self {
                Self { $($field: base!(@ schema, $text $(, $lite)?)),* }
            }

            /// Every statement, for the test that prepares them.
            pub fn statements(&'static self) -> Vec<&'static Sql> {
                vec![$(&self.$field),*]
            }
        }
    };
    (@ $schema:ident, $text:literal) => { Sql::new(qualify($text, $schema)) };
    (@ $schema:ident, $text:literal, $lite:literal) => {
        Sql::per_engine(qualify($text, $schema), qualify($lite, $schema))
    };
}

base! {
    /// Appends a fact.
    insert: "insert into {s}.outbox (xid, id, name, payload, tags, at)
             values (pg_current_xact_id()::text::bigint, $1, $2, $3, $4, $5) returning xid, seq",
        sqlite "insert into {s}.outbox (id, name, payload, tags, at) values ($1, $2, $3, $4, $5)";
    /// Facts from a transaction on, oldest first: what the tailer applies.
    from_xid: "select xid, seq, id, name, payload::text, tags, at from {s}.outbox
               where xid >= $1 order by xid, seq limit $2",
        sqlite "select seq, seq, id, name, payload, tags, at from {s}.outbox where seq >= $1 order by seq limit $2";
    /// Facts after a position, oldest first: what a consumer takes.
    after: "select xid, seq, id, name, payload::text, tags, at from {s}.outbox
            where (xid, seq) > ($1, $2) order by xid, seq limit $3",
        sqlite "select seq, seq, id, name, payload, tags, at from {s}.outbox
                where seq > $2 and $1 is not null order by seq limit $3";
    /// The newest facts of one name, newest first, among so many of the newest.
    newest: "select xid, seq, id, name, payload::text, tags, at from
             (select * from {s}.outbox order by xid desc, seq desc limit $3) newest
             where name = $1 order by xid desc, seq desc limit $2",
        sqlite "select seq, seq, id, name, payload, tags, at from
                (select * from {s}.outbox order by seq desc limit $3) newest where name = $1 order by seq desc limit $2";
    /// The last position.
    last: "select xid, seq from {s}.outbox order by xid desc, seq desc limit 1",
        sqlite "select seq, seq from {s}.outbox order by seq desc limit 1";
    /// The oldest position that is kept.
    first: "select xid, seq from {s}.outbox order by xid, seq limit 1",
        sqlite "select seq, seq from {s}.outbox order by seq limit 1";
    /// Drops facts older than the retention, a batch at a time.
    trim: "delete from {s}.outbox where at < $1 and seq in (select seq from {s}.outbox order by seq limit $2)";
    /// Where a consumer stands in a log.
    position: "select xid, seq from {s}.consumer where consumer = $1 and source = $2";
    /// Moves a consumer on.
    set_position: "insert into {s}.consumer (consumer, source, xid, seq) values ($1, $2, $3, $4)
                   on conflict (consumer, source) do update set xid = excluded.xid, seq = excluded.seq";
    /// Sets a consumer at the beginning of a log, unless it stands there.
    begin_position: "insert into {s}.consumer (consumer, source, xid, seq) values ($1, $2, 0, 0) on conflict do nothing";
    /// Where a consumer stands in a log, for its transaction, which others wait for.
    lock_position: "select xid, seq from {s}.consumer where consumer = $1 and source = $2 for update",
        sqlite "select xid, seq from {s}.consumer where consumer = $1 and source = $2";
    /// Records a fact as consumed.
    consume: "insert into {s}.consumed (consumer, fact_id, at) values ($1, $2, $3) on conflict do nothing";
    /// Which of these facts a consumer has taken before its position passed them.
    consumed_among: "select fact_id from {s}.consumed where consumer = $1 and fact_id = any($2)",
        sqlite "select fact_id from {s}.consumed where consumer = $1
                and fact_id in (select unhex(value) from json_each($2))";
    /// Forgets records of facts that a consumer's position has passed.
    forget_consumed: "delete from {s}.consumed where consumer = $1 and fact_id = any($2)",
        sqlite "delete from {s}.consumed where consumer = $1
                and fact_id in (select unhex(value) from json_each($2))";
    /// Puts a fact aside that a consumer could not take.
    bury: "insert into {s}.dead_letter (consumer, fact_id, source, name, payload, error, attempts, at)
           values ($1, $2, $3, $4, $5, $6, $7, $8)
           on conflict (consumer, fact_id) do update set error = excluded.error, attempts = excluded.attempts";
    /// Facts that a consumer put aside, after a place in the order of time, oldest first. Without a consumer, all.
    dead: "select consumer, fact_id, source, name, payload::text, error, attempts, at from {s}.dead_letter
           where ($1::text is null or consumer = $1) and (at, fact_id) > ($2, $3) order by at, fact_id limit $4",
        sqlite "select consumer, fact_id, source, name, payload, error, attempts, at from {s}.dead_letter
           where ($1 is null or consumer = $1) and (at, fact_id) > ($2, $3) order by at, fact_id limit $4";
    /// One of them.
    dead_one: "select consumer, fact_id, source, name, payload::text, error, attempts, at from {s}.dead_letter
           where consumer = $1 and fact_id = $2",
        sqlite "select consumer, fact_id, source, name, payload, error, attempts, at from {s}.dead_letter
           where consumer = $1 and fact_id = $2";
    /// How many each consumer put aside.
    dead_count: "select consumer, count(*) from {s}.dead_letter group by consumer";
    /// Notes that a fact which was put aside failed again.
    fail_again: "update {s}.dead_letter set error = $3, attempts = attempts + 1 where consumer = $1 and fact_id = $2";
    /// Takes a fact back from where it was put aside.
    unbury: "delete from {s}.dead_letter where consumer = $1 and fact_id = $2";
    /// The first answer to an idempotency key.
    once: "select fingerprint, outcome::text from {s}.once where caller = $1 and key = $2",
        sqlite "select fingerprint, outcome from {s}.once where caller = $1 and key = $2";
    /// Records the answer to an idempotency key.
    set_once: "insert into {s}.once (caller, key, fingerprint, outcome, at) values ($1, $2, $3, $4, $5)";
    /// Forgets idempotency keys older than the retention.
    forget_once: "delete from {s}.once where at < $1";
    /// Puts a job into the queue in place of the one of its name and key. If that one is running, its lease stays on
    /// the new one, so that they do not run at the same time.
    add_job: "insert into {s}.job (id, name, key, payload, run_at, attempts, at) values ($1, $2, $3, $4, $5, 0, $6)
              on conflict (name, key) do update set id = excluded.id, payload = excluded.payload,
                  run_at = excluded.run_at, attempts = 0, error = null";
    /// Takes the next due job and leases it.
    lease_job: "update {s}.job set leased_until = $2, attempts = attempts + 1 where id = (
                  select id from {s}.job where run_at <= $1 and (leased_until is null or leased_until < $1)
                  order by run_at limit 1 for update skip locked)
                returning id, name, key, payload::text, attempts",
        sqlite "update {s}.job set leased_until = $2, attempts = attempts + 1 where id = (
                  select id from {s}.job where run_at <= $1 and (leased_until is null or leased_until < $1)
                  order by run_at limit 1)
                returning id, name, key, payload, attempts";
    /// Ends a job that is leased as this attempt.
    end_job: "delete from {s}.job where id = $1 and attempts = $2";
    /// Puts a failed job back for later.
    retry_job: "update {s}.job set leased_until = null, run_at = $3, error = $4 where id = $1 and attempts = $2";
    /// Lets a job begin that was put in the place of one that has ended now.
    free_job: "update {s}.job set leased_until = null where name = $1 and key = $2 and attempts = 0";
    /// Jobs that somebody is at work on, or was.
    leased_jobs: "select count(*) from {s}.job where leased_until is not null";
    /// Lets all of them begin.
    free_jobs: "update {s}.job set leased_until = null where leased_until is not null";
    /// Takes a waiting job out.
    drop_job: "delete from {s}.job where name = $1 and key = $2";
    /// When the next job is due.
    next_job: "select min(greatest(run_at, leased_until)) from {s}.job",
        sqlite "select min(max(run_at, coalesce(leased_until, run_at))) from {s}.job";
    /// Makes those who append to the audit log queue up, until the transaction ends; one writer needs no lock.
    lock_audit: "select pg_advisory_xact_lock(hashtext('{s} audit'))",
        sqlite "delete from {s}.audit where 0";
    /// Which log this is: its number, and on Postgres the cluster and the timeline that is written now. The control
    /// file would tell the timeline of the last checkpoint, which is the old one for a while after a failover.
    epoch: "select l.epoch, c.system_identifier,
                ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint
            from {s}.log l, pg_control_system() c",
        sqlite "select epoch, 0, 0 from {s}.log";
    /// The same where the cluster may not be asked for.
    epoch_timeline: "select epoch, 0::bigint,
                ('x' || left(pg_walfile_name(pg_current_wal_lsn()), 8))::bit(32)::bigint from {s}.log",
        sqlite "select epoch, 0, 0 from {s}.log";
    /// The same where the timeline may not be asked for.
    epoch_cluster: "select l.epoch, c.system_identifier, 0::bigint from {s}.log l, pg_control_system() c",
        sqlite "select epoch, 0, 0 from {s}.log";
    /// The same where neither may be.
    epoch_number: "select epoch, 0::bigint, 0::bigint from {s}.log",
        sqlite "select epoch, 0, 0 from {s}.log";
    /// Names the log, if it has no name.
    set_epoch: "insert into {s}.log (one, epoch) values (1, $1) on conflict do nothing";
    /// The last entry of the audit log.
    last_audit: "select seq, hash from {s}.audit order by seq desc limit 1";
    /// Appends to the audit log; changes nothing if somebody else took the number.
    add_audit: "insert into {s}.audit (seq, at, actor, action, target, detail, origin, hash)
                values ($1, $2, $3, $4, $5, $6, $7, $8) on conflict (seq) do nothing";
    /// The audit log, newest first.
    audit: "select seq, at, actor, action, target, detail::text, origin, hash from {s}.audit
            where seq < $1 order by seq desc limit $2",
        sqlite "select seq, at, actor, action, target, detail, origin, hash from {s}.audit
            where seq < $1 order by seq desc limit $2";
    /// The audit log, oldest first: what is verified.
    audit_after: "select seq, at, actor, action, target, detail::text, origin, hash from {s}.audit
            where seq > $1 order by seq limit $2",
        sqlite "select seq, at, actor, action, target, detail, origin, hash from {s}.audit
            where seq > $1 order by seq limit $2";
}

/// The text with the schema's name in it. Schemas are named in code, so the leak is a few kilobytes, once.
fn qualify(text: &'static str, schema: &'static str) -> &'static str {
    Box::leak(text.replace("{s}", schema).into_boxed_str())
}

impl Outbox {
    /// The statements for `schema`.
    pub fn of(schema: &'static str) -> &'static Self {
        static ALL: Mutex<Option<HashMap<&'static str, &'static Outbox>>> = Mutex::new(None);
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.get_or_insert_default()
            .entry(schema)
            .or_insert_with(|| Box::leak(Box::new(Self::new(schema))))
    }

    pub(super) async fn insert(
        &'static self,
        tx: &mut Tx,
        id: FactId,
        name: &'static str,
        payload: &str,
        tags: &[Tag],
        at: Ts,
    ) -> Result<Option<Position>, DbError> {
        let payload = super::Param::Json(payload.to_owned());
        let tags = encode_tags(tags);
        let params = [
            super::ToParam::to_param(&id),
            super::Param::Text(name.into()),
            payload,
            super::Param::Bytes(tags.into()),
            super::Param::Ts(at),
        ];
        tx.append(&self.insert, &params).await
    }

    /// Facts of transactions from `xid` on, at most `limit`, oldest first.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn from_xid(
        &'static self,
        tx: &mut Tx,
        xid: i64,
        limit: i64,
    ) -> Result<Vec<Emitted>, DbError> {
        let rows = tx.all::<OutboxRow>(&self.from_xid, params![xid, limit]).await?;
        Ok(rows.into_iter().map(Emitted::from).collect())
    }

    /// Facts after `position`, at most `limit`, oldest first.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn after(
        &'static self,
        tx: &mut Tx,
        position: Position,
        limit: i64,
    ) -> Result<Vec<Emitted>, DbError> {
        let rows =
            tx.all::<OutboxRow>(&self.after, params![position.xid, position.seq, limit]).await?;
        Ok(rows.into_iter().map(Emitted::from).collect())
    }
}

impl Outbox {
    /// The newest facts of one name, at most `limit`, newest first; only the newest `among` of the log are looked at.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn newest(
        &'static self,
        tx: &mut Tx,
        name: &str,
        limit: i64,
        among: i64,
    ) -> Result<Vec<Emitted>, DbError> {
        let rows = tx.all::<OutboxRow>(&self.newest, params![name, limit, among]).await?;
        Ok(rows.into_iter().map(Emitted::from).collect())
    }
}

impl From<OutboxRow> for Emitted {
    fn from(row: OutboxRow) -> Self {
        Self {
            position: Position { xid: row.xid, seq: row.seq },
            id: row.id,
            name: row.name.into(),
            payload: row.payload,
            tags: decode_tags(&row.tags),
            at: row.at,
        }
    }
}

/// Which log this database has; its random number is made when it is first asked for.
///
/// # Errors
/// What the engine says.
pub(crate) async fn log_epoch(db: &super::Db) -> Result<u64, DbError> {
    let named_by = log_named_by(db).await?;
    if let Some(epoch) = epoch_seen(&mut *db.read().await?, named_by).await? {
        return Ok(epoch);
    }
    db.write(move |tx| {
        Box::pin(async move {
            let outbox = tx.outbox();
            let new = crate::cache::random_log_epoch().cast_signed();
            tx.run(&outbox.set_epoch, params![new]).await?;
            epoch_seen(tx, named_by).await?.ok_or(DbError::NoRow(named_by.text()))
        })
    })
    .await
}

/// The statement that says which log this is, found out once. Some managed servers keep a part of it from the program,
/// which is said once; then that part counts for nothing.
///
/// # Errors
/// What the engine says, but for what it does not permit.
pub(crate) async fn log_named_by(db: &super::Db) -> Result<&'static Sql, DbError> {
    if let Some(known) = db.inner.log_named_by.get() {
        return Ok(known);
    }
    let outbox = db.outbox();
    let mut denied = None;
    for statement in
        [&outbox.epoch, &outbox.epoch_timeline, &outbox.epoch_cluster, &outbox.epoch_number]
    {
        let seen: Result<Option<(i64, i64, i64)>, _> =
            db.read().await?.optional(statement, &[]).await;
        match seen {
            Ok(_) => {
                if let Some(why) = denied {
                    tracing::warn!(log = db.schema(), why, "{HIDDEN}");
                }
                return Ok(db.inner.log_named_by.get_or_init(|| statement));
            }
            Err(DbError::NotPermitted { message, .. }) => denied = denied.or(Some(message)),
            Err(error) => return Err(error),
        }
    }
    Err(DbError::NotPermitted {
        statement: outbox.epoch_number.text().to_owned(),
        message: denied.unwrap_or_default(),
    })
}

/// Which log a transaction reads; `None` before it is named.
///
/// It is another one after a restore, which names it anew, and on Postgres after each failover, whether or not commits
/// were lost with it: nobody can tell. A server that is still a standby refuses to say.
///
/// # Errors
/// What the engine says.
pub(crate) async fn epoch_seen(
    tx: &mut Tx,
    named_by: &'static Sql,
) -> Result<Option<u64>, DbError> {
    let seen: Option<(i64, i64, i64)> = tx.optional(named_by, &[]).await?;
    Ok(seen.map(|(named, cluster, timeline)| mixed(named, cluster, timeline)))
}

/// One number of three, the same on every instance and in every release: tokens and keys in Redis hold it. On SQLite,
/// where the name alone counts, it is the name.
fn mixed(named: i64, cluster: i64, timeline: i64) -> u64 {
    let [named, cluster, timeline] = [named, cluster, timeline].map(i64::cast_unsigned);
    if (cluster, timeline) == (0, 0) {
        return named;
    }
    named ^ scattered(cluster ^ scattered(timeline))
}

/// SplitMix64's finish: each bit of the input changes half of the output's.
fn scattered(n: u64) -> u64 {
    let n = n.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let n = (n ^ (n >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    n ^ (n >> 31)
}

/// What was answered to this key before, if it was used.
pub(super) async fn first_answer<T: DeserializeOwned>(
    tx: &mut Tx,
    once: &Once,
) -> Result<Option<T>, DbError> {
    let outbox = tx.outbox();
    let first: Option<(Vec<u8>, String)> =
        tx.optional(&outbox.once, params![once.caller, once.key]).await?;
    let Some((fingerprint, outcome)) = first else { return Ok(None) };
    if fingerprint != once.fingerprint {
        return Err(DbError::KeyReused);
    }
    let answer = serde_json::from_str(&outcome);
    answer.map(Some).map_err(|_shape| DbError::Decode { column: 1, expected: "a recorded answer" })
}

/// Records what is answered to this key, as JSON.
pub(super) async fn record_answer(tx: &mut Tx, once: &Once, answer: String) -> Result<(), DbError> {
    let (outbox, now) = (tx.outbox(), tx.now());
    let params = [
        super::Param::Text((&*once.caller).into()),
        super::Param::Text((&*once.key).into()),
        super::Param::Bytes((&*once.fingerprint).into()),
        super::Param::Json(answer),
        super::Param::Ts(now),
    ];
    tx.run(&outbox.set_once, &params).await
}

/// Eight bytes a tag, little-endian.
fn encode_tags(tags: &[Tag]) -> Vec<u8> {
    tags.iter().flat_map(|tag| tag.bits().to_le_bytes()).collect()
}

fn decode_tags(bytes: &[u8]) -> Arc<[Tag]> {
    bytes
        .chunks_exact(8)
        .map(|eight| Tag::from_bits(u64::from_le_bytes(eight.try_into().unwrap_or_default())))
        .collect()
}

/// The tables, before the service's own migrations.
pub(super) static MIGRATIONS: &[Migration] =
    &[Migration { version: 1, name: "base", text: include_str!("base/0001_base.sql") }];
