//! What happens to every request, in one place and in this order:
//!
//! request id → shed → bounds of head and body → authenticate, unless the address has guessed too often → limit by
//! caller or address → authorise → handler within its time → problem, or entity tag and compression → headers →
//! metrics and access log.
//!
//! One fused middleware rather than a stack of layers: five layers cost as much as the whole server. [`Gate::handle`]
//! is the order; `admit` holds what comes before the handler, `answer` what comes after, `limits` and `token` what
//! they use.

mod admit;
mod answer;
mod limits;
mod token;

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::Poll,
    time::Duration,
};

use arc_swap::ArcSwap;
use axum::{
    extract::{FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderValue, Method, Uri, header, request::Parts};
use ipnet::IpNet;
use mainstay_contract::ts::Ts;

pub(in crate::http) use self::admit::TARGET_BYTES_MAX;
use self::{admit::bound_body, answer::REQUEST_ID, limits::limit_headers, token::Written};
pub use self::{
    admit::{check_form_token, form_token},
    limits::Limits,
    token::Followed,
};
use super::route::{Kind, LimitClass, Route};
use crate::{
    auth::{Auth, Caller, Role},
    clock::Clock,
    db::BoxFuture,
    error::{Code, Problem, panic_text},
    ids,
    telemetry::{self, AccessLog, HttpMetrics, RouteMetrics},
};

/// Shows a problem as a page of the console, or leads elsewhere, such as to where one signs in.
pub type ErrorPage =
    Box<dyn for<'a> Fn(&'a Problem, &'a Asking) -> BoxFuture<'a, Shown> + Send + Sync>;

/// The request whose answer is a problem, as far as the page that shows it needs it.
#[derive(Debug)]
pub struct Asking {
    /// Names the request in the logs.
    pub id: RequestId,
    /// How it asked.
    pub method: Method,
    /// What it asked for.
    pub uri: Uri,
    /// Its headers.
    pub headers: HeaderMap,
    /// Who sent it, if that is known.
    pub caller: Option<Caller>,
}

/// How a problem is shown.
#[derive(Debug)]
pub enum Shown {
    /// As this page.
    Page(String),
    /// Not at all: another page of this site is what helps.
    Elsewhere(HeaderValue),
}

/// Bounds and rules that are the same for every route.
#[derive(Debug, Clone)]
pub struct GateSettings {
    /// Most requests under way; one more is answered 503.
    pub in_flight_max: usize,
    /// Most bytes of all headers of a request, as HTTP/1.1 writes them; more is answered 431.
    pub header_bytes_max: usize,
    /// Proxies whose forwarding headers are believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Other origins that may call the API from a browser.
    pub cors_origins: Vec<String>,
    /// The program is reached over https.
    pub https: bool,
}

/// What every request passes: shared by all routes.
pub struct Gate {
    settings: GateSettings,
    auth: Auth,
    clock: Clock,
    limits: ArcSwap<Limits>,
    metrics: HttpMetrics,
    access: Option<AccessLog>,
    in_flight: AtomicUsize,
    draining: AtomicBool,
    error_page: OnceLock<ErrorPage>,
    /// What pages may load, if that is more than what is here.
    page_policy: OnceLock<HeaderValue>,
    followed: OnceLock<Followed>,
}

/// The address of the socket's other end.
#[derive(Debug, Clone, Copy)]
pub struct PeerAddress(pub SocketAddr);

/// The caller's address: the peer, or what a trusted proxy says.
#[derive(Debug, Clone, Copy)]
pub struct ClientAddress(pub IpAddr);

/// The request's name in logs and problems.
#[derive(Debug, Clone)]
pub struct RequestId(pub Arc<str>);

/// What the gate knows of a request, for extractors: one thing in its extensions, since each costs two allocations.
#[derive(Debug, Clone)]
pub(in crate::http) struct Known {
    pub(in crate::http) address: IpAddr,
    id: RequestId,
    pub(in crate::http) caller: Option<Caller>,
    /// The form token of a console session.
    form_token: Option<Arc<str>>,
}

impl Known {
    /// What the gate has found out about the request with these extensions.
    pub(in crate::http) fn of(extensions: &http::Extensions) -> Option<&Self> {
        extensions.get()
    }
}

impl<S: Sync> FromRequestParts<S> for ClientAddress {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let known = Known::of(&parts.extensions);
        Ok(Self(known.map_or(IpAddr::from([127, 0, 0, 1]), |known| known.address)))
    }
}

impl<S: Sync> FromRequestParts<S> for RequestId {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Known::of(&parts.extensions).map_or_else(|| Self("".into()), |known| known.id.clone()))
    }
}

