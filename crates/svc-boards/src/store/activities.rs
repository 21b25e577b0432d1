//! People's activity, what counts of each day, goals and achievements.

use mainstay_contract::{id::UserId, ts::Ts};
use mainstay_core::{
    db::{DbError, Json, Tx},
    params, row, statements,
};

use crate::model::activity::{
    INTERVAL_US_MAX,
    timeline::{Day, Known},
};

statements! {
    /// Makes somebody known.
    ADD_PERSON = "insert into boards.activity_person (user_id, source_priority, created_at) values ($1, '[]', $2)
                  on conflict do nothing";
    /// Whoever changes somebody's activity waits here.
    LOCK_PERSON = "select source_priority from boards.activity_person where user_id = $1 for update",
        sqlite "select source_priority from boards.activity_person where user_id = $1";
    /// Which sources count first.
    PRIORITY = "select source_priority from boards.activity_person where user_id = $1";
    /// Says which sources count first; every day is to be counted anew.
    SET_PRIORITY = "update boards.activity_person set source_priority = $2, recount_metric = '', recount_day = 0
                    where user_id = $1";
    /// Up to where the newest order of sources is applied.
    RECOUNT = "select recount_metric, recount_day from boards.activity_person
               where user_id = $1 and recount_metric is not null";
    /// Moves on where the newest order of sources is applied.
    MOVE_RECOUNT = "update boards.activity_person set recount_metric = $2, recount_day = $3 where user_id = $1";
    /// Whose days are to be counted anew.
    RECOUNTS = "select user_id from boards.activity_person where recount_metric is not null order by user_id limit 100";
    /// Days after one, by metric.
    DAYS_AFTER = "select metric, day, intervals from boards.activity_day
                  where user_id = $1 and (metric, day) > ($2, $3) order by metric, day limit 100";
    /// Intervals of all sources that overlap a time.
    NEAR = "select source, starts_at, ends_at, value, revision, updated_at from boards.activity
            where user_id = $1 and metric = $2 and starts_at < $4 and starts_at > $5 and ends_at > $3
            order by starts_at limit $6";
    /// The first interval of a source that begins in a time.
    FIRST_OF = "select starts_at from boards.activity where user_id = $1 and metric = $2 and source = $3
                and starts_at >= $4 and starts_at < $5 order by starts_at limit 1";
    /// Keeps what a source says of an interval.
    SET = "insert into boards.activity (user_id, metric, source, starts_at, ends_at, value, revision, updated_at)
           values ($1, $2, $3, $4, $5, $6, $7, $8)
           on conflict (user_id, metric, source, starts_at) do update set ends_at = excluded.ends_at,
               value = excluded.value, revision = excluded.revision, updated_at = excluded.updated_at";
    /// Intervals before an instant, newest first.
    LIST = "select source, starts_at, ends_at, value, revision, updated_at from boards.activity
            where user_id = $1 and metric = $2 and (starts_at < $3 or starts_at = $3 and source > $4)
            order by starts_at desc, source limit $5";
    /// How many other metrics somebody has days of.
    METRICS_BESIDE = "select count(distinct metric) from boards.activity_day where user_id = $1 and metric <> $2";
    /// Whether anything is known of a metric.
    HAS_METRIC = "select day from boards.activity_day where user_id = $1 and metric = $2 limit 1";
    /// Names of sources, one step along the primary key for each.
    SOURCES = "with recursive known (source) as (
                   select min(source) from boards.activity where user_id = $1 and metric = $2
                   union all
                   select (select min(a.source) from boards.activity a
                           where a.user_id = $1 and a.metric = $2 and a.source > known.source)
                   from known where known.source is not null)
               select source from known where source is not null limit $3";
    /// Sets what counts of a day.
    SET_DAY = "insert into boards.activity_day (user_id, metric, day, value, intervals, goal_reached)
               values ($1, $2, $3, $4, $5, false)
               on conflict (user_id, metric, day) do update set value = excluded.value, intervals = excluded.intervals";
    /// Sets what counts of a day whose intervals stay.
    COUNT_DAY = "update boards.activity_day set value = $4 where user_id = $1 and metric = $2 and day = $3";
    /// Notes that the goal was reached on a day, once.
    REACH = "update boards.activity_day set goal_reached = true
             where user_id = $1 and metric = $2 and day = $3 and not goal_reached";
    /// What is kept of days.
    KEPT_DAYS = "select day, value, intervals from boards.activity_day
                 where user_id = $1 and metric = $2 and day >= $3 and day < $4 order by day";
    /// Days on which the goal of then was reached.
    REACHED = "select day from boards.activity_day
               where user_id = $1 and metric = $2 and day >= $3 and goal_reached order by day";
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
    /// How many goals somebody has for other metrics.
    GOALS_BESIDE = "select count(*) from boards.activity_goal where user_id = $1 and metric <> $2";
    /// A goal.
    GOAL = "select per_day from boards.activity_goal where user_id = $1 and metric = $2";
    /// Notes an achievement, once.
    EARN = "insert into boards.achievement (user_id, code, earned_at) values ($1, $2, $3) on conflict do nothing";
    /// What somebody has achieved.
    EARNED = "select code, earned_at from boards.achievement where user_id = $1 order by earned_at, code limit 1000";
}

