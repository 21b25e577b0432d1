//! Nakama, a game server with leaderboards that many use: an executable that the reader has built, on a Postgres of its
//! own that syncs each commit.
//!
//! Its settings are its defaults, save for where it listens, how long a token lives, and its telemetry, which is off.
//! Each owner is a user who has signed in by a device and writes with a token of its own, as its clients do.

use std::{
    fs::{self, File},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    time::Duration,
};

use anyhow::{Context as _, bail, ensure};
use mainstay_testkit::Postgres;
use serde_json::Value;
use tempfile::TempDir;
use tokio::task::JoinSet;

use crate::{
    client::{Connection, Load, callers_from_afar, request},
    server::cpu_s_of,
};

/// Its key for clients, `defaultkey`, as it is unless somebody changes it.
const CLIENT: &str = "authorization: Basic ZGVmYXVsdGtleTo=\r\n";
/// Not only its users may write, the last score counts, it is never reset, and entries have ranks.
const MODULE: &str = r#"
local nakama = require("nakama")
nakama.leaderboard_create("bench", false, "desc", "set", "", {}, true)
"#;
const TOKEN_LIFE_S: &str = "86400";
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How many sign in at the same time.
const NEWCOMERS: u64 = 64;
/// How often free ports in a row are looked for.
const PORT_TRIES_MAX: usize = 100;
/// Of its log, in an error.
const LOG_LINES_MAX: usize = 20;

/// A running Nakama with a leaderboard `bench` on which each owner has a score; ends when dropped.
pub struct Nakama {
    child: Child,
    address: SocketAddr,
    version: String,
    owners: Arc<[Owner]>,
    folder: TempDir,
    _postgres: Postgres,
}

struct Owner {
    id: String,
    authorization: String,
}

/// What is read of the leaderboard.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The first 100.
    Top,
    /// 11 around an owner.
    Around,
}

impl Nakama {
    /// Starts `program` on an empty database and lets `owners` users sign in and write a score each.
    ///
    /// # Errors
    /// If it does not start, refuses a user, or answers a page with fewer entries than are to be measured.
    pub async fn start(program: &Path, owners: u64) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir().context("make a folder for Nakama")?;
        let modules = folder.path().join("modules");
        fs::create_dir(&modules).context("make a folder for Nakama's module")?;
        fs::write(modules.join("bench.lua"), MODULE).context("write Nakama's module")?;
        let postgres = Postgres::durable().context("start Nakama's Postgres")?;
        let url = postgres.create_database().await?;
        let database = url.trim_start_matches("postgres://");
        let log = log_of(&folder);

        let version = command(program, &log)?.arg("--version").stdout(Stdio::piped()).output();
        let version = version.with_context(|| format!("start {}", program.display()))?.stdout;
        let version = String::from_utf8_lossy(&version).trim().to_owned();
        let migrated = command(program, &log)?
            .args(["migrate", "up", "--database.address", database])
            .status()
            .context("make Nakama's tables")?;
        ensure!(migrated.success(), "Nakama did not make its tables:\n{}", end_of(&log));

