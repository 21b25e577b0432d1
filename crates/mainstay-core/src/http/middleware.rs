//! What happens to every request, in one place and in this order:
//!
//! request id → shed → body bounds → authenticate → limit by caller or address → authorise → handler within its time →
//! problem, or entity tag and compression → headers → metrics and access log.
//!
//! One fused middleware rather than a stack of layers: five layers cost as much as the whole server.

use std::{
    convert::Infallible,
    net::{IpAddr, SocketAddr},
    panic::AssertUnwindSafe,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use arc_swap::ArcSwap;
use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures_util::FutureExt as _;
use http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use ipnet::IpNet;
use mainstay_contract::ts::Ts;
use tower::Service;

use super::{
    compress, reply,
    reply::{Refused, Whole},
    route::{Access, Kind, LimitClass, Route},
};
use crate::{
    auth::{Auth, Caller, Credential},
    clock::Clock,
    db::BoxFuture,
    error::{Code, Problem},
    ids,
    limit::{self, Decision, Limit, Limiter},
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
    pub uri: http::Uri,
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

/// The form token of a console session, for the extractor that compares it.
#[derive(Clone)]
struct FormToken(Arc<str>);

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const CONSISTENCY_TOKEN: HeaderName = HeaderName::from_static("mainstay-token");
const CSRF_TOKEN: &str = "x-csrf-token";
const SITE: &str = "sec-fetch-site";

const PAGE_POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; img-src 'self' blob: data:; media-src 'self' blob:; connect-src 'self'; object-src 'none'; \
     base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
);
const API_POLICY: HeaderValue =
    HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'; sandbox");

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

    /// From now on connections are closed after their answer.
    pub fn drain(&self) {
        self.draining.store(true, Ordering::Relaxed);
    }

    /// Requests under way.
    pub fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    fn client_address(&self, request: &Request) -> IpAddr {
        let peer = request
            .extensions()
            .get::<PeerAddress>()
            .map_or(IpAddr::from([127, 0, 0, 1]), |peer| peer.0.ip().to_canonical());
        if !self.trusts(peer) {
            return peer;
        }
        // From the right: the first address that no trusted proxy added.
        let forwarded = request.headers().get_all("x-forwarded-for").iter();
        let hops: Vec<IpAddr> = forwarded
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|hop| hop.trim().parse().ok())
            .collect();
        hops.into_iter().rev().find(|hop| !self.trusts(*hop)).unwrap_or(peer)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.settings.trusted_proxies.iter().any(|net| net.contains(&address))
    }

    /// Authenticates, counts and authorises; the handler runs only if this succeeds.
    async fn admit(
        &self,
        route: &Route,
        request: &mut Request,
        address: IpAddr,
    ) -> Result<Option<Decision>, (Problem, Option<Decision>)> {
        // Who signs in or refreshes often still sends the token that has just expired; there nobody asks who calls.
        let asks = route.limit != LimitClass::Auth || route.access != Access::Public;
        let known = if asks { self.auth.cached(request.headers()) } else { None };
        let caller = match known {
            Some(caller) => Ok(Some(caller)),
            None if asks => self.auth.authenticate(request.headers()).await,
            None => Ok(None),
        };
        // Bad credentials count against the address, like none.
        let who = match &caller {
            Ok(Some(caller)) => Who::User(caller.user.bits()),
            _ => Who::Address(address),
        };
        let decision = self.limits.load().check(route.limit, who, self.clock.now());
        if let Some(decision) = decision.filter(|decision| !decision.allowed) {
            let detail = format!(
                "More requests than allowed came from you; wait {} s.",
                decision.retry_after_s
            );
            let problem =
                Problem::new(Code::RateLimited, detail).retry_after_s(decision.retry_after_s);
            return Err((problem, Some(decision)));
        }
        let refused = |problem| (problem, decision);
        let caller = caller.map_err(refused)?;
        if let Some(caller) = &caller {
            // Before anything is refused: the log and the page of the refusal say whom it met.
            request.extensions_mut().insert(caller.clone());
        }
        authorise(route.access, caller.as_ref(), request).map_err(refused)?;
        if let Some(Caller { credential: Credential::Console(session), .. }) = caller {
            let token: Arc<str> = self.auth.csrf_token(session).into();
            self.same_site(route, request, &token).map_err(refused)?;
            request.extensions_mut().insert(FormToken(token));
        }
        Ok(decision)
    }

    /// A request that carries the console's cookie and changes something must come from the console.
    fn same_site(&self, route: &Route, request: &Request, token: &str) -> Result<(), Problem> {
        if !changes(request.method()) {
            return Ok(());
        }
        let refused = || {
            Problem::new(
                Code::CsrfFailed,
                "Reload the page and try again; the form did not carry this session's token.",
            )
        };
        let site = request.headers().get(SITE).and_then(|value| value.to_str().ok());
        if site.is_some_and(|site| site != "same-origin" && site != "none") {
            return Err(refused());
        }
        // Forms carry the token as a field, which their extractor compares.
        let given = request.headers().get(CSRF_TOKEN);
        match given {
            Some(given) if same(given.as_bytes(), token.as_bytes()) => Ok(()),
            None if route.kind == Kind::Page => Ok(()),
            _ => Err(refused()),
        }
    }

    async fn answer<S>(&self, route: &Route, request: Request, inner: S) -> (Response, Written)
    where
        S: Service<Request, Response = Response, Error = Infallible>,
    {
        let mut inner = inner;
        let handler = AssertUnwindSafe(inner.call(request)).catch_unwind();
        let limited = async {
            if route.timeout_ms == 0 {
                return Ok(handler.await);
            }
            tokio::time::timeout(Duration::from_millis(route.timeout_ms.into()), handler).await
        };
        let (result, written) = if changes(&route.method) {
            crate::request::collect_writes(limited).await
        } else {
            (limited.await, Vec::new())
        };
        let response = match result {
            Ok(Ok(Ok(response))) => response,
            Ok(Err(panic)) => Problem::internal(panic_text(panic.as_ref())).into_response(),
            Err(_late) => {
                let detail = "The request was ended because it took too long. Look whether it took effect, then try again.";
                Problem::new(Code::TimedOut, detail).retry_after_s(1).into_response()
            }
        };
        (response, written)
    }

    /// Writes the problem or the whole body out, with entity tag and compression.
    async fn finish(&self, route: &Route, asked: &Asked, mut response: Response) -> Response {
        if let Some(Refused(problem)) = response.extensions_mut().remove::<Refused>() {
            log_problem(route, asked, &problem);
            return self.problem(asked, &problem).await;
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
            && let Some(packed) = compress::compress(encoding, &bytes).await
        {
            bytes = packed;
            let headers = response.headers_mut();
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding.as_str()));
        }
        *response.body_mut() = Body::from(bytes);
        response
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
                let mut response = StatusCode::SEE_OTHER.into_response();
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

    fn headers(&self, route: &Route, asked: &Asked, response: &mut Response) {
        let status = response.status();
        let headers = response.headers_mut();
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
        let policy = if route.kind == Kind::Page { PAGE_POLICY } else { API_POLICY };
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
        if let Some(origin) = &asked.origin
            && self
                .settings
                .cors_origins
                .iter()
                .any(|allowed| origin.as_bytes() == allowed.as_bytes())
        {
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

    /// One request, from the first line of the order above to the last.
    async fn handle<S>(&self, watched: &Watched, mut request: Request, inner: S) -> Response
    where
        S: Service<Request, Response = Response, Error = Infallible>,
    {
        let route = &watched.route;
        let began = self.clock.now();
        let mut asked = Asked::read(route, &request);
        let under_way = UnderWay::enter(&self.in_flight);
        let address = self.client_address(&request);
        request.extensions_mut().insert(ClientAddress(address));
        request.extensions_mut().insert(asked.id.clone());
        let path = self.access.as_ref().map(|_| request.uri().path().to_owned());
        let admitted =
            if under_way.count > self.settings.in_flight_max && route.limit != LimitClass::Free {
                let detail =
                    "More requests are under way than this server takes. Try again in a second.";
                Err((Problem::new(Code::Overloaded, detail).retry_after_s(1), None))
            } else {
                match bound_body(route, &mut request) {
                    Ok(()) => self.admit(route, &mut request, address).await,
                    Err(problem) => Err((problem, None)),
                }
            };
        asked.caller = request.extensions().get::<Caller>().cloned();
        if let Some(page) = &mut asked.page {
            page.caller.clone_from(&asked.caller);
        }
        let ((response, written), decision) = match admitted {
            Ok(decision) => (self.answer(route, request, inner).await, decision),
            Err((problem, decision)) => ((problem.into_response(), Vec::new()), decision),
        };
        let mut response = self.finish(route, &asked, response).await;
        self.headers(route, &asked, &mut response);
        limit_headers(decision, &mut response);
        self.token_header(&written, &mut response);
        drop(under_way);
        let took_us = self.clock.now().micros_since(began).max(0);
        watched.metrics.observe(response.status().as_u16(), took_us as f64 / 1e6);
        if let Some(log) = &self.access {
            self.log(
                log,
                route,
                &asked,
                &response,
                path.as_deref().unwrap_or_default(),
                address,
                took_us,
            );
        }
        response
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "one line of the access log; nothing else takes them together"
    )]
    fn log(
        &self,
        log: &AccessLog,
        route: &Route,
        asked: &Asked,
        response: &Response,
        path: &str,
        address: IpAddr,
        took_us: i64,
    ) {
        let user = asked.caller.as_ref().map(|caller| caller.user.to_string()).unwrap_or_default();
        log.record(&telemetry::Access {
            at_us: self.clock.now().as_micros(),
            request_id: &asked.id.0,
            method: route.method.as_str(),
            route: route.path,
            path,
            status: response.status().as_u16(),
            duration_us: took_us.cast_unsigned(),
            bytes: http_body::Body::size_hint(response.body()).exact().unwrap_or(0),
            user: &user,
            remote: &address.to_string(),
        });
    }

    /// Says with a write where it stands in its logs, for reads elsewhere that must see it.
    fn token_header(&self, written: &Written, response: &mut Response) {
        if written.is_empty() {
            return;
        }
        let text: Vec<String> = written
            .iter()
            .map(|(log, position)| format!("{log}.{}.{}", position.xid, position.seq))
            .collect();
        if let Ok(value) = HeaderValue::from_str(&text.join("~")) {
            response.headers_mut().insert(CONSISTENCY_TOKEN, value);
        }
    }
}

