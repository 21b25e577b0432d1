//! Accounts and credentials as values, and the rules for names, addresses and passwords. No I/O.

use std::{fmt, net::IpAddr, sync::Arc};

use mainstay_contract::{
    account::{ApiKeyId, SessionId},
    id::UserId,
    ts::Ts,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::db::{FromValue, Param, ToParam, value::Value};

/// Declares a closed list of words that is stored and shown by its words.
macro_rules! words {
    ($(#[$doc:meta])* $name:ident { $($(#[$vdoc:meta])* $variant:ident = $word:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        pub enum $name { $($(#[$vdoc])* #[serde(rename = $word)] $variant),* }

        impl $name {
            /// All of them, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant),*];

            /// The word.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }

            /// The one with this word.
            pub fn parse(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)* _ => None }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result { f.write_str(self.as_str()) }
        }
        impl ToParam for $name {
            fn to_param(&self) -> Param<'_> { Param::Text(self.as_str().into()) }
        }
        impl FromValue for $name {
            const EXPECTED: &'static str = stringify!($name);
            fn from_value(value: Value) -> Option<Self> {
                match value { Value::Text(word) => Self::parse(&word), _ => None }
            }
        }
    };
}

words! {
    /// What an account may do; each role may also do what the ones before it may.
    Role {
        /// What everybody may.
        User = "user",
        /// Hides, removes and suspends.
        Moderator = "moderator",
        /// Everything.
        Admin = "admin",
    }
}

words! {
    /// Whether an account may act.
    State {
        /// It may.
        Active = "active",
        /// It may not, until somebody lifts it.
        Suspended = "suspended",
    }
}

words! {
    /// How an account stands, to whoever runs the program.
    Standing {
        /// It may act.
        Active = "active",
        /// It may not, until somebody lifts it.
        Suspended = "suspended",
        /// Its person was forgotten; that cannot be undone.
        Forgotten = "forgotten",
    }
}

words! {
    /// What an API key may be used for, within its owner's role.
    Scope {
        /// Reads what its owner may read.
        Read = "read",
        /// Writes what its owner may write.
        Write = "write",
        /// Acts as a moderator.
        Moderate = "moderate",
        /// Acts as an administrator.
        Admin = "admin",
        /// Makes boards and writes anybody's scores and activity, as a game's server does.
        BoardsWrite = "boards:write",
    }
}

impl Scope {
    /// The role that this scope stands for.
    pub const fn role(self) -> Role {
        match self {
            Self::Read | Self::Write => Role::User,
            Self::Moderate => Role::Moderator,
            Self::Admin | Self::BoardsWrite => Role::Admin,
        }
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Scopes(u8);

impl Scopes {
    /// Whether `scope` is among them.
    pub const fn has(self, scope: Scope) -> bool {
        self.0 & 1 << scope as u8 != 0
    }

    /// They, in order.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.iter().copied().filter(move |scope| self.has(*scope))
    }
}

impl FromIterator<Scope> for Scopes {
    fn from_iter<I: IntoIterator<Item = Scope>>(scopes: I) -> Self {
        Self(scopes.into_iter().fold(0, |bits, scope| bits | 1 << scope as u8))
    }
}

impl fmt::Display for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words: Vec<_> = self.iter().map(Scope::as_str).collect();
        f.write_str(&words.join(" "))
    }
}

impl FromValue for Scopes {
    const EXPECTED: &'static str = "scopes";
    fn from_value(value: Value) -> Option<Self> {
        match value {
            Value::Text(words) => words.split_whitespace().map(Scope::parse).collect(),
            _ => None,
        }
    }
}

/// How a caller proved who they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential {
    /// An access token of this session.
    Session(SessionId),
    /// An API key with these scopes.
    ApiKey(ApiKeyId, Scopes),
    /// A browser's cookie; what changes something needs the session's CSRF token too.
    Console(SessionId),
}

/// Who calls. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account.
    pub user: UserId,
    /// Its handle.
    pub handle: Arc<str>,
    /// Its role at present.
    pub role: Role,
    /// How that was proven.
    pub credential: Credential,
}

