//! What is kept sealed: personal columns under each person's own key, those keys and the signing keys under the
//! master key.
//!
//! A sealed value is `1 | nonce (12 bytes) | AES-256-GCM ciphertext and tag`. The place where it belongs is
//! authenticated with it, so a value that was moved to another row or column does not open.

use std::fmt;

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest, hkdf, hmac,
};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use mainstay_contract::id::UserId;

use super::SessionId;
use crate::ids;

const VERSION: u8 = 1;

/// Why a sealed value could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum SealError {
    /// It was changed, moved, or sealed under another key.
    #[error("open a sealed value; was the master key replaced?")]
    Broken,
    /// The cryptographic library refused.
    #[error("seal a value")]
    Refused,
}

/// What must stay secret for everything else to be. Never printed.
#[derive(Clone)]
pub struct Secrets {
    /// 32 random bytes from which every other key is derived or by which it is wrapped.
    pub master: [u8; 32],
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secrets { master: … }")
    }
}

impl Secrets {
    /// A key for another use, which says nothing about the master key or any other.
    pub fn derive(&self, name: &str) -> [u8; 32] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.master);
        tag(&key, format!("mainstay {name}").as_bytes())
    }
}

/// The keys that are derived from the master key, one for each use.
pub(crate) struct Vault {
    wrap: LessSafeKey,
    blind: hmac::Key,
    csrf: hmac::Key,
    refresh: hmac::Key,
}

impl Vault {
    pub(crate) fn new(secrets: &Secrets) -> Result<Self, SealError> {
        let root = hkdf::Salt::new(hkdf::HKDF_SHA256, b"mainstay").extract(&secrets.master);
        let derive = |name: &str| {
            let mut key = [0_u8; 32];
            root.expand(&[name.as_bytes()], hkdf::HKDF_SHA256)
                .and_then(|okm| okm.fill(&mut key))
                .map_err(|_opaque| SealError::Refused)?;
            Ok::<_, SealError>(key)
        };
        let mac = |name| derive(name).map(|key| hmac::Key::new(hmac::HMAC_SHA256, &key));
        Ok(Self {
            wrap: aes(&derive("wrap v1")?)?,
            blind: mac("e-mail index v1")?,
            csrf: mac("csrf v1")?,
            refresh: mac("refresh successor v1")?,
        })
    }

    /// A new key for `user`, and the same wrapped for its row.
    pub(crate) fn new_subject_key(&self, user: UserId) -> Result<(SubjectKey, Vec<u8>), SealError> {
        let mut key = [0_u8; 32];
        ids::fill_random(&mut key);
        let wrapped = seal(&self.wrap, &place("subject_key", user), &key)?;
        Ok((SubjectKey { key: aes(&key)?, user }, wrapped))
    }

    /// The key of `user` from its row.
    pub(crate) fn subject_key(
        &self,
        user: UserId,
        wrapped: &[u8],
    ) -> Result<SubjectKey, SealError> {
        let key = open(&self.wrap, &place("subject_key", user), wrapped)?;
        Ok(SubjectKey { key: aes(&key)?, user })
    }

    /// Wraps the private part of the signing key `kid`.
    pub(crate) fn wrap_signing_key(&self, kid: &str, private: &[u8]) -> Result<Vec<u8>, SealError> {
        seal(&self.wrap, format!("signing_key {kid}").as_bytes(), private)
    }

    /// The private part of the signing key `kid`.
    pub(crate) fn signing_key(&self, kid: &str, wrapped: &[u8]) -> Result<Vec<u8>, SealError> {
        open(&self.wrap, format!("signing_key {kid}").as_bytes(), wrapped)
    }

    /// Finds an address without storing it: nobody without the master key can tell whose it is.
    pub(crate) fn email_index(&self, normalised: &str) -> [u8; 32] {
        tag(&self.blind, normalised.as_bytes())
    }

    /// The token that proves that a form came from a page of this session.
    pub(crate) fn csrf_token(&self, session: SessionId) -> String {
        URL_SAFE_NO_PAD.encode(tag(&self.csrf, &session.bits().to_be_bytes()))
    }

    /// Whether `given` is the session's token; in constant time.
    pub(crate) fn csrf_matches(&self, session: SessionId, given: &str) -> bool {
        let Ok(given) = URL_SAFE_NO_PAD.decode(given) else { return false };
        hmac::verify(&self.csrf, &session.bits().to_be_bytes(), &given).is_ok()
    }

