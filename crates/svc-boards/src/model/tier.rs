//! Tiers: how a board's periods are played as seasons, and who moves up or down at the end of one.
//!
//! Whoever scores in a season for the first time takes a seat in the cohort of their tier that is being filled. At the
//! end the first of each cohort move up a tier and the last move down.

use std::collections::{BTreeMap, BTreeSet};

use mainstay_core::error::Faults;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How many tiers a board can have.
const TIERS_MIN: usize = 2;
const TIERS_MAX: usize = 10;
/// The longest name of a tier, in characters.
const NAME_CHARS_MAX: usize = 50;
/// How many owners a cohort can have.
const COHORT_MIN: u32 = 2;
const COHORT_MAX: u32 = 1_000;

/// How many of a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Share {
    /// So many.
    Count(#[schemars(range(min = 0, max = 1_000))] u32),
    /// So many of a hundred who have a score at the end, rounded down.
    Percent(#[schemars(range(min = 0, max = 100))] u32),
}

impl Share {
    fn of(self, count: u64) -> u64 {
        match self {
            Self::Count(some) => count.min(some.into()),
            Self::Percent(percent) => count * u64::from(percent.min(100)) / 100,
        }
    }

    fn check(self, at: &str, faults: &mut Faults) {
        let (given, most) = match self {
            Self::Count(count) => (count, COHORT_MAX),
            Self::Percent(percent) => (percent, 100),
        };
        faults.check(given <= most, at.to_owned(), "out_of_range", || {
            format!("Give 0 to {most}, such as {{\"count\": 5}} or {{\"percent\": 20}}.")
        });
    }
}

/// What becomes of whoever leaves out a season, or ends one without a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Inactive {
    /// They stay in their tier.
    #[default]
    Stay,
    /// They move down a tier for each such season.
    Relegate,
}

/// How a board's periods are played as seasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Tiers {
    /// 2 to 10, from the lowest, in which everybody begins, to the highest.
    #[schemars(length(min = 2, max = 10))]
    pub names: Vec<String>,
    /// How many owners play in one cohort, at most.
    #[schemars(range(min = 2, max = 1_000))]
    pub cohort_size: u32,
    /// How many of each cohort move up: the first ones.
    pub promote: Share,
    /// How many of each cohort move down: the last ones who do not move up.
    pub relegate: Share,
    /// What becomes of whoever leaves out a season, or ends one without a score.
    #[serde(default)]
    pub inactive: Inactive,
}

impl Tiers {
    /// Notes everything that is wrong with it.
    pub(super) fn check(&self, has_reset: bool, faults: &mut Faults) {
        faults.check(has_reset, "/tiers", "needs_reset", || {
            "A season lasts from one reset to the next: say with `reset` when the board begins anew.".into()
        });
        let count = self.names.len();
        faults.check(
            (TIERS_MIN..=TIERS_MAX).contains(&count),
            "/tiers/names",
            "out_of_range",
            || format!("Name {TIERS_MIN} to {TIERS_MAX} tiers, the lowest first."),
        );
        let mut met = BTreeSet::new();
        for (place, name) in self.names.iter().take(TIERS_MAX).enumerate() {
            let at = format!("/tiers/names/{place}");
            let fits = (1..=NAME_CHARS_MAX).contains(&name.trim().chars().count());
            faults.check(fits, at.clone(), "length", || {
                format!("Write 1 to {NAME_CHARS_MAX} characters.")
            });
            faults.check(met.insert(name.trim()), at, "taken", || {
                "Give each tier a name of its own.".into()
            });
        }
        let size = (COHORT_MIN..=COHORT_MAX).contains(&self.cohort_size);
        faults.check(size, "/tiers/cohort_size", "out_of_range", || {
            format!("Let {COHORT_MIN} to {COHORT_MAX} owners play in a cohort.")
        });
        self.promote.check("/tiers/promote", faults);
        self.relegate.check("/tiers/relegate", faults);
        let (up, down) = (self.promote.of(COHORT_MAX.into()), self.relegate.of(COHORT_MAX.into()));
        let most = match (self.promote, self.relegate) {
            (Share::Count(_), Share::Count(_)) => u64::from(self.cohort_size.min(COHORT_MAX)),
            _ => u64::from(COHORT_MAX),
        };
        faults.check(up + down <= most, "/tiers/relegate", "out_of_range", || {
            "Who moves up and who moves down are together more than a cohort has; give less of one."
                .into()
        });
    }

    fn highest(&self) -> i64 {
        (self.names.len() as i64 - 1).max(0)
    }

    /// The name of a tier, counted from 0.
    pub fn name(&self, tier: i64) -> &str {
        usize::try_from(tier).ok().and_then(|tier| self.names.get(tier)).map_or("", String::as_str)
    }

    /// How many move up, and how many move down, of the `count` of a cohort of this tier with a score.
    pub fn moving(&self, tier: i64, count: u64) -> (u64, u64) {
        let up = if tier < self.highest() { self.promote.of(count) } else { 0 };
        let down = if tier > 0 { self.relegate.of(count).min(count - up.min(count)) } else { 0 };
        (up, down)
    }

    /// The tier after a season of whoever stands at `place`, from 0, among the `count` of their cohort with a score.
    pub fn after(&self, tier: i64, place: u64, count: u64) -> i64 {
        let (up, down) = self.moving(tier, count);
        match place {
            place if place < up => tier + 1,
            place if place + down >= count => tier - 1,
            _ => tier.min(self.highest()),
        }
    }

