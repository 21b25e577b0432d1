//! `cargo xtask setup`: installs what tests need, from the system's own packages.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, bail};

use crate::run::{installed, run as run_command, succeeds, target_dir};

/// Install what tests need (with --bench: also what benchmarks need) from the system's packages.
///
/// Runs as often as you like: what is there is left alone. On Debian and Ubuntu it uses apt-get, with sudo when not
/// root; elsewhere it prints what to install by hand. Servers are installed as programs only: tests start their own
/// on free ports and in temporary folders, so the services that a package starts are stopped again.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// Also install what `cargo xtask bench` needs.
    #[arg(long)]
    bench: bool,
}

/// A part that tests or benchmarks use.
struct Part {
    /// Debian's name of the package.
    package: &'static str,
    why: &'static str,
    here: fn() -> bool,
    /// The service that Debian starts on installation.
    service: Option<&'static str>,
}

const PARTS: &[Part] = &[
    Part {
        package: "postgresql",
        why: "integration tests run on SQLite and on a real Postgres",
        here: postgres_here,
        service: Some("postgresql"),
    },
    Part {
        package: "openssl",
        why: "makes the certificates of tests",
        here: || installed("openssl"),
        service: None,
    },
    Part {
        package: "redis-server",
        why: "the second level of the cache",
        here: || installed("redis-server"),
        service: Some("redis-server"),
    },
    Part {
        package: "nginx",
        why: "tests behind a real proxy, and the measure for served files",
        here: || installed("nginx"),
        service: Some("nginx"),
    },
    Part {
        package: "chromium",
        why: "the console is tested in a browser",
        here: || installed("chromium") || installed("chromium-browser"),
        service: None,
    },
    Part {
        package: "chromium-driver",
        why: "drives that browser",
        here: || installed("chromedriver"),
        service: None,
    },
    Part {
        package: "python3-venv",
        why: "tools from PyPI: an S3 server, and a tester of OpenAPI documents",
        here: || succeeds(Command::new("python3").args(["-c", "import ensurepip, venv"])),
        service: None,
    },
    Part {
        package: "procps",
        why: "tests look at processes",
        here: || installed("ps"),
        service: None,
    },
    Part {
        package: "util-linux",
        why: "setpriv ends servers with their test, and runs them as somebody other than root",
        here: || installed("setpriv"),
        service: None,
    },
];

const BENCH_PARTS: &[Part] = &[Part {
    package: "wrk",
    why: "an independent load generator",
    here: || installed("wrk"),
    service: None,
}];

/// A tool from PyPI, in an environment of its own below `tools` in the build folder.
struct Tool {
    /// The folder: name and version. `crates/mainstay-testkit/src/tools.rs` looks there.
    folder: &'static str,
    why: &'static str,
    /// What pip installs, at fixed versions, so that a new release fails nobody's build by surprise.
    packages: &'static [&'static str],
    /// Further words for pip.
    options: &'static [&'static str],
    /// What tests use, in the folder.
    file: &'static str,
}

const TOOLS: &[Tool] = &[
    Tool {
        folder: "schemathesis-4.32.5",
        why: "tries the OpenAPI document against the program",
        packages: &["schemathesis==4.32.5"],
        options: &[],
        file: "bin/schemathesis",
    },
    Tool {
        folder: "moto-5.2.5",
        why: "an S3 server, for pictures and video outside of a folder",
        packages: &["moto[s3]==5.2.5", "flask==3.1.3", "flask-cors==6.0.5"],
        options: &[],
        file: "bin/moto_server",
    },
    Tool {
        folder: "axe-core-4.12.1",
        why: "looks for what keeps people out of the console's pages",
        // It carries axe-core's script, which is all that is used of it; npm would need Node.js.
        packages: &["axe-playwright-python==0.1.8"],
        options: &["--no-deps", "--target", "."],
        file: "axe_playwright_python/axe.min.js",
    },
];

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let missing = missing(args.bench);
    if missing.is_empty() {
        println!("setup: every system package is here already");
    } else {
        install(&missing)?;
    }
    TOOLS.iter().try_for_each(install_tool)?;
    println!("setup: done; next: cargo xtask test");
    Ok(())
}

/// What tests need and this machine lacks, as one line for each; empty when all is here.
pub(crate) fn lacking() -> Vec<String> {
    let mut lines: Vec<String> = missing(false).iter().map(|part| line(part)).collect();
    let tools = TOOLS.iter().filter(|tool| !tool_here(tool).unwrap_or(false));
    lines.extend(tools.map(|tool| format!("{}: {}", tool.folder, tool.why)));
    lines
}

