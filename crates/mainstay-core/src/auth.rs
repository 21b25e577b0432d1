//! Who calls: accounts, sign-ins, access tokens, API keys and browser sessions.
//!
//! Reading order: [`model`] (the values), `rules` (what is accepted), [`store`] (statements), `accounts`, `roles`,
//! `directory`, `sign_in`, `refresh`, `sessions`, `password_change`, `api_keys` (the use cases), `check` (from a
//! credential to a [`Caller`]), [`api`] (routes) and `mount`. Beside them: `seal` and `master` (what is kept
//! encrypted), `password`, `lockout`, `tokens` and `signing` (signatures) and `known` (credentials that were checked
//! a moment ago).
//!
//! **Invariants.** No secret is stored: passwords as argon2id, tokens and keys as SHA-256, addresses sealed. Ending a
//! session, key or account takes effect at once in this process, and elsewhere with its fact or within `recheck_s`.
//! Each act that lets somebody in or out is written to the audit log in its own transaction.

mod accounts;
pub mod api;
mod api_keys;
mod check;
mod directory;
mod error;
mod known;
mod lockout;
mod master;
pub mod model;
mod mount;
mod password;
mod password_change;
mod refresh;
mod roles;
mod rules;
mod seal;
mod sessions;
mod sign_in;
mod signing;
pub mod store;
mod tokens;

use std::sync::Arc;

use mainstay_contract::account::{
    AccountRoleChangedV1, AccountSuspensionChangedV1, ApiKeyChangedV1, SessionEndedV1,
};
pub use mainstay_contract::{
    account::{ApiKeyId, SessionId},
    id::UserId,
};
use serde::Deserialize;
use tokio::sync::mpsc;

pub(crate) use self::check::shows_credentials;
pub use self::{
    accounts::{Brief, NewAccount, NewUser},
    check::{SESSION_COOKIE, Transport, cookie_in},
    directory::{AccountPage, Described, Listed},
    error::AuthError,
    master::{MasterKeyError, load_or_create_master_key},
    model::*,
    mount::mount,
    password::PasswordCost,
    seal::{SealError, Secrets},
    sessions::SignOut,
    signing::Signer,
};
use self::{
    check::Touch, known::KnownCredentials, lockout::Lockout, password::Passwords, seal::Vault,
    tokens::SharedKeyring,
};
use crate::{
    clock::Clock,
    db::{BoxFuture, Db, Emitted, Tx, migrate::Migration},
    migrations,
};

/// The tables of accounts, in the schema `core`.
pub static MIGRATIONS: &[Migration] = migrations![1 "accounts" "auth/migrations/0001_accounts.sql"];

/// Uses that wait to be noted; beyond that they are dropped, which only makes a `last_used_at` older.
const TOUCHES_MAX: usize = 1_024;

/// How accounts and sign-ins behave.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Who issues access tokens (`iss`); programs that trust the tokens compare it.
    pub issuer: String,
    /// Whether strangers may register; otherwise an operator makes the accounts.
    pub registration_open: bool,
    /// How long an access token lives.
    pub access_ttl_s: i64,
    /// How long a refresh token, and with it a sign-in that is not used, lives.
    pub refresh_ttl_s: i64,
    /// How long the last refresh token may be sent again, by another tab or because its answer was lost.
    pub refresh_grace_s: i64,
    /// How long a browser session lives after its last use.
    pub console_ttl_s: i64,
    /// After this time a checked credential is looked up in the records again, whatever facts have said.
    pub recheck_s: i64,
    /// How many passwords are hashed at the same time; 0 stands for the number of processors.
    pub passwords_at_once: usize,
    /// How many passwords may wait for that; more are answered with `overloaded`.
    pub password_queue_max: usize,
    /// What a password hash costs.
    pub password_cost: PasswordCost,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            issuer: "mainstay".to_owned(),
            registration_open: true,
            access_ttl_s: 15 * 60,
            refresh_ttl_s: 30 * 24 * 3_600,
            refresh_grace_s: 10,
            console_ttl_s: 30 * 24 * 3_600,
            recheck_s: 60,
            passwords_at_once: 0,
            password_queue_max: 256,
            password_cost: PasswordCost::default(),
        }
    }
}

/// Accounts and credentials. Cloning is cheap.
#[derive(Clone)]
pub struct Auth {
    inner: Arc<Inner>,
}

struct Inner {
    db: Db,
    clock: Clock,
    settings: Settings,
    vault: Vault,
    passwords: Passwords,
    lockout: Lockout,
    known: KnownCredentials,
    keyring: SharedKeyring,
    touches: mpsc::Sender<Touch>,
}

impl Auth {
    /// Opens accounts on `db`, which has the schema `core` and [`MIGRATIONS`]. The first time it makes a signing key.
    ///
    /// # Errors
    /// `Seal` if the database was written under another master key; what the engine says.
    pub async fn open(
        db: Db,
        secrets: &Secrets,
        settings: Settings,
        clock: Clock,
    ) -> Result<Self, AuthError> {
        let vault = Vault::new(secrets)?;
        let processors = std::thread::available_parallelism().map_or(1, usize::from);
        let at_once = match settings.passwords_at_once {
            0 => processors,
            chosen => chosen,
        };
        let passwords =
            Passwords::new(settings.password_cost, at_once, settings.password_queue_max)?;
        let keyring = tokens::shared(signing::open_keyring(&db, &vault, &clock).await?);
        let (touches, used) = mpsc::channel(TOUCHES_MAX);
        // It ends by itself when the last handle is gone.
        drop(tokio::spawn(check::note_uses(db.clone(), used)));
        let (lockout, known) = (Lockout::default(), KnownCredentials::new());
        let inner =
            Inner { db, clock, settings, vault, passwords, lockout, known, keyring, touches };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// How accounts and sign-ins behave.
    pub fn settings(&self) -> &Settings {
        &self.inner.settings
    }

    /// The records of accounts: the schema `core`.
    pub fn db(&self) -> &Db {
        &self.inner.db
    }

    /// Takes note of a fact of the core, of this instance or another: what it ended is not believed any more.
    ///
    /// Harmless on repeat and for any other fact.
    pub fn apply(&self, fact: &Emitted) {
        let known = &self.inner.known;
        if let Some(fact) = fact.read::<SessionEndedV1>() {
            match fact.session {
                Some(session) => known.end(session),
                None => known.end(fact.user),
            }
        } else if let Some(fact) = fact.read::<AccountSuspensionChangedV1>() {
            known.end(fact.user);
        } else if let Some(fact) = fact.read::<AccountRoleChangedV1>() {
            known.end(fact.user);
        } else if let Some(fact) = fact.read::<ApiKeyChangedV1>() {
            known.end(fact.key);
        }
    }

    /// The token that a form or script of this browser session must send with what changes something.
    pub fn csrf_token(&self, session: SessionId) -> String {
        self.inner.vault.csrf_token(session)
    }

    /// Whether `given` is that token. Takes the same time whatever is given.
    pub fn csrf_matches(&self, session: SessionId, given: &str) -> bool {
        self.inner.vault.csrf_matches(session, given)
    }

    /// A write that audits: on Postgres such writes queue up instead of meeting in the chain.
    async fn write<T, F>(&self, work: F) -> Result<T, AuthError>
    where
        T: Send + 'static,
        F: for<'t> Fn(&'t mut Tx) -> BoxFuture<'t, Result<T, AuthError>> + Send + Sync + 'static,
    {
        let db = &self.inner.db;
        db.write_queued(&db.outbox().lock_audit, &[], work).await
    }
}
