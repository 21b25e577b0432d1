//! A real PostgreSQL server for tests.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};

use tokio_postgres::NoTls;

use crate::EngineError;
use crate::certificate::self_signed;
use crate::child::{
    Child, Spec, as_engine, find_program, on_a_free_port, private_folder, run, unprivileged,
};
use crate::error::chain;

const ENGINE: &str = "postgres";
const USER: &str = "mainstay";
const READY: &str = "database system is ready to accept connections";
const STANDBY_READY: &str = "database system is ready to accept read-only connections";

/// Settings of every server. Many short tests share one server, so connections are plenty and buffers small.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "127.0.0.1"),
    ("max_connections", "400"),
    ("shared_buffers", "64MB"),
    ("log_min_messages", "warning"),
];

/// What makes a test quick and a crash of the *machine* costly; a `kill -9` of the server loses nothing even so.
const QUICK: &[(&str, &str)] = &[("fsync", "off"), ("full_page_writes", "off")];

/// A PostgreSQL server in a private folder, ended when dropped and when the test process ends.
#[derive(Debug)]
pub struct Postgres {
    programs: PathBuf,
    folder: PathBuf,
    settings: Vec<(&'static str, &'static str)>,
    port: u16,
    child: Option<Child>,
    databases: AtomicU32,
}

impl Postgres {
    /// The server that all tests of this process share; started by the first that asks.
    ///
    /// # Panics
    /// When it does not start, with a sentence that says why: a test without its engine must fail.
    #[expect(clippy::panic, reason = "a test without its engine must fail, not skip")]
    pub fn shared() -> &'static Self {
        static SHARED: OnceLock<Postgres> = OnceLock::new();
        SHARED.get_or_init(|| Self::start().unwrap_or_else(|error| panic!("{}", chain(&error))))
    }

    /// Starts a server of the test's own, quick: fsync is off, so it survives `kill -9` but not a power cut.
    ///
    /// # Errors
    /// When PostgreSQL is not installed or does not start.
    pub fn start() -> Result<Self, EngineError> {
        Self::with(QUICK)
    }

    /// Starts a server of the test's own that syncs each commit to the disk, for tests about durability and its cost.
    ///
    /// # Errors
    /// As [`Postgres::start`].
    pub fn durable() -> Result<Self, EngineError> {
        Self::with(&[])
    }

    /// Starts a quick server of the test's own that speaks TLS too, with a certificate for 127.0.0.1 that signed
    /// itself: [`Postgres::certificate`].
    ///
    /// # Errors
    /// As [`Postgres::start`], or when OpenSSL is not installed.
    pub fn encrypted() -> Result<Self, EngineError> {
        let settings = [QUICK, &[("ssl", "on")]].concat();
        Self::prepared(&settings, |folder| {
            // Its key must be the server's own, so the server's user makes it.
            self_signed(&mut as_engine("openssl", unprivileged()), folder, "127.0.0.1")
        })
    }

    /// The certificate of [`Postgres::encrypted`], as a PEM file.
    pub fn certificate(&self) -> PathBuf {
        self.folder.join("server.crt")
    }

    fn with(more: &[(&'static str, &'static str)]) -> Result<Self, EngineError> {
        Self::prepared(more, |_folder| Ok(()))
    }

    fn prepared(
        more: &[(&'static str, &'static str)],
        prepare: impl FnOnce(&Path) -> Result<(), EngineError>,
    ) -> Result<Self, EngineError> {
        let programs = programs()?;
        let template = template(&programs)?;
        let folder = private_folder(ENGINE, unprivileged())?;
        run(Command::new("cp").arg("-a").arg(template.join(".")).arg(&folder), "copy a cluster")?;
        prepare(&folder)?;
        let mut postgres = Self {
            programs,
            folder,
            settings: SETTINGS.iter().chain(more).copied().collect(),
            port: 0,
            child: None,
            databases: AtomicU32::new(0),
        };
        let folder = postgres.folder.clone();
        on_a_free_port(&folder, |port| postgres.launch(port, READY))?;
        Ok(postgres)
    }

    /// Makes an empty database of the caller's own and returns its `postgres://` address.
    ///
    /// It lives as long as the server.
    ///
    /// # Errors
    /// When the server does not answer.
    pub async fn create_database(&self) -> Result<String, EngineError> {
        let name = format!("test_{}", self.databases.fetch_add(1, Ordering::Relaxed));
        self.run_sql(&format!("create database {name}")).await?;
        Ok(self.url(&name))
    }

    /// Runs a statement in the database `postgres`.
    async fn run_sql(&self, statement: &str) -> Result<(), EngineError> {
        let sql = |source| EngineError::Sql { doing: statement.to_owned(), source };
        let (client, connection) =
            tokio_postgres::connect(&self.url("postgres"), NoTls).await.map_err(sql)?;
        // The connection is polled beside its one statement and ends with it, so that no task is left behind.
        let work = async move {
            let done = client.batch_execute(statement).await;
            drop(client);
            done
        };
        let (done, closed) = tokio::join!(work, connection);
        done.and(closed).map_err(sql)
    }

    /// The address of the database `name`, which need not exist.
    pub fn url(&self, name: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{name}", self.port)
    }

    /// The TCP port on 127.0.0.1; it stays the same after [`Postgres::restart`].
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The end of the server's log.
    pub fn log(&self) -> String {
        self.child.as_ref().map(Child::log).unwrap_or_default()
    }

    /// `kill -9` for the server and all its backends; returns when none of them runs.
    ///
    /// # Errors
    /// When the system refuses the signal.
    pub fn kill9(&mut self) -> Result<(), EngineError> {
        self.child.as_ref().map_or(Ok(()), Child::kill9)
    }

    /// Starts the server again on the same folder and port, after [`Postgres::kill9`] or while it runs (then it is
    /// first ended without a checkpoint); returns when recovery is done and it accepts connections.
    ///
    /// # Errors
    /// When it does not come back.
    pub fn restart(&mut self) -> Result<(), EngineError> {
        if let Some(child) = self.child.take() {
            child.end_keeping_folder()?;
        }
        self.launch(self.port, READY)
    }

    /// Loses the server together with what is committed during `lost`, as when the machine of a primary breaks whose
    /// standby is behind: a copy from before `lost` is promoted at the same address, on a new timeline.
    ///
    /// Connections break when it begins and when it ends.
    ///
    /// # Errors
    /// When a server does not come up, or the copy cannot be made.
    pub async fn fail_over(&mut self, lost: impl Future<Output = ()>) -> Result<(), EngineError> {
        let standby = private_folder(ENGINE, unprivileged())?;
        let failed_over = self.fail_over_to(&standby, lost).await;
        if failed_over.is_err() {
            fs::remove_dir_all(&standby).map_err(EngineError::io("delete a copy"))?;
        }
        failed_over
    }

    async fn fail_over_to(
        &mut self,
        standby: &Path,
        lost: impl Future<Output = ()>,
    ) -> Result<(), EngineError> {
        if let Some(child) = self.child.take() {
            child.end_keeping_folder()?;
        }
        run(
            Command::new("cp").arg("-a").arg(self.folder.join(".")).arg(standby),
            "copy a cluster's folder",
        )?;
        self.launch(self.port, READY)?;
        lost.await;
        self.kill9()?;
        if let Some(child) = self.child.take() {
            child.end_keeping_folder()?;
        }
        fs::remove_dir_all(&self.folder).map_err(EngineError::io("delete what was lost"))?;
        standby.clone_into(&mut self.folder);
        fs::write(standby.join("standby.signal"), "").map_err(EngineError::io("make a standby"))?;
        self.launch(self.port, STANDBY_READY)?;
        self.run_sql("select pg_promote(true, 60)").await
    }

    fn launch(&mut self, port: u16, ready: &str) -> Result<(), EngineError> {
        let folder = self.folder.display().to_string();
        let mut command = vec![self.programs.join("postgres").display().to_string()];
        command.extend(["-D".to_owned(), folder.clone(), "-k".to_owned(), folder]);
        command.extend(["-p".to_owned(), port.to_string()]);
        for (name, value) in &self.settings {
            command.extend(["-c".to_owned(), format!("{name}={value}")]);
        }
        let child = Child::spawn(&Spec {
            engine: ENGINE,
            command,
            folder: &self.folder,
            // Immediate shutdown: no checkpoint, but unlike KILL it gives back its shared memory, of which a system
            // has few pieces.
            signal: "QUIT",
            user: unprivileged(),
        })?;
        match child.wait_for(|line| line.contains(ready).then_some(())) {
            Ok(()) => {
                (self.port, self.child) = (port, Some(child));
                Ok(())
            }
            // The folder is kept for another port.
            Err(error) => child.end_keeping_folder().and(Err(error)),
        }
    }
}

