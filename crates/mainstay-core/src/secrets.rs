//! Secrets: values that never print, given directly or by where they are.
//!
//! A setting that is secret holds the value itself, or `env:NAME`, `file:/path`, or `command:program and arguments`, so
//! that any manager of secrets works. It is read anew whenever it is asked for; the program asks when it starts.

use std::{borrow::Cow, fmt, process::Stdio, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::io::AsyncReadExt as _;

use crate::{config::environment, telemetry::Masked};

/// The schema format of a [`Secret`].
pub const FORMAT: &str = "secret";
/// The schema format of a [`SecretUrl`].
pub const FORMAT_URL: &str = "secret-url";

/// A secret larger than this is a mistake.
const BYTES_MAX: u64 = 64 * 1024;
/// A command that takes longer than this hangs.
const COMMAND_TIME_MAX: Duration = Duration::from_secs(10);

/// Why a secret could not be read. The messages name places and never values.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The variable is not set.
    #[error("read the secret from the environment variable {0}, which is not set")]
    NoVariable(String),
    /// The file cannot be read.
    #[error("read the secret from the file `{path}`")]
    File {
        /// The file.
        path: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The command cannot be run.
    #[error("run `{program}`, which is to print the secret")]
    Run {
        /// The program, without its arguments.
        program: String,
        /// What the system says.
        source: std::io::Error,
    },
    /// The command failed or took too long.
    #[error("get the secret from `{program}`: it {what}")]
    Command {
        /// The program, without its arguments.
        program: String,
        /// What it did.
        what: String,
    },
    /// What was read is no text, or too long.
    #[error("read the secret from `{0}`: it is not UTF-8 text of at most 64 KiB")]
    NotText(String),
}

/// Where a secret is, by how its setting begins.
enum Place<'a> {
    Here(&'a str),
    Variable(&'a str),
    File(&'a str),
    Command(&'a str),
}

fn place(text: &str) -> Place<'_> {
    match text.split_once(':') {
        Some(("env", name)) => Place::Variable(name),
        Some(("file", path)) => Place::File(path),
        Some(("command", line)) => Place::Command(line),
        _ => Place::Here(text),
    }
}

/// A setting that is secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// A secret with the setting's text: the value, `env:NAME`, `file:/path` or `command:program`.
    pub fn new(setting: impl Into<String>) -> Self {
        Self(setting.into())
    }

    /// Whether nothing was set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The plain text, read anew from where it is. The end of the line after it is dropped.
    ///
    /// # Errors
    /// If the place does not give it. A command has 10 s.
    pub async fn resolve(&self) -> Result<Masked<String>, SecretError> {
        resolve(&self.0).await
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.0))
    }
}

/// An address that may hold a password. It prints with the password masked.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct SecretUrl(String);

impl SecretUrl {
    /// An address that stands in the code.
    pub fn literal(text: &str) -> Self {
        Self(text.to_owned())
    }

    /// Whether nothing was set.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The address if the setting holds it itself.
    pub(crate) fn as_literal(&self) -> Option<&str> {
        match place(&self.0) {
            Place::Here(text) => Some(text),
            _ => None,
        }
    }

    /// The whole address, read anew from where it is.
    ///
    /// # Errors
    /// As [`Secret::resolve`].
    pub async fn resolve(&self) -> Result<Masked<String>, SecretError> {
        resolve(&self.0).await
    }
}

impl fmt::Debug for SecretUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked_url(&self.0))
    }
}

/// The setting of a secret as it may be shown: where it is, or `***` if it stands there itself.
pub fn masked(setting: &str) -> String {
    match place(setting) {
        Place::Here("") => String::new(),
        Place::Here(_) => "***".to_owned(),
        Place::Command(line) => {
            // Arguments may hold a token.
            let program = line.split_whitespace().next().unwrap_or_default();
            format!("command:{program}{}", if line.trim() == program { "" } else { " …" })
        }
        Place::Variable(_) | Place::File(_) => setting.to_owned(),
    }
}

/// An address as it may be shown: with `***` for the password and for the values of its query.
pub fn masked_url(setting: &str) -> String {
    let Place::Here(text) = place(setting) else { return masked(setting) };
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    // By hand, because what cannot be parsed as an address may hold a password all the same.
    let (rest, query) = match rest.split_once('?') {
        Some((rest, _)) => (rest, "?***"),
        None => (rest, ""),
    };
    match rest.rsplit_once('@') {
        Some((who, host)) => {
            let name = who.split_once(':').map_or(who, |(name, _)| name);
            format!("{scheme}://{name}:***@{host}{query}")
        }
        None => format!("{scheme}://{rest}{query}"),
    }
}

