//! How the program ends: exit codes, and errors that read aloud well.

use std::process::ExitCode;

use mainstay_core::{config::ConfigError, data_dir::DataDirError};
use serde_json::json;

/// Why the program ended. The numbers are part of the interface and are never given another meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done.
    Done = 0,
    /// It failed.
    Failed = 1,
    /// The command line is not right. clap ends with this number by itself.
    Usage = 2,
    /// The configuration is not right.
    Configuration = 3,
    /// Another program uses the data folder.
    DataInUse = 4,
    /// What was asked breaks a rule, such as a handle that is taken.
    Refused = 5,
}

/// For `--help`.
pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  failed
  2  the command line is not right
  3  the configuration is not right; `mainstay config check` says where
  4  another program uses the data folder
  5  refused, because what was asked breaks a rule, such as a handle that is taken
  128 + N  ended at once by a second signal N";

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// What was asked is not possible; says why and what to do.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refusal(pub(crate) String);

/// The command line cannot be carried out as it is; says what to write.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Misuse(pub(crate) String);

/// Which number an error ends with.
pub(crate) fn of(error: &anyhow::Error) -> Exit {
    for cause in error.chain() {
        if cause.is::<ConfigError>() {
            return Exit::Configuration;
        }
        if matches!(cause.downcast_ref(), Some(DataDirError::InUse { .. })) {
            return Exit::DataInUse;
        }
        if cause.is::<Refusal>() {
            return Exit::Refused;
        }
        if cause.is::<Misuse>() {
            return Exit::Usage;
        }
    }
    Exit::Failed
}

/// The error as a sentence: `failed to …: …: …`. Each part is one cause, the outermost first.
pub(crate) fn sentence(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    format!("failed to {}", causes.join(": "))
}

/// The error as an object, for `--json`.
pub(crate) fn object(error: &anyhow::Error) -> serde_json::Value {
    let mut object = json!({ "message": sentence(error), "exit_code": of(error) as u8 });
    if let Some(ConfigError::Invalid(faults)) = error.downcast_ref() {
        let fault = |fault: &mainstay_core::config::Fault| {
            json!({
                "key": fault.key,
                "origin": fault.origin.to_string(),
                "message": fault.message,
                "hint": fault.hint,
            })
        };
        object["faults"] = faults.iter().map(fault).collect();
    }
    json!({ "error": object })
}
