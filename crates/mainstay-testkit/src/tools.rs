//! Tools that are not in the system's packages; `cargo xtask setup` installs them from PyPI into the build folder.

use std::path::PathBuf;

use crate::EngineError;

/// Folders below `tools` in the build folder. `xtask/src/setup.rs` names the same.
const SCHEMATHESIS: &str = "schemathesis-4.32.5";
pub(crate) const MOTO: &str = "moto-5.2.5";

/// The path of `schemathesis`, which tries an OpenAPI document against the program that serves it.
///
/// # Errors
/// When `cargo xtask setup` has not installed it into this build folder.
pub fn schemathesis() -> Result<PathBuf, EngineError> {
    tool(SCHEMATHESIS, "schemathesis")
}

pub(crate) fn tool(folder: &str, program: &'static str) -> Result<PathBuf, EngineError> {
    let here = std::env::current_exe().map_err(EngineError::io("find this program's path"))?;
    // Cargo marks its build folder with this file.
    let target = here.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    let file = target.map(|target| target.join("tools").join(folder).join("bin").join(program));
    file.filter(|file| file.is_file()).ok_or(EngineError::Missing { program })
}
