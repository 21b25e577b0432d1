//! Passwords: argon2id on blocking threads, so many at once and no more in the queue.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use tokio::sync::Semaphore;

use super::AuthError;
use crate::ids;

/// What a hash costs. Higher figures make guessing dearer, and signing in too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PasswordCost {
    /// Memory for each hash, in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Default for PasswordCost {
    /// OWASP's figures for argon2id: 19 MiB, 2 passes, 1 lane.
    fn default() -> Self {
        Self { memory_kib: 19 * 1_024, passes: 2, lanes: 1 }
    }
}

/// Hashes and checks passwords.
#[derive(Debug)]
pub(crate) struct Passwords {
    params: Params,
    /// A hash that no password has, of the same cost: an unknown account takes as long as a known one.
    nobody: String,
    at_once: Arc<Semaphore>,
    queued: Arc<AtomicUsize>,
    queue_max: usize,
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Another password.
    Wrong,
    /// The right one.
    Right,
    /// The right one, but hashed at another cost: this is its hash at today's.
    RightRehashed(String),
}

impl Passwords {
    /// At most `at_once` hashes run and `queue_max` wait.
    pub(crate) fn new(
        cost: PasswordCost,
        at_once: usize,
        queue_max: usize,
    ) -> Result<Self, AuthError> {
        let params = Params::new(cost.memory_kib, cost.passes, cost.lanes, Some(32))
            .map_err(|error| AuthError::Crypto(error.to_string()))?;
        let mut random = [0_u8; 48];
        ids::fill_random(&mut random);
        let (salt, hash) = random.split_at(16);
        let nobody = format!(
            "$argon2id$v=19$m={},t={},p={}${}${}",
            cost.memory_kib,
            cost.passes,
            cost.lanes,
            STANDARD_NO_PAD.encode(salt),
            STANDARD_NO_PAD.encode(hash)
        );
        Ok(Self {
            params,
            nobody,
            at_once: Arc::new(Semaphore::new(at_once.max(1))),
            queued: Arc::default(),
            queue_max,
        })
    }

    /// The hash of a new password, in the PHC form.
    pub(crate) async fn hash(&self, password: String) -> Result<String, AuthError> {
        let params = self.params.clone();
        self.run(move || hash(&params, &password)).await
    }

    /// Checks `password` against a stored hash; without one it takes as long and is wrong.
    pub(crate) async fn check(
        &self,
        password: String,
        stored: Option<String>,
    ) -> Result<Checked, AuthError> {
        let params = self.params.clone();
        let known = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobody.clone());
        self.run(move || check(&params, &password, &stored, known)).await
    }

    /// Lets no hash begin until the permits are dropped.
    #[cfg(test)]
    pub(crate) async fn hold(&self, at_once: u32) -> Option<tokio::sync::OwnedSemaphorePermit> {
        self.at_once.clone().acquire_many_owned(at_once).await.ok()
    }

    /// How many wait for a hash to begin.
    #[cfg(test)]
    pub(crate) fn waiting(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, AuthError> + Send + 'static,
    ) -> Result<T, AuthError> {
        let place = Place::take(&self.queued, self.queue_max)?;
        let permit = self.at_once.clone().acquire_owned().await;
        let permit = permit.map_err(|closed| AuthError::Crypto(closed.to_string()))?;
        drop(place);
        // The permit goes with the work: a caller who goes away does not make room that is not there.
        let hashed = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        });
        hashed.await.map_err(|error| AuthError::Crypto(error.to_string()))?
    }
}

/// A place in the queue, free again when dropped.
struct Place(Arc<AtomicUsize>);

impl Place {
    fn take(queued: &Arc<AtomicUsize>, max: usize) -> Result<Self, AuthError> {
        let before = queued.fetch_add(1, Ordering::Relaxed);
        let place = Self(queued.clone());
        if before >= max { Err(AuthError::Overloaded) } else { Ok(place) }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

fn hash(params: &Params, password: &str) -> Result<String, AuthError> {
    let mut salt = [0_u8; 16];
    ids::fill_random(&mut salt);
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params.clone());
    let hash: PasswordHash = argon2
        .hash_password_with_salt(password.as_bytes(), &salt)
        .map_err(|error| AuthError::Crypto(error.to_string()))?;
    Ok(hash.to_string())
}

fn check(params: &Params, password: &str, stored: &str, known: bool) -> Result<Checked, AuthError> {
    let crypto = |error: argon2::password_hash::Error| AuthError::Crypto(error.to_string());
    let hash = PasswordHash::new(stored).map_err(|error| AuthError::Crypto(error.to_string()))?;
    let matches = match Argon2::default().verify_password(password.as_bytes(), &hash) {
        Ok(()) => known,
        Err(argon2::password_hash::Error::PasswordInvalid) => false,
        Err(error) => return Err(crypto(error)),
    };
    if !matches {
        return Ok(Checked::Wrong);
    }
    let used = Params::try_from(&hash).map_err(crypto)?;
    let same = (used.m_cost(), used.t_cost(), used.p_cost())
        == (params.m_cost(), params.t_cost(), params.p_cost());
    if same {
        Ok(Checked::Right)
    } else {
        Ok(Checked::RightRehashed(self::hash(params, password)?))
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    const CHEAP: PasswordCost = PasswordCost { memory_kib: 64, passes: 1, lanes: 1 };

    #[tokio::test]
    async fn a_hash_is_known_again_and_renewed_when_the_cost_changed() {
        let old = Passwords::new(CHEAP, 2, 8).unwrap();
        let new = Passwords::new(PasswordCost { passes: 2, ..CHEAP }, 2, 8).unwrap();
        let hash = old.hash("correct horse".into()).await.unwrap();
        let right = old.check("correct horse".into(), Some(hash.clone())).await.unwrap();
        assert_eq!(right, Checked::Right);
        let wrong = old.check("correct house".into(), Some(hash.clone())).await.unwrap();
        assert_eq!(wrong, Checked::Wrong);
        let Checked::RightRehashed(again) =
            new.check("correct horse".into(), Some(hash)).await.unwrap()
        else {
            unreachable!("the cost changed")
        };
        let known = new.check("correct horse".into(), Some(again)).await.unwrap();
        assert_eq!(known, Checked::Right);
    }

    #[tokio::test]
    async fn nobody_has_a_password() {
        let passwords = Passwords::new(CHEAP, 1, 1).unwrap();
        assert_eq!(passwords.check("anything".into(), None).await.unwrap(), Checked::Wrong);
    }

    #[tokio::test]
    async fn a_full_queue_refuses() {
        let passwords = Passwords::new(CHEAP, 1, 1).unwrap();
        let held = passwords.at_once.clone().acquire_owned().await.unwrap();
        let mut waiting = Box::pin(passwords.hash("correct horse".into()));
        assert!(futures_util::poll!(&mut waiting).is_pending());
        let refused = passwords.hash("correct horse".into()).await;
        assert!(matches!(refused, Err(AuthError::Overloaded)), "{refused:?}");
        drop(held);
        assert!(waiting.await.is_ok());
        assert_eq!(passwords.queued.load(Ordering::Relaxed), 0);
    }
}
