//! How many requests of each class a caller may send.

use std::net::IpAddr;

use axum::response::Response;
use http::HeaderName;
use mainstay_contract::ts::Ts;

use crate::{
    http::route::LimitClass,
    limit::{self, Decision, Limit, Limiter},
};

/// Whom a limit counts.
pub(super) enum Who {
    User(u128),
    Address(IpAddr),
}

impl Who {
    fn number(self) -> u64 {
        match self {
            Self::User(bits) => (bits ^ bits >> 64) as u64,
            Self::Address(IpAddr::V4(address)) => u64::from(address.to_bits()),
            // One caller has a whole /64 of addresses.
            Self::Address(IpAddr::V6(address)) => (address.to_bits() >> 64) as u64 | 1 << 63,
        }
    }
}

/// How many requests of each class a caller may send.
pub struct Limits {
    limiter: Limiter,
    enabled: bool,
    classes: [limit::LimitClass; 5],
    /// Credentials that were no good, for each address.
    guesses: limit::LimitClass,
}

impl Limits {
    /// Limits as `rates` say, for `Read`, `Write`, `Auth`, `Upload` and `Search`; not counted at all unless `enabled`.
    pub fn new(rates: [Limit; 5], enabled: bool) -> Self {
        let limiter = Limiter::new(65_536);
        let names = ["read", "write", "auth", "upload", "search"];
        let mut place = 0;
        let classes = rates.map(|rate| {
            let name = names.get(place).copied().unwrap_or_default();
            place += 1;
            limiter.class(name, rate)
        });
        // Browsers send a cookie that is over with whatever they load: as many as they may read.
        let [read, ..] = rates;
        let guesses = limiter.class("guesses", read);
        Self { limiter, enabled, classes, guesses }
    }

    /// Counts a request; nothing where requests are not counted.
    pub(super) fn check(&self, class: LimitClass, who: Who, now: Ts) -> Option<Decision> {
        Some(self.limiter.check(self.counted(class)?, who.number(), now.as_micros()))
    }

    /// Whether credentials that come from this address may be looked up.
    pub(super) fn look_at_guesses(&self, address: IpAddr, now: Ts) -> Option<Decision> {
        let look =
            || self.limiter.look(&self.guesses, Who::Address(address).number(), now.as_micros());
        self.enabled.then(look)
    }

    /// Counts credentials that were no good.
    pub(super) fn count_guess(&self, address: IpAddr, now: Ts) {
        if self.enabled {
            self.limiter.check(&self.guesses, Who::Address(address).number(), now.as_micros());
        }
    }

    fn counted(&self, class: LimitClass) -> Option<&limit::LimitClass> {
        let [read, write, auth, upload, search] = &self.classes;
        match class {
            _ if !self.enabled => None,
            LimitClass::Read => Some(read),
            LimitClass::Write => Some(write),
            LimitClass::Auth => Some(auth),
            LimitClass::Upload => Some(upload),
            LimitClass::Search => Some(search),
            LimitClass::Free => None,
        }
    }
}

/// Says how much is left.
pub(super) fn limit_headers(decision: Option<Decision>, response: &mut Response) {
    let Some(decision) = decision else { return };
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("ratelimit-limit"), decision.limit.into());
    headers.insert(HeaderName::from_static("ratelimit-remaining"), decision.remaining.into());
    headers.insert(HeaderName::from_static("ratelimit-reset"), decision.reset_s.into());
}
