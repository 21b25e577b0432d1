//! From the list of routes to what answers requests.
//!
//! Its own lookup rather than axum's router, whose services are cloned and boxed once more for every request, which
//! cost as much as the gate around the handler. Handlers are axum's: what they take and answer is its extractors.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::Arc,
    task::{Context, Poll},
};

use axum::{
    body::Body,
    extract::Request,
    response::{IntoResponse as _, Response},
};
use http::{HeaderValue, Method, header};
use percent_encoding::percent_decode_str;
use smallvec::SmallVec;

use super::{
    middleware::{Gate, Watched},
    route::{Access, Kind, LimitClass, Route, Routes},
};
use crate::{
    db::BoxFuture,
    error::{Code, Problem},
};

/// A program's routes, found by method and path, each with the gate around its handler. Cloning is cheap.
#[derive(Clone)]
pub struct Router {
    inner: Arc<Inner>,
}

struct Inner {
    gate: Arc<Gate>,
    paths: matchit::Router<Methods>,
    /// For a path without a route: a page for people, a problem for programs.
    missing: Watched,
    unknown: Watched,
    /// For a method that the path does not take.
    refused: Watched,
}

/// What stands at one path.
struct Methods {
    watched: Vec<Watched>,
    /// The value of `Allow`.
    allowed: HeaderValue,
}

/// The parameters of the path in their order, decoded; `None` for one that is no text.
#[derive(Clone)]
pub(super) struct PathParams(pub(super) SmallVec<[Option<String>; 2]>);

/// Why a list of routes is no router: a fault in the code, met at the start.
#[derive(Debug, thiserror::Error)]
#[error("serve `{path}`")]
pub struct RouteError {
    path: &'static str,
    #[source]
    source: matchit::InsertError,
}

/// Builds the router of a program.
///
/// # Errors
/// If two paths mean the same, or one is no path.
pub fn router(routes: Vec<Route>, gate: &Arc<Gate>) -> Result<Router, RouteError> {
    let mut by_path: BTreeMap<&'static str, Vec<Watched>> = BTreeMap::new();
    for route in routes {
        by_path.entry(route.path).or_default().push(gate.watch(route));
    }
    let mut paths = matchit::Router::new();
    for (path, watched) in by_path {
        let allowed = allowed(&watched);
        paths
            .insert(path, Methods { watched, allowed })
            .map_err(|source| RouteError { path, source })?;
    }
    let mut missing = Routes::pages(&()).get("/{*missing}", nothing).limit(LimitClass::Read);
    let mut unknown = Routes::api(&(), "").get("/{*unknown}", nothing).limit(LimitClass::Read);
    let mut refused = Routes::api(&(), "").get("/{*refused}", refused).limit(LimitClass::Read);
    // Nobody reads what is sent to them: its length is not what is wrong with the request.
    for route in [&mut missing, &mut unknown, &mut refused] {
        route.body_bytes_max = usize::MAX;
    }
    let (missing, unknown) = (gate.watch(missing), gate.watch(unknown));
    let refused = gate.watch(refused);
    Ok(Router { inner: Arc::new(Inner { gate: gate.clone(), paths, missing, unknown, refused }) })
}

/// The methods of a path, as `Allow` lists them.
fn allowed(watched: &[Watched]) -> HeaderValue {
    let mut methods: Vec<&str> = watched.iter().map(|one| one.route.method.as_str()).collect();
    if methods.contains(&"GET") {
        methods.push("HEAD");
    }
    methods.sort_unstable();
    HeaderValue::from_str(&methods.join(", ")).unwrap_or(HeaderValue::from_static(""))
}

impl Methods {
    fn find(&self, method: &Method) -> Option<&Watched> {
        let asked = if *method == Method::HEAD { &Method::GET } else { method };
        self.watched.iter().find(|one| one.route.method == *asked)
    }
}

impl Router {
    /// Answers one request. An unknown path is 404, a known one with another method 405 with `Allow`; `HEAD` is
    /// answered as `GET` without the body.
    pub async fn answer(&self, mut request: Request) -> Response {
        let Inner { gate, paths, missing, unknown, refused } = &*self.inner;
        let Ok(found) = paths.at(request.uri().path()) else {
            // What programs ask for is told to them, whatever they say that they take.
            let programs = request.uri().path().starts_with("/api/");
            return gate.handle(if programs { unknown } else { missing }, request).await;
        };
        let methods = found.value;
        let params: SmallVec<[Option<String>; 2]> =
            found.params.iter().map(|(_, value)| decoded(value)).collect();
        if !params.is_empty() {
            request.extensions_mut().insert(PathParams(params));
        }
        let Some(watched) = methods.find(request.method()) else {
            if let Some(preflight) = gate.preflight(&request, &methods.allowed) {
                return preflight;
            }
            let mut response = gate.handle(refused, request).await;
            response.headers_mut().insert(header::ALLOW, methods.allowed.clone());
            return response;
        };
        let heads = request.method() == Method::HEAD;
        let response = gate.handle(watched, request).await;
        if heads { without_body(response) } else { response }
    }
}

/// A parameter of a path; `None` if it is no UTF-8 or has a NUL, which no name has and Postgres refuses to compare.
fn decoded(value: &str) -> Option<String> {
    let text = percent_decode_str(value).decode_utf8().ok()?;
    (!text.contains('\0')).then(|| text.into_owned())
}

fn without_body(response: Response) -> Response {
    let (mut parts, body) = response.into_parts();
    if let Some(length) = http_body::Body::size_hint(&body).exact() {
        parts.headers.entry(header::CONTENT_LENGTH).or_insert(length.into());
    }
    Response::from_parts(parts, Body::empty())
}

impl tower::Service<Request> for Router {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let router = self.clone();
        Box::pin(async move { Ok(router.answer(request).await) })
    }
}

async fn nothing() -> Response {
    Problem::new(Code::NotFound, "There is nothing at this address; /docs lists what there is.")
        .into_response()
}

async fn refused() -> Response {
    Problem::new(
        Code::MethodNotAllowed,
        "This address does not take this method; /docs lists what it takes.",
    )
    .into_response()
}

/// Two routes that would answer the same request, if there are any: a test and the start look.
pub fn clash(routes: &[Route]) -> Option<(Method, &'static str)> {
    let mut seen = std::collections::HashSet::new();
    routes
        .iter()
        .find(|route| !seen.insert((route.method.clone(), shape(route.path))))
        .map(|route| (route.method.clone(), route.path))
}

/// The path with its parameters' names taken out.
fn shape(path: &str) -> String {
    path.split('/')
        .map(|part| if part.starts_with('{') { "{}" } else { part })
        .collect::<Vec<_>>()
        .join("/")
}

/// Routes that say nothing about themselves, or limit nothing: a test looks.
pub fn incomplete(routes: &[Route]) -> Vec<String> {
    let bad = routes.iter().filter(|route| {
        let silent =
            route.kind == Kind::Api && (route.summary.is_empty() || route.answers.is_empty());
        let open = route.access != Access::Public && route.limit == LimitClass::Free;
        silent || open
    });
    bad.map(|route| format!("{} {}", route.method, route.path)).collect()
}
