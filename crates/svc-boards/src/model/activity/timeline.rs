//! A stretch of somebody's time with what all their sources say of it: takes what is synced, and knows what that
//! changes. It is loaded once for a whole list, so that a list costs what it changes and not what is there.

use std::collections::BTreeMap;

use mainstay_contract::ts::Ts;

use super::{INTERVALS_A_DAY_MAX, Interval, day_of, rank, replaces, share};

/// The most intervals that a refusal names.
const NAMED_MAX: usize = 20;

/// What is known of an interval, besides its source and beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Known {
    /// Up to here.
    pub ends_at: Ts,
    /// How much.
    pub value: i64,
    /// Its revision, if it has one.
    pub revision: Option<i64>,
    /// When it was synced last.
    pub updated_at: Ts,
}

/// What counts of a UTC day, and how many intervals begin in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Day {
    /// What counts.
    pub value: i64,
    /// Intervals of all sources.
    pub intervals: i64,
}

/// What became of a sync.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Put {
    /// What was known stays: this was said before, or is older.
    Stays(Known),
    /// It counts from now on.
    Taken {
        /// What is known now.
        known: Known,
        /// By how much what counts changed, for each day: the one in which it begins, and others where time is covered
        /// that was not.
        added: BTreeMap<i64, i64>,
    },
}

/// Why a sync is refused; it leaves nothing behind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// It overlaps these intervals of its source; the first 20.
    Overlaps(Vec<(Ts, Ts)>),
    /// More than this would count of its day.
    Implausible(i64),
    /// Its day has as many intervals as it can have.
    Full,
}

/// A stretch of time. What is around it must be loaded too: every interval that overlaps one that overlaps it.
#[derive(Debug, Clone, Default)]
pub struct Timeline {
    priority: Vec<String>,
    sources: BTreeMap<String, BTreeMap<Ts, Known>>,
    days: BTreeMap<i64, Day>,
}

impl Timeline {
    /// One of a person whose sources count in this order; the others follow by name.
    pub fn new(priority: &[String]) -> Self {
        Self { priority: priority.to_vec(), ..Self::default() }
    }

    /// Adds an interval as it is kept.
    pub fn load(&mut self, source: String, starts_at: Ts, known: Known) {
        self.sources.entry(source).or_default().insert(starts_at, known);
    }

    /// Adds what is kept of a day.
    pub fn load_day(&mut self, day: i64, kept: Day) {
        self.days.insert(day, kept);
    }

    /// What is known of an interval.
    pub fn known(&self, source: &str, starts_at: Ts) -> Option<&Known> {
        self.sources.get(source)?.get(&starts_at)
    }

    /// What counts of a day; nothing if it is not known.
    pub fn day(&self, day: i64) -> Day {
        self.days.get(&day).copied().unwrap_or_default()
    }

    /// How many intervals there are.
    pub fn interval_count(&self) -> usize {
        self.sources.values().map(BTreeMap::len).sum()
    }

    /// Takes what a source says of an interval, if no more than `most` counts of its day then.
    ///
    /// # Errors
    /// [`Refusal`]; nothing has changed then.
    pub fn put(
        &mut self,
        most: i64,
        interval: &Interval,
        revision: Option<i64>,
        now: Ts,
    ) -> Result<Put, Refusal> {
        let Interval { source, starts_at, ends_at, value } = interval;
        let old = self.known(source, *starts_at).filter(|known| known.ends_at == *ends_at).copied();
        match old {
            Some(old) => {
                let stays = !replaces((old.revision, old.value), (revision, *value));
                if stays || old.value == *value && old.revision == revision {
                    return Ok(Put::Stays(old));
                }
            }
            None => self.check_free(interval)?,
        }
        let known = Known { ends_at: *ends_at, value: *value, revision, updated_at: now };
        let mut added = BTreeMap::new();
        // Of one that is replaced the time stays covered, so that only its own value counts otherwise.
        let around = match old {
            Some(_) => vec![(source.clone(), *starts_at)],
            None => self.behind(interval),
        };
        self.note(&around, &mut added, -1);
        self.load(source.clone(), *starts_at, known);
        self.note(&around, &mut added, 1);
        let day = day_of(*starts_at);
        let more = added.get(&day).copied().unwrap_or_default();
        if more > 0 && self.day(day).value.saturating_add(more) > most {
            self.take_back(source, *starts_at, old);
            return Err(Refusal::Implausible(most));
        }
        self.days.entry(day).or_default().intervals += i64::from(old.is_none());
        for (day, more) in &mut added {
            let kept = self.days.entry(*day).or_default();
            // While another order of sources is being applied, a day may still hold what counted before.
            let value = kept.value.saturating_add(*more).max(0);
            *more = value - kept.value;
            kept.value = value;
        }
        added.retain(|_, more| *more != 0);
        Ok(Put::Taken { known, added })
    }

