//! A real Redis server for tests.

use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use crate::EngineError;
use crate::certificate::vouched_for;
use crate::child::{Child, Spec, find_program, on_a_free_port, private_folder, unprivileged};
use crate::error::chain;

const ENGINE: &str = "redis-server";
const READY: &str = "Ready to accept connections";
/// Databases of one server; each test takes one.
const DATABASES_MAX: u32 = 10_000;

/// A Redis server in a private folder, ended when dropped and when the test process ends.
#[derive(Debug)]
pub struct Redis {
    program: PathBuf,
    folder: PathBuf,
    settings: Vec<(&'static str, &'static str)>,
    encrypted: bool,
    port: u16,
    child: Option<Child>,
    databases: AtomicU32,
}

impl Redis {
    /// The server that all tests of this process share; started by the first that asks.
    ///
    /// # Panics
    /// When it does not start, with a sentence that says why: a test without its engine must fail.
    #[expect(clippy::panic, reason = "a test without its engine must fail, not skip")]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Redis> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().unwrap_or_else(|error| panic!("{}", chain(&error))))
    }

    /// Starts a server of the test's own that writes nothing to the disk: it forgets all when it is restarted.
    ///
    /// # Errors
    /// When Redis is not installed or does not start.
    pub fn start() -> Result<Self, EngineError> {
        Self::with(&[("appendonly", "no")])
    }

    /// Starts a server that syncs each write to its append-only file before it answers.
    ///
    /// # Errors
    /// As [`Redis::start`].
    pub fn durable() -> Result<Self, EngineError> {
        Self::with(&[("appendonly", "yes"), ("appendfsync", "always")])
    }

    /// Starts a server as [`Redis::start`] does that speaks TLS only, with a certificate for 127.0.0.1 that an
    /// authority vouches for: [`Redis::authority`].
    ///
    /// # Errors
    /// As [`Redis::start`], or when OpenSSL is not installed.
    pub fn encrypted() -> Result<Self, EngineError> {
        let mut redis = Self::unstarted(&[("appendonly", "no"), ("tls-auth-clients", "no")])?;
        vouched_for(&redis.folder, "127.0.0.1")?;
        redis.encrypted = true;
        redis.on_a_free_port()
    }

    /// The certificate of the authority of [`Redis::encrypted`], as a PEM file.
    pub fn authority(&self) -> PathBuf {
        self.folder.join("ca.crt")
    }

    fn with(settings: &[(&'static str, &'static str)]) -> Result<Self, EngineError> {
        Self::unstarted(settings)?.on_a_free_port()
    }

    fn unstarted(settings: &[(&'static str, &'static str)]) -> Result<Self, EngineError> {
        Ok(Self {
            program: find_program(ENGINE, [])?,
            folder: private_folder(ENGINE, unprivileged())?,
            settings: settings.to_vec(),
            encrypted: false,
            port: 0,
            child: None,
            databases: AtomicU32::new(0),
        })
    }

    fn on_a_free_port(mut self) -> Result<Self, EngineError> {
        let folder = self.folder.clone();
        on_a_free_port(&folder, |port| self.launch(port))?;
        Ok(self)
    }

    /// Takes an empty database of the caller's own and returns its `redis://` (or `rediss://`) address.
    ///
    /// Databases of one server share its memory limit and channels of PUBLISH.
    ///
    /// # Errors
    /// When all 10,000 are taken.
    pub fn create_database(&self) -> Result<String, EngineError> {
        let number = self.databases.fetch_add(1, Ordering::Relaxed);
        if number >= DATABASES_MAX {
            let full = std::io::Error::other(format!("all {DATABASES_MAX} are taken"));
            return Err(EngineError::io("take a Redis database")(full));
        }
        let scheme = if self.encrypted { "rediss" } else { "redis" };
        Ok(format!("{scheme}://127.0.0.1:{}/{number}", self.port))
    }

    /// The TCP port on 127.0.0.1; it stays the same after [`Redis::restart`].
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The end of the server's log.
    pub fn log(&self) -> String {
        self.child.as_ref().map(Child::log).unwrap_or_default()
    }

    /// `kill -9` for the server; returns when it does not run.
    ///
    /// # Errors
    /// When the system refuses the signal.
    pub fn kill9(&mut self) -> Result<(), EngineError> {
        self.child.as_ref().map_or(Ok(()), Child::kill9)
    }

    /// Starts the server again on the same folder and port; what it had not written to the disk is forgotten.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn restart(&mut self) -> Result<(), EngineError> {
        if let Some(child) = self.child.take() {
            child.end_keeping_folder()?;
        }
        self.launch(self.port)
    }

    fn launch(&mut self, port: u16) -> Result<(), EngineError> {
        let mut command = vec![self.program.display().to_string()];
        let mut set = |name: &str, value: &str| {
            command.extend([format!("--{name}"), value.to_owned()]);
        };
        let in_folder = |name: &str| self.folder.join(name).display().to_string();
        if self.encrypted {
            set("port", "0");
            set("tls-port", &port.to_string());
            set("tls-key-file", &in_folder("server.key"));
            set("tls-cert-file", &in_folder("server.crt"));
            set("tls-ca-cert-file", &in_folder("ca.crt"));
        } else {
            set("port", &port.to_string());
        }
        set("bind", "127.0.0.1");
        set("dir", &self.folder.display().to_string());
        set("databases", &DATABASES_MAX.to_string());
        set("save", "");
        for (name, value) in &self.settings {
            set(name, value);
        }
        let child = Child::spawn(&Spec {
            engine: ENGINE,
            command,
            folder: &self.folder,
            signal: "KILL",
            user: unprivileged(),
        })?;
        match child.wait_for(|line| line.contains(READY).then_some(())) {
            Ok(()) => {
                (self.port, self.child) = (port, Some(child));
                Ok(())
            }
            Err(error) => child.end_keeping_folder().and(Err(error)),
        }
    }
}
