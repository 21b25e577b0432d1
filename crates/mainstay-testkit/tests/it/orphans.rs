//! No engine outlives its test process, however that ends.

use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};

use mainstay_testkit::{Postgres, Redis};

use crate::eventually;

/// Set in the child: it starts engines, says where they are, and waits to be killed.
const CHILD: &str = "MAINSTAY_TESTKIT_CHILD";

#[tokio::test]
async fn engines_and_folders_end_with_a_test_process_that_is_killed() {
    if std::env::var_os(CHILD).is_some() {
        let (postgres, redis) = (Postgres::start().unwrap(), Redis::start().unwrap());
        writeln!(std::io::stderr(), "up {} {}", postgres.port(), redis.port()).unwrap();
        std::future::pending::<()>().await;
    }
    let folder = tempfile::tempdir().unwrap();
    // Engines run as another user when the tests run as root.
    std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture"])
        .arg("orphans::engines_and_folders_end_with_a_test_process_that_is_killed")
        .env(CHILD, "1")
        .env("TMPDIR", folder.path())
        .stderr(Stdio::piped())
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let line = lines.map_while(Result::ok).find(|line| line.starts_with("up ")).unwrap();
    let ports: Vec<u16> = line.split(' ').skip(1).filter_map(|word| word.parse().ok()).collect();
    assert_eq!(ports.len(), 2, "{line}");
    assert!(ports.iter().all(|&port| listens(port)));
    let private = |folder: &Path| {
        let entries = std::fs::read_dir(folder).unwrap().map_while(Result::ok);
        entries.filter(|entry| !entry.file_name().to_string_lossy().contains("template")).count()
    };
    assert_eq!(private(folder.path()), 2);

    child.kill().unwrap();
    child.wait().unwrap();
    eventually("the end of both engines", || !ports.iter().any(|&port| listens(port))).await;
    eventually("the end of both folders", || private(folder.path()) == 0).await;
}

fn listens(port: u16) -> bool {
    TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok()
}