/// Whether the caller may see the program's insides: an administrator, or somebody on this machine itself, unless a
/// proxy on it says for whom it asks.
#[derive(Debug, Clone, Copy)]
pub struct Insider(pub bool);

impl<S: Sync> FromRequestParts<S> for Insider {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let caller = Known::of(&parts.extensions).and_then(|known| known.caller.as_ref());
        let admin = caller.is_some_and(|caller| caller.acts_as(Role::Admin));
        Ok(Self(admin || admit::is_near(&parts.extensions, &parts.headers)))
    }
}

impl Gate {
    /// The gate of a program. Without `access` requests are counted but not logged.
    pub fn new(
        settings: GateSettings,
        auth: Auth,
        clock: Clock,
        limits: Limits,
        metrics: HttpMetrics,
        access: Option<AccessLog>,
    ) -> Self {
        Self {
            settings,
            auth,
            clock,
            limits: ArcSwap::from_pointee(limits),
            metrics,
            access,
            in_flight: AtomicUsize::new(0),
            draining: AtomicBool::new(false),
            error_page: OnceLock::new(),
            page_policy: OnceLock::new(),
            followed: OnceLock::new(),
        }
    }

    /// From now on these limits hold. What callers have used up so far is forgotten.
    pub fn set_limits(&self, limits: Limits) {
        self.limits.store(Arc::new(limits));
    }

    /// A route with the handles of its metrics.
    pub(super) fn watch(&self, route: Route) -> Watched {
        let metrics = self.metrics.route(method_name(&route.method), route.path);
        Watched { route, metrics }
    }

    /// Names what draws problems on pages; without it they are JSON. The first one given stays.
    pub fn error_page(&self, page: ErrorPage) {
        self.error_page.get_or_init(|| page);
    }

    /// Lets pages show pictures and films from `url`, an address on the web; nothing changes if it is empty. The first
    /// one given stays.
    pub fn show_media_from(&self, url: &str) {
        if let Some(policy) = answer::page_policy_with(url) {
            self.page_policy.get_or_init(|| policy);
        }
    }

    /// Names the logs whose positions consistency tokens hold. The first ones given stay.
    pub fn follow(&self, followed: Followed) {
        self.followed.get_or_init(|| followed);
    }

    /// From now on connections are closed after their answer.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Requests under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    async fn answer(&self, route: &Route, id: &RequestId, request: Request) -> (Response, Written) {
        let handler = AssertUnwindSafe((route.endpoint)(request)).catch_unwind();
        let handler = telemetry::with_request_id(id.0.clone(), handler);
        let limited = within(route.timeout_ms, handler);
        let (result, written) = if changes(&route.method) {
            Box::pin(crate::request::collect_writes(limited)).await
        } else {
            (limited.await, Vec::new())
        };
        let response = match result {
            Ok(Ok(response)) => response,
            Ok(Err(panic)) => {
                let text = format!("a handler panicked: {}", panic_text(panic.as_ref()));
                Problem::internal(text).into_response()
            }
            Err(_late) => {
                let detail = "The request was ended because it took too long. Look whether it took effect, then try again.";
                Problem::new(Code::TimedOut, detail).retry_after_s(1).into_response()
            }
        };
        (response, written)
    }

    /// One request, from the first line of the order above to the last.
    pub(in crate::http) async fn handle(
        &self,
        watched: &Watched,
        mut request: Request,
    ) -> Response {
        let route = &watched.route;
        let began = self.clock.now();
        let mut asked = Asked::read(route, &request);
        let under_way = UnderWay::enter(self);
        let address = self.client_address(&request);
        let access = self.access.as_ref().filter(|log| log.is_on());
        let path = access.map(|_| request.uri().path().to_owned());
        let mut known = Known { address, id: asked.id.clone(), caller: None, form_token: None };
        let admitted =
            if under_way.count > self.settings.in_flight_max && route.limit != LimitClass::Free {
                let detail =
                    "More requests are under way than this server takes. Try again in a second.";
                Err((Problem::new(Code::Overloaded, detail).retry_after_s(1), None))
            } else {
                match self.bound_head(&request).and_then(|()| bound_body(route, &mut request)) {
                    Ok(()) => match self.admit(route, &mut request, &mut known, began).await {
                        Ok(decision) if !asked.reads => Ok(decision),
                        Ok(decision) => match self.await_written(route, request.headers()).await {
                            Ok(()) => Ok(decision),
                            Err(problem) => Err((problem, decision)),
                        },
                        refused => refused,
                    },
                    Err(problem) => Err((problem, None)),
                }
            };
        asked.caller.clone_from(&known.caller);
        if let Some(page) = &mut asked.page {
            page.caller.clone_from(&asked.caller);
        }
        request.extensions_mut().insert(known);
        let ((response, written), decision) = match admitted {
            Ok(decision) => (self.answer(route, &asked.id, request).await, decision),
            Err((problem, decision)) => ((problem.into_response(), Vec::new()), decision),
        };
        let mut response = self.finish(route, &asked, response).await;
        self.headers(route, &asked, &mut response);
        limit_headers(decision, &mut response);
        self.say_written(&asked, &written, &mut response);
        drop(under_way);
        let ended = self.clock.now();
        let took_us = ended.micros_since(began).max(0);
        watched.metrics.observe(response.status().as_u16(), took_us as f64 / 1e6);
        if let Some(log) = access {
            let path = path.as_deref().unwrap_or_default();
            self.log(log, &asked, &response, Logged { route, path, address, ended, took_us });
        }
        response
    }

    fn log(&self, log: &AccessLog, asked: &Asked, response: &Response, line: Logged<'_>) {
        log.record(&telemetry::Access {
            at_us: line.ended.as_micros(),
            request_id: &asked.id.0,
            method: line.route.method.as_str(),
            route: line.route.path,
            path: line.path,
            status: response.status().as_u16(),
            duration_us: line.took_us.cast_unsigned(),
            bytes: http_body::Body::size_hint(response.body()).exact().unwrap_or(0),
            user: asked.caller.as_ref().map(|caller| caller.user),
            remote: line.address,
        });
    }
}

