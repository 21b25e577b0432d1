//! Servers beside each other, each a process of its own: the program, nginx, and bare axum.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use axum::{Router, routing::get};
use bytes::Bytes;
use http::header;

/// What says that this process is to be the bare axum server.
const BARE: &str = "serve-bare-axum";
/// Clock ticks a second in `/proc`; the kernel's interface has it fixed at 100.
const TICKS_PER_S: f64 = 100.0;
const READY_WITHIN: Duration = Duration::from_secs(20);

/// A running server; ends when dropped.
pub struct Server {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
    /// The processes that do the work.
    workers: Vec<u32>,
}

/// Which processors a server may use: all, or the first alone, so that the load has the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum On {
    /// Every processor.
    All,
    /// The first.
    First,
}

/// `program`, limited to the processors of `on`.
pub fn pinned(on: On, program: &Path) -> Command {
    match on {
        On::All => Command::new(program),
        On::First => {
            let mut command = Command::new("taskset");
            command.args(["-c", "0"]).arg(program);
            command
        }
    }
}

/// The program that `--program=PATH` names, else built as users get it.
///
/// # Errors
/// If it does not build.
pub fn build_mainstay() -> anyhow::Result<PathBuf> {
    let named =
        std::env::args().find_map(|word| word.strip_prefix("--program=").map(PathBuf::from));
    if let Some(program) = named {
        return Ok(program);
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo)
        .args(["build", "--release", "--quiet", "--package", "mainstay"])
        .status()
        .context("start cargo")?;
    if !built.success() {
        bail!("the program does not build");
    }
    let here = std::env::current_exe().context("find this program")?;
    let program = here.with_file_name("mainstay");
    Ok(program)
}

/// `mainstay serve` on `data`, without rate limits, logging to a file beside the data; `settings` are variables of its
/// environment.
///
/// # Errors
/// If it does not say that it is ready.
pub fn mainstay(
    program: &Path,
    data: &Path,
    on: On,
    settings: &[(&str, &str)],
) -> anyhow::Result<Server> {
    let mut command = pinned(on, program);
    command
        .args(["serve", "--listen", "127.0.0.1:0", "--data"])
        .arg(data)
        .env("MAINSTAY_LIMIT__ENABLED", "false")
        .env("MAINSTAY_LOG__FILE", data.join("mainstay.log"))
        .envs(settings.iter().copied())
        .stdout(Stdio::piped());
    let mut child = command.spawn().context("start mainstay")?;
    let output = child.stdout.take().context("read what mainstay says")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line).context("read what mainstay says")?;
    let address = line.trim().rsplit("http://").next().unwrap_or_default();
    let address = address.parse().with_context(|| format!("mainstay said `{line}`"))?;
    let workers = vec![child.id()];
    Ok(Server { child, address, workers })
}

/// nginx that serves the folder of `file`: one worker, sendfile, no cache of open files, no access log.
///
/// # Errors
/// If it is not installed or does not start.
pub fn nginx(file: &Path, on: On) -> anyhow::Result<Server> {
    let root = file.parent().context("find the file's folder")?;
    let address = free_address()?;
    let config = format!(
        "worker_processes 1; daemon off; pid {root}/nginx.pid; error_log {root}/nginx.err;\n\
         events {{ worker_connections 1024; }}\n\
         http {{ access_log off; sendfile on; tcp_nopush on; open_file_cache off; keepalive_requests 100000000;\n\
         types {{ application/json json; }}\n\
         server {{ listen {address}; root {root}; }} }}\n",
        root = root.display()
    );
    let config_file = root.join("nginx.conf");
    fs::write(&config_file, config).context("write nginx' configuration")?;
    // The folder is private to who runs this; nginx' worker must be able to enter it.
    let mut command = pinned(on, Path::new("nginx"));
    command.arg("-c").arg(&config_file).args(["-g", "user root;"]);
    let child = command
        .stderr(Stdio::null())
        .spawn()
        .context("start nginx; `cargo xtask setup --bench` installs it")?;
    let mut server = Server { child, address, workers: Vec::new() };
    server.wait()?;
    server.workers = children_of(server.child.id());
    Ok(server)
}

/// Bare axum that answers every request with the bytes of `file`: this program again, in a process of its own.
///
/// # Errors
/// If it does not start.
pub fn bare_axum(file: &Path, on: On) -> anyhow::Result<Server> {
    let address = free_address()?;
    let mut command = pinned(on, &std::env::current_exe().context("find this program")?);
    let child = command.arg(BARE).arg(address.to_string()).arg(file).spawn();
    let child = child.context("start bare axum")?;
    let workers = vec![child.id()];
    let server = Server { child, address, workers };
    server.wait()?;
    Ok(server)
}

/// Becomes the bare axum server if the arguments say so; to be called first in `main`.
///
/// # Errors
/// If it cannot listen.
pub fn be_bare_axum() -> anyhow::Result<bool> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, word, address, file] = arguments.as_slice() else { return Ok(false) };
    if word != BARE {
        return Ok(false);
    }
    let bytes = Bytes::from(fs::read(file).context("read the page")?);
    tokio::runtime::Runtime::new()?.block_on(async {
        let answer =
            move || async move { ([(header::CONTENT_TYPE, "application/json")], bytes.clone()) };
        let router = Router::new().route("/{*path}", get(answer));
        let listener = tokio::net::TcpListener::bind(address).await?;
        axum::serve(listener, router).await.context("serve")
    })?;
    Ok(true)
}

fn free_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("find a free port")?;
    listener.local_addr().context("find a free port")
}

impl Server {
    fn wait(&self) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < READY_WITHIN {
            if TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        bail!("nothing listens on {}", self.address)
    }

    /// Seconds of processor time that it has used, in user space and in the kernel.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn cpu_s(&self) -> anyhow::Result<f64> {
        let mut cpu_s = 0.0;
        for pid in &self.workers {
            cpu_s += cpu_s_of(&format!("/proc/{pid}/stat"))?;
        }
        Ok(cpu_s)
    }

    /// Resident memory in MB.
    ///
    /// # Errors
    /// If the process is gone.
    pub fn resident_mb(&self) -> anyhow::Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
        Ok(kib.context("find VmRSS")? * 1_024.0 / 1e6)
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // nginx' master ends its worker on TERM; a kill would leave it.
        let told = Command::new("kill").arg(self.child.id().to_string()).status();
        if !told.is_ok_and(|status| status.success()) {
            self.child.kill().ok();
        }
        self.child.wait().ok();
    }
}

/// Seconds of processor time in a `stat` file of a process or thread.
///
/// # Errors
/// If it is gone.
pub fn cpu_s_of(stat: &str) -> anyhow::Result<f64> {
    let stat = fs::read_to_string(stat).with_context(|| format!("read {stat}"))?;
    // The name, in brackets, may hold anything; the fields after it do not.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    let ticks = fields.skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok());
    Ok(ticks.sum::<f64>() / TICKS_PER_S)
}

/// The same of this process' thread `name`; 0 if there is none.
pub fn cpu_s_of_thread(name: &str) -> f64 {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let named = threads.map(|thread| thread.path()).filter(|folder| {
        fs::read_to_string(folder.join("comm")).is_ok_and(|comm| comm.trim() == name)
    });
    named.filter_map(|folder| cpu_s_of(&folder.join("stat").display().to_string()).ok()).sum()
}

fn children_of(pid: u32) -> Vec<u32> {
    let text = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    text.split_whitespace().filter_map(|child| child.parse().ok()).collect()
}
