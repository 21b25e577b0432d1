//! Spreading messages: an inbox that publishers fill without waiting, and the table of who wants what.
//!
//! **Locks:** publishers take the inbox only, so a service may publish under its own locks and a filter may take them.
//! Whoever takes the inbox to empty it holds the table, so messages keep one order for everybody; a connection's queue
//! is taken last.

use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use foldhash::fast::RandomState;
use mainstay_contract::id::UserId;
use tokio::{sync::Notify, time::Instant};

use super::{
    Figures, LiveMessage, LiveSettings, Point, Subscription,
    connection::{Close, Conn, Item, Offered, Sub},
    figures::Numbers,
    protocol::{self, Frame, Topic},
    ring::{Entry, Replay, Ring},
};
use crate::{
    auth::Caller,
    cache::{Epochs, Tag},
    error::{Code, Problem},
    ids,
};

/// Messages that wait to be spread; one more loses all that wait, and every reader is told to reset.
const INBOX_LEN_MAX: usize = 16_384;
/// Messages that are spread before others may have the table.
const BATCH: usize = 128;

/// Who a connection counts for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    User(UserId),
    Address(IpAddr),
}

#[derive(Default)]
struct Inbox {
    messages: VecDeque<(Tag, LiveMessage)>,
    /// The highest transaction of each log of which messages were lost.
    lost: Vec<(&'static str, i64)>,
}

/// The oldest messages of the inbox, what was lost before them, and whether more are left.
struct Batch {
    messages: Vec<(Tag, LiveMessage)>,
    lost: Vec<(&'static str, i64)>,
    more: bool,
}

struct Table {
    ring: Ring,
    channels: HashMap<Tag, HashMap<u64, Arc<Sub>, RandomState>, RandomState>,
    conns: HashMap<u64, Arc<Conn>, RandomState>,
    holders: HashMap<Holder, usize, RandomState>,
}

pub(super) struct Hub {
    pub(super) settings: LiveSettings,
    pub(super) figures: Figures,
    inbox: Mutex<Inbox>,
    bell: Notify,
    table: Mutex<Table>,
    /// Rung when a connection has gone.
    left: Notify,
    numbers: Numbers,
    draining: AtomicBool,
}

impl Hub {
    pub(super) fn new(settings: LiveSettings, figures: Figures) -> Self {
        let table = Table {
            ring: Ring::new(ids::random_u64(), settings.ring.clone()),
            channels: HashMap::default(),
            conns: HashMap::default(),
            holders: HashMap::default(),
        };
        Self {
            settings,
            figures,
            inbox: Mutex::default(),
            bell: Notify::new(),
            table: Mutex::new(table),
            left: Notify::new(),
            numbers: Numbers::default(),
            draining: AtomicBool::new(false),
        }
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn follow(&self, name: &'static str, epochs: Arc<Epochs>, begins: i64) {
        self.table().ring.follow(name, epochs, begins);
    }

    pub(super) fn publish(&self, channel: Tag, message: LiveMessage) {
        self.figures.published.inc();
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        inbox.messages.push_back((channel, message));
        if inbox.messages.len() > INBOX_LEN_MAX {
            let messages = std::mem::take(&mut inbox.messages);
            self.figures.lost.inc_by(messages.len() as u64);
            for (_, message) in messages {
                let Some(origin) = message.origin else { continue };
                let (log, xid) = (origin.log, origin.position.xid);
                match inbox.lost.iter_mut().find(|(name, _)| *name == log) {
                    Some((_, highest)) => *highest = xid.max(*highest),
                    None => inbox.lost.push((log, xid)),
                }
            }
        }
        drop(inbox);
        self.bell.notify_one();
    }

    /// Resolves when something was published.
    pub(super) async fn rung(&self) {
        self.bell.notified().await;
    }

    /// Spreads some of what waits in the inbox; says whether more waits.
    pub(super) fn spread(&self) -> bool {
        self.spread_in(&mut self.table())
    }

    fn spread_in(&self, table: &mut Table) -> bool {
        // Read first: whatever lies below these horizons is in the inbox by now, or has been.
        let horizons = table.ring.horizons();
        let Batch { messages, lost, more } = self.take_some();
        let now = Instant::now();
        if !lost.is_empty() {
            table.ring.gap(&lost);
            table.tell_all_to_reset();
        }
        for (channel, message) in messages {
            if message.origin.is_some_and(|origin| table.ring.another_life(&origin)) {
                table.tell_all_to_reset();
            }
            let entry = table.ring.push(channel, message, now);
            let Some(subs) = table.channels.get(&channel) else { continue };
            for sub in subs.values().filter(|sub| sub.wants(&entry)) {
                let item = (sub.clone(), entry.clone());
                if sub.conn.offer(item, self.settings.queue_len_max, now) == Offered::Dropped {
                    self.figures.dropped.inc();
                }
            }
        }
        if !more {
            table.ring.settle(&horizons);
        }
        more
    }

    fn take_some(&self) -> Batch {
        let mut inbox = self.inbox.lock().unwrap_or_else(PoisonError::into_inner);
        let count = inbox.messages.len().min(BATCH);
        let messages = inbox.messages.drain(..count).collect();
        let lost = std::mem::take(&mut inbox.lost);
        Batch { messages, lost, more: !inbox.messages.is_empty() }
    }

    /// A place for a connection.
    ///
    /// # Errors
    /// `Unavailable` while the program ends, `Overloaded` if all places are taken, `RateLimited` if the caller's are.
    pub(super) fn enter(
        &self,
        caller: Option<Caller>,
        address: IpAddr,
    ) -> Result<Arc<Conn>, Problem> {
        let refuse = |code, detail: &'static str, seconds| {
            self.figures.refused.inc();
            Err(Problem::new(code, detail).retry_after_s(seconds))
        };
        let (holder, most) = match &caller {
            Some(caller) => (Holder::User(caller.user), self.settings.connections_per_user_max),
            None => (Holder::Address(address), self.settings.connections_per_address_max),
        };
        let mut table = self.table();
        if self.draining.load(Ordering::Relaxed) {
            return refuse(Code::Unavailable, "The server is restarting. Connect again.", 1);
        }
        if table.conns.len() >= self.settings.connections_max {
            let detail = "All live connections are taken. Try again in a few seconds.";
            return refuse(Code::Overloaded, detail, 5);
        }
        let held = table.holders.entry(holder).or_default();
        if *held >= most {
            let detail =
                "You have as many live connections as one caller may have. Close one first.";
            return refuse(Code::RateLimited, detail, 5);
        }
        *held += 1;
        let conn = Arc::new(Conn::new(self.numbers.next(), holder, caller));
        table.conns.insert(conn.id, conn.clone());
        Ok(conn)
    }

