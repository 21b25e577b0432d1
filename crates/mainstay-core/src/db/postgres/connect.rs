//! Connections: counted, and with TLS as `sslmode` and `sslrootcert` in the address ask for it.
//!
//! | `sslmode` | Encrypted | The server's certificate |
//! |---|---|---|
//! | `disable` | no | |
//! | `prefer`, when none is named | if the server can | is not looked at |
//! | `require` | always | is not looked at; with `sslrootcert` as `verify-ca` |
//! | `verify-ca` | always | comes from a known authority |
//! | `verify-full` | always | and is for the host that was asked for |
//!
//! `sslrootcert` is a PEM file of authorities; without it, or as `system`, those that the system knows. As with libpq,
//! a socket file is never encrypted. Unlike libpq, a name counts only as a subject alternative name, never as common
//! name.

use std::{
    str::FromStr as _,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::task::JoinHandle;
use tokio_postgres::{
    Client, Config, Error,
    config::{Host, SslMode},
};

use super::tls::{Tls, Trust};
use crate::{
    db::{BoxFuture, DbError},
    engine_address::take_parameter,
};

/// Opens connections. Cloning is cheap and counts on.
#[derive(Clone)]
pub(super) struct Connector {
    tls: Tls,
    host: Arc<str>,
    counts: Arc<Counts>,
}

/// How often it was tried to connect, since it was last asked.
#[derive(Default)]
struct Counts {
    attempts: AtomicU64,
    failures: AtomicU64,
}

impl Connector {
    /// Reads an address.
    ///
    /// # Errors
    /// `Unavailable` with what is wrong with it.
    pub(super) fn read(url: &str) -> Result<(Self, Config), DbError> {
        let wrong = |why: String| DbError::Unavailable(format!("db.url cannot be read: {why}"));
        let (rest, asked) = Asked::take(url);
        let mut config = Config::from_str(&rest).map_err(|error| wrong(chain(&error)))?;
        let files_only = !config.get_hosts().is_empty()
            && config.get_hosts().iter().all(|host| matches!(host, Host::Unix(_)));
        let mode = if files_only { Some("disable") } else { asked.mode.as_deref() };
        let (mode, trust) = match (mode, asked.root.as_deref()) {
            (Some("disable"), _) => (SslMode::Disable, Trust::Anybody),
            (mode, Some("system")) if mode != Some("verify-full") => {
                return Err(wrong("sslrootcert=system takes sslmode=verify-full".to_owned()));
            }
            (None | Some("prefer"), _) => (SslMode::Prefer, Trust::Anybody),
            (Some("require"), None) => (SslMode::Require, Trust::Anybody),
            (Some("require" | "verify-ca"), root) => (SslMode::Require, Trust::authorities(root)),
            (Some("verify-full"), root) => (SslMode::Require, Trust::names(root)),
            (Some(other), _) => {
                return Err(wrong(format!(
                    "sslmode=`{other}` is none of disable, prefer, require, verify-ca, verify-full"
                )));
            }
        };
        config.ssl_mode(mode);
        let tls = Tls::new(trust).map_err(wrong)?;
        let host = match config.get_hosts().first() {
            Some(Host::Tcp(host)) => host.as_str().into(),
            Some(Host::Unix(_)) | None => "localhost".into(),
        };
        Ok((Self { tls, host, counts: Arc::default() }, config))
    }

    /// Opens a connection; the task drives it and ends with it.
    ///
    /// # Errors
    /// `Unavailable` with every cause.
    pub(super) async fn open(&self, config: &Config) -> Result<(Client, JoinHandle<()>), DbError> {
        let opened = self.count(config).await;
        opened.map_err(|error| DbError::Unavailable(chain(&error)))
    }

    async fn count(&self, config: &Config) -> Result<(Client, JoinHandle<()>), Error> {
        self.counts.attempts.fetch_add(1, Ordering::Relaxed);
        let opened = config.connect(self.tls.clone()).await;
        let (client, connection) = opened.inspect_err(|_| {
            self.counts.failures.fetch_add(1, Ordering::Relaxed);
        })?;
        let driver = tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!(error = chain(&error), "a connection to Postgres ended");
            }
        });
        Ok((client, driver))
    }

    /// The first host of the address, for figures.
    pub(super) fn host(&self) -> &str {
        &self.host
    }

    /// Attempts and failures since this was last asked.
    pub(super) fn take_counts(&self) -> (u64, u64) {
        let take = |count: &AtomicU64| count.swap(0, Ordering::Relaxed);
        (take(&self.counts.attempts), take(&self.counts.failures))
    }
}

impl deadpool_postgres::Connect for Connector {
    fn connect(&self, config: &Config) -> BoxFuture<'_, Result<(Client, JoinHandle<()>), Error>> {
        let config = config.clone();
        Box::pin(async move { self.count(&config).await })
    }
}

/// What an address says of TLS.
#[derive(Debug, Default, PartialEq)]
struct Asked {
    mode: Option<String>,
    root: Option<String>,
}

impl Asked {
    /// Takes it out of the address, since the driver knows fewer modes and no files.
    fn take(url: &str) -> (String, Self) {
        let (url, mode) = take_parameter(url, "sslmode");
        let (url, root) = take_parameter(&url, "sslrootcert");
        (url, Self { mode, root })
    }
}

/// An error with its causes; the driver's own text is its first line only.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_says_of_tls_is_taken_out_of_it() {
        let url =
            "postgres://u:p%3Fq@h/d?application_name=x&sslmode=verify-ca&sslrootcert=/a%20b.pem";
        let (rest, asked) = Asked::take(url);
        assert_eq!(rest, "postgres://u:p%3Fq@h/d?application_name=x");
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(asked, Asked { mode: some("verify-ca"), root: some("/a b.pem") });
        let (rest, asked) = Asked::take("postgres://h/d?sslmode=require");
        assert_eq!((&*rest, asked.root), ("postgres://h/d", None));
    }

    #[test]
    fn a_mode_that_is_none_is_named_with_those_that_are() {
        for (query, said) in [
            ("sslmode=verify-some", "none of disable, prefer"),
            ("sslmode=verify-full&sslrootcert=/no/such/file.pem", "/no/such/file.pem"),
            ("sslmode=require&sslrootcert=system", "takes sslmode=verify-full"),
        ] {
            let read = Connector::read(&format!("postgres://h/d?{query}"));
            let error = read.map(drop).map_err(|error| error.to_string());
            assert!(error.as_ref().is_err_and(|error| error.contains(said)), "{query}: {error:?}");
        }
    }
}
