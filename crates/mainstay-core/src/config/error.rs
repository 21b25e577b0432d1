//! What can be wrong with a configuration, in words that say where and what to do.

use std::{fmt, io, path::PathBuf};

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere: it is the default.
    Default,
    /// In a file.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// In the environment.
    Variable(String),
    /// On the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}:{line}", path.display()),
            Self::Variable(name) => write!(f, "environment variable {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// The key, as it was given.
    pub key: String,
    /// Where it was set.
    pub origin: Origin,
    /// What is wrong; reads after the key. Never holds the value of a secret.
    pub message: String,
    /// What was probably meant.
    pub hint: Option<String>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: `{}` {}", self.origin, self.key, self.message)?;
        match &self.hint {
            Some(hint) => write!(f, "; did you mean `{hint}`?"),
            None => Ok(()),
        }
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("read the configuration file `{}`; check its path and permissions", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file is no TOML.
    #[error("read `{}` as TOML: line {line}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
        /// What the parser says.
        message: String,
    },
    /// Values or keys that cannot be accepted, all of them.
    #[error("accept the configuration:{}", list(.0))]
    Invalid(Vec<Fault>),
    /// Somebody asked for a key that does not exist.
    #[error("find the key `{key}`; {}", match hint {
        Some(hint) => format!("did you mean `{hint}`?"),
        None => "`mainstay config explain` lists all of them".to_owned(),
    })]
    NoSuchKey {
        /// The key.
        key: String,
        /// The nearest one.
        hint: Option<String>,
    },
    /// A section was asked for that was not added, or with another type: a fault of the program.
    #[error("read the section `{name}`: {message}")]
    Section {
        /// The section.
        name: &'static str,
        /// What is wrong.
        message: String,
    },
}

fn list(faults: &[Fault]) -> String {
    faults.iter().map(|fault| format!("\n  {fault}")).collect()
}
