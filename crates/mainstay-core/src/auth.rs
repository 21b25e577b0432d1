//! Who is calling (placeholder until the accounts land).

pub mod caller;
pub use caller::{Caller, Credential, Role, Scope};

/// Placeholder.
#[derive(Clone)]
pub struct Auth;
impl Auth {
    /// Sync path.
    pub fn cached(&self, _headers: &http::HeaderMap) -> Option<Caller> {
        None
    }
    /// Full.
    pub async fn authenticate(
        &self,
        _headers: &http::HeaderMap,
    ) -> Result<Option<Caller>, crate::error::Problem> {
        Ok(None)
    }
    /// csrf
    pub fn csrf_token(&self, _session: caller::SessionId) -> String {
        String::new()
    }
}
