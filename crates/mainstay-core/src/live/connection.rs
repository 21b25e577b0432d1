//! One reader: what waits for it, within bounds.
//!
//! The hub never waits for a reader. When its queue is full everything in it is dropped, and the next thing it is told
//! is to reset each of its topics.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{Notify, watch},
    time::Instant,
};

use super::{
    Filter,
    protocol::{self, Frame, Topic},
    ring::Entry,
};
use crate::auth::Caller;

/// Why the hub ends a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Close {
    /// The program ends, or the connection has lived long enough: connect again.
    Restart,
    /// The session or the account may not go on.
    SessionEnded,
    /// Nothing was read for too long.
    Slow,
    /// Nothing was subscribed for too long.
    Idle,
    /// No sign of life.
    Silent,
    /// Too many messages that mean nothing.
    Mistakes,
    /// A message beyond the size.
    TooLarge,
    /// A text that is no UTF-8.
    NotText,
    /// What came was no WebSocket message.
    Broken,
    /// The client went away.
    Gone,
}

impl Close {
    /// The close code and reason of RFC 6455.
    pub(super) fn frame(self) -> (u16, &'static str) {
        match self {
            Self::Restart => (1012, "restart"),
            Self::SessionEnded => (1008, "session ended"),
            Self::Slow => (1008, "nothing was read"),
            Self::Idle => (1000, "no subscription"),
            Self::Silent => (1008, "no pong"),
            Self::Mistakes => (1008, "too many mistakes"),
            Self::TooLarge => (1009, "message too large"),
            Self::NotText => (1007, "text that is no UTF-8"),
            Self::Broken => (1002, "not a WebSocket message"),
            Self::Gone => (1000, ""),
        }
    }
}

/// One topic of one connection.
pub(super) struct Sub {
    pub(super) id: u64,
    pub(super) conn: Arc<Conn>,
    pub(super) topic: Topic,
    pub(super) channels: Vec<crate::cache::Tag>,
    pub(super) filter: Option<Filter>,
    /// Who comes from another instance, or from before this point, loads it anew.
    pub(super) local: Option<super::Point>,
    ended: AtomicBool,
}

impl Sub {
    pub(super) fn new(
        id: u64,
        conn: Arc<Conn>,
        topic: Topic,
        subscription: super::Subscription,
    ) -> Self {
        let super::Subscription { mut channels, filter, local } = subscription;
        channels.sort_unstable();
        channels.dedup();
        Self { id, conn, topic, channels, filter, local, ended: AtomicBool::new(false) }
    }

    /// Asked when a message enters the queue and again when it leaves it, so that a block in between is heeded.
    pub(super) fn wants(&self, entry: &Entry) -> bool {
        let Some(filter) = &self.filter else { return true };
        // A filter that panics must not end the hub for everybody.
        catch_unwind(AssertUnwindSafe(|| filter(&entry.message))).unwrap_or_else(|_panic| {
            tracing::error!(topic = &*self.topic.name, "the filter of a live topic panicked");
            false
        })
    }

    pub(super) fn end(&self) {
        self.ended.store(true, Ordering::Relaxed);
    }
}

/// A message on its way to one topic of one connection.
pub(super) type Item = (Arc<Sub>, Arc<Entry>);

#[derive(Default)]
struct Pending {
    /// Answers to what the client sent; they go first.
    control: VecDeque<Frame>,
    /// What the client missed.
    replay: VecDeque<Item>,
    /// What happened since.
    queue: VecDeque<Item>,
    /// Set while the queue is not kept: the token of the last message that was dropped.
    dropped: Option<Arc<str>>,
    subs: Vec<Arc<Sub>>,
    /// Since when something waits without anything being taken.
    waiting_since: Option<Instant>,
}

impl Pending {
    fn len(&self) -> usize {
        self.control.len() + self.replay.len() + self.queue.len()
    }

    fn forget(&mut self) {
        self.replay.clear();
        self.queue.clear();
    }
}

/// What came of offering a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Offered {
    /// It waits.
    Queued,
    /// The queue is full, or was: the reader will be told to reset.
    Dropped,
}

/// A connection as the hub sees it.
pub(super) struct Conn {
    pub(super) id: u64,
    pub(super) holder: super::hub::Holder,
    pub(super) caller: Option<Caller>,
    pending: Mutex<Pending>,
    wake: Notify,
    room: Notify,
    closing: watch::Sender<Option<Close>>,
}

impl Conn {
    pub(super) fn new(id: u64, holder: super::hub::Holder, caller: Option<Caller>) -> Self {
        Self {
            id,
            holder,
            caller,
            pending: Mutex::default(),
            wake: Notify::new(),
            room: Notify::new(),
            closing: watch::Sender::new(None),
        }
    }

    fn pending(&self) -> MutexGuard<'_, Pending> {
        self.pending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn changed(&self, pending: &mut Pending, now: Instant) {
        pending.waiting_since.get_or_insert(now);
        self.wake.notify_one();
    }

