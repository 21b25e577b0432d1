//! Load by `wrk`, with the credentials of many people in turn.

use std::{fs, net::SocketAddr, path::Path, process::Command};

use anyhow::{Context as _, bail};

use crate::app::Person;

/// Each request carries the next person's header; the texts are made once.
const SCRIPT: &str = r#"
local requests, at = {}, 0
function init(args)
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("GET", nil, { ["Authorization"] = line })
  end
end
function request()
  at = at % #requests + 1
  return requests[at]
end
"#;

/// What a run gave.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Answers a second.
    pub per_s: f64,
    /// Answers in all.
    pub answers: f64,
    /// 99 of 100 answers came within this, in milliseconds.
    pub p99_ms: f64,
    /// Answers that were no success, and broken connections.
    pub failed: u64,
}

/// Writes what [`run`] needs into `folder`.
///
/// # Errors
/// If it cannot be written.
pub fn prepare(folder: &Path, people: &[Person]) -> anyhow::Result<()> {
    let lines: Vec<&str> = people.iter().map(|person| person.authorization.as_str()).collect();
    fs::write(folder.join("people"), lines.join("\n")).context("write the people down")?;
    fs::write(folder.join("load.lua"), SCRIPT).context("write the script")
}

/// `connections` kept alive, as many requests as are answered, for `seconds`, from the second processor.
///
/// # Errors
/// If wrk is not installed or says something else than it used to.
pub fn run(
    folder: &Path,
    address: SocketAddr,
    path: &str,
    connections: u32,
    seconds: u32,
) -> anyhow::Result<Load> {
    let output = Command::new("taskset")
        .args(["-c", "1", "wrk", "--latency", "-t1"])
        .arg(format!("-c{connections}"))
        .arg(format!("-d{seconds}s"))
        .arg("-s")
        .arg(folder.join("load.lua"))
        .arg(format!("http://{address}{path}"))
        .arg("--")
        .arg(folder.join("people"))
        .output()
        .context("start wrk; `cargo xtask setup --bench` installs it")?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    read(&text)
        .with_context(|| format!("wrk said:\n{text}{}", String::from_utf8_lossy(&output.stderr)))
}

fn read(text: &str) -> anyhow::Result<Load> {
    let line = |start: &str| {
        text.lines().find_map(|line| Some(line.trim().strip_prefix(start)?.trim().to_owned()))
    };
    let per_s = line("Requests/sec:").context("find Requests/sec")?.parse()?;
    let answers = text.lines().find_map(|line| line.split_once(" requests in "));
    let answers = answers.context("find the number of requests")?.0.trim().parse()?;
    let p99_ms = milliseconds(&line("99%").context("find 99%")?)?;
    let mut failed = 0;
    if let Some(bad) = line("Non-2xx or 3xx responses:") {
        failed += bad.parse::<u64>()?;
    }
    if let Some(broken) = line("Socket errors:") {
        let numbers = broken.split([' ', ',']).filter_map(|word| word.parse::<u64>().ok());
        failed += numbers.sum::<u64>();
    }
    Ok(Load { per_s, answers, p99_ms, failed })
}

fn milliseconds(text: &str) -> anyhow::Result<f64> {
    for (unit, factor) in [("us", 1e-3), ("ms", 1.0), ("s", 1e3)] {
        if let Some(number) = text.strip_suffix(unit) {
            return Ok(number.parse::<f64>()? * factor);
        }
    }
    bail!("`{text}` is no time")
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use super::*;

    #[test]
    fn what_wrk_prints_is_read() {
        let text = "Running 5s test @ http://127.0.0.1:1/\n  1 threads and 64 connections\n  \
            Latency Distribution\n     50%    1.02ms\n     99%  800.00us\n  \
            203 requests in 5.00s, 3.2MB read\n  Socket errors: connect 0, read 1, write 0, timeout 2\n  \
            Non-2xx or 3xx responses: 4\nRequests/sec:     40.60\nTransfer/sec:      0.6MB\n";
        let load = read(text).unwrap();
        assert_eq!((load.per_s, load.answers, load.p99_ms, load.failed), (40.6, 203.0, 0.8, 7));
    }
}
