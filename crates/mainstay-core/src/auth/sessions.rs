//! Sessions as their owner sees and ends them.

use mainstay_contract::{account::SessionEndedV1, ts::Ts};
use serde_json::json;

use super::{
    Actor, Auth, AuthError, Caller, Origin, SessionId, SessionView, UserId,
    sign_in::{SESSIONS_MAX, SealedOrigin},
    store::{self, SessionRow},
};
use crate::{
    audit::{self, Entry},
    db::DbError,
    params,
};

/// Sessions that are dropped in one transaction.
const PRUNED: i64 = 200;

/// What to sign out of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignOut {
    /// The session that asks.
    Here,
    /// Every session of the account. API keys stay.
    Everywhere,
}

impl Auth {
    /// Signs out; nothing that the ended sessions hold is accepted any more when this returns.
    ///
    /// # Errors
    /// `Forbidden` for an API key, which has no session.
    pub async fn logout(
        &self,
        caller: &Caller,
        what: SignOut,
        origin: &Origin,
    ) -> Result<(), AuthError> {
        let session = own_session(caller)?;
        let ended = match what {
            SignOut::Here => Some(session),
            SignOut::Everywhere => None,
        };
        self.end_sessions(caller.user, ended, origin).await
    }

    /// Ends one of the caller's sessions.
    ///
    /// # Errors
    /// `NotFound` if the caller has no such session that lives; `Forbidden` for an API key.
    pub async fn end_session(
        &self,
        caller: &Caller,
        session: SessionId,
        origin: &Origin,
    ) -> Result<(), AuthError> {
        own_session(caller)?;
        let mut tx = self.inner.db.read().await?;
        let row = store::session(&mut tx, session).await?.ok_or(AuthError::NotFound)?;
        drop(tx);
        if row.user != caller.user || row.ended_at.is_some() {
            return Err(AuthError::NotFound);
        }
        self.end_sessions(caller.user, Some(session), origin).await
    }

    /// The caller's sessions that live: the one used last first, at most 500.
    ///
    /// # Errors
    /// `Forbidden` for an API key.
    pub async fn sessions(&self, caller: &Caller) -> Result<Vec<SessionView>, AuthError> {
        let current = own_session(caller)?;
        let now = self.inner.clock.now();
        let mut tx = self.inner.db.read().await?;
        let account = store::account(&mut tx, caller.user).await?.ok_or(AuthError::NotFound)?;
        let rows: Vec<SessionRow> =
            tx.all(&store::SESSIONS, params![caller.user, now, SESSIONS_MAX]).await?;
        drop(tx);
        let wrapped = account.key_wrapped.ok_or(AuthError::NotFound)?;
        let key = self.inner.vault.subject_key(caller.user, &wrapped)?;
        let view = |row: SessionRow| {
            let origin = match row.origin_sealed {
                Some(sealed) => serde_json::from_str(&key.open("session", &sealed)?)
                    .map_err(|error| AuthError::Crypto(error.to_string()))?,
                None => SealedOrigin { address: None, agent: None },
            };
            let SessionRow { id, kind, created_at, last_used_at, expires_at, .. } = row;
            let SealedOrigin { address, agent } = origin;
            let current = id == current;
            Ok(SessionView {
                id,
                kind,
                address,
                agent,
                created_at,
                last_used_at,
                expires_at,
                current,
            })
        };
        rows.into_iter().map(view).collect()
    }

    /// Drops sessions that ended or expired before `before`, with their tokens; returns how many. For a job.
    ///
    /// # Errors
    /// What the engine says; what was dropped stays dropped.
    pub async fn prune_sessions(&self, before: Ts) -> Result<u64, AuthError> {
        let mut dropped = 0;
        loop {
            let batch = self.inner.db.write(move |tx| {
                Box::pin(async move {
                    let old: Vec<(SessionId,)> =
                        tx.all(&store::OLD_SESSIONS, params![before, PRUNED]).await?;
                    for (session,) in &old {
                        tx.execute(&store::DROP_TOKENS, params![session]).await?;
                        tx.execute(&store::DROP_SESSION, params![session]).await?;
                    }
                    Ok::<_, DbError>(old.len() as u64)
                })
            });
            let batch = batch.await?;
            dropped += batch;
            if batch < PRUNED as u64 {
                return Ok(dropped);
            }
        }
    }

    async fn end_sessions(
        &self,
        user: UserId,
        session: Option<SessionId>,
        origin: &Origin,
    ) -> Result<(), AuthError> {
        let origin = origin.audited();
        self.write(move |tx| {
            let origin = origin.clone();
            Box::pin(async move {
                let now = tx.now();
                let ended = match session {
                    Some(session) => {
                        let values = params![session, user, now, "signed out"];
                        tx.execute(&store::END_SESSION, values).await?
                    }
                    None => {
                        let values = params![user, now, "signed out"];
                        tx.execute(&store::END_SESSIONS, values).await?
                    }
                };
                tx.emit(&SessionEndedV1 { user, session }, &[]).await?;
                let target = session.map_or_else(|| user.to_string(), |id| id.to_string());
                let (actor, action) = (Actor::User(user).to_string(), "session.end");
                let entry =
                    Entry { actor, action, target, detail: json!({ "ended": ended }), origin };
                audit::append(tx, &entry).await.map_err(AuthError::from)
            })
        })
        .await?;
        match session {
            Some(session) => self.inner.known.end(session),
            None => self.inner.known.end(user),
        }
        Ok(())
    }
}

/// The session of a caller who signed in: a key must not end, list or outlive the sign-ins of its owner.
pub(super) fn own_session(caller: &Caller) -> Result<SessionId, AuthError> {
    caller.session().ok_or(AuthError::Forbidden(
        "An API key cannot manage sign-ins or keys. Sign in with the password.",
    ))
}