        let first = free_ports()?;
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, first + 2));
        let child = command(program, &log)?
            .args(["--name", "bench", "--database.address", database])
            .args(["--session.token_expiry_sec", TOKEN_LIFE_S])
            .args(["--socket.address", "127.0.0.1", "--console.address", "127.0.0.1"])
            .args(["--socket.port", &address.port().to_string()])
            .args(["--console.port", &(first + 3).to_string()])
            .arg("--runtime.path")
            .arg(&modules)
            .arg("--data_dir")
            .arg(folder.path())
            .spawn()
            .context("start Nakama")?;
        let owned = Arc::new([]);
        let mut nakama =
            Self { child, address, version, owners: owned, folder, _postgres: postgres };
        nakama.wait().await?;
        nakama.owners = sign_in(address, owners).await?.into();
        nakama.check(Page::Top, 100).await?;
        nakama.check(Page::Around, 11).await?;
        Ok(nakama)
    }

    /// What it says that it is.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Seconds of processor time that it has used, without its Postgres.
    ///
    /// # Errors
    /// If it is gone.
    pub fn cpu_s(&self) -> anyhow::Result<f64> {
        cpu_s_of(&format!("/proc/{}/stat", self.child.id()))
    }

    /// Lets `count` callers write for `time` what `score` says of an owner's place and the number of the call.
    /// Neighbours in time are of different owners.
    ///
    /// # Errors
    /// As [`callers_from_afar`].
    pub async fn write(
        &self,
        count: usize,
        time: Duration,
        score: impl Fn(u64) -> (u64, u64) + Clone + Send + Sync + 'static,
    ) -> anyhow::Result<Load> {
        self.load(count, time, move |owners, number| {
            let (owner, score) = score(number);
            let owner = owners.get(owner as usize).context("find an owner")?;
            Ok(written(&owner.authorization, score))
        })
        .await
    }

    /// Lets `count` callers read `page` for `time`.
    ///
    /// # Errors
    /// As [`callers_from_afar`].
    pub async fn read(&self, count: usize, time: Duration, page: Page) -> anyhow::Result<Load> {
        self.load(count, time, move |owners, _| asked(owners, page)).await
    }

    async fn load(
        &self,
        count: usize,
        time: Duration,
        next: impl Fn(&[Owner], u64) -> anyhow::Result<String> + Clone + Send + Sync + 'static,
    ) -> anyhow::Result<Load> {
        let (owners, address) = (self.owners.clone(), self.address);
        let call = move |mut connection: Connection, number: u64| {
            let request = next(&owners, number);
            async move {
                let (status, _) = connection.send(request?.as_bytes()).await?;
                Ok((connection, status == 200))
            }
        };
        callers_from_afar(count, time, move || Connection::new(address), call).await
    }

    /// Fails unless `page` has `count` entries, each with its rank: what is measured must be what was meant.
    async fn check(&self, page: Page, count: usize) -> anyhow::Result<()> {
        let mut connection = Connection::new(self.address);
        let answer = send(&mut connection, &asked(&self.owners, page)?).await?;
        let records = answer["records"].as_array().map(Vec::as_slice).unwrap_or_default();
        let ranked = records.iter().filter(|record| record["rank"].is_string()).count();
        ensure!(
            ranked == count,
            "Nakama's page has {ranked} ranked entries, not {count}: {answer}"
        );
        Ok(())
    }

    /// Returns when it answers.
    async fn wait(&mut self) -> anyhow::Result<()> {
        let log = log_of(&self.folder);
        let (child, address) = (&mut self.child, self.address);
        let ready = async {
            loop {
                if let Some(status) = child.try_wait().context("look after Nakama")? {
                    bail!("Nakama ended, {status}:\n{}", end_of(&log));
                }
                let hello = request("", "GET", "/", "");
                if let Ok((200, _)) = Connection::new(address).send(hello.as_bytes()).await {
                    return Ok(());
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        let ready = tokio::time::timeout(READY_WITHIN, ready).await;
        ready.with_context(|| format!("wait for Nakama, which said:\n{}", end_of(&log)))?
    }
}

impl Drop for Nakama {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// `program`, which logs into `log` and tells nobody that it runs.
fn command(program: &Path, log: &Path) -> anyhow::Result<Command> {
    let log = File::options().create(true).append(true).open(log).context("open Nakama's log")?;
    let mut command = Command::new(program);
    command
        .env("NAKAMA_TELEMETRY", "0")
        .stdin(Stdio::null())
        .stdout(log.try_clone().context("open Nakama's log")?)
        .stderr(log);
    Ok(command)
}

fn log_of(folder: &TempDir) -> PathBuf {
    folder.path().join("nakama.log")
}

fn end_of(log: &Path) -> String {
    let text = fs::read_to_string(log).unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.get(lines.len().saturating_sub(LOG_LINES_MAX)..).unwrap_or_default().join("\n")
}

/// The first of four free ports in a row. It is told the ports of HTTP, and takes for gRPC the one before the clients'
/// and the third before the console's.
fn free_ports() -> anyhow::Result<u16> {
    for _ in 0..PORT_TRIES_MAX {
        let free = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let one = free(0).context("find a free port")?;
        let first = one.local_addr().context("find a free port")?.port();
        let others = (1..4).map(|more| free(first.checked_add(more)?).ok());
        if others.collect::<Option<Vec<_>>>().is_some() {
            return Ok(first);
        }
    }
    bail!("no four ports in a row are free")
}

/// Users who are new, each with a first score.
async fn sign_in(address: SocketAddr, count: u64) -> anyhow::Result<Vec<Owner>> {
    let mut all = JoinSet::new();
    for first in 0..NEWCOMERS {
        all.spawn(async move {
            let (mut some, mut connection) = (Vec::new(), Connection::new(address));
            for number in (first..count).step_by(NEWCOMERS as usize) {
                let owner = newcomer(&mut connection, number).await;
                some.push(owner.with_context(|| format!("let user {number} sign in"))?);
            }
            anyhow::Ok(some)
        });
    }
    let mut owners = Vec::new();
    while let Some(some) = all.join_next().await {
        owners.append(&mut some.context("a newcomer panicked")??);
    }
    Ok(owners)
}

async fn newcomer(connection: &mut Connection, number: u64) -> anyhow::Result<Owner> {
    let path = format!("/v2/account/authenticate/device?create=true&username=owner{number:05}");
    let device = format!("{{\"id\":\"device-of-owner-{number:05}\"}}");
    let session = send(connection, &request(CLIENT, "POST", &path, &device)).await?;
    let token = session["token"].as_str().context("a sign-in has no token")?;
    let authorization = format!("authorization: Bearer {token}\r\n");
    // A score of 0 would be left out of the answer.
    let score = number + 1;
    let record = send(connection, &written(&authorization, score)).await?;
    let id = record["owner_id"].as_str().context("a record has no owner")?.to_owned();
    let kept = record["score"].as_str().and_then(|kept| kept.parse().ok());
    ensure!(kept == Some(score), "another score was kept: {record}");
    Ok(Owner { id, authorization })
}

fn written(authorization: &str, score: u64) -> String {
    let body = format!("{{\"score\":{score}}}");
    request(authorization, "POST", "/v2/leaderboard/bench", &body)
}

fn asked(owners: &[Owner], page: Page) -> anyhow::Result<String> {
    let owner = owners.first().context("find an owner")?;
    let path = match page {
        Page::Top => "/v2/leaderboard/bench?limit=100".to_owned(),
        Page::Around => format!("/v2/leaderboard/bench/owner/{}?limit=11", owner.id),
    };
    Ok(request(&owner.authorization, "GET", &path, ""))
}

async fn send(connection: &mut Connection, request: &str) -> anyhow::Result<Value> {
    let (status, answer) = connection.send(request.as_bytes()).await?;
    ensure!(status == 200, "Nakama: {status}: {}", String::from_utf8_lossy(answer));
    serde_json::from_slice(answer).context("read Nakama's answer")
}
