//! Activity: synced, counted once, summed.

mod goals;

use mainstay_contract::{boards::ActivityRecordedV1, id::UserId, ts::Ts};
use mainstay_core::{
    auth::Caller,
    db::{Once, Tx},
    error::{Code, Fault, Problem},
    params,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub(crate) use self::goals::{AchievementView, GoalView};
use super::{Boards, scores::is_server};
use crate::{
    error::Error,
    model::activity::{
        AHEAD_US_MAX, DAY_US, INTERVAL_US_MAX, Interval, NAME_BYTES_MAX, OLDEST_DAYS, counted,
        day_of, day_start, is_name, plausible_in, plausible_per_day, replaces,
    },
    store::{self, activities::Of},
};

/// The most intervals of one request.
pub(crate) const ACTIVITIES_MAX: usize = 1_000;
/// The most sources whose order can be said.
const SOURCES_MAX: usize = 20;
/// Days that are counted anew at a time.
const DAYS_AT_ONCE: i64 = 30;
/// The source of what guide 2's update says.
const LEADERBOARD_SOURCE: &str = "leaderboard";

/// What a source says of an interval.
#[derive(Debug, Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewActivity {
    /// Whose; one's own if absent. Another's only from keys with the scope `boards:write`.
    #[serde(default)]
    pub(crate) user_id: Option<UserId>,
    /// What measured it, such as `watch`.
    #[schemars(length(min = 1, max = 32))]
    pub(crate) source: String,
    /// What was measured: `steps`, `distance` in metres, `calories`, `minutes`, or another word.
    #[schemars(length(min = 1, max = 32))]
    pub(crate) metric: String,
    /// From here on.
    pub(crate) start: Ts,
    /// Up to here, at most a day later.
    pub(crate) end: Ts,
    /// How much, 0 or more.
    #[schemars(range(min = 0))]
    pub(crate) value: i64,
    /// The highest one of an interval counts, whichever comes first. Without it what comes later replaces.
    #[serde(default)]
    pub(crate) revision: Option<i64>,
}

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
    /// Whether this sync changed something; absent in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) changed: Option<bool>,
}

/// What counts of a day.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub(crate) struct DayView {
    /// The UTC day, such as `2026-03-01`.
    pub(crate) day: String,
    /// How much.
    pub(crate) value: i64,
}

/// One sync: an interval that was found to be sound.
#[derive(Debug, Clone)]
struct Sync {
    metric: String,
    interval: Interval,
    revision: Option<i64>,
}

impl NewActivity {
    fn check(self, now: Ts) -> Result<Sync, Error> {
        let mut faults = Vec::new();
        for (at, name) in [("/source", &self.source), ("/metric", &self.metric)] {
            if !is_name(name) {
                let detail =
                    format!("Use 1 to {NAME_BYTES_MAX} small letters, digits, `_` and `-`.");
                faults.push(Fault::new(at, "characters", detail));
            }
        }
        let length_us = self.end.micros_since(self.start);
        if !(1..=INTERVAL_US_MAX).contains(&length_us) {
            let detail = "End after the start, at most a day later.";
            faults.push(Fault::new("/end", "out_of_range", detail));
        } else if self.start.micros_since(now) > AHEAD_US_MAX {
            let detail = "This time has not come yet. Look at the clock of the device.";
            faults.push(Fault::new("/start", "in_the_future", detail));
        } else if now.micros_since(self.start) > OLDEST_DAYS * DAY_US {
            let detail = format!("Activity is taken for {OLDEST_DAYS} days.");
            faults.push(Fault::new("/start", "too_old", detail));
        }
        let most = plausible_in(&self.metric, length_us.clamp(1, INTERVAL_US_MAX));
        if !(0..=most).contains(&self.value) {
            let detail = format!("0 to {most} {} are plausible in this time.", self.metric);
            faults.push(Fault::new("/value", "implausible", detail));
        }
        if !faults.is_empty() {
            return Err(Error::Invalid(faults));
        }
        let Self { source, metric, start, end, value, revision, .. } = self;
        let interval = Interval { source, starts_at: start, ends_at: end, value };
        Ok(Sync { metric, interval, revision })
    }
}

