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

/// How many requests of each class a caller may send.
pub struct Limits {
    limiter: Limiter,
    enabled: bool,
    classes: [limit::LimitClass; 5],
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
        Self { limiter, enabled, classes }
    }

    pub(super) fn check(&self, class: LimitClass, who: Who, now: Ts) -> Option<Decision> {
        if !self.enabled {
            return None;
        }
        let [read, write, auth, upload, search] = &self.classes;
        let class = match class {
            LimitClass::Read => read,
            LimitClass::Write => write,
            LimitClass::Auth => auth,
            LimitClass::Upload => upload,
            LimitClass::Search => search,
            LimitClass::Free => return None,
        };
        let caller = match who {
            Who::User(bits) => (bits ^ bits >> 64) as u64,
            Who::Address(IpAddr::V4(address)) => u64::from(address.to_bits()),
            // One caller has a whole /64 of addresses.
            Who::Address(IpAddr::V6(address)) => (address.to_bits() >> 64) as u64 | 1 << 63,
        };
        Some(self.limiter.check(class, caller, now.as_micros()))
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
