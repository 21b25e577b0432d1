//! Boards' configuration.

use mainstay_core::config::Settings;
use serde::{Deserialize, Serialize};

/// Boards' settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How far back ranks of past instants are kept, in days. Submissions of periods that ended earlier are erased.
    #[schemars(range(min = 1, max = 3650))]
    pub history_days: u32,
    /// How long a period that nobody looks at stays in memory, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub idle_s: u32,
}

impl Default for Config {
    fn default() -> Self {
        Self { history_days: 400, idle_s: 900 }
    }
}

impl Settings for Config {}
