//! Activity: synced, counted once, summed.

mod goals;
mod sources;
mod sync;

use mainstay_contract::{id::UserId, ts::Ts};
use mainstay_core::db::Tx;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::{
    goals::{AchievementView, GoalView},
    sync::{ACTIVITIES_MAX, NewActivity, day_begin, set_day},
};
use super::Boards;
use crate::{
    error::Error,
    model::activity::{DAY_US, Interval, counted, day_of, day_start, timeline::Known},
    store::{
        self,
        activities::{ActivityRow, Of},
    },
};

/// The most intervals that one request looks at, besides those that it sends.
const AROUND_MAX: usize = 50_000;

/// An interval as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub(crate) struct ActivityView {
    /// What measured it.
    pub(crate) source: String,
    /// What was measured.
    pub(crate) metric: String,
    /// From here on.
    pub(crate) start: Ts,
    /// Up to here.
    pub(crate) end: Ts,
    /// How much.
    pub(crate) value: i64,
    /// Its revision, if it has one.
    pub(crate) revision: Option<i64>,
    /// When it was synced last.
    pub(crate) updated_at: Ts,
    /// Whether this sync changed something: `false` for one that was known, or is older than what is known, which is
    /// then what is shown. Absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) changed: Option<bool>,
}

impl ActivityView {
    fn of(source: String, metric: &str, start: Ts, known: &Known, changed: Option<bool>) -> Self {
        let Known { ends_at: end, value, revision, updated_at } = *known;
        Self { source, metric: metric.to_owned(), start, end, value, revision, updated_at, changed }
    }
}

/// What counts of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct DayView {
    /// The UTC day, such as `2026-03-01`.
    pub(crate) day: String,
    /// How much.
    pub(crate) value: i64,
}

impl Boards {
    /// Which sources of the caller count first.
    pub(crate) async fn priority(&self, user: UserId) -> Result<Vec<String>, Error> {
        Ok(store::activities::priority(&mut *self.db().read().await?, user).await?)
    }

    /// What counts of the days in [`from`, `to`).
    pub(crate) async fn total(
        &self,
        user: UserId,
        metric: &str,
        from: i64,
        to: i64,
    ) -> Result<i64, Error> {
        let of = Of { user, metric };
        Ok(store::activities::sum(&mut *self.db().read().await?, of, from, to).await?)
    }

    /// What counts of each day in [`from`, `to`); days without anything are left out.
    pub(crate) async fn days(
        &self,
        user: UserId,
        metric: &str,
        from: i64,
        to: i64,
    ) -> Result<Vec<(i64, i64)>, Error> {
        let of = Of { user, metric };
        Ok(store::activities::days(&mut *self.db().read().await?, of, from, to).await?)
    }

    /// Intervals of a metric, newest first.
    pub(crate) async fn activities(
        &self,
        user: UserId,
        metric: &str,
        before: (Ts, &str),
        limit: usize,
    ) -> Result<Vec<ActivityView>, Error> {
        let of = Of { user, metric };
        let mut tx = self.db().read().await?;
        let rows = store::activities::list(&mut tx, of, before, limit as i64).await?;
        let view = |row: ActivityRow| {
            ActivityView::of(row.source.clone(), metric, row.starts_at, &row.known(), None)
        };
        Ok(rows.into_iter().map(view).collect())
    }
}

/// What counts of a person's activity that begins from `from` on and before `to`.
pub(crate) async fn total_in(
    tx: &mut Tx,
    user: UserId,
    metric: &str,
    from: Ts,
    to: Ts,
) -> Result<i64, Error> {
    if to <= from {
        return Ok(0);
    }
    let of = Of { user, metric };
    // Whole days are summed already; what is left at both ends is counted from its intervals.
    let (first, last) = (day_of(from.plus_micros(DAY_US - 1)), day_of(to));
    if first > last {
        return part_of(tx, of, from, to).await;
    }
    let whole = store::activities::sum(tx, of, first, last).await?;
    let before = part_of(tx, of, from, day_start(first)).await?;
    let after = part_of(tx, of, day_start(last), to).await?;
    Ok(whole.saturating_add(before).saturating_add(after))
}

/// The same of a part of one day, of which no more counts than of all of it.
async fn part_of(tx: &mut Tx, of: Of<'_>, from: Ts, to: Ts) -> Result<i64, Error> {
    if to <= from {
        return Ok(0);
    }
    let day = day_of(from);
    let most = store::activities::sum(tx, of, day, day + 1).await?;
    let priority = store::activities::priority(tx, of.user).await?;
    let within = counted(&intervals_around(tx, of, (from, to)).await?, &priority);
    let within = within.into_iter().filter(|(at, _)| (from..to).contains(at));
    Ok(within.map(|(_, value)| value).sum::<i64>().min(most))
}

/// The same as [`around`], as counting needs it.
async fn intervals_around(tx: &mut Tx, of: Of<'_>, time: (Ts, Ts)) -> Result<Vec<Interval>, Error> {
    let (rows, _) = around(tx, of, time).await?;
    let interval = |row: ActivityRow| {
        let ActivityRow { source, starts_at, ends_at, value, .. } = row;
        Interval { source, starts_at, ends_at, value }
    };
    Ok(rows.into_iter().map(interval).collect())
}

/// Intervals that overlap a time, and all that overlap one of those: what counts of the former is known by them.
/// Besides, the time that the former take.
///
/// # Errors
/// `Invalid` if there are more than 50,000.
async fn around(
    tx: &mut Tx,
    of: Of<'_>,
    (from, to): (Ts, Ts),
) -> Result<(Vec<ActivityRow>, (Ts, Ts)), Error> {
    let limit = AROUND_MAX as i64 + 1;
    let mut rows = store::activities::near(tx, of, (from, to), limit).await?;
    let first = rows.iter().map(|row| row.starts_at).min().unwrap_or(from).min(from);
    let last = rows.iter().map(|row| row.ends_at).max().unwrap_or(to).max(to);
    if (first, last) != (from, to) {
        rows = store::activities::near(tx, of, (first, last), limit).await?;
    }
    match rows.len() > AROUND_MAX {
        true => Err(too_many()),
        false => Ok((rows, (first, last))),
    }
}

fn too_many() -> Error {
    let detail = format!(
        "More than {AROUND_MAX} intervals lie around these. Send the list in parts, each of a few days."
    );
    Error::invalid("", "too_many", detail)
}
