//! The core's own settings, one struct for each section. Their doc comments are the comments of the default file.
//!
//! Reading order: [`stores`] (where things are kept), [`traffic`] (who is let in and how much), [`running`] (the rest).

pub mod stores;
pub mod traffic;

pub mod running;

use std::path::PathBuf;

use serde_json::Value;

use super::{ConfigError, Section, SettingFault, section};

macro_rules! core_settings {
    ($($(#[$doc:meta])* $name:ident: $type:path,)*) => {
        /// Every section of the core.
        #[derive(Debug, Clone, Default)]
        pub struct CoreSettings { $($(#[$doc])* pub $name: $type,)* }

        /// The core's sections, in the order of the default file.
        pub(super) fn sections() -> Vec<Section> {
            vec![$(Section::of::<$type>(stringify!($name)),)*]
        }

        /// Whether a section is one of the core's.
        pub(super) fn owns(name: &str) -> bool {
            [$(stringify!($name),)*].contains(&name)
        }

        impl CoreSettings {
            pub(super) fn from_sections(
                find: impl Fn(&str) -> Option<Value>,
            ) -> Result<Self, ConfigError> {
                Ok(Self { $($name: section::read(stringify!($name), find(stringify!($name)))?,)* })
            }
        }
    };
}

core_settings! {
    /// `[data]`
    data: stores::DataSettings,
    /// `[db]`
    db: stores::DbSettings,
    /// `[redis]`
    redis: stores::RedisSettings,
    /// `[blobs]`
    blobs: stores::BlobSettings,
    /// `[http]`
    http: traffic::HttpSettings,
    /// `[limit]`
    limit: traffic::LimitSettings,
    /// `[auth]`
    auth: traffic::AuthSettings,
    /// `[log]`
    log: running::LogSettings,
    /// `[events]`
    events: running::EventSettings,
    /// `[live]`
    live: traffic::LiveSettings,
    /// `[jobs]`
    jobs: running::JobSettings,
    /// `[secrets]`
    secrets: stores::SecretSettings,
}

impl CoreSettings {
    /// The folder of the SQLite files if records are embedded; none if they are in Postgres.
    ///
    /// The address is the one that was read from `db.url`, which may come from a secret.
    pub fn sqlite_folder(&self, db_url: &str) -> Option<PathBuf> {
        let path = db_url.strip_prefix("sqlite:")?;
        let path = path.strip_prefix("//").unwrap_or(path);
        Some(if path.is_empty() { self.data.dir.join("db") } else { PathBuf::from(path) })
    }

    /// The folder of the blobs if they are not in a store elsewhere.
    pub fn blobs_folder(&self) -> Option<PathBuf> {
        match self.blobs.url.as_str() {
            "" => Some(self.data.dir.join("blobs")),
            url if url.contains("://") => url.strip_prefix("file://").map(PathBuf::from),
            path => Some(PathBuf::from(path)),
        }
    }
}

fn not_http(key: &'static str, text: &str) -> Vec<SettingFault> {
    let http = url::Url::parse(text)
        .is_ok_and(|url| ["http", "https"].contains(&url.scheme()) && url.has_host());
    match text.is_empty() || http {
        true => Vec::new(),
        false => {
            let message = "is no web address; write it with http:// or https://, or leave it empty";
            vec![SettingFault::new(key, message)]
        }
    }
}
