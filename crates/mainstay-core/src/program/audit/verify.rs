//! Whether the audit logs of all services are as they were written.

use serde::{Deserialize, Serialize};

use super::AuditLogs;
use crate::{
    audit::{self, Link, Stretch},
    db::{Db, DbError},
};

/// Stretches of one answer, of up to 1,000 entries each: it must be there within an order's time.
const STRETCHES_MAX: usize = 20;

/// Where to go on checking.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditPlace {
    /// The log of this service.
    pub log: String,
    /// After this entry.
    pub after: Link,
}

/// What was found in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// The service whose log it is.
    pub log: String,
    /// How many entries are sound, from the first one on.
    pub sound: i64,
    /// The hash of the last of them, in hexadecimal digits.
    pub hash: String,
    /// The first number whose entry is missing or does not follow from the one before it; none if all are sound.
    pub broken_at: Option<i64>,
    /// Where to go on, in this log or the next; absent at the end.
    pub next: Option<AuditPlace>,
}

/// Why a log was not checked.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// No service has a log of that name.
    #[error("find the audit log `{asked}`; there are {}", known.join(", "))]
    NoLog {
        /// What was asked for.
        asked: String,
        /// Those that there are.
        known: Vec<&'static str>,
    },
    /// The records could not be read.
    #[error("read the audit log `{log}`")]
    Db {
        /// Of this service.
        log: &'static str,
        /// What the engine says.
        source: DbError,
    },
}

impl AuditLogs {
    /// Checks that each entry of a log follows from the one before it; without `from` it begins with the first log. At
    /// most 20,000 entries of one log: `next` says where to go on. Others may write meanwhile.
    ///
    /// # Errors
    /// `NoLog`; `Db` with what the engine says.
    pub async fn verify(&self, from: Option<AuditPlace>) -> Result<Verified, VerifyError> {
        let (at, after) = match from {
            Some(AuditPlace { log, after }) => (self.place(log)?, after),
            None => (0, Link::default()),
        };
        let Some((log, db)) = self.logs.get(at) else { return Err(self.unknown(String::new())) };
        let found = stretches(db, after).await;
        let found = found.map_err(|source| VerifyError::Db { log, source })?;
        let (broken, goes_on, last) = match found {
            Stretch::Sound(last) => (false, true, last),
            Stretch::Ended(last) => (false, false, last),
            Stretch::Broken(last) => (true, false, last),
        };
        let hash = last.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        let (sound, broken_at) = (last.seq, broken.then_some(last.seq + 1));
        let next = match goes_on {
            true => Some((*log, last)),
            false => self.logs.get(at + 1).map(|(next, _)| (*next, Link::default())),
        };
        let next = next.map(|(log, after)| AuditPlace { log: log.to_owned(), after });
        Ok(Verified { log: (*log).to_owned(), sound, hash, broken_at, next })
    }

    fn place(&self, asked: String) -> Result<usize, VerifyError> {
        let found = self.logs.iter().position(|(log, _)| *log == asked);
        found.ok_or_else(|| self.unknown(asked))
    }

    fn unknown(&self, asked: String) -> VerifyError {
        VerifyError::NoLog { asked, known: self.logs.iter().map(|(log, _)| *log).collect() }
    }
}

/// As many stretches as one answer has time for.
async fn stretches(db: &Db, mut after: Link) -> Result<Stretch, DbError> {
    for _ in 0..STRETCHES_MAX {
        match audit::verify_after(db, after).await? {
            Stretch::Sound(last) => after = last,
            end => return Ok(end),
        }
    }
    Ok(Stretch::Sound(after))
}
