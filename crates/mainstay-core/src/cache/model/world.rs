//! The states of the model and the steps between them. Numbers are tiny, so everything is a byte.

/// What the search may do at most.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    pub(super) writers: usize,
    pub(super) loads: u8,
    pub(super) restarts: u8,
    pub(super) failovers: u8,
}

/// The protocol, or one that differs from it in the named way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Variant {
    Protocol,
    /// Writers also put their value into the second level, stamped with their snapshot.
    WriteThrough,
    WriteThroughOwnPosition,
    StampNewest,
    StampAtArrival,
    StampApplied,
    StampAppliedOnPrimary,
    NoFloor,
    NoLogEpoch,
    /// An entry carries the log epoch that the instance knew, not that of the snapshot read.
    EpochOfTheCall,
    EpochOfTheCallOnPrimary,
}

use Variant as V;

const TXS: usize = 3;
const IDLE: u8 = 0;
const BEGUN: u8 = 1;
const WROTE: u8 = 2;
const COMMITTED: u8 = 3;
const ABORTED: u8 = 4;
const FLOOR_CLOSED: u8 = u8::MAX;

/// A database: transactions with positions given at their beginning, and commits in another order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Database {
    log: u8,
    next: u8,
    status: [u8; TXS],
    position: [u8; TXS],
    /// The place in the order of commits, from 1.
    commit: [u8; TXS],
    commits: u8,
}

impl Database {
    fn xmin(&self) -> u8 {
        let open = (0..TXS).filter(|i| matches!(self.status[*i], BEGUN | WROTE));
        open.map(|i| self.position[i]).min().unwrap_or(self.next)
    }

    fn committed(&self) -> impl Iterator<Item = usize> {
        let status = self.status;
        (0..TXS).filter(move |i| status[*i] == COMMITTED)
    }
}

/// A value with what is written beside it. `stamp` 0 means that it is set on arrival.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Entry {
    /// The log that the entry claims.
    log: u8,
    /// The log and the number of commits that the value really contains.
    true_log: u8,
    version: u8,
    stamp: u8,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Instance {
    log: u8,
    epoch: u8,
    floor: u8,
    horizon: u8,
    /// Commits that it has applied: what it serves must contain them.
    needs: u8,
    memory: Option<Entry>,
}

const NEW_INSTANCE: Instance =
    Instance { log: 0, epoch: 0, floor: FLOOR_CLOSED, horizon: 0, needs: 0, memory: None };

/// Where a load is going to land.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Target {
    Memory(u8),
    Second,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct World {
    primary: Database,
    replica: Database,
    instances: [Instance; 2],
    /// One slot per log.
    second: [Option<Entry>; 2],
    flights: [Option<(Target, Entry)>; 2],
    loads: u8,
    restarts: u8,
    failovers: u8,
}

impl Instance {
    fn usable(&self, entry: &Entry, variant: Variant) -> bool {
        let open = self.floor != FLOOR_CLOSED;
        let above_floor = entry.stamp > self.floor || variant == V::NoFloor;
        let own_log = entry.log == self.log || variant == V::NoLogEpoch;
        open && own_log && above_floor && entry.stamp > self.epoch
    }

    fn polled(mut self, database: &Database) -> Self {
        if self.log != database.log || self.floor == FLOOR_CLOSED {
            self = Self { log: database.log, memory: self.memory, ..NEW_INSTANCE };
            self.floor = database.xmin() - 1;
            self.horizon = database.xmin();
        }
        let shown = database.committed().filter(|i| database.position[*i] >= self.horizon);
        let newest = shown.map(|i| database.position[i]).max().unwrap_or(0);
        self.epoch = self.epoch.max(newest);
        self.needs = database.commits;
        self.horizon = database.xmin();
        self
    }
}