impl Caller {
    /// Whether the caller may act in `role`: the account has it, and an API key has the scope that stands for it.
    pub fn acts_as(&self, role: Role) -> bool {
        let scope = match role {
            Role::User => return true,
            Role::Moderator => Scope::Moderate,
            Role::Admin => Scope::Admin,
        };
        self.role >= role && self.has(scope)
    }

    /// Whether the credential allows `scope`; a person who signed in may do all that their role allows.
    pub fn has(&self, scope: Scope) -> bool {
        self.role >= scope.role()
            && match self.credential {
                Credential::ApiKey(_, scopes) => scopes.has(scope),
                Credential::Session(_) | Credential::Console(_) => true,
            }
    }

    /// The session, unless the caller uses an API key.
    pub fn session(&self) -> Option<SessionId> {
        match self.credential {
            Credential::Session(session) | Credential::Console(session) => Some(session),
            Credential::ApiKey(..) => None,
        }
    }
}

/// Where a request came from, so that a person recognises their sign-ins.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Origin {
    /// The network address, behind trusted proxies the client's.
    pub address: Option<IpAddr>,
    /// What the client says it is; at most 200 characters are kept.
    pub agent: Option<String>,
}

impl Origin {
    /// The address for the audit log, or empty.
    pub(crate) fn audited(&self) -> String {
        self.address.map(|address| address.to_string()).unwrap_or_default()
    }
}

/// Who does something to an account that is not their own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// A person with a role.
    User(UserId),
    /// Whoever runs the program, on its command line.
    Operator,
    /// The program itself.
    System,
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(user) => user.fmt(f),
            Self::Operator => f.write_str("operator"),
            Self::System => f.write_str("system"),
        }
    }
}

/// An account as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Account {
    /// Its id, the same in every service.
    pub id: UserId,
    /// Its handle, in lower case.
    pub handle: String,
    /// Its address; none once the person was forgotten.
    pub email: Option<String>,
    /// Its role.
    pub role: Role,
    /// Whether it may act.
    pub state: State,
    /// When it was created.
    pub created_at: Ts,
}

/// What a sign-in gives.
#[derive(Clone, Serialize, JsonSchema)]
pub struct SignedIn {
    /// Whose account it is.
    pub user: Account,
    /// For the header `Authorization: Bearer …`.
    pub access_token: String,
    /// Gives the next pair, once.
    pub refresh_token: String,
    /// Seconds until the access token expires.
    pub expires_in_s: i64,
}

/// What a sign-in in a browser gives.
#[derive(Clone)]
pub struct ConsoleSignedIn {
    /// Whose account it is.
    pub user: Account,
    /// The session.
    pub session: SessionId,
    /// The cookie's value.
    pub cookie: String,
}

/// A sign-in as its owner sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct SessionView {
    /// Its id.
    pub id: SessionId,
    /// `token` or `console`.
    pub kind: String,
    /// The network address it was made from.
    pub address: Option<String>,
    /// The program it was made with, in that program's words.
    pub agent: Option<String>,
    /// When it was made.
    pub created_at: Ts,
    /// When it was last used, to the minute.
    pub last_used_at: Ts,
    /// When it ends if it is not used.
    pub expires_at: Ts,
    /// Whether it is the one that asks.
    pub current: bool,
}

/// An API key as its owner sees it; the secret is shown once, when it is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct ApiKeyView {
    /// Its id.
    pub id: ApiKeyId,
    /// Its name.
    pub name: String,
    /// What it may be used for.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Ts,
    /// When it was last used, to the minute.
    pub last_used_at: Option<Ts>,
    /// How many secrets are valid: two while it is being rotated.
    pub secret_count: i64,
    /// When the older of two secrets ends.
    pub old_secret_ends_at: Option<Ts>,
}

/// A new secret of an API key.
#[derive(Clone, Serialize, JsonSchema)]
pub struct NewApiKey {
    /// The key.
    #[serde(flatten)]
    pub key: ApiKeyView,
    /// For the header `Authorization: Bearer …`. It cannot be shown again.
    pub secret: String,
}