    fn check_free(&self, interval: &Interval) -> Result<(), Refusal> {
        let (from, to) = (interval.starts_at, interval.ends_at);
        let others = self.of_source(&interval.source, from, to);
        let others: Vec<(Ts, Ts)> = others.map(|(at, known)| (at, known.ends_at)).collect();
        if !others.is_empty() {
            return Err(Refusal::Overlaps(others.into_iter().take(NAMED_MAX).collect()));
        }
        match self.day(day_of(from)).intervals >= INTERVALS_A_DAY_MAX {
            true => Err(Refusal::Full),
            false => Ok(()),
        }
    }

    fn take_back(&mut self, source: &str, starts_at: Ts, old: Option<Known>) {
        let Some(intervals) = self.sources.get_mut(source) else { return };
        match old {
            Some(old) => intervals.insert(starts_at, old),
            None => intervals.remove(&starts_at),
        };
    }

    /// Adds to `added` what counts of these intervals, `sign` times.
    fn note(&self, intervals: &[(String, Ts)], added: &mut BTreeMap<i64, i64>, sign: i64) {
        for (source, starts_at) in intervals {
            if let Some(known) = self.known(source, *starts_at) {
                let counts = self.counts(source, *starts_at, known);
                *added.entry(day_of(*starts_at)).or_default() += sign * counts;
            }
        }
    }

    /// `interval`, and those that it covers: of sources behind its own.
    fn behind(&self, interval: &Interval) -> Vec<(String, Ts)> {
        let own = rank(&self.priority, &interval.source);
        let mut behind = vec![(interval.source.clone(), interval.starts_at)];
        for source in self.sources.keys().filter(|source| rank(&self.priority, source) > own) {
            let covered = self.of_source(source, interval.starts_at, interval.ends_at);
            behind.extend(covered.map(|(at, _)| (source.clone(), at)));
        }
        behind
    }

    /// What counts of an interval: its value without the part of its time that sources before its own cover.
    fn counts(&self, source: &str, starts_at: Ts, known: &Known) -> i64 {
        let own = rank(&self.priority, source);
        let mut spans: Vec<(Ts, Ts)> = Vec::new();
        for other in self.sources.keys().filter(|other| rank(&self.priority, other) < own) {
            let covering = self.of_source(other, starts_at, known.ends_at);
            spans.extend(covering.map(|(at, known)| (at, known.ends_at)));
        }
        spans.sort_unstable();
        let (mut covered_us, mut upto) = (0, starts_at);
        for (from, to) in spans {
            let (from, to) = (from.max(upto), to.min(known.ends_at));
            covered_us += to.micros_since(from).max(0);
            upto = upto.max(to);
        }
        share(known.value, known.ends_at.micros_since(starts_at), covered_us)
    }

