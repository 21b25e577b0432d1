//! From the list of routes to a running router.

use std::sync::Arc;

use axum::{Router, response::IntoResponse as _};
use http::Method;
use tower::layer::layer_fn;

use super::{
    middleware::{Fused, Gate},
    route::{Access, Kind, LimitClass, Route, Routes},
};
use crate::error::{Code, Problem};

/// Builds the router of a program. Two routes of the same method and path are a fault in the code and refuse to start.
pub fn router(routes: Vec<Route>, gate: &Arc<Gate>) -> Router {
    let mut router = Router::new();
    for mut route in routes {
        let endpoint = std::mem::take(&mut route.endpoint);
        let path = route.path;
        router = router.route(path, guarded(endpoint, route, gate));
    }
    let missing = Routes::pages(&()).get("/{*missing}", missing).limit(LimitClass::Read);
    let refused = Routes::api(&(), "").get("/{*refused}", refused).limit(LimitClass::Read);
    let (missing_endpoint, refused_endpoint) =
        (axum::routing::any(self::missing), axum::routing::any(self::refused));
    router.fallback_service(guarded(missing_endpoint, missing, gate)).method_not_allowed_fallback({
        let gate = gate.clone();
        let route = Arc::new(gate.watch(refused));
        move |request: axum::extract::Request| {
            let inner = refused_endpoint.clone();
            let mut fused = Fused { inner, route: route.clone(), gate: gate.clone() };
            async move {
                match tower::Service::call(&mut fused, request).await {
                    Ok(response) => response,
                    Err(never) => match never {},
                }
            }
        }
    })
}

fn guarded(
    endpoint: axum::routing::MethodRouter<()>,
    route: Route,
    gate: &Arc<Gate>,
) -> axum::routing::MethodRouter<()> {
    let (route, gate) = (Arc::new(gate.watch(route)), gate.clone());
    endpoint.layer(layer_fn(move |inner| Fused { inner, route: route.clone(), gate: gate.clone() }))
}

async fn missing() -> axum::response::Response {
    Problem::new(Code::NotFound, "There is nothing at this address; /docs lists what there is.")
        .into_response()
}

async fn refused() -> axum::response::Response {
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
