//! When a board begins anew: a cron pattern on the clocks of a time zone.

use std::str::FromStr as _;

use chrono::{DateTime, Utc};
use chrono_tz::Tz;
use croner::Cron;
use mainstay_contract::ts::Ts;
use mainstay_core::error::Faults;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// By how much clocks go back at most, in hours.
const REPEATED_HOURS_MAX: i64 = 2;
/// The longest pattern, in bytes.
const CRON_BYTES_MAX: usize = 100;

/// When a board is reset.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reset {
    /// Minute, hour, day of the month, month, day of the week, such as `0 0 * * 1` for Mondays at midnight.
    pub cron: String,
    /// Whose clocks: a name of the IANA database, such as `Europe/Berlin`.
    #[serde(default = "Reset::utc")]
    pub time_zone: String,
}

impl Reset {
    fn utc() -> String {
        "UTC".into()
    }

    fn parts(&self) -> (Option<Cron>, Option<Tz>) {
        let fits = self.cron.len() <= CRON_BYTES_MAX;
        // Five fields: with seconds a board could be reset more often than anybody can read it.
        let five = self.cron.split_whitespace().count() == 5;
        let cron = Cron::from_str(&self.cron).ok().filter(|_| fits && five);
        (cron, Tz::from_str(&self.time_zone).ok())
    }

    pub(super) fn check(&self, at: &str, faults: &mut Faults) {
        let (cron, zone) = self.parts();
        faults.check(cron.is_some(), format!("{at}/cron"), "malformed", || {
            "Write five fields: minute (0 to 59), hour (0 to 23), day of the month (1 to 31), month (1 to 12), day of \
             the week (0 to 7, both are Sunday), such as `0 0 * * 1`."
                .into()
        });
        faults.check(zone.is_some(), format!("{at}/time_zone"), "unknown", || {
            "Name a zone of the IANA database, such as `Europe/Berlin` or `UTC`.".into()
        });
        let never = cron.is_some() && zone.is_some() && self.next(Ts::from_micros(0)).is_none();
        faults.check(!never, format!("{at}/cron"), "never", || {
            "This date never comes; choose another.".into()
        });
    }

    /// The first reset after `now`; `None` if there is none. An hour that a change of clocks leaves out is taken at the
    /// first instant after it, one that comes twice at its first.
    pub fn next(&self, now: Ts) -> Option<Ts> {
        let (Some(cron), Some(zone)) = self.parts() else { return None };
        // Patterns know whole seconds; what is left of one would be carried into the result.
        let second = now.as_micros().div_euclid(1_000_000);
        // In an hour that comes for the second time, what is found is in the first: it is asked for from later on.
        (0..=REPEATED_HOURS_MAX).find_map(|hours| {
            let from = DateTime::<Utc>::from_timestamp(second + hours * 3_600, 0)?;
            let next = cron.find_next_occurrence(&from.with_timezone(&zone), false).ok()?;
            let next = next.with_timezone(&Utc).timestamp();
            (next > second).then(|| Ts::from_micros(next * 1_000_000))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[expect(clippy::panic, reason = "the test wrote the instant itself")]
    fn next(cron: &str, zone: &str, from: &str) -> Option<String> {
        let reset = Reset { cron: cron.into(), time_zone: zone.into() };
        let from: Ts =
            serde_json::from_value(from.into()).unwrap_or_else(|error| panic!("{error}"));
        reset.next(from).map(|at| at.to_string())
    }

    #[test]
    fn days_begin_by_the_zones_clock_also_when_it_changes() {
        let berlin = |from| next("0 0 * * *", "Europe/Berlin", from).unwrap_or_default();
        assert_eq!(berlin("2026-03-28T12:00:00Z"), "2026-03-28T23:00:00.000000Z");
        assert_eq!(
            berlin("2026-03-28T12:00:00.5Z"),
            "2026-03-28T23:00:00.000000Z",
            "no odd fraction"
        );
        assert_eq!(berlin("2026-03-28T23:00:00Z"), "2026-03-29T22:00:00.000000Z", "23 hours long");
        assert_eq!(berlin("2026-10-24T22:00:00Z"), "2026-10-25T23:00:00.000000Z", "25 hours long");
    }

    #[test]
    fn an_hour_that_is_left_out_or_comes_twice_is_taken_once() {
        // On 29 March 2026 clocks go from 2 to 3; on 25 October from 3 back to 2.
        let at = |from| next("30 2 * * *", "Europe/Berlin", from).unwrap_or_default();
        let spring = at("2026-03-28T12:00:00Z");
        assert!(
            ["2026-03-29T01:00:00.000000Z", "2026-03-29T01:30:00.000000Z"].contains(&&*spring),
            "{spring}"
        );
        let autumn = at("2026-10-24T12:00:00Z");
        assert_eq!(autumn, "2026-10-25T00:30:00.000000Z", "the first of the two");
        assert_eq!(at(&autumn), "2026-10-26T01:30:00.000000Z", "and not the second");
        assert_eq!(at("2026-10-25T01:10:00Z"), "2026-10-26T01:30:00.000000Z", "nor the past");
    }

    #[test]
    fn what_never_comes_is_no_reset() {
        let mut faults = Faults::default();
        Reset { cron: "0 0 30 2 *".into(), time_zone: "UTC".into() }.check("", &mut faults);
        assert_eq!(
            faults.into_vec().first().map(|fault| fault.code.to_string()),
            Some("never".into())
        );
        assert_eq!(next("* * * * * *", "UTC", "2026-01-01T00:00:00Z"), None, "six fields");
    }
}
