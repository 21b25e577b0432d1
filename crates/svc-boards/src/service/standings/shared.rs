//! Who ranks where, in Redis: for fleets whose instances should not each hold every board.
//!
//! Redis is never the truth. Of each place it has sorted sets that follow from the records, and a record of its own
//! that says which build of them counts. Every instance follows the log and brings to Redis what it learns: at once
//! what it has committed itself, within a second what others have, and before it reads a place everything of that
//! place. Each change carries its submission's number and a script takes only what is newer, so nobody minds who
//! brings what, how often, and in which order; and a reader sees at least what its instance has seen, as in memory.
//!
//! What has lost a part (evicted, flushed, gone back to an older state) is not answered from but built anew from
//! records, by one instance, while all go on bringing changes.
//!
//! Reading order: this file (following the log), `waiting` (what is under way), `asking` (questions and builds),
//! `member` (bytes), and the scripts.

mod asking;
mod member;
#[cfg(test)]
mod tests;
mod waiting;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use mainstay_contract::{
    boards::{BoardChangedV1, EntriesRemovedV1, ScoresRecordedV1},
    ts::Ts,
};
use mainstay_core::{
    clock::Clock,
    db::{Emitted, EngineKind, Position},
    events::Log,
    redis::{Redis, Reply, Script},
};
use tokio::sync::{Notify, Semaphore};

pub(crate) use self::waiting::SharedPlace;
use self::{member::Shape, waiting::Change};
use super::held;
use crate::{
    error::Error,
    service::boards::Board,
    store::{self, scores::Place},
};

/// How long nothing may happen before what others have committed is brought too.
const QUIET: Duration = Duration::from_secs(1);
const QUIET_US: i64 = 1_000_000;
/// Changes in one call.
const CHANGES_MAX: usize = 500;
/// How long it is remembered up to where the log was brought, in milliseconds: longer than any place is kept.
const FLEET_MS: i64 = 2 * 86_400_000;
/// Facts of the log that are read at a time, and how often when nobody was there to bring them.
const BATCH: i64 = 1_000;
const CATCH_UP_MAX: u32 = 100;
/// How much longer than its record the keys of a place are kept, and how long while they are built, in milliseconds.
const MARGIN_MS: i64 = 60_000;
const BUILD_MS: i64 = 3_600_000;
/// Places that an instance builds at the same time.
const BUILDS_MAX: usize = 4;
/// How long a build that does nothing is left alone, in milliseconds.
const LEASE_MS: i64 = 5_000;

struct Scripts {
    apply: Script,
    begin: Script,
    finish: Script,
    forget: Script,
    read: Script,
    fleet: Script,
}

impl Scripts {
    fn new() -> Self {
        macro_rules! script {
            ($name:literal) => {
                Script::new(concat!(include_str!("shared/common.lua"), include_str!($name)))
            };
        }
        Self {
            apply: script!("shared/apply.lua"),
            begin: script!("shared/begin.lua"),
            finish: script!("shared/finish.lua"),
            forget: script!("shared/forget.lua"),
            read: script!("shared/read.lua"),
            fleet: Script::new(include_str!("shared/fleet.lua")),
        }
    }
}

/// Every place in Redis that this instance has read, or learned something of.
pub(crate) struct Shared {
    redis: Arc<Redis>,
    log: Log,
    clock: Clock,
    /// How long a place that nobody reads is kept.
    ttl_ms: i64,
    scripts: Scripts,
    places: Mutex<HashMap<Place, Arc<SharedPlace>>>,
    member: tokio::sync::Mutex<Member>,
    /// Which life of Redis is believed; empty before anybody has asked.
    life: Mutex<Arc<str>>,
    /// Builds under way here, so that a Redis that has forgotten everything is not flooded.
    builds: Semaphore,
    /// The fact that is told next was committed here.
    own: AtomicBool,
    bell: Notify,
    /// When everything was brought last, in microseconds of the clock that never steps back.
    tended_at: AtomicI64,
}

/// What this instance knows of the log.
struct Member {
    /// Which log it is.
    epoch: u64,
    /// It has seen every fact from this transaction on.
    floor: i64,
    /// Up to here it knows that they were brought to Redis.
    known: i64,
}

fn text(value: impl ToString) -> Vec<u8> {
    value.to_string().into_bytes()
}

fn word(reply: &Reply) -> &[u8] {
    reply.list().first().map(Reply::bytes).unwrap_or_default()
}

impl Shared {
    pub(crate) fn new(redis: Arc<Redis>, log: &Log, clock: Clock, idle_s: u32) -> Arc<Self> {
        // What lies below was committed before this instance began to follow.
        let (epoch, floor) = (log.epochs().log_epoch(), log.epochs().horizon());
        Arc::new(Self {
            redis,
            log: log.clone(),
            clock,
            ttl_ms: i64::from(idle_s) * 1_000,
            scripts: Scripts::new(),
            places: Mutex::default(),
            member: tokio::sync::Mutex::new(Member { epoch, floor, known: 0 }),
            life: Mutex::new("".into()),
            builds: Semaphore::new(BUILDS_MAX),
            own: AtomicBool::new(false),
            bell: Notify::new(),
            tended_at: AtomicI64::new(0),
        })
    }

