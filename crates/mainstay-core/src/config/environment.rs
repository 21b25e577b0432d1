//! The environment. Nothing else in the program reads it.

/// Variables that set a key begin with this.
const PREFIX: &str = "MAINSTAY_";

/// Every variable that may set a key: those that begin with `MAINSTAY_`, sorted by name.
///
/// Names and values that are no UTF-8 cannot be a setting and are left out.
pub fn variables() -> Vec<(String, String)> {
    let mut found: Vec<_> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .filter(|(name, _)| name.starts_with(PREFIX))
        .collect();
    found.sort();
    found
}

/// One variable by its name, for a secret that is given as `env:NAME`.
#[expect(clippy::disallowed_methods, reason = "this is the one place")]
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// The variable that sets `key`: `MAINSTAY_DB__URL` for `db.url`.
pub fn variable_of(key: &str) -> String {
    format!("{PREFIX}{}", key.to_uppercase().replace('.', "__"))
}

/// The key that `variable` sets; none if it is no setting.
///
/// Every key has a section, so a setting has `__` in its name. Other names are left alone: Kubernetes puts
/// `MAINSTAY_PORT` and `MAINSTAY_SERVICE_HOST` into every pod beside a service that is called mainstay.
pub(super) fn key_of(variable: &str) -> Option<String> {
    let rest = variable.strip_prefix(PREFIX)?;
    rest.contains("__").then(|| rest.to_lowercase().replace("__", "."))
}

/// Whether `variable` is `key` written with single underscores, as in `MAINSTAY_DB_URL`.
pub(super) fn is_nearly(variable: &str, key: &str) -> bool {
    let flat = |text: &str| text.to_lowercase().replace(['.', '_'], "");
    variable.strip_prefix(PREFIX).is_some_and(|rest| flat(rest) == flat(key))
}
