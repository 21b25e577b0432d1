//! Time from the start of the program to its ready line, and memory while nothing is asked of it.

use std::{fs, time::Instant};

use anyhow::Context as _;
use benches::{
    client::Connection,
    report::{Rounds, Table},
    server::{self, On},
};

const STARTS: usize = 15;

fn main() -> anyhow::Result<()> {
    let program = server::build_mainstay()?;
    let (mut first_ms, mut again_ms) = (Rounds::default(), Rounds::default());
    let mut memory_mb = Rounds::default();
    let runtime = tokio::runtime::Runtime::new()?;
    for start in 0..STARTS {
        let folder = tempfile::tempdir()?;
        let data = folder.path().join("data");
        fs::create_dir(&data).context("make the data folder")?;
        for rounds in [&mut first_ms, &mut again_ms] {
            let began = Instant::now();
            let server = server::mainstay(&program, &data, On::All, &[])?;
            let took_ms = began.elapsed().as_secs_f64() * 1e3;
            let mut connection = Connection::new(server.address);
            let request = b"GET /health/ready HTTP/1.1\r\nhost: localhost\r\n\r\n";
            let (status, _) = runtime.block_on(connection.send(request))?;
            anyhow::ensure!(status == 200, "ready was answered {status}");
            // The first start reads the program from the disk; it is not counted.
            if start > 0 {
                rounds.push(took_ms);
                memory_mb.push(server.resident_mb()?);
            }
        }
    }
    let mut table = Table::new();
    let budget = "≤ 150";
    table.row("start on an empty folder, ms", &first_ms, budget, Some(first_ms.median() <= 150.0));
    table.row(
        "start on a folder that is there, ms",
        &again_ms,
        budget,
        Some(again_ms.median() <= 150.0),
    );
    table.row(
        "resident memory when ready, MB",
        &memory_mb,
        "≤ 80",
        Some(memory_mb.median() <= 80.0),
    );
    table.print();
    Ok(())
}