    /// Learns of every fact of the log from now on.
    pub(crate) fn follow(self: &Arc<Self>) {
        let weak = Arc::downgrade(self);
        self.log.on_own_fact(Box::new(move |_fact| {
            if let Some(shared) = weak.upgrade() {
                shared.own.store(true, Ordering::Release);
            }
        }));
        let weak = Arc::downgrade(self);
        self.log.on_fact(Box::new(move |fact| {
            if let Some(shared) = weak.upgrade() {
                shared.note(fact);
            }
        }));
    }

    fn note(&self, fact: &Emitted) {
        let own = self.own.swap(false, Ordering::AcqRel);
        let now = self.clock.now();
        let mut any = false;
        if let Some(told) = fact.read::<ScoresRecordedV1>() {
            let ScoresRecordedV1 { board_no, edition, period, entries, .. } = told;
            let place = self.place(Place { board_no, edition, period });
            for scored in entries {
                let owner = scored.owner.clone();
                let change = Change { seq: scored.seq, now: Some(scored) };
                place.note(&owner, change, own, now);
                any = true;
            }
        } else if let Some(told) = fact.read::<EntriesRemovedV1>() {
            let EntriesRemovedV1 { board_no, edition, period, owners, seq, .. } = told;
            let place = self.place(Place { board_no, edition, period });
            for owner in owners {
                place.note(&owner, Change { seq, now: None }, own, now);
                any = true;
            }
        } else if let Some(told) = fact.read::<BoardChangedV1>() {
            held(&self.places).retain(|place, _| {
                place.board_no != told.board_no || place.edition >= told.edition && !told.deleted
            });
        }
        if any && own {
            self.bell.notify_one();
        }
    }

    fn place(&self, place: Place) -> Arc<SharedPlace> {
        let mut places = held(&self.places);
        places.entry(place).or_insert_with(|| Arc::new(SharedPlace::new(place))).clone()
    }

    /// Forgets what nobody has asked for since `before`.
    pub(crate) fn forget_idle(&self, before: Ts) {
        held(&self.places).retain(|_, place| {
            let used_at = place.used_at.load(Ordering::Relaxed);
            used_at >= before.as_micros() || held(&place.noted).is_some() || !place.is_settled()
        });
    }