type Written = Vec<(&'static str, crate::db::Position)>;

/// A route and what it counts.
pub(super) struct Watched {
    pub(super) route: Route,
    metrics: RouteMetrics,
}

/// Whom a limit counts.
enum Who {
    User(u128),
    Address(IpAddr),
}

/// How many requests of each class a caller may send.
pub struct Limits {
    limiter: Limiter,
    enabled: bool,
    classes: [limit::LimitClass; 5],
}

impl Limits {
    /// Limits as `rates` say, for `Read`, `Write`, `Auth`, `Upload` and `Search`; not counted at all unless `enabled`.
    pub fn new(rates: [Limit; 5], enabled: bool) -> Self {
        let limiter = Limiter::new(65_536);
        let names = ["read", "write", "auth", "upload", "search"];
        let mut place = 0;
        let classes = rates.map(|rate| {
            let name = names.get(place).copied().unwrap_or_default();
            place += 1;
            limiter.class(name, rate)
        });
        Self { limiter, enabled, classes }
    }

    fn check(&self, class: LimitClass, who: Who, now: Ts) -> Option<Decision> {
        if !self.enabled {
            return None;
        }
        let [read, write, auth, upload, search] = &self.classes;
        let class = match class {
            LimitClass::Read => read,
            LimitClass::Write => write,
            LimitClass::Auth => auth,
            LimitClass::Upload => upload,
            LimitClass::Search => search,
            LimitClass::Free => return None,
        };
        let caller = match who {
            Who::User(bits) => (bits ^ bits >> 64) as u64,
            Who::Address(IpAddr::V4(address)) => u64::from(address.to_bits()),
            // One caller has a whole /64 of addresses.
            Who::Address(IpAddr::V6(address)) => (address.to_bits() >> 64) as u64 | 1 << 63,
        };
        Some(self.limiter.check(class, caller, now.as_micros()))
    }
}

fn limit_headers(decision: Option<Decision>, response: &mut Response) {
    let Some(decision) = decision else { return };
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("ratelimit-limit"), decision.limit.into());
    headers.insert(HeaderName::from_static("ratelimit-remaining"), decision.remaining.into());
    headers.insert(HeaderName::from_static("ratelimit-reset"), decision.reset_s.into());
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
    counter: &'a AtomicUsize,
    count: usize,
}

