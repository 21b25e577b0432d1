//! The built executable in a folder of its own.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, ChildStdout, Command, Output, Stdio},
};

use serde_json::Value;

/// A file of the sources, by its path from the root.
pub(crate) fn source(path: &str) -> PathBuf {
    let here = std::env::var_os("CARGO_MANIFEST_DIR").unwrap();
    fs::canonicalize(Path::new(&here).join("../..").join(path)).unwrap()
}

/// A picture as a camera makes it.
pub(crate) fn photograph() -> PathBuf {
    source("crates/svc-feed/tests/data/rocket.jpg")
}

/// An empty folder, in which the program finds no configuration but what a test puts there.
pub(crate) struct Place(tempfile::TempDir);

impl Place {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    /// The program with these words; nothing of the test's own environment sets a key.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mainstay"));
        command.args(words.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("MAINSTAY_") {
                command.env_remove(name);
            }
        }
        command
    }

    pub(crate) fn run(&self, words: &str) -> Ended {
        Ended::from(self.command(words).output().unwrap())
    }

    /// Runs with `input` on standard input.
    pub(crate) fn run_with(&self, words: &str, input: &str) -> Ended {
        let mut command = self.command(words);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        Ended::from(child.wait_with_output().unwrap())
    }

    /// Starts `serve` on a free port and waits until it is ready.
    pub(crate) fn serve(&self) -> Serving {
        self.serve_with("")
    }

    /// The same with more flags.
    pub(crate) fn serve_with(&self, flags: &str) -> Serving {
        self.start(&format!("serve --listen 127.0.0.1:0 {flags}"))
    }

    /// Starts a command that serves, and waits for its first line.
    pub(crate) fn start(&self, words: &str) -> Serving {
        let mut child = self.command(words).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let mut ready = String::new();
        stdout.read_line(&mut ready).unwrap();
        Serving { child, stdout, ready: ready.trim_end().to_owned() }
    }
}

/// What a command did.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// What it printed, after it ended well.
    pub(crate) fn printed(self) -> String {
        assert_eq!((self.code, self.stderr.as_str()), (Some(0), ""), "{self:?}");
        self.stdout
    }

    pub(crate) fn printed_json(self) -> Value {
        serde_json::from_str(&self.printed()).unwrap()
    }

    /// What it complained about, after it ended with `code` and printed no result.
    pub(crate) fn complained(self, code: i32) -> String {
        assert_eq!((self.code, self.stdout.as_str()), (Some(code), ""), "{self:?}");
        self.stderr
    }
}

/// A running program. It is killed if the test ends before it.
pub(crate) struct Serving {
    child: Child,
    stdout: BufReader<ChildStdout>,
    /// The line that it printed when it was ready.
    pub(crate) ready: String,
}

impl Serving {
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Where it listens, as `127.0.0.1:PORT`.
    pub(crate) fn address(&self) -> &str {
        let (_, rest) =
            self.ready.split_once("http://").unwrap_or_else(|| panic!("`{}`", self.ready));
        rest.split('"').next().unwrap_or_default()
    }

    /// The first line of the answer to a GET.
    pub(crate) fn get(&self, path: &str) -> String {
        self.head_of(path).lines().next().unwrap_or_default().to_owned()
    }

    /// The same with an access token.
    pub(crate) fn get_as(&self, token: &str, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        let head = "host: x\r\nconnection: close\r\nauthorization: Bearer";
        write!(stream, "GET {path} HTTP/1.1\r\n{head} {token}\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.lines().next().unwrap_or_default().to_owned()
    }

    /// The status and headers of the answer to a GET.
    pub(crate) fn head_of(&self, path: &str) -> String {
        let answer = self.answer_to(path);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        String::from_utf8(answer[..end].to_vec()).unwrap()
    }

    /// The status and headers of the answer to a GET over a connection that may be kept.
    pub(crate) fn kept_head_of(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
        let mut lines = BufReader::new(stream).lines().map(|line| line.unwrap().to_lowercase());
        let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        head.join("\n").replacen("http/1.1", "HTTP/1.1", 1)
    }

    /// The JSON that a GET is answered with.
    pub(crate) fn get_json(&self, path: &str) -> Value {
        let answer = self.answer_to(path);
        let end = answer.windows(4).position(|four| four == b"\r\n\r\n").unwrap();
        serde_json::from_slice(&answer[end + 4..]).unwrap()
    }

    /// The first line of the answer to a GET with this access token or key.
    pub(crate) fn get_with(&self, path: &str, token: &str) -> String {
        let answer = self.answer_with(path, &format!("authorization: Bearer {token}\r\n"));
        String::from_utf8_lossy(&answer).lines().next().unwrap_or_default().to_owned()
    }

    fn answer_to(&self, path: &str) -> Vec<u8> {
        self.answer_with(path, "")
    }

    fn answer_with(&self, path: &str, headers: &str) -> Vec<u8> {
        let mut stream = TcpStream::connect(self.address()).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\n{headers}connection: close\r\n\r\n")
            .unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).unwrap();
        answer
    }

    /// The whole answer to a POST of JSON.
    pub(crate) fn post(&self, path: &str, body: &Value) -> String {
        let body = body.to_string();
        let mut stream = TcpStream::connect(self.address()).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-type: application/json\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    /// `kill -9`; returns when the process is gone.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    pub(crate) fn signal(&self, name: &str) {
        let order = format!("kill -{name} {}", self.pid());
        assert!(Command::new("sh").args(["-c", &order]).status().unwrap().success());
    }

    /// Waits for the end; returns its code and what it printed after the first line.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let mut rest = String::new();
        self.stdout.read_to_string(&mut rest).unwrap();
        (self.child.wait().unwrap().code(), rest)
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
