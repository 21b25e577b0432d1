//! The layers above the defaults: a TOML file, the environment, flags.

use std::{
    collections::BTreeMap,
    fmt, fs, io,
    path::{Path, PathBuf},
};

use serde_json::Value;
use toml::de::{DeTable, DeValue};

use super::{ConfigError, Entry, Fault, Key, Origin, Section, environment, hint, values};

/// A file larger than this is no configuration.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The file that is read when none is named, if the working directory has it.
const FILE_NAME: &str = "mainstay.toml";

/// A setting from the command line.
#[derive(Clone)]
pub struct Flag {
    /// The flag as it was written, such as `--listen`.
    pub name: String,
    /// The key that it sets.
    pub key: String,
    /// Its text.
    pub value: String,
}

/// Where the layers come from. `Sources::default()` has none, so that only defaults hold.
#[derive(Clone, Default)]
pub struct Sources {
    /// The file; it must exist.
    pub file: Option<PathBuf>,
    /// Variables with names and values.
    pub variables: Vec<(String, String)>,
    /// Flags, the later one winning.
    pub flags: Vec<Flag>,
}

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Variables and flags may hold secrets.
        f.debug_struct("Sources").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Sources {
    /// The sources of this process: `file`, else `mainstay.toml` in the working directory if it is there; the
    /// environment; `flags`.
    pub fn of_process(file: Option<PathBuf>, flags: Vec<Flag>) -> Self {
        let nearby = || Path::new(FILE_NAME).is_file().then(|| PathBuf::from(FILE_NAME));
        Self { file: file.or_else(nearby), variables: environment::variables(), flags }
    }
}

/// A value as a layer gives it.
enum Given<'a> {
    /// From TOML, which has types.
    Typed(Value),
    /// From a variable or flag, which has none.
    Text(&'a str),
}

/// Collects what the layers set, the stronger one winning, and every fault on the way.
struct Reader<'a> {
    sections: &'a [Section],
    set: BTreeMap<String, Entry>,
    faults: &'a mut Vec<Fault>,
}

pub(super) fn read(
    sections: &[Section],
    sources: &Sources,
    faults: &mut Vec<Fault>,
) -> Result<BTreeMap<String, Entry>, ConfigError> {
    let mut reader = Reader { sections, set: BTreeMap::new(), faults };
    if let Some(path) = &sources.file {
        reader.file(path)?;
    }
    for (name, text) in &sources.variables {
        reader.variable(name, text);
    }
    for flag in &sources.flags {
        reader.text(&flag.key, &flag.value, &Origin::Flag(flag.name.clone()));
    }
    Ok(reader.set)
}

impl Reader<'_> {
    fn file(&mut self, path: &Path) -> Result<(), ConfigError> {
        let text = read_bounded(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let document = DeTable::parse(&text).map_err(|error| ConfigError::Syntax {
            path: path.to_owned(),
            line: line_of(&text, error.span().map_or(0, |span| span.start)),
            message: error.message().to_owned(),
        })?;
        let origin = |offset| Origin::File { path: path.to_owned(), line: line_of(&text, offset) };
        self.table("", document.get_ref(), &origin);
        Ok(())
    }

    fn table(&mut self, prefix: &str, table: &DeTable<'_>, origin: &dyn Fn(usize) -> Origin) {
        for (name, value) in table {
            let path = match prefix {
                "" => name.get_ref().to_string(),
                prefix => format!("{prefix}.{}", name.get_ref()),
            };
            let at = origin(name.span().start);
            match value.get_ref() {
                DeValue::Table(inner) if self.is_table(&path) => self.table(&path, inner, origin),
                value => self.give(&path, Given::Typed(values::from_toml(value)), at),
            }
        }
    }

    fn variable(&mut self, name: &str, text: &str) {
        let origin = Origin::Variable(name.to_owned());
        if let Some(key) = environment::key_of(name) {
            self.text(&key, text, &origin);
            return;
        }
        let mut keys = self.sections.iter().flat_map(Section::keys);
        let meant = keys.find(|key| environment::is_nearly(name, &key.path));
        if let Some(key) = meant {
            self.faults.push(Fault {
                key: name.to_owned(),
                origin,
                message: "sets nothing, because two underscores divide a section from its key"
                    .to_owned(),
                hint: Some(environment::variable_of(&key.path)),
            });
        }
    }

    fn text(&mut self, path: &str, text: &str, origin: &Origin) {
        if !self.is_table(path) {
            self.give(path, Given::Text(text), origin.clone());
            return;
        }
        let document = format!("it = {text}");
        let parsed = DeTable::parse(&document);
        match parsed.as_ref().ok().and_then(|table| table.get_ref().get("it")).map(|v| v.get_ref())
        {
            Some(DeValue::Table(inner)) => self.table(path, inner, &|_| origin.clone()),
            _ => self.fault(path, origin.clone(), "is a table; write it as { key = value }"),
        }
    }

    fn give(&mut self, path: &str, given: Given<'_>, origin: Origin) {
        let Some((section, key)) = self.key(path) else {
            let message = if self.is_table(path) {
                "is a table and takes no value".to_owned()
            } else {
                "is no setting".to_owned()
            };
            let hint = hint::nearest(self.sections, path).filter(|hint| hint != path);
            self.faults.push(Fault { key: path.to_owned(), origin, message, hint });
            return;
        };
        let checked = match given {
            Given::Typed(value) => values::check(&key.kind, value),
            Given::Text(text) => values::from_text(&key.kind, text),
        };
        let parsed = checked.and_then(|value| match section.parses(key, &value) {
            Ok(()) => Ok(value),
            Err(message) => Err(format!("cannot be read: {message}")),
        });
        match parsed {
            Ok(value) => {
                self.set.insert(path.to_owned(), Entry { value, origin });
            }
            Err(message) => self.fault(path, origin, &message),
        }
    }

    fn fault(&mut self, path: &str, origin: Origin, message: &str) {
        let message = message.to_owned();
        self.faults.push(Fault { key: path.to_owned(), origin, message, hint: None });
    }

    fn key(&self, path: &str) -> Option<(&Section, &Key)> {
        self.sections
            .iter()
            .flat_map(|section| section.keys().iter().map(move |key| (section, key)))
            .find(|(_, key)| key.path == path)
    }

    fn is_table(&self, path: &str) -> bool {
        self.sections.iter().flat_map(Section::tables).any(|table| table.path == path)
    }
}

fn read_bounded(path: &Path) -> io::Result<String> {
    let bytes = fs::metadata(path)?.len();
    if bytes > FILE_BYTES_MAX {
        let message = format!("it has {bytes} bytes, and at most {FILE_BYTES_MAX} are read");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, message));
    }
    fs::read_to_string(path)
}

fn line_of(text: &str, offset: usize) -> usize {
    1 + text.bytes().take(offset).filter(|byte| *byte == b'\n').count()
}