impl<'a> UnderWay<'a> {
    fn enter(counter: &'a AtomicUsize) -> Self {
        Self { counter, count: counter.fetch_add(1, Ordering::Relaxed) + 1 }
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.counter.fetch_sub(1, Ordering::Relaxed);
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
    RequestId(plain.map_or_else(|| format!("{:016x}", ids::random_u64()).into(), Arc::from))
}

fn authorise(access: Access, caller: Option<&Caller>, request: &Request) -> Result<(), Problem> {
    let strangers =
        || Problem::new(Code::Unauthenticated, "Sign in and send the access token or an API key.");
    let forbidden = |detail: &'static str| Problem::new(Code::Forbidden, detail);
    match access {
        Access::Public => Ok(()),
        Access::SignedIn(scope) => {
            let caller = caller.ok_or_else(strangers)?;
            if caller.has(scope) {
                Ok(())
            } else {
                Err(forbidden("The API key does not have the scope for this."))
            }
        }
        Access::Role(role, scope) => {
            let caller = caller.ok_or_else(strangers)?;
            if caller.role < role {
                return Err(forbidden("Your account does not have the role for this."));
            }
            if caller.has(scope) {
                Ok(())
            } else {
                Err(forbidden("The API key does not have the scope for this."))
            }
        }
        Access::Loopback => {
            let peer = request.extensions().get::<PeerAddress>();
            let near = peer.is_some_and(|peer| peer.0.ip().is_loopback());
            let forwarded = request.headers().contains_key("x-forwarded-for")
                || request.headers().contains_key("forwarded");
            let admin = caller.is_some_and(|caller| caller.acts_as(crate::auth::Role::Admin));
            if admin || (near && !forwarded) { Ok(()) } else { Err(strangers()) }
        }
    }
}

/// Refuses a body that says it is too long, and cuts one that does not say.
fn bound_body(route: &Route, request: &mut Request) -> Result<(), Problem> {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length =
        length.and_then(|value| value.to_str().ok()).and_then(|value| value.parse::<u64>().ok());
    let bound = route.body_bytes_max;
    if length.is_some_and(|length| length > bound as u64) && changes(request.method()) {
        let detail = format!("The body has more than the {bound} bytes that this route takes.");
        return Err(Problem::new(Code::TooLarge, detail));
    }
    let body = std::mem::replace(request.body_mut(), Body::empty());
    *request.body_mut() = Body::new(http_body_util::Limited::new(body, bound));
    Ok(())
}

/// Compares a form's token with the session's; requests without the console's cookie need none. The extractor of forms
/// does this by itself; whoever reads the parts of a form does it before anything else.
///
/// # Errors
/// `CsrfFailed`.
pub fn check_form_token(
    extensions: &Extensions,
    given: Option<&str>,
) -> Result<(), Problem> {
    let Some(FormToken(expected)) = extensions.get::<FormToken>() else { return Ok(()) };
    if given.is_some_and(|given| same(given.as_bytes(), expected.as_bytes())) {
        return Ok(());
    }
    Err(Problem::new(
        Code::CsrfFailed,
        "Reload the page and send the form again; it did not carry this session's token.",
    ))
}

/// The form token of the caller's console session, for pages that draw forms; empty for others.
pub fn form_token(extensions: &Extensions) -> String {
    extensions.get::<FormToken>().map_or_else(String::new, |token| token.0.to_string())
}

fn same(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
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

fn panic_text(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(ToString::to_string);
    let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
    format!("a handler panicked: {}", text.unwrap_or_default())
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

/// A handler with the gate around it.
#[derive(Clone)]
pub(super) struct Fused<S> {
    pub(super) inner: S,
    pub(super) route: Arc<Watched>,
    pub(super) gate: Arc<Gate>,
}

impl<S> Service<Request> for Fused<S>
where
    S: Service<Request, Response = Response, Error = Infallible> + Clone + Send + 'static,
    S::Future: Send,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Pin<Box<dyn Future<Output = Result<Response, Infallible>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        // The clone stays; the service that was polled ready does the work.
        let ready = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, ready);
        let (route, gate) = (self.route.clone(), self.gate.clone());
        Box::pin(async move { Ok(gate.handle(&route, request, inner).await) })
    }
}
