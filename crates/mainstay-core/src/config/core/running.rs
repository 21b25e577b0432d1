//! What goes on beside requests: logs, facts, jobs.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    config::{SettingFault, Settings},
    telemetry::{LogConfig, LogFormat},
};

/// Logs.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// The least level that is written: `error`, `warn`, `info`, `debug` or `trace`, also for one part alone, as in
    /// `info,svc_feed=debug`.
    #[schemars(extend("x-reloads" = true))]
    pub level: String,
    /// `auto` writes for people on a terminal and JSON otherwise; `human` and `json` do so always.
    pub format: LogFormat,
    /// A file to write to, rotated at 10 MB, three kept. Empty: standard error.
    pub file: String,
}

impl Default for LogSettings {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto, file: String::new() }
    }
}

impl LogSettings {
    /// What the log is given.
    pub fn log(&self) -> LogConfig {
        LogConfig {
            level: self.level.clone(),
            format: self.format,
            file: (!self.file.is_empty()).then(|| PathBuf::from(&self.file)),
            ..LogConfig::default()
        }
    }
}

impl Settings for LogSettings {
    fn faults(&self) -> Vec<SettingFault> {
        // By hand, because the filter's parser takes a misspelt level for the name of a part.
        let levels = ["error", "warn", "info", "debug", "trace", "off"];
        let fits = |part: &str| match part.split_once('=') {
            Some((target, level)) => !target.is_empty() && levels.contains(&level),
            None => levels.contains(&part),
        };
        if self.level.split(',').map(str::trim).all(fits) {
            return Vec::new();
        }
        let message = "is no level; write error, warn, info, debug, trace or off, or for one part \
                       info,svc_feed=debug";
        vec![SettingFault::new("level", message)]
    }
}

/// Facts: what was changed, for caches, live readers and the other services.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct EventSettings {
    /// How long facts are kept, in days. A consumer that was away longer has to start anew.
    #[schemars(range(min = 1, max = 3_650))]
    pub retention_days: u32,
    /// How often other instances' facts are looked for, in milliseconds. A cache can be behind by this much at most.
    #[schemars(range(min = 10, max = 60_000))]
    pub poll_ms: u32,
}

impl Default for EventSettings {
    fn default() -> Self {
        Self { retention_days: 30, poll_ms: 250 }
    }
}

impl Settings for EventSettings {}

/// Work in the background.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct JobSettings {
    /// The most jobs of a service that run at once.
    #[schemars(range(min = 1, max = 256))]
    pub workers: u32,
}

impl Default for JobSettings {
    fn default() -> Self {
        Self { workers: 4 }
    }
}

impl Settings for JobSettings {}
