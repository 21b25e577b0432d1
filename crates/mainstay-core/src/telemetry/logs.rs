//! The program's log: one line for each event, as JSON or for people, with the id of the request it belongs to.

use std::{
    borrow::Cow,
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use prometheus_client::metrics::counter::Counter;
use serde::{Deserialize, Serialize};
use tracing::{Event, Level, Subscriber, span};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    layer::{Context, Layered, SubscriberExt},
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt,
};

use crate::clock::Clock;

use super::{
    access::AccessLog,
    line::Line,
    metrics::{Metrics, Unit},
    pipe::{Pipe, PipeWriter},
    rotate::RotatingFile,
};

/// What may wait to be written.
const WAITING_BYTES_MAX: usize = 4 << 20;
const LEVELS: [(Level, &str); 5] = [
    (Level::ERROR, "error"),
    (Level::WARN, "warn"),
    (Level::INFO, "info"),
    (Level::DEBUG, "debug"),
    (Level::TRACE, "trace"),
];

/// How lines look.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum LogFormat {
    /// For people on a terminal, else JSON.
    #[default]
    Auto,
    /// One JSON object a line.
    Json,
    /// For people.
    Human,
}

/// Where the log goes and what is in it.
#[derive(Debug, Clone)]
pub struct LogConfig {
    /// `error`, `warn`, `info`, `debug` or `trace`, for parts too: `info,mainstay_core::db=debug`.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
    /// The file; standard error when there is none.
    pub file: Option<PathBuf>,
    /// Size at which a file is put aside (default 10 MB).
    pub file_bytes_max: u64,
    /// Files in all, the current one among them (default 3).
    pub files: u32,
}

impl Default for LogConfig {
    fn default() -> Self {
        Self {
            level: "info".to_owned(),
            format: LogFormat::Auto,
            file: None,
            file_bytes_max: 10_000_000,
            files: 3,
        }
    }
}

/// The log cannot be set up or changed.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    /// The file or the writing thread.
    #[error("open the log {}; check that the folder is writable", place(file.as_deref()))]
    Open {
        /// The configured file.
        file: Option<PathBuf>,
        /// What the system said.
        #[source]
        source: io::Error,
    },
    /// The level is none.
    #[error(
        "use `{level}` as log level; write error, warn, info, debug or trace, or target=level pairs"
    )]
    Level {
        /// What was given.
        level: String,
        /// What is wrong with it.
        #[source]
        source: tracing_subscriber::filter::ParseError,
    },
    /// A log was set up before in this process.
    #[error("set up the log twice in one process")]
    Twice(#[source] tracing_subscriber::util::TryInitError),
    /// The log has ended.
    #[error("change the level of a log that has ended")]
    Ended(#[source] reload::Error),
}

/// The log's file, for people.
fn place(file: Option<&Path>) -> Cow<'_, str> {
    file.map_or("on standard error".into(), |file| file.to_string_lossy())
}

/// What tracing is given: the registry, the filter, then the lines.
type Assembled = Layered<Lines, Layered<reload::Layer<EnvFilter, Registry>, Registry>>;

/// The running log. Dropped, it writes what waits and ends.
#[derive(Debug)]
pub struct Logs {
    level: reload::Handle<EnvFilter, Registry>,
    writer: PipeWriter,
    dropped: Counter,
}

impl Logs {
    /// Sets the log up for the whole process.
    ///
    /// # Errors
    /// [`LogError`]
    pub fn install(config: &LogConfig, metrics: &Metrics) -> Result<Self, LogError> {
        let opened = |source| LogError::Open { file: config.file.clone(), source };
        let out: Box<dyn Write + Send> = match &config.file {
            Some(path) => {
                let aside = config.files.saturating_sub(1);
                let file = RotatingFile::open(path, config.file_bytes_max, aside);
                Box::new(file.map_err(opened)?)
            }
            None => Box::new(io::stderr()),
        };
        let human = match config.format {
            LogFormat::Auto => config.file.is_none() && io::stderr().is_terminal(),
            LogFormat::Json => false,
            LogFormat::Human => true,
        };
        let (logs, subscriber) = Self::build(&config.level, human, out, metrics, opened)?;
        subscriber.try_init().map_err(LogError::Twice)?;
        Ok(logs)
    }

