//! Values that never appear in logs: what is personal, and what opens doors.

use std::{borrow::Cow, fmt, path::PathBuf, process::Stdio, time::Duration};

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use tokio::{io::AsyncReadExt, process::Command, time::timeout};

const STARS: &str = "***";
/// How long a command may take to print a secret.
const COMMAND_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest secret, in bytes.
const LEN_MAX: u64 = 64 << 10;

/// Something personal that may be passed on but not written to a log: `Debug` and `Display` print stars.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Masked<T>(T);

impl<T> Masked<T> {
    /// Masks a value.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for its use; never for a log.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Masked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STARS)
    }
}

impl<T> fmt::Display for Masked<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STARS)
    }
}

/// A secret of the configuration: where it is, until it is [`Secret::resolve`]d.
///
/// Written as `env:NAME` (an environment variable), `file:/path` (a file, without the line end at its end),
/// `command:program argument …` (what a program prints; no shell is involved) or as the secret itself. Resolving again reads
/// again, so a rotated secret needs no restart. It prints and serialises as stars.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Secret(Source);

#[derive(Clone, PartialEq, Eq)]
enum Source {
    Literal(String),
    Env(String),
    File(PathBuf),
    Command(Vec<String>),
}

impl Default for Source {
    fn default() -> Self {
        Self::Literal(String::new())
    }
}

/// A secret that could not be had. Names where it should be, never what it is.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// The environment variable is not there, or no text.
    #[error("read the secret from the environment variable {0}; set it")]
    Env(String),
    /// The file cannot be read, is no text or too long.
    #[error("read the secret from {path}; check that the file exists and is readable by this user")]
    File {
        /// Where it should be.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The program could not be started or its output not be read.
    #[error("run `{program}` for a secret; check that it is installed and on the path")]
    Command {
        /// The program, without its arguments.
        program: String,
        /// What the system said.
        #[source]
        source: std::io::Error,
    },
    /// The program failed or took longer than 10 s.
    #[error(
        "get a secret from `{0}`, which failed or took longer than 10 s; run it by hand to see why"
    )]
    CommandFailed(String),
}

impl Secret {
    /// The secret that this text describes (see [`Secret`]).
    pub fn parse(text: &str) -> Self {
        let source = if let Some(name) = text.strip_prefix("env:") {
            Source::Env(name.to_owned())
        } else if let Some(path) = text.strip_prefix("file:") {
            Source::File(path.into())
        } else if let Some(line) = text.strip_prefix("command:") {
            Source::Command(line.split_whitespace().map(str::to_owned).collect())
        } else {
            Source::Literal(text.to_owned())
        };
        Self(source)
    }

    /// A secret given as it is.
    pub fn literal(secret: impl Into<String>) -> Self {
        Self(Source::Literal(secret.into()))
    }

    /// Whether none is configured.
    pub fn is_empty(&self) -> bool {
        matches!(&self.0, Source::Literal(text) if text.is_empty())
    }

    /// Where the secret is kept, for people: `env:NAME`, `file:/path`, `command:program …` or `given directly`.
    pub fn origin(&self) -> String {
        match &self.0 {
            Source::Literal(_) => "given directly".to_owned(),
            Source::Env(name) => format!("env:{name}"),
            Source::File(path) => format!("file:{}", path.display()),
            // Its arguments might be told to nobody.
            Source::Command(line) => format!("command:{} …", program(line)),
        }
    }

    /// Reads the secret from where it is. At most 64 KiB; a command has 10 s.
    ///
    /// # Errors
    /// [`SecretError`], when it is not there.
    pub async fn resolve(&self) -> Result<Masked<String>, SecretError> {
        let text = match &self.0 {
            Source::Literal(text) => text.clone(),
            Source::Env(name) => {
                std::env::var(name).map_err(|_absent| SecretError::Env(name.clone()))?
            }
            Source::File(path) => {
                let failed = |source| SecretError::File { path: path.clone(), source };
                let file = tokio::fs::File::open(path).await.map_err(failed)?;
                read_bounded(file).await.map_err(failed)?
            }
            Source::Command(line) => run(line).await?,
        };
        Ok(Masked::new(text))
    }
}