impl Boards {
    /// Takes what sources say of intervals, each in its turn; a refused one does not keep the others.
    ///
    /// # Errors
    /// In the place of each: `Forbidden` for another's; `Invalid`; `Conflict` if it overlaps another interval of its
    /// source.
    pub(crate) async fn sync(
        &self,
        caller: &Caller,
        list: Vec<Result<NewActivity, Problem>>,
        once: Option<Once>,
    ) -> Result<Vec<Result<ActivityView, Problem>>, Error> {
        let now = self.inner.clock.now();
        let mut answers = Vec::with_capacity(list.len());
        let single = list.len() == 1;
        let mut groups: Vec<(UserId, Vec<(usize, Sync)>)> = Vec::new();
        for (place, new) in list.into_iter().enumerate() {
            let checked = new.map_err(Error::from).and_then(|new| {
                let user = new.user_id.unwrap_or(caller.user);
                if user != caller.user && !is_server(caller) {
                    return Err(Error::Forbidden("People sync their own activity.".into()));
                }
                Ok((user, new.check(now)?))
            });
            match checked {
                Ok((user, sync)) => {
                    match groups.iter_mut().find(|(known, _)| *known == user) {
                        Some((_, group)) => group.push((place, sync)),
                        None => groups.push((user, vec![(place, sync)])),
                    }
                    answers
                        .push(Err(Problem::internal("an activity without an answer".to_owned())));
                }
                Err(error) => answers.push(Err(error.into())),
            }
        }
        let key = |number: usize| {
            // One commit for each person: with several, each has the key with its number.
            once.clone().map(|once| Once { key: format!("{}/{number}", once.key), ..once })
        };
        let many = groups.len() > 1;
        for (number, (user, group)) in groups.into_iter().enumerate() {
            let once = if many && !single { key(number) } else { once.clone() };
            let places: Vec<usize> = group.iter().map(|(place, _)| *place).collect();
            let syncs: Vec<Sync> = group.into_iter().map(|(_, sync)| sync).collect();
            let results = self.sync_person(user, syncs, once).await?;
            for (place, result) in places.into_iter().zip(results) {
                if let Some(answer) = answers.get_mut(place) {
                    *answer = result.map_err(|said| said.into_problem());
                }
            }
        }
        Ok(answers)
    }

    async fn sync_person(
        &self,
        user: UserId,
        syncs: Vec<Sync>,
        once: Option<Once>,
    ) -> Result<Vec<Result<ActivityView, Said>>, Error> {
        self.db()
            .write_locking(&store::activities::LOCK_PERSON, params![user], once, move |tx| {
                let syncs = syncs.clone();
                Box::pin(async move { sync_in(tx, user, &syncs).await })
            })
            .await
    }

    /// Says which sources of the caller count first.
    ///
    /// # Errors
    /// `Invalid` for names that no source has, or too many.
    pub(crate) async fn set_priority(
        &self,
        user: UserId,
        priority: Vec<String>,
        once: Option<Once>,
    ) -> Result<Vec<String>, Error> {
        let mut sorted = priority.clone();
        sorted.sort_unstable();
        sorted.dedup();
        let fits = priority.len() <= SOURCES_MAX && sorted.len() == priority.len();
        if !fits || !priority.iter().all(|source| is_name(source)) {
            let detail = format!("Name at most {SOURCES_MAX} sources, each once.");
            return Err(Error::invalid("/priority", "malformed", detail));
        }
        self.db()
            .write_locking(&store::activities::LOCK_PERSON, params![user], once, move |tx| {
                let priority = priority.clone();
                Box::pin(async move {
                    let now = tx.now();
                    if store::activities::lock_person(tx, user, now).await? == priority {
                        return Ok(priority);
                    }
                    store::activities::set_priority(tx, user, &priority).await?;
                    for metric in store::activities::metrics(tx, user).await? {
                        let of = Of { user, metric: &metric };
                        let Some((first, last)) = store::activities::span(tx, of).await? else {
                            continue;
                        };
                        recount(tx, of, &priority, (first, last)).await?;
                        super::competitions::activity_changed(tx, user, &metric).await?;
                    }
                    Ok::<_, Error>(priority)
                })
            })
            .await
    }

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
        let view = |row: store::activities::ActivityRow| ActivityView {
            source: row.source,
            metric: metric.to_owned(),
            start: row.starts_at,
            end: row.ends_at,
            value: row.value,
            revision: row.revision,
            updated_at: row.updated_at,
            changed: None,
        };
        Ok(rows.into_iter().map(view).collect())
    }
}

