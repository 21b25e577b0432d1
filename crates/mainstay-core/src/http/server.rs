//! Sockets: accepting, serving HTTP/1.1 and HTTP/2, and draining.

use std::{convert::Infallible, net::SocketAddr, sync::Arc, time::Duration};

use hyper::{body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::{conn::auto::Builder, graceful::GracefulShutdown},
};
use tokio::net::{TcpListener, TcpStream};

use super::{
    activity::{Activity, Held, OneMore, Patience, WatchedStream},
    middleware::{PeerAddress, TARGET_BYTES_MAX},
    router::Router,
};
use crate::error::Tolerate as _;

/// By how much a head may be too large and still be read, so that the gate can say so; above, the library answers a 431
/// without a body, or ends the connection.
const OVER_BYTES: usize = 8 << 10;

/// Bounds of the sockets.
#[derive(Debug, Clone)]
pub struct ServerSettings {
    /// Most bytes of all headers that the gate lets through; the sockets take a little more.
    pub header_bytes_max: usize,
    /// How long a caller may take to send the head of its first request, or of the next.
    pub header_timeout: Duration,
    /// How long a connection may wait for its next request; above the minute for which balancers keep theirs.
    pub idle_timeout: Duration,
    /// How long a caller may read nothing of an answer, and how long one over HTTP/2 may answer no ping.
    pub stall_timeout: Duration,
    /// Most connections; one more waits in the kernel's queue.
    pub connections_max: usize,
    /// How long requests are still taken after the end was asked for, while who asks is told that it comes.
    pub announce: Duration,
    /// How long requests may go on after that.
    pub drain: Duration,
}

impl Default for ServerSettings {
    fn default() -> Self {
        Self {
            header_bytes_max: 64 << 10,
            header_timeout: Duration::from_secs(10),
            idle_timeout: Duration::from_secs(75),
            stall_timeout: Duration::from_secs(30),
            connections_max: 20_000,
            announce: Duration::ZERO,
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
    settings: ServerSettings,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let mut builder = Builder::new(TokioExecutor::new());
    let head_bytes_max = settings.header_bytes_max + TARGET_BYTES_MAX + OVER_BYTES;
    builder.http1().max_buf_size(head_bytes_max).pipeline_flush(true);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(256)
        .max_header_list_size(u32::try_from(head_bytes_max).unwrap_or(u32::MAX))
        .keep_alive_interval(settings.stall_timeout)
        .keep_alive_timeout(settings.stall_timeout);
    let builder = Arc::new(builder);
    let patience = Patience {
        head: settings.header_timeout,
        idle: settings.idle_timeout,
        stall: settings.stall_timeout,
    };
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
        let activity = Arc::new(Activity::default());
        let service = connection_service(router.clone(), peer, activity.clone());
        let stream = WatchedStream { stream, activity: activity.clone() };
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let watched = graceful.watch(connection.into_owned());
        tokio::spawn(async move {
            tokio::select! {
                ended = watched => {
                    ended.tolerate("the caller went away; what it asked was logged by the gate");
                }
                () = activity.ends(patience) => {}
            }
            drop(slot);
        });
    }
    drop(listener);
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
    activity: Arc<Activity>,
) -> impl hyper::service::Service<
    http::Request<Incoming>,
    Response = http::Response<Held>,
    Error = Infallible,
    Future: Send,
> + Clone {
    service_fn(move |request: http::Request<Incoming>| {
        let one_more = OneMore::begin(&activity);
        let router = router.clone();
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(PeerAddress(peer));
        async move {
            let answer = router.answer(request).await;
            Ok(answer.map(|body| Held { body, _request: one_more }))
        }
    })
}