async fn resolve(setting: &str) -> Result<Masked<String>, SecretError> {
    let text = match place(setting) {
        Place::Here(text) => return Ok(Masked::new(text.to_owned())),
        Place::Variable(name) => {
            environment::variable(name).ok_or_else(|| SecretError::NoVariable(name.to_owned()))?
        }
        Place::File(path) => {
            let failed = |source| SecretError::File { path: path.to_owned(), source };
            let file = tokio::fs::File::open(path).await.map_err(failed)?;
            text_of(file, path).await?.map_err(failed)?
        }
        Place::Command(line) => output_of(line).await?,
    };
    Ok(Masked::new(text.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Reads at most [`BYTES_MAX`] of text; the outer error is that it is none.
async fn text_of(
    from: impl tokio::io::AsyncRead + Unpin,
    place: &str,
) -> Result<std::io::Result<String>, SecretError> {
    let mut bytes = Vec::new();
    if let Err(error) = from.take(BYTES_MAX + 1).read_to_end(&mut bytes).await {
        return Ok(Err(error));
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.len() as u64 <= BYTES_MAX => Ok(Ok(text)),
        _ => Err(SecretError::NotText(place.to_owned())),
    }
}

/// What the command prints. It is run without a shell: words are divided by spaces.
async fn output_of(line: &str) -> Result<String, SecretError> {
    let mut words = line.split_whitespace();
    let program = words.next().unwrap_or_default().to_owned();
    let failed = |source| SecretError::Run { program: program.clone(), source };
    let mut child = tokio::process::Command::new(&program)
        .args(words)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let did = |what: String| SecretError::Command { program: program.clone(), what };
    let Some(stdout) = child.stdout.take() else { return Err(did("has no output".to_owned())) };
    let run = async {
        let text = text_of(stdout, &program).await?.map_err(failed)?;
        Ok((text, child.wait().await.map_err(failed)?))
    };
    match tokio::time::timeout(COMMAND_TIME_MAX, run).await {
        Err(_) => Err(did(format!("took longer than {} s", COMMAND_TIME_MAX.as_secs()))),
        Ok(Err(error)) => Err(error),
        Ok(Ok((_, status))) if !status.success() => Err(did(format!("ended with {status}"))),
        Ok(Ok((text, _))) => Ok(text),
    }
}

macro_rules! secret_data {
    ($type:ident, $format:expr, $name:literal, $shown:expr) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&$shown(&self.0))
            }
        }

        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer).map(Self)
            }
        }

        impl JsonSchema for $type {
            fn schema_name() -> Cow<'static, str> {
                $name.into()
            }

            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "format": $format })
            }
        }
    };
}

secret_data!(Secret, FORMAT, "Secret", masked);
secret_data!(SecretUrl, FORMAT_URL, "SecretUrl", masked_url);

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]
    use super::*;

    #[test]
    fn a_secret_never_prints() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret:?}"), "***");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        assert_eq!(masked("env:TOKEN"), "env:TOKEN");
        assert_eq!(masked("command:vault read --token=abc"), "command:vault …");
        let url = |text| format!("{:?}", SecretUrl::literal(text));
        assert_eq!(url("postgres://me:hunter2@db/app"), "postgres://me:***@db/app");
        assert_eq!(url("postgres://me:p@ss@db/app?password=x"), "postgres://me:***@db/app?***");
        assert_eq!(url("postgres://db/app"), "postgres://db/app");
        assert_eq!(url("sqlite:"), "sqlite:");
    }

    #[tokio::test]
    async fn a_secret_comes_from_file_and_command_without_its_line_end() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "from a file\n").unwrap();
        let secret = Secret::new(format!("file:{}", file.display()));
        assert_eq!(secret.resolve().await.unwrap().reveal(), "from a file");
        std::fs::write(&file, "rotated").unwrap();
        assert_eq!(secret.resolve().await.unwrap().reveal(), "rotated");

        let command = Secret::new("command:echo from a command");
        assert_eq!(command.resolve().await.unwrap().reveal(), "from a command");
        let path = environment::variable("PATH").unwrap();
        assert_eq!(Secret::new("env:PATH").resolve().await.unwrap().reveal(), &path);
    }

    #[tokio::test]
    async fn a_secret_that_cannot_be_read_says_where_it_should_be() {
        let said = |text: &'static str| async move {
            Secret::new(text).resolve().await.unwrap_err().to_string()
        };
        assert!(said("env:MAINSTAY_NO_SUCH").await.contains("MAINSTAY_NO_SUCH, which is not set"));
        assert!(said("file:/nowhere/at/all").await.contains("`/nowhere/at/all`"));
        assert!(said("command:false --token=abc").await.contains("`false`: it ended with"));
    }

    #[tokio::test]
    async fn a_command_that_prints_without_end_is_refused() {
        let said = Secret::new("command:yes").resolve().await.unwrap_err().to_string();
        assert!(said.contains("at most 64 KiB"), "{said}");
    }
}