    /// Puts a message into the queue, or drops all of it. Never waits.
    pub(super) fn offer(&self, item: Item, queue_len_max: usize, now: Instant) -> Offered {
        let mut pending = self.pending();
        if pending.dropped.is_none() && pending.queue.len() < queue_len_max {
            pending.queue.push_back(item);
            self.changed(&mut pending, now);
            return Offered::Queued;
        }
        pending.forget();
        pending.dropped = Some(item.1.id.clone());
        self.changed(&mut pending, now);
        Offered::Dropped
    }

    /// Drops what waits; every topic is told to reset, and follows from `id`.
    pub(super) fn reset(&self, id: &Arc<str>) {
        let mut pending = self.pending();
        pending.forget();
        pending.dropped = Some(id.clone());
        self.changed(&mut pending, Instant::now());
    }

    /// Answers the client; waits while it does not read the answers it has.
    pub(super) async fn answer(&self, frame: Frame, control_len_max: usize) {
        self.room(control_len_max).await;
        let mut pending = self.pending();
        pending.control.push_back(frame);
        self.changed(&mut pending, Instant::now());
    }

    /// Resolves when fewer than `control_len_max` answers wait. Only the connection's reader waits and answers.
    pub(super) async fn room(&self, control_len_max: usize) {
        while self.pending().control.len() >= control_len_max {
            self.room.notified().await;
        }
    }

    /// Begins topics: `answers` are told first, then `missed`, then what happens from now on.
    pub(super) fn begin(&self, subs: &[Arc<Sub>], answers: Vec<Frame>, missed: Vec<Item>) {
        let mut pending = self.pending();
        pending.subs.extend(subs.iter().cloned());
        pending.control.extend(answers);
        // Who is about to be told to reset loads everything anew.
        if pending.dropped.is_none() {
            pending.replay.extend(missed);
        }
        self.changed(&mut pending, Instant::now());
    }

    /// What it has subscribed.
    pub(super) fn subs(&self) -> Vec<Arc<Sub>> {
        self.pending().subs.clone()
    }

    /// Missed messages that still wait.
    pub(super) fn replay_len(&self) -> usize {
        self.pending().replay.len()
    }

    /// Ends topics and gives them to the hub, which forgets them as well.
    pub(super) fn end(&self, ends: impl Fn(&Sub) -> bool) -> Vec<Arc<Sub>> {
        let mut pending = self.pending();
        let (ended, stay): (Vec<_>, Vec<_>) =
            std::mem::take(&mut pending.subs).into_iter().partition(|sub| ends(sub));
        pending.subs = stay;
        ended.iter().for_each(|sub| sub.end());
        ended
    }

    /// The next frame, if something waits that is still wanted.
    pub(super) fn try_next(&self) -> Option<Frame> {
        loop {
            let item = {
                let mut pending = self.pending();
                if let Some(last) = pending.dropped.take() {
                    let resets: Vec<Frame> =
                        pending.subs.iter().map(|sub| protocol::reset(&sub.topic, &last)).collect();
                    pending.control.extend(resets);
                }
                if let Some(frame) = pending.control.pop_front() {
                    self.taken(&mut pending);
                    return Some(frame);
                }
                let item = pending.replay.pop_front().or_else(|| pending.queue.pop_front());
                self.taken(&mut pending);
                item
            };
            let (sub, entry) = item?;
            if !sub.ended.load(Ordering::Relaxed) && sub.wants(&entry) {
                return Some(protocol::event(&sub.topic, &entry));
            }
        }
    }

    fn taken(&self, pending: &mut Pending) {
        let waits = pending.len() > 0 || pending.dropped.is_some();
        pending.waiting_since = waits.then(Instant::now);
        self.room.notify_one();
    }

    /// The next frame. The future may be dropped while it waits; nothing is lost then.
    pub(super) async fn next(&self) -> Frame {
        loop {
            if let Some(frame) = self.try_next() {
                return frame;
            }
            self.wake.notified().await;
        }
    }

    /// Whether something has waited for `longest` without being taken.
    pub(super) fn stalled(&self, now: Instant, longest: Duration) -> bool {
        let since = self.pending().waiting_since;
        since.is_some_and(|since| now.saturating_duration_since(since) >= longest)
    }

    /// Asks the connection to end; the first reason stays.
    pub(super) fn close(&self, why: Close) {
        self.closing.send_if_modified(|closing| {
            let first = closing.is_none();
            closing.get_or_insert(why);
            first
        });
        self.wake.notify_one();
    }

    /// Resolves when the connection is to end.
    pub(super) async fn closed(&self) -> Close {
        let mut closing = self.closing.subscribe();
        let closed = closing.wait_for(Option::is_some).await;
        closed.ok().and_then(|why| *why).unwrap_or(Close::Gone)
    }

    /// Drops what waits: nobody will take it.
    pub(super) fn forget(&self) {
        let mut pending = self.pending();
        pending.forget();
        pending.control.clear();
        pending.dropped = None;
        pending.waiting_since = None;
    }
}

#[cfg(test)]
mod tests;
