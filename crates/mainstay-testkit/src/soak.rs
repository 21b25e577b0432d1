//! Tests that can go on for longer: how long, and with which choices. `cargo xtask soak` says so in the environment.

/// How many rounds to go; `usual` unless the environment says otherwise.
///
/// # Panics
/// If what it says is no number.
pub fn rounds(usual: u64) -> u64 {
    from_environment("MAINSTAY_SOAK_ROUNDS", usual)
}

/// The seed of random choices; `usual` unless the environment says otherwise.
///
/// # Panics
/// If what it says is no number.
pub fn seed(usual: u64) -> u64 {
    from_environment("MAINSTAY_SOAK_SEED", usual)
}

#[expect(clippy::panic, reason = "a test panics on failure")]
fn from_environment(name: &str, usual: u64) -> u64 {
    let text = std::env::var_os(name);
    text.map_or(usual, |text| match text.to_string_lossy().parse() {
        Ok(number) => number,
        Err(_odd) => panic!("set {name} to a number, not to {}", text.display()),
    })
}
