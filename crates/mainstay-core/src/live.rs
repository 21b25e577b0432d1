//! Live updates: one WebSocket and one event stream, on which clients follow topics.
//!
//! A service names the kinds of topics it has ([`Live::topic`]) and publishes messages to channels from what it does
//! with facts ([`Live::publish`]). A topic is resolved once for its caller into channels and a filter; the filter is
//! asked again for each message, so that a block takes effect at once.
//!
//! Reading order: this file, [`token`] and [`ring`] (who comes back), [`connection`] (bounds of one reader), [`hub`]
//! (spreading), [`protocol`], [`topics`], [`socket`], [`stream`], [`api`].
//!
//! **Invariants:** publishing never waits for a reader. A reader gets the messages of a topic in the order in which
//! they were published, each once, also across a reconnect with the last `id`, or it gets a `reset` and loads anew.

pub mod api;
mod connection;
mod figures;
mod hub;
mod protocol;
mod ring;
pub mod single;
mod socket;
mod stream;
mod ticket;
mod token;
mod topics;

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use mainstay_contract::id::UserId;
use prometheus_client::metrics::gauge::Gauge;
use serde::Serialize;
use serde_json::value::RawValue;
use tokio::sync::watch;

use self::{
    connection::{Close, Conn},
    hub::Hub,
    ticket::Tickets,
};
pub use self::{figures::Figures, ring::RingBounds};
use crate::{
    auth::{Caller, SessionId},
    cache::Tag,
    clock::Clock,
    db::{BoxFuture, Emitted, Position},
    error::{Problem, Tolerate as _},
    events::Log,
};

/// The kind of message by which a service says that its topic is to be loaded anew.
pub const RELOAD: &str = "reload";
/// Steps in which connections are ended.
const DRAIN_STEP: Duration = Duration::from_millis(10);
/// How long the last connections may take to go after they were told.
const DRAIN_GRACE: Duration = Duration::from_secs(3);

/// The fact that a message tells of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Origin {
    /// The log's name.
    pub log: &'static str,
    /// Which life of the log.
    pub log_epoch: u64,
    /// Where the fact stands in it.
    pub position: Position,
}

impl Origin {
    /// `fact` of `log`.
    pub fn of(log: &Log, fact: &Emitted) -> Self {
        let log_epoch = log.epochs().log_epoch();
        Self { log: log.db().schema(), log_epoch, position: fact.position }
    }
}

/// What is told to those who follow a channel.
#[derive(Debug, Clone)]
pub struct LiveMessage {
    /// The `type` that clients see, a plain lower-case word such as `post_published`. `subscribed`, `reset`, `refused`
    /// and `problem` are ours.
    pub kind: &'static str,
    /// The `data` that clients see; written once for all of them. A few kilobytes at most.
    pub data: Arc<RawValue>,
    /// The fact it tells of. The messages of one fact are published in the same order on every instance. Without one it
    /// is a summary that this instance has made: only topics that are [`Subscription::local`] have those.
    pub origin: Option<Origin>,
    /// It says how things are and the next one will say it again: it is not kept for those who come back.
    pub passing: bool,
    /// For filters, for example the author's id; 0 where there is nothing to say. Clients do not see it.
    pub about: [u128; 2],
}

impl LiveMessage {
    /// A message with `data` as JSON.
    ///
    /// # Errors
    /// If `data` cannot be written as JSON.
    pub fn new<T: Serialize>(
        kind: &'static str,
        data: &T,
        origin: Origin,
    ) -> Result<Self, serde_json::Error> {
        let data = Arc::from(serde_json::value::to_raw_value(data)?);
        Ok(Self { kind, data, origin: Some(origin), passing: false, about: [0; 2] })
    }

    /// A summary of several facts, as this instance makes it.
    ///
    /// # Errors
    /// If `data` cannot be written as JSON.
    pub fn summary<T: Serialize>(kind: &'static str, data: &T) -> Result<Self, serde_json::Error> {
        let data = Arc::from(serde_json::value::to_raw_value(data)?);
        Ok(Self { kind, data, origin: None, passing: false, about: [0; 2] })
    }

    /// The same, not kept for those who come back.
    #[must_use]
    pub fn passing(mut self) -> Self {
        self.passing = true;
        self
    }

    /// The same with something for filters.
    #[must_use]
    pub fn about(mut self, about: [u128; 2]) -> Self {
        self.about = about;
        self
    }
}

