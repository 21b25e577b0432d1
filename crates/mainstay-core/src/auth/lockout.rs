//! Slows down whoever guesses passwords: after some wrong ones, each further one makes the wait twice as long.
//!
//! Wrong passwords are counted for each pair of name and address, and for each address alone (with more patience), so
//! that one address cannot try one password on many names. They are not counted for a name alone: anybody could then
//! lock anybody out. The table is in memory and bounded; what it forgets when full was counted longest ago.

use std::{
    collections::HashMap,
    hash::BuildHasher as _,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use foldhash::quality::RandomState;
use mainstay_contract::ts::Ts;

/// Pairs and addresses that are remembered.
const ENTRIES_MAX: usize = 65_536;
/// Wrong passwords for one name from one address before the first wait.
const PAIR_FREE: u32 = 5;
/// Wrong passwords from one address for any names before the first wait.
const ADDRESS_FREE: u32 = 50;
/// The longest wait for a pair, and how long wrong passwords are remembered.
const WAIT_MAX_S: i64 = 900;
/// The longest wait for an address alone: many people may be behind it.
const ADDRESS_WAIT_MAX_S: i64 = 60;

/// Wrong passwords of the last quarter of an hour.
#[derive(Debug, Default)]
pub(crate) struct Lockout {
    hasher: RandomState,
    entries: Mutex<HashMap<u64, Strikes, RandomState>>,
}

/// What is counted under a hash.
#[derive(Debug, Clone, Copy)]
struct Key {
    hash: u64,
    /// The hash of the name alone; none for an address alone.
    login: Option<u64>,
    /// How many wrong passwords are free.
    free: u32,
    /// The longest wait.
    wait_max_s: i64,
}

#[derive(Debug, Clone, Copy)]
struct Strikes {
    login: Option<u64>,
    count: u32,
    last: Ts,
    until: Ts,
}

/// What a password was found to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Guess {
    /// The account's.
    Right,
    /// Another, or there is no such account.
    Wrong,
}

impl Lockout {
    /// Seconds until the next attempt is heard; `None` if it is heard now.
    pub(crate) fn wait_s(&self, login: &str, from: Option<IpAddr>, now: Ts) -> Option<u32> {
        let entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        wait_s(&entries, self.keys(login, from), now)
    }

    /// Settles an attempt whose password was checked: `None` if it is heard, else the seconds until the next one is.
    ///
    /// Attempts that are made all at once pass the first look together. Here they come one after the other, so no more
    /// of them are heard than of attempts made in turn; and one that is not heard counts as wrong whatever it was, so
    /// that neither its answer nor the wait after it tells which.
    pub(crate) fn settle(
        &self,
        login: &str,
        from: Option<IpAddr>,
        now: Ts,
        guess: Guess,
    ) -> Option<u32> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let keys = self.keys(login, from);
        let wait = wait_s(&entries, keys, now);
        match guess {
            // Its owner is there. The address alone is not forgiven, or a guesser would clear it with an account of
            // their own.
            Guess::Right if wait.is_none() => {
                let [pair, _] = keys;
                entries.remove(&pair.hash);
            }
            Guess::Right | Guess::Wrong => strike(&mut entries, keys, now),
        }
        wait
    }

    /// Forgets the wrong passwords for `login` from every address, because its password is another one now. What is
    /// counted for addresses alone stays.
    pub(crate) fn forgive(&self, login: &str) {
        let login = Some(self.hasher.hash_one(login));
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        entries.retain(|_key, strikes| strikes.login != login);
    }

    fn keys(&self, login: &str, from: Option<IpAddr>) -> [Key; 2] {
        let from = from.map(network);
        let pair = Key {
            hash: self.hasher.hash_one((login, from)),
            login: Some(self.hasher.hash_one(login)),
            free: PAIR_FREE,
            wait_max_s: WAIT_MAX_S,
        };
        let hash = self.hasher.hash_one(from);
        let (free, wait_max_s) = (ADDRESS_FREE, ADDRESS_WAIT_MAX_S);
        [pair, Key { hash, login: None, free, wait_max_s }]
    }
}

fn wait_s(entries: &HashMap<u64, Strikes, RandomState>, keys: [Key; 2], now: Ts) -> Option<u32> {
    let until =
        keys.iter().filter_map(|key| entries.get(&key.hash)).map(|strikes| strikes.until).max()?;
    let micros = until.micros_since(now);
    (micros > 0).then(|| u32::try_from((micros - 1) / 1_000_000 + 1).unwrap_or(u32::MAX))
}

/// Counts a wrong password.
fn strike(entries: &mut HashMap<u64, Strikes, RandomState>, keys: [Key; 2], now: Ts) {
    for Key { hash, login, free, wait_max_s } in keys {
        make_room(entries, now);
        let first = Strikes { login, count: 0, last: now, until: now };
        let strikes = entries.entry(hash).or_insert(first);
        if now.micros_since(strikes.last) > WAIT_MAX_S * 1_000_000 {
            strikes.count = 0;
        }
        strikes.count = strikes.count.saturating_add(1);
        strikes.last = now;
        if strikes.count >= free {
            let wait = 1_i64 << (strikes.count - free).min(20);
            strikes.until = now.plus_s(wait.min(wait_max_s));
        }
    }
}

