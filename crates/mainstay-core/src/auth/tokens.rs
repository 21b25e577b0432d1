//! Access tokens: EdDSA JWTs, signed by the newest key and verified by each key whose tokens may still live.

use std::sync::Arc;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use mainstay_contract::ts::Ts;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{AuthError, Role, SessionId, UserId, seal::Vault, store::SigningKeyRow};
use crate::ids;

/// Longer tokens are not ours and are not looked at.
const TOKEN_LEN_MAX_BYTES: usize = 2_048;
/// A token from an instance whose clock is ahead.
const SKEW_S: i64 = 60;

/// What an access token says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Claims {
    pub(crate) sub: UserId,
    pub(crate) handle: String,
    pub(crate) role: Role,
    pub(crate) sid: SessionId,
    pub(crate) iat: i64,
    pub(crate) exp: i64,
    pub(crate) iss: String,
}

/// A new signing key, ready for its row.
pub(crate) struct NewSigningKey {
    pub(crate) kid: String,
    pub(crate) public: Vec<u8>,
    pub(crate) wrapped: Vec<u8>,
}

impl NewSigningKey {
    pub(crate) fn generate(vault: &Vault) -> Result<Self, AuthError> {
        let refused = |_opaque| AuthError::Crypto("no Ed25519 key could be made".into());
        let pair = Ed25519KeyPair::generate().map_err(refused)?;
        let private = pair.to_pkcs8v1().map_err(refused)?;
        let kid = ids::random_token(12);
        let wrapped = vault.wrap_signing_key(&kid, private.as_ref())?;
        Ok(Self { kid, public: pair.public_key().as_ref().to_vec(), wrapped })
    }
}

/// The keys as this instance knows them.
pub(crate) struct Keyring {
    signs: (String, EncodingKey),
    verify: Vec<Verifier>,
    /// When it was read from the records.
    pub(crate) read_at: Ts,
}

struct Verifier {
    kid: String,
    key: DecodingKey,
    public: Vec<u8>,
    until: Option<Ts>,
}

/// Why a token was not accepted; only the first is worth another look at the records.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum TokenFault {
    /// It names a key that this instance does not know.
    UnknownKey,
    /// Anything else.
    Refused,
}

impl Keyring {
    /// A compact JWS of this type over `payload`.
    pub(crate) fn sign_as<T: Serialize>(
        &self,
        kind: &str,
        payload: &T,
    ) -> Result<String, AuthError> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.signs.0.clone());
        header.typ = Some(kind.to_owned());
        jsonwebtoken::encode(&header, payload, &self.signs.1)
            .map_err(|error| AuthError::Crypto(error.to_string()))
    }

    /// This JWS by the present key, if another one has signed it.
    pub(crate) fn sign_again(&self, jws: &str) -> Result<Option<String>, AuthError> {
        let refused = |error: jsonwebtoken::errors::Error| AuthError::Crypto(error.to_string());
        let mut header = jsonwebtoken::decode_header(jws).map_err(refused)?;
        if header.kid.as_ref() == Some(&self.signs.0) {
            return Ok(None);
        }
        header.kid = Some(self.signs.0.clone());
        let payload = jws.split('.').nth(1).unwrap_or_default();
        let header = serde_json::to_vec(&header);
        let header = header.map_err(|error| AuthError::Crypto(error.to_string()))?;
        let said = format!("{}.{payload}", URL_SAFE_NO_PAD.encode(header));
        let signature =
            jsonwebtoken::crypto::sign(said.as_bytes(), &self.signs.1, Algorithm::EdDSA);
        Ok(Some(format!("{said}.{}", signature.map_err(refused)?)))
    }

    /// From rows, newest first. `None` if no row signs.
    pub(crate) fn new(
        rows: Vec<SigningKeyRow>,
        vault: &Vault,
        now: Ts,
    ) -> Result<Option<Self>, AuthError> {
        let Some(newest) = rows.iter().find(|row| row.verifies_until.is_none()) else {
            return Ok(None);
        };
        let private = vault.signing_key(&newest.kid, &newest.private_wrapped)?;
        let signs = (newest.kid.clone(), EncodingKey::from_ed_der(&private));
        let verify = rows.into_iter().map(|row| Verifier {
            key: DecodingKey::from_ed_der(&row.public_key),
            kid: row.kid,
            public: row.public_key,
            until: row.verifies_until,
        });
        Ok(Some(Self { signs, verify: verify.collect(), read_at: now }))
    }

    pub(crate) fn sign(&self, claims: &Claims) -> Result<String, AuthError> {
        let mut header = Header::new(Algorithm::EdDSA);
        header.kid = Some(self.signs.0.clone());
        jsonwebtoken::encode(&header, claims, &self.signs.1)
            .map_err(|error| AuthError::Crypto(error.to_string()))
    }

    /// The claims of a token that one of the keys signed, for `issuer`, and that has not expired.
    pub(crate) fn verify(&self, token: &str, issuer: &str, now: Ts) -> Result<Claims, TokenFault> {
        if token.len() > TOKEN_LEN_MAX_BYTES {
            return Err(TokenFault::Refused);
        }
        let refused = |_why| TokenFault::Refused;
        let header = jsonwebtoken::decode_header(token).map_err(refused)?;
        // The algorithm is ours, never the token's word: neither `none` nor a MAC keyed with the public key passes.
        if header.alg != Algorithm::EdDSA {
            return Err(TokenFault::Refused);
        }
        let kid = header.kid.ok_or(TokenFault::Refused)?;
        let known = self.verify.iter().find(|verifier| verifier.kid == kid);
        let verifier = known.ok_or(TokenFault::UnknownKey)?;
        if verifier.until.is_some_and(|until| until <= now) {
            return Err(TokenFault::Refused);
        }
        let mut validation = Validation::new(Algorithm::EdDSA);
        validation.set_issuer(&[issuer]);
        validation.set_required_spec_claims(&["exp", "iss", "sub"]);
        // Time is judged below by the core's clock; the library knows only the machine's.
        validation.validate_exp = false;
        let claims = jsonwebtoken::decode::<Claims>(token, &verifier.key, &validation)
            .map_err(refused)?
            .claims;
        let now_s = now.as_micros().div_euclid(1_000_000);
        if claims.exp <= now_s || claims.iat > now_s.saturating_add(SKEW_S) {
            return Err(TokenFault::Refused);
        }
        Ok(claims)
    }

    /// The public keys as RFC 7517 writes them.
    pub(crate) fn jwks(&self, now: Ts) -> serde_json::Value {
        let live = self.verify.iter().filter(|key| key.until.is_none_or(|until| until > now));
        let keys: Vec<_> = live
            .map(|key| {
                json!({
                    "kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA",
                    "kid": key.kid, "x": URL_SAFE_NO_PAD.encode(&key.public),
                })
            })
            .collect();
        json!({ "keys": keys })
    }
}

/// The keys of this instance, replaced as a whole.
pub(crate) type SharedKeyring = arc_swap::ArcSwap<Keyring>;

/// A keyring to share.
pub(crate) fn shared(keyring: Keyring) -> SharedKeyring {
    SharedKeyring::new(Arc::new(keyring))
}
