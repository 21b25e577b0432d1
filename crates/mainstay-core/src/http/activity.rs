//! What a connection is doing, so that one timer for each connection ends it when nothing happens: it sends no head, or
//! one byte by byte, or no next request, or reads nothing of an answer. A timer for each request would be set and taken
//! back every time.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use axum::body::Body;
use bytes::Bytes;
use http_body::{Frame, SizeHint};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// What a connection has done since somebody looked.
#[derive(Default)]
pub(super) struct Activity {
    /// A request was begun or bytes were written.
    moved: AtomicBool,
    /// The other side takes no more bytes at the moment.
    blocked: AtomicBool,
    /// Bytes were read that are no whole head yet.
    reading: AtomicBool,
    /// A request was begun at any time.
    served: AtomicBool,
    /// Requests whose answers are not written to their end.
    under_way: AtomicUsize,
}

/// How long a connection may do nothing.
#[derive(Debug, Clone, Copy)]
pub(super) struct Patience {
    /// While it sends a head, or nothing at all.
    pub(super) head: Duration,
    /// Between two requests.
    pub(super) idle: Duration,
    /// While it reads nothing of an answer.
    pub(super) stall: Duration,
}

impl Activity {
    /// Resolves when the connection has done nothing for so long that it is to be ended. Looks every `patience.head`.
    pub(super) async fn ends(&self, patience: Patience) {
        let mut quiet = Duration::ZERO;
        loop {
            tokio::time::sleep(patience.head).await;
            quiet += patience.head;
            let bound = if self.moved.swap(false, Ordering::Relaxed) {
                quiet = Duration::ZERO;
                continue;
            } else if self.blocked.load(Ordering::Relaxed) {
                patience.stall
            } else if self.under_way.load(Ordering::Relaxed) > 0 {
                // The request has a time of its own; a stream ends by itself.
                continue;
            } else if self.served.load(Ordering::Relaxed) && !self.reading.load(Ordering::Relaxed) {
                patience.idle
            } else {
                patience.head
            };
            if quiet >= bound {
                return;
            }
        }
    }
}

/// A request, until its answer is written or dropped.
pub(super) struct OneMore(Arc<Activity>);

impl OneMore {
    pub(super) fn begin(activity: &Arc<Activity>) -> Self {
        activity.under_way.fetch_add(1, Ordering::Relaxed);
        activity.moved.store(true, Ordering::Relaxed);
        activity.reading.store(false, Ordering::Relaxed);
        activity.served.store(true, Ordering::Relaxed);
        Self(activity.clone())
    }
}

impl Drop for OneMore {
    fn drop(&mut self) {
        self.0.under_way.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The body of an answer, which holds its request under way.
pub(super) struct Held {
    pub(super) body: Body,
    pub(super) _request: OneMore,
}

impl http_body::Body for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A socket that notes what it writes.
pub(super) struct WatchedStream {
    pub(super) stream: TcpStream,
    pub(super) activity: Arc<Activity>,
}

impl WatchedStream {
    fn note(&self, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        self.activity.blocked.store(written.is_pending(), Ordering::Relaxed);
        if written.is_ready() {
            self.activity.moved.store(true, Ordering::Relaxed);
        }
        written
    }
}

impl AsyncRead for WatchedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if buffer.filled().len() > before {
            self.activity.reading.store(true, Ordering::Relaxed);
        }
        read
    }
}

impl AsyncWrite for WatchedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.note(written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.note(written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
