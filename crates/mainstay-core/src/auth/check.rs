//! From a credential to a caller: a lookup in memory for one that was checked a moment ago, else its signature and its
//! records. Beside it the cookie, and the note that a credential was used.

use http::{HeaderMap, header};
use mainstay_contract::ts::Ts;
use tokio::sync::mpsc;

use super::{
    ApiKeyId, Auth, AuthError, Caller, Credential, Role, SessionId, State, UserId,
    known::Moment,
    seal::token_hash,
    signing::UNKNOWN_KEY_S,
    store::{self, SecretRow, SessionRow},
    tokens::TokenFault,
};
use crate::{
    db::{Db, DbError},
    error::{Problem, Tolerate as _},
    params,
};

/// The name of a browser session's cookie.
pub const SESSION_COOKIE: &str = "mainstay_session";

/// What every secret of an API key begins with.
pub(super) const KEY_PREFIX: &str = "mk_";

/// Uses are written no more often than this.
const TOUCH_EVERY_S: i64 = 60;
/// Uses that are written in one transaction.
const TOUCHES_AT_ONCE: usize = 256;

/// A use of a credential, to be noted.
#[derive(Debug, Clone, Copy)]
pub(super) enum Touch {
    /// An API key was used.
    Key(ApiKeyId, Ts),
    /// A browser session was used, and lives until then.
    Session(SessionId, Ts, Ts),
}

