//! The latest messages, for those who come back; pure: no tasks, no sockets.
//!
//! A message gets its number and its token when it enters. The ring is bounded in messages, bytes and age; what it no
//! longer holds can only be answered with a reset.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use tokio::time::Instant;

use super::{
    LiveMessage, Origin, Point,
    token::{ABOVE_MAX, Mark, Token},
};
use crate::{
    cache::{Epochs, Tag},
    db::Position,
};

/// Bounds of what is kept for those who come back.
#[derive(Debug, Clone)]
pub struct RingBounds {
    /// Most messages.
    pub len_max: usize,
    /// Most bytes of their data.
    pub bytes_max: usize,
    /// Oldest message.
    pub age_max: Duration,
}

impl Default for RingBounds {
    fn default() -> Self {
        Self { len_max: 8_192, bytes_max: 16 << 20, age_max: Duration::from_secs(600) }
    }
}

/// A message with its number.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) seq: u64,
    pub(super) channel: Tag,
    pub(super) message: LiveMessage,
    /// The token that covers everything up to this message.
    pub(super) id: Arc<str>,
    /// Which message of its fact it is.
    part: u16,
    at: Instant,
}

impl Entry {
    /// What it costs to keep: the data and about what surrounds it.
    fn bytes(&self) -> usize {
        self.message.data.get().len() + self.id.len() + size_of::<Self>()
    }
}

/// One log as far as its messages went through this hub.
struct LogState {
    name: &'static str,
    hash: u32,
    epoch: u64,
    /// Says below which transaction every fact was applied, and so published; without it tokens are not portable.
    epochs: Option<Arc<Epochs>>,
    /// Every message at or above it is in the ring.
    floor: i64,
    /// Every fact below it has entered.
    low: i64,
    /// Facts below it may have happened before this hub was told of them: until `low` is there, it cannot tell others
    /// what it has not told its own.
    begins: i64,
    /// Facts from `low` on that entered, with the number of their messages.
    above: BTreeMap<Position, u16>,
}

/// The horizons of the logs, read before the messages of a batch were taken over.
pub(super) struct Horizons(Vec<i64>);

/// What a client that comes back is given.
#[derive(Debug)]
pub(super) enum Replay {
    /// What it missed, oldest first.
    Missed(Vec<Arc<Entry>>),
    /// It has to load anew.
    Reset,
}

pub(super) struct Ring {
    hub: u64,
    bounds: RingBounds,
    entries: VecDeque<Arc<Entry>>,
    bytes: usize,
    /// The number of the next message.
    next: u64,
    logs: Vec<LogState>,
}

impl Ring {
    pub(super) fn new(hub: u64, bounds: RingBounds) -> Self {
        Self { hub, bounds, entries: VecDeque::new(), bytes: 0, next: 1, logs: Vec::new() }
    }

    /// Messages of this log enter from now on; its horizon makes tokens good for other instances. Facts below `begins`
    /// may have happened already.
    pub(super) fn follow(&mut self, name: &'static str, epochs: Arc<Epochs>, begins: i64) {
        let (horizon, epoch) = (epochs.horizon(), epochs.log_epoch());
        let mut log = LogState::new(name, epoch, horizon);
        log.epochs = Some(epochs);
        (log.floor, log.begins) = (horizon.max(begins), horizon.max(begins));
        match self.logs.iter_mut().find(|known| known.name == name) {
            Some(known) => *known = log,
            None => self.logs.push(log),
        }
    }

    pub(super) fn horizons(&self) -> Horizons {
        let horizon = |log: &LogState| log.epochs.as_ref().map_or(log.low, |it| it.horizon());
        Horizons(self.logs.iter().map(horizon).collect())
    }

    /// Every message of a fact below these horizons has entered.
    pub(super) fn settle(&mut self, horizons: &Horizons) {
        for (log, horizon) in self.logs.iter_mut().zip(&horizons.0) {
            if *horizon > log.low {
                log.low = *horizon;
                log.above = log.above.split_off(&Position { xid: *horizon, seq: i64::MIN });
            }
        }
    }

    /// Takes a message in.
    pub(super) fn push(&mut self, channel: Tag, message: LiveMessage, now: Instant) -> Arc<Entry> {
        let part = message.origin.map_or(0, |origin| self.part_of(origin));
        if message.passing {
            let seq = self.next - 1;
            return Arc::new(Entry { seq, channel, message, id: self.id(), part, at: now });
        }
        let seq = self.next;
        self.next += 1;
        let entry = Arc::new(Entry { seq, channel, message, id: self.id(), part, at: now });
        self.bytes += entry.bytes();
        self.entries.push_back(entry.clone());
        self.trim(now);
        entry
    }

    /// Which message of its fact the next one is.
    fn part_of(&mut self, origin: Origin) -> u16 {
        match self.logs.iter_mut().find(|log| log.name == origin.log) {
            Some(log) if log.epochs.is_some() => {
                let parts = log.above.entry(origin.position).or_default();
                *parts = parts.saturating_add(1);
                *parts - 1
            }
            Some(_) => 0,
            None => {
                self.logs.push(LogState::new(origin.log, origin.log_epoch, origin.position.xid));
                0
            }
        }
    }

    /// The last message.
    pub(super) fn point(&self) -> Point {
        Point(self.next - 1)
    }

    /// Where somebody who has this token stands in the order of this hub; before everything, if another has made it.
    pub(super) fn stands(&self, token: &str) -> Point {
        let token = Token::decode(token).filter(|token| token.hub == self.hub);
        Point(token.map_or(0, |token| token.seq))
    }

