//! Refresh tokens. Each is used once and answers with its successor. The successor is computed from the token and a
//! key of ours, so the newest token that was used may be sent again for `refresh_grace_s`: two tabs that refresh at the
//! same moment, or a client whose answer was lost, get the *same* successor, and the family never has two branches.
//! Whoever sends an older one, or the newest later than that, holds a copy; the family ends, for the thief and the
//! owner alike. A thief who is faster than the grace shares one successor with the owner, and the next use of it by
//! either ends the family for both when the other uses it.

use mainstay_contract::account::SessionEndedV1;
use serde_json::json;

use super::{
    Auth, AuthError, Origin, SessionId, SignedIn, State, UserId,
    seal::token_hash,
    store::{self, SessionRow, TokenRow},
};
use crate::{
    audit::{self, Entry},
    db::{DbError, Tx},
    params,
};

/// What became of a refresh token.
enum Refreshed {
    /// Its successor is the newest token of this session.
    Next(SessionRow),
    /// It was used before; its family has ended.
    Reused(UserId, SessionId),
    /// It is unknown, or its session has ended.
    Refused,
    /// The account is suspended.
    Suspended,
}

impl Auth {
    /// Gives the next pair of tokens for a refresh token; see the top of this file.
    ///
    /// # Errors
    /// `Unauthenticated` if the token is unknown, expired, ended or was used before; `Suspended`.
    pub async fn refresh(
        &self,
        refresh_token: &str,
        origin: &Origin,
    ) -> Result<SignedIn, AuthError> {
        let settings = &self.inner.settings;
        let (ttl_s, grace_s) = (settings.refresh_ttl_s, settings.refresh_grace_s);
        let hash = token_hash(refresh_token);
        let successor = self.inner.vault.refresh_successor(refresh_token);
        let next = token_hash(&successor);
        let origin = origin.audited();
        let db = &self.inner.db;
        let refreshed: Result<_, DbError> = db
            .write_queued(&store::LOCK_FAMILY, params![hash], move |tx| {
                let origin = origin.clone();
                Box::pin(async move { rotate(tx, hash, next, ttl_s, grace_s, origin).await })
            })
            .await;
        match refreshed? {
            Refreshed::Next(session) => {
                let mut tx = self.inner.db.read().await?;
                let row = store::account(&mut tx, session.user).await?;
                drop(tx);
                let account = self.view(row.ok_or(AuthError::Unauthenticated)?)?;
                let access_token = self.access_token(&account, session.id).await?;
                let expires_in_s = settings.access_ttl_s;
                Ok(SignedIn { user: account, access_token, refresh_token: successor, expires_in_s })
            }
            Refreshed::Reused(user, session) => {
                tracing::warn!(%user, %session, "a refresh token was used twice; its session has ended");
                self.inner.known.end(session);
                Err(AuthError::Unauthenticated)
            }
            Refreshed::Refused => Err(AuthError::Unauthenticated),
            Refreshed::Suspended => Err(AuthError::Suspended),
        }
    }
}

/// One use of a refresh token, whose family nobody else uses at this moment.
async fn rotate(
    tx: &mut Tx,
    hash: [u8; 32],
    next: [u8; 32],
    ttl_s: i64,
    grace_s: i64,
    origin: String,
) -> Result<Refreshed, DbError> {
    let now = tx.now();
    let Some(token) = tx.optional::<TokenRow>(&store::TOKEN, params![hash]).await? else {
        return Ok(Refreshed::Refused);
    };
    let Some(session) = store::session(tx, token.session).await? else {
        return Ok(Refreshed::Refused);
    };
    if session.state == State::Suspended {
        return Ok(Refreshed::Suspended);
    }
    let expired = session.expires_at <= now || token.issued_at.plus_s(ttl_s) <= now;
    if session.ended_at.is_some() || expired {
        return Ok(Refreshed::Refused);
    }
    match token.rotated_at {
        None => {
            tx.execute(&store::ROTATE_TOKEN, params![hash, now]).await?;
            tx.execute(&store::ADD_TOKEN, params![next, session.id, now]).await?;
            let until = now.plus_s(ttl_s);
            tx.execute(&store::TOUCH_SESSION, params![session.id, now, until]).await?;
            Ok(Refreshed::Next(session))
        }
        Some(rotated_at) => {
            let successor: Option<TokenRow> = tx.optional(&store::TOKEN, params![next]).await?;
            let is_last = successor.is_some_and(|token| token.rotated_at.is_none());
            if is_last && now <= rotated_at.plus_s(grace_s) {
                return Ok(Refreshed::Next(session));
            }
            let (user, id) = (session.user, session.id);
            tx.execute(&store::END_SESSION, params![id, user, now, "token used twice"]).await?;
            tx.emit(&SessionEndedV1 { user, session: Some(id) }, &[]).await?;
            let (actor, action) = (String::new(), "session.token_reused");
            let (target, detail) = (id.to_string(), json!({}));
            audit::append(tx, &Entry { actor, action, target, detail, origin }).await?;
            Ok(Refreshed::Reused(user, id))
        }
    }
}
