//! Sockets: accepting, serving HTTP/1.1 and HTTP/2, and draining.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::Router;
use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use tokio::net::{TcpListener, TcpStream};
use tower::Service as _;

use super::middleware::{Gate, PeerAddress};
use crate::error::Tolerate as _;

/// Bounds of the sockets.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Largest head of a request.
    pub header_bytes_max: usize,
    /// How long a caller may take to send the head.
    pub header_timeout: Duration,
    /// Most connections; one more waits in the kernel's queue.
    pub connections_max: usize,
    /// How long requests may go on after the end was asked for.
    pub drain: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            header_bytes_max: 64 << 10,
            header_timeout: Duration::from_secs(10),
            connections_max: 20_000,
            drain: Duration::from_secs(25),
        }
    }
}

/// How serving ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drained {
    /// Every request was answered.
    Whole,
    /// The time was up and some were cut.
    Cut,
}

/// Serves until `shutdown` resolves, then answers what is under way, for at most `settings.drain`.
pub async fn serve(
    listener: TcpListener,
    router: Router,
    gate: Arc<Gate>,
    settings: ServerSettings,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(settings.header_timeout)
        .max_buf_size(settings.header_bytes_max.max(8_192))
        .pipeline_flush(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .max_header_list_size(64 << 10);
    let builder = Arc::new(builder);
    let graceful = GracefulShutdown::new();
    let slots = Arc::new(tokio::sync::Semaphore::new(settings.connections_max));
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, peer, slot) = tokio::select! {
            biased;
            () = &mut shutdown => break,
            accepted = accept(&listener, &slots) => accepted,
        };
        stream.set_nodelay(true).tolerate("the connection works with Nagle's delay too");
        let service = connection_service(router.clone(), peer);
        let connection =
            builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let watched = graceful.watch(connection);
        tokio::spawn(async move {
            watched.await.tolerate("the caller went away; what it asked was logged by the gate");
            drop(slot);
        });
    }
    drop(listener);
    gate.drain();
    tokio::select! {
        () = graceful.shutdown() => Drained::Whole,
        () = tokio::time::sleep(settings.drain) => Drained::Cut,
    }
}

async fn accept(
    listener: &TcpListener,
    slots: &Arc<tokio::sync::Semaphore>,
) -> (TcpStream, SocketAddr, Option<tokio::sync::OwnedSemaphorePermit>) {
    // The semaphore is never closed, so the permit is always there.
    let slot = slots.clone().acquire_owned().await.ok();
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, slot),
            Err(error) => {
                // No file handles left, or the caller was gone already: a pause keeps the loop from spinning.
                tracing::warn!(%error, "accept a connection");
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}

fn connection_service(
    router: Router,
    peer: SocketAddr,
) -> impl hyper::service::Service<
    http::Request<Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future: Send,
> + Clone {
    service_fn(move |request: http::Request<Incoming>| {
        let mut router = router.clone();
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(PeerAddress(peer));
        router.call(request)
    })
}
