//! Tools that are not in the system's packages; `cargo xtask setup` installs them from PyPI into the build folder.

use std::path::PathBuf;

use crate::EngineError;

/// Folders below `tools` in the build folder. `xtask/src/setup.rs` names the same.
const SCHEMATHESIS: &str = "schemathesis-4.32.5";
pub(crate) const MOTO: &str = "moto-5.2.5";
const AXE: &str = "axe-core-4.12.1";

/// The path of `schemathesis`, which tries an OpenAPI document against the program that serves it.
///
/// # Errors
/// When `cargo xtask setup` has not installed it into this build folder.
pub fn schemathesis() -> Result<PathBuf, EngineError> {
    tool(SCHEMATHESIS, "bin/schemathesis")
}

/// The folder `name` for what a test shows to people, such as pictures of pages; it is in the build folder and stays.
///
/// # Errors
/// When it cannot be made.
pub fn artefacts(name: &str) -> Result<PathBuf, EngineError> {
    let folder = build_folder()?.join("artefacts").join(name);
    let made = std::fs::create_dir_all(&folder);
    made.map_err(EngineError::io(format!("make {}", folder.display())))?;
    Ok(folder)
}

/// The script of axe-core, which looks for what keeps people out of a page.
pub(crate) fn axe() -> Result<String, EngineError> {
    let file = tool(AXE, "axe_playwright_python/axe.min.js")?;
    std::fs::read_to_string(&file).map_err(EngineError::io(format!("read {}", file.display())))
}

pub(crate) fn tool(folder: &str, program: &'static str) -> Result<PathBuf, EngineError> {
    let file = build_folder()?.join("tools").join(folder).join(program);
    Some(file).filter(|file| file.is_file()).ok_or(EngineError::Missing { program })
}

fn build_folder() -> Result<PathBuf, EngineError> {
    let here = std::env::current_exe().map_err(EngineError::io("find this program's path"))?;
    // Cargo marks its build folder with this file.
    let marked = here.ancestors().find(|folder| folder.join("CACHEDIR.TAG").is_file());
    marked.map(PathBuf::from).ok_or(EngineError::Missing { program: "CACHEDIR.TAG" })
}
