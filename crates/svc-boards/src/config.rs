//! Boards' configuration.

use mainstay_core::config::{SettingFault, Settings};
use serde::{Deserialize, Serialize};

use crate::model::activity::limits::ActivityLimits;

/// Boards' settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// How far back ranks of past instants are kept, in days. Submissions of periods that ended earlier are erased.
    #[schemars(range(min = 1, max = 3650))]
    pub history_days: u32,
    /// In what money is counted: an ISO 4217 code. Amounts in another one are refused.
    #[schemars(length(min = 3, max = 3))]
    pub currency: String,
    /// How long after its end a competition waits for activity that is synced late, in seconds.
    #[schemars(range(min = 0, max = 604_800))]
    pub settle_after_s: u32,
    /// How long a period that nobody looks at stays in memory, in seconds.
    #[schemars(range(min = 1, max = 86_400))]
    pub idle_s: u32,
    /// What is plausible of the activity that people sync.
    pub activity: ActivityLimits,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            history_days: 400,
            currency: "INR".into(),
            settle_after_s: 0,
            idle_s: 900,
            activity: ActivityLimits::default(),
        }
    }
}

impl Settings for Config {
    fn faults(&self) -> Vec<SettingFault> {
        let code =
            self.currency.len() == 3 && self.currency.bytes().all(|byte| byte.is_ascii_uppercase());
        let fault = || SettingFault::new("currency", "is not three capital letters, such as `INR`");
        if code { Vec::new() } else { vec![fault()] }
    }
}
