//! The keys that sign access tokens: made at the first start, rotated, published, shared between instances.

use std::sync::Arc;

use mainstay_contract::ts::Ts;
use serde_json::{Value, json};

use super::{
    Actor, Auth, AuthError,
    seal::Vault,
    store::{self, SigningKeyRow},
    tokens::{Keyring, NewSigningKey},
};
use crate::{
    audit::{self, Entry},
    clock::Clock,
    db::{Db, DbError, Tx},
    error::Tolerate as _,
    params,
};

/// How long an instance may go on signing with a key that another has replaced.
const KEYRING_AGE_MAX_S: i64 = 60;
/// How often a token with an unknown key, or somebody who asks for the keys, may make an instance read them.
pub(super) const UNKNOWN_KEY_S: i64 = 1;

/// Signs what others shall be able to verify, with the key that signs at present. Cloning is cheap.
#[derive(Clone)]
pub struct Signer(Arc<Keyring>);

impl Signer {
    /// A compact JWS (RFC 7515, EdDSA) over `payload`; `kind` becomes its `typ`, which says that it is no access token.
    ///
    /// # Errors
    /// `Crypto` if it cannot be written.
    pub fn sign<T: serde::Serialize>(&self, kind: &str, payload: &T) -> Result<String, AuthError> {
        self.0.sign_as(kind, payload)
    }

    /// The same statement signed by the present key, if another one has signed `jws`: keys that were replaced leave
    /// the JWK set, and what they signed shall stay verifiable. The payload stays as it is, byte for byte. For what was
    /// made by [`Signer::sign`] and kept in the records, which are trusted: it is not verified again.
    ///
    /// # Errors
    /// `Crypto` if it is no JWS.
    pub fn renew(&self, jws: &str) -> Result<Option<String>, AuthError> {
        self.0.sign_again(jws)
    }
}

impl Auth {
    /// What signs with the present key, which the JWK set has.
    ///
    /// # Errors
    /// What the engine says, if the keys have to be read.
    pub async fn signer(&self) -> Result<Signer, AuthError> {
        Ok(Signer(self.signing_keyring().await?))
    }

    /// The public keys that verify access tokens, as a JWK set (RFC 7517).
    ///
    /// # Errors
    /// What the engine says, if the keys have to be read.
    pub async fn jwks(&self) -> Result<Value, AuthError> {
        let keyring = self.keyring_newer_than(UNKNOWN_KEY_S).await?;
        Ok(keyring.jwks(self.inner.clock.now()))
    }

    /// Signs with a new key from now on, and returns its id. Nobody is signed out: the old one verifies until its last
    /// token has expired.
    ///
    /// # Errors
    /// What the engine says.
    pub async fn rotate_signing_key(&self, actor: Actor) -> Result<String, AuthError> {
        let key = Arc::new(NewSigningKey::generate(&self.inner.vault)?);
        let kid = key.kid.clone();
        let overlap_s = self.inner.settings.access_ttl_s + 2 * KEYRING_AGE_MAX_S;
        let actor = actor.to_string();
        self.write(move |tx| {
            let (key, actor) = (key.clone(), actor.clone());
            Box::pin(async move {
                let now = tx.now();
                add_signing_key(tx, &key).await?;
                let until = now.plus_s(overlap_s);
                tx.run(&store::RETIRE_SIGNING_KEYS, params![key.kid, until]).await?;
                tx.run(&store::DROP_SIGNING_KEYS, params![now]).await?;
                let (action, target) = ("signing_key.rotate", key.kid.clone());
                let (detail, origin) = (json!({}), String::new());
                audit::append(tx, &Entry { actor, action, target, detail, origin }).await?;
                Ok(())
            })
        })
        .await?;
        // It is done; what cannot be read now is read within a minute.
        self.read_keyring().await.tolerate("the keys are read again soon");
        Ok(kid)
    }

    /// The keys to sign with.
    pub(super) async fn signing_keyring(&self) -> Result<Arc<Keyring>, AuthError> {
        self.keyring_newer_than(KEYRING_AGE_MAX_S).await
    }

    /// The keys, read again if this instance read them so long ago.
    pub(super) async fn keyring_newer_than(&self, age_s: i64) -> Result<Arc<Keyring>, AuthError> {
        let keyring = self.inner.keyring.load_full();
        match self.inner.clock.now() < keyring.read_at.plus_s(age_s) {
            true => Ok(keyring),
            false => self.read_keyring().await,
        }
    }

    async fn read_keyring(&self) -> Result<Arc<Keyring>, AuthError> {
        let inner = &self.inner;
        let mut tx = inner.db.read().await?;
        let keyring = keyring(&mut tx, &inner.vault, inner.clock.now()).await?;
        let keyring = Arc::new(keyring.ok_or(AuthError::Crypto("there is no signing key".into()))?);
        inner.keyring.store(keyring.clone());
        Ok(keyring)
    }
}

/// The signing keys at start; the first start makes one.
pub(super) async fn open_keyring(
    db: &Db,
    vault: &Vault,
    clock: &Clock,
) -> Result<Keyring, AuthError> {
    let now = clock.now();
    if let Some(keyring) = keyring(&mut *db.read().await?, vault, now).await? {
        return Ok(keyring);
    }
    let key = Arc::new(NewSigningKey::generate(vault)?);
    db.write_queued(&db.outbox().lock_audit, &[], move |tx| {
        let key = key.clone();
        Box::pin(async move {
            let rows: Vec<SigningKeyRow> = tx.all(&store::SIGNING_KEYS, params![now]).await?;
            // Another instance may have been faster.
            if rows.iter().all(|row| row.verifies_until.is_some()) {
                add_signing_key(tx, &key).await?;
            }
            Ok::<_, DbError>(())
        })
    })
    .await?;
    let keyring = keyring(&mut *db.read().await?, vault, now).await?;
    keyring.ok_or(AuthError::Crypto("there is no signing key".into()))
}

async fn keyring(tx: &mut Tx, vault: &Vault, now: Ts) -> Result<Option<Keyring>, AuthError> {
    let rows = tx.all(&store::SIGNING_KEYS, params![now]).await?;
    Keyring::new(rows, vault, now)
}

async fn add_signing_key(tx: &mut Tx, key: &NewSigningKey) -> Result<(), DbError> {
    let now = tx.now();
    let values = params![key.kid, key.public, key.wrapped, now];
    tx.run(&store::ADD_SIGNING_KEY, values).await
}
