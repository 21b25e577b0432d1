//! One class's part of the second level: keys, encoding, leases.

use std::{sync::Arc, time::Duration};

use aws_lc_rs::{digest, rand};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Away, SecondLevel,
    record::{CODEC_ABSENT, CODEC_JSON, Record},
};
use crate::cache::{
    entry::{Meta, Slot},
    monotonic::{Mono, wall_ms},
};

/// How often a caller without the lease looks for the value.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A class's values in the second level. The functions know the types, so that a class without one needs no serde.
pub(in crate::cache) struct Shelf<K, V> {
    second: Arc<SecondLevel>,
    class: &'static str,
    key: fn(&K) -> Option<Vec<u8>>,
    encode: fn(&V) -> Option<Vec<u8>>,
    decode: fn(&[u8]) -> Option<V>,
}

/// The right to load a key for the whole fleet.
pub(in crate::cache) enum Lease {
    /// Ours; to be given back with this number.
    Held(u64),
    /// Another instance is loading.
    Elsewhere,
    /// Redis is away: everyone loads.
    Nobody,
}

/// Where a key's value and its lease are.
pub(in crate::cache) struct Place {
    value: String,
    lease: String,
}

impl<K: Serialize, V: Serialize + DeserializeOwned> Shelf<K, V> {
    pub(in crate::cache) fn new(second: Arc<SecondLevel>, class: &'static str) -> Self {
        Self {
            second,
            class,
            key: |key| serde_json::to_vec(key).ok(),
            encode: |value| serde_json::to_vec(value).ok(),
            decode: |bytes| serde_json::from_slice(bytes).ok(),
        }
    }
}

impl<K, V> Shelf<K, V> {
    /// Where `key` is kept in this log; `None` if the key cannot be written down.
    pub(in crate::cache) fn place(&self, log_epoch: u64, key: &K) -> Option<Place> {
        // 128 bits of SHA-256: two keys must never meet, since one person's page is not another's.
        let hash = digest::digest(&digest::SHA256, &(self.key)(key)?);
        let hash = hex::encode(hash.as_ref().get(..16)?);
        let value = format!("ms:{log_epoch:016x}:{}:{{{hash}}}", self.class);
        let lease = format!("{value}:lease");
        Some(Place { value, lease })
    }

    /// What is kept, as an entry of the log `log_epoch`. The caller checks whether it may be used.
    pub(in crate::cache) async fn read(
        &self,
        place: &Place,
        log_epoch: u64,
        mono: &Mono,
    ) -> Result<Option<Slot<V>>, Away> {
        let Some(bytes) = self.second.read(&place.value).await? else { return Ok(None) };
        Ok(self.slot(&bytes, log_epoch, mono.now()))
    }

    fn slot(&self, bytes: &[u8], log_epoch: u64, now: i64) -> Option<Slot<V>> {
        let record = Record::decode(bytes)?;
        let value = match record.codec {
            CODEC_ABSENT => None,
            _ => Some((self.decode)(record.body)?),
        };
        let wall = wall_ms();
        let from_wall =
            |at_ms: i64| now.saturating_add(at_ms.saturating_sub(wall).saturating_mul(1_000));
        let meta = Meta {
            log_epoch,
            stamp: record.stamp,
            tags: record.tags,
            filled: from_wall(record.filled_ms).min(now),
            soft: from_wall(record.soft_ms).into(),
            hard: from_wall(record.hard_ms),
        };
        Some(Slot::new(value, meta))
    }

    pub(in crate::cache) async fn write(
        &self,
        place: &Place,
        slot: &Slot<V>,
        mono: &Mono,
    ) -> Result<(), Away> {
        let (meta, now, wall) = (slot.meta(), mono.now(), wall_ms());
        let in_ms = |at: i64| at.saturating_sub(now) / 1_000;
        let (codec, body) = match slot {
            Slot::Absent(_) => (CODEC_ABSENT, Vec::new()),
            Slot::Found(entry) => match (self.encode)(&entry.value) {
                Some(body) => (CODEC_JSON, body),
                None => return Ok(()),
            },
        };
        let ttl_ms = in_ms(meta.hard);
        let record = Record {
            codec,
            stamp: meta.stamp,
            soft_ms: wall
                .saturating_add(in_ms(meta.soft.load(std::sync::atomic::Ordering::Relaxed))),
            hard_ms: wall.saturating_add(ttl_ms),
            filled_ms: wall.saturating_add(in_ms(meta.filled)),
            tags: meta.tags.clone(),
            body: &body,
        };
        match (record.encode(), u64::try_from(ttl_ms)) {
            (Some(bytes), Ok(ttl_ms @ 1..)) => {
                self.second.write(&place.value, &bytes, ttl_ms).await
            }
            _ => Ok(()),
        }
    }

    pub(in crate::cache) async fn take_lease(&self, place: &Place, ttl_ms: u32) -> Lease {
        let mut token = [0; 8];
        if rand::fill(&mut token).is_err() {
            return Lease::Nobody;
        }
        let token = u64::from_le_bytes(token);
        match self.second.take_lease(&place.lease, token, u64::from(ttl_ms)).await {
            Ok(true) => Lease::Held(token),
            Ok(false) => Lease::Elsewhere,
            Err(Away) => Lease::Nobody,
        }
    }

    pub(in crate::cache) async fn give_back(&self, place: &Place, lease: &Lease) {
        if let Lease::Held(token) = lease {
            // When it fails, the lease ends by itself.
            let _ends_by_itself = self.second.give_lease_back(&place.lease, *token).await;
        }
    }

    /// Waits a moment before looking again.
    pub(in crate::cache) async fn pause(&self) {
        tokio::time::sleep(LOOK_EVERY).await;
    }
}