    /// The tier after a season of whoever has no score at its end.
    pub fn after_nothing(&self, tier: i64) -> i64 {
        self.begins(tier, 1)
    }

    /// The tier in which somebody begins who had earned `tier` and then left out so many seasons.
    pub fn begins(&self, tier: i64, missed: i64) -> i64 {
        let down = match self.inactive {
            Inactive::Stay => 0,
            Inactive::Relegate => missed.max(0),
        };
        tier.saturating_sub(down).clamp(0, self.highest())
    }
}

/// A cohort while it is filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Filling {
    /// Its number.
    pub no: i64,
    /// Owners who have a seat in it.
    pub members: i64,
}

/// The cohorts of a season that are being filled, one for each tier.
#[derive(Debug, Clone)]
pub struct Cohorts {
    size: i64,
    newest: i64,
    filling: BTreeMap<i64, Filling>,
    /// Those that have changed, by number, with their tiers.
    changed: BTreeMap<i64, (i64, i64)>,
}

impl Cohorts {
    /// Those of a season whose newest cohort has this number.
    pub fn new(rules: &Tiers, newest: i64, filling: BTreeMap<i64, Filling>) -> Self {
        Self { size: rules.cohort_size.into(), newest, filling, changed: BTreeMap::new() }
    }

    /// Gives somebody of this tier a seat: in the cohort that is being filled, or the first one of a new cohort.
    pub fn seat(&mut self, tier: i64) -> i64 {
        let known = self.filling.get(&tier).copied().filter(|cohort| cohort.members < self.size);
        let mut cohort = known.unwrap_or_else(|| {
            self.newest += 1;
            Filling { no: self.newest, members: 0 }
        });
        cohort.members += 1;
        self.filling.insert(tier, cohort);
        self.changed.insert(cohort.no, (tier, cohort.members));
        cohort.no
    }

    /// Those that have changed: number, tier, members.
    pub fn changed(&self) -> impl Iterator<Item = (i64, i64, i64)> {
        self.changed.iter().map(|(no, (tier, members))| (*no, *tier, *members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiers(promote: Share, relegate: Share) -> Tiers {
        let names = ["bronze", "silver", "gold"].map(str::to_owned).to_vec();
        Tiers { names, cohort_size: 10, promote, relegate, inactive: Inactive::Relegate }
    }

    #[test]
    fn the_first_move_up_the_last_move_down_and_nobody_leaves_the_ends() {
        let rules = tiers(Share::Count(2), Share::Count(3));
        let after = |tier| (0..7).map(|place| rules.after(tier, place, 7)).collect::<Vec<_>>();
        assert_eq!(after(0), [1, 1, 0, 0, 0, 0, 0]);
        assert_eq!(after(1), [2, 2, 1, 1, 0, 0, 0]);
        assert_eq!(after(2), [2, 2, 2, 2, 1, 1, 1]);
        // Of fewer than are to move, the first still move up.
        assert_eq!((0..3).map(|place| rules.after(1, place, 3)).collect::<Vec<_>>(), [2, 2, 0]);
        assert_eq!(rules.after(1, 0, 1), 2);
    }

    #[test]
    fn per_cents_are_rounded_down() {
        let rules = tiers(Share::Percent(20), Share::Percent(50));
        let after =
            |count| (0..count).map(|place| rules.after(1, place, count)).collect::<Vec<_>>();
        assert_eq!(after(4), [1, 1, 0, 0]);
        assert_eq!(after(5), [2, 1, 1, 0, 0]);
        assert_eq!(after(1), [1]);
    }

    #[test]
    fn whoever_leaves_out_seasons_falls_as_far_as_there_are_tiers() {
        let mut rules = tiers(Share::Count(1), Share::Count(1));
        assert_eq!([0, 1, 2, 9].map(|missed| rules.begins(2, missed)), [2, 1, 0, 0]);
        rules.inactive = Inactive::Stay;
        assert_eq!(rules.begins(2, 9), 2);
        assert_eq!(rules.begins(7, 0), 2, "there are no more tiers than that");
    }

    #[test]
    fn cohorts_are_filled_one_after_the_other_each_tier_for_itself() {
        let mut rules = tiers(Share::Count(1), Share::Count(1));
        rules.cohort_size = 2;
        let filling = BTreeMap::from([(1, Filling { no: 4, members: 1 })]);
        let mut cohorts = Cohorts::new(&rules, 5, filling);
        let seats = [1, 0, 1, 0, 0].map(|tier| cohorts.seat(tier));
        assert_eq!(seats, [4, 6, 7, 6, 8]);
        let changed: Vec<_> = cohorts.changed().collect();
        assert_eq!(changed, [(4, 1, 2), (6, 0, 2), (7, 1, 1), (8, 0, 1)]);
    }

    #[test]
    fn faults_are_said_all_at_once() {
        let mut faults = Faults::default();
        let names = vec!["a".to_owned(), " ".to_owned(), "a".to_owned()];
        let odd = Tiers { names, cohort_size: 1, ..tiers(Share::Percent(101), Share::Count(7)) };
        odd.check(false, &mut faults);
        let at: Vec<String> =
            faults.into_vec().iter().map(|fault| fault.pointer.to_string()).collect();
        let expected = [
            "/tiers",
            "/tiers/names/1",
            "/tiers/names/2",
            "/tiers/cohort_size",
            "/tiers/promote",
            "/tiers/relegate",
        ];
        assert_eq!(at, expected);
        let mut faults = Faults::default();
        tiers(Share::Count(6), Share::Count(5)).check(true, &mut faults);
        assert_eq!(faults.into_vec().len(), 1, "eleven of ten");
    }
}