/// What a request shows: the `Authorization` header counts before the cookie.
enum Shown<'a> {
    Bearer(&'a str),
    Cookie(&'a str),
    /// An `Authorization` header that is no bearer credential.
    Unreadable,
    Nothing,
}

impl<'a> Shown<'a> {
    fn in_headers(headers: &'a HeaderMap) -> Self {
        if let Some(value) = headers.get(header::AUTHORIZATION) {
            let pair = value.to_str().ok().and_then(|value| value.trim().split_once(' '));
            return match pair {
                Some((scheme, credential)) if scheme.eq_ignore_ascii_case("bearer") => {
                    Self::Bearer(credential.trim())
                }
                _ => Self::Unreadable,
            };
        }
        let cookies = headers.get_all(header::COOKIE).iter();
        let mut values = cookies.filter_map(|value| value.to_str().ok()).filter_map(cookie_in);
        values.next().map_or(Self::Nothing, Self::Cookie)
    }
}

/// Whether these headers show anything that could tell who sends them.
pub(crate) fn shows_credentials(headers: &HeaderMap) -> bool {
    !matches!(Shown::in_headers(headers), Shown::Nothing)
}

impl Auth {
    /// Who sends these headers, from memory alone: `None` says nothing about them.
    pub fn cached(&self, headers: &HeaderMap, now: Ts) -> Option<Caller> {
        match Shown::in_headers(headers) {
            Shown::Bearer(credential) => self.bearer_known_at(credential, now),
            Shown::Cookie(value) => self.cookie_known(value),
            Shown::Unreadable | Shown::Nothing => None,
        }
    }

    /// Who sends these headers; `None` for a stranger. A cookie that is over makes a stranger, because browsers send it
    /// without being asked; a bad `Authorization` header is an error, because somebody meant it.
    ///
    /// # Errors
    /// `Unauthenticated`, `Suspended`, or what the engine says.
    pub async fn authenticate(&self, headers: &HeaderMap) -> Result<Option<Caller>, Problem> {
        match Shown::in_headers(headers) {
            Shown::Bearer(credential) => Ok(Some(self.authenticate_bearer(credential).await?)),
            Shown::Cookie(value) => match self.authenticate_cookie(value).await {
                Ok(caller) => Ok(Some(caller)),
                Err(AuthError::Unauthenticated | AuthError::Suspended) => Ok(None),
                Err(error) => Err(error.into()),
            },
            Shown::Unreadable => Err(AuthError::Unauthenticated.into()),
            Shown::Nothing => Ok(None),
        }
    }

    /// Who sends `Authorization: Bearer …`: an access token or an API key.
    ///
    /// # Errors
    /// `Unauthenticated`, `Suspended`, or what the engine says.
    pub async fn authenticate_bearer(&self, credential: &str) -> Result<Caller, AuthError> {
        match self.bearer_known(credential) {
            Some(caller) => Ok(caller),
            None if credential.starts_with(KEY_PREFIX) => self.check_api_key(credential).await,
            None => self.check_access_token(credential).await,
        }
    }

    /// The same from memory alone: `None` says nothing about the credential.
    pub fn bearer_known(&self, credential: &str) -> Option<Caller> {
        self.bearer_known_at(credential, self.inner.clock.now())
    }

    fn bearer_known_at(&self, credential: &str, now: Ts) -> Option<Caller> {
        let caller = self.inner.known.get(credential, now)?;
        (!matches!(caller.credential, Credential::Console(_))).then_some(caller)
    }

    /// Who sends this value of the cookie [`SESSION_COOKIE`].
    ///
    /// # Errors
    /// As [`Auth::authenticate_bearer`].
    pub async fn authenticate_cookie(&self, value: &str) -> Result<Caller, AuthError> {
        match self.cookie_known(value) {
            Some(caller) => Ok(caller),
            None => self.check_cookie(value).await,
        }
    }

    /// The same from memory alone: `None` says nothing about the cookie.
    pub fn cookie_known(&self, value: &str) -> Option<Caller> {
        let caller = self.inner.known.get(value, self.inner.clock.now())?;
        matches!(caller.credential, Credential::Console(_)).then_some(caller)
    }

    /// The `Set-Cookie` header that gives a browser its session.
    pub fn session_cookie(&self, value: &str, transport: Transport) -> String {
        let age_s = self.inner.settings.console_ttl_s;
        set_cookie(value, age_s, transport)
    }

    /// The `Set-Cookie` header that takes it back.
    pub fn ended_cookie(&self, transport: Transport) -> String {
        set_cookie("", 0, transport)
    }

    async fn check_access_token(&self, token: &str) -> Result<Caller, AuthError> {
        let (inner, now) = (&self.inner, self.inner.clock.now());
        let before = inner.known.moment();
        let issuer = &inner.settings.issuer;
        let claims = match inner.keyring.load().verify(token, issuer, now) {
            // Another instance may have begun to sign with a new key.
            Err(TokenFault::UnknownKey) => {
                self.keyring_newer_than(UNKNOWN_KEY_S).await?.verify(token, issuer, now)
            }
            verified => verified,
        };
        let claims = claims.map_err(|_fault| AuthError::Unauthenticated)?;
        let mut tx = inner.db.read().await?;
        let row = store::session(&mut tx, claims.sid).await?;
        drop(tx);
        let row = row.filter(|row| row.user == claims.sub && row.kind == "token");
        let expires = Ts::from_micros(claims.exp.saturating_mul(1_000_000));
        let caller = self.live_session(row, now, Credential::Session)?;
        self.remember(before, token, claims.sid, &caller, expires, now);
        Ok(caller)
    }

    async fn check_cookie(&self, value: &str) -> Result<Caller, AuthError> {
        let (inner, now) = (&self.inner, self.inner.clock.now());
        let before = inner.known.moment();
        let mut tx = inner.db.read().await?;
        let row: Option<SessionRow> =
            tx.optional(&store::SESSION_BY_COOKIE, params![token_hash(value)]).await?;
        drop(tx);
        let seen = row.as_ref().map(|row| (row.id, row.last_used_at, row.expires_at));
        let caller = self.live_session(row, now, Credential::Console)?;
        if let Some((session, last_used_at, expires)) = seen {
            if last_used_at.plus_s(TOUCH_EVERY_S) <= now {
                let until = now.plus_s(inner.settings.console_ttl_s);
                self.touch(Touch::Session(session, now, until));
            }
            self.remember(before, value, session, &caller, expires, now);
        }
        Ok(caller)
    }

    async fn check_api_key(&self, secret: &str) -> Result<Caller, AuthError> {
        let (inner, now) = (&self.inner, self.inner.clock.now());
        let before = inner.known.moment();
        let mut tx = inner.db.read().await?;
        let row: Option<SecretRow> =
            tx.optional(&store::KEY_BY_SECRET, params![token_hash(secret), now]).await?;
        drop(tx);
        let row = row.ok_or(AuthError::Unauthenticated)?;
        let credential = Credential::ApiKey(row.key, row.scopes);
        let caller = active(row.user, &row.handle, row.role, row.state, credential)?;
        if row.last_used_at.is_none_or(|at| at.plus_s(TOUCH_EVERY_S) <= now) {
            self.touch(Touch::Key(row.key, now));
        }
        let expires = row.ends_at.unwrap_or(Ts::from_micros(i64::MAX));
        self.remember(before, secret, row.key, &caller, expires, now);
        Ok(caller)
    }

    fn live_session(
        &self,
        row: Option<SessionRow>,
        now: Ts,
        credential: impl Fn(SessionId) -> Credential,
    ) -> Result<Caller, AuthError> {
        let row = row.ok_or(AuthError::Unauthenticated)?;
        let caller = active(row.user, &row.handle, row.role, row.state, credential(row.id))?;
        match row.ended_at.is_none() && row.expires_at > now {
            true => Ok(caller),
            false => Err(AuthError::Unauthenticated),
        }
    }

    fn remember<K: mainstay_contract::id::Kind>(
        &self,
        before: Moment,
        text: &str,
        id: mainstay_contract::id::Id<K>,
        caller: &Caller,
        expires: Ts,
        now: Ts,
    ) {
        let until = expires.min(now.plus_s(self.inner.settings.recheck_s));
        self.inner.known.insert(before, text, id, caller.clone(), until);
    }

    fn touch(&self, touch: Touch) {
        let noted = self.inner.touches.try_send(touch);
        noted.tolerate("a use that is not noted only makes the time of last use older");
    }
}

/// Whether the browser reaches the program over TLS, at least as far as the proxy in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `http:`; on the same machine, or for a trial.
    Plain,
    /// `https:`; the cookie then never travels in clear.
    Tls,
}

