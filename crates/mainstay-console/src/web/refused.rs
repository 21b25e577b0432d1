//! Why a form of the account is shown again.

use axum::response::Response;
use http::{StatusCode, header};
use mainstay_core::{
    auth::AuthError,
    error::{Code, Problem},
};
use maud::Markup;

use crate::{form::FormErrors, visit::Visit};

/// What the form says, and with which status.
pub(super) struct Refused {
    status: StatusCode,
    retry_after_s: Option<u32>,
    pub(super) errors: FormErrors,
}

impl Refused {
    /// What the form can say; a failure of ours, and what is not there, is passed on.
    pub(super) fn read(error: AuthError) -> Result<Self, Problem> {
        let problem = Problem::from(error);
        let status = match problem.code {
            Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Code::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Code::Suspended | Code::Forbidden => StatusCode::FORBIDDEN,
            Code::Unauthenticated | Code::Invalid | Code::Taken | Code::Conflict => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            _ => return Err(problem),
        };
        let errors = FormErrors::of(&problem);
        Ok(Self { status, retry_after_s: problem.retry_after_s, errors })
    }

    /// `page` with the status, and when to try again.
    pub(super) fn answer(&self, visit: &Visit, page: Markup) -> Response {
        let mut response = visit.page_as(self.status, page);
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}
