//! A server process with a private folder, both gone when the test process is.
//!
//! Between the test and the server stands a keeper: a shell of ten lines that starts the server and then waits for
//! its own standard input to end. That pipe's other end lives in the test process, so it closes when the test drops
//! the [`Child`], panics, or is killed with -9; the keeper then ends the server and deletes the folder. A destructor
//! could do only the first two, and a parent-death signal (kept as the second line of defence, for when the keeper
//! itself is killed) follows a thread and deletes nothing.

use std::collections::VecDeque;
use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::EngineError;

/// Longest that an engine may take to say that it is ready, on a machine that is busy with other tests.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// How often an engine is started on a new port because somebody else was quicker.
const PORT_TRIES_MAX: usize = 8;
/// Lines kept of what an engine printed, for the error message.
const LOG_LINES_MAX: usize = 60;

/// Arguments: signal, folder, program and its arguments. The server's pid goes to standard error as one line, its
/// output to standard output, which the keeper then closes on its own side, so that the end of the output is the end
/// of the server.
const KEEPER: &str = r#"
signal=$1 folder=$2
shift 2
"$@" 2>&1 &
pid=$!
echo "$pid" >&2
exec >&- 2>/dev/null
read -r word
kill -s "$signal" "$pid"
wait "$pid"
[ "$word" = keep ] && exit
for try in 1 2 3 4 5 6 7 8 9 10; do rm -rf -- "$folder" && exit; sleep 0.2; done
"#;

/// What to start.
pub(crate) struct Spec<'a> {
    /// The engine's name in messages.
    pub(crate) engine: &'static str,
    /// The program and its arguments.
    pub(crate) command: Vec<String>,
    /// The private folder; deleted at the end.
    pub(crate) folder: &'a Path,
    /// What ends it at once and cleanly.
    pub(crate) signal: &'static str,
    /// Who runs it, when the tests run as root.
    pub(crate) user: Option<User>,
}

/// A running server.
#[derive(Debug)]
pub(crate) struct Child {
    engine: &'static str,
    keeper: std::process::Child,
    lifeline: Option<ChildStdin>,
    pid: Pid,
    log: Arc<Log>,
}

impl Child {
    pub(crate) fn spawn(spec: &Spec<'_>) -> Result<Self, EngineError> {
        let doing = format!("start {}", spec.engine);
        let mut keeper = Command::new("sh")
            .args(["-c", KEEPER, "keeper", spec.signal])
            .arg(spec.folder)
            .args(dying_with_parent(spec.user))
            .args(&spec.command)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            // Its own group: a Ctrl-C at the terminal must not end the keeper before it has cleaned up.
            .process_group(0)
            .spawn()
            .map_err(EngineError::io(&doing))?;
        let lifeline = keeper.stdin.take();
        let log = Arc::new(Log::default());
        let (Some(output), Some(mut first)) = (keeper.stdout.take(), keeper.stderr.take()) else {
            return Err(EngineError::io(&doing)(io::ErrorKind::BrokenPipe.into()));
        };
        let mut line = String::new();
        BufReader::new(&mut first).read_line(&mut line).map_err(EngineError::io(&doing))?;
        let pid = line.trim().parse().ok().and_then(Pid::from_raw).ok_or_else(|| {
            EngineError::Start { engine: spec.engine, log: format!("no process id: {line:?}") }
        })?;
        let sink = Arc::clone(&log);
        thread::spawn(move || sink.fill(BufReader::new(output)));
        Ok(Self { engine: spec.engine, keeper, lifeline, pid, log })
    }

    /// Waits until the server prints a line from which `pick` makes something.
    pub(crate) fn wait_for<T>(&self, pick: impl Fn(&str) -> Option<T>) -> Result<T, EngineError> {
        self.log
            .wait_for(pick, READY_WITHIN)
            .ok_or_else(|| EngineError::Start { engine: self.engine, log: self.log.text() })
    }

    /// The end of what the server printed.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    /// Ends the server; its folder stays.
    pub(crate) fn end_keeping_folder(mut self) -> Result<(), EngineError> {
        let doing = || EngineError::io(format!("stop {}", self.engine));
        if let Some(lifeline) = &mut self.lifeline {
            lifeline.write_all(b"keep\n").map_err(doing())?;
        }
        self.keeper.wait().map_err(doing())?;
        Ok(())
    }

    /// `kill -9` for the server and each process that it forked; returns when none of them runs.
    pub(crate) fn kill9(&self) -> Result<(), EngineError> {
        let children = children_of(self.pid);
        for pid in std::iter::once(self.pid).chain(children.iter().copied()) {
            match kill_process(pid, Signal::KILL) {
                Ok(()) | Err(rustix::io::Errno::SRCH) => {}
                Err(error) => {
                    return Err(EngineError::io(format!("kill {}", self.engine))(error.into()));
                }
            }
        }
        // The output ends when the last holder of it has ended.
        self.log.wait_for_end(READY_WITHIN);
        Ok(())
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        drop(self.lifeline.take());
        // The keeper waits for the server, so after this line port and folder are free. An error means that it is
        // gone already.
        self.keeper.wait().ok();
    }
}