fn set_cookie(value: &str, age_s: i64, transport: Transport) -> String {
    let secure = match transport {
        Transport::Plain => "",
        Transport::Tls => "; Secure",
    };
    format!("{SESSION_COOKIE}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age_s}{secure}")
}

/// The session's value in a `Cookie` header, if it is there.
pub fn cookie_in(header: &str) -> Option<&str> {
    header.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        (name.trim() == SESSION_COOKIE).then_some(value.trim())
    })
}

fn active(
    user: UserId,
    handle: &str,
    role: Role,
    state: State,
    credential: Credential,
) -> Result<Caller, AuthError> {
    match state {
        State::Active => Ok(Caller { user, handle: handle.into(), role, credential }),
        State::Suspended => Err(AuthError::Suspended),
    }
}

/// Writes uses as they come, many at once; ends with the last handle.
pub(super) async fn note_uses(db: Db, mut used: mpsc::Receiver<Touch>) {
    let mut batch = Vec::with_capacity(TOUCHES_AT_ONCE);
    while used.recv_many(&mut batch, TOUCHES_AT_ONCE).await > 0 {
        let touches = std::mem::take(&mut batch);
        let written = db.write(move |tx| {
            let touches = touches.clone();
            Box::pin(async move {
                for touch in touches {
                    match touch {
                        Touch::Key(key, at) => {
                            tx.execute(&store::TOUCH_KEY, params![key, at]).await?
                        }
                        Touch::Session(session, at, until) => {
                            tx.execute(&store::TOUCH_SESSION, params![session, at, until]).await?
                        }
                    };
                }
                Ok::<_, DbError>(())
            })
        });
        if let Err(error) = written.await {
            tracing::warn!(%error, "uses of keys and sessions were not noted");
        }
    }
}
