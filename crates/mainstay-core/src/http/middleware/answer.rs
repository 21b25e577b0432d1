//! After the handler: problems written out, entity tags, compression and headers.

use std::sync::atomic::Ordering;

use axum::{body::Body, extract::Request, response::Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, Method, StatusCode, header};

use super::{Asked, Gate, Shown};
use crate::{
    error::{Code, Problem},
    http::{
        compress,
        reply::{self, Refused, Whole},
        route::{Kind, Route},
    },
};

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; object-src 'none'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);
const API_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

/// The policy of pages that show media from another place; `None` if that is no address on the web.
pub(super) fn page_policy_with(url: &str) -> Option<HeaderValue> {
    let place = url::Url::parse(url).ok()?.origin().ascii_serialization();
    let own = PAGE_POLICY;
    let with = own
        .to_str()
        .ok()?
        .replace("img-src 'self'", &format!("img-src 'self' {place}"))
        .replace("media-src 'self'", &format!("media-src 'self' {place}"));
    HeaderValue::from_str(&with).ok()
}

impl Gate {
    /// Writes the problem or the whole body out, with entity tag and compression.
    pub(super) async fn finish(
        &self,
        route: &Route,
        asked: &Asked,
        mut response: Response,
    ) -> Response {
        if let Some(Refused(problem)) = response.extensions_mut().remove::<Refused>() {
            log_problem(route, asked, &problem);
            return Box::pin(self.problem(asked, &problem)).await;
        }
        let Some(Whole(mut bytes)) = response.extensions_mut().remove::<Whole>() else {
            return response;
        };
        if asked.reads && response.status() == StatusCode::OK {
            let tag = entity_tag(&mut response, &bytes);
            if asked.if_none_match.as_ref().is_some_and(|known| matches_tag(known, &tag)) {
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                response.headers_mut().remove(header::CONTENT_TYPE);
                return response;
            }
        }
        let content_type = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let accepts = asked
            .accept_encoding
            .as_ref()
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        if let Some(encoding) = compress::choose(accepts, content_type, bytes.len())
            && let Some(packed) = Box::pin(compress::compress(encoding, &bytes)).await
        {
            bytes = packed;
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.as_str()));
        }
        *response.body_mut() = Body::from(bytes);
        response
    }

    /// The answer to a browser that asks whether a page of another origin may send a request; `None` if it does not
    /// ask that, or the origin is none of `http.cors_origins`.
    pub(in crate::http) fn preflight(
        &self,
        request: &Request,
        methods: &HeaderValue,
    ) -> Option<Response> {
        let headers = request.headers();
        let origin = headers.get(header::ORIGIN)?;
        let asks = *request.method() == Method::OPTIONS
            && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || !self.allows(origin) {
            return None;
        }
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NO_CONTENT;
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, methods.clone());
        headers.insert(
            header::ACCESS_CONTROL_ALLOW_HEADERS,
            HeaderValue::from_static(
                "accept, authorization, content-type, idempotency-key, if-match, if-none-match, \
                 last-event-id, mainstay-token, range, x-request-id",
            ),
        );
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("3600"));
        let varies = "origin, access-control-request-method, access-control-request-headers";
        headers.insert(header::VARY, HeaderValue::from_static(varies));
        Some(response)
    }

    /// Whether pages of this origin may call the API.
    fn allows(&self, origin: &HeaderValue) -> bool {
        self.settings.cors_origins.iter().any(|allowed| origin.as_bytes() == allowed.as_bytes())
    }

    async fn problem(&self, asked: &Asked, problem: &Problem) -> Response {
        let status = StatusCode::from_u16(problem.code.status())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let shown = match (self.error_page.get(), &asked.page) {
            (Some(show), Some(page)) => Some(show(problem, page).await),
            _ => None,
        };
        let (content_type, bytes) = match shown {
            Some(Shown::Elsewhere(to)) => {
                let mut response = Response::new(Body::empty());
                *response.status_mut() = StatusCode::SEE_OTHER;
                response.headers_mut().insert(header::LOCATION, to);
                return response;
            }
            Some(Shown::Page(page)) => ("text/html; charset=utf-8", Bytes::from(page)),
            None => ("application/problem+json", reply::problem_json(problem, &asked.id.0)),
        };
        let mut response = Response::new(Body::from(bytes));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(content_type));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if let Some(seconds) = problem.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if problem.code == Code::UpgradeRequired {
            headers.insert(header::UPGRADE, HeaderValue::from_static("websocket"));
        }
        if problem.code == Code::Unauthenticated {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }

    /// Headers that every answer has.
    pub(super) fn headers(&self, route: &Route, asked: &Asked, response: &mut Response) {
        let status = response.status();
        let headers = response.headers_mut();
        // At once what is added below and by the connection, instead of growing three times.
        headers.reserve(16);
        if let Ok(id) = HeaderValue::from_str(&asked.id.0) {
            headers.insert(REQUEST_ID, id);
        }
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
        headers.insert(header::X_XSS_PROTECTION, HeaderValue::from_static("1; mode=block"));
        headers.insert(
            header::REFERRER_POLICY,
            HeaderValue::from_static("strict-origin-when-cross-origin"),
        );
        let policy = match (route.kind, self.page_policy.get()) {
            (Kind::Page, Some(policy)) => policy.clone(),
            (Kind::Page, None) => PAGE_POLICY,
            _ => API_POLICY,
        };
        headers.entry(header::CONTENT_SECURITY_POLICY).or_insert(policy);
        if self.settings.https {
            let a_year = HeaderValue::from_static("max-age=31536000; includeSubDomains");
            headers.insert(header::STRICT_TRANSPORT_SECURITY, a_year);
        }
        let caching =
            if asked.reads && status.is_success() { "private, no-cache" } else { "no-store" };
        headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static(caching));
        // What everybody may keep is the same for everybody.
        let public = headers
            .get(header::CACHE_CONTROL)
            .is_some_and(|caching| caching.as_bytes().starts_with(b"public"));
        let varies =
            if public { "accept-encoding" } else { "accept-encoding, authorization, cookie" };
        headers.append(header::VARY, HeaderValue::from_static(varies));
        if let Some(origin) = asked.origin.as_ref().filter(|origin| self.allows(origin)) {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin.clone());
            let exposed = "etag, mainstay-token, ratelimit-limit, ratelimit-remaining, ratelimit-reset, retry-after, x-request-id";
            headers
                .insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(exposed));
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if self.draining.load(Ordering::Relaxed) {
            headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

fn entity_tag(response: &mut Response, bytes: &Bytes) -> HeaderValue {
    use std::hash::{BuildHasher as _, Hasher as _};
    if let Some(tag) = response.headers().get(header::ETAG) {
        return tag.clone();
    }
    let mut hasher = foldhash::quality::FixedState::with_seed(0x6d61_696e).build_hasher();
    hasher.write(bytes);
    let text = format!("W/\"{:016x}\"", hasher.finish());
    let tag = HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("W/\"0\""));
    response.headers_mut().insert(header::ETAG, tag.clone());
    tag
}

