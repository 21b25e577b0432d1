//! What handlers answer: JSON, pages, nothing, or a problem.
//!
//! A whole body is handed to the middleware as bytes, so that the entity tag, conditional requests and compression are
//! decided at one place; streams pass it as they are.

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use serde::Serialize;

use crate::error::Problem;

/// A body that is known as a whole; in the response's extensions until the middleware writes it out.
#[derive(Clone)]
pub(super) struct Whole(pub Bytes);

/// A problem on its way to the middleware, which knows the request id and the caller's language.
#[derive(Clone)]
pub(super) struct Refused(pub std::sync::Arc<Problem>);

/// An answer whose bytes are known.
pub fn whole(status: StatusCode, content_type: &'static str, bytes: impl Into<Bytes>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
    response.extensions_mut().insert(Whole(bytes.into()));
    response
}

/// `200` with JSON.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// `201` with JSON.
#[derive(Debug)]
pub struct Created<T>(pub T);

/// `204`.
#[derive(Debug)]
pub struct NoContent;

/// `200` with a page.
#[derive(Debug)]
pub struct Html(pub String);

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        json(StatusCode::OK, &self.0)
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        json(StatusCode::CREATED, &self.0)
    }
}

impl IntoResponse for NoContent {
    fn into_response(self) -> Response {
        StatusCode::NO_CONTENT.into_response()
    }
}

impl IntoResponse for Html {
    fn into_response(self) -> Response {
        whole(StatusCode::OK, "text/html; charset=utf-8", self.0)
    }
}

fn json<T: Serialize>(status: StatusCode, value: &T) -> Response {
    match serde_json::to_vec(value) {
        Ok(bytes) => whole(status, "application/json", bytes),
        Err(error) => Problem::internal(error).into_response(),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status =
            StatusCode::from_u16(self.code.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = Response::new(Body::empty());
        *response.status_mut() = status;
        response.extensions_mut().insert(Refused(std::sync::Arc::new(self)));
        response
    }
}

/// A problem as RFC 9457 writes it.
#[derive(Serialize, schemars::JsonSchema)]
#[schemars(rename = "Problem")]
pub(super) struct ProblemJson<'a> {
    /// Names the kind of problem; documented under `/docs`.
    r#type: String,
    /// What kind of problem it is.
    title: &'a str,
    /// The HTTP status.
    status: u16,
    /// The stable code.
    code: &'a str,
    /// What happened and what to do.
    detail: &'a str,
    /// Names this request in the logs.
    request_id: &'a str,
    /// Each fault of the input.
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    #[schemars(default)]
    errors: &'a [crate::error::Fault],
}

pub(crate) fn problem_json(problem: &Problem, request_id: &str) -> Bytes {
    let view = ProblemJson {
        r#type: format!("/docs#problem-{}", problem.code.as_str()),
        title: problem.code.title(),
        status: problem.code.status(),
        code: problem.code.as_str(),
        detail: &problem.detail,
        request_id,
        errors: &problem.faults,
    };
    serde_json::to_vec(&view).unwrap_or_default().into()
}