    /// Gives the place back and forgets what the connection subscribed. Nothing happens the second time.
    pub(super) fn leave(&self, conn: &Conn) {
        let mut table = self.table();
        if table.conns.remove(&conn.id).is_none() {
            return;
        }
        if let Some(held) = table.holders.get_mut(&conn.holder) {
            *held -= 1;
            if *held == 0 {
                table.holders.remove(&conn.holder);
            }
        }
        self.forget(&mut table, &conn.end(|_| true));
        drop(table);
        conn.forget();
        self.left.notify_one();
    }

    /// Begins topics at one point of the order: what lies behind `after` up to it is replayed, what comes later
    /// follows.
    ///
    /// Topics that the connection has already are left as they are. Returns the token of that point.
    pub(super) fn begin(
        &self,
        conn: &Arc<Conn>,
        wanted: Vec<(Topic, Subscription)>,
        after: Option<&str>,
        mut answers: Vec<Frame>,
        announce: bool,
    ) -> Arc<str> {
        let mut table = self.table();
        self.spread_in(&mut table);
        let now = table.ring.id();
        if !table.conns.contains_key(&conn.id) {
            return now;
        }
        let new = |(topic, subscription)| {
            Arc::new(Sub::new(self.numbers.next(), conn.clone(), topic, subscription))
        };
        let subs: Vec<Arc<Sub>> = wanted.into_iter().map(new).collect();
        let mut missed = Vec::new();
        let mut from = Some(now.clone());
        let mut stands = None;
        if let Some(after) = after {
            stands = Some(table.ring.stands(after));
            let most = self.settings.replay_len_max.saturating_sub(conn.replay_len());
            match table.missed(after, &subs, most) {
                Some(items) => {
                    missed = items;
                    from = Some(after.into());
                }
                None => from = None,
            }
        }
        for sub in &subs {
            match &from {
                Some(_) if sub.local.is_some_and(|since| stands.is_some_and(|at| at <= since)) => {
                    answers.push(protocol::reset(&sub.topic, &now));
                }
                Some(from) if announce => {
                    answers.push(protocol::subscribed(&sub.topic, Some(from.clone())));
                }
                Some(_) => {}
                None => answers.push(protocol::reset(&sub.topic, &now)),
            }
            for channel in &sub.channels {
                table.channels.entry(*channel).or_default().insert(sub.id, sub.clone());
            }
        }
        self.figures.subscriptions.inc_by(subs.len() as i64);
        conn.begin(&subs, answers, missed);
        from.unwrap_or(now)
    }

