//! How a class comes by a value that memory cannot give: one load per key, here and, by lease, in the fleet.

use std::{
    any::Any,
    hash::Hash,
    sync::{Arc, atomic::Ordering},
};

use super::{
    class::Class,
    entry::{Hit, Loaded, Slot},
    flight::{Follow, Join, Lead, Outcome},
    second::{Lease, Place, Shelf},
};

/// After a failed refresh nobody tries again for this share of the soft lifetime.
const REFRESH_PAUSE_SHARE: i64 = 10;

impl<K, V> Class<K, V>
where
    K: Hash + Eq + Clone + Send + Sync + 'static,
    V: Send + Sync + 'static,
{
    /// One caller loads a value that is still current; whoever comes meanwhile is answered with what there is.
    pub(super) async fn refresh<E, F, Fut>(&self, key: &K, old: Slot<V>, load: F) -> Option<Hit<V>>
    where
        E: Send + Sync + 'static,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Loaded<V>, E>>,
    {
        let Join::Lead(lead) = self.flights.join(key) else { return old.into_hit(false) };
        let log_epoch = self.epochs.log_epoch();
        let place = self.place(log_epoch, key);
        let mut lease = Lease::Nobody;
        if let Some((shelf, place)) = &place {
            if let Some(slot) = self.promote(shelf, place, log_epoch, key).await {
                lead.land(Outcome::Loaded(slot.clone()));
                return slot.into_hit(false);
            }
            lease = shelf.take_lease(place, self.policy.lease_ms).await;
            if let Lease::Elsewhere = lease {
                self.put_off(&old);
                return old.into_hit(false);
            }
        }
        let loaded = self.load(lead, key, log_epoch, load).await;
        self.share(place, lease, loaded.as_ref().ok()).await;
        match loaded {
            Ok(new) => new.into_hit(false),
            // Counted by `load`; what is kept is current, so nobody has to know.
            Err(_counted) => {
                self.put_off(&old);
                old.into_hit(false)
            }
        }
    }

    /// Nobody refreshes this entry for a while.
    fn put_off(&self, old: &Slot<V>) {
        let pause = i64::from(self.policy.soft_ttl_ms) * 1_000 / REFRESH_PAUSE_SHARE;
        let next = self.now().saturating_add(pause.max(1_000));
        old.meta().soft.store(next, Ordering::Relaxed);
    }

    /// Loads, or takes over the outcome of a flight that began after this call, or one that is still current.
    ///
    /// So a caller waits for two flights at most, however often facts outdate what lands.
    pub(super) async fn fill<E, F, Fut>(&self, key: &K, load: F) -> Result<Slot<V>, Arc<E>>
    where
        E: Send + Sync + 'static,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Loaded<V>, E>>,
    {
        let asked = self.flights.ticket();
        loop {
            match self.flights.join(key) {
                Join::Lead(lead) => return self.lead(lead, key, load).await,
                Join::Follow(flight) => {
                    if let Some(outcome) = self.follow(flight, asked).await {
                        return outcome;
                    }
                }
            }
        }
    }

    /// Another caller's outcome, if it answers a call made at `asked`.
    async fn follow<E: Send + Sync + 'static>(
        &self,
        flight: Follow<V>,
        asked: u64,
    ) -> Option<Result<Slot<V>, Arc<E>>> {
        let began_later = flight.began > asked;
        match flight.outcome().await? {
            Outcome::Loaded(slot) if began_later || self.is_fresh(&slot) => Some(Ok(slot)),
            Outcome::Failed(error) if began_later => error.downcast::<E>().ok().map(Err),
            _ => None,
        }
    }

    async fn lead<E, F, Fut>(
        &self,
        lead: Lead<'_, K, V>,
        key: &K,
        load: F,
    ) -> Result<Slot<V>, Arc<E>>
    where
        E: Send + Sync + 'static,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Loaded<V>, E>>,
    {
        // A flight may have landed between this caller's look and its turn.
        if let Some(slot) = self.memory.peek(key).filter(|slot| self.is_fresh(slot)) {
            lead.land(Outcome::Loaded(slot.clone()));
            return Ok(slot);
        }
        let log_epoch = self.epochs.log_epoch();
        let place = self.place(log_epoch, key);
        let mut lease = Lease::Nobody;
        if let Some((shelf, place)) = &place {
            if let Some(slot) = self.promote(shelf, place, log_epoch, key).await {
                lead.land(Outcome::Loaded(slot.clone()));
                return Ok(slot);
            }
            lease = shelf.take_lease(place, self.policy.lease_ms).await;
            if let Lease::Elsewhere = lease
                && let Some(slot) = self.await_fleet(shelf, place, log_epoch, key).await
            {
                lead.land(Outcome::Loaded(slot.clone()));
                return Ok(slot);
            }
        }
        let loaded = self.load(lead, key, log_epoch, load).await;
        self.share(place, lease, loaded.as_ref().ok()).await;
        loaded
    }

    /// Loads from the database and tells the followers.
    async fn load<E, F, Fut>(
        &self,
        lead: Lead<'_, K, V>,
        key: &K,
        log_epoch: u64,
        load: F,
    ) -> Result<Slot<V>, Arc<E>>
    where
        E: Send + Sync + 'static,
        F: FnOnce() -> Fut,
        Fut: Future<Output = Result<Loaded<V>, E>>,
    {
        self.metrics.loads.inc();
        let began = self.now();
        match load().await {
            Ok(loaded) => {
                let slot = self.slot(loaded, log_epoch, began);
                self.keep(key, &slot);
                lead.land(Outcome::Loaded(slot.clone()));
                Ok(slot)
            }
            Err(error) => {
                self.metrics.load_errors.inc();
                let error = Arc::new(error);
                let shared: Arc<dyn Any + Send + Sync> = error.clone();
                lead.land(Outcome::Failed(shared));
                Err(error)
            }
        }
    }

    /// Where the key is in the second level. A lagging instance is not to take anything from it or wait for others.
    fn place(&self, log_epoch: u64, key: &K) -> Option<(&Shelf<K, V>, Place)> {
        let shelf = self.shelf.as_ref()?;
        if self.epochs.lag_us(self.now()) > self.policy.staleness.within_us() {
            return None;
        }
        Some((shelf, shelf.place(log_epoch, key)?))
    }

    /// A usable value of the second level, now in memory too.
    async fn promote(
        &self,
        shelf: &Shelf<K, V>,
        place: &Place,
        log_epoch: u64,
        key: &K,
    ) -> Option<Slot<V>> {
        let Ok(found) = shelf.read(place, log_epoch, self.epochs.mono()).await else {
            self.metrics.second_errors.inc();
            return None;
        };
        let slot = found.filter(|slot| self.is_fresh(slot) && !slot.meta().due(self.now()))?;
        self.metrics.second_hits.inc();
        self.keep(key, &slot);
        Some(slot)
    }

    /// What the instance that holds the lease has loaded, if that happens while the lease would last.
    async fn await_fleet(
        &self,
        shelf: &Shelf<K, V>,
        place: &Place,
        log_epoch: u64,
        key: &K,
    ) -> Option<Slot<V>> {
        let until = self.epochs.mono().now() + i64::from(self.policy.lease_ms) * 1_000;
        while self.epochs.mono().now() < until {
            shelf.pause().await;
            if let Some(slot) = self.promote(shelf, place, log_epoch, key).await {
                return Some(slot);
            }
        }
        None
    }

    /// Gives the fleet what was loaded, then the lease back.
    async fn share(
        &self,
        place: Option<(&Shelf<K, V>, Place)>,
        lease: Lease,
        slot: Option<&Slot<V>>,
    ) {
        let Some((shelf, place)) = place else { return };
        if let Some(slot) = slot.filter(|slot| self.is_fresh(slot))
            && shelf.write(&place, slot, self.epochs.mono()).await.is_err()
        {
            self.metrics.second_errors.inc();
        }
        shelf.give_back(&place, &lease).await;
    }
}