/// Whether a caller may and wants to have a message. Asked when it is published and when it is sent; quick, never
/// waiting, and never calling the hub.
pub type Filter = Arc<dyn Fn(&LiveMessage) -> bool + Send + Sync>;

/// A point in the order of this instance's messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Point(u64);

/// What a topic is for one caller.
#[derive(Clone, Default)]
pub struct Subscription {
    /// The channels it listens to. Few: who follows thousands listens to one channel with a filter.
    pub channels: Vec<Tag>,
    /// What of them the caller gets; everything if none.
    pub filter: Option<Filter>,
    /// Its messages are summaries, which every instance makes for itself, and without a gap since this point: who comes
    /// from another instance, or from that point or before, loads it anew.
    pub local: Option<Point>,
}

impl Subscription {
    /// Everything on one channel.
    pub fn to(channel: Tag) -> Self {
        Self { channels: vec![channel], filter: None, local: None }
    }

    /// The same, of messages that are summaries and are made without a gap since `point`.
    #[must_use]
    pub fn local(mut self, point: Point) -> Self {
        self.local = Some(point);
        self
    }

    /// The same, but only what `filter` lets through.
    #[must_use]
    pub fn filtered(mut self, filter: Filter) -> Self {
        self.filter = Some(filter);
        self
    }
}

/// Finds out what a topic is for a caller, from what follows the colon in its name; a problem refuses it.
pub type Resolve = Arc<
    dyn Fn(Option<Caller>, String) -> BoxFuture<'static, Result<Subscription, Problem>>
        + Send
        + Sync,
>;

/// A kind of topics, such as `post` for `post:ID`, or `home`, which has nothing after it.
#[derive(Clone)]
pub struct TopicKind {
    /// What stands before the colon.
    pub prefix: &'static str,
    /// Who may have it, and what it is for them.
    pub resolve: Resolve,
}

/// Bounds of the live channel.
#[derive(Debug, Clone)]
pub struct LiveSettings {
    /// Origins that may connect from a browser, besides the address that was asked: the public URL's and those of CORS.
    pub origins: Vec<String>,
    /// Most connections of this instance.
    pub connections_max: usize,
    /// Most connections of one account.
    pub connections_per_user_max: usize,
    /// Most connections without an account from one address.
    pub connections_per_address_max: usize,
    /// Most topics of one connection.
    pub topics_max: usize,
    /// Messages that wait for one reader; with one more it is told to reset.
    pub queue_len_max: usize,
    /// Missed messages that are replayed; who missed more is told to reset.
    pub replay_len_max: usize,
    /// Messages that mean nothing before a connection is ended.
    pub mistakes_max: usize,
    /// What is held for those who come back.
    pub ring: RingBounds,
    /// How often a connection is asked for a sign of life.
    pub ping_every: Duration,
    /// How long a connection may give none.
    pub silent_max: Duration,
    /// How long a connection may have no topic.
    pub idle_max: Duration,
    /// How long a reader may take nothing while something waits.
    pub stalled_max: Duration,
    /// How long a connection lives before it has to come back and show its credentials again.
    pub life_max: Duration,
    /// Over how long connections are ended when the program ends.
    pub drain_spread: Duration,
}

impl Default for LiveSettings {
    fn default() -> Self {
        Self {
            origins: Vec::new(),
            connections_max: 10_000,
            connections_per_user_max: 20,
            connections_per_address_max: 100,
            topics_max: 200,
            queue_len_max: 256,
            replay_len_max: 1_000,
            mistakes_max: 10,
            ring: RingBounds::default(),
            ping_every: Duration::from_secs(25),
            silent_max: Duration::from_secs(60),
            idle_max: Duration::from_secs(60),
            stalled_max: Duration::from_secs(60),
            life_max: Duration::from_secs(4 * 3_600),
            drain_spread: Duration::from_secs(2),
        }
    }
}

/// The live channel of this instance. Cloning is cheap.
#[derive(Clone)]
pub struct Live {
    inner: Arc<Inner>,
}

struct Inner {
    hub: Hub,
    kinds: RwLock<HashMap<&'static str, TopicKind>>,
    tickets: Tickets,
    clock: Clock,
}

impl Live {
    /// A live channel without topics. Nothing is delivered until [`Live::run`] runs.
    pub fn new(settings: LiveSettings, figures: Figures, clock: Clock) -> Self {
        let hub = Hub::new(settings, figures);
        let inner = Inner { hub, kinds: RwLock::default(), tickets: Tickets::default(), clock };
        Self { inner: Arc::new(inner) }
    }