/// One household or host: an IPv6 caller owns at least a /64.
fn network(address: IpAddr) -> u128 {
    match address.to_canonical() {
        IpAddr::V4(address) => u128::from(u32::from(address)),
        IpAddr::V6(address) => u128::from(address) >> 64 << 64,
    }
}

/// Drops what is too old to count; if that is not enough, the older half.
fn make_room(entries: &mut HashMap<u64, Strikes, RandomState>, now: Ts) {
    if entries.len() < ENTRIES_MAX {
        return;
    }
    entries.retain(|_key, strikes| now.micros_since(strikes.last) <= WAIT_MAX_S * 1_000_000);
    if entries.len() >= ENTRIES_MAX {
        let mut times: Vec<_> = entries.values().map(|strikes| strikes.last).collect();
        let middle = times.len() / 2;
        let (_, median, _) = times.select_nth_unstable(middle);
        let median = *median;
        let mut kept = 0;
        entries.retain(|_key, strikes| {
            let keep = strikes.last >= median && kept < ENTRIES_MAX / 2;
            kept += usize::from(keep);
            keep
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1)));
    const CAFE: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2)));

    fn wrong(lockout: &Lockout, login: &str, from: Option<IpAddr>, now: Ts) {
        lockout.settle(login, from, now, Guess::Wrong);
    }

    #[test]
    fn the_wait_grows_with_each_wrong_password_and_is_bounded() {
        let lockout = Lockout::default();
        let mut now = Ts::from_micros(0);
        let mut waits = Vec::new();
        for _ in 0..18 {
            wrong(&lockout, "bob", HOME, now);
            let wait = lockout.wait_s("bob", HOME, now).unwrap_or(0);
            waits.push(wait);
            now = now.plus_s(i64::from(wait));
        }
        assert_eq!(waits[..8], [0, 0, 0, 0, 1, 2, 4, 8]);
        assert_eq!(waits[14..], [900, 900, 900, 900]);
    }

    #[test]
    fn right_or_wrong_a_guess_that_is_not_heard_is_answered_and_counted_alike() {
        let now = Ts::from_micros(0);
        let told = [Guess::Right, Guess::Wrong].map(|last| {
            let lockout = Lockout::default();
            let heard = (0..8).filter(|_| lockout.settle("bob", HOME, now, Guess::Wrong).is_none());
            assert_eq!(heard.count(), PAIR_FREE as usize);
            (lockout.settle("bob", HOME, now, last), lockout.wait_s("bob", HOME, now))
        });
        assert_eq!(told[0], told[1]);
        assert_eq!(told[0], (Some(8), Some(16)));
    }

    #[test]
    fn one_guesser_does_not_lock_the_owner_out_elsewhere() {
        let lockout = Lockout::default();
        let now = Ts::from_micros(0);
        (0..20).for_each(|_| wrong(&lockout, "bob", HOME, now));
        assert!(lockout.wait_s("bob", HOME, now).is_some());
        assert_eq!(lockout.wait_s("bob", CAFE, now), None);
    }

    #[test]
    fn a_name_that_is_forgiven_is_heard_from_everywhere_and_no_other_is() {
        let lockout = Lockout::default();
        let now = Ts::from_micros(0);
        for (login, from) in [("bob", HOME), ("bob", CAFE), ("eve", HOME)] {
            (0..6).for_each(|_| wrong(&lockout, login, from, now));
        }
        lockout.forgive("bob");
        assert_eq!([HOME, CAFE].map(|from| lockout.wait_s("bob", from, now)), [None, None]);
        assert!(lockout.wait_s("eve", HOME, now).is_some());
        (0..ADDRESS_FREE).for_each(|n| wrong(&lockout, &format!("name{n}"), HOME, now));
        lockout.forgive("bob");
        assert!(lockout.wait_s("bob", HOME, now).is_some(), "the address is not forgiven");
    }

    #[test]
    fn one_address_that_tries_many_names_waits_for_all_of_them() {
        let lockout = Lockout::default();
        let now = Ts::from_micros(0);
        (0..ADDRESS_FREE).for_each(|n| wrong(&lockout, &format!("name{n}"), HOME, now));
        assert!(lockout.wait_s("another", HOME, now).is_some());
        assert!(lockout.settle("another", HOME, now, Guess::Right).is_some());
        let later = now.plus_s(ADDRESS_WAIT_MAX_S);
        assert_eq!(lockout.settle("another", HOME, later, Guess::Right), None);
        wrong(&lockout, "yet another", HOME, later);
        assert!(lockout.wait_s("another", HOME, later).is_some(), "the address is not forgiven");
    }

    #[test]
    fn the_table_has_a_bound() {
        let lockout = Lockout::default();
        for n in 0..(ENTRIES_MAX as i64 * 2) {
            let from = u32::try_from(n).ok().map(|n| IpAddr::V4(n.into()));
            wrong(&lockout, "bob", from, Ts::from_micros(n));
        }
        let len = lockout.entries.lock().unwrap_or_else(PoisonError::into_inner).len();
        assert!(len <= ENTRIES_MAX, "{len}");
    }
}
