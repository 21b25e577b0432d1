//! Why an engine could not be used.

use std::io;

/// Why an engine did not start or did not answer; reads after "failed to".
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// The engine's program is not on this machine.
    #[error("find `{program}`; install what tests need with `cargo xtask setup`")]
    Missing {
        /// The file that was looked for.
        program: &'static str,
    },
    /// The engine ended, or did not say in time that it is ready.
    #[error("start {engine}; its last lines were:\n{log}")]
    Start {
        /// The engine's name.
        engine: &'static str,
        /// The end of what it printed.
        log: String,
    },
    /// A file, a process or a socket.
    #[error("{doing}")]
    Io {
        /// What was tried.
        doing: String,
        /// What the system answered.
        #[source]
        source: io::Error,
    },
    /// Postgres refused or lost a statement.
    #[error("{doing}")]
    Sql {
        /// What was tried.
        doing: String,
        /// What Postgres answered.
        #[source]
        source: tokio_postgres::Error,
    },
    /// The browser's session was refused.
    #[error("open a browser session")]
    Session(#[source] Box<fantoccini::error::NewSessionError>),
    /// The browser refused a command.
    #[error("{doing}")]
    Browser {
        /// What was tried.
        doing: String,
        /// What the driver answered.
        #[source]
        source: Box<fantoccini::error::CmdError>,
    },
    /// A condition on a page did not come true within its time.
    #[error("see `{condition}` within {waited_ms} ms; the page was {url}")]
    Never {
        /// The condition, as JavaScript.
        condition: String,
        /// How long it was waited for.
        waited_ms: u128,
        /// Where the browser stood.
        url: String,
    },
}

impl EngineError {
    pub(crate) fn io(doing: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let doing = doing.into();
        move |source| Self::Io { doing, source }
    }

    pub(crate) fn browser(
        doing: impl Into<String>,
    ) -> impl FnOnce(fantoccini::error::CmdError) -> Self {
        let doing = doing.into();
        move |source| Self::Browser { doing, source: Box::new(source) }
    }
}

/// What a test that cannot go on says: the error and all its causes.
pub(crate) fn chain(error: &EngineError) -> String {
    let mut text = format!("failed to {error}");
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        text.push_str(&format!(": {error}"));
        cause = error.source();
    }
    text
}
