//! Activity: what counts when several sources tell of the same time, what is plausible, streaks and achievements.

pub mod limits;
pub mod timeline;

use mainstay_contract::ts::Ts;
use time::{Date, Month};

/// The number of 1 January 1970 among Julian days.
const UNIX_EPOCH_JULIAN: i32 = 2_440_588;
/// Microseconds of a day.
pub const DAY_US: i64 = 86_400_000_000;
/// The longest interval.
pub const INTERVAL_US_MAX: i64 = DAY_US;
/// How far an interval may lie ahead of the clock: a watch is a little fast.
pub const AHEAD_US_MAX: i64 = 300_000_000;
/// The oldest interval that is taken, in days.
pub const OLDEST_DAYS: i64 = 400;
/// The most intervals that begin in a day, of all sources of a metric: two that tell of each minute.
pub const INTERVALS_A_DAY_MAX: i64 = 3_000;
/// The most metrics of a person.
pub const METRICS_MAX: i64 = 32;
/// The longest name of a metric or source, in bytes.
pub const NAME_BYTES_MAX: usize = 32;

/// Whether a metric or source can be called so.
pub fn is_name(name: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-".contains(&byte);
    (1..=NAME_BYTES_MAX).contains(&name.len()) && name.bytes().all(plain)
}

/// The UTC day that an instant is in, numbered from 1 January 1970.
pub fn day_of(at: Ts) -> i64 {
    at.as_micros().div_euclid(DAY_US)
}

/// When a UTC day begins.
pub fn day_start(day: i64) -> Ts {
    Ts::from_micros(day.saturating_mul(DAY_US))
}

/// What a source says of a time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Interval {
    /// Which source.
    pub source: String,
    /// From here on.
    pub starts_at: Ts,
    /// Up to here, without it.
    pub ends_at: Ts,
    /// How much.
    pub value: i64,
}

/// Whether what is new replaces what is known of an interval, each with its revision. The highest revision wins,
/// whichever comes first; of the same one the larger value, so that the order does not matter. What has no revision is
/// replaced by what comes later, and never replaces what has one.
pub fn replaces(known: (Option<i64>, i64), new: (Option<i64>, i64)) -> bool {
    match (known.0, new.0) {
        (None, _) => true,
        (Some(_), None) => false,
        (Some(known_revision), Some(revision)) => (revision, new.1) > (known_revision, known.1),
    }
}

/// Where a source stands: those that `priority` names, then the others by name.
fn rank<'a>(priority: &[String], source: &'a str) -> (usize, &'a str) {
    let known = priority.iter().position(|one| one == source);
    (known.unwrap_or(priority.len()), source)
}

/// What is left of `value` when so much of its time is covered, rounded down.
fn share(value: i64, length_us: i64, covered_us: i64) -> i64 {
    let free = i128::from(value) * i128::from(length_us - covered_us);
    i64::try_from(free / i128::from(length_us.max(1))).unwrap_or(i64::MAX)
}

/// What counts of each interval when `priority` says which sources come first; the others follow by name. Time that a
/// source before it has covered does not count again: of the value that part is taken off which the covered time is of
/// the whole, rounded down. An interval counts where it starts.
pub fn counted(intervals: &[Interval], priority: &[String]) -> Vec<(Ts, i64)> {
    let mut sorted: Vec<&Interval> = intervals.iter().collect();
    sorted.sort_by_cached_key(|interval| (rank(priority, &interval.source), interval.starts_at));
    let mut covered: Vec<(i64, i64)> = Vec::new();
    let mut all = Vec::with_capacity(sorted.len());
    for same in sorted.chunk_by(|a, b| a.source == b.source) {
        for interval in same {
            let (from, to) = (interval.starts_at.as_micros(), interval.ends_at.as_micros());
            let taken = covered_within(&covered, from, to);
            all.push((interval.starts_at, share(interval.value, to - from, taken)));
        }
        covered.extend(same.iter().map(|one| (one.starts_at.as_micros(), one.ends_at.as_micros())));
        covered = united(covered);
    }
    all
}

/// Microseconds of [`from`, `to`) that lie in these spans, which are apart and in order.
fn covered_within(spans: &[(i64, i64)], from: i64, to: i64) -> i64 {
    let first = spans.partition_point(|(_, end)| *end <= from);
    let within = spans.get(first..).unwrap_or_default().iter();
    within
        .take_while(|(start, _)| *start < to)
        .map(|(start, end)| (*end).min(to) - (*start).max(from))
        .sum()
}

/// The same time as spans that are apart, in order.
fn united(mut spans: Vec<(i64, i64)>) -> Vec<(i64, i64)> {
    spans.sort_unstable();
    let mut apart: Vec<(i64, i64)> = Vec::with_capacity(spans.len());
    for (start, end) in spans {
        match apart.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => apart.push((start, end)),
        }
    }
    apart
}

/// Days in a row on which a goal was reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Streak {
    /// Up to today, or up to yesterday if today is not reached yet.
    pub current: i64,
    /// The longest of those that were looked at.
    pub longest: i64,
}

/// The streaks of days with at least `goal`; `days` are numbers and values, in order.
pub fn streak(days: &[(i64, i64)], goal: i64, today: i64) -> Streak {
    let mut streak = Streak::default();
    let (mut run, mut last) = (0, None);
    for (day, _) in days.iter().filter(|(_, value)| *value >= goal && goal > 0) {
        run = if last == Some(day - 1) { run + 1 } else { 1 };
        last = Some(*day);
        streak.longest = streak.longest.max(run);
    }
    streak.current = if last.is_some_and(|last| last >= today - 1) { run } else { 0 };
    streak
}

