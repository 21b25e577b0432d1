//! People's activity, what counts of each day, goals and achievements.

use mainstay_contract::{id::UserId, ts::Ts};
use mainstay_core::{
    db::{DbError, Json, Tx},
    params, row, statements,
};

use crate::model::activity::Interval;

statements! {
    /// Makes somebody known.
    ADD_PERSON = "insert into boards.activity_person (user_id, source_priority, created_at) values ($1, '[]', $2)
                  on conflict do nothing";
    /// Whoever changes somebody's activity waits here.
    LOCK_PERSON = "select source_priority from boards.activity_person where user_id = $1 for update",
        sqlite "select source_priority from boards.activity_person where user_id = $1";
    /// Which sources count first.
    PRIORITY = "select source_priority from boards.activity_person where user_id = $1";
    /// Says which sources count first.
    SET_PRIORITY = "update boards.activity_person set source_priority = $2 where user_id = $1";
    /// Intervals of one source that touch a time.
    OVERLAPPING = "select starts_at, ends_at, value, revision from boards.activity
                   where user_id = $1 and metric = $2 and source = $3 and starts_at < $5 and starts_at > $6
                     and ends_at > $4 order by starts_at limit 20";
    /// Keeps what a source says of an interval.
    SET = "insert into boards.activity (user_id, metric, source, starts_at, ends_at, value, revision, updated_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8)
           on conflict (user_id, metric, source, starts_at) do update set ends_at = excluded.ends_at,
               value = excluded.value, revision = excluded.revision, updated_at = excluded.updated_at";
    /// Intervals of all sources that start in a time.
    STARTING = "select source, starts_at, ends_at, value from boards.activity
                where user_id = $1 and metric = $2 and starts_at >= $3 and starts_at < $4 order by starts_at";
    /// Intervals before an instant, newest first.
    LIST = "select source, starts_at, ends_at, value, revision, updated_at from boards.activity
            where user_id = $1 and metric = $2 and (starts_at < $3 or starts_at = $3 and source > $4)
            order by starts_at desc, source limit $5";
    /// Metrics of somebody.
    METRICS = "select distinct metric from boards.activity_day where user_id = $1 order by metric";
    /// The first and the last day of a metric.
    SPAN = "select min(day), max(day) from boards.activity_day where user_id = $1 and metric = $2";
    /// Sets what counts of a day.
    SET_DAY = "insert into boards.activity_day (user_id, metric, day, value) values ($1, $2, $3, $4)
               on conflict (user_id, metric, day) do update set value = excluded.value";
    /// What counts of days.
    DAYS = "select day, value from boards.activity_day
            where user_id = $1 and metric = $2 and day >= $3 and day < $4 order by day";
    /// The sum of days.
    SUM = "select coalesce(sum(value), 0)::bigint from boards.activity_day
           where user_id = $1 and metric = $2 and day >= $3 and day < $4",
        sqlite "select coalesce(sum(value), 0) from boards.activity_day
           where user_id = $1 and metric = $2 and day >= $3 and day < $4";
    /// Sets a goal.
    SET_GOAL = "insert into boards.activity_goal (user_id, metric, per_day, set_at) values ($1, $2, $3, $4)
                on conflict (user_id, metric) do update set per_day = excluded.per_day, set_at = excluded.set_at";
    /// Forgets a goal.
    DELETE_GOAL = "delete from boards.activity_goal where user_id = $1 and metric = $2";
    /// Goals of somebody.
    GOALS = "select metric, per_day from boards.activity_goal where user_id = $1 order by metric limit 100";
    /// A goal.
    GOAL = "select per_day from boards.activity_goal where user_id = $1 and metric = $2";
    /// Notes an achievement, once.
    EARN = "insert into boards.achievement (user_id, code, earned_at) values ($1, $2, $3) on conflict do nothing";
    /// What somebody has achieved.
    EARNED = "select code, earned_at from boards.achievement where user_id = $1 order by earned_at, code limit 1000";
}

row! {
    /// What a source says of an interval.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct KnownRow {
        pub(crate) starts_at: Ts,
        pub(crate) ends_at: Ts,
        pub(crate) value: i64,
        pub(crate) revision: Option<i64>,
    }
}

row! {
    /// The same, with its source.
    #[derive(Debug, Clone)]
    pub(crate) struct ActivityRow {
        pub(crate) source: String,
        pub(crate) starts_at: Ts,
        pub(crate) ends_at: Ts,
        pub(crate) value: i64,
        pub(crate) revision: Option<i64>,
        pub(crate) updated_at: Ts,
    }
}

/// Which activity of whom.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Of<'a> {
    pub(crate) user: UserId,
    pub(crate) metric: &'a str,
}

/// Makes `user` known and lets their other writers wait; which of their sources count first.
pub(crate) async fn lock_person(
    tx: &mut Tx,
    user: UserId,
    now: Ts,
) -> Result<Vec<String>, DbError> {
    tx.run(&ADD_PERSON, params![user, now]).await?;
    let (Json(priority),): (Json<Vec<String>>,) = tx.one(&LOCK_PERSON, params![user]).await?;
    Ok(priority)
}

/// Which sources of `user` count first.
pub(crate) async fn priority(tx: &mut Tx, user: UserId) -> Result<Vec<String>, DbError> {
    let found: Option<(Json<Vec<String>>,)> = tx.optional(&PRIORITY, params![user]).await?;
    Ok(found.map(|(Json(priority),)| priority).unwrap_or_default())
}

