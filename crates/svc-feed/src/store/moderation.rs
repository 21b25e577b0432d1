//! Reports, and what moderators decided.

use mainstay_contract::{
    id::{CommentId, UserId},
    ts::Ts,
};
use mainstay_core::{
    db::{DbError, Tx},
    params, row, statements,
};

use super::comments::CommentRow;
use crate::service::ReportId;

statements! {
    /// Adds a report; changes nothing if one of the same person for the same target waits.
    REPORT = "insert into feed.report (id, reporter_id, target, person_id, reason, created_at, resolved_at)
              values ($1, $2, $3, $4, $5, $6, null) on conflict do nothing";
    /// The report of somebody for a target that waits.
    WAITING = "select id, target, created_at from feed.report
               where reporter_id = $1 and target = $2 and resolved_at is null";
    /// What was reported, oldest first.
    QUEUE = "select r.target, count(*), min(r.created_at) from feed.report r where r.resolved_at is null
             group by r.target having (min(r.created_at), r.target) > ($1, $2)
             order by min(r.created_at), r.target limit $3";
    /// The newest reasons for each target.
    REASONS = "select target, reason from (
                   select target, reason, created_at, id,
                       row_number() over (partition by target order by created_at desc, id desc) as place
                   from feed.report where resolved_at is null and target = any($1)) r
               where place <= $2 order by created_at desc, id desc",
        sqlite "select target, reason from (
                   select target, reason, created_at, id,
                       row_number() over (partition by target order by created_at desc, id desc) as place
                   from feed.report where resolved_at is null and target in (select value from json_each($1))) r
               where place <= $2 order by created_at desc, id desc";
    /// The reports of a target were acted on.
    RESOLVE = "update feed.report set resolved_at = $2 where target = $1 and resolved_at is null";
    /// Keeps what was decided about a target, in place of what was decided before.
    DECIDE = "insert into feed.decision (target, action, moderator_id, reason, decided_at)
              values ($1, $2, $3, $4, $5)
              on conflict (target) do update set action = excluded.action, moderator_id = excluded.moderator_id,
                  reason = excluded.reason, decided_at = excluded.decided_at";
    /// What was decided about a target holds no more.
    UNDECIDE = "delete from feed.decision where target = $1";
    /// What was decided, newest first.
    DECIDED = "select target, action, moderator_id, reason, decided_at from feed.decision
               where (decided_at, target) < ($1, $2) order by decided_at desc, target desc limit $3";
    /// Comments, whatever their state.
    COMMENTS = "select id, post_id, author_id, reply_to, text, mentions, state, like_count, reply_count, created_at,
                    edited_at, version from feed.comment where id = any($1)",
        sqlite "select id, post_id, author_id, reply_to, text, mentions, state, like_count, reply_count, created_at,
                    edited_at, version from feed.comment where id in (select unhex(value) from json_each($1))";
}

row! {
    /// A report that waits.
    #[derive(Debug, Clone)]
    pub(crate) struct ReportRow {
        pub(crate) id: ReportId,
        pub(crate) target: String,
        pub(crate) created_at: Ts,
    }
}

row! {
    /// One thing that was reported.
    #[derive(Debug, Clone)]
    pub(crate) struct QueuedRow {
        pub(crate) target: String,
        pub(crate) report_count: i64,
        pub(crate) first_at: Ts,
    }
}

row! {
    /// What was decided about a target.
    #[derive(Debug, Clone)]
    pub(crate) struct DecisionRow {
        pub(crate) target: String,
        pub(crate) action: String,
        pub(crate) moderator: UserId,
        pub(crate) reason: String,
        pub(crate) decided_at: Ts,
    }
}

row! {
    /// A place among what was decided.
    #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    pub(crate) struct DecidedPlace {
        pub(crate) decided_at: Ts,
        pub(crate) target: String,
    }
}

impl DecidedPlace {
    /// Before everything: the end of the year 9999, which both engines know.
    pub(crate) const FIRST: Self =
        Self { decided_at: Ts::from_micros(253_402_300_799_000_000), target: String::new() };
}

row! {
    /// A place in the queue.
    #[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
    pub(crate) struct QueuePlace {
        pub(crate) first_at: Ts,
        pub(crate) target: String,
    }
}

impl QueuePlace {
    /// Before everything.
    pub(crate) const FIRST: Self = Self { first_at: Ts::from_micros(0), target: String::new() };
}

/// A report as it is written.
#[derive(Debug)]
pub(crate) struct NewReport<'a> {
    pub(crate) id: ReportId,
    pub(crate) reporter: UserId,
    pub(crate) target: &'a str,
    pub(crate) person: UserId,
    pub(crate) reason: &'a str,
}

/// Adds a report, unless one of the same reporter for the same target waits; returns the one that waits.
pub(crate) async fn report(
    tx: &mut Tx,
    new: &NewReport<'_>,
    now: Ts,
) -> Result<ReportRow, DbError> {
    let values = params![new.id, new.reporter, new.target, new.person, new.reason, now];
    tx.run(&REPORT, values).await?;
    tx.one(&WAITING, params![new.reporter, new.target]).await
}

/// What waits after `from`, oldest first.
pub(crate) async fn queue(
    tx: &mut Tx,
    from: &QueuePlace,
    limit: usize,
) -> Result<Vec<QueuedRow>, DbError> {
    tx.all(&QUEUE, params![from.first_at, from.target, limit as i64]).await
}

/// The newest reasons for each target, at most `each`, newest first.
pub(crate) async fn reasons(
    tx: &mut Tx,
    targets: &Vec<String>,
    each: i64,
) -> Result<Vec<(String, String)>, DbError> {
    tx.all(&REASONS, params![targets, each]).await
}

/// Resolves the reports of `target`; returns how many waited.
pub(crate) async fn resolve(tx: &mut Tx, target: &str, now: Ts) -> Result<u64, DbError> {
    tx.execute(&RESOLVE, params![target, now]).await
}

/// Keeps what was decided about a target, in place of what was decided before.
pub(crate) async fn decide(tx: &mut Tx, row: &DecisionRow) -> Result<(), DbError> {
    let DecisionRow { target, action, moderator, reason, decided_at } = row;
    tx.run(&DECIDE, params![target, action, moderator, reason, decided_at]).await
}

/// What was decided about `target` holds no more; nothing happens if nothing was.
pub(crate) async fn undecide(tx: &mut Tx, target: &str) -> Result<(), DbError> {
    tx.run(&UNDECIDE, params![target]).await
}

/// `target` is erased: what was decided about it goes with it, and what was reported of it waits for nobody.
pub(crate) async fn forget(tx: &mut Tx, target: &str) -> Result<(), DbError> {
    let now = tx.now();
    resolve(tx, target, now).await?;
    undecide(tx, target).await
}

/// What was decided before `from`, newest first.
pub(crate) async fn decided(
    tx: &mut Tx,
    from: &DecidedPlace,
    limit: usize,
) -> Result<Vec<DecisionRow>, DbError> {
    tx.all(&DECIDED, params![from.decided_at, from.target, limit as i64]).await
}

/// Comments, whatever their state, in any order.
pub(crate) async fn comments(tx: &mut Tx, ids: &[CommentId]) -> Result<Vec<CommentRow>, DbError> {
    if ids.is_empty() {
        return Ok(Vec::new());
    }
    tx.all(&COMMENTS, params![ids]).await
}