fn program(line: &[String]) -> &str {
    line.first().map_or("", String::as_str)
}

async fn run(line: &[String]) -> Result<String, SecretError> {
    let name = || program(line).to_owned();
    let failed = |source| SecretError::Command { program: name(), source };
    let mut child = Command::new(program(line))
        .args(line.get(1..).unwrap_or_default())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let output = child.stdout.take();
    let both = async {
        let text = match output {
            Some(output) => read_bounded(output).await?,
            None => String::new(),
        };
        Ok((text, child.wait().await?))
    };
    match timeout(COMMAND_TIMEOUT, both).await {
        Ok(Ok((text, status))) if status.success() => Ok(text),
        Ok(Err(source)) => Err(failed(source)),
        Ok(Ok(_)) | Err(_) => Err(SecretError::CommandFailed(name())),
    }
}

/// All of a short text, without the line end at its end.
async fn read_bounded(from: impl tokio::io::AsyncRead + Unpin) -> std::io::Result<String> {
    let mut text = String::new();
    from.take(LEN_MAX + 1).read_to_string(&mut text).await?;
    if text.len() as u64 > LEN_MAX {
        return Err(std::io::Error::other("it is longer than 64 KiB"));
    }
    text.truncate(text.trim_end_matches(['\n', '\r']).len());
    Ok(text)
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STARS)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(STARS)
    }
}

impl Serialize for Secret {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(if self.is_empty() { "" } else { STARS })
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Self::parse(&String::deserialize(deserializer)?))
    }
}

impl JsonSchema for Secret {
    fn schema_name() -> Cow<'static, str> {
        "Secret".into()
    }

    fn json_schema(_generator: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "type": "string",
            "description": "The secret, or where it is: env:NAME, file:/path, command:program argument"
        })
    }
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use super::*;

    async fn resolved(text: &str) -> Result<String, SecretError> {
        Secret::parse(text).resolve().await.map(|secret| secret.reveal().clone())
    }

    #[tokio::test]
    async fn a_secret_is_read_from_where_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "from a file\r\n").unwrap();
        assert_eq!(resolved("s3cret").await.unwrap(), "s3cret");
        let path = std::env::var("PATH").unwrap();
        assert_eq!(resolved("env:PATH").await.unwrap(), path);
        assert_eq!(resolved(&format!("file:{}", file.display())).await.unwrap(), "from a file");
        assert_eq!(resolved("command:printf from:%s a-command").await.unwrap(), "from:a-command");
        std::fs::write(&file, "rotated").unwrap();
        assert_eq!(resolved(&format!("file:{}", file.display())).await.unwrap(), "rotated");
    }

    #[tokio::test]
    async fn a_missing_secret_is_told_by_its_place() {
        let error = |text| async move { resolved(text).await.unwrap_err().to_string() };
        assert!(error("env:NO_SUCH_VARIABLE_HERE").await.contains("NO_SUCH_VARIABLE_HERE"));
        assert!(error("file:/no/such/file").await.contains("/no/such/file"));
        assert!(error("command:no-such-program -p hunter2").await.contains("no-such-program"));
        assert!(!error("command:false hunter2").await.contains("hunter2"));
    }

    #[tokio::test]
    async fn a_secret_that_is_too_long_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, vec![b'x'; (64 << 10) + 1]).unwrap();
        assert!(resolved(&format!("file:{}", file.display())).await.is_err());
    }

    #[test]
    fn secrets_and_what_is_personal_print_as_stars() {
        let secret = Secret::parse("hunter2");
        let masked = Masked::new("ann@example.org");
        let printed = format!("{secret} {secret:?} {masked} {masked:?} {:?}", Some(&masked));
        assert_eq!(printed, "*** *** *** *** Some(***)");
        assert_eq!(serde_json::to_string(&secret).unwrap(), "\"***\"");
        assert_eq!(Secret::parse("command:vault read -p hunter2").origin(), "command:vault …");
    }
}