/// The most of a month of the calendar; `days` are numbers and values, in order.
pub fn best_month(days: &[(i64, i64)]) -> i64 {
    let months = days.chunk_by(|(a, _), (b, _)| month_of(*a) == month_of(*b));
    months.map(|month| month.iter().map(|(_, value)| *value).sum()).max().unwrap_or_default()
}

fn month_of(day: i64) -> Option<(i32, Month)> {
    let julian = i32::try_from(day).ok()?.checked_add(UNIX_EPOCH_JULIAN)?;
    let date = Date::from_julian_day(julian).ok()?;
    Some((date.year(), date.month()))
}

/// What can be achieved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Feat {
    /// So much in one day.
    InADay(&'static str, i64),
    /// So much in one month of the calendar, in UTC.
    InAMonth(&'static str, i64),
    /// So much in all.
    InAll(&'static str, i64),
    /// A goal reached on so many days in a row.
    InARow(i64),
}

/// Every achievement: its code, what it is called, and what it takes.
pub const ACHIEVEMENTS: [(&str, &str, Feat); 10] = [
    ("steps_10k", "10,000 steps in a day", Feat::InADay("steps", 10_000)),
    ("steps_25k", "25,000 steps in a day", Feat::InADay("steps", 25_000)),
    ("distance_10km", "10 km in a day", Feat::InADay("distance", 10_000)),
    ("distance_marathon", "A marathon in a day", Feat::InADay("distance", 42_195)),
    ("steps_100k_month", "100,000 steps in a month", Feat::InAMonth("steps", 100_000)),
    ("distance_100km_month", "100 km in a month", Feat::InAMonth("distance", 100_000)),
    ("steps_1m", "A million steps", Feat::InAll("steps", 1_000_000)),
    ("streak_7", "A goal reached on 7 days in a row", Feat::InARow(7)),
    ("streak_30", "A goal reached on 30 days in a row", Feat::InARow(30)),
    ("streak_100", "A goal reached on 100 days in a row", Feat::InARow(100)),
];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn interval(source: &str, from_s: i64, to_s: i64, value: i64) -> Interval {
        let at = |seconds: i64| Ts::from_micros(seconds * 1_000_000);
        Interval { source: source.into(), starts_at: at(from_s), ends_at: at(to_s), value }
    }

    fn total(intervals: &[Interval], priority: &[&str]) -> i64 {
        let priority: Vec<String> = priority.iter().map(ToString::to_string).collect();
        counted(intervals, &priority).iter().map(|(_, value)| value).sum()
    }

    #[test]
    fn time_that_two_sources_cover_counts_once() {
        let day = [interval("phone", 0, 100, 1_000), interval("watch", 50, 100, 800)];
        assert_eq!(total(&day, &["watch", "phone"]), 800 + 500);
        assert_eq!(total(&day, &["phone", "watch"]), 1_000);
        assert_eq!(total(&day, &[]), 1_000, "by name where nothing is said");
        let apart = [interval("phone", 0, 50, 10), interval("watch", 50, 100, 20)];
        assert_eq!(total(&apart, &["watch"]), 30);
    }

    #[test]
    fn the_highest_revision_wins_in_any_order() {
        assert!(replaces((None, 5), (None, 3)), "what comes later");
        assert!(replaces((None, 5), (Some(1), 3)));
        assert!(!replaces((Some(1), 5), (None, 9)));
        assert!(replaces((Some(1), 5), (Some(2), 3)) && !replaces((Some(2), 3), (Some(1), 5)));
        assert!(replaces((Some(2), 3), (Some(2), 4)) && !replaces((Some(2), 4), (Some(2), 3)));
    }

    #[test]
    fn streaks_count_days_in_a_row() {
        let days = [(1, 9), (2, 10), (3, 12), (5, 10), (6, 10), (7, 10), (8, 3)];
        assert_eq!(streak(&days, 10, 8), Streak { current: 3, longest: 3 });
        assert_eq!(streak(&days, 10, 9), Streak { current: 0, longest: 3 });
        assert_eq!(streak(&days, 9, 7), Streak { current: 3, longest: 3 });
        assert_eq!(streak(&[], 10, 8), Streak::default());
    }

    #[test]
    fn months_are_those_of_the_calendar() {
        let days = [(0, 1), (30, 2), (31, 4), (58, 8), (59, 16)];
        assert_eq!(best_month(&days), 16, "March of 1970 has more than January and February");
        assert_eq!(best_month(&days[..4]), 12);
        assert_eq!(best_month(&[]), 0);
    }

    proptest! {
        /// Against a model that looks at each second: who covers it first has it.
        #[test]
        fn what_counts_is_what_each_second_says(
            cuts in proptest::collection::vec((0..3_usize, 0_i64..200, 1_i64..60, 0_i64..50), 0..12)
        ) {
            let names = ["a", "b", "c"];
            let mut intervals: Vec<Interval> = Vec::new();
            for (source, from, length, rate) in cuts {
                let new = interval(names[source], from, from + length, rate * length);
                let apart = intervals.iter().all(|one| one.source != new.source
                    || one.ends_at <= new.starts_at || new.ends_at <= one.starts_at);
                if apart { intervals.push(new); }
            }
            let order = ["b", "c", "a"];
            let mut expected = 0;
            for second in 0..260 {
                let at = Ts::from_micros(second * 1_000_000);
                let first = order.iter().find_map(|name| intervals.iter().find(|one|
                    one.source == *name && one.starts_at <= at && at < one.ends_at));
                if let Some(one) = first {
                    expected += one.value / (one.ends_at.micros_since(one.starts_at) / 1_000_000);
                }
            }
            prop_assert_eq!(total(&intervals, &order), expected);
            intervals.reverse();
            prop_assert_eq!(total(&intervals, &order), expected);
        }
    }
}