/// What a line of the access log says besides what was asked and answered.
struct Logged<'a> {
    route: &'a Route,
    path: &'a str,
    address: IpAddr,
    ended: Ts,
    took_us: i64,
}

/// A route and what it counts.
pub(in crate::http) struct Watched {
    pub(in crate::http) route: Route,
    metrics: RouteMetrics,
}

fn method_name(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        _ => "OTHER",
    }
}

/// What is kept of the request for its answer.
struct Asked {
    id: RequestId,
    reads: bool,
    /// The whole request, if its answer is a page.
    page: Option<Asking>,
    accept_encoding: Option<HeaderValue>,
    if_none_match: Option<HeaderValue>,
    origin: Option<HeaderValue>,
    caller: Option<Caller>,
}

impl Asked {
    fn read(route: &Route, request: &Request) -> Self {
        let headers = request.headers();
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        let wants_page =
            accept.is_none_or(|accept| accept.contains("html") || accept.contains("*/*"));
        let id = request_id(headers);
        let page = (route.kind == Kind::Page && wants_page).then(|| Asking {
            id: id.clone(),
            method: request.method().clone(),
            uri: request.uri().clone(),
            headers: headers.clone(),
            caller: None,
        });
        Self {
            id,
            reads: !changes(request.method()),
            page,
            accept_encoding: headers.get(header::ACCEPT_ENCODING).cloned(),
            if_none_match: headers.get(header::IF_NONE_MATCH).cloned(),
            origin: headers.get(header::ORIGIN).cloned(),
            caller: None,
        }
    }
}

/// Counts a request while it lives, also when its future is dropped.
struct UnderWay<'a> {
    gate: &'a Gate,
    count: usize,
}

impl<'a> UnderWay<'a> {
    fn enter(gate: &'a Gate) -> Self {
        gate.metrics.in_flight().inc();
        Self { gate, count: gate.in_flight.fetch_add(1, Ordering::Relaxed) + 1 }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.gate.in_flight.fetch_sub(1, Ordering::Relaxed);
        self.gate.metrics.in_flight().dec();
    }
}

fn changes(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// The caller's own id if it is short and plain, so that logs of several programs meet; else a new one.
fn request_id(headers: &HeaderMap) -> RequestId {
    let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok());
    let plain = given.filter(|id| {
        (8..=64).contains(&id.len())
            && id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    });
    RequestId(plain.map_or_else(new_request_id, Arc::from))
}

/// Sixteen hexadecimal digits, without the formatting machinery: every request has one.
fn new_request_id() -> Arc<str> {
    let mut digits = [0_u8; 16];
    let bits = ids::random_u64();
    for (place, digit) in digits.iter_mut().enumerate() {
        let nibble = (bits >> (4 * place)) as u8 & 15;
        *digit = if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 };
    }
    std::str::from_utf8(&digits).unwrap_or_default().into()
}

/// `work` within its time; 0 for a stream, which ends by itself. Most handlers are ready at once and need no timer.
async fn within<T>(
    timeout_ms: u32,
    work: impl Future<Output = T>,
) -> Result<T, tokio::time::error::Elapsed> {
    let mut work = pin!(work);
    if let Poll::Ready(result) = futures_util::poll!(work.as_mut()) {
        return Ok(result);
    }
    if timeout_ms == 0 {
        return Ok(work.await);
    }
    Box::pin(tokio::time::timeout(Duration::from_millis(timeout_ms.into()), work)).await
}