/// A refusal of one interval, as it is kept with an idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Said {
    /// It overlaps these intervals of its source.
    Overlaps(Vec<(Ts, Ts)>),
    /// The day would hold more than is plausible.
    Implausible(i64, String),
}

impl Said {
    fn into_problem(self) -> Problem {
        match self {
            Self::Overlaps(others) => {
                let others: Vec<String> =
                    others.iter().map(|(from, to)| format!("{from} to {to}")).collect();
                let detail = format!(
                    "It overlaps what this source has said of {}. Send the same interval to replace one.",
                    others.join(", ")
                );
                Problem::new(Code::Conflict, detail)
            }
            Self::Implausible(most, metric) => {
                let detail = format!("A day of more than {most} {metric} is not plausible.");
                Problem::invalid(vec![Fault::new("/value", "implausible", detail)])
            }
        }
    }
}

async fn sync_in(
    tx: &mut Tx,
    user: UserId,
    syncs: &[Sync],
) -> Result<Vec<Result<ActivityView, Said>>, Error> {
    let now = tx.now();
    let priority = store::activities::lock_person(tx, user, now).await?;
    let mut answers = Vec::with_capacity(syncs.len());
    let mut changed: Vec<&str> = Vec::new();
    for sync in syncs {
        let answer = sync_one(tx, user, sync, &priority).await?;
        if answer.as_ref().is_ok_and(|view| view.changed == Some(true))
            && !changed.contains(&&*sync.metric)
        {
            changed.push(&sync.metric);
        }
        answers.push(answer);
    }
    for metric in changed {
        goals::achieve(tx, Of { user, metric }).await?;
        super::competitions::activity_changed(tx, user, metric).await?;
    }
    Ok(answers)
}

async fn sync_one(
    tx: &mut Tx,
    user: UserId,
    sync: &Sync,
    priority: &[String],
) -> Result<Result<ActivityView, Said>, Error> {
    let Sync { metric, interval, revision } = sync;
    let (of, now) = (Of { user, metric }, tx.now());
    let Interval { source, starts_at, ends_at, value } = interval;
    let since = starts_at.plus_micros(-INTERVAL_US_MAX);
    let touching =
        store::activities::overlapping(tx, of, source, (*starts_at, *ends_at, since)).await?;
    let same =
        |row: &store::activities::KnownRow| row.starts_at == *starts_at && row.ends_at == *ends_at;
    let others = touching.iter().filter(|row| !same(row));
    let others: Vec<(Ts, Ts)> = others.map(|row| (row.starts_at, row.ends_at)).collect();
    if !others.is_empty() {
        return Ok(Err(Said::Overlaps(others)));
    }
    let view = |value, revision, changed| ActivityView {
        source: source.clone(),
        metric: metric.clone(),
        start: *starts_at,
        end: *ends_at,
        value,
        revision,
        updated_at: now,
        changed: Some(changed),
    };
    if let Some(known) = touching.first() {
        let stays = !replaces((known.revision, known.value), (*revision, *value));
        if stays || known.value == *value && known.revision == *revision {
            return Ok(Ok(view(known.value, known.revision, false)));
        }
    }
    let day = day_of(*starts_at);
    let before = store::activities::sum(tx, of, day, day + 1).await?;
    // Looked at first: what is refused leaves nothing behind.
    let mut around = store::activities::starting(
        tx,
        of,
        day_start(day).plus_micros(-INTERVAL_US_MAX),
        day_start(day + 1).plus_micros(INTERVAL_US_MAX),
    )
    .await?;
    around.retain(|one| one.source != *source || one.starts_at != *starts_at);
    around.push(interval.clone());
    let after: i64 = counted(&around, priority)
        .into_iter()
        .filter(|(start, _)| day_of(*start) == day)
        .map(|(_, value)| value)
        .sum();
    let most = plausible_per_day(metric);
    if after > most && after > before {
        return Ok(Err(Said::Implausible(most, metric.clone())));
    }
    store::activities::set(tx, of, interval, *revision, now).await?;
    let last = day_of(ends_at.plus_micros(-1));
    recount(tx, of, priority, (day - 1, last)).await?;
    let fact = ActivityRecordedV1 {
        user,
        metric: metric.clone(),
        source: source.clone(),
        start: *starts_at,
        end: *ends_at,
        value: *value,
        added: after - before,
        day_total: after,
    };
    tx.emit(&fact, &[]).await?;
    Ok(Ok(view(*value, *revision, true)))
}

