//! Who ranks where, in memory: loaded (`checkpoints`) when somebody asks, kept current by facts, dropped when nobody
//! does.
//!
//! A place that is being loaded collects the facts that arrive meanwhile and applies them afterwards. Each carries the
//! number of its submission, and the engine takes what is newer only; so it does not matter which of a record and its
//! fact comes first, and what is in memory equals the records.
//!
//! `ranks` is what others ask: of what is here, or of [`shared`], which has the same in Redis.

mod frozen;
mod ranks;
mod shared;
mod shown;
mod sliced;
mod touched;

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
};

use mainstay_contract::{
    boards::{BoardChangedV1, EntriesRemovedV1, ScoredV1, ScoresRecordedV1},
    ts::Ts,
};
use mainstay_core::{
    cache::Epochs,
    clock::Clock,
    db::{DbError, Emitted},
    events::Log,
};
use tokio::sync::{Semaphore, watch};

use self::{frozen::FrozenPages, shown::ShownPages};
pub(crate) use self::{
    frozen::{FROZEN_S, FrozenName},
    ranks::{Found, Moved, Rankings, Ranks, Start},
    shown::Asked,
    sliced::{Loading, Slice, Sliced},
    touched::{TOP, Touched},
};
use super::checkpoints::Checkpoints;
use crate::{
    engine::{Ranking, Snapshot},
    error::Error,
    model::board::BoardSettings,
    store::scores::Place,
};

/// Places that are loaded at a time, and as many small ones; the others wait.
const LOADS_MAX: usize = 4;

/// Every place in memory.
pub(crate) struct Standings {
    checkpoints: Arc<Checkpoints>,
    epochs: Arc<Epochs>,
    /// Which log the places are of.
    epoch: AtomicU64,
    clock: Clock,
    /// How many entries may be in memory.
    entries_max: u64,
    places: Mutex<HashMap<Place, Arc<Standing>>>,
    loads: Semaphore,
    /// Boards that are loaded in a moment do not wait for those that are not.
    small_loads: Semaphore,
}

/// The entries of one period of a board.
pub(crate) struct Standing {
    state: RwLock<State>,
    loaded: watch::Sender<Option<Result<(), Arc<DbError>>>>,
    /// Grows with every change, while that keeps readers out.
    version: AtomicU64,
    frozen: Mutex<FrozenPages>,
    shown: Mutex<ShownPages>,
    /// Whom those who watch have to be told of; nothing is noted while nobody watches.
    touched: Mutex<Option<Touched>>,
    used_at: AtomicI64,
    /// The newest submission that was applied when it was last settled.
    settled: AtomicU64,
}

enum State {
    /// What arrived since the loading began.
    Loading(Vec<Change>),
    Ready(Box<Sliced>),
}

/// What a fact does to an entry.
#[derive(Debug, Clone)]
enum Change {
    Put(ScoredV1),
    Remove { owner: String, seq: i64 },
}

impl Change {
    fn scored(&self) -> Option<&ScoredV1> {
        match self {
            Self::Put(scored) => Some(scored),
            Self::Remove { .. } => None,
        }
    }
}

fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Standings {
    /// Nothing is in memory yet.
    pub(crate) fn new(
        checkpoints: Arc<Checkpoints>,
        epochs: Arc<Epochs>,
        clock: Clock,
        entries_max: u64,
    ) -> Arc<Self> {
        let epoch = AtomicU64::new(epochs.log_epoch());
        let (places, loads) = (Mutex::default(), Semaphore::new(LOADS_MAX));
        let small_loads = Semaphore::new(LOADS_MAX);
        Arc::new(Self {
            checkpoints,
            epochs,
            epoch,
            clock,
            entries_max,
            places,
            loads,
            small_loads,
        })
    }

    /// When the records are another log, as after a restore or a failover, what is in memory is of the old one.
    fn heed_epoch(&self) {
        let epoch = self.epochs.log_epoch();
        if self.epoch.swap(epoch, Ordering::Relaxed) != epoch {
            held(&self.places).clear();
            self.checkpoints.forget_begins();
        }
    }

    /// Applies every fact of `log` from now on.
    pub(crate) fn follow(self: &Arc<Self>, log: &Log) {
        let weak = Arc::downgrade(self);
        log.on_fact(Box::new(move |fact| {
            if let Some(standings) = weak.upgrade() {
                standings.apply(fact);
            }
        }));
    }

    /// The entries of `place`, from memory or loaded now.
    ///
    /// # Errors
    /// What the records say when they are loaded.
    pub(crate) async fn get(
        self: &Arc<Self>,
        settings: &BoardSettings,
        place: Place,
    ) -> Result<Arc<Standing>, Error> {
        self.heed_epoch();
        let (standing, new) = self.find(place);
        standing.used_at.store(self.clock.now().as_micros(), Ordering::Relaxed);
        if new {
            // On its own, so that it goes on when the one who asked first has gone.
            let (standings, settings) = (self.clone(), settings.clone());
            let standing = standing.clone();
            tokio::spawn(async move { standings.load(place, &settings, &standing).await });
        }
        let mut loaded = standing.loaded.subscribe();
        let result = match loaded.wait_for(Option::is_some).await {
            Ok(result) => result.clone(),
            Err(_ended) => None,
        };
        match result {
            Some(Ok(())) => Ok(standing),
            Some(Err(error)) => Err(DbError::Unavailable(error.to_string()).into()),
            None => Err(DbError::Unavailable("loading a board was cut short".into()).into()),
        }
    }

    fn find(&self, place: Place) -> (Arc<Standing>, bool) {
        let mut places = held(&self.places);
        if let Some(standing) = places.get(&place) {
            return (standing.clone(), false);
        }
        let standing = Arc::new(Standing {
            state: RwLock::new(State::Loading(Vec::new())),
            loaded: watch::Sender::new(None),
            version: AtomicU64::new(0),
            frozen: Mutex::default(),
            shown: Mutex::default(),
            touched: Mutex::default(),
            used_at: AtomicI64::new(0),
            settled: AtomicU64::new(0),
        });
        places.insert(place, standing.clone());
        (standing, true)
    }

    async fn load(&self, place: Place, settings: &BoardSettings, standing: &Arc<Standing>) {
        let loads = match self.checkpoints.is_small(place).await {
            true => &self.small_loads,
            false => &self.loads,
        };
        // Never closed; and without a permit it would only wait for nobody.
        let _permit = loads.acquire().await.ok();
        let result = self.checkpoints.load(place, settings).await;
        let result = result.map(|sliced| standing.begin(sliced)).map_err(Arc::new);
        match result {
            Ok(()) => self.make_room(place),
            Err(_) => self.forget(place, standing),
        }
        standing.loaded.send_replace(Some(result));
    }

    /// Drops a place, unless it is another one by now.
    fn forget(&self, place: Place, standing: &Arc<Standing>) {
        let mut places = held(&self.places);
        if places.get(&place).is_some_and(|known| Arc::ptr_eq(known, standing)) {
            places.remove(&place);
        }
    }

    /// Drops what was asked for longest ago, as long as there is more than may be; `kept` stays, and what is watched.
    fn make_room(&self, kept: Place) {
        let mut places = held(&self.places);
        let mut total: u64 = places.values().map(|standing| standing.len()).sum();
        if total <= self.entries_max {
            return;
        }
        let free = places.iter().filter(|(place, standing)| {
            let watched = held(&standing.touched).is_some();
            **place != kept && !watched && standing.loaded.borrow().is_some()
        });
        let mut free: Vec<(i64, u64, Place)> = free
            .map(|(place, standing)| {
                (standing.used_at.load(Ordering::Relaxed), standing.len(), *place)
            })
            .collect();
        free.sort_unstable_by_key(|(used_at, ..)| *used_at);
        for (_, len, place) in free {
            if total <= self.entries_max {
                break;
            }
            places.remove(&place);
            total = total.saturating_sub(len);
        }
    }

    /// Applies a fact to what is in memory; other places learn of it when they are loaded.
    fn apply(&self, fact: &Emitted) {
        self.heed_epoch();
        if let Some(told) = fact.read::<ScoresRecordedV1>() {
            let ScoresRecordedV1 { board_no, edition, period, entries, .. } = told;
            let changes = entries.into_iter().map(Change::Put);
            self.change(Place { board_no, edition, period }, changes);
        } else if let Some(told) = fact.read::<EntriesRemovedV1>() {
            let EntriesRemovedV1 { board_no, edition, period, owners, seq, .. } = told;
            let changes = owners.into_iter().map(|owner| Change::Remove { owner, seq });
            self.change(Place { board_no, edition, period }, changes);
        } else if let Some(told) = fact.read::<BoardChangedV1>() {
            held(&self.places).retain(|place, _| {
                place.board_no != told.board_no || place.edition >= told.edition && !told.deleted
            });
        }
    }

    fn change(&self, place: Place, changes: impl Iterator<Item = Change>) {
        let standing = held(&self.places).get(&place).cloned();
        if let Some(standing) = standing {
            standing.change(changes);
        }
    }

    /// Drops what nobody has asked for since `before`, frozen pages whose time is over, and removals for which nothing
    /// older is on its way any more.
    pub(crate) fn forget_idle(&self, before: Ts, now: Ts) {
        let kept: Vec<Arc<Standing>> = {
            let mut places = held(&self.places);
            places.retain(|_, standing| {
                let used_at = standing.used_at.load(Ordering::Relaxed);
                let watched = held(&standing.touched).is_some();
                watched || used_at >= before.as_micros() || standing.loaded.borrow().is_none()
            });
            places.values().cloned().collect()
        };
        for standing in kept {
            held(&standing.frozen).forget_old(now);
            standing.settle();
        }
    }
}

