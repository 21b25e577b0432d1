//! `kill -9` in the middle of long work, again and again: it goes on from where it was, and what comes of it is what
//! would have come without.
//!
//! A test runs itself again as a child, which is the program; over its standard input it is told what to do.

mod builds;
mod checkpoints;
mod money;
mod seasons;

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, ChildStdin, Command, Stdio},
    time::Duration,
};

use mainstay_core::auth::Role;
use mainstay_testkit::{
    LossyStorage, Postgres,
    program::{Client, Engine, PASSWORD, Program, Setup, eventually},
};
use serde_json::json;
use tokio::sync::mpsc;

/// Set in the child: where its program keeps its things.
const FOLDER: &str = "SVC_BOARDS_KILLED_FOLDER";
const DATABASE: &str = "SVC_BOARDS_KILLED_DATABASE";
/// How long a child may take to answer a line.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// Where a program keeps its things while it lives again and again.
struct Place {
    folder: PathBuf,
    /// On Postgres.
    database: Option<String>,
    _own: Option<tempfile::TempDir>,
}

impl Place {
    async fn empty(engine: Engine) -> Self {
        let own = tempfile::tempdir().unwrap();
        let database = match engine {
            Engine::Sqlite => None,
            Engine::Postgres => Some(Postgres::shared().create_database().await.unwrap()),
        };
        Self { folder: own.path().to_owned(), database, _own: Some(own) }
    }

    /// In a child: the place of its program.
    fn inherited() -> Option<Self> {
        let folder = std::env::var_os(FOLDER)?.into();
        let database = std::env::var_os(DATABASE).and_then(|url| url.into_string().ok());
        Some(Self { folder, database, _own: None })
    }

    /// Starts a program here, in this process.
    async fn start(&self, setup: &Setup) -> Program {
        match &self.database {
            None => setup.start_in(&self.folder).await,
            Some(url) => setup.start_with(url, &self.folder).await,
        }
    }
}

/// In a child: is the program, and does what it is told until it is killed. `look` sees how far it has come.
async fn live(place: &Place, setup: &Setup, look: impl AsyncFn(&Program) -> Vec<i64>) {
    let house = place.start(setup).await;
    say(&house.address().to_string());
    loop {
        let line = tokio::task::spawn_blocking(|| std::io::stdin().lines().next());
        let Some(line) = line.await.unwrap() else { return };
        let line = line.unwrap();
        match line.split_once(' ').unwrap_or((&line, "")) {
            ("turn", seconds) => {
                house.clock().advance_s(seconds.parse().unwrap());
                say("");
            }
            ("work", name) => {
                house.work(name).await;
                say("");
            }
            _ => {
                let seen: Vec<String> = look(&house).await.iter().map(i64::to_string).collect();
                say(&seen.join(" "));
            }
        }
    }
}

/// In a child: a line for whoever tells it what to do, whatever else is printed.
fn say(text: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "\n> {text}").unwrap();
    out.flush().unwrap();
}

/// A program in a process of its own.
struct Life {
    child: Child,
    orders: ChildStdin,
    said: mpsc::Receiver<String>,
    keeper: Client,
}

impl Life {
    /// Runs the test `name` again as a program on `place`, with an administrator who is signed in.
    async fn start(name: &str, place: &Place, storage: Option<&LossyStorage>) -> Self {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "--nocapture", name]).env(FOLDER, &place.folder);
        command.envs(place.database.iter().map(|url| (DATABASE, url)));
        command.envs(storage.into_iter().flat_map(LossyStorage::environment));
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
        let orders = child.stdin.take().unwrap();
        let (heard, said) = mpsc::channel(1);
        std::thread::spawn(move || {
            for line in lines {
                if let Some(said) = line.strip_prefix("> ")
                    && heard.blocking_send(said.to_owned()).is_err()
                {
                    return;
                }
            }
        });
        let keeper = Client::stranger_at(([127, 0, 0, 1], 0).into());
        let mut life = Self { child, orders, said, keeper };
        let address: SocketAddr = life.hear().await.unwrap().parse().unwrap();
        life.keeper = sign_in(&life.keeper.moved_to(address)).await;
        life
    }

    /// What it says next; nothing if it has ended.
    async fn hear(&mut self) -> Option<String> {
        let said = tokio::time::timeout(ANSWER_WITHIN, self.said.recv()).await;
        said.unwrap_or_else(|_late| unreachable!("a child does not answer"))
    }

    /// Has it do something; what it says to that, or nothing if it has ended.
    async fn tell(&mut self, order: &str) -> Option<String> {
        // If it has ended, nothing is heard.
        drop(writeln!(self.orders, "{order}").and_then(|()| self.orders.flush()));
        self.hear().await
    }

    async fn turn(&mut self, seconds: i64) {
        self.tell(&format!("turn {seconds}")).await.unwrap();
    }

    /// Does once what is done again and again; `false` if it has ended.
    async fn work(&mut self, name: &str) -> bool {
        self.tell(&format!("work {name}")).await.is_some()
    }

    /// How far it has come; nothing if it has ended.
    async fn look(&mut self) -> Option<Vec<i64>> {
        let seen = self.tell("look").await?;
        Some(seen.split_whitespace().map(|number| number.parse().unwrap()).collect())
    }

    /// Waits until it has come as `far` and looks some more times; kills it and says how far it had come.
    async fn kill_when(mut self, far: impl Fn(&[i64]) -> bool, looks: usize) -> Vec<i64> {
        let mut seen = Vec::new();
        eventually("it goes on", async || {
            seen = self.look().await.unwrap();
            far(&seen)
        })
        .await;
        for _ in 0..looks {
            seen = self.look().await.unwrap();
        }
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        seen
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        // It has ended already, unless the test has failed.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// Makes the administrator whom each life signs in.
async fn keeper(house: &Program) -> Client {
    house.person_as(Role::Admin, "keeper").await
}

async fn sign_in(stranger: &Client) -> Client {
    let login = json!({ "login": "keeper", "password": PASSWORD });
    let answer = stranger.post("/api/v1/auth/login", login).await.expect(200);
    stranger.clone().signed_in(&answer)
}
