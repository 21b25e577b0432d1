//! Boards' configuration.

use std::collections::BTreeSet;

use mainstay_core::config::{SettingFault, Settings};
use serde::{Deserialize, Serialize};

use crate::model::{
    activity::limits::ActivityLimits,
    rule::{RuleSettings, is_rule_id},
};

/// The most rules of the configuration.
const RULES_MAX: usize = 100;

/// A rule of the configuration: its name, and what it says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct DeclaredRule {
    /// Its name.
    pub id: String,
    /// What it says.
    #[serde(flatten)]
    pub rule: RuleSettings,
}

/// Where rankings are held.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum RankingsIn {
    /// Each instance holds those that it is asked for: the fastest.
    #[default]
    Memory,
    /// Redis holds them for all instances.
    Redis,
}

/// Boards' settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How far back ranks of past instants are kept, in days. Periods that ended earlier are erased, with what was
    /// submitted in them, unless their board says with `periods_kept` how many it keeps.
    #[schemars(range(min = 1, max = 3650))]
    pub history_days: u32,
    /// In what money is counted: an ISO 4217 code. Amounts in another one are refused.
    #[schemars(length(min = 3, max = 3))]
    pub currency: String,
    /// How long after its end a competition waits for activity that is synced late, in seconds.
    #[schemars(range(min = 0, max = 604_800))]
    pub settle_after_s: u32,
    /// Where rankings are held: `memory` of each instance that is asked for them, or `redis`, for fleets whose
    /// instances should not each hold every board. `redis` needs `redis.url`; what it forgets is built anew from the
    /// records.
    pub rankings: RankingsIn,
    /// How many entries of all rankings an instance holds in memory, about 60 bytes each; with more, those that were
    /// asked for longest ago leave first. One ranking alone may be larger.
    #[schemars(range(min = 1_000, max = 4_000_000_000_u32))]
    pub memory_entries_max: u32,
    /// How long the ranking of a period that nobody looks at is kept where rankings are held, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub idle_s: u32,
    /// After how many submissions a board's ranking is kept as a checkpoint, a file in the blob store, from which it
    /// is loaded quickly and past instants are found; a large board's after a twentieth of its entries, if that is
    /// more. With 0 none are made or used.
    #[schemars(range(min = 0, max = 10_000_000))]
    pub checkpoint_after: u32,
    /// What is plausible of the activity that people sync.
    pub activity: ActivityLimits,
    /// Keeps the board `creators`: the top creators of the week from Feed's facts. A like gives a point to who wrote
    /// the post and is taken back with it, a comment gives two; nobody scores for themselves.
    pub creators: bool,
    /// Rules that score from facts, such as `{ id = "likes", on = "feed.post_liked.v1", when = "user != author",
    /// owner = "author", board = "likes", value = 1 }`. They count what is told from the first start with them on, and
    /// are read-only over the API.
    pub rules: Vec<DeclaredRule>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            history_days: 400,
            currency: "INR".into(),
            settle_after_s: 0,
            rankings: RankingsIn::Memory,
            memory_entries_max: 20_000_000,
            idle_s: 900,
            checkpoint_after: 20_000,
            activity: ActivityLimits::default(),
            creators: false,
            rules: Vec::new(),
        }
    }
}

impl Settings for Config {
    fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        if self.currency.len() != 3 || !self.currency.bytes().all(|byte| byte.is_ascii_uppercase())
        {
            let message = "is not three capital letters, such as `INR`";
            faults.push(SettingFault::new("currency", message));
        }
        let mut say = |message: String| faults.push(SettingFault::new("rules", message));
        if self.rules.len() > RULES_MAX {
            say(format!("takes at most {RULES_MAX} rules"));
        }
        let mut ids = BTreeSet::new();
        for DeclaredRule { id, rule } in self.rules.iter().take(RULES_MAX) {
            if !is_rule_id(id) {
                say(format!("takes ids of 1 to 64 letters, digits, `-`, `_`, `.`, not `{id}`"));
            }
            if !ids.insert(id) {
                say(format!("takes each id once, and `{id}` stands there again"));
            }
            let faults = rule.compile("").err().unwrap_or_else(|| rule.unknown_fields(""));
            for fault in faults.into_vec() {
                let field = fault.pointer.trim_start_matches('/');
                say(format!("has in `{id}` a `{field}` that is not one. {}", fault.detail));
            }
        }
        faults
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]
    use super::*;

    #[test]
    fn a_rule_of_the_configuration_is_checked_before_the_program_starts() {
        let rule = |json: serde_json::Value| serde_json::from_value::<DeclaredRule>(json).unwrap();
        let sound = rule(serde_json::json!({
            "id": "likes", "on": "feed.post_liked.v1", "owner": "author", "board": "b", "value": 1,
        }));
        let mut odd = sound.clone();
        odd.rule.when = Some("user ==".into());
        let rules = vec![sound, odd];
        let said: Vec<String> = Config { rules, ..Config::default() }
            .faults()
            .into_iter()
            .map(|it| it.message)
            .collect();
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said.iter().any(|said| said.contains("At character 8")), "{said:?}");
    }
}
