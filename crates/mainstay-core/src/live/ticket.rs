//! Tickets: one connection each, for clients that cannot send a header when they connect.
//!
//! Kept hashed, in this process: a ticket is redeemed at the instance that gave it.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use aws_lc_rs::digest;
use mainstay_contract::{id::UserId, ts::Ts};

use crate::{
    auth::Caller,
    error::{Code, Problem},
    ids,
};

/// Most tickets that wait to be used.
const TICKETS_MAX: usize = 50_000;
/// Most of them of one person.
const TICKETS_PER_USER_MAX: u16 = 50;
/// Random bytes of a ticket.
const TICKET_BYTES: usize = 24;
/// The longest text that is looked at.
const TICKET_LEN_MAX: usize = 100;

/// How long a ticket can be used.
pub(super) const TICKET_LIFE: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(super) struct Tickets(Mutex<Table>);

#[derive(Default)]
struct Table {
    tickets: HashMap<[u8; 32], (Caller, Ts)>,
    per_user: HashMap<UserId, u16>,
}

impl Tickets {
    /// A ticket for `caller`.
    ///
    /// # Errors
    /// `RateLimited` if the person has many unused ones; `Overloaded` if everybody together has.
    pub(super) fn issue(&self, caller: Caller, now: Ts) -> Result<String, Problem> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = |table: &Table| table.per_user.get(&caller.user).copied().unwrap_or_default();
        if table.tickets.len() >= TICKETS_MAX || waiting(&table) >= TICKETS_PER_USER_MAX {
            table.retain(|_, until| until > now);
        }
        let life_s = TICKET_LIFE.as_secs();
        if waiting(&table) >= TICKETS_PER_USER_MAX {
            let detail =
                "Use the tickets that you have; each is good for one connection within 60 s.";
            return Err(Problem::new(Code::RateLimited, detail).retry_after_s(life_s as u32));
        }
        if table.tickets.len() >= TICKETS_MAX {
            let detail =
                "More tickets are waiting than this server keeps. Try again in a few seconds.";
            return Err(Problem::new(Code::Overloaded, detail).retry_after_s(5));
        }
        let ticket = ids::random_token(TICKET_BYTES);
        *table.per_user.entry(caller.user).or_default() += 1;
        table.tickets.insert(hash(&ticket), (caller, now.plus_s(life_s as i64)));
        Ok(ticket)
    }

    /// Whose ticket it is. It is used up.
    ///
    /// # Errors
    /// `Unauthenticated` if it was used, has expired, or was never given.
    pub(super) fn redeem(&self, ticket: &str, now: Ts) -> Result<Caller, Problem> {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let found = (ticket.len() <= TICKET_LEN_MAX).then(|| table.take(&hash(ticket))).flatten();
        found.filter(|(_, until)| *until > now).map(|(caller, _)| caller).ok_or_else(|| {
            let detail =
                "The ticket was used or has expired. Ask for another one and connect within 60 s.";
            Problem::new(Code::Unauthenticated, detail)
        })
    }

    /// Takes back the tickets of callers that `ends` names.
    pub(super) fn revoke(&self, ends: impl Fn(&Caller) -> bool) {
        let mut table = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        table.retain(|caller, _| !ends(caller));
    }
}

impl Table {
    fn take(&mut self, key: &[u8; 32]) -> Option<(Caller, Ts)> {
        let found = self.tickets.remove(key)?;
        if let Some(count) = self.per_user.get_mut(&found.0.user) {
            *count -= 1;
            if *count == 0 {
                self.per_user.remove(&found.0.user);
            }
        }
        Some(found)
    }

    fn retain(&mut self, keep: impl Fn(&Caller, Ts) -> bool) {
        let gone: Vec<[u8; 32]> = self
            .tickets
            .iter()
            .filter(|(_, (caller, until))| !keep(caller, *until))
            .map(|(key, _)| *key)
            .collect();
        for key in gone {
            self.take(&key);
        }
    }
}

/// The table holds only hashes, so a dump of memory or, later, of Redis gives no ticket away.
fn hash(ticket: &str) -> [u8; 32] {
    let digest = digest::digest(&digest::SHA256, ticket.as_bytes());
    digest.as_ref().try_into().unwrap_or_default()
}
