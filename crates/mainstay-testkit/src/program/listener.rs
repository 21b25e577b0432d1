//! Somebody who listens to live messages, over either transport.
#![expect(clippy::panic, reason = "a test that cannot go on must fail")]

use std::{collections::VecDeque, time::Duration};

use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};

/// Longer than any message takes.
const HANG: Duration = Duration::from_secs(20);

/// How live messages travel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// `/api/v1/live`.
    WebSocket,
    /// `/api/v1/live/sse`.
    EventStream,
}

/// An open live connection.
#[derive(Debug)]
pub struct Listener {
    source: Source,
    waiting: VecDeque<Value>,
    last_id: String,
}

#[derive(Debug)]
pub(super) enum Source {
    WebSocket(Box<WebSocketStream<MaybeTlsStream<TcpStream>>>),
    EventStream { response: reqwest::Response, rest: String },
}

impl Listener {
    pub(super) fn new(source: Source) -> Self {
        Self { source, waiting: VecDeque::new(), last_id: String::new() }
    }

    /// The next message: `{topic, type, id, data}`.
    ///
    /// # Panics
    /// If none comes within 20 seconds, or the connection ends.
    pub async fn next(&mut self) -> Value {
        let message = tokio::time::timeout(HANG, self.read()).await;
        message.unwrap_or_else(|_late| panic!("no live message came"))
    }

    /// What to come back with: the last `id` that was received; empty before the first.
    pub fn last_id(&self) -> &str {
        &self.last_id
    }

    /// Asks for topics over a WebSocket; returns when each has begun or was refused, which is told next.
    pub(super) async fn subscribe(&mut self, topics: &[&str], after: Option<&str>) {
        let answers = |waiting: &VecDeque<Value>| {
            let kinds = waiting.iter().map(|message| message["type"].as_str().unwrap_or_default());
            kinds.filter(|kind| ["subscribed", "reset", "refused"].contains(kind)).count()
        };
        self.send(&json!({ "subscribe": topics, "after": after })).await;
        while answers(&self.waiting) < topics.len() {
            let received = tokio::time::timeout(HANG, self.receive()).await;
            received.unwrap_or_else(|_late| panic!("{topics:?} were not answered"));
        }
    }

    async fn send(&mut self, value: &Value) {
        let Source::WebSocket(socket) = &mut self.source else {
            panic!("an event stream takes no messages")
        };
        if let Err(error) = socket.send(Message::text(value.to_string())).await {
            panic!("{value} was not sent: {error}");
        }
    }

    async fn read(&mut self) -> Value {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                if let Some(id) = message["id"].as_str() {
                    id.clone_into(&mut self.last_id);
                }
                return message;
            }
            self.receive().await;
        }
    }

    async fn receive(&mut self) {
        let received = match &mut self.source {
            Source::EventStream { response, .. } => match response.chunk().await {
                Ok(Some(bytes)) => String::from_utf8_lossy(&bytes).into_owned(),
                ended => panic!("the stream ended: {ended:?}"),
            },
            Source::WebSocket(socket) => match socket.next().await {
                Some(Ok(Message::Text(text))) => text.to_string(),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => return,
                ended => panic!("the socket ended: {ended:?}"),
            },
        };
        self.take(received);
    }

    fn take(&mut self, received: String) {
        match &mut self.source {
            Source::WebSocket(_) => match serde_json::from_str(&received) {
                Ok(message) => self.waiting.push_back(message),
                Err(error) => panic!("`{received}` is no message: {error}"),
            },
            Source::EventStream { rest, .. } => {
                rest.push_str(&received);
                while let Some((event, after)) = rest.split_once("\n\n") {
                    let field =
                        |name| event.lines().filter_map(move |line| line.strip_prefix(name));
                    let data = field("data: ").collect::<Vec<_>>().join("\n");
                    match serde_json::from_str(&data) {
                        Ok(message) => self.waiting.push_back(message),
                        // The head of the stream has an id and no data; comments have neither.
                        Err(_no_data) => {
                            if let Some(id) = field("id: ").next_back() {
                                id.clone_into(&mut self.last_id);
                            }
                        }
                    }
                    *rest = after.to_owned();
                }
            }
        }
    }
}
