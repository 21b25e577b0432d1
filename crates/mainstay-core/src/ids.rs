//! New identifiers: UUIDv7 (RFC 9562), so that ids made later sort later.

use std::{
    cell::RefCell,
    sync::atomic::{AtomicU64, Ordering},
};

use mainstay_contract::{
    id::{Id, Kind},
    ts::Ts,
};

/// 12 bits of sub-millisecond time and then a counter keep ids of one process strictly ascending.
static LAST_TICK: AtomicU64 = AtomicU64::new(0);

/// A new id for something that happens at `now`.
///
/// Ids of one process ascend strictly, also within one microsecond and when the clock steps back; 62 bits are random,
/// so an id cannot be guessed from another.
pub fn new_id<K: Kind>(now: Ts) -> Id<K> {
    Id::from_bits(uuid_v7(next_tick(now), random_u64()))
}

/// The first id that something made at `at` could have: a bound for range queries.
pub fn first_id_at<K: Kind>(at: Ts) -> Id<K> {
    Id::from_bits(uuid_v7(tick(at), 0))
}

/// A tick is 1/4096 of a millisecond.
fn tick(at: Ts) -> u64 {
    let micros = u64::try_from(at.as_micros()).unwrap_or(0);
    ((micros / 1_000) << 12) | ((micros % 1_000) * 4_096 / 1_000)
}

fn next_tick(now: Ts) -> u64 {
    let wanted = tick(now);
    let last = LAST_TICK
        .fetch_update(Ordering::Relaxed, Ordering::Relaxed, |last| Some(wanted.max(last + 1)))
        .unwrap_or(wanted);
    wanted.max(last + 1)
}

fn uuid_v7(tick: u64, random: u64) -> u128 {
    let time = u128::from(tick >> 12) & 0xffff_ffff_ffff;
    let fraction = u128::from(tick & 0xfff);
    (time << 80) | (7 << 76) | (fraction << 64) | (0b10 << 62) | u128::from(random >> 2)
}

thread_local! {
    /// Random bytes are drawn 512 at a time: one call of the generator costs more than the copy.
    static POOL: RefCell<(Vec<u8>, usize)> = const { RefCell::new((Vec::new(), 0)) };
}

/// 64 unpredictable bits from the system-seeded generator.
pub fn random_u64() -> u64 {
    POOL.with_borrow_mut(|(pool, used)| {
        if *used + 8 > pool.len() {
            pool.resize(512, 0);
            fill_random(pool);
            *used = 0;
        }
        let bytes = pool.get(*used..*used + 8).and_then(|slice| slice.try_into().ok());
        *used += 8;
        u64::from_le_bytes(bytes.unwrap_or_default())
    })
}

/// Fills `bytes` with unpredictable bits.
///
/// # Panics
/// If the operating system has no randomness: going on would hand out secrets that can be guessed.
#[expect(
    clippy::panic,
    reason = "without randomness no secret is safe; there is nothing to fall back to"
)]
pub fn fill_random(bytes: &mut [u8]) {
    if aws_lc_rs::rand::fill(bytes).is_err() {
        panic!("the operating system gives no randomness");
    }
}

/// An unguessable token: `bytes` random bytes in URL-safe base 64.
pub fn random_token(bytes: usize) -> String {
    use base64::Engine as _;
    let mut raw = vec![0_u8; bytes];
    fill_random(&mut raw);
    base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(raw)
}

#[cfg(test)]
mod tests {
    use mainstay_contract::id::Post;

    use super::*;

    #[test]
    fn ids_ascend_even_when_the_clock_steps_back() {
        let mut last = new_id::<Post>(Ts::from_micros(2_000_000));
        for step in 0..10_000 {
            let next = new_id::<Post>(Ts::from_micros(2_000_000 - step));
            assert!(next > last);
            last = next;
        }
    }

    #[test]
    fn an_id_is_a_uuid_of_version_7_and_carries_its_millisecond() {
        let bits = new_id::<Post>(Ts::from_micros(9_000_000_000_000_000)).bits();
        assert_eq!(bits >> 76 & 0xf, 7);
        assert_eq!(bits >> 62 & 0b11, 0b10);
        assert_eq!(bits >> 80, 9_000_000_000_000);
    }
}
