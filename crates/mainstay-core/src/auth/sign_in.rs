//! Signing in: a password is checked, and a session begins.

#[cfg(test)]
mod tests;

use mainstay_contract::{account::SessionEndedV1, ts::Ts};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    Account, Auth, AuthError, ConsoleSignedIn, Origin, SessionId, SignedIn, State, UserId,
    lockout::Guess,
    password::Checked,
    rules,
    seal::token_hash,
    store::{self, AccountRow},
    tokens::Claims,
};
use crate::{
    audit::{self, Entry},
    db::Tx,
    ids, params,
};

/// Sign-ins of one account; the one used longest ago makes room.
pub(super) const SESSIONS_MAX: i64 = 500;
/// What is kept of a client's description of itself, in characters.
const AGENT_LEN_MAX: usize = 200;
/// Longer input is no name or password of ours and is not hashed.
const LOGIN_LEN_MAX_BYTES: usize = 1_024;

/// A session that is ready to be written.
#[derive(Clone)]
pub(super) struct Draft {
    id: SessionId,
    user: UserId,
    kind: &'static str,
    secret: String,
    origin_sealed: Option<Vec<u8>>,
    now: Ts,
    expires_at: Ts,
}

/// Where a session came from, as it is sealed.
#[derive(Serialize, Deserialize)]
pub(super) struct SealedOrigin {
    pub(super) address: Option<String>,
    pub(super) agent: Option<String>,
}

