//! What the whole core around a handler costs, against the same handler in bare axum, in processor time for a request.
//!
//! One thread, no sockets: a request of a signed-in caller goes through the program's router (route, request id,
//! bounds, authentication, limiter, authorisation, time limit, headers, metrics) and through a bare axum router with
//! the same path and answer. The limiter is on, the access log off.
#![expect(clippy::print_stdout, reason = "printing figures is what benchmarks are for")]

use std::{convert::Infallible, sync::Arc, time::Instant};

use anyhow::ensure;
use axum::{
    Router,
    body::Body,
    response::{IntoResponse as _, Response},
    routing::get,
};
use benches::{
    app::{App, sqlite},
    report::{Rounds, Table, figure},
};
use http::{HeaderValue, Request, StatusCode, header};
use mainstay_core::{
    clock::Clock,
    http::{
        middleware::{Gate, GateSettings, Limits},
        reply::whole,
        route::Routes,
        router,
    },
    limit::Limit,
    telemetry::{HttpMetrics, Metrics},
};
use tower::{Service, ServiceExt as _};

const CALLS: u32 = 200_000;
const ROUNDS: usize = 7;
const BODY: &[u8] = b"{\"ok\":true}";

fn main() -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(run())
}

async fn run() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let app = App::open(folder.path(), sqlite(folder.path())?).await?;
    let people = app.people(1).await?;
    let authorization = HeaderValue::from_str(&people[0].authorization)?;
    let limits = Limits::new([Limit::per_s(u32::MAX, u32::MAX); 5], true);
    let gate = GateSettings {
        in_flight_max: 4_096,
        header_bytes_max: 32 << 10,
        trusted_proxies: Vec::new(),
        cors_origins: Vec::new(),
        https: false,
    };
    let metrics = HttpMetrics::new(&Metrics::new());
    let gate = Arc::new(Gate::new(gate, app.auth(), Clock::system(), limits, metrics, None));
    let route = Routes::api(&(), "Bench")
        .get("/api/v1/ok", async || whole(StatusCode::OK, "application/json", BODY))
        .signed_in();
    let ours = router::router(vec![route], &gate)?;
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    let bare = Router::new().route("/api/v1/ok", get(async move || (json, BODY).into_response()));

    let (mut core, mut axum, mut apart) = (Rounds::default(), Rounds::default(), Rounds::default());
    for round in 0..=ROUNDS {
        let with = us(&ours, &authorization).await?;
        let without = us(&bare, &authorization).await?;
        println!("core {with:.2} µs, bare axum {without:.2} µs");
        if round > 0 {
            core.push(with);
            axum.push(without);
            apart.push(with - without);
        }
    }
    let mut table = Table::new();
    table.row("a request through bare axum's router, µs", &axum, "", None);
    table.row("the same through the core, µs", &core, "", None);
    let holds = apart.median() <= 3.0;
    table.row(
        "the core around a handler, µs of CPU",
        &apart,
        format!("≤ {}", figure(3.0)),
        Some(holds),
    );
    table.print();
    app.close().await;
    Ok(())
}

/// Microseconds for a request, of one thread that does nothing else.
async fn us<R>(router: &R, authorization: &HeaderValue) -> anyhow::Result<f64>
where
    R: Service<Request<Body>, Response = Response, Error = Infallible> + Clone,
{
    let began = Instant::now();
    for _ in 0..CALLS {
        let request = Request::get("/api/v1/ok")
            .header(header::AUTHORIZATION, authorization)
            .body(Body::empty())?;
        let answer = router.clone().oneshot(request).await?;
        ensure!(answer.status() == StatusCode::OK, "it was answered {}", answer.status());
    }
    Ok(began.elapsed().as_secs_f64() * 1e6 / f64::from(CALLS))
}