    /// Whether this is the first message of another life of its log, restored or failed over. What was told before may
    /// not have happened in it, so nobody can be brought up to date from before.
    pub(super) fn another_life(&mut self, origin: &Origin) -> bool {
        let known = self.logs.iter_mut().find(|log| log.name == origin.log);
        let Some(log) = known.filter(|log| log.epoch != origin.log_epoch) else { return false };
        let epochs = log.epochs.take();
        *log = LogState::new(origin.log, origin.log_epoch, origin.position.xid);
        log.epochs = epochs;
        self.gap(&[]);
        true
    }

    /// Messages were lost before they entered: nobody can be brought up to date from before. `lost` is the highest
    /// transaction of each log concerned.
    pub(super) fn gap(&mut self, lost: &[(&'static str, i64)]) {
        self.entries.clear();
        self.bytes = 0;
        self.next += 1;
        for log in &mut self.logs {
            let last = log.above.keys().next_back().map_or(i64::MIN, |last| last.xid);
            log.floor = log.floor.max(last.saturating_add(1));
            for (_, xid) in lost.iter().filter(|(name, _)| *name == log.name) {
                log.floor = log.floor.max(xid.saturating_add(1));
            }
            log.floor = log.floor.max(log.low);
        }
    }

    /// Drops what is beyond the bounds.
    pub(super) fn trim(&mut self, now: Instant) {
        while let Some(first) = self.entries.front() {
            let old = now.saturating_duration_since(first.at) > self.bounds.age_max;
            if self.entries.len() <= self.bounds.len_max
                && self.bytes <= self.bounds.bytes_max
                && !old
            {
                break;
            }
            let origin = first.message.origin;
            self.bytes -= first.bytes();
            let of = |log: &&mut LogState| origin.is_some_and(|origin| origin.log == log.name);
            if let Some((log, origin)) = self.logs.iter_mut().find(of).zip(origin) {
                log.floor = log.floor.max(origin.position.xid.saturating_add(1));
            }
            self.entries.pop_front();
        }
    }

    /// The token that covers everything up to now.
    pub(super) fn id(&self) -> Arc<str> {
        let portable = |log: &LogState| {
            log.epochs.is_some() && log.above.len() <= ABOVE_MAX && log.low >= log.begins
        };
        let marks = self.logs.iter().all(portable).then(|| {
            let mark = |log: &LogState| Mark {
                log: log.hash,
                epoch: log.epoch,
                low: log.low,
                above: log.above.iter().map(|(position, parts)| (*position, *parts)).collect(),
            };
            self.logs.iter().map(mark).collect()
        });
        Token { hub: self.hub, seq: self.next - 1, marks }.encode()
    }

    /// What somebody who has `after` missed of what it `wants`; a reset if that cannot be told, or is more than `most`.
    pub(super) fn replay(
        &self,
        after: &str,
        wants: impl Fn(&Entry) -> bool,
        most: usize,
    ) -> Replay {
        let Some(token) = Token::decode(after) else { return Replay::Reset };
        let missed: Vec<Arc<Entry>> = if token.hub == self.hub {
            let oldest = self.entries.front().map_or(self.next, |first| first.seq);
            if token.seq >= self.next || token.seq + 1 < oldest {
                return Replay::Reset;
            }
            let from = self.entries.partition_point(|entry| entry.seq <= token.seq);
            self.entries
                .range(from..)
                .filter(|entry| wants(entry))
                .take(most + 1)
                .cloned()
                .collect()
        } else {
            let Some(marks) = token.marks.filter(|marks| self.knows(marks)) else {
                return Replay::Reset;
            };
            let new = |entry: &&Arc<Entry>| !covered(&marks, entry) && wants(entry);
            self.entries.iter().filter(new).take(most + 1).cloned().collect()
        };
        if missed.len() > most { Replay::Reset } else { Replay::Missed(missed) }
    }

    /// Whether another hub's marks lie within what went through here and is still held.
    fn knows(&self, marks: &[Mark]) -> bool {
        self.logs.iter().all(|log| {
            let Some(mark) = marks.iter().find(|mark| mark.log == log.hash) else { return false };
            let past = |(position, parts): &(Position, u16)| {
                position.xid < log.low || log.above.get(position).is_some_and(|have| have >= parts)
            };
            mark.epoch == log.epoch
                && (log.floor..=log.low).contains(&mark.low)
                && mark.above.iter().all(past)
        })
    }

    /// Messages held and the bytes of their data.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }
}

fn covered(marks: &[Mark], entry: &Entry) -> bool {
    // Summaries are nothing to those who come from another instance.
    let Some(origin) = entry.message.origin else { return true };
    let hash = log_hash(origin.log);
    let Some(mark) = marks.iter().find(|mark| mark.log == hash) else { return false };
    // A list of at most ABOVE_MAX.
    let listed = mark.above.iter().find(|(position, _)| *position == origin.position);
    origin.position.xid < mark.low || listed.is_some_and(|(_, parts)| entry.part < *parts)
}

fn log_hash(name: &str) -> u32 {
    Tag::text("log", name).bits() as u32
}

impl LogState {
    fn new(name: &'static str, epoch: u64, from: i64) -> Self {
        let hash = log_hash(name);
        let (floor, low, begins) = (from, from, from);
        Self { name, hash, epoch, epochs: None, floor, low, begins, above: BTreeMap::new() }
    }
}

#[cfg(test)]
mod tests;