/// Counts the days from the first to the last of these anew.
async fn recount(
    tx: &mut Tx,
    of: Of<'_>,
    priority: &[String],
    (first, last): (i64, i64),
) -> Result<(), Error> {
    let mut from = first;
    while from <= last {
        let to = (from + DAYS_AT_ONCE).min(last + 1);
        let around = store::activities::starting(
            tx,
            of,
            day_start(from).plus_micros(-INTERVAL_US_MAX),
            day_start(to).plus_micros(INTERVAL_US_MAX),
        )
        .await?;
        let mut sums = vec![0_i64; usize::try_from(to - from).unwrap_or_default()];
        for (start, value) in counted(&around, priority) {
            let place = usize::try_from(day_of(start) - from).ok();
            if let Some(sum) = place.and_then(|place| sums.get_mut(place)) {
                *sum = sum.saturating_add(value);
            }
        }
        let known = store::activities::days(tx, of, from, to).await?;
        for (day, sum) in (from..to).zip(sums) {
            let before = known.iter().find(|(known, _)| *known == day).map(|(_, value)| *value);
            if before.unwrap_or_default() != sum || before.is_none() && sum > 0 {
                store::activities::set_day(tx, of, day, sum).await?;
            }
        }
        from = to;
    }
    Ok(())
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

async fn part_of(tx: &mut Tx, of: Of<'_>, from: Ts, to: Ts) -> Result<i64, Error> {
    if to <= from {
        return Ok(0);
    }
    let priority = store::activities::priority(tx, of.user).await?;
    let around = store::activities::starting(
        tx,
        of,
        from.plus_micros(-INTERVAL_US_MAX),
        to.plus_micros(INTERVAL_US_MAX),
    )
    .await?;
    let within = counted(&around, &priority);
    Ok(within.into_iter().filter(|(at, _)| (from..to).contains(at)).map(|(_, value)| value).sum())
}

/// Sets what a person has done in the day that begins at `day_start`, as one interval of the source `leaderboard`.
///
/// # Errors
/// `Invalid` if it is not plausible.
pub(crate) async fn set_day(
    tx: &mut Tx,
    user: UserId,
    metric: &str,
    day_start: Ts,
    value: i64,
) -> Result<(), Error> {
    let new = NewActivity {
        user_id: None,
        source: LEADERBOARD_SOURCE.into(),
        metric: metric.into(),
        start: day_start,
        end: day_start.plus_micros(DAY_US),
        value,
        revision: None,
    };
    let sync = new.check(tx.now())?;
    let mut answers = sync_in(tx, user, &[sync]).await?;
    match answers.pop() {
        Some(Err(said)) => Err(said.into_problem().into()),
        Some(Ok(_)) | None => Ok(()),
    }
}
