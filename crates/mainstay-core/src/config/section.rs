//! Settings as data: a struct's JSON schema and default become keys that can be listed, checked and printed.

use std::fmt;

use schemars::{JsonSchema, generate::SchemaSettings};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Map, Value};

use super::ConfigError;
use crate::secrets;

/// A struct of settings. Doc comments become the comments of the default file.
///
/// Write `#[serde(deny_unknown_fields, default)]` on it; give numbers their bounds with `#[schemars(range(min = 1))]`;
/// mark what takes effect without a restart with `#[schemars(extend("x-reloads" = true))]`.
pub trait Settings: Serialize + DeserializeOwned + JsonSchema + Default {
    /// Rules that types and bounds cannot state. Each fault names its key inside of the section, such as `url`.
    fn faults(&self) -> Vec<SettingFault> {
        Vec::new()
    }
}

/// A broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingFault {
    /// The key inside of its section.
    pub key: &'static str,
    /// What is wrong and what to write instead; reads after the key.
    pub message: String,
}

impl SettingFault {
    /// A fault of `key`.
    pub fn new(key: &'static str, message: impl Into<String>) -> Self {
        Self { key, message: message.into() }
    }
}

/// What may be written for a key.
#[derive(Debug, Clone, PartialEq)]
pub enum Kind {
    /// `true` or `false`.
    Boolean,
    /// A whole number within bounds.
    Integer {
        /// The least.
        min: i64,
        /// The most.
        max: i64,
    },
    /// A number within bounds.
    Number {
        /// The least.
        min: f64,
        /// The most.
        max: f64,
    },
    /// Text.
    Text,
    /// One of these words.
    Word(Vec<String>),
    /// A secret; see [`secrets::Secret`].
    Secret,
    /// An address that may hold a password; see [`secrets::SecretUrl`].
    SecretUrl,
    /// A list.
    List(Box<Kind>),
    /// A table whose keys are free.
    Table,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("true or false"),
            Self::Integer { min, max } if *max == i64::MAX => {
                write!(f, "a whole number of at least {min}")
            }
            Self::Integer { min, max } => write!(f, "a whole number from {min} to {max}"),
            Self::Number { min, max } if *min == f64::MIN && *max == f64::MAX => {
                f.write_str("a number")
            }
            Self::Number { min, max } if *max == f64::MAX => {
                write!(f, "a number of at least {min}")
            }
            Self::Number { min, max } => write!(f, "a number from {min} to {max}"),
            Self::Text => f.write_str("text"),
            Self::Word(words) => write!(f, "one of {}", words.join(", ")),
            Self::Secret => {
                f.write_str("a secret: the value, env:NAME, file:/path or command:program")
            }
            Self::SecretUrl => f.write_str(
                "an address: the value, or if it is secret env:NAME, file:/path or command:program",
            ),
            Self::List(items) => write!(f, "a list of {items}"),
            Self::Table => f.write_str("a table"),
        }
    }
}

/// One key.
#[derive(Debug, Clone)]
pub struct Key {
    /// The full path, such as `limit.read.burst`.
    pub path: String,
    /// The doc comment.
    pub doc: String,
    /// What may be written.
    pub kind: Kind,
    /// The value without any setting.
    pub default: Value,
    /// Whether a change takes effect without a restart.
    pub reloads: bool,
}

impl Key {
    /// The path inside of its section.
    pub(super) fn inner_path(&self) -> &str {
        self.path.split_once('.').map_or(self.path.as_str(), |(_, inner)| inner)
    }

    /// `value` as TOML, masked if it is secret.
    pub(super) fn shown(&self, value: &Value) -> String {
        let text = value.as_str().unwrap_or_default();
        match self.kind {
            Kind::Secret => toml_text(&Value::from(secrets::masked(text))),
            Kind::SecretUrl => toml_text(&Value::from(secrets::masked_url(text))),
            _ => toml_text(value),
        }
    }
}

/// A table of a section, for its comment.
#[derive(Debug, Clone)]
pub(super) struct Table {
    pub(super) path: String,
    pub(super) doc: String,
}

/// The settings of the core or of one service, without their type.
#[derive(Clone)]
pub struct Section {
    name: &'static str,
    tables: Vec<Table>,
    keys: Vec<Key>,
    check: fn(&Value) -> Vec<SettingFault>,
    parse: fn(Value) -> Result<(), String>,
}

impl fmt::Debug for Section {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Section").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Section {
    /// The section `name`, which holds a `T`.
    ///
    /// # Panics
    /// If `T` cannot be written as a tree of values: a fault of the program, which its first start shows.
    #[expect(clippy::expect_used, reason = "the shape of a settings struct is fixed in the code")]
    pub fn of<T: Settings>(name: &'static str) -> Self {
        let settings = SchemaSettings::draft2020_12().with(|s| s.inline_subschemas = true);
        let schema = settings.into_generator().into_root_schema_for::<T>().to_value();
        let default = serde_json::to_value(T::default()).expect("settings are plain values");
        let mut section = Self {
            name,
            tables: Vec::new(),
            keys: Vec::new(),
            check: |value| {
                serde_json::from_value::<T>(value.clone()).map_or_else(
                    |error| vec![SettingFault::new("", error.to_string())],
                    |settings| settings.faults(),
                )
            },
            parse: |value| match serde_json::from_value::<T>(value) {
                Ok(_) => Ok(()),
                Err(error) => Err(error.to_string()),
            },
        };
        section.walk(name, &schema, &default);
        section
    }

