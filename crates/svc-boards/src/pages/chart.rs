//! A chart of days: bars that are a list for those who hear it.

use std::ops::RangeInclusive;

use mainstay_console::format;
use maud::{Markup, html};

use super::metric::amount;
use crate::model::activity::day_start;

/// How high a bar can be, in units of its drawing.
const HEIGHT: i64 = 100;
/// Of how many days each bar has its value and name.
const NAMED_MAX: usize = 7;
const WEEKDAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// What counts of each of some days.
#[derive(Debug, Clone)]
pub(crate) struct Chart {
    /// Of what.
    pub(crate) metric: String,
    /// Numbers and values, in order, none left out.
    pub(crate) days: Vec<(i64, i64)>,
    /// So much is wanted each day.
    pub(crate) goal: Option<i64>,
}

/// All of these days, those without anything too.
pub(crate) fn whole_days(known: &[(i64, i64)], days: RangeInclusive<i64>) -> Vec<(i64, i64)> {
    let value = |day| known.iter().find(|(one, _)| *one == day).map_or(0, |(_, value)| *value);
    days.map(|day| (day, value(day))).collect()
}

/// The weekday of a day that is numbered from 1 January 1970, a Thursday.
fn weekday(day: i64) -> &'static str {
    let at = usize::try_from((day + 3).rem_euclid(7)).unwrap_or_default();
    WEEKDAYS.get(at).copied().unwrap_or_default()
}

/// The chart.
pub(crate) fn chart(view: &Chart) -> Markup {
    let most = view.days.iter().map(|(_, value)| *value).chain(view.goal).max();
    let most = most.unwrap_or_default().max(1);
    let named = view.days.len() <= NAMED_MAX;
    let count = view.days.len();
    html! {
        ol .bars .many[!named] aria-label=(format!("{} of {count} days",
            super::metric::metric_name(&view.metric))) {
            @for (place, (day, value)) in view.days.iter().enumerate() {
                @let words = words(view, *day, *value);
                // Of many days each seventh, back from today: more names than that do not fit.
                @let shown = named || (count - 1 - place).is_multiple_of(7);
                li title=(words) {
                    span .sr-only { (words) }
                    @if named { span .bar-name aria-hidden="true" { (format::rounded(*value)) } }
                    (bar(*value, most, view.goal))
                    span .bar-name aria-hidden="true" {
                        @if named { (weekday(*day)) } @else if shown { (format::day(day_start(*day))) }
                    }
                }
            }
        }
    }
}

fn words(view: &Chart, day: i64, value: i64) -> String {
    let reached = if view.goal.is_some_and(|goal| value >= goal) { ", goal reached" } else { "" };
    let amount = amount(&view.metric, value);
    format!("{} {}: {amount}{reached}", weekday(day), format::day(day_start(day)))
}

fn bar(value: i64, most: i64, goal: Option<i64>) -> Markup {
    let part = |value: i64| {
        let part = i128::from(value.max(0)) * i128::from(HEIGHT) / i128::from(most);
        i64::try_from(part).unwrap_or(HEIGHT).min(HEIGHT)
    };
    // What is there is seen, however little it is.
    let height = if value > 0 { part(value).max(1) } else { 0 };
    let line = goal.map(|goal| HEIGHT - part(goal));
    html! {
        svg viewBox=(format!("0 0 10 {HEIGHT}")) preserveAspectRatio="none" aria-hidden="true" {
            rect .bar-ground x="0" y="0" width="10" height=(HEIGHT) {}
            rect .bar .reached[goal.is_some_and(|goal| value >= goal)] x="0" y=(HEIGHT - height) width="10"
                height=(height) {}
            @if let Some(line) = line { line .bar-goal x1="0" x2="10" y1=(line) y2=(line) {} }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bars_grow_with_their_days_and_are_told_in_words() {
        let view = Chart {
            metric: "steps".into(),
            days: vec![(0, 50), (1, 200), (2, 0)],
            goal: Some(100),
        };
        let page = chart(&view).into_string();
        assert!(
            page.contains("Thu 1 Jan: 50 steps<")
                && page.contains("Fri 2 Jan: 200 steps, goal reached")
        );
        assert!(page.contains("y=\"75\" width=\"10\" height=\"25\""), "{page}");
        assert!(page.contains("y1=\"50\" y2=\"50\""), "{page}");
        let huge = Chart { metric: "steps".into(), days: vec![(0, i64::MAX)], goal: None };
        assert!(chart(&huge).into_string().contains("height=\"100\""));
    }
}