    /// The refresh token that follows `token`. It follows from it, so that a lost answer can be given again; nobody
    /// without the master key can compute it.
    pub(crate) fn refresh_successor(&self, token: &str) -> String {
        URL_SAFE_NO_PAD.encode(tag(&self.refresh, token.as_bytes()))
    }
}

/// One person's own key.
pub(crate) struct SubjectKey {
    key: LessSafeKey,
    user: UserId,
}

impl SubjectKey {
    /// Seals `text` for `column`.
    pub(crate) fn seal(&self, column: &'static str, text: &str) -> Result<Vec<u8>, SealError> {
        seal(&self.key, &place(column, self.user), text.as_bytes())
    }

    /// Opens what was sealed for `column`.
    pub(crate) fn open(&self, column: &'static str, sealed: &[u8]) -> Result<String, SealError> {
        let bytes = open(&self.key, &place(column, self.user), sealed)?;
        String::from_utf8(bytes).map_err(|_garbled| SealError::Broken)
    }
}

/// SHA-256, by which tokens are stored: they are random, so nothing slower is needed.
pub(crate) fn token_hash(token: &str) -> [u8; 32] {
    digest::digest(&digest::SHA256, token.as_bytes()).as_ref().try_into().unwrap_or_default()
}

fn place(column: &str, user: UserId) -> Vec<u8> {
    format!("{column} {user}").into_bytes()
}

fn tag(key: &hmac::Key, bytes: &[u8]) -> [u8; 32] {
    hmac::sign(key, bytes).as_ref().try_into().unwrap_or_default()
}

fn aes(key: &[u8]) -> Result<LessSafeKey, SealError> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_length| SealError::Broken)?;
    Ok(LessSafeKey::new(key))
}

fn seal(key: &LessSafeKey, place: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
    let mut nonce = [0_u8; NONCE_LEN];
    ids::fill_random(&mut nonce);
    let mut body = plain.to_vec();
    key.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), Aad::from(place), &mut body)
        .map_err(|_opaque| SealError::Refused)?;
    let mut sealed = Vec::with_capacity(1 + NONCE_LEN + body.len());
    sealed.push(VERSION);
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(&body);
    Ok(sealed)
}

fn open(key: &LessSafeKey, place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let rest = sealed.strip_prefix(&[VERSION]).ok_or(SealError::Broken)?;
    let (nonce, body) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Broken)?;
    let mut body = body.to_vec();
    let plain = key
        .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(place), &mut body)
        .map_err(|_opaque| SealError::Broken)?;
    Ok(plain.to_vec())
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn vault(byte: u8) -> Vault {
        Vault::new(&Secrets { master: [byte; 32] }).unwrap()
    }

    #[test]
    fn a_sealed_value_opens_only_in_its_place_and_unchanged() {
        let (bob, eve) = (UserId::from_bits(1), UserId::from_bits(2));
        let vault = vault(7);
        let (key, wrapped) = vault.new_subject_key(bob).unwrap();
        let sealed = key.seal("email", "bob@example.org").unwrap();
        let again = vault.subject_key(bob, &wrapped).unwrap();
        assert_eq!(again.open("email", &sealed).unwrap(), "bob@example.org");
        assert!(again.open("name", &sealed).is_err());
        assert!(vault.subject_key(eve, &wrapped).is_err());
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[place] ^= 1;
            assert!(key.open("email", &changed).is_err(), "byte {place}");
        }
        assert!(key.open("email", &sealed[..12]).is_err());
    }

    #[test]
    fn another_master_key_opens_nothing_and_finds_nobody() {
        let bob = UserId::from_bits(1);
        let (_key, wrapped) = vault(7).new_subject_key(bob).unwrap();
        assert!(vault(8).subject_key(bob, &wrapped).is_err());
        assert_ne!(vault(7).email_index("a@b.c"), vault(8).email_index("a@b.c"));
        assert_eq!(vault(7).email_index("a@b.c"), vault(7).email_index("a@b.c"));
    }

    #[test]
    fn a_csrf_token_is_of_one_session() {
        let (one, other) = (SessionId::from_bits(1), SessionId::from_bits(2));
        let vault = vault(7);
        assert!(vault.csrf_matches(one, &vault.csrf_token(one)));
        assert!(!vault.csrf_matches(other, &vault.csrf_token(one)));
        assert!(!vault.csrf_matches(one, ""));
    }
}