impl World {
    pub(super) fn start() -> Self {
        let database = Database {
            log: 0,
            next: 1,
            status: [IDLE; TXS],
            position: [0; TXS],
            commit: [0; TXS],
            commits: 0,
        };
        let opened = NEW_INSTANCE.polled(&database);
        Self {
            primary: database,
            replica: database,
            instances: [opened; 2],
            second: [None; 2],
            flights: [None; 2],
            loads: 0,
            restarts: 0,
            failovers: 0,
        }
    }

    /// Whether an instance would serve something that lacks a commit it has applied.
    pub(super) fn violates(&self, variant: Variant) -> bool {
        self.instances.iter().any(|instance| {
            let shared = self.second[slot(instance.log, variant)];
            [instance.memory, shared].into_iter().flatten().any(|entry| {
                let contains = entry.true_log > instance.log
                    || (entry.true_log == instance.log && entry.version >= instance.needs);
                instance.usable(&entry, variant) && !contains
            })
        })
    }

    /// The same world with its two instances in a fixed order, since their names mean nothing.
    pub(super) fn canonical(mut self) -> Self {
        let key = |w: &Self| (w.instances, w.sorted_flights());
        self.flights = self.sorted_flights();
        let mut other = self;
        other.instances.swap(0, 1);
        for (target, _) in other.flights.iter_mut().flatten() {
            if let Target::Memory(k) = target {
                *k = 1 - *k;
            }
        }
        other.flights = other.sorted_flights();
        if key(&other) < key(&self) { other } else { self }
    }

    fn sorted_flights(&self) -> [Option<(Target, Entry)>; 2] {
        let [a, b] = self.flights;
        if a <= b { [a, b] } else { [b, a] }
    }

    pub(super) fn steps(&self, variant: Variant, bounds: Bounds, mut found: impl FnMut(Self)) {
        self.write_steps(variant, bounds, &mut found);
        self.fault_steps(bounds, &mut found);
        for k in 0..2 {
            self.tail_steps(k, &mut found);
            if self.loads < bounds.loads {
                self.load_steps(k, variant, &mut found);
            }
        }
        self.landing_steps(variant, &mut found);
    }

    fn write_steps(&self, variant: Variant, bounds: Bounds, found: &mut impl FnMut(Self)) {
        let locked = self.primary.status.contains(&WROTE);
        for i in 0..bounds.writers {
            let mut next = *self;
            let database = &mut next.primary;
            match database.status[i] {
                // Transactions are alike, so they begin in order.
                IDLE if !database.status[..i].contains(&IDLE) => {
                    database.status[i] = BEGUN;
                    database.position[i] = database.next;
                    database.next += 1;
                }
                BEGUN if !locked => database.status[i] = WROTE,
                WROTE => {
                    database.status[i] = COMMITTED;
                    database.commits += 1;
                    database.commit[i] = database.commits;
                    self.write_through(variant, bounds, i, next, found);
                }
                _ => continue,
            }
            found(next);
        }
    }

    /// The writer puts its value into the second level, where it lands at any later time.
    fn write_through(
        &self,
        variant: Variant,
        bounds: Bounds,
        writer: usize,
        mut next: Self,
        found: &mut impl FnMut(Self),
    ) {
        let stamp = match variant {
            V::WriteThrough => self.primary.xmin(),
            V::WriteThroughOwnPosition => self.primary.position[writer] + 1,
            _ => return,
        };
        if self.loads < bounds.loads {
            let (log, version) = (next.primary.log, next.primary.commits);
            next.take_off(Target::Second, Entry { log, true_log: log, version, stamp });
            found(next);
        }
    }

