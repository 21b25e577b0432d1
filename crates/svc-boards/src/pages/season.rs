//! A season on a board's page: its tiers, where the reader plays, and who of a cohort moves.

use mainstay_console::{component::icon, format, shell::Shell};
use mainstay_contract::ts::Ts;
use maud::{Markup, html};

use crate::{
    model::tier::{Share, Tiers},
    service::{SeasonOutcome, SeasonPhase, SeasonShown},
};

/// What a season brings to an owner of a cohort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// Up a tier, if it ended now.
    Up,
    /// Down a tier, if it ended now.
    Down,
    /// Up a tier, as it ended.
    WentUp,
    /// Down a tier, as it ended.
    WentDown,
}

impl Move {
    /// What is said of an outcome; nothing of whoever stays.
    pub(crate) fn of(outcome: SeasonOutcome, phase: SeasonPhase) -> Option<Self> {
        let plays = phase == SeasonPhase::Plays;
        match outcome {
            SeasonOutcome::Promoted if plays => Some(Self::Up),
            SeasonOutcome::Promoted => Some(Self::WentUp),
            SeasonOutcome::Stayed => None,
            SeasonOutcome::Relegated if plays => Some(Self::Down),
            SeasonOutcome::Relegated => Some(Self::WentDown),
        }
    }

    /// It, in words.
    pub(super) fn mark(self) -> Markup {
        let (class, symbol, words) = match self {
            Self::Up => ("mark good", "arrow-up", "Moves up"),
            Self::Down => ("mark bad", "arrow-down", "Moves down"),
            Self::WentUp => ("mark good", "arrow-up", "Moved up"),
            Self::WentDown => ("mark bad", "arrow-down", "Moved down"),
        };
        html! { span class=(class) { (icon(symbol)) (words) } }
    }
}

/// A season with the end of its period.
#[derive(Debug, Clone)]
pub(crate) struct Season {
    pub(crate) shown: SeasonShown,
    pub(crate) ends_at: Option<Ts>,
}

impl Season {
    /// Whether somebody can have a cohort in it.
    pub(super) fn has_cohorts(&self) -> bool {
        self.shown.phase != SeasonPhase::Next
    }

    /// What the season says of a cohort of `count` with a score, in the tier of this name.
    pub(super) fn cohort_words(&self, tier: &str, count: u64) -> String {
        let rules = &self.shown.rules;
        let number = rules.names.iter().position(|name| name == tier).unwrap_or_default() as i64;
        let (up, down) = rules.moving(number, count);
        let up = some(up, "first").map(|who| format!("{who} up to {}", rules.name(number + 1)));
        let down =
            some(down, "last").map(|who| format!("{who} down to {}", rules.name(number - 1)));
        let moving: Vec<String> = up.into_iter().chain(down).collect();
        match (self.shown.phase, moving.is_empty()) {
            (SeasonPhase::Plays, false) => format!(" · {}", moving.join(", ")),
            _ => String::new(),
        }
    }
}

/// `the first moves`, `the last 5 move`; nothing of nobody.
fn some(count: u64, which: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("the {which} moves")),
        count => Some(format!("the {which} {count} move")),
    }
}

/// The card of the season.
pub(super) fn season_card(shell: &Shell<'_>, season: &Season) -> Markup {
    let shown = &season.shown;
    let own =
        |tier: usize| shown.seat.as_ref().filter(|seat| usize::try_from(seat.tier) == Ok(tier));
    html! {
        section .card aria-labelledby="season" {
            div .card-head {
                h2 #season { "Season" }
                @if let (SeasonPhase::Plays | SeasonPhase::Waits, Some(ends_at)) = (shown.phase, season.ends_at) {
                    span .sub { "ends " (format::time_ago(ends_at, shell.now)) }
                }
            }
            // The highest stands first, as in a ranking.
            ol .facts aria-label="Tiers, the highest first" {
                @for (tier, name) in shown.rules.names.iter().enumerate().rev() {
                    li .own[own(tier).is_some()] {
                        span .name dir="auto" { (name) }
                        @if let Some(count) = shown.players.as_ref().and_then(|all| all.get(tier)) {
                            span .sub { (format::counted(*count, "player", "players")) }
                        }
                        @if let Some(seat) = own(tier) { span .mark { "You, in cohort " (seat.cohort) } }
                    }
                }
            }
            p .hint { (words(shell, season)) }
        }
    }
}

fn words(shell: &Shell<'_>, season: &Season) -> Markup {
    let shown = &season.shown;
    let seated = shown.seat.is_some();
    html! {
        @match shown.phase {
            SeasonPhase::Next => { "Tiers are played from the next period on. " (rules_words(&shown.rules)) }
            SeasonPhase::Waits => {
                "What the season before has brought is still being worked out. Everybody gets their place once it is known."
            }
            SeasonPhase::Plays => {
                (rules_words(&shown.rules))
                @if shell.viewer.is_some() && !seated { " Your first score gives you a place." }
            }
            SeasonPhase::Settles => "It is over. What it has brought is still being worked out.",
            SeasonPhase::Over => {
                "It is over."
                @match shown.seat.as_ref().and_then(|seat| seat.outcome) {
                    Some(SeasonOutcome::Promoted) => " You moved up.",
                    Some(SeasonOutcome::Stayed) => " You stayed in your tier.",
                    Some(SeasonOutcome::Relegated) => " You moved down.",
                    None => {}
                }
            }
        }
    }
}

/// Who moves at the end of a season.
fn rules_words(rules: &Tiers) -> String {
    let who = |share: Share, which: &str| match share {
        Share::Percent(0) => None,
        Share::Percent(percent) => Some(format!("the {which} {percent} % move")),
        Share::Count(count) => some(count.into(), which),
    };
    let up = who(rules.promote, "first").map(|who| format!("{who} up"));
    let down = who(rules.relegate, "last").map(|who| format!("{who} down"));
    let moving: Vec<String> = up.into_iter().chain(down).collect();
    let size = rules.cohort_size;
    match moving.is_empty() {
        true => format!("Up to {size} play in a cohort, and nobody moves."),
        false => {
            format!("Up to {size} play in a cohort. At the end {}.", moving.join(", and "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::tier::Inactive;

    #[test]
    fn who_moves_is_said_in_words() {
        let names = ["low", "high"].map(str::to_owned).to_vec();
        let of = |promote, relegate| {
            rules_words(&Tiers {
                names: names.clone(),
                cohort_size: 30,
                promote,
                relegate,
                inactive: Inactive::Stay,
            })
        };
        assert_eq!(
            of(Share::Count(1), Share::Percent(20)),
            "Up to 30 play in a cohort. At the end the first moves up, and the last 20 % move down."
        );
        assert_eq!(
            of(Share::Count(0), Share::Count(2)),
            "Up to 30 play in a cohort. At the end the last 2 move down."
        );
        let nobody = of(Share::Percent(0), Share::Count(0));
        assert_eq!(nobody, "Up to 30 play in a cohort, and nobody moves.");
    }
}
