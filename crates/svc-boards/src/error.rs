//! Why a use case was not done, and the code that says so to the caller.

use std::borrow::Cow;

use mainstay_core::{
    db::DbError,
    error::{Code, Fault, Problem},
    redis::RedisAway,
};

/// Why a use case was not done; reads after "failed to".
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// There is no such thing, or the caller may not see it.
    #[error("find it for this caller")]
    NotFound,
    /// There is no such thing in what the caller may see; the sentence says what there is not.
    #[error("find it: {0}")]
    Absent(&'static str),
    /// The caller may see it but not do this.
    #[error("do what this caller may not do: {0}")]
    Forbidden(Cow<'static, str>),
    /// The present state does not allow it.
    #[error("do it in this state: {0}")]
    Conflict(Cow<'static, str>),
    /// The input is not valid.
    #[error("accept the input")]
    Invalid(Vec<Fault>),
    /// The list behind the cursor is gone.
    #[error("page a list that has expired")]
    CursorExpired,
    /// A refusal that another part has worded.
    #[error("serve the request: {}", .0.detail)]
    Refused(Box<Problem>),
    /// Rankings are held in Redis, which does not answer.
    #[error("read rankings")]
    RankingsAway(#[source] RedisAway),
    /// The records.
    #[error("use the records")]
    Db(#[source] DbError),
}

impl From<DbError> for Error {
    fn from(error: DbError) -> Self {
        Self::Db(error)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        Self::Refused(Box::new(problem))
    }
}

impl Error {
    /// One fault of the input.
    pub(crate) fn invalid(
        pointer: impl Into<Cow<'static, str>>,
        code: &'static str,
        detail: impl Into<String>,
    ) -> Self {
        Self::Invalid(vec![Fault::new(pointer, code, detail)])
    }

    /// Whether there is no such thing, or the caller may not see it.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::NotFound | Self::Absent(_))
    }

    /// The present state does not allow it; the sentence says why and what to do.
    pub(crate) fn conflict(detail: impl Into<Cow<'static, str>>) -> Self {
        Self::Conflict(detail.into())
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        match error {
            Error::NotFound => {
                Problem::new(Code::NotFound, "There is nothing here, or it is not for you to see.")
            }
            Error::Absent(detail) => Problem::new(Code::NotFound, detail),
            Error::Forbidden(detail) => Problem::new(Code::Forbidden, detail),
            Error::Conflict(detail) => Problem::new(Code::Conflict, detail),
            Error::Invalid(faults) => Problem::invalid(faults),
            Error::CursorExpired => Problem::new(
                Code::CursorExpired,
                "A ranking can be paged for ten minutes. Load the first page again.",
            ),
            Error::RankingsAway(error) => {
                let detail = "Rankings cannot be read at the moment. Scores are still taken; ask again in a second.";
                Problem::new(Code::Unavailable, detail).retry_after_s(1).because(error)
            }
            Error::Refused(problem) => *problem,
            Error::Db(error) => error.into(),
        }
    }
}

impl axum::response::IntoResponse for Error {
    fn into_response(self) -> axum::response::Response {
        Problem::from(self).into_response()
    }
}
