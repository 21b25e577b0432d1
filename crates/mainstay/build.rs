//! Tells `mainstay version` what a release was built from: commit, day and target.
//!
//! Each can be given in the environment, for builds without a `.git` folder. Debug builds carry none, so that a commit
//! does not make the program be built again.
#![expect(clippy::disallowed_methods, reason = "a build is described by its clock and environment")]

use std::{env, path::Path, process::Command};

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for name in ["MAINSTAY_BUILD_COMMIT", "MAINSTAY_BUILD_DATE", "SOURCE_DATE_EPOCH"] {
        println!("cargo::rerun-if-env-changed={name}");
    }
    if env::var("PROFILE").as_deref() != Ok("release") {
        return;
    }
    set("MAINSTAY_BUILD_TARGET", env::var("TARGET").ok());
    set("MAINSTAY_BUILD_COMMIT", env::var("MAINSTAY_BUILD_COMMIT").ok().or_else(commit));
    set("MAINSTAY_BUILD_DATE", env::var("MAINSTAY_BUILD_DATE").ok().or_else(date));
}

fn set(name: &str, value: Option<String>) {
    if let Some(value) = value {
        println!("cargo::rustc-env={name}={value}");
    }
}

/// The commit that is checked out; none without git or outside of a repository.
fn commit() -> Option<String> {
    // Sources that were unpacked inside of some other repository are not its commit.
    if git(&["rev-parse", "--show-prefix"])? != "crates/mainstay/" {
        return None;
    }
    // The log of HEAD grows with every commit and checkout, in a linked work tree too.
    let log = git(&["rev-parse", "--git-path", "logs/HEAD"])?;
    if Path::new(&log).exists() {
        println!("cargo::rerun-if-changed={log}");
    }
    git(&["rev-parse", "--short=12", "HEAD"])
}

fn git(args: &[&str]) -> Option<String> {
    let output = Command::new("git").args(args).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    (output.status.success() && !text.trim().is_empty()).then(|| text.trim().to_owned())
}

/// The day of the build in UTC, or the day that `SOURCE_DATE_EPOCH` names, so that a build can be repeated bit by bit.
fn date() -> Option<String> {
    let seconds = match env::var("SOURCE_DATE_EPOCH") {
        Ok(text) => text.parse().ok()?,
        Err(_) => time::OffsetDateTime::now_utc().unix_timestamp(),
    };
    Some(time::OffsetDateTime::from_unix_timestamp(seconds).ok()?.date().to_string())
}
