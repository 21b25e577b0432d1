//! The WebSocket: one task reads and writes until either side has had enough.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite;

use super::{Open, Place, connection::Close, protocol, protocol::ClientMessage};
use crate::error::{Code, Problem, Tolerate as _};

/// The largest message and frame that a client may send: 200 topics and a token fit.
pub(super) const MESSAGE_BYTES_MAX: usize = 32 << 10;
/// Frames that are written before they are flushed.
const BATCH: usize = 64;
/// Messages of a client that are read in [`PACE_PERIOD`]: each can cost a look into the records.
const PACE_MAX: u32 = 200;
const PACE_PERIOD: Duration = Duration::from_secs(5);
/// How long a client may take to take leave.
const GOODBYE: Duration = Duration::from_secs(1);

type Sink = SplitSink<WebSocket, Message>;
type Stream = SplitStream<WebSocket>;

/// Serves a connection until it ends.
pub(super) async fn serve(socket: WebSocket, place: Place, request_id: String) {
    let _open = Open::new(&place.live.figures().websockets);
    let (mut sink, mut stream) = socket.split();
    let life = tokio::time::sleep(place.live.life());
    let why = tokio::select! {
        biased;
        why = place.conn.closed() => why,
        why = read(&mut stream, &place, &request_id) => why,
        why = write(&mut sink, &place) => why,
        () = life => Close::Restart,
    };
    // The place is kept until the goodbye is out: the program waits for all places before it ends.
    if why != Close::Gone {
        let leave = say_goodbye(sink, stream, why);
        tokio::time::timeout(GOODBYE, leave).await.tolerate("the client does not take its goodbye");
    }
}

/// Serves a connection of one topic, whose messages go without their envelope. `greet` says how the topic stands:
/// first, and whenever something may have been missed.
pub(super) async fn serve_single(socket: WebSocket, place: Place, greet: super::single::Greet) {
    let _open = Open::new(&place.live.figures().websockets);
    let (mut sink, mut stream) = socket.split();
    let life = tokio::time::sleep(place.live.life());
    let why = tokio::select! {
        biased;
        why = place.conn.closed() => why,
        why = listen(&mut stream, &place) => why,
        why = write_single(&mut sink, &place, &greet) => why,
        () = life => Close::Restart,
    };
    if why != Close::Gone {
        let leave = say_goodbye(sink, stream, why);
        tokio::time::timeout(GOODBYE, leave).await.tolerate("the client does not take its goodbye");
    }
}

/// Reads until the client has gone or is silent; what it says means nothing here.
async fn listen(stream: &mut Stream, place: &Place) -> Close {
    let mut pace = Pace { since: Instant::now(), count: 0 };
    loop {
        pace.keep().await;
        let silent_max = place.live.inner.hub.settings.silent_max;
        match tokio::time::timeout(silent_max, stream.next()).await {
            Ok(Some(Ok(Message::Close(_))) | None) => return Close::Gone,
            Ok(Some(Ok(_))) => {}
            Ok(Some(Err(error))) => return broken(error),
            Err(_late) => return Close::Silent,
        }
    }
}

async fn write_single(sink: &mut Sink, place: &Place, greet: &super::single::Greet) -> Close {
    let mut ping = tokio::time::interval(place.live.inner.hub.settings.ping_every);
    ping.reset();
    let mut next = None;
    loop {
        // Where it stands is asked for after the topic has begun, so that nothing falls between the two.
        let text = match next.take() {
            Some(frame @ protocol::Frame { resets: false, .. }) => Some(frame.into_single()),
            _ => greet().await,
        };
        let Some(text) = text else { return Close::SessionEnded };
        if sink.send(Message::Text(text.into())).await.is_err() {
            return Close::Gone;
        }
        place.live.figures().delivered.inc();
        next = loop {
            tokio::select! {
                frame = place.conn.next() => break Some(frame),
                _ = ping.tick() => {
                    if sink.send(Message::Ping(Default::default())).await.is_err() {
                        return Close::Gone;
                    }
                }
            }
        };
    }
}

/// Sends the close frame and waits for the client's: closing the socket at once could lose ours.
async fn say_goodbye(mut sink: Sink, mut stream: Stream, why: Close) {
    let (code, reason) = why.frame();
    let frame = Message::Close(Some(CloseFrame { code, reason: reason.into() }));
    if sink.send(frame).await.is_ok() {
        while let Some(Ok(_)) = stream.next().await {}
    }
}

