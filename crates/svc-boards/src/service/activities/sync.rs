//! Syncing: what is sent is looked at, taken in one transaction for each person, and told.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_contract::{
    boards::{ActivityRecordedV1, ActivityRecountedV1},
    id::UserId,
    ts::Ts,
};
use mainstay_core::{
    auth::Caller,
    db::{Once, Tx},
    error::{Code, Fault, Problem},
    params,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{AROUND_MAX, ActivityView, around, goals, sources::SOURCES_MAX, too_many};
use crate::{
    error::Error,
    model::activity::{
        AHEAD_US_MAX, DAY_US, INTERVAL_US_MAX, INTERVALS_A_DAY_MAX, Interval, METRICS_MAX,
        NAME_BYTES_MAX, OLDEST_DAYS, day_of, day_start, is_name,
        limits::ActivityLimits,
        timeline::{Put, Refusal, Timeline},
    },
    service::{
        Boards, competitions,
        scores::{is_server, refused_first},
    },
    store::{self, activities::Of},
};

/// The most intervals of one request.
pub(crate) const ACTIVITIES_MAX: usize = 1_000;
/// Intervals that are no further apart are looked up together, in seconds.
const TOGETHER_S: i64 = 3_600;
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
    /// What was measured: `steps`, `distance` in metres, `calories` in kilocalories, `minutes`, or another word. At
    /// most 32 of a person.
    #[schemars(length(min = 1, max = 32))]
    pub(crate) metric: String,
    /// From here on: not ahead of the clock, at most 400 days ago.
    pub(crate) start: Ts,
    /// Up to here, at most a day later. It may be to come, as that of today is: a later sync replaces what is said so
    /// far.
    pub(crate) end: Ts,
    /// How much, 0 or more.
    #[schemars(range(min = 0))]
    pub(crate) value: i64,
    /// The highest one of an interval counts, whichever comes first; of the same one the larger value. Without it what
    /// comes later replaces, but never what has a revision.
    #[serde(default)]
    pub(crate) revision: Option<i64>,
}

/// One sync: an interval that was found to be sound.
#[derive(Debug, Clone)]
struct Sync {
    metric: String,
    interval: Interval,
    revision: Option<i64>,
}

impl NewActivity {
    /// Whether its source is free to be used.
    fn check_free(&self) -> Result<(), Error> {
        match &*self.source {
            LEADERBOARD_SOURCE => {
                let detail = "`leaderboard` is what `POST /api/v1/leaderboard/update` says. Name what has measured it.";
                Err(Error::invalid("/source", "reserved", detail))
            }
            _ => Ok(()),
        }
    }