impl Auth {
    /// Signs in with a handle or an address and a password.
    ///
    /// # Errors
    /// `WrongCredentials`, in the same time whether or not there is such an account; `LockedOut` after several;
    /// `Suspended` if the password was right; `Overloaded`.
    pub async fn login(
        &self,
        login: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<SignedIn, AuthError> {
        let row = self.check_password(login, password, origin).await?;
        let wrapped = row.key_wrapped.clone().unwrap_or_default();
        let password = row.password.clone();
        let account = self.view(row)?;
        let session = self.token_session(&account, &wrapped, origin)?;
        self.begin(session.clone(), password, origin).await?;
        self.signed_in(account, session).await
    }

    /// Signs a browser in: the same, but the answer is a cookie's value.
    ///
    /// # Errors
    /// As [`Auth::login`].
    pub async fn login_console(
        &self,
        login: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<ConsoleSignedIn, AuthError> {
        let row = self.check_password(login, password, origin).await?;
        let wrapped = row.key_wrapped.clone().unwrap_or_default();
        let password = row.password.clone();
        let user = self.view(row)?;
        let draft = self.console_session(&user, &wrapped, origin)?;
        self.begin(draft.clone(), password, origin).await?;
        Ok(draft.console(user))
    }

    /// A browser session that is ready to be written.
    pub(super) fn console_session(
        &self,
        account: &Account,
        key_wrapped: &[u8],
        origin: &Origin,
    ) -> Result<Draft, AuthError> {
        let ttl_s = self.inner.settings.console_ttl_s;
        self.session("console", account, key_wrapped, origin, ttl_s)
    }

    /// A token session that is ready to be written.
    pub(super) fn token_session(
        &self,
        account: &Account,
        key_wrapped: &[u8],
        origin: &Origin,
    ) -> Result<Draft, AuthError> {
        let ttl_s = self.inner.settings.refresh_ttl_s;
        self.session("token", account, key_wrapped, origin, ttl_s)
    }

    /// What a sign-in answers.
    pub(super) async fn signed_in(
        &self,
        user: Account,
        session: Draft,
    ) -> Result<SignedIn, AuthError> {
        let access_token = self.access_token(&user, session.id).await?;
        let expires_in_s = self.inner.settings.access_ttl_s;
        Ok(SignedIn { user, access_token, refresh_token: session.secret, expires_in_s })
    }

    fn session(
        &self,
        kind: &'static str,
        account: &Account,
        key_wrapped: &[u8],
        origin: &Origin,
        ttl_s: i64,
    ) -> Result<Draft, AuthError> {
        let now = self.inner.clock.now();
        let sealed = SealedOrigin {
            address: origin.address.map(|address| address.to_string()),
            agent: origin.agent.as_ref().map(|agent| agent.chars().take(AGENT_LEN_MAX).collect()),
        };
        let text =
            serde_json::to_string(&sealed).map_err(|error| AuthError::Crypto(error.to_string()))?;
        let key = self.inner.vault.subject_key(account.id, key_wrapped)?;
        Ok(Draft {
            id: ids::new_id(now),
            user: account.id,
            kind,
            secret: ids::random_token(32),
            origin_sealed: Some(key.seal("session", &text)?),
            now,
            expires_at: now.plus_s(ttl_s),
        })
    }

    pub(super) async fn access_token(
        &self,
        account: &Account,
        session: SessionId,
    ) -> Result<String, AuthError> {
        let now_s = self.inner.clock.now().as_micros().div_euclid(1_000_000);
        let claims = Claims {
            sub: account.id,
            handle: account.handle.clone(),
            role: account.role,
            sid: session,
            iat: now_s,
            exp: now_s.saturating_add(self.inner.settings.access_ttl_s),
            iss: self.inner.settings.issuer.clone(),
        };
        self.signing_keyring().await?.sign(&claims)
    }

    /// The account behind a name, if the password is its own.
    async fn check_password(
        &self,
        login: &str,
        password: &str,
        origin: &Origin,
    ) -> Result<AccountRow, AuthError> {
        let login = login.trim().to_lowercase();
        self.refuse_locked(&login, origin)?;
        let too_long = login.len() > LOGIN_LEN_MAX_BYTES;
        let row = if too_long { None } else { self.by_login(&login).await? };
        let row = self.prove(&login, password, row, "session.refuse", origin).await?;
        if row.state == State::Suspended {
            self.note_refusal("session.refuse", Some(row.id), "suspended", origin).await?;
            return Err(AuthError::Suspended);
        }
        Ok(row)
    }

    /// Refuses whoever wrote too many wrong passwords for `login`, which is in lower case.
    pub(super) fn refuse_locked(&self, login: &str, origin: &Origin) -> Result<(), AuthError> {
        let inner = &self.inner;
        match inner.lockout.wait_s(login, origin.address, inner.clock.now()) {
            Some(retry_after_s) => Err(AuthError::LockedOut { retry_after_s }),
            None => Ok(()),
        }
    }

    /// `row`, with the hash that it has now, if the password is its own. A wrong one is counted against `login` and
    /// audited as `refusal`; without a row it takes as long and is wrong.
    pub(super) async fn prove(
        &self,
        login: &str,
        password: &str,
        row: Option<AccountRow>,
        refusal: &'static str,
        origin: &Origin,
    ) -> Result<AccountRow, AuthError> {
        let (inner, from) = (&self.inner, origin.address);
        let stored = row.as_ref().and_then(|row| row.password.clone());
        let checked = match password.len() > LOGIN_LEN_MAX_BYTES {
            true => Checked::Wrong,
            false => inner.passwords.check(password.to_owned(), stored).await?,
        };
        let user = row.as_ref().map(|row| row.id);
        let guess = if checked == Checked::Wrong { Guess::Wrong } else { Guess::Right };
        if let Some(retry_after_s) = inner.lockout.settle(login, from, inner.clock.now(), guess) {
            self.note_refusal(refusal, user, "locked_out", origin).await?;
            return Err(AuthError::LockedOut { retry_after_s });
        }
        let row = match (checked, row) {
            (Checked::Right, Some(row)) => row,
            (Checked::RightRehashed(hash), Some(row)) => self.renew_hash(row, hash).await?,
            _ => {
                self.note_refusal(refusal, user, "password", origin).await?;
                return Err(AuthError::WrongCredentials);
            }
        };
        Ok(row)
    }

    async fn by_login(&self, login: &str) -> Result<Option<AccountRow>, AuthError> {
        let mut tx = self.inner.db.read().await?;
        Ok(if login.contains('@') {
            let index = self.inner.vault.email_index(&rules::normal_email(login));
            tx.optional(&store::ACCOUNT_BY_EMAIL, params![index]).await?
        } else {
            tx.optional(&store::ACCOUNT_BY_HANDLE, params![rules::normal_handle(login)]).await?
        })
    }

    /// The row with its new hash; as it was if the password was changed meanwhile.
    async fn renew_hash(&self, mut row: AccountRow, hash: String) -> Result<AccountRow, AuthError> {
        let (user, old, new) = (row.id, row.password.clone(), hash.clone());
        let renewed = self.inner.db.write(move |tx| {
            let (old, new) = (old.clone(), new.clone());
            Box::pin(
                async move { tx.execute(&store::REPLACE_PASSWORD, params![user, new, old]).await },
            )
        });
        if renewed.await.map_err(AuthError::Db)? > 0 {
            row.password = Some(hash);
        }
        Ok(row)
    }

    /// Writes a refused password to the audit log. The name that was tried is not kept: it may be an address or a
    /// password.
    async fn note_refusal(
        &self,
        action: &'static str,
        user: Option<UserId>,
        why: &'static str,
        origin: &Origin,
    ) -> Result<(), AuthError> {
        let target = user.map(|user| user.to_string()).unwrap_or_default();
        let origin = origin.audited();
        self.write(move |tx| {
            let (target, origin) = (target.clone(), origin.clone());
            Box::pin(async move {
                let (actor, detail) = (String::new(), json!({ "why": why }));
                let entry = Entry { actor, action, target, detail, origin };
                audit::append(tx, &entry).await.map_err(AuthError::from)
            })
        })
        .await
    }

    /// Writes a new session for whoever knew `password` (its hash), and ends the oldest beyond the bound.
    async fn begin(
        &self,
        session: Draft,
        password: Option<String>,
        origin: &Origin,
    ) -> Result<(), AuthError> {
        let origin = origin.audited();
        let ended = self.write(move |tx| {
            let (session, password, origin) = (session.clone(), password.clone(), origin.clone());
            Box::pin(async move {
                // Once more, where it counts: it may have been suspended while the password was being checked, or the
                // password changed, which ended every sign-in that the old one had opened.
                let account = store::account(tx, session.user).await?;
                let account = account.ok_or(AuthError::WrongCredentials)?;
                if account.state == State::Suspended {
                    return Err(AuthError::Suspended);
                }
                if account.password != password {
                    return Err(AuthError::WrongCredentials);
                }
                session.insert(tx).await?;
                let values = params![session.user, session.now, SESSIONS_MAX];
                let ended: Vec<(SessionId,)> = tx.all(&store::END_OLD_SESSIONS, values).await?;
                for (old,) in &ended {
                    let fact = SessionEndedV1 { user: session.user, session: Some(*old) };
                    tx.emit(&fact, &[]).await?;
                }
                let (actor, target) = (session.user.to_string(), session.id.to_string());
                let (action, detail) = ("session.create", json!({ "kind": session.kind }));
                audit::append(tx, &Entry { actor, action, target, detail, origin }).await?;
                Ok(ended)
            })
        });
        for (old,) in ended.await? {
            self.inner.known.end(old);
        }
        Ok(())
    }
}

impl Draft {
    /// What a browser is given, once the session is written.
    pub(super) fn console(self, user: Account) -> ConsoleSignedIn {
        ConsoleSignedIn { user, session: self.id, cookie: self.secret }
    }

    /// Writes the session, and for tokens the first of its family.
    pub(super) async fn insert(&self, tx: &mut Tx) -> Result<(), AuthError> {
        let hash = token_hash(&self.secret);
        let cookie_hash = (self.kind == "console").then_some(hash);
        let values = params![
            self.id,
            self.user,
            self.kind,
            cookie_hash,
            self.origin_sealed,
            self.now,
            self.expires_at
        ];
        tx.execute(&store::ADD_SESSION, values).await?;
        if cookie_hash.is_none() {
            tx.execute(&store::ADD_TOKEN, params![hash, self.id, self.now]).await?;
        }
        Ok(())
    }
}
