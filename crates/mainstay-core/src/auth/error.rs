//! Why an account's request was refused, and which code a client sees.

use crate::{
    db::DbError,
    error::{Code, Fault, Problem},
};

use super::seal::SealError;

/// Why something about accounts, sessions or keys was not done.
#[derive(Debug, thiserror::Error)]
pub enum AuthError {
    /// Input with faults, all of them.
    #[error("accept the input")]
    Invalid(Vec<Fault>),
    /// The handle or the address belongs to somebody.
    #[error("use a handle or an address that somebody has")]
    Taken(Vec<Fault>),
    /// Unknown account or wrong password; it is never said which.
    #[error("sign in with this name and password")]
    WrongCredentials,
    /// No, unknown, expired, revoked or changed credentials.
    #[error("accept the credentials")]
    Unauthenticated,
    /// The account is suspended.
    #[error("act for a suspended account")]
    Suspended,
    /// Too many wrong passwords.
    #[error("sign in so soon after wrong passwords")]
    LockedOut {
        /// When to try again.
        retry_after_s: u32,
    },
    /// More passwords wait to be checked than can be.
    #[error("check a password while so many others wait")]
    Overloaded,
    /// Signed in, but not allowed; the sentence says why.
    #[error("do it without permission: {0}")]
    Forbidden(&'static str),
    /// There is no such thing, or it belongs to somebody else.
    #[error("find it")]
    NotFound,
    /// A bound was reached or the state does not allow it; the sentence says what to do.
    #[error("do it in the present state: {0}")]
    Conflict(&'static str),
    /// The records could not be read or written.
    #[error("read or write the records of accounts")]
    Db(#[source] DbError),
    /// A sealed value could not be opened.
    #[error("open what was sealed")]
    Seal(#[source] SealError),
    /// A password could not be hashed, or a token not signed.
    #[error("compute a hash or signature: {0}")]
    Crypto(String),
}

impl From<DbError> for AuthError {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<SealError> for AuthError {
    fn from(error: SealError) -> Self {
        Self::Seal(error)
    }
}

impl From<AuthError> for Problem {
    fn from(error: AuthError) -> Self {
        match error {
            AuthError::Invalid(faults) => Self::invalid(faults),
            AuthError::Taken(faults) => {
                let mut problem = Self::new(Code::Taken, "Choose what `errors` names anew.");
                problem.faults = faults;
                problem
            }
            AuthError::WrongCredentials => {
                Self::new(Code::Unauthenticated, "The name or the password is wrong.")
            }
            AuthError::Unauthenticated => Self::new(
                Code::Unauthenticated,
                "The credentials are unknown, expired or revoked. Sign in again.",
            ),
            AuthError::Suspended => {
                Self::new(Code::Suspended, "This account is suspended. Ask the operator.")
            }
            AuthError::LockedOut { retry_after_s } => {
                Self::new(Code::RateLimited, "Too many wrong passwords. Wait and try again.")
                    .retry_after_s(retry_after_s)
            }
            AuthError::Overloaded => {
                Self::new(Code::Overloaded, "Too many people sign in at this moment. Try again.")
                    .retry_after_s(1)
            }
            AuthError::Forbidden(why) => Self::new(Code::Forbidden, why),
            AuthError::NotFound => Self::new(Code::NotFound, "There is no such thing here."),
            AuthError::Conflict(why) => Self::new(Code::Conflict, why),
            AuthError::Db(cause) => cause.into(),
            AuthError::Seal(cause) => Self::internal(cause),
            error @ AuthError::Crypto(_) => Self::internal(error),
        }
    }
}
