//! Feed's configuration.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use mainstay_core::{
    config::{SettingFault, Settings},
    fetch::{Allow, FetchLimits, Fetcher},
    mount::MountError,
};

use crate::{
    media::{
        Limits,
        pool::{Pool, PoolSettings},
    },
    model::rank::Weights,
};

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
    /// What one person's uploads that stand in no post may take together, in bytes. With more they wait until some are
    /// posted, or end after a day.
    pub unattached_bytes_max: u64,
    /// The longest that fetching a `media_url` may take, in milliseconds.
    #[schemars(range(min = 100, max = 300_000))]
    pub fetch_ms_max: u32,
    /// Addresses that `media_url` may reach although they are private, as `CIDR` or `CIDR:PORT`. Empty: none.
    pub fetch_allow: Vec<String>,
    /// What likes, comments and views weigh in explore. At the first start with other weights every place is computed
    /// again, in the background, and cursors from before end.
    pub weights: Weights,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            memory_bytes_max: 256 << 20,
            image_bytes_max: 30 << 20,
            video_bytes_max: 200 << 20,
            unattached_bytes_max: 2 << 30,
            fetch_ms_max: 15_000,
            fetch_allow: Vec::new(),
            weights: Weights::default(),
        }
    }
}

impl Config {
    /// What is taken of pictures and films.
    pub(crate) fn limits(&self) -> Limits {
        Limits {
            image_bytes_max: self.image_bytes_max,
            video_bytes_max: self.video_bytes_max,
            ..Limits::default()
        }
    }

    /// Where pictures are worked on.
    pub(crate) fn pool(&self) -> Pool {
        Pool::new(PoolSettings { limits: self.limits(), ..PoolSettings::default() })
    }

    /// What fetches `media_url`.
    pub(crate) fn fetcher(&self) -> Result<Fetcher, MountError> {
        let allow: Result<Vec<Allow>, _> =
            self.fetch_allow.iter().map(|text| text.parse()).collect();
        let allow = allow.map_err(|error| MountError::new(format!("feed.fetch_allow: {error}")))?;
        let max_bytes = self.video_bytes_max.max(self.image_bytes_max);
        let total = Duration::from_millis(self.fetch_ms_max.into());
        Ok(Fetcher::new(FetchLimits { total, max_bytes, allow }))
    }
}

impl Settings for Config {
    fn faults(&self) -> Vec<SettingFault> {
        let mut faults = Vec::new();
        if !self.weights.are_valid() {
            let message = "hold a number that is negative or above a million, or nothing but zeros";
            faults.push(SettingFault::new("weights", message));
        }
        for text in &self.fetch_allow {
            if let Err(error) = text.parse::<Allow>() {
                let message = format!("holds `{text}`, which cannot be read: {error}");
                faults.push(SettingFault::new("fetch_allow", message));
            }
        }
        faults
    }
}
