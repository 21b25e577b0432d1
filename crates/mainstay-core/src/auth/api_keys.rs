//! API keys: for programs that act for an account, within some of what it may do.

use mainstay_contract::account::ApiKeyChangedV1;
use serde_json::json;

use super::{
    ApiKeyId, ApiKeyView, Auth, AuthError, Caller, NewApiKey, Origin, Scope, Scopes, check, rules,
    seal::token_hash,
    sessions::own_session,
    store::{self, KeyRow},
};
use crate::{
    audit::{self, Entry},
    db::Tx,
    error::{Fault, Faults},
    ids, params,
};

/// Live keys of one account.
const KEYS_MAX: i64 = 50;
/// The longest time that two secrets of a key may live together.
const OVERLAP_MAX_S: i64 = 90 * 24 * 3_600;

impl Auth {
    /// Makes a key for the caller; its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// `Invalid` for a bad name, no scope, or a scope beyond the caller's role; `Conflict` if the caller has 50 keys;
    /// `Forbidden` if the caller uses a key.
    pub async fn create_api_key(
        &self,
        caller: &Caller,
        name: &str,
        scopes: &[Scope],
        origin: &Origin,
    ) -> Result<NewApiKey, AuthError> {
        own_session(caller)?;
        let mut faults = Faults::default();
        rules::check_key_name(name, &mut faults);
        faults.check(!scopes.is_empty(), "/scopes", "empty", || {
            "Name at least one scope: read, write, moderate, admin.".into()
        });
        for (place, scope) in scopes.iter().enumerate() {
            faults.check(
                caller.role >= scope.role(),
                format!("/scopes/{place}"),
                "beyond_role",
                || format!("Your role does not include `{scope}`."),
            );
        }
        if !faults.is_empty() {
            return Err(AuthError::Invalid(faults.into_vec()));
        }
        let scopes: Scopes = scopes.iter().copied().collect();
        let now = self.inner.clock.now();
        let (user, id, name) = (caller.user, ids::new_id(now), name.trim().to_owned());
        let secret = new_secret();
        let hash = token_hash(&secret);
        let (kept, origin) = (name.clone(), origin.audited());
        self.write(move |tx| {
            let (name, origin) = (kept.clone(), origin.clone());
            Box::pin(async move {
                if store::keys(tx, user, KEYS_MAX).await?.len() as i64 >= KEYS_MAX {
                    return Err(AuthError::Conflict("You have 50 keys. Revoke one first."));
                }
                let words = scopes.to_string();
                tx.execute(&store::ADD_KEY, params![id, user, name, words, now]).await?;
                tx.execute(&store::ADD_SECRET, params![hash, id, now]).await?;
                let detail = json!({ "scopes": words });
                let (actor, action) = (user.to_string(), "api_key.create");
                let entry = Entry { actor, action, target: id.to_string(), detail, origin };
                audit::append(tx, &entry).await.map_err(AuthError::from)
            })
        })
        .await?;
        let row = KeyRow {
            id,
            name,
            scopes,
            created_at: now,
            last_used_at: None,
            secret_count: 1,
            old_secret_ends_at: None,
        };
        Ok(NewApiKey { key: view(row), secret })
    }

    /// The caller's live keys, oldest first, at most 50.
    ///
    /// # Errors
    /// `Forbidden` if the caller uses a key.
    pub async fn api_keys(&self, caller: &Caller) -> Result<Vec<ApiKeyView>, AuthError> {
        own_session(caller)?;
        let mut tx = self.inner.db.read().await?;
        let rows = store::keys(&mut tx, caller.user, KEYS_MAX).await?;
        Ok(rows.into_iter().map(view).collect())
    }

    /// Gives a key a second secret; the present one ends after `overlap_s` (0 to 90 days). If there are two already,
    /// the older one ends at once.
    ///
    /// # Errors
    /// `NotFound` if the caller has no such key; `Invalid` for another overlap; `Forbidden` if the caller uses a key.
    pub async fn rotate_api_key(
        &self,
        caller: &Caller,
        key: ApiKeyId,
        overlap_s: i64,
        origin: &Origin,
    ) -> Result<NewApiKey, AuthError> {
        own_session(caller)?;
        if !(0..=OVERLAP_MAX_S).contains(&overlap_s) {
            let detail = format!("Use 0 to {OVERLAP_MAX_S} seconds.");
            return Err(AuthError::Invalid(vec![Fault::new("/overlap_s", "range", detail)]));
        }
        let secret = new_secret();
        let (user, hash, origin) = (caller.user, token_hash(&secret), origin.audited());
        let row = self.write(move |tx| {
            let origin = origin.clone();
            Box::pin(async move {
                own_key(tx, user, key).await?;
                let now = tx.now();
                tx.execute(&store::DROP_ENDING_SECRETS, params![key]).await?;
                tx.execute(&store::END_SECRETS, params![key, now.plus_s(overlap_s)]).await?;
                tx.execute(&store::ADD_SECRET, params![hash, key, now]).await?;
                tx.emit(&ApiKeyChangedV1 { user, key }, &[]).await?;
                let detail = json!({ "overlap_s": overlap_s });
                let (actor, action) = (user.to_string(), "api_key.rotate");
                let entry = Entry { actor, action, target: key.to_string(), detail, origin };
                audit::append(tx, &entry).await?;
                own_key(tx, user, key).await
            })
        });
        let row = row.await?;
        self.inner.known.end(key);
        Ok(NewApiKey { key: view(row), secret })
    }

    /// Revokes a key: none of its secrets is accepted any more when this returns.
    ///
    /// # Errors
    /// `NotFound` if the caller has no such key; `Forbidden` if the caller uses a key.
    pub async fn revoke_api_key(
        &self,
        caller: &Caller,
        key: ApiKeyId,
        origin: &Origin,
    ) -> Result<(), AuthError> {
        own_session(caller)?;
        let (user, origin) = (caller.user, origin.audited());
        self.write(move |tx| {
            let origin = origin.clone();
            Box::pin(async move {
                let now = tx.now();
                if tx.execute(&store::REVOKE_KEY, params![key, user, now]).await? == 0 {
                    return Err(AuthError::NotFound);
                }
                tx.execute(&store::DROP_SECRETS, params![key]).await?;
                tx.emit(&ApiKeyChangedV1 { user, key }, &[]).await?;
                let (actor, action) = (user.to_string(), "api_key.revoke");
                let (target, detail) = (key.to_string(), json!({}));
                let entry = Entry { actor, action, target, detail, origin };
                audit::append(tx, &entry).await.map_err(AuthError::from)
            })
        })
        .await?;
        self.inner.known.end(key);
        Ok(())
    }
}

async fn own_key(tx: &mut Tx, user: super::UserId, key: ApiKeyId) -> Result<KeyRow, AuthError> {
    let mut keys = store::keys(tx, user, KEYS_MAX).await?.into_iter();
    keys.find(|row| row.id == key).ok_or(AuthError::NotFound)
}

fn new_secret() -> String {
    format!("{}{}", check::KEY_PREFIX, ids::random_token(32))
}

fn view(row: KeyRow) -> ApiKeyView {
    let KeyRow { id, name, created_at, last_used_at, secret_count, old_secret_ends_at, .. } = row;
    let scopes = row.scopes.iter().collect();
    ApiKeyView { id, name, scopes, created_at, last_used_at, secret_count, old_secret_ends_at }
}