fn matches_tag(known: &HeaderValue, tag: &HeaderValue) -> bool {
    let weak = |text: &str| text.trim().trim_start_matches("W/").to_owned();
    let (Ok(known), Ok(tag)) = (known.to_str(), tag.to_str()) else { return false };
    known.trim() == "*" || known.split(',').any(|one| weak(one) == weak(tag))
}

/// A failure is logged once, here, with its whole chain of causes.
fn log_problem(route: &Route, asked: &Asked, problem: &Problem) {
    let mut cause = String::new();
    let mut next = problem.cause.as_ref().map(|cause| cause.as_ref() as &dyn std::error::Error);
    while let Some(error) = next {
        cause.push_str(if cause.is_empty() { "" } else { ": " });
        cause.push_str(&error.to_string());
        next = error.source();
    }
    let (id, code, path) = (&asked.id.0, problem.code.as_str(), route.path);
    if problem.code == Code::Internal {
        tracing::error!(request_id = %id, code, method = %route.method, path, cause, "request failed");
    } else if problem.code.status() >= 500 {
        tracing::warn!(request_id = %id, code, method = %route.method, path, cause, "request not served");
    } else if !cause.is_empty() {
        tracing::info!(request_id = %id, code, method = %route.method, path, cause, "request refused");
    }
}
