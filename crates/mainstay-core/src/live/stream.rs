//! The event stream: the same messages for clients that only listen.

use std::{sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};

use super::{Open, Place, protocol::Frame};
use crate::ids;

/// How often a comment keeps proxies from ending a quiet stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Frames in one piece of the body.
const BATCH: usize = 64;

/// An answer that goes on until the connection ends. `from` is where it begins.
pub(super) fn answer(place: Place, from: &Arc<str>) -> Response {
    // Clients come back after one to three seconds, not all at once.
    let retry_ms = 1_000 + ids::random_u64() % 2_000;
    let head = format!("retry: {retry_ms}\nid: {from}\n\n");
    let open = Open::new(&place.live.figures().streams);
    let life = Box::pin(tokio::time::sleep(place.live.life()));
    let state = ((place, open), life, Some(head));
    let body = futures_util::stream::unfold(state, |(open, mut life, head)| async move {
        if let Some(head) = head {
            return Some((
                Ok::<_, std::convert::Infallible>(Bytes::from(head)),
                (open, life, None),
            ));
        }
        let piece = tokio::select! {
            biased;
            _why = open.0.conn.closed() => return None,
            () = &mut life => return None,
            piece = piece(&open.0) => piece,
        };
        Some((Ok(piece), (open, life, None)))
    });
    let mut response = Response::new(Body::from_stream(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would hold messages back until its buffer is full.
    let buffering = HeaderName::from_static("x-accel-buffering");
    headers.insert(buffering, HeaderValue::from_static("no"));
    response
}

/// What waits, or a comment if nothing comes.
async fn piece(place: &Place) -> Bytes {
    let Ok(first) = tokio::time::timeout(KEEP_ALIVE, place.conn.next()).await else {
        return Bytes::from_static(b":\n\n");
    };
    let mut text = String::with_capacity(first.text.len() + 100);
    write(&mut text, &first);
    let mut count = 1;
    while count < BATCH
        && let Some(frame) = place.conn.try_next()
    {
        write(&mut text, &frame);
        count += 1;
    }
    place.live.figures().delivered.inc_by(count as u64);
    text.into()
}

fn write(text: &mut String, frame: &Frame) {
    if let Some(id) = &frame.id {
        text.push_str("id: ");
        text.push_str(id);
        text.push('\n');
    }
    for line in frame.text.lines() {
        text.push_str("data: ");
        text.push_str(line);
        text.push('\n');
    }
    text.push('\n');
}