fn missing(bench: bool) -> Vec<&'static Part> {
    let more = if bench { BENCH_PARTS } else { &[] };
    PARTS.iter().chain(more).filter(|part| !(part.here)()).collect()
}

fn line(part: &Part) -> String {
    format!("{}: {}", part.package, part.why)
}

fn postgres_here() -> bool {
    let versions = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let in_version = |folder: PathBuf| {
        ["initdb", "postgres"].iter().all(|program| folder.join("bin").join(program).is_file())
    };
    versions.map(|version| version.path()).any(in_version)
        || (installed("initdb") && installed("postgres"))
}

fn install(parts: &[&Part]) -> anyhow::Result<()> {
    println!("setup: these are missing");
    for part in parts {
        println!("  {}", line(part));
    }
    if !installed("apt-get") {
        println!("setup: this system has no apt-get; please install by hand:");
        println!("  PostgreSQL 14 or newer (initdb and postgres in PATH), Redis 7, nginx,");
        println!(
            "  Chromium and its chromedriver of the same version, Python 3 with venv, ps, setpriv"
        );
        bail!("{} packages are missing and only apt-get is known here", parts.len());
    }
    if lists_are_empty() {
        println!("setup: apt-get update, because the package lists are empty");
        run_as_root(&["apt-get", "update"])?;
    }
    let mut words = vec!["env", "DEBIAN_FRONTEND=noninteractive"];
    words.extend(["apt-get", "install", "--yes", "--no-install-recommends"]);
    words.extend(parts.iter().map(|part| part.package));
    println!("setup: {}", words.join(" "));
    if run_as_root(&words).is_err() {
        println!("setup: the package lists may be old; apt-get update, then once more");
        run_as_root(&["apt-get", "update"])?;
        run_as_root(&words)?;
    }
    for service in parts.iter().filter_map(|part| part.service) {
        stop(service);
    }
    let still: Vec<&str> =
        parts.iter().filter(|part| !(part.here)()).map(|part| part.package).collect();
    if !still.is_empty() {
        bail!(
            "installed, but not found afterwards: {}. On Ubuntu, Chromium is a snap: \
             install it and its driver by hand",
            still.join(", ")
        );
    }
    Ok(())
}

fn lists_are_empty() -> bool {
    let files = fs::read_dir("/var/lib/apt/lists").into_iter().flatten().flatten();
    !files.map(|file| file.file_name()).any(|name| name.to_string_lossy().contains("Packages"))
}

/// Stops what a package has just started. Only packages that this run installed: a server that was here before is its
/// owner's.
fn stop(service: &str) {
    let systemd = Path::new("/run/systemd/system").is_dir();
    let words: &[&str] = if systemd {
        &["systemctl", "disable", "--now", service]
    } else {
        &["service", service, "stop"]
    };
    println!("setup: {} (tests start their own)", words.join(" "));
    // Without an init system nothing was started, and the command fails.
    if run_as_root(words).is_err() {
        println!("setup: {service} was not running");
    }
}

fn run_as_root(words: &[&str]) -> anyhow::Result<()> {
    let mut command = if rustix::process::geteuid().is_root() {
        Command::new("env")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.arg("env");
        sudo
    };
    run_command(command.args(words))
}

fn tools() -> anyhow::Result<PathBuf> {
    Ok(target_dir()?.join("tools"))
}

fn tool_here(tool: &Tool) -> anyhow::Result<bool> {
    Ok(tools()?.join(tool.folder).join(tool.file).is_file())
}

fn install_tool(tool: &Tool) -> anyhow::Result<()> {
    if tool_here(tool)? {
        println!("setup: {} is here already", tool.folder);
        return Ok(());
    }
    let folder = tools()?.join(tool.folder);
    println!("setup: {} ({}) from PyPI into {}", tool.folder, tool.why, folder.display());
    if folder.exists() {
        fs::remove_dir_all(&folder).context("delete a half-made Python environment")?;
    }
    run_command(Command::new("python3").args(["-m", "venv"]).arg(&folder))?;
    let mut pip = Command::new(folder.join("bin/pip"));
    pip.args(["install", "--quiet", "--disable-pip-version-check"]);
    // Options may name the folder as `.`.
    pip.args(tool.options).args(tool.packages).current_dir(&folder);
    run_command(&mut pip)
}