    fn fault_steps(&self, bounds: Bounds, found: &mut impl FnMut(Self)) {
        if self.replica != self.primary && self.replica.log == self.primary.log {
            found(Self { replica: self.primary, ..*self });
        }
        // A replica that follows the new primary is set up again; until then it shows the old log.
        if self.replica.log != self.primary.log {
            found(Self { replica: self.primary, ..*self });
        }
        if self.failovers < bounds.failovers {
            let mut next = Self { failovers: self.failovers + 1, ..*self };
            next.primary = self.replica;
            next.primary.log += 1;
            next.replica = self.primary;
            for status in &mut next.primary.status {
                if matches!(*status, BEGUN | WROTE) {
                    *status = ABORTED;
                }
            }
            found(next);
        }
        if self.restarts < bounds.restarts {
            for k in 0..2 {
                let mut next = Self { restarts: self.restarts + 1, ..*self };
                next.instances[k] = NEW_INSTANCE;
                for flight in &mut next.flights {
                    if flight.is_some_and(|(target, _)| target == Target::Memory(k as u8)) {
                        *flight = None;
                    }
                }
                found(next);
            }
        }
    }

    fn tail_steps(&self, k: usize, found: &mut impl FnMut(Self)) {
        let instance = self.instances[k];
        let set = |instance: Instance| {
            let mut next = *self;
            next.instances[k] = instance;
            next
        };
        let polled = instance.polled(&self.primary);
        if polled != instance {
            found(set(polled));
        }
        // A hint, or the own commit: one fact, ahead of the poll.
        if instance.log == self.primary.log && instance.floor != FLOOR_CLOSED {
            for i in self.primary.committed() {
                let mut hinted = instance;
                hinted.epoch = hinted.epoch.max(self.primary.position[i]);
                hinted.needs = hinted.needs.max(self.primary.commit[i]);
                if hinted != instance {
                    found(set(hinted));
                }
            }
        }
    }

    fn load_steps(&self, k: usize, variant: Variant, found: &mut impl FnMut(Self)) {
        let instance = self.instances[k];
        let primary_only = matches!(variant, V::StampAppliedOnPrimary | V::EpochOfTheCallOnPrimary);
        let both = [self.primary, self.replica];
        let sources = if primary_only || both[0] == both[1] { &both[..1] } else { &both[..] };
        for source in sources {
            let stamp = match variant {
                V::StampNewest => source.next,
                V::StampAtArrival => 0,
                V::StampApplied | V::StampAppliedOnPrimary => instance.epoch + 1,
                _ => source.xmin(),
            };
            let log = match variant {
                V::EpochOfTheCall | V::EpochOfTheCallOnPrimary => instance.log,
                _ => source.log,
            };
            let entry = Entry { log, true_log: source.log, version: source.commits, stamp };
            for target in [Target::Memory(k as u8), Target::Second] {
                let mut next = *self;
                next.take_off(target, entry);
                found(next);
            }
        }
    }

    fn take_off(&mut self, target: Target, entry: Entry) {
        self.loads += 1;
        if let Some(free) = self.flights.iter_mut().find(|flight| flight.is_none()) {
            *free = Some((target, entry));
        }
    }

    fn landing_steps(&self, variant: Variant, found: &mut impl FnMut(Self)) {
        for (at, flight) in self.flights.iter().enumerate() {
            let Some((target, mut entry)) = *flight else { continue };
            let mut next = *self;
            next.flights[at] = None;
            match target {
                Target::Memory(k) => {
                    let instance = &mut next.instances[usize::from(k)];
                    if variant == V::StampAtArrival {
                        entry.stamp = instance.epoch + 1;
                    }
                    instance.memory = Some(entry);
                }
                Target::Second => {
                    if variant == V::StampAtArrival {
                        entry.stamp = self.instances[0].epoch.max(self.instances[1].epoch) + 1;
                    }
                    next.second[slot(entry.log, variant)] = Some(entry);
                }
            }
            found(next);
        }
        for k in 0..2 {
            let shared = self.second[slot(self.instances[k].log, variant)];
            if let Some(entry) = shared.filter(|entry| self.instances[k].usable(entry, variant)) {
                let mut next = *self;
                next.instances[k].memory = Some(entry);
                found(next);
            }
        }
    }
}

/// The second level's slot for a log; without the log in its key there is one for all.
fn slot(log: u8, variant: Variant) -> usize {
    if variant == V::NoLogEpoch { 0 } else { usize::from(log) }
}
