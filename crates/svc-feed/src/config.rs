//! Feed's configuration.

use mainstay_core::config::{SettingFault, Settings};
use serde::{Deserialize, Serialize};

use crate::model::rank::Weights;

/// Feed's settings.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Memory for authors' newest posts and for posts as they are shown, in bytes. More makes home timelines of
    /// people who were away faster; nothing is lost with less.
    pub memory_bytes_max: u64,
    /// Largest picture, in bytes.
    pub image_bytes_max: u64,
    /// Largest film, in bytes.
    pub video_bytes_max: u64,
    /// Addresses that `media_url` may reach although they are private, as `CIDR` or `CIDR:PORT`. Empty: none.
    pub fetch_allow: Vec<String>,
    /// What likes, comments and views weigh in explore.
    pub weights: Weights,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            memory_bytes_max: 256 << 20,
            image_bytes_max: 20 << 20,
            video_bytes_max: 200 << 20,
            fetch_allow: Vec::new(),
            weights: Weights::default(),
        }
    }
}

impl Settings for Config {
    fn faults(&self) -> Vec<SettingFault> {
        let message = "hold a number that is negative or larger than a million, or are all zero";
        let fault = || SettingFault::new("weights", message);
        (!self.weights.are_valid()).then(fault).into_iter().collect()
    }
}