    /// Brings to Redis at once what was committed here, and after a second of quiet what others have committed.
    pub(crate) async fn tend(&self) -> Result<(), Error> {
        let rung = tokio::time::timeout(QUIET, self.bell.notified()).await.is_ok();
        let now_us = self.log.epochs().mono().now();
        let rung = rung && now_us - self.tended_at.load(Ordering::Relaxed) < QUIET_US;
        // Facts below this were noted already.
        let horizon = self.log.epochs().horizon();
        let places: Vec<Arc<SharedPlace>> = held(&self.places).values().cloned().collect();
        let due = |place: &&Arc<SharedPlace>| !rung || held(&place.waiting).own;
        for place in places.iter().filter(due) {
            match self.settle(place).await {
                Ok(()) => {}
                // Said once where Redis is called; readers are told, and it is tried again.
                Err(Error::RankingsAway(_)) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        if rung {
            return Ok(());
        }
        self.tended_at.store(now_us, Ordering::Relaxed);
        match self.join(Some(horizon)).await {
            Ok(()) | Err(Error::RankingsAway(_)) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Learns which life of Redis this is, and says up to where the log was brought if all of that was.
    async fn join(&self, horizon: Option<i64>) -> Result<(), Error> {
        let mut member = self.member.lock().await;
        let epoch = self.log.epochs().log_epoch();
        if member.epoch != epoch {
            // Another log, with other numbers.
            *member = Member { epoch, floor: self.log.epochs().horizon(), known: 0 };
            held(&self.places).clear();
            *held(&self.life) = "".into();
        }
        let mut brought = horizon.unwrap_or(member.floor.max(member.known));
        let key = format!("mainstay:boards:{epoch:016x}:fleet");
        loop {
            let own = self.life();
            let fresh = format!("{:016x}", mainstay_core::ids::random_u64());
            let arguments = [
                text(&own),
                text(fresh),
                text(member.floor),
                text(brought),
                text(member.known),
                text(FLEET_MS),
            ];
            let reply = self.redis.run(&self.scripts.fleet, &key, &arguments).await?;
            let number = |at: usize| reply.list().get(at).and_then(Reply::number);
            if word(&reply) == b"gap" {
                let from = number(1).unwrap_or_default();
                match self.catch_up(from, member.floor).await? {
                    // Noted, and brought with the next turn.
                    true => (member.floor, brought) = (from, from),
                    // Too much: nothing that was built before is believed.
                    false => member.known = i64::MAX,
                }
                continue;
            }
            let life = reply.list().get(1).map(Reply::bytes).unwrap_or_default();
            *held(&self.life) = String::from_utf8_lossy(life).into();
            member.known = number(2).unwrap_or_default();
            return Ok(());
        }
    }

    fn life(&self) -> Arc<str> {
        held(&self.life).clone()
    }

    /// Notes what nobody has brought to Redis, since nobody was there; `false` if that is too much.
    async fn catch_up(&self, from: i64, to: i64) -> Result<bool, Error> {
        let db = self.log.db();
        let mut position = match db.engine() {
            EngineKind::Sqlite => Position { xid: from, seq: from - 1 },
            EngineKind::Postgres => Position { xid: from, seq: i64::MIN },
        };
        for _ in 0..CATCH_UP_MAX {
            let facts = db.outbox().after(&mut *db.read().await?, position, BATCH).await?;
            facts.iter().filter(|fact| fact.position.xid < to).for_each(|fact| self.note(fact));
            match facts.last() {
                Some(last) if facts.len() as i64 == BATCH && last.position.xid < to => {
                    position = last.position;
                }
                _ => return Ok(true),
            }
        }
        Ok(false)
    }

    /// Returns when Redis has everything that this instance has learned of a place so far.
    async fn settle(&self, place: &SharedPlace) -> Result<(), Error> {
        if place.is_settled() {
            return Ok(());
        }
        let _turn = place.work.lock().await;
        let Some(shape) = self.shape(place).await? else {
            held(&place.waiting).give_up();
            return Ok(());
        };
        let key = self.key(place.place, &shape);
        if held(&place.waiting).lost {
            self.redis.run(&self.scripts.forget, &key, &[]).await?;
            held(&place.waiting).lost = false;
        }
        held(&place.waiting).take_off();
        loop {
            let life = self.life();
            let mut arguments = self.apply_head(&life, "", &shape, self.ttl_ms + MARGIN_MS);
            let mut owners = Vec::new();
            for (owner, change) in held(&place.waiting).flying.iter().take(CHANGES_MAX) {
                push_change(&mut arguments, &shape, owner, change);
                owners.push(owner.clone());
            }
            if owners.is_empty() {
                return Ok(());
            }
            let reply = self.run_apply(place, &key, &arguments).await?;
            let has_it = word(&reply) == b"ok";
            if has_it {
                held(&place.waiting).arrived(Some(&owners));
            } else if word(&reply) != b"other" || !self.has_another_life(&life).await? {
                // There is nothing to bring it to; who builds it reads records that have it.
                held(&place.waiting).arrived(None);
            }
        }
    }

    /// Whether Redis lives another life than `life` by now.
    async fn has_another_life(&self, life: &Arc<str>) -> Result<bool, Error> {
        self.join(None).await?;
        Ok(self.life() != *life)
    }

    fn apply_head(&self, life: &str, token: &str, shape: &Shape, ttl_ms: i64) -> Vec<Vec<u8>> {
        let now_ms = self.clock.now().as_micros() / 1_000;
        vec![
            text(life),
            text(token),
            text(now_ms),
            text(shape.dense_width()),
            text(ttl_ms),
            text(LEASE_MS),
        ]
    }

    async fn run_apply(
        &self,
        place: &SharedPlace,
        key: &str,
        arguments: &[Vec<u8>],
    ) -> Result<Reply, Error> {
        let reply = self.redis.run(&self.scripts.apply, key, arguments).await?;
        if let Some(as_of) = reply.list().get(1).and_then(Reply::number) {
            place.as_of.fetch_max(as_of.unsigned_abs(), Ordering::AcqRel);
        }
        Ok(reply)
    }

    /// How the entries of a place become members; nothing if it does not count any more.
    async fn shape(&self, place: &SharedPlace) -> Result<Option<Shape>, Error> {
        if let Some(shape) = place.shape.get() {
            return Ok(Some(shape.clone()));
        }
        let Place { board_no, edition, .. } = place.place;
        let mut tx = self.log.db().read().await?;
        let Some(id) = store::bans::board_by_no(&mut tx, board_no).await? else { return Ok(None) };
        let row = store::boards::board(&mut tx, &id).await?;
        let head = store::boards::head(&mut tx, board_no).await?;
        let Some(row) = row.filter(|_| head.is_some_and(|head| head.edition == edition)) else {
            return Ok(None);
        };
        let shape = Shape::of(&Board::from(row).ranked);
        Ok(Some(place.shape.get_or_init(|| shape).clone()))
    }

    /// The key of a place's record; what is in braces says on which node of a cluster its keys are.
    fn key(&self, place: Place, shape: &Shape) -> String {
        let Place { board_no, edition, period } = place;
        let epoch = self.log.epochs().log_epoch();
        let name = shape.name();
        format!("mainstay:boards:{{{epoch:016x}:{board_no}:{edition}:{period}}}:{name}")
    }
}

fn push_change(arguments: &mut Vec<Vec<u8>>, shape: &Shape, owner: &str, change: &Change) {
    arguments.push(text(owner));
    arguments.push(text(change.seq));
    match &change.now {
        Some(now) => {
            arguments.push(shape.member(owner, &now.scores, change.seq.unsigned_abs()));
            arguments.push(shape.slices(&now.slices));
        }
        None => arguments.extend([Vec::new(), Vec::new()]),
    }
}