async fn write(sink: &mut Sink, place: &Place) -> Close {
    let settings = &place.live.inner.hub.settings;
    let mut ping = tokio::time::interval(settings.ping_every.max(Duration::from_millis(1)));
    ping.reset();
    loop {
        let sent = tokio::select! {
            frame = place.conn.next() => write_batch(sink, place, frame).await,
            _ = ping.tick() => sink.send(Message::Ping(Default::default())).await,
        };
        if sent.is_err() {
            return Close::Gone;
        }
    }
}

/// Writes what waits, then flushes once.
async fn write_batch(
    sink: &mut Sink,
    place: &Place,
    first: protocol::Frame,
) -> Result<(), axum::Error> {
    let mut next = Some(first);
    let mut count = 0;
    while let Some(frame) = next {
        sink.feed(Message::Text(frame.text.into())).await?;
        count += 1;
        next = if count < BATCH { place.conn.try_next() } else { None };
    }
    place.live.figures().delivered.inc_by(count as u64);
    sink.flush().await
}

async fn read(stream: &mut Stream, place: &Place, request_id: &str) -> Close {
    let settings = &place.live.inner.hub.settings;
    let mut mistakes = 0;
    let mut heard = Instant::now();
    let mut idle_since = Some(heard);
    let mut pace = Pace { since: heard, count: 0 };
    loop {
        pace.keep().await;
        let silent = heard + settings.silent_max;
        let idle = idle_since.map_or(silent, |since| since + settings.idle_max);
        let message = match tokio::time::timeout_at(silent.min(idle), stream.next()).await {
            Ok(Some(Ok(message))) => message,
            Ok(Some(Err(error))) => return broken(error),
            Ok(None) => return Close::Gone,
            Err(_late) if idle < silent => return Close::Idle,
            Err(_late) => return Close::Silent,
        };
        heard = Instant::now();
        let done = match message {
            Message::Text(text) => obey(place, &text, request_id).await,
            Message::Binary(_) => {
                Err(not_understood("Send JSON as a text message, not as binary."))
            }
            Message::Ping(_) | Message::Pong(_) => continue,
            Message::Close(_) => return Close::Gone,
        };
        if let Err(problem) = done {
            mistakes += 1;
            let answer = protocol::problem(&problem, request_id);
            place.conn.answer(answer, settings.queue_len_max).await;
            if mistakes >= settings.mistakes_max {
                return Close::Mistakes;
            }
        }
        idle_since = place.conn.subs().is_empty().then(|| idle_since.unwrap_or(heard));
    }
}

/// How fast a client may speak; beyond it, it is read more slowly.
struct Pace {
    since: Instant,
    count: u32,
}

impl Pace {
    async fn keep(&mut self) {
        self.count += 1;
        if self.count > PACE_MAX {
            tokio::time::sleep_until(self.since + PACE_PERIOD).await;
        }
        if self.since.elapsed() >= PACE_PERIOD {
            *self = Self { since: Instant::now(), count: 1 };
        }
    }
}

async fn obey(place: &Place, text: &str, request_id: &str) -> Result<(), Problem> {
    let message: ClientMessage = serde_json::from_str(text).map_err(|error| {
        not_understood(
            "Send `{\"subscribe\": [topics], \"after\": id}` or `{\"unsubscribe\": [topics]}`.",
        )
        .because(error)
    })?;
    let ClientMessage { subscribe, after, unsubscribe } = message;
    if subscribe.is_empty() && unsubscribe.is_empty() {
        return Err(not_understood("Name at least one topic to subscribe or to unsubscribe."));
    }
    if !unsubscribe.is_empty() {
        place.live.inner.hub.end(&place.conn, &unsubscribe);
    }
    if !subscribe.is_empty() {
        let queue_len_max = place.live.inner.hub.settings.queue_len_max;
        place.conn.room(queue_len_max).await;
        place.subscribe(&subscribe, after.as_deref(), request_id).await;
    }
    Ok(())
}

fn not_understood(detail: &'static str) -> Problem {
    Problem::new(Code::MalformedBody, detail)
}

/// What the library says about a frame, as the code that the client is told.
fn broken(error: axum::Error) -> Close {
    use tungstenite::{Error, error::ProtocolError};
    let error = error.into_inner();
    match error.downcast_ref::<Error>() {
        Some(Error::Capacity(_)) => Close::TooLarge,
        Some(Error::Utf8(_)) => Close::NotText,
        Some(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => Close::Gone,
        Some(Error::Protocol(_)) => Close::Broken,
        _ => Close::Gone,
    }
}