    /// Whether it can be taken, whatever is known already.
    ///
    /// # Errors
    /// Every fault.
    fn check(self, limits: &ActivityLimits, now: Ts) -> Result<Sync, Error> {
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
        // Nobody has done more by now than the time up to now allows.
        let until_now_us = now.micros_since(self.start) + AHEAD_US_MAX;
        let most = limits.in_interval(&self.metric, length_us.min(until_now_us));
        if !(0..=most).contains(&self.value) {
            let detail = format!(
                "0 to {most} {} are plausible in this time, as far as it is over.",
                self.metric
            );
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
        let (now, limits) = (self.inner.clock.now(), self.inner.config.activity);
        let mut answers = Vec::with_capacity(list.len());
        let mut groups: Vec<(UserId, Vec<(usize, Sync)>)> = Vec::new();
        for (place, new) in list.into_iter().enumerate() {
            let checked = new.map_err(Error::from).and_then(|new| {
                new.check_free()?;
                let user = new.user_id.unwrap_or(caller.user);
                if user != caller.user && !is_server(caller) {
                    return Err(Error::Forbidden("People sync their own activity.".into()));
                }
                Ok((user, new.check(&limits, now)?))
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
        for (user, group) in groups {
            // One commit for each person, and a key for each: which one does not depend on what else is in the list.
            let once = once.clone().map(|once| match user == caller.user {
                true => once,
                false => Once { key: format!("{}/{user}", once.key), ..once },
            });
            let asked: Vec<usize> = group.iter().map(|(place, _)| *place).collect();
            let mut results = self.sync_person(user, group, once).await?;
            for place in asked {
                let Some(answer) = answers.get_mut(place) else { continue };
                *answer = match results.remove(&place) {
                    Some(result) => result.map_err(Said::into_problem),
                    // The same request was refused it when it came first, and is answered once.
                    None => Err(refused_first()),
                };
            }
        }
        Ok(answers)
    }

    /// Takes one interval of `user`, for a caller who may say what they did.
    ///
    /// # Errors
    /// As [`Boards::sync`]; a refusal stands in the answer.
    pub(crate) async fn sync_one(
        &self,
        user: UserId,
        new: NewActivity,
    ) -> Result<Result<ActivityView, Problem>, Error> {
        new.check_free()?;
        let sync = new.check(&self.inner.config.activity, self.inner.clock.now())?;
        let mut results = self.sync_person(user, vec![(0, sync)], None).await?;
        let result = results.remove(&0).ok_or(Error::NotFound)?;
        Ok(result.map_err(Said::into_problem))
    }

    async fn sync_person(
        &self,
        user: UserId,
        syncs: Vec<(usize, Sync)>,
        once: Option<Once>,
    ) -> Result<BTreeMap<usize, Result<ActivityView, Said>>, Error> {
        let limits = self.inner.config.activity;
        self.db()
            .write_locking(&store::activities::LOCK_PERSON, params![user], once, move |tx| {
                let syncs = syncs.clone();
                Box::pin(async move { sync_in(tx, user, &limits, &syncs).await })
            })
            .await
    }
}

/// A refusal of one interval, as it is kept with an idempotency key.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Said {
    /// It overlaps these intervals of its source.
    Overlaps(Vec<(Ts, Ts)>),
    /// The day would hold more than is plausible.
    Implausible(i64, String),
    /// The day has as many intervals as it can have.
    Full,
    /// The person has as many metrics as they can have.
    Metrics,
    /// The person has as many sources of this metric as they can have.
    Sources,
}

impl Said {
    fn of(refusal: Refusal, metric: &str) -> Self {
        match refusal {
            Refusal::Overlaps(others) => Self::Overlaps(others),
            Refusal::Implausible(most) => Self::Implausible(most, metric.to_owned()),
            Refusal::Full => Self::Full,
        }
    }

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
            Self::Full => {
                let detail = format!(
                    "A day takes {INTERVALS_A_DAY_MAX} intervals of a metric. Send longer ones."
                );
                Problem::invalid(vec![Fault::new("/start", "too_many", detail)])
            }
            Self::Metrics => {
                let detail = format!("A person has at most {METRICS_MAX} metrics.");
                Problem::invalid(vec![Fault::new("/metric", "too_many", detail)])
            }
            Self::Sources => {
                let detail = format!("A person has at most {SOURCES_MAX} sources of a metric.");
                Problem::invalid(vec![Fault::new("/source", "too_many", detail)])
            }
        }
    }
}

/// Takes what is said of a person, and answers by place.
async fn sync_in(
    tx: &mut Tx,
    user: UserId,
    limits: &ActivityLimits,
    syncs: &[(usize, Sync)],
) -> Result<BTreeMap<usize, Result<ActivityView, Said>>, Error> {
    let now = tx.now();
    let priority = store::activities::lock_person(tx, user, now).await?;
    let mut metrics: BTreeMap<&str, Vec<(usize, &Sync)>> = BTreeMap::new();
    for (place, sync) in syncs {
        metrics.entry(&sync.metric).or_default().push((*place, sync));
    }
    let mut answers: BTreeMap<usize, Result<ActivityView, Said>> = BTreeMap::new();
    for (metric, list) in metrics {
        let of = Of { user, metric };
        if store::activities::metrics_beside(tx, of).await? >= METRICS_MAX {
            answers.extend(list.into_iter().map(|(place, _)| (place, Err(Said::Metrics))));
            continue;
        }
        let times = list.iter().map(|(_, sync)| (sync.interval.starts_at, sync.interval.ends_at));
        let timeline = load(tx, of, &priority, times.collect()).await?;
        let days = take(tx, of, timeline, limits, &list, &mut answers).await?;
        if !days.is_empty() {
            goals::achieve(tx, of, &days).await?;
        }
        if let (Some(first), Some(last)) = (days.first(), days.last()) {
            competitions::activity_changed(tx, of, (*first, *last)).await?;
        }
    }
    Ok(answers)
}

/// What is known around these times.
async fn load(
    tx: &mut Tx,
    of: Of<'_>,
    priority: &[String],
    times: Vec<(Ts, Ts)>,
) -> Result<Timeline, Error> {
    let mut timeline = Timeline::new(priority);
    for time in together(times) {
        let (rows, (first, last)) = around(tx, of, time).await?;
        for row in rows {
            let known = row.known();
            timeline.load(row.source, row.starts_at, known);
        }
        if timeline.interval_count() > AROUND_MAX {
            return Err(too_many());
        }
        let days = (day_of(first), day_of(last) + 1);
        for (day, kept) in store::activities::kept_days(tx, of, days).await? {
            timeline.load_day(day, kept);
        }
    }
    Ok(timeline)
}

/// The same times, those that are close to each other as one.
fn together(mut times: Vec<(Ts, Ts)>) -> Vec<(Ts, Ts)> {
    times.sort_unstable();
    let mut all: Vec<(Ts, Ts)> = Vec::with_capacity(times.len());
    for (from, to) in times {
        match all.last_mut() {
            Some(last) if from <= last.1.plus_s(TOGETHER_S) => last.1 = last.1.max(to),
            _ => all.push((from, to)),
        }
    }
    all
}

/// Takes syncs in their order, keeps and tells what changed; the days of which something did.
async fn take(
    tx: &mut Tx,
    of: Of<'_>,
    mut timeline: Timeline,
    limits: &ActivityLimits,
    list: &[(usize, &Sync)],
    answers: &mut BTreeMap<usize, Result<ActivityView, Said>>,
) -> Result<BTreeSet<i64>, Error> {
    let (now, most) = (tx.now(), limits.in_a_day(of.metric));
    let (mut intervals, mut days) = (BTreeSet::new(), BTreeSet::new());
    // What counts of a time is found by looking at every source.
    let mut sources = store::activities::sources(tx, of, SOURCES_MAX as i64).await?;
    for (place, sync) in list {
        let Interval { source, starts_at, .. } = &sync.interval;
        if !sources.contains(source) && sources.len() >= SOURCES_MAX {
            answers.insert(*place, Err(Said::Sources));
            continue;
        }
        let put = timeline.put(most, &sync.interval, sync.revision, now);
        let view = |known, changed| {
            ActivityView::of(source.clone(), of.metric, *starts_at, known, Some(changed))
        };
        let answer = match put {
            Err(refusal) => Err(Said::of(refusal, of.metric)),
            Ok(Put::Stays(known)) => Ok(view(&known, false)),
            Ok(Put::Taken { known, added }) => {
                tell(tx, of, &timeline, &sync.interval, &added).await?;
                intervals.insert((source, *starts_at));
                if !sources.contains(source) {
                    sources.push(source.clone());
                }
                days.insert(day_of(*starts_at));
                days.extend(added.into_keys());
                Ok(view(&known, true))
            }
        };
        answers.insert(*place, answer);
    }
    for (source, starts_at) in intervals {
        if let Some(known) = timeline.known(source, starts_at) {
            store::activities::set(tx, of, (source, starts_at), known).await?;
        }
    }
    for day in &days {
        store::activities::set_day(tx, of, *day, timeline.day(*day)).await?;
    }
    Ok(days)
}

/// Tells of a sync, and of the days beside its own of which something else counts now.
async fn tell(
    tx: &mut Tx,
    of: Of<'_>,
    timeline: &Timeline,
    interval: &Interval,
    added: &BTreeMap<i64, i64>,
) -> Result<(), Error> {
    let own = day_of(interval.starts_at);
    let fact = ActivityRecordedV1 {
        user: of.user,
        metric: of.metric.to_owned(),
        source: interval.source.clone(),
        start: interval.starts_at,
        end: interval.ends_at,
        value: interval.value,
        added: added.get(&own).copied().unwrap_or_default(),
        day_total: timeline.day(own).value,
    };
    tx.emit(&fact, &[]).await?;
    for (day, more) in added.iter().filter(|(day, _)| **day != own) {
        recounted(tx, of, *day, *more, timeline.day(*day).value).await?;
    }
    Ok(())
}

/// Tells that something else counts of a day, although nothing was synced that begins in it.
pub(super) async fn recounted(
    tx: &mut Tx,
    of: Of<'_>,
    day: i64,
    added: i64,
    day_total: i64,
) -> Result<(), Error> {
    let (user, metric, day) = (of.user, of.metric.to_owned(), day_start(day));
    let fact = ActivityRecountedV1 { user, metric, day, added, day_total };
    Ok(tx.emit(&fact, &[]).await?)
}

/// When what the source `leaderboard` says of a person's day begins, if it has said something.
pub(crate) async fn day_begin(tx: &mut Tx, of: Of<'_>, day: i64) -> Result<Option<Ts>, Error> {
    let time = (day_start(day), day_start(day + 1));
    Ok(store::activities::first_of(tx, of, LEADERBOARD_SOURCE, time).await?)
}

/// Sets what a person has done from `start` to the end of its day, as one interval of the source `leaderboard`.
///
/// # Errors
/// `Invalid` if it is not plausible.
pub(crate) async fn set_day(
    tx: &mut Tx,
    of: Of<'_>,
    start: Ts,
    value: i64,
    limits: &ActivityLimits,
) -> Result<(), Error> {
    let new = NewActivity {
        user_id: None,
        source: LEADERBOARD_SOURCE.into(),
        metric: of.metric.into(),
        start,
        end: day_start(day_of(start) + 1),
        value,
        revision: None,
    };
    let sync = new.check(limits, tx.now())?;
    let mut answers = sync_in(tx, of.user, limits, &[(0, sync)]).await?;
    match answers.remove(&0) {
        Some(Err(said)) => Err(said.into_problem().into()),
        Some(Ok(_)) | None => Ok(()),
    }
}
