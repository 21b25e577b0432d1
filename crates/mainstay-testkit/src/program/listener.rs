//! Somebody who listens to live messages.
#![expect(clippy::panic, reason = "a test that cannot go on must fail")]

use std::{collections::VecDeque, time::Duration};

use serde_json::Value;

/// Longer than any message takes.
const HANG: Duration = Duration::from_secs(20);

/// An open event stream.
#[derive(Debug)]
pub struct Listener {
    response: reqwest::Response,
    rest: String,
    waiting: VecDeque<Value>,
}

impl Listener {
    pub(super) fn new(response: reqwest::Response) -> Self {
        Self { response, rest: String::new(), waiting: VecDeque::new() }
    }

    /// The next message: `{topic, type, id, data}`.
    ///
    /// # Panics
    /// If none comes within 20 seconds, or the stream ends.
    pub async fn next(&mut self) -> Value {
        let message = tokio::time::timeout(HANG, self.read()).await;
        message.unwrap_or_else(|_late| panic!("no live message came"))
    }

    async fn read(&mut self) -> Value {
        loop {
            if let Some(message) = self.waiting.pop_front() {
                return message;
            }
            match self.response.chunk().await {
                Ok(Some(bytes)) => self.take(&String::from_utf8_lossy(&bytes)),
                ended => panic!("the stream ended: {ended:?}"),
            }
        }
    }

    fn take(&mut self, text: &str) {
        self.rest.push_str(text);
        while let Some((event, rest)) = self.rest.split_once("\n\n") {
            let data = event.lines().filter_map(|line| line.strip_prefix("data: "));
            let data = data.collect::<Vec<_>>().join("\n");
            if let Ok(message) = serde_json::from_str(&data) {
                self.waiting.push_back(message);
            }
            self.rest = rest.to_owned();
        }
    }
}
