//! What the hub counts.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::{counter::Counter, gauge::Gauge};

use crate::telemetry::{Metrics, Unit};

/// The hub's metrics. They count whether or not anybody scrapes them.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    /// Open WebSocket connections.
    pub websockets: Gauge,
    /// Open event streams.
    pub streams: Gauge,
    /// Topics that connections have begun and not ended.
    pub subscriptions: Gauge,
    /// Messages that services published.
    pub published: Counter,
    /// Messages handed to readers.
    pub delivered: Counter,
    /// Messages that a full queue did not take; their readers were told to reset.
    pub dropped: Counter,
    /// Messages lost before they were spread, because the hub's inbox was full.
    pub lost: Counter,
    /// Connections ended because they did not read.
    pub slow: Counter,
    /// Connections refused: too many, or the program ends.
    pub refused: Counter,
    /// Messages held for those who come back.
    pub held: Gauge,
    /// Bytes of them.
    pub held_bytes: Gauge,
}

impl Figures {
    /// Figures that are scraped with `metrics`.
    pub fn new(metrics: &Metrics) -> Self {
        let socket = metrics.scope("websocket");
        let live = metrics.scope("live");
        let count = |name, help| live.counter(name, help, Unit::None);
        let gauge = |name, help| live.gauge(name, help, Unit::None);
        Self {
            websockets: socket.gauge(
                "connections_active",
                "Open WebSocket connections",
                Unit::None,
            ),
            streams: gauge("streams_active", "Open event streams"),
            subscriptions: gauge("subscriptions_active", "Topics begun and not ended"),
            published: count("messages_published", "Messages that services published"),
            delivered: count("messages_delivered", "Messages handed to readers"),
            dropped: count("messages_dropped", "Messages that a full queue did not take"),
            lost: count("messages_lost", "Messages that the full inbox did not take"),
            slow: count("slow_readers_closed", "Connections ended because they did not read"),
            refused: count("connections_refused", "Connections beyond the bounds"),
            held: gauge("messages_held", "Messages held for those who come back"),
            held_bytes: live.gauge("held", "Size of the messages held", Unit::Bytes),
        }
    }
}

/// A number that only grows and is never 0.
#[derive(Debug)]
pub(super) struct Numbers(AtomicU64);

impl Default for Numbers {
    fn default() -> Self {
        Self(AtomicU64::new(1))
    }
}

impl Numbers {
    pub(super) fn next(&self) -> u64 {
        self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed)
    }
}