    /// The last message that was published.
    pub(super) fn point(&self) -> Point {
        let mut table = self.table();
        while self.spread_in(&mut table) {}
        table.ring.point()
    }

    /// Ends topics of a connection.
    pub(super) fn end(&self, conn: &Conn, topics: &[String]) {
        let mut table = self.table();
        let ended = conn.end(|sub| topics.iter().any(|topic| **topic == *sub.topic.name));
        self.forget(&mut table, &ended);
    }

    fn forget(&self, table: &mut Table, subs: &[Arc<Sub>]) {
        for sub in subs {
            for channel in &sub.channels {
                if let Some(members) = table.channels.get_mut(channel) {
                    members.remove(&sub.id);
                    if members.is_empty() {
                        table.channels.remove(channel);
                    }
                }
            }
        }
        self.figures.subscriptions.dec_by(subs.len() as i64);
    }

    /// Ends the connections whose caller `ends` names.
    pub(super) fn disconnect(&self, ends: impl Fn(&Caller) -> bool) {
        let table = self.table();
        let theirs = table.conns.values().filter(|conn| conn.caller.as_ref().is_some_and(&ends));
        theirs.for_each(|conn| conn.close(Close::SessionEnded));
    }

    /// Ends connections that have not read for long, and drops messages that are too old.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        let slow: Vec<Arc<Conn>> = {
            let mut table = self.table();
            table.ring.trim(now);
            let (len, bytes) = table.ring.size();
            self.figures.held.set(len as i64);
            self.figures.held_bytes.set(bytes as i64);
            let longest = self.settings.stalled_max;
            table.conns.values().filter(|conn| conn.stalled(now, longest)).cloned().collect()
        };
        for conn in slow {
            self.figures.slow.inc();
            conn.close(Close::Slow);
            // An event stream whose client does not read is not polled, so its place is given back here.
            self.leave(&conn);
        }
    }

    /// Takes no more connections, and returns those that are open.
    pub(super) fn drain(&self) -> Vec<Arc<Conn>> {
        let table = self.table();
        self.draining.store(true, Ordering::Relaxed);
        table.conns.values().cloned().collect()
    }

    /// Open connections.
    pub(super) fn connections(&self) -> usize {
        self.table().conns.len()
    }

    /// Resolves when all connections have gone.
    pub(super) async fn emptied(&self) {
        while self.connections() > 0 {
            self.left.notified().await;
        }
    }
}

impl Table {
    /// What these topics missed, in the one order of all topics; nothing if that cannot be told.
    fn missed(&self, after: &str, subs: &[Arc<Sub>], most: usize) -> Option<Vec<Item>> {
        let mut by_channel: HashMap<Tag, Vec<&Arc<Sub>>, RandomState> = HashMap::default();
        for sub in subs {
            for channel in &sub.channels {
                by_channel.entry(*channel).or_default().push(sub);
            }
        }
        let wants = |entry: &Entry| {
            by_channel
                .get(&entry.channel)
                .is_some_and(|subs| subs.iter().any(|sub| sub.wants(entry)))
        };
        let Replay::Missed(entries) = self.ring.replay(after, wants, most) else { return None };
        let items = entries.iter().flat_map(|entry| {
            let subs = by_channel.get(&entry.channel).into_iter().flatten();
            subs.map(|sub| ((*sub).clone(), entry.clone()))
        });
        let items: Vec<Item> = items.collect();
        (items.len() <= most).then_some(items)
    }

    fn tell_all_to_reset(&mut self) {
        let id = self.ring.id();
        for conn in self.conns.values() {
            conn.reset(&id);
        }
    }
}
