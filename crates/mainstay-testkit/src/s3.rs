//! An S3 server for tests.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::EngineError;
use crate::child::{Child, Spec, private_folder};
use crate::error::chain;
use crate::tools::{MOTO, tool};

const ENGINE: &str = "moto_server";
const READY: &str = "Running on ";

/// A server that speaks S3, conditional puts included, and keeps its objects in memory; ended when dropped and when
/// the test process ends. It checks that requests are signed, but takes any key.
#[derive(Debug)]
pub struct S3 {
    endpoint: String,
    buckets: AtomicU32,
    // Held for its end.
    _child: Child,
}

impl S3 {
    /// An access key that it takes.
    pub const ACCESS_KEY: &'static str = "test";
    /// The secret to [`S3::ACCESS_KEY`].
    pub const SECRET_KEY: &'static str = "test";
    /// The region of its buckets.
    pub const REGION: &'static str = "us-east-1";

    /// The server that all tests of this process share; started by the first that asks.
    ///
    /// # Panics
    /// When it does not start, with a sentence that says why: a test without its engine must fail.
    #[expect(clippy::panic, reason = "a test without its engine must fail, not skip")]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<S3> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().unwrap_or_else(|error| panic!("{}", chain(&error))))
    }

    /// Starts a server of the test's own.
    ///
    /// # Errors
    /// When `cargo xtask setup` has not installed it, or it does not start.
    pub fn start() -> Result<Self, EngineError> {
        let program: PathBuf = tool(MOTO, "bin/moto_server")?;
        let folder = private_folder(ENGINE, None)?;
        let command = [&program.display().to_string(), "-H", "127.0.0.1", "-p", "0"];
        let child = Child::spawn(&Spec {
            engine: ENGINE,
            command: command.map(str::to_owned).to_vec(),
            folder: &folder,
            signal: "KILL",
            user: None,
        })?;
        let endpoint = child.wait_for(|line| {
            line.split_once(READY)?.1.split_whitespace().next().map(str::to_owned)
        })?;
        Ok(Self { endpoint, buckets: AtomicU32::new(0), _child: child })
    }

    /// Its address, such as `http://127.0.0.1:40123`; buckets are the first part of the path.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// Makes an empty bucket of the caller's own and returns its name.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn create_bucket(&self) -> Result<String, EngineError> {
        let name = format!("bucket-{}", self.buckets.fetch_add(1, Ordering::Relaxed));
        let request = reqwest::Client::new().put(format!("{}/{name}", self.endpoint)).send();
        let answered = request.await.and_then(reqwest::Response::error_for_status);
        let doing = format!("make the bucket `{name}`");
        answered.map_err(|error| EngineError::io(doing)(std::io::Error::other(error)))?;
        Ok(name)
    }

    /// The names of everything that is in a bucket; parts of uploads under way are not among them.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn objects(&self, bucket: &str) -> Result<Vec<String>, EngineError> {
        let request = reqwest::get(format!("{}/{bucket}?list-type=2", self.endpoint));
        let answered = async { request.await?.error_for_status()?.text().await };
        let doing = format!("list the bucket `{bucket}`");
        let listing = answered.await;
        let listing =
            listing.map_err(|error| EngineError::io(doing)(std::io::Error::other(error)))?;
        let names = listing.split("<Key>").skip(1).filter_map(|rest| rest.split_once("</Key>"));
        Ok(names.map(|(name, _)| name.to_owned()).collect())
    }
}