/// Says which sources of `user` count first.
pub(crate) async fn set_priority(
    tx: &mut Tx,
    user: UserId,
    priority: &[String],
) -> Result<(), DbError> {
    tx.run(&SET_PRIORITY, params![user, Json(priority.to_vec())]).await
}

/// Intervals of `source` that touch [`from`, `to`) and began after `since`.
pub(crate) async fn overlapping(
    tx: &mut Tx,
    of: Of<'_>,
    source: &str,
    (from, to, since): (Ts, Ts, Ts),
) -> Result<Vec<KnownRow>, DbError> {
    tx.all(&OVERLAPPING, params![of.user, of.metric, source, from, to, since]).await
}

/// Keeps what a source says of an interval.
pub(crate) async fn set(
    tx: &mut Tx,
    of: Of<'_>,
    interval: &Interval,
    revision: Option<i64>,
    now: Ts,
) -> Result<(), DbError> {
    let Interval { source, starts_at, ends_at, value } = interval;
    let params = params![of.user, of.metric, source, *starts_at, *ends_at, *value, revision, now];
    tx.run(&SET, params).await
}

/// Intervals of all sources that start in [`from`, `to`), in order.
pub(crate) async fn starting(
    tx: &mut Tx,
    of: Of<'_>,
    from: Ts,
    to: Ts,
) -> Result<Vec<Interval>, DbError> {
    let rows: Vec<(String, Ts, Ts, i64)> =
        tx.all(&STARTING, params![of.user, of.metric, from, to]).await?;
    let interval =
        |(source, starts_at, ends_at, value)| Interval { source, starts_at, ends_at, value };
    Ok(rows.into_iter().map(interval).collect())
}

/// Intervals behind (`before`, `source`), newest first.
pub(crate) async fn list(
    tx: &mut Tx,
    of: Of<'_>,
    (before, source): (Ts, &str),
    limit: i64,
) -> Result<Vec<ActivityRow>, DbError> {
    tx.all(&LIST, params![of.user, of.metric, before, source, limit]).await
}

/// Metrics of which `user` has synced something.
pub(crate) async fn metrics(tx: &mut Tx, user: UserId) -> Result<Vec<String>, DbError> {
    let rows: Vec<(String,)> = tx.all(&METRICS, params![user]).await?;
    Ok(rows.into_iter().map(|(metric,)| metric).collect())
}

/// The first and the last day of which something is known.
pub(crate) async fn span(tx: &mut Tx, of: Of<'_>) -> Result<Option<(i64, i64)>, DbError> {
    let (first, last): (Option<i64>, Option<i64>) =
        tx.one(&SPAN, params![of.user, of.metric]).await?;
    Ok(first.zip(last))
}

/// Sets what counts of a day.
pub(crate) async fn set_day(tx: &mut Tx, of: Of<'_>, day: i64, value: i64) -> Result<(), DbError> {
    tx.run(&SET_DAY, params![of.user, of.metric, day, value]).await
}

/// What counts of the days in [`from`, `to`), in order; days without anything are left out.
pub(crate) async fn days(
    tx: &mut Tx,
    of: Of<'_>,
    from: i64,
    to: i64,
) -> Result<Vec<(i64, i64)>, DbError> {
    tx.all(&DAYS, params![of.user, of.metric, from, to]).await
}

/// The sum of the days in [`from`, `to`).
pub(crate) async fn sum(tx: &mut Tx, of: Of<'_>, from: i64, to: i64) -> Result<i64, DbError> {
    let (sum,): (i64,) = tx.one(&SUM, params![of.user, of.metric, from, to]).await?;
    Ok(sum)
}

/// Sets a goal.
pub(crate) async fn set_goal(
    tx: &mut Tx,
    of: Of<'_>,
    per_day: i64,
    now: Ts,
) -> Result<(), DbError> {
    tx.run(&SET_GOAL, params![of.user, of.metric, per_day, now]).await
}

/// Forgets a goal; `true` if there was one.
pub(crate) async fn delete_goal(tx: &mut Tx, of: Of<'_>) -> Result<bool, DbError> {
    Ok(tx.execute(&DELETE_GOAL, params![of.user, of.metric]).await? == 1)
}

/// Metrics and goals of `user`.
pub(crate) async fn goals(tx: &mut Tx, user: UserId) -> Result<Vec<(String, i64)>, DbError> {
    tx.all(&GOALS, params![user]).await
}

/// A goal, if there is one.
pub(crate) async fn goal(tx: &mut Tx, of: Of<'_>) -> Result<Option<i64>, DbError> {
    let goal: Option<(i64,)> = tx.optional(&GOAL, params![of.user, of.metric]).await?;
    Ok(goal.map(|(per_day,)| per_day))
}

/// Notes an achievement; `true` if it is new.
pub(crate) async fn earn(tx: &mut Tx, user: UserId, code: &str, now: Ts) -> Result<bool, DbError> {
    Ok(tx.execute(&EARN, params![user, code, now]).await? == 1)
}

/// What `user` has achieved, first things first.
pub(crate) async fn earned(tx: &mut Tx, user: UserId) -> Result<Vec<(String, Ts)>, DbError> {
    tx.all(&EARNED, params![user]).await
}