impl Standing {
    /// Entries that no fact changes, as they stood once.
    pub(crate) fn of(sliced: Sliced) -> Self {
        Self {
            state: RwLock::new(State::Ready(Box::new(sliced))),
            loaded: watch::Sender::new(Some(Ok(()))),
            version: AtomicU64::new(0),
            frozen: Mutex::default(),
            shown: Mutex::default(),
            touched: Mutex::default(),
            used_at: AtomicI64::new(0),
            settled: AtomicU64::new(0),
        }
    }

    /// From now on it is `sliced`, with what arrived meanwhile.
    fn begin(&self, mut sliced: Sliced) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let State::Loading(changes) = &mut *state {
            apply_all(&mut sliced, std::mem::take(changes), None);
            *state = State::Ready(Box::new(sliced));
        }
    }

    fn change(&self, changes: impl Iterator<Item = Change>) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        match &mut *state {
            State::Loading(waiting) => waiting.extend(changes),
            State::Ready(sliced) => {
                apply_all(sliced, changes.collect(), held(&self.touched).as_mut());
                self.version.fetch_add(1, Ordering::Release);
            }
        }
    }

    /// Forgets removals that were there the last time. Facts come in the order of their submissions, so what is older
    /// than those came long before; only what is being loaded meets the same fact twice.
    fn settle(&self) {
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        if let State::Ready(sliced) = &mut *state {
            sliced.forget_removed(self.settled.swap(sliced.as_of(), Ordering::Relaxed));
        }
    }

    /// How many entries there are; 0 before it is loaded.
    pub(crate) fn len(&self) -> u64 {
        self.look(Sliced::len).unwrap_or_default()
    }

    /// Looks at the entries as they are now. `look` must be quick: writers wait.
    pub(crate) fn look<T>(&self, look: impl FnOnce(&Sliced) -> T) -> Option<T> {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State::Ready(sliced) => Some(look(sliced)),
            // Nobody has it before it is loaded.
            State::Loading(_) => None,
        }
    }

    /// From now on it is noted whom scores move.
    pub(crate) fn watch(&self) {
        held(&self.touched).get_or_insert_default();
    }

    /// Nobody watches any more.
    pub(crate) fn unwatch(&self) {
        held(&self.touched).take();
    }

    /// Whom those who watch have to be told of since the last time.
    pub(crate) fn take_touched(&self) -> Touched {
        held(&self.touched).as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Something is still to be told, though not of the top.
    pub(crate) fn note_any(&self) {
        if let Some(touched) = &mut *held(&self.touched) {
            touched.any = true;
        }
    }

    /// The ranks of `owners` among everybody, in their order; 0 without an entry.
    pub(crate) fn ranks_of(&self, owners: &[&str]) -> Vec<u64> {
        let ranks = self.look(|sliced| {
            let all = sliced.ranking(None)?;
            let some = owners.chunks(Ranking::PREFETCH_MAX).flat_map(|some| {
                all.prefetch(some.iter().copied(), std::iter::empty());
                some
            });
            Some(some.map(|owner| all.standing(owner).map_or(0, |one| one.rank)).collect())
        });
        ranks.flatten().unwrap_or_else(|| vec![0; owners.len()])
    }

    /// The ranking as it is now, to be paged while it moves on; and the name by which a cursor finds it again.
    pub(crate) fn freeze(
        &self,
        slice: Option<&Slice>,
        now: Ts,
    ) -> Option<(FrozenName, Arc<Snapshot>)> {
        let as_of = self.look(|sliced| sliced.as_of())?;
        let mut frozen = held(&self.frozen);
        if let Some(kept) = frozen.newest(as_of, slice, now) {
            return Some(kept);
        }
        let (as_of, snapshot) = self.look(|sliced| {
            sliced.ranking(slice).map(|ranking| (sliced.as_of(), Arc::new(ranking.snapshot())))
        })??;
        Some(frozen.keep(as_of, slice, snapshot, now))
    }

    /// The ranking of that name, if it is still kept.
    pub(crate) fn frozen(&self, name: FrozenName, slice: Option<&Slice>) -> Option<Arc<Snapshot>> {
        held(&self.frozen).get(name, slice)
    }
}

fn apply_all(sliced: &mut Sliced, changes: Vec<Change>, mut told: Option<&mut Touched>) {
    let mut changes = changes.into_iter();
    while !changes.as_slice().is_empty() {
        let some = changes.as_slice().iter().take(Ranking::PREFETCH_MAX);
        sliced.prefetch(some.filter_map(Change::scored));
        for change in changes.by_ref().take(Ranking::PREFETCH_MAX) {
            match change {
                Change::Put(scored) => sliced.put(scored, told.as_deref_mut()),
                Change::Remove { owner, seq } => sliced.remove(&owner, seq, told.as_deref_mut()),
            }
        }
    }
}