    /// The section's name, the first part of its keys.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Its keys, in the order of the struct.
    pub fn keys(&self) -> &[Key] {
        &self.keys
    }

    pub(super) fn tables(&self) -> &[Table] {
        &self.tables
    }

    pub(super) fn check(&self, value: &Value) -> Vec<SettingFault> {
        (self.check)(value)
    }

    /// Whether the section can be read when only `key` differs from the default: this finds the one at fault.
    pub(super) fn parses(&self, key: &Key, value: &Value) -> Result<(), String> {
        let mut tree = Value::Object(Map::new());
        put(&mut tree, key.inner_path(), value.clone());
        (self.parse)(tree)
    }

    fn walk(&mut self, path: &str, schema: &Value, default: &Value) {
        self.tables.push(Table { path: path.to_owned(), doc: doc_of(schema) });
        let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
        for (name, property) in properties {
            let path = format!("{path}.{name}");
            let default = default.get(name).cloned().unwrap_or_default();
            if property.get("properties").is_some() {
                self.walk(&path, property, &default);
                continue;
            }
            let reloads = property.get("x-reloads").and_then(Value::as_bool).unwrap_or(false);
            let (doc, kind) = (doc_of(property), kind_of(property));
            self.keys.push(Key { path, doc, kind, default, reloads });
        }
    }
}

fn doc_of(schema: &Value) -> String {
    schema.get("description").and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn kind_of(schema: &Value) -> Kind {
    if let Some(words) = words_of(schema) {
        return Kind::Word(words);
    }
    match (schema.get("type").and_then(Value::as_str), schema.get("format").and_then(Value::as_str))
    {
        (_, Some(secrets::FORMAT)) => Kind::Secret,
        (_, Some(secrets::FORMAT_URL)) => Kind::SecretUrl,
        (Some("boolean"), _) => Kind::Boolean,
        (Some("integer"), format) => integer(schema, format.unwrap_or_default()),
        (Some("number"), _) => Kind::Number {
            min: schema.get("minimum").and_then(Value::as_f64).unwrap_or(f64::MIN),
            max: schema.get("maximum").and_then(Value::as_f64).unwrap_or(f64::MAX),
        },
        (Some("array"), _) => Kind::List(Box::new(schema.get("items").map_or(Kind::Text, kind_of))),
        (Some("object"), _) => Kind::Table,
        _ => Kind::Text,
    }
}

fn integer(schema: &Value, format: &str) -> Kind {
    let (least, most) = match format {
        "uint8" => (0, i64::from(u8::MAX)),
        "uint16" => (0, i64::from(u16::MAX)),
        "uint32" => (0, i64::from(u32::MAX)),
        "int32" => (i64::from(i32::MIN), i64::from(i32::MAX)),
        "int64" => (i64::MIN, i64::MAX),
        _ => (0, i64::MAX),
    };
    let bound = |name: &str| schema.get(name).and_then(Value::as_i64);
    Kind::Integer { min: bound("minimum").unwrap_or(least), max: bound("maximum").unwrap_or(most) }
}

/// The words of an enum: `enum` where no variant has a doc comment, `oneOf` with `const` where they have.
fn words_of(schema: &Value) -> Option<Vec<String>> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let mut words = Vec::new();
    if let Some(listed) = schema.get("enum").and_then(Value::as_array) {
        words.extend(listed.iter().filter_map(text));
    }
    for variant in schema.get("oneOf").and_then(Value::as_array).into_iter().flatten() {
        words.extend(variant.get("const").and_then(text));
        words.extend(words_of(variant).into_iter().flatten());
    }
    (!words.is_empty()).then_some(words)
}

/// Puts `value` at the dotted `path`, making the tables on the way.
pub(super) fn put(tree: &mut Value, path: &str, value: Value) {
    let Value::Object(table) = tree else { return };
    match path.split_once('.') {
        None => {
            table.insert(path.to_owned(), value);
        }
        Some((head, rest)) => {
            let inner = table.entry(head.to_owned()).or_insert_with(|| Value::Object(Map::new()));
            put(inner, rest, value);
        }
    }
}

pub(super) fn read<T: Settings>(name: &'static str, tree: Option<Value>) -> Result<T, ConfigError> {
    let failed = |message: String| ConfigError::Section { name, message };
    let tree = tree.ok_or_else(|| failed("no part of the program has added it".to_owned()))?;
    serde_json::from_value(tree).map_err(|error| failed(error.to_string()))
}

/// `value` as it is written in a TOML file, on one line.
pub(super) fn toml_text(value: &Value) -> String {
    match value {
        Value::Null => "\"\"".to_owned(),
        Value::Bool(truth) => truth.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => toml::Value::from(text.as_str()).to_string(),
        Value::Array(items) => {
            format!("[{}]", items.iter().map(toml_text).collect::<Vec<_>>().join(", "))
        }
        Value::Object(table) if table.is_empty() => "{}".to_owned(),
        Value::Object(table) => {
            let pair = |(key, value): (&String, &Value)| {
                format!("{} = {}", toml::Value::from(key.as_str()), toml_text(value))
            };
            format!("{{ {} }}", table.iter().map(pair).collect::<Vec<_>>().join(", "))
        }
    }
}
