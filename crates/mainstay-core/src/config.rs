//! Configuration: read once, every value with its origin.
//!
//! Reading order: [`core`] (the core's own settings), [`section`] (settings as data), `layers` (file, environment,
//! flags), `values` (types and bounds), [`default_file`] (what `config default` prints), [`environment`].
//!
//! Layers, weakest first: the defaults in the code, a TOML file, the environment, flags. A key `db.url` is
//! `MAINSTAY_DB__URL` in the environment. A key that nobody knows is refused, with the nearest one that exists.
//!
//! A service adds its settings with [`Section::of`] and reads them with [`Config::section`]; the core knows none by
//! name.

pub mod core;
pub mod section;

mod layers;
mod values;

pub mod default_file;
pub mod environment;
mod error;
mod hint;

use std::{collections::BTreeMap, fmt, path::PathBuf, sync::Arc};

use serde_json::Value;

pub use self::{
    core::CoreSettings,
    error::{ConfigError, Fault, Origin},
    layers::{Flag, Sources},
    section::{Key, Kind, Section, SettingFault, Settings},
};
use crate::secrets::Secret;

/// A value and where it comes from.
#[derive(Clone, PartialEq)]
struct Entry {
    value: Value,
    origin: Origin,
}

/// The configuration in force: complete, valid, and each value with its origin. Cloning is cheap.
#[derive(Clone)]
pub struct Config {
    sections: Arc<Vec<Section>>,
    sources: Arc<Sources>,
    entries: Arc<BTreeMap<String, Entry>>,
    core: Arc<CoreSettings>,
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The entries hold secrets.
        f.debug_struct("Config").field("sources", &self.sources).finish_non_exhaustive()
    }
}

/// What `config explain` shows of one key; secrets are masked.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Explained {
    /// The key, such as `db.url`.
    pub key: String,
    /// The value in force, as TOML.
    pub value: String,
    /// Where the value was set.
    pub origin: String,
    /// The value without any setting, as TOML.
    pub default: String,
    /// What the key does, in paragraphs.
    pub description: String,
    /// What may be written, such as `a whole number from 1 to 65535`.
    pub takes: String,
    /// The variable that sets it.
    pub variable: String,
    /// Whether a change is taken over without a restart.
    pub reloads: bool,
}

/// One key that a reload found changed.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Changed {
    /// The key.
    pub key: String,
    /// Where the new value was set.
    pub origin: String,
}

/// What a reload found.
#[derive(Debug)]
pub struct Reload {
    /// The configuration that is in force now: it holds what reloads, and the old value of what does not.
    pub config: Config,
    /// Keys whose new value is in [`Reload::config`].
    pub applied: Vec<Changed>,
    /// Keys whose new value is only taken at the next start.
    pub needs_restart: Vec<Changed>,
}

impl Config {
    /// Reads all layers and checks every value.
    ///
    /// The core's sections are always there; `services` adds those of the services.
    ///
    /// # Errors
    /// `Read` and `Syntax` for the file; `Invalid` with every fault of every layer at once.
    pub fn load(services: Vec<Section>, sources: Sources) -> Result<Self, ConfigError> {
        let mut sections = core::sections();
        sections.extend(services);
        let mut faults = Vec::new();
        let given = layers::read(&sections, &sources, &mut faults)?;

        let mut entries = BTreeMap::new();
        for key in sections.iter().flat_map(Section::keys) {
            let entry = Entry { value: key.default.clone(), origin: Origin::Default };
            entries.insert(key.path.clone(), entry);
        }
        for (path, entry) in given {
            entries.insert(path, entry);
        }
        Self::finish(Arc::new(sections), Arc::new(sources), entries, faults)
    }

    /// What holds without any file, variable or flag; for tests and `config default`.
    ///
    /// # Errors
    /// `Invalid` if a default breaks its own rule, which a test would find.
    pub fn defaults(services: Vec<Section>) -> Result<Self, ConfigError> {
        Self::load(services, Sources::default())
    }

    fn finish(
        sections: Arc<Vec<Section>>,
        sources: Arc<Sources>,
        entries: BTreeMap<String, Entry>,
        mut faults: Vec<Fault>,
    ) -> Result<Self, ConfigError> {
        if faults.is_empty() {
            for section in sections.iter() {
                for fault in section.check(&tree_of(section, &entries)) {
                    let key = format!("{}.{}", section.name(), fault.key);
                    let origin = origin_of(&key, &entries);
                    faults.push(Fault { key, origin, message: fault.message, hint: None });
                }
            }
        }
        if !faults.is_empty() {
            return Err(ConfigError::Invalid(faults));
        }
        let core = CoreSettings::from_sections(|name| find(&sections, &entries, name))?;
        Ok(Self { sections, sources, entries: Arc::new(entries), core: Arc::new(core) })
    }

    /// The core's settings.
    pub fn core(&self) -> &CoreSettings {
        &self.core
    }

