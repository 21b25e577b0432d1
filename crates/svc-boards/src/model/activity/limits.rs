//! What is plausible of activity: figures that nobody exceeds without a motor.

use serde::{Deserialize, Serialize};

use super::DAY_US;

/// Microseconds of a minute.
const MINUTE_US: i64 = 60_000_000;
/// Microseconds of an hour.
const HOUR_US: i128 = 3_600_000_000;

/// What is plausible of each metric. What is more is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ActivityLimits {
    /// Steps in an hour.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub steps_per_hour_max: i64,
    /// Steps in a UTC day.
    #[schemars(range(min = 1, max = 1_000_000_000_000_i64))]
    pub steps_per_day_max: i64,
    /// Distance in an hour, in metres.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub distance_per_hour_max: i64,
    /// Distance in a UTC day, in metres.
    #[schemars(range(min = 1, max = 1_000_000_000_000_i64))]
    pub distance_per_day_max: i64,
    /// Calories in an hour, in kilocalories.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub calories_per_hour_max: i64,
    /// Calories in a UTC day, in kilocalories.
    #[schemars(range(min = 1, max = 1_000_000_000_000_i64))]
    pub calories_per_day_max: i64,
    /// Minutes of activity in an hour.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub minutes_per_hour_max: i64,
    /// Minutes of activity in a UTC day.
    #[schemars(range(min = 1, max = 1_000_000_000_000_i64))]
    pub minutes_per_day_max: i64,
    /// Of every other metric in an hour. Sums of a lifetime must fit into 64 bits.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub other_per_hour_max: i64,
    /// Of every other metric in a UTC day.
    #[schemars(range(min = 1, max = 1_000_000_000_000_i64))]
    pub other_per_day_max: i64,
}

impl Default for ActivityLimits {
    fn default() -> Self {
        Self {
            steps_per_hour_max: 25_000,
            steps_per_day_max: 150_000,
            distance_per_hour_max: 60_000,
            distance_per_day_max: 600_000,
            calories_per_hour_max: 2_500,
            calories_per_day_max: 25_000,
            minutes_per_hour_max: 60,
            minutes_per_day_max: 1_440,
            other_per_hour_max: 1_000_000_000,
            other_per_day_max: 24_000_000_000,
        }
    }
}

impl ActivityLimits {
    /// What an hour may hold of `metric`, and a day.
    fn of(&self, metric: &str) -> (i64, i64) {
        match metric {
            "steps" => (self.steps_per_hour_max, self.steps_per_day_max),
            "distance" => (self.distance_per_hour_max, self.distance_per_day_max),
            "calories" => (self.calories_per_hour_max, self.calories_per_day_max),
            "minutes" => (self.minutes_per_hour_max, self.minutes_per_day_max),
            _ => (self.other_per_hour_max, self.other_per_day_max),
        }
    }

    /// What an interval of this length may hold at most: its part of the hour, rounded up, so that an hour in short
    /// pieces holds about as much as a whole one. What is shorter than a minute has that of a minute, as bursts do.
    pub fn in_interval(&self, metric: &str, length_us: i64) -> i64 {
        let (per_hour, per_day) = self.of(metric);
        let whole = i128::from(per_hour) * i128::from(length_us.clamp(MINUTE_US, DAY_US));
        let most = i64::try_from((whole + HOUR_US - 1) / HOUR_US).unwrap_or(i64::MAX);
        most.min(per_day)
    }

    /// What may count of a day at most.
    pub fn in_a_day(&self, metric: &str) -> i64 {
        self.of(metric).1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_plausible_is_known() {
        let limits = ActivityLimits::default();
        assert_eq!(limits.in_interval("steps", DAY_US), 150_000);
        assert_eq!(limits.in_interval("steps", 3_600_000_000), 25_000);
        assert_eq!(
            limits.in_interval("steps", MINUTE_US),
            417,
            "a minute has its part of the hour"
        );
        assert_eq!(limits.in_interval("steps", 1), 417, "and what is shorter that of a minute");
        assert_eq!(limits.in_interval("minutes", 90_000_000), 2, "rounded up");
        assert_eq!(limits.in_interval("pushups", DAY_US), 24_000_000_000);
        assert_eq!(limits.in_a_day("minutes"), 1_440);
    }
}
