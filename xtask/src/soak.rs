//! `cargo xtask soak`: the tests that CI runs a tenth of, in full, with a line for each in docs/reliability.md.

use std::{
    fs::OpenOptions,
    hash::{BuildHasher as _, RandomState},
    io::Write as _,
    process::Command,
};

use anyhow::{Context, bail};

use crate::run::{cargo, root, run as run_command};

/// Where the outcomes are kept.
const REPORT: &str = "docs/reliability.md";

/// A test that can go on for longer.
struct Soak {
    name: &'static str,
    about: &'static str,
    package: &'static str,
    /// Which test programs of it, as cargo names them.
    programs: &'static [&'static str],
    filter: &'static str,
    rounds: u64,
}

const SOAKS: &[Soak] = &[
    Soak {
        name: "kill",
        about: "kill -9 of the program on both engines, and of Postgres, during 64 writers",
        package: "mainstay",
        programs: &["--test", "it"],
        filter: "kill::",
        rounds: 100,
    },
    Soak {
        name: "scores",
        about: "kill -9 of the program on both engines while scores are added to a board",
        package: "mainstay",
        programs: &["--test", "it"],
        filter: "kill_scores::",
        rounds: 100,
    },
    Soak {
        name: "money",
        about: "kill -9 of the program on both engines while people join and leave and prizes are approved",
        package: "mainstay",
        programs: &["--test", "it"],
        filter: "kill_money::",
        rounds: 40,
    },
    Soak {
        name: "resync",
        about: "the same revisions of a day sent again in any order, eight at once, on both engines",
        package: "svc-boards",
        programs: &["--test", "it"],
        filter: "the_same_revisions_give_the_same_total",
        rounds: 1_000,
    },
    Soak {
        name: "ranking",
        about: "100,000 random operations on rankings, against a sorted list and a sorted set of Redis",
        package: "svc-boards",
        programs: &["--lib", "--test", "it"],
        filter: "engine::",
        rounds: 10,
    },
];

/// Run one of the long tests in full and note its outcome; without a name, list them.
#[derive(clap::Args)]
pub(crate) struct Args {
    /// The test's name.
    name: Option<String>,
    /// How many rounds instead of the full count.
    #[arg(long)]
    rounds: Option<u64>,
    /// The seed of an earlier run, to repeat its choices; a random one if absent.
    #[arg(long)]
    seed: Option<u64>,
}

pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    let Some(wanted) = &args.name else {
        for soak in SOAKS {
            println!("{:10} {} ({} rounds)", soak.name, soak.about, soak.rounds);
        }
        return Ok(());
    };
    let Some(soak) = SOAKS.iter().find(|soak| soak.name == wanted) else {
        let names: Vec<&str> = SOAKS.iter().map(|soak| soak.name).collect();
        bail!("there is no soak test `{wanted}`; there are: {}", names.join(", "));
    };
    let rounds = args.rounds.unwrap_or(soak.rounds);
    // The standard library seeds it from the system. Short, because it is read and typed by people.
    let seed = args.seed.unwrap_or_else(|| RandomState::new().hash_one(soak.name) % 1_000_000);
    println!("{}: {rounds} rounds with seed {seed}", soak.name);
    let mut words = vec!["test", "--package", soak.package];
    words.extend(soak.programs);
    words.extend(["--", soak.filter]);
    let mut command = cargo(words)?;
    command.env("MAINSTAY_SOAK_ROUNDS", rounds.to_string());
    command.env("MAINSTAY_SOAK_SEED", seed.to_string());
    // The program is built from what is there now, whatever is committed while it runs.
    let commit = commit()?;
    let done = run_command(&mut command);
    note(soak, rounds, seed, &commit, if done.is_ok() { "passed" } else { "failed" })?;
    done
}

/// Adds a line to the report.
fn note(soak: &Soak, rounds: u64, seed: u64, commit: &str, outcome: &str) -> anyhow::Result<()> {
    let day = said(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let line = format!("| {day} | {} | {rounds} | {seed} | {commit} | {outcome} |", soak.name);
    let report = OpenOptions::new().append(true).open(root()?.join(REPORT));
    let mut report = report.with_context(|| format!("open {REPORT}"))?;
    writeln!(report, "{line}").with_context(|| format!("write to {REPORT}"))?;
    println!("{line}");
    Ok(())
}

fn commit() -> anyhow::Result<String> {
    said(Command::new("git").args(["rev-parse", "--short=10", "HEAD"]).current_dir(root()?))
}

fn said(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output().with_context(|| format!("run {command:?}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
