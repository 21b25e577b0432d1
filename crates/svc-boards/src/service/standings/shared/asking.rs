//! Questions to a place in Redis, and its build when there is none, or not a whole one.

use std::{
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use mainstay_core::{
    db::DbError,
    redis::{RedisAway, Reply},
};

use super::{
    BUILD_MS, CHANGES_MAX, LEASE_MS, Shape, Shared, SharedPlace, held,
    member::{Held, slice_name},
    text,
    waiting::Noted,
    word,
};
use crate::{
    engine::{Ranked, Ties},
    error::Error,
    model::board::BoardSettings,
    service::standings::{FrozenName, Slice, TOP, Touched},
    store::{
        self,
        scores::{Place, Slices, StandingRow},
    },
};

/// How often a reader looks whether another instance has built what it waits for, and how many times.
const LOOK_EVERY: Duration = Duration::from_millis(50);
const LOOKS_MAX: u32 = 400;
/// Entries that are read from the records at a time.
const BATCH: i64 = 5_000;
/// Owners of one question.
const OWNERS_MAX: usize = 1_000;

/// What was answered about one moment.
pub(crate) struct Answer {
    pub(crate) as_of: u64,
    pub(crate) count: u64,
    /// Counts changes of the ranking that was asked for.
    pub(crate) version: u64,
    /// One for each part of the question; those without an entry have nobody.
    pub(crate) parts: Vec<Vec<Ranked>>,
}

impl Shared {
    /// A place, which is built if nobody has yet when it is asked for something.
    pub(crate) fn get(&self, settings: &BoardSettings, place: Place) -> Arc<SharedPlace> {
        let shape = Shape::of(settings);
        let mut known = self.place(place);
        if *known.shape.get_or_init(|| shape.clone()) != shape {
            // The board is being built under other settings.
            let before = std::mem::replace(&mut known, Arc::new(SharedPlace::new(place)));
            known.shape.get_or_init(|| shape);
            *held(&known.waiting) = held(&before.waiting).clone();
            held(&self.places).insert(place, known.clone());
        }
        let place = known;
        place.used_at.store(self.clock.now().as_micros(), Ordering::Relaxed);
        place
    }

    /// At most `len` entries from `first` on. If somebody may page on, what changes is noted from now on.
    pub(crate) async fn range(
        self: &Arc<Self>,
        place: &Arc<SharedPlace>,
        slice: Option<&Slice>,
        (first, len): (u64, usize),
        paged: bool,
    ) -> Result<Answer, Error> {
        let question = [text("range"), text(first), text(len), text(u8::from(paged))];
        self.ask(place, slice, &question).await
    }

    /// At most `len` entries after one, of the ranking as it stood at a version.
    ///
    /// # Errors
    /// `CursorExpired` if too much has changed since.
    pub(crate) async fn range_after(
        self: &Arc<Self>,
        place: &Arc<SharedPlace>,
        slice: Option<&Slice>,
        name: FrozenName,
        (last, len): (&Ranked, usize),
    ) -> Result<Answer, Error> {
        let shape = place.shape.get().cloned().ok_or(Error::NotFound)?;
        let member = shape.member(&last.owner, &last.scores, last.seq);
        let question = [text("frozen"), text(name.version), member, text(len)];
        let mut answer = self.ask(place, slice, &question).await?;
        rank_from(&shape, Some(last), answer.parts.iter_mut().flatten());
        Ok(answer)
    }

    /// Those next to each of `owners`.
    pub(crate) async fn around(
        self: &Arc<Self>,
        place: &Arc<SharedPlace>,
        slice: Option<&Slice>,
        (owners, len): (&[&str], u64),
    ) -> Result<Answer, Error> {
        self.ask_of(place, slice, &[text("around"), text(len)], owners).await
    }

    /// Each of `owners`.
    pub(crate) async fn among(
        self: &Arc<Self>,
        place: &Arc<SharedPlace>,
        slice: Option<&Slice>,
        owners: &[&str],
    ) -> Result<Answer, Error> {
        self.ask_of(place, slice, &[text("among")], owners).await
    }

    /// A question about owners, some at a time so that Redis is not kept from others.
    async fn ask_of(
        self: &Arc<Self>,
        place: &Arc<SharedPlace>,
        slice: Option<&Slice>,
        question: &[Vec<u8>],
        owners: &[&str],
    ) -> Result<Answer, Error> {
        let mut answer: Option<Answer> = None;
        let (first, rest) = owners.split_at(owners.len().min(OWNERS_MAX));
        for some in [first].into_iter().chain(rest.chunks(OWNERS_MAX)) {
            let mut asked = question.to_vec();
            asked.extend(some.iter().map(text));
            let more = self.ask(place, slice, &asked).await?;
            let earlier = answer.take().map(|answer| answer.parts).unwrap_or_default();
            let parts = earlier.into_iter().chain(more.parts).collect();
            answer = Some(Answer { parts, ..more });
        }
        answer.ok_or(Error::NotFound)
    }

    /// Asks once Redis has everything that this instance has learned of the place.
    async fn ask(
        self: &Arc<Self>,
        place: &Arc<SharedPlace>,
        slice: Option<&Slice>,
        question: &[Vec<u8>],
    ) -> Result<Answer, Error> {
        let shape = place.shape.get().cloned().ok_or(Error::NotFound)?;
        let slice = slice.map(|(kind, value)| slice_name(kind, value)).unwrap_or_default();
        for _ in 0..LOOKS_MAX {
            self.settle(place).await?;
            let now_us = self.clock.now().as_micros();
            let life = self.life();
            // Now and then the time that it is kept begins anew.
            let renewed_at = place.renewed_at.load(Ordering::Relaxed);
            let renews = now_us.saturating_sub(renewed_at) / 1_000 >= self.ttl_ms / 4;
            let ttl = if renews { text(self.ttl_ms) } else { Vec::new() };
            let mut arguments = vec![
                text(&life),
                text(place.as_of.load(Ordering::Acquire)),
                text(&slice),
                text(shape.ties_word()),
                text(shape.width()),
                ttl,
                text(now_us / 1_000),
            ];
            arguments.extend_from_slice(question);
            let key = self.key(place.place, &shape);
            let reply = self.redis.run(&self.scripts.read, &key, &arguments).await?;
            let broken = match word(&reply) {
                b"ok" => {
                    if renews {
                        place.renewed_at.store(now_us, Ordering::Relaxed);
                    }
                    return Ok(read_answer(&shape, place, &reply));
                }
                b"expired" => return Err(Error::CursorExpired),
                b"other" if self.life() == life => {
                    self.join(None).await?;
                    if self.life() != life {
                        continue;
                    }
                    &[][..]
                }
                b"forgotten" => reply.list().get(1).map(Reply::bytes).unwrap_or_default(),
                _ => &[][..],
            };
            if !self.build(place, &shape, broken).await? {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        }
        let said = "another instance has not built this ranking in time";
        Err(DbError::Unavailable(said.into()).into())
    }

    /// Builds a place from records, unless somebody else does; `false` if that has to be waited for. It goes on when
    /// the one who asked has gone.
    async fn build(
        self: &Arc<Self>,
        place: &Arc<SharedPlace>,
        shape: &Shape,
        broken: &[u8],
    ) -> Result<bool, Error> {
        let (shared, place) = (self.clone(), place.clone());
        let (shape, broken) = (shape.clone(), broken.to_vec());
        let work = tokio::spawn(async move { shared.build_alone(&place, &shape, broken).await });
        work.await.map_err(|error| DbError::Unavailable(error.to_string()))?
    }

    async fn build_alone(
        &self,
        place: &SharedPlace,
        shape: &Shape,
        broken: Vec<u8>,
    ) -> Result<bool, Error> {
        let _turn = place.work.lock().await;
        let _room = self.builds.acquire().await.ok();
        // Nothing is built for a life that is over.
        self.join(None).await?;
        let (life, key) = (self.life(), self.key(place.place, shape));
        let token = format!("{:016x}", mainstay_core::ids::random_u64());
        let mut tx = self.log.db().read().await?;
        let head = store::boards::head(&mut tx, place.place.board_no).await?;
        let head = head.ok_or(Error::NotFound)?;
        drop(tx);
        // From anywhere, so that nobody takes a version of one build for that of another.
        let base = mainstay_core::ids::random_u64() >> 12;
        let arguments = [
            text(&life),
            text(&token),
            broken,
            text(LEASE_MS),
            text(base),
            text(head.last_seq),
            text(BUILD_MS),
        ];
        let reply = self.redis.run(&self.scripts.begin, &key, &arguments).await?;
        match word(&reply) {
            b"yours" => {}
            said => return Ok(said == b"ready"),
        }
        if !self.load(place, (&key, shape), (&life, &token)).await? {
            return Ok(false);
        }
        let arguments = [text(&life), text(&token), text(self.ttl_ms)];
        let reply = self.redis.run(&self.scripts.finish, &key, &arguments).await?;
        place.renewed_at.store(i64::MIN, Ordering::Relaxed);
        Ok(word(&reply) == b"ok")
    }

    /// Brings the records of a place to its build; `false` if another one has taken its place.
    async fn load(
        &self,
        place: &SharedPlace,
        (key, shape): (&str, &Shape),
        (life, token): (&str, &str),
    ) -> Result<bool, Error> {
        let mut after = String::new();
        loop {
            let mut calls = Vec::new();
            let (mut last, mut count) = (String::new(), 0);
            let mut tx = self.log.db().read().await?;
            let mut push = |row: StandingRow<'_>| {
                if count % CHANGES_MAX == 0 {
                    calls.push(self.apply_head(life, token, shape, BUILD_MS));
                }
                count += 1;
                last.replace_range(.., row.owner);
                let slices: Slices =
                    row.slices.and_then(|it| serde_json::from_str(it).ok()).unwrap_or_default();
                if let Some(call) = calls.last_mut() {
                    call.extend([
                        text(row.owner),
                        text(row.seq),
                        shape.member(row.owner, row.scores, row.seq.unsigned_abs()),
                        shape.slices(&slices),
                    ]);
                }
            };
            let read = store::scores::entries_after(&mut tx, place.place, &after, BATCH, &mut push);
            let read = read.await?;
            drop(tx);
            for call in calls {
                if word(&self.run_apply(place, key, &call).await?) != b"ok" {
                    return Ok(false);
                }
            }
            if read < BATCH {
                return Ok(true);
            }
            after = last;
        }
    }

    /// From now on it is noted whom facts name, and the top as it is.
    pub(crate) async fn watch(self: &Arc<Self>, place: &Arc<SharedPlace>) -> Result<(), Error> {
        if held(&place.noted).is_none() {
            let top = self.top(place).await?.1;
            held(&place.noted).get_or_insert_with(|| Noted::new(top));
        }
        Ok(())
    }

    async fn top(self: &Arc<Self>, place: &Arc<SharedPlace>) -> Result<(Answer, Vec<Held>), Error> {
        let answer = self.range(place, None, (0, TOP as usize), false).await?;
        let held = |one: &Ranked| Held {
            owner: one.owner.clone(),
            scores: one.scores.clone(),
            seq: one.seq,
        };
        let top = answer.parts.iter().flatten().map(held).collect();
        Ok((answer, top))
    }

    /// Whom those who watch have to be told of since the last time, and the top as it is now; nothing if nothing
    /// happened.
    pub(crate) async fn take_touched(
        self: &Arc<Self>,
        place: &Arc<SharedPlace>,
    ) -> Result<Option<(Touched, Answer)>, Error> {
        let touched = held(&place.noted).as_mut().map(Noted::take).unwrap_or_default();
        if !touched.any {
            return Ok(None);
        }
        let read = self.top(place).await;
        let mut noted = held(&place.noted);
        let Some(noted) = &mut *noted else { return Ok(None) };
        match read {
            Ok((answer, top)) => Ok(Some((noted.tell(touched, top), answer))),
            Err(error) => {
                // It is told when Redis is there again.
                noted.touched.many |= touched.many;
                noted.touched.any = true;
                touched.owners.iter().for_each(|owner| noted.touched.note(owner));
                Err(error)
            }
        }
    }
}

fn read_answer(shape: &Shape, place: &SharedPlace, reply: &Reply) -> Answer {
    let number = |at: usize| reply.list().get(at).and_then(Reply::number).unwrap_or_default();
    let as_of = number(1).unsigned_abs();
    place.as_of.fetch_max(as_of, Ordering::AcqRel);
    let parts = reply.list().iter().skip(4).map(|part| read_part(shape, part)).collect();
    Answer { as_of, count: number(2).unsigned_abs(), version: number(3).unsigned_abs(), parts }
}

/// A part: the place of the first, its rank, and the members or the one member. Further ranks follow from those.
fn read_part(shape: &Shape, part: &Reply) -> Vec<Ranked> {
    let [place, rank, members] = part.list() else { return Vec::new() };
    let members = match members {
        Reply::List(members) => members.as_slice(),
        one => std::slice::from_ref(one),
    };
    let read = members.iter().filter_map(|one| shape.read(one.bytes()));
    let place = place.number().unwrap_or_default().unsigned_abs();
    let rank = rank.number().unwrap_or_default().unsigned_abs();
    let ranked = |Held { owner, scores, seq }| Ranked { rank, place, owner, scores, seq };
    let mut ranked: Vec<Ranked> = read.map(ranked).collect();
    rank_from(shape, None, ranked.iter_mut());
    ranked
}

/// Gives places and ranks to entries that come one after the other, from that of the one before; without one, the first
/// has its own.
fn rank_from<'a>(
    shape: &Shape,
    before: Option<&Ranked>,
    entries: impl Iterator<Item = &'a mut Ranked>,
) {
    let mut last = before.cloned();
    for one in entries {
        if let Some(last) = &last {
            let differs = last.scores != one.scores;
            one.place = last.place + 1;
            one.rank = match shape.ties() {
                Ties::Earliest | Ties::Owner => one.place + 1,
                Ties::Shared if differs => one.place + 1,
                Ties::Dense if differs => last.rank + 1,
                Ties::Shared | Ties::Dense => last.rank,
            };
        }
        last = Some(one.clone());
    }
}

impl From<RedisAway> for Error {
    fn from(error: RedisAway) -> Self {
        Self::RankingsAway(error)
    }
}