row! {
    /// What a source says of an interval.
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

impl ActivityRow {
    /// What is known of the interval.
    pub(crate) fn known(&self) -> Known {
        let Self { ends_at, value, revision, updated_at, .. } = *self;
        Known { ends_at, value, revision, updated_at }
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

/// Says which sources of `user` count first; every day is to be counted anew.
pub(crate) async fn set_priority(
    tx: &mut Tx,
    user: UserId,
    priority: &[String],
) -> Result<(), DbError> {
    tx.run(&SET_PRIORITY, params![user, Json(priority.to_vec())]).await
}

/// The metric and day up to which the newest order of sources of `user` is applied; `None` if it is applied everywhere.
pub(crate) async fn recount(tx: &mut Tx, user: UserId) -> Result<Option<(String, i64)>, DbError> {
    tx.optional(&RECOUNT, params![user]).await
}

/// Moves on where the newest order of sources is applied; `None` once it is applied everywhere.
pub(crate) async fn move_recount(
    tx: &mut Tx,
    user: UserId,
    upto: Option<(&str, i64)>,
) -> Result<(), DbError> {
    let (metric, day) = upto.unzip();
    tx.run(&MOVE_RECOUNT, params![user, metric, day]).await
}

/// At most 100 whose days are to be counted anew.
pub(crate) async fn recounts(tx: &mut Tx) -> Result<Vec<UserId>, DbError> {
    let rows: Vec<(UserId,)> = tx.all(&RECOUNTS, &[]).await?;
    Ok(rows.into_iter().map(|(user,)| user).collect())
}

/// At most 100 metrics and days after one, with how many intervals begin in each.
pub(crate) async fn days_after(
    tx: &mut Tx,
    user: UserId,
    (metric, day): (&str, i64),
) -> Result<Vec<(String, i64, i64)>, DbError> {
    tx.all(&DAYS_AFTER, params![user, metric, day]).await
}

/// Intervals of all sources that overlap [`from`, `to`), in order, at most `limit`.
pub(crate) async fn near(
    tx: &mut Tx,
    of: Of<'_>,
    (from, to): (Ts, Ts),
    limit: i64,
) -> Result<Vec<ActivityRow>, DbError> {
    // What is no longer than the longest begins after this, if it reaches into the time.
    let since = from.plus_micros(-INTERVAL_US_MAX);
    tx.all(&NEAR, params![of.user, of.metric, from, to, since, limit]).await
}

/// When the first interval of `source` begins that begins in [`from`, `to`).
pub(crate) async fn first_of(
    tx: &mut Tx,
    of: Of<'_>,
    source: &str,
    (from, to): (Ts, Ts),
) -> Result<Option<Ts>, DbError> {
    let found: Option<(Ts,)> =
        tx.optional(&FIRST_OF, params![of.user, of.metric, source, from, to]).await?;
    Ok(found.map(|(starts_at,)| starts_at))
}

/// Keeps what a source says of an interval.
pub(crate) async fn set(
    tx: &mut Tx,
    of: Of<'_>,
    (source, starts_at): (&str, Ts),
    known: &Known,
) -> Result<(), DbError> {
    let Known { ends_at, value, revision, updated_at } = *known;
    let params =
        params![of.user, of.metric, source, starts_at, ends_at, value, revision, updated_at];
    tx.run(&SET, params).await
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

/// How many metrics besides this one `user` has synced something of, if it is a new one; 0 if it is not.
pub(crate) async fn metrics_beside(tx: &mut Tx, of: Of<'_>) -> Result<i64, DbError> {
    let known: Option<(i64,)> = tx.optional(&HAS_METRIC, params![of.user, of.metric]).await?;
    if known.is_some() {
        return Ok(0);
    }
    let (count,): (i64,) = tx.one(&METRICS_BESIDE, params![of.user, of.metric]).await?;
    Ok(count)
}

/// At most `limit` sources that have said something of a metric, by name.
pub(crate) async fn sources(tx: &mut Tx, of: Of<'_>, limit: i64) -> Result<Vec<String>, DbError> {
    let rows: Vec<(String,)> = tx.all(&SOURCES, params![of.user, of.metric, limit]).await?;
    Ok(rows.into_iter().map(|(source,)| source).collect())
}

/// Sets what is kept of a day.
pub(crate) async fn set_day(tx: &mut Tx, of: Of<'_>, day: i64, kept: Day) -> Result<(), DbError> {
    tx.run(&SET_DAY, params![of.user, of.metric, day, kept.value, kept.intervals]).await
}

/// Sets what counts of a day that is known.
pub(crate) async fn count_day(
    tx: &mut Tx,
    of: Of<'_>,
    day: i64,
    value: i64,
) -> Result<(), DbError> {
    tx.run(&COUNT_DAY, params![of.user, of.metric, day, value]).await
}

/// Notes that the goal was reached on a day; `true` if that is new.
pub(crate) async fn reach(tx: &mut Tx, of: Of<'_>, day: i64) -> Result<bool, DbError> {
    Ok(tx.execute(&REACH, params![of.user, of.metric, day]).await? == 1)
}

/// Days from `from` on, in order, on which the goal of then was reached.
pub(crate) async fn reached(tx: &mut Tx, of: Of<'_>, from: i64) -> Result<Vec<i64>, DbError> {
    let rows: Vec<(i64,)> = tx.all(&REACHED, params![of.user, of.metric, from]).await?;
    Ok(rows.into_iter().map(|(day,)| day).collect())
}

/// What is kept of the days in [`from`, `to`), in order; days without anything are left out.
pub(crate) async fn kept_days(
    tx: &mut Tx,
    of: Of<'_>,
    (from, to): (i64, i64),
) -> Result<Vec<(i64, Day)>, DbError> {
    let rows: Vec<(i64, i64, i64)> =
        tx.all(&KEPT_DAYS, params![of.user, of.metric, from, to]).await?;
    Ok(rows.into_iter().map(|(day, value, intervals)| (day, Day { value, intervals })).collect())
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

/// How many goals `user` has for other metrics.
pub(crate) async fn goals_beside(tx: &mut Tx, of: Of<'_>) -> Result<i64, DbError> {
    let (count,): (i64,) = tx.one(&GOALS_BESIDE, params![of.user, of.metric]).await?;
    Ok(count)
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
