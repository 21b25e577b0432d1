//! The caller of a request, as every handler sees it.

use std::sync::Arc;

use mainstay_contract::id::{Id, UserId};
use serde::{Deserialize, Serialize};

mainstay_contract::define_id!(
    /// A session: one sign-in on one device.
    SessionKind => SessionId, "session"
);
mainstay_contract::define_id!(
    /// An API key.
    ApiKeyKind => ApiKeyId, "key"
);

/// What an account may do beyond its own things. Each role may do what the ones before it may.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// A person.
    User,
    /// Sees reports and acts on them.
    Moderator,
    /// Operates the installation.
    Admin,
}

/// What an API key may be used for. Sessions may do everything that their role may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Reading.
    Read,
    /// Changing one's own things.
    Write,
    /// Moderating.
    Moderate,
    /// Operating.
    Admin,
}

/// What the caller showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credential {
    /// An access token of this session.
    Session(SessionId),
    /// An API key with these scopes.
    ApiKey(ApiKeyId, Arc<[Scope]>),
    /// The console's cookie.
    Console(SessionId),
}

/// Who is calling, verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub user: UserId,
    /// Its handle when the credential was issued.
    pub handle: Arc<str>,
    /// Its role.
    pub role: Role,
    /// What was shown.
    pub credential: Credential,
}

impl Caller {
    /// Whether the credential covers `scope`.
    pub fn has(&self, scope: Scope) -> bool {
        match &self.credential {
            Credential::ApiKey(_, scopes) => scopes.contains(&scope),
            Credential::Session(_) | Credential::Console(_) => true,
        }
    }

    /// The session, unless an API key was shown.
    pub fn session(&self) -> Option<Id<SessionKind>> {
        match self.credential {
            Credential::Session(session) | Credential::Console(session) => Some(session),
            Credential::ApiKey(..) => None,
        }
    }
}