    fn build(
        level: &str,
        human: bool,
        out: impl Write + Send + 'static,
        metrics: &Metrics,
        opened: impl FnOnce(io::Error) -> LogError,
    ) -> Result<(Self, Assembled), LogError> {
        let scope = metrics.scope("log");
        let dropped = scope.counter(
            "lines_dropped",
            "Log lines lost because writing was too slow",
            Unit::None,
        );
        let events = scope.counter_family("events", "Log events", Unit::None, &["level"]);
        let (filter, level) = reload::Layer::new(parse(level)?);
        let writer = Pipe::start(out, WAITING_BYTES_MAX, dropped.clone()).map_err(opened)?;
        let lines = Lines {
            pipe: writer.pipe().clone(),
            events: Arc::new(LEVELS.map(|(level, name)| (level, events.with(&[name])))),
            human,
        };
        let subscriber = Registry::default().with(filter).with(lines);
        Ok((Self { level, writer, dropped }, subscriber))
    }

    /// Changes what is logged, from now on.
    ///
    /// # Errors
    /// When `level` is no level (see [`LogConfig::level`]); then nothing changes.
    pub fn set_level(&self, level: &str) -> Result<(), LogError> {
        self.level.reload(parse(level)?).map_err(LogError::Ended)
    }

    /// What is logged now.
    pub fn level(&self) -> String {
        self.level.with_current(ToString::to_string).unwrap_or_default()
    }

    /// The log of requests, which goes the same way.
    pub fn access(&self) -> AccessLog {
        AccessLog::new(self.writer.pipe().clone())
    }

    /// Lines lost so far because the terminal or the disk was too slow.
    pub fn dropped(&self) -> u64 {
        self.dropped.get()
    }

    /// Waits until what was logged so far is written, at most `limit`. Whether it is.
    pub fn flush(&self, limit: Duration) -> bool {
        self.writer.pipe().flush(limit)
    }
}

fn parse(level: &str) -> Result<EnvFilter, LogError> {
    let failed = |source| LogError::Level { level: level.to_owned(), source };
    EnvFilter::builder().parse(level).map_err(failed)
}

tokio::task_local! {
    static REQUEST_ID: Arc<str>;
}

/// Runs a request's future; every event in it carries the id. Costs no span.
pub async fn with_request_id<F: Future>(id: Arc<str>, request: F) -> F::Output {
    REQUEST_ID.scope(id, request).await
}

/// The id of the request that this task works for.
pub fn request_id() -> Option<Arc<str>> {
    REQUEST_ID.try_with(Clone::clone).ok()
}

/// Turns events into lines.
struct Lines {
    pipe: Pipe,
    events: Arc<[(Level, Counter); 5]>,
    human: bool,
}

/// What a span adds to the lines within it, already written.
struct SpanFields(Vec<u8>);

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &span::Attributes<'_>, id: &span::Id, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        let mut line = Line::fields(self.human);
        attributes.record(&mut line);
        span.extensions_mut().insert(SpanFields(line.into_bytes()));
    }

    fn on_record(&self, id: &span::Id, values: &span::Record<'_>, ctx: Context<'_, S>) {
        let Some(span) = ctx.span(id) else { return };
        if let Some(fields) = span.extensions_mut().get_mut::<SpanFields>() {
            let mut line = Line::fields(self.human);
            values.record(&mut line);
            fields.0.extend(line.into_bytes());
        }
    }

    fn on_event(&self, event: &Event<'_>, ctx: Context<'_, S>) {
        let meta = event.metadata();
        if let Some((_, counter)) = self.events.iter().find(|(level, _)| level == meta.level()) {
            counter.inc();
        }
        let mut line = Line::event(self.human, Clock::system().now(), *meta.level(), meta.target());
        event.record(&mut line);
        if let Some(id) = request_id() {
            line.text("request_id", &id);
        }
        for span in ctx.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<SpanFields>() {
                line.raw(&fields.0);
            }
        }
        self.pipe.push_now(&line.finish());
    }
}

#[cfg(test)]
mod tests;