    /// Intervals of `source` that overlap [`from`, `to`), in order. They do not overlap each other, so at most the last
    /// one that begins before reaches into it.
    fn of_source(&self, source: &str, from: Ts, to: Ts) -> impl Iterator<Item = (Ts, &Known)> {
        let intervals = self.sources.get(source);
        let before = intervals.and_then(|all| all.range(..from).next_back());
        let reaches = before.filter(|(_, known)| known.ends_at > from);
        let within = intervals.map(|all| all.range(from..to.max(from)));
        reaches.into_iter().chain(within.into_iter().flatten()).map(|(at, known)| (*at, known))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::model::activity::DAY_US;

    const NAMES: [&str; 3] = ["a", "b", "c"];
    const HOUR_S: i64 = 3_600;

    fn at(seconds: i64) -> Ts {
        Ts::from_micros(seconds * 1_000_000)
    }

    fn said(source: &str, from_s: i64, to_s: i64, value: i64) -> Interval {
        Interval { source: source.into(), starts_at: at(from_s), ends_at: at(to_s), value }
    }

    fn put(timeline: &mut Timeline, new: &Interval) -> Result<Put, Refusal> {
        timeline.put(150_000, new, None, at(0))
    }

    /// What a model that looks at each second says: who covers it first has it.
    fn by_seconds(intervals: &[Interval], order: &[&str]) -> BTreeMap<i64, i64> {
        let mut days: BTreeMap<i64, i64> = BTreeMap::new();
        for one in intervals {
            let place = |name: &str| order.iter().position(|known| *known == name);
            let second = |ts: Ts| ts.as_micros() / 1_000_000;
            let (from, to) = (second(one.starts_at), second(one.ends_at));
            let free = (from..to).filter(|now| {
                !intervals.iter().any(|other| {
                    place(&other.source) < place(&one.source)
                        && (second(other.starts_at)..second(other.ends_at)).contains(now)
                })
            });
            let counts = one.value * free.count() as i64 / (to - from);
            *days.entry(day_of(one.starts_at)).or_default() += counts;
        }
        days.retain(|_, value| *value != 0);
        days
    }

    proptest! {
        /// Syncs around a midnight, in the order in which they come, also such as replace others or are refused: what
        /// each adds leads to the same days that the model makes of what was taken.
        #[test]
        fn what_is_added_one_by_one_is_what_each_second_says(
            syncs in proptest::collection::vec((0..3_usize, -90_i64..90, 1_i64..50, 0_i64..9_999), 0..24),
            order in Just(NAMES).prop_shuffle(),
        ) {
            let midnight_s = DAY_US / 1_000_000;
            let priority = order.map(str::to_owned);
            let mut timeline = Timeline::new(&priority);
            let mut taken: Vec<Interval> = Vec::new();
            for (source, from, length, value) in syncs {
                let from = midnight_s + from;
                let new = said(NAMES[source], from, from + length, value);
                let same = |one: &Interval| one.source == new.source && one.starts_at == new.starts_at
                    && one.ends_at == new.ends_at;
                let overlaps = taken.iter().any(|one| one.source == new.source && !same(one)
                    && one.starts_at < new.ends_at && new.starts_at < one.ends_at);
                let answer = put(&mut timeline, &new);
                prop_assert_eq!(matches!(answer, Err(Refusal::Overlaps(_))), overlaps);
                if answer.is_ok() {
                    taken.retain(|one| !same(one));
                    taken.push(new);
                }
                let mut days: BTreeMap<i64, i64> =
                    timeline.days.iter().map(|(day, kept)| (*day, kept.value)).collect();
                days.retain(|_, value| *value != 0);
                prop_assert_eq!(days, by_seconds(&taken, &order));
            }
            prop_assert_eq!(timeline.interval_count(), taken.len());
        }

        /// The same revisions, each many times and in any order, end the same.
        #[test]
        fn the_order_of_revisions_does_not_matter(
            revisions in proptest::collection::vec((0..6_i64, 0..4_i64, 0..4_000_i64), 1..20),
            seed in proptest::collection::vec(any::<prop::sample::Index>(), 60),
        ) {
            let sync = |timeline: &mut Timeline, (hour, revision, value): (i64, i64, i64)| {
                let new = said("a", hour * HOUR_S, (hour + 1) * HOUR_S, value);
                let taken = timeline.put(150_000, &new, Some(revision), at(0));
                prop_assert!(taken.is_ok());
                Ok(())
            };
            let (mut once, mut often) = (Timeline::new(&[]), Timeline::new(&[]));
            for one in &revisions {
                sync(&mut once, *one)?;
            }
            for index in seed {
                sync(&mut often, *index.get(&revisions))?;
            }
            for one in revisions.iter().rev() {
                sync(&mut often, *one)?;
            }
            prop_assert_eq!(once.days, often.days);
        }
    }

    #[test]
    fn what_is_refused_leaves_nothing_behind() {
        let mut timeline = Timeline::new(&[]);
        for hour in 0..6 {
            let full = said("watch", hour * HOUR_S, (hour + 1) * HOUR_S, 25_000);
            assert!(matches!(put(&mut timeline, &full), Ok(Put::Taken { .. })));
        }
        let before = (timeline.sources.clone(), timeline.days.clone());
        let more = said("watch", 6 * HOUR_S, 7 * HOUR_S, 1);
        assert_eq!(put(&mut timeline, &more), Err(Refusal::Implausible(150_000)));
        let more = said("watch", 0, HOUR_S, 25_001);
        assert_eq!(put(&mut timeline, &more), Err(Refusal::Implausible(150_000)));
        assert_eq!((timeline.sources.clone(), timeline.days.clone()), before);
        let less = said("watch", 0, HOUR_S, 0);
        assert!(matches!(put(&mut timeline, &less), Ok(Put::Taken { .. })), "less is always taken");
    }

    #[test]
    fn a_day_takes_so_many_intervals_and_no_more() {
        let mut timeline = Timeline::new(&[]);
        let day = Day { value: 0, intervals: INTERVALS_A_DAY_MAX - 1 };
        timeline.load_day(0, day);
        assert!(put(&mut timeline, &said("watch", 0, 10, 1)).is_ok());
        assert_eq!(put(&mut timeline, &said("watch", 10, 20, 1)), Err(Refusal::Full));
        assert!(
            put(&mut timeline, &said("watch", 0, 10, 2)).is_ok(),
            "one that is there is replaced"
        );
    }

    #[test]
    fn what_covers_the_evening_before_takes_from_that_day() {
        let mut timeline = Timeline::new(&["watch".to_owned()]);
        let day_s = DAY_US / 1_000_000;
        assert!(put(&mut timeline, &said("phone", day_s - 600, day_s + 600, 1_000)).is_ok());
        let Ok(Put::Taken { added, .. }) =
            put(&mut timeline, &said("watch", day_s, day_s + 900, 70))
        else {
            unreachable!("it is plausible")
        };
        assert_eq!(added, BTreeMap::from([(0, -500), (1, 70)]));
        let starts: BTreeSet<Ts> =
            timeline.sources.values().flat_map(BTreeMap::keys).copied().collect();
        assert_eq!(starts.len(), 2);
    }
}
