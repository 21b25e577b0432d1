//! The program's own routes: health, metrics and the interface's document; and the sweeping up of old facts.

use std::{
    sync::{Arc, OnceLock},
    time::Duration,
};

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use bytes::Bytes;
use http::StatusCode;

use crate::{
    db::DbError,
    error::{Code, Problem},
    events::Log,
    health::Health,
    http::{LimitClass, Route, middleware::Insider, openapi, reply::whole, route::Routes},
    jobs::Periodic,
    params,
    telemetry::Metrics,
};

/// Facts that one transaction removes.
const TRIM_BATCH: i64 = 5_000;
/// How long the answers to idempotency keys are kept.
const ONCE_KEPT_S: i64 = 24 * 60 * 60;
const DAY_S: i64 = 24 * 60 * 60;

/// What the program tells about itself.
#[derive(Clone)]
pub(super) struct System {
    health: Health,
    metrics: Metrics,
    document: Arc<OnceLock<Bytes>>,
}

impl System {
    pub(super) fn new(health: Health, metrics: Metrics) -> Self {
        Self { health, metrics, document: Arc::default() }
    }

    /// Writes the document of all routes, once they are known.
    pub(super) fn describe(&self, routes: &[Route], version: &str) {
        let document = openapi::document(routes, version);
        self.document.get_or_init(|| serde_json::to_vec(&document).unwrap_or_default().into());
    }

    pub(super) fn routes(&self) -> Vec<Route> {
        let raw = Routes::raw(self, "System");
        let free = |route: Route| route.limit(LimitClass::Free);
        vec![
            free(raw.get("/health/live", live)).asks_nobody(),
            free(raw.get("/health/ready", ready)).asks_nobody(),
            free(raw.get("/health", report)),
            free(raw.get("/metrics", metrics)),
            raw.get("/api/v1/openapi.json", document),
        ]
    }
}

async fn live(State(system): State<System>) -> Response {
    state(system.health.live(), r#"{"status":"ok"}"#)
}

async fn ready(State(system): State<System>) -> Response {
    let body =
        if system.health.is_draining() { r#"{"status":"draining"}"# } else { r#"{"status":"ok"}"# };
    let ready = system.health.ready();
    state(
        ready,
        if ready || system.health.is_draining() { body } else { r#"{"status":"unavailable"}"# },
    )
}

fn state(well: bool, body: &'static str) -> Response {
    let status = if well { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    whole(status, "application/json", body)
}

/// Each dependency's state; why it is so for administrators and on this machine itself.
async fn report(State(system): State<System>, Insider(insider): Insider) -> Response {
    let report = system.health.report();
    let report = if insider { report } else { report.without_details() };
    let status =
        if system.health.ready() { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    whole(status, "application/json", serde_json::to_vec(&report).unwrap_or_default())
}

async fn metrics(State(system): State<System>) -> Response {
    whole(
        StatusCode::OK,
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
        system.metrics.render(),
    )
}

async fn document(State(system): State<System>) -> Response {
    match system.document.get() {
        Some(bytes) => whole(StatusCode::OK, "application/json", bytes.clone()),
        None => Problem::new(Code::Unavailable, "The program is still starting.").into_response(),
    }
}

/// Forgets facts, and what belongs to them, that are older than the retention.
pub(super) fn retention(log: &Log, days: u32) -> Periodic {
    let log = log.clone();
    Periodic {
        name: "retention",
        every: Duration::from_secs(3_600),
        run: Arc::new(move || {
            let log = log.clone();
            Box::pin(async move { forget(&log, days).await.map_err(|error| error.to_string()) })
        }),
    }
}

async fn forget(log: &Log, days: u32) -> Result<(), DbError> {
    let now = log.db().clock().now();
    let (facts, once) = (now.plus_s(-DAY_S * i64::from(days)), now.plus_s(-ONCE_KEPT_S));
    loop {
        let trimmed = log
            .db()
            .write::<_, DbError, _>(move |tx| {
                Box::pin(async move {
                    let outbox = tx.outbox();
                    tx.execute(&outbox.forget_once, params![once]).await?;
                    tx.execute(&outbox.trim, params![facts, TRIM_BATCH]).await
                })
            })
            .await?;
        if i64::try_from(trimmed).unwrap_or(0) < TRIM_BATCH {
            return Ok(());
        }
    }
}
