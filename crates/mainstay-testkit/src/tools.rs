//! Tools that are not in the system's packages.

use std::path::PathBuf;

use crate::EngineError;

/// The version that `cargo xtask setup` installs; `xtask/src/setup.rs` names the same.
const SCHEMATHESIS: &str = "4.32.5";

/// The path of `schemathesis`, which tries an OpenAPI document against the program that serves it.
///
/// # Errors
/// When `cargo xtask setup` has not installed it into this build folder.
pub fn schemathesis() -> Result<PathBuf, EngineError> {
    let program = std::env::current_exe().map_err(EngineError::io("find this program's path"))?;
    let tool = PathBuf::from("tools/schemathesis").join(SCHEMATHESIS).join("bin/schemathesis");
    // Cargo marks its build folder with this file.
    let target = program.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let file = target.map(|target| target.join(tool));
    file.filter(|file| file.is_file()).ok_or(EngineError::Missing { program: "schemathesis" })
}