/// The folder with `initdb` and `postgres`: Debian keeps them out of `PATH`, one folder for each version.
fn programs() -> Result<PathBuf, EngineError> {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut folders: Vec<PathBuf> = versions.map(|entry| entry.path().join("bin")).collect();
    folders.sort_by_key(|folder| std::cmp::Reverse(version_of(folder)));
    let mut file = find_program("postgres", folders)?;
    file.pop();
    find_program("initdb", [file.clone()])?;
    Ok(file)
}

fn version_of(folder: &Path) -> u32 {
    let version = folder.parent().and_then(Path::file_name).and_then(|name| name.to_str());
    version.and_then(|version| version.parse().ok()).unwrap_or(0)
}

/// A fresh cluster that is made once for each user and version and then copied, which takes a tenth of the time of
/// `initdb`.
fn template(programs: &Path) -> Result<PathBuf, EngineError> {
    let user = unprivileged();
    let owner = user.map_or_else(|| rustix::process::geteuid().as_raw(), |user| user.uid);
    let version = version_of(programs);
    let template =
        std::env::temp_dir().join(format!("mainstay-postgres-template-{owner}-{version}-1"));
    match fs::symlink_metadata(&template) {
        Ok(found) if found.is_dir() && found.uid() == owner => return Ok(template),
        // The name can be guessed, so what somebody else has put there is not used.
        Ok(_) => {
            let other = std::io::Error::other("another user owns it; delete it");
            return Err(EngineError::io(format!("use `{}`", template.display()))(other));
        }
        Err(_) => {}
    }
    let fresh = private_folder("postgres-template", user)?;
    let mut initdb = as_engine(&programs.join("initdb").display().to_string(), user);
    initdb.arg("-D").arg(&fresh).args(["-U", USER]);
    initdb.args(["-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]);
    run(&mut initdb, "make a new cluster with initdb")?;
    // Another process may have been quicker: then its template is used and this one goes.
    if fs::rename(&fresh, &template).is_err() {
        fs::remove_dir_all(&fresh).map_err(EngineError::io("delete a second template"))?;
    }
    Ok(template)
}