/// Whom an engine runs as when the tests run as root, which Postgres and Chromium refuse.
#[derive(Debug, Clone, Copy)]
pub(crate) struct User {
    pub(crate) uid: u32,
    pub(crate) gid: u32,
}

/// An unprivileged user of this machine, or none when the tests do not run as root.
pub(crate) fn unprivileged() -> Option<User> {
    if !geteuid().is_root() {
        return None;
    }
    let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
    ["postgres", "nobody"].iter().find_map(|name| {
        let line = passwd.lines().find(|line| line.split(':').next() == Some(name))?;
        let mut fields = line.split(':').skip(2);
        Some(User { uid: fields.next()?.parse().ok()?, gid: fields.next()?.parse().ok()? })
    })
}

/// `setpriv` and its options before a program's name; nothing on systems without it.
pub(crate) fn dying_with_parent(user: Option<User>) -> Vec<String> {
    if !cfg!(target_os = "linux") {
        return Vec::new();
    }
    let mut words = vec!["setpriv".to_owned(), "--pdeathsig=KILL".to_owned()];
    if let Some(User { uid, gid }) = user {
        words.extend([format!("--reuid={uid}"), format!("--regid={gid}")]);
        words.push("--clear-groups".to_owned());
    }
    words
}

/// `program`, run by `user` and ended when this process ends.
pub(crate) fn as_engine(program: &str, user: Option<User>) -> Command {
    let mut words = dying_with_parent(user).into_iter().chain([program.to_owned()]);
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    command
}

/// Runs `command` to its end; what it said is in the error when it fails.
pub(crate) fn run(command: &mut Command, doing: &str) -> Result<(), EngineError> {
    let output = command.output().map_err(EngineError::io(doing))?;
    if output.status.success() {
        return Ok(());
    }
    let log = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(EngineError::io(doing)(std::io::Error::other(log)))
}

/// A new private folder, owned by whoever runs the engine. Its deletion is the keeper's.
pub(crate) fn private_folder(engine: &str, user: Option<User>) -> Result<PathBuf, EngineError> {
    let doing = "make a temporary folder";
    let folder = tempfile::Builder::new()
        .prefix(&format!("mainstay-{engine}-"))
        .tempdir()
        .map_err(EngineError::io(doing))?
        .keep();
    if let Some(User { uid, gid }) = user {
        std::os::unix::fs::chown(&folder, Some(uid), Some(gid)).map_err(EngineError::io(doing))?;
    }
    Ok(folder)
}

/// Calls `start` with a free port, and with another one if somebody else takes the port before the engine does. When
/// it gives up,
/// `folder` is deleted.
pub(crate) fn on_a_free_port(
    folder: &Path,
    mut start: impl FnMut(u16) -> Result<(), EngineError>,
) -> Result<(), EngineError> {
    let mut left = PORT_TRIES_MAX;
    loop {
        left -= 1;
        match free_port().and_then(&mut start) {
            Err(EngineError::Start { log, .. }) if left > 0 && log.contains("already in use") => {}
            Ok(()) => return Ok(()),
            Err(error) => {
                fs::remove_dir_all(folder).ok();
                return Err(error);
            }
        }
    }
}

fn free_port() -> Result<u16, EngineError> {
    let listener =
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(EngineError::io("find a free port"))?;
    Ok(listener.local_addr().map_err(EngineError::io("find a free port"))?.port())
}

/// The path of an installed program.
pub(crate) fn find_program(
    program: &'static str,
    folders: impl IntoIterator<Item = PathBuf>,
) -> Result<PathBuf, EngineError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    folders
        .into_iter()
        .chain(std::env::split_paths(&path))
        .map(|folder| folder.join(program))
        .find(|file| file.is_file())
        .ok_or(EngineError::Missing { program })
}

fn children_of(pid: Pid) -> Vec<Pid> {
    let pid = pid.as_raw_nonzero();
    fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|child| child.parse().ok().and_then(Pid::from_raw))
        .collect()
}

/// The last lines of a server, and a way to wait for one.
#[derive(Debug, Default)]
struct Log {
    state: Mutex<LogState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct LogState {
    lines: VecDeque<String>,
    ended: bool,
}

impl Log {
    fn fill(&self, output: impl BufRead) {
        for line in output.lines().map_while(Result::ok) {
            let mut state = self.lock();
            if state.lines.len() == LOG_LINES_MAX {
                state.lines.pop_front();
            }
            state.lines.push_back(line);
            self.changed.notify_all();
        }
        self.lock().ended = true;
        self.changed.notify_all();
    }

    fn wait_for<T>(&self, pick: impl Fn(&str) -> Option<T>, within: Duration) -> Option<T> {
        let mut found = None;
        let waiting = |state: &mut LogState| {
            found = state.lines.iter().find_map(|line| pick(line));
            found.is_none() && !state.ended
        };
        drop(self.changed.wait_timeout_while(self.lock(), within, waiting));
        found
    }

    fn wait_for_end(&self, within: Duration) {
        drop(self.changed.wait_timeout_while(self.lock(), within, |state| !state.ended));
    }

    fn text(&self) -> String {
        self.lock().lines.iter().map(String::as_str).collect::<Vec<_>>().join("\n")
    }

    fn lock(&self) -> MutexGuard<'_, LogState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
