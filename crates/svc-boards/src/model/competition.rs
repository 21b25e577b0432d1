//! A competition's times, teams and rules.

use mainstay_contract::ts::Ts;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What happens with a competition at this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// It has not begun.
    Upcoming,
    /// It runs.
    Active,
    /// It is over; its results are final, or will be soon.
    Completed,
    /// It does not take place; everybody has their money back.
    Cancelled,
}

impl Phase {
    /// Its word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Upcoming => "upcoming",
            Self::Active => "active",
            Self::Completed => "completed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// Which competitions.
pub mod state {
    /// Planned or running, by its times.
    pub const OPEN: i64 = 0;
    /// Called off.
    pub const CANCELLED: i64 = 1;
    /// Its results are final.
    pub const SETTLED: i64 = 2;
}

/// The phase at `now`.
pub fn phase(kept: i64, starts_at: Ts, ends_at: Ts, now: Ts) -> Phase {
    match kept {
        state::CANCELLED => Phase::Cancelled,
        state::SETTLED => Phase::Completed,
        _ if now < starts_at => Phase::Upcoming,
        _ if now < ends_at => Phase::Active,
        _ => Phase::Completed,
    }
}

/// How a team's score follows from its members'.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TeamScore {
    /// All of them together.
    Sum,
    /// Their mean, rounded down.
    Average,
    /// The best `n` of them together.
    BestN,
}

/// Teams of a competition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Teams {
    /// How a team's score follows from its members'.
    pub score: TeamScore,
    /// How many count with `best_n`.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000))]
    pub n: Option<u32>,
    /// The most members of a team; 1,000 if absent.
    #[serde(default)]
    #[schemars(range(min = 1, max = 1_000))]
    pub size_max: Option<u32>,
}

/// The most members of a team.
pub const TEAM_SIZE_MAX: u32 = 1_000;

impl Teams {
    /// Whether it can be played by.
    pub fn is_valid(&self) -> bool {
        let n = match self.score {
            TeamScore::BestN => self.n.is_some_and(|n| (1..=TEAM_SIZE_MAX).contains(&n)),
            TeamScore::Sum | TeamScore::Average => self.n.is_none(),
        };
        n && self.size_max.is_none_or(|size| (1..=TEAM_SIZE_MAX).contains(&size))
    }

    /// The score of a team with these members' scores.
    pub fn score_of(&self, mut members: Vec<i64>) -> i64 {
        let count = members.len() as i64;
        let sum =
            |scores: &[i64]| scores.iter().fold(0_i64, |sum, score| sum.saturating_add(*score));
        match self.score {
            TeamScore::Sum => sum(&members),
            TeamScore::Average if count == 0 => 0,
            TeamScore::Average => sum(&members).div_euclid(count),
            TeamScore::BestN => {
                members.sort_unstable_by(|a, b| b.cmp(a));
                members.truncate(self.n.unwrap_or(1) as usize);
                sum(&members)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn teams_score_as_they_say() {
        let teams = |score, n| Teams { score, n, size_max: None };
        let members = vec![5, 1, 9];
        assert_eq!(teams(TeamScore::Sum, None).score_of(members.clone()), 15);
        assert_eq!(teams(TeamScore::Average, None).score_of(members.clone()), 5);
        assert_eq!(teams(TeamScore::BestN, Some(2)).score_of(members), 14);
        assert_eq!(teams(TeamScore::Average, None).score_of(Vec::new()), 0);
        assert!(
            !teams(TeamScore::BestN, None).is_valid() && !teams(TeamScore::Sum, Some(2)).is_valid()
        );
    }

    #[test]
    fn phases_follow_the_clock() {
        let at = |second: i64| Ts::from_micros(second * 1_000_000);
        let phase = |now| phase(state::OPEN, at(10), at(20), at(now));
        assert_eq!((phase(9), phase(10)), (Phase::Upcoming, Phase::Active));
        assert_eq!((phase(19), phase(20)), (Phase::Active, Phase::Completed));
    }
}