    /// The settings of the section `name`.
    ///
    /// # Errors
    /// `Section` if there is none of that name, or it was added with another type.
    pub fn section<T: Settings>(&self, name: &'static str) -> Result<T, ConfigError> {
        section::read(name, find(&self.sections, &self.entries, name))
    }

    /// The file that was read, if there was one.
    pub fn file(&self) -> Option<&PathBuf> {
        self.sources.file.as_ref()
    }

    /// One key with its value, origin and meaning.
    ///
    /// # Errors
    /// `NoSuchKey` with the nearest one that exists.
    pub fn explain(&self, path: &str) -> Result<Explained, ConfigError> {
        let key = self.keys().find(|key| key.path == path);
        key.and_then(|key| self.explained(key)).ok_or_else(|| ConfigError::NoSuchKey {
            key: path.to_owned(),
            hint: hint::nearest(&self.sections, path),
        })
    }

    /// Every key below `prefix` (all of them if it is empty), in the order of the default file.
    pub fn explain_all(&self, prefix: &str) -> Vec<Explained> {
        let inside = |key: &&Key| {
            prefix.is_empty()
                || key.path.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'))
        };
        self.keys().filter(inside).filter_map(|key| self.explained(key)).collect()
    }

    fn keys(&self) -> impl Iterator<Item = &Key> {
        self.sections.iter().flat_map(Section::keys)
    }

    fn explained(&self, key: &Key) -> Option<Explained> {
        let entry = self.entries.get(&key.path)?;
        Some(Explained {
            key: key.path.clone(),
            value: key.shown(&entry.value),
            origin: entry.origin.to_string(),
            default: key.shown(&key.default),
            description: key.doc.clone(),
            takes: key.kind.to_string(),
            variable: environment::variable_of(&key.path),
            reloads: key.reloads,
        })
    }

    /// Secrets that cannot be had from where the configuration says they are, each with its reason.
    ///
    /// Commands are run, one after the other, for at most 10 s each.
    pub async fn unreadable_secrets(&self) -> Vec<Fault> {
        let mut faults = Vec::new();
        for key in self.keys().filter(|key| matches!(key.kind, Kind::Secret | Kind::SecretUrl)) {
            let Some(entry) = self.entries.get(&key.path) else { continue };
            let secret = Secret::new(entry.value.as_str().unwrap_or_default());
            if let Err(error) = secret.resolve().await {
                let why = std::error::Error::source(&error).map(|source| format!(": {source}"));
                let message =
                    format!("cannot be had; failed to {error}{}", why.unwrap_or_default());
                let (key, origin) = (key.path.clone(), entry.origin.clone());
                faults.push(Fault { key, origin, message, hint: None });
            }
        }
        faults
    }

    /// Reads the file again. What is marked as such takes effect in the configuration returned; the rest is named.
    ///
    /// # Errors
    /// As [`Config::load`]; then nothing changes.
    pub fn reload(&self) -> Result<Reload, ConfigError> {
        let fresh = Self::load(
            self.sections.iter().filter(|s| !core::owns(s.name())).cloned().collect(),
            (*self.sources).clone(),
        )?;
        let mut entries = (*self.entries).clone();
        let (mut applied, mut needs_restart) = (Vec::new(), Vec::new());
        for key in self.keys() {
            let (old, new) = (self.entries.get(&key.path), fresh.entries.get(&key.path));
            let (Some(old), Some(new)) = (old, new) else { continue };
            if old.value != new.value {
                let changed = Changed { key: key.path.clone(), origin: new.origin.to_string() };
                if key.reloads { applied.push(changed) } else { needs_restart.push(changed) }
            }
            if key.reloads || old.value == new.value {
                entries.insert(key.path.clone(), new.clone());
            }
        }
        let config =
            Self::finish(Arc::clone(&self.sections), Arc::clone(&self.sources), entries, vec![])?;
        Ok(Reload { config, applied, needs_restart })
    }
}

/// Where `key` was set; for a table, where the first of its keys was set that is not a default.
fn origin_of(key: &str, entries: &BTreeMap<String, Entry>) -> Origin {
    let inside = |path: &str| path.strip_prefix(key).is_some_and(|rest| rest.starts_with('.'));
    let mut below = entries.iter().filter(|(path, _)| inside(path)).map(|(_, entry)| entry);
    let entry = entries.get(key).or_else(|| below.find(|entry| entry.origin != Origin::Default));
    entry.map_or(Origin::Default, |entry| entry.origin.clone())
}

fn find(sections: &[Section], entries: &BTreeMap<String, Entry>, name: &str) -> Option<Value> {
    sections.iter().find(|s| s.name() == name).map(|section| tree_of(section, entries))
}

/// The section's values as the tree that its struct is read from.
fn tree_of(section: &Section, entries: &BTreeMap<String, Entry>) -> Value {
    let mut tree = Value::Object(serde_json::Map::new());
    for key in section.keys() {
        if let Some(entry) = entries.get(&key.path) {
            section::put(&mut tree, key.inner_path(), entry.value.clone());
        }
    }
    tree
}