    /// From now on clients can ask for topics of this kind; one of the same prefix is replaced.
    pub fn topic(&self, kind: TopicKind) {
        let mut kinds = self.inner.kinds.write().unwrap_or_else(PoisonError::into_inner);
        kinds.insert(kind.prefix, kind);
    }

    /// Makes resume tokens of this log's messages good for other instances that follow it as well. Called before the
    /// first message of the log is published.
    pub fn follow(&self, log: &Log) {
        self.inner.hub.follow(log.db().schema(), log.epochs().clone(), log.begins());
    }

    /// Tells everybody who follows `channel`. Takes well under a microsecond; never waits and never fails.
    pub fn publish(&self, channel: Tag, message: LiveMessage) {
        self.inner.hub.publish(channel, message);
    }

    /// The last message that was published.
    pub fn point(&self) -> Point {
        self.inner.hub.point()
    }

    /// A ticket: good for one connection as `caller` at this instance, within 60 s.
    ///
    /// # Errors
    /// `RateLimited` if the person has many unused ones; `Overloaded` if everybody together has.
    pub fn ticket(&self, caller: Caller) -> Result<String, Problem> {
        self.inner.tickets.issue(caller, self.inner.clock.now())
    }

    /// Ends the connections and tickets of an account: signed out everywhere, suspended, deleted.
    pub fn disconnect_user(&self, user: UserId) {
        self.disconnect(|caller| caller.user == user);
    }

    /// Ends the connections and tickets of one session.
    pub fn disconnect_session(&self, session: SessionId) {
        self.disconnect(|caller| caller.session() == Some(session));
    }

    /// Ends the connections and tickets of the callers that `ends` names, such as those with a revoked API key.
    pub fn disconnect(&self, ends: impl Fn(&Caller) -> bool) {
        self.inner.tickets.revoke(&ends);
        self.inner.hub.disconnect(&ends);
    }

    /// What is counted.
    pub fn figures(&self) -> &Figures {
        &self.inner.hub.figures
    }

    /// Open connections of both kinds.
    pub fn connections(&self) -> usize {
        self.inner.hub.connections()
    }

    /// Spreads messages until `stop` says so; then ends the connections, spread over a little time so that clients do
    /// not come back all at once, and returns when they are gone or after a few seconds.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let hub = &self.inner.hub;
        let every = (hub.settings.stalled_max / 4).min(Duration::from_secs(5));
        let mut sweep = tokio::time::interval(every.max(Duration::from_millis(1)));
        let work = async {
            loop {
                tokio::select! {
                    () = hub.rung() => while hub.spread() {
                        tokio::task::yield_now().await;
                    },
                    _ = sweep.tick() => hub.sweep(),
                }
            }
        };
        let ended = async {
            stop.wait_for(|stop| *stop).await.map(drop).tolerate("its sender went: the same");
            self.drain().await;
        };
        tokio::select! {
            () = ended => {}
            () = work => {}
        }
    }

    async fn drain(&self) {
        let hub = &self.inner.hub;
        let open = hub.drain();
        let steps = (hub.settings.drain_spread.as_millis() / DRAIN_STEP.as_millis()).max(1);
        // The table's order is random, so who is told first is as well.
        for some in open.chunks(open.len().div_ceil(steps as usize).max(1)) {
            some.iter().for_each(|conn| conn.close(Close::Restart));
            tokio::time::sleep(DRAIN_STEP).await;
        }
        tokio::time::timeout(DRAIN_GRACE, hub.emptied())
            .await
            .tolerate("the last readers do not take their goodbye; the sockets are closed anyway");
    }

    fn enter(&self, caller: Option<Caller>, address: IpAddr) -> Result<Place, Problem> {
        let conn = self.inner.hub.enter(caller, address)?;
        Ok(Place { live: self.clone(), conn })
    }

    /// How long a connection lives: up to a tenth less than the bound, so that they do not end together.
    fn life(&self) -> Duration {
        let most = self.inner.hub.settings.life_max;
        let less = (crate::ids::random_u64() >> 32) as f64 / f64::from(u32::MAX) / 10.0;
        most.mul_f64(1.0 - less)
    }
}

/// Counts a connection while it lives.
struct Open(Gauge);

impl Open {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// A connection's place in the hub, given back when it is dropped.
struct Place {
    live: Live,
    conn: Arc<Conn>,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.live.inner.hub.leave(&self.conn);
    }
}
