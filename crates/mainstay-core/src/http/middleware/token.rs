//! Consistency tokens: a write says where it stands in its logs, and a read that shows the token sees at least that.
//!
//! `log.epoch.transaction.row`, several joined by `~`; opaque to clients, and without secrets, so it is not signed. A
//! browser carries it in a cookie for a short while, so that the page after a form shows what the form did.

use std::{sync::Arc, time::Duration};

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Asked, Gate};
use crate::{
    auth::Credential,
    cache::Epochs,
    db::Position,
    error::{Code, Problem},
};

const TOKEN: HeaderName = HeaderName::from_static("mainstay-token");
const COOKIE: &str = "mainstay_token";
/// The longest that a read waits for a write to arrive.
const WAIT: Duration = Duration::from_secs(2);
/// Logs that one token may name.
const PLACES_MAX: usize = 16;

/// Positions that a request wrote.
pub(super) type Written = Vec<(&'static str, Position)>;

/// The logs that this instance follows.
pub(super) struct Logs(Vec<(&'static str, Arc<Epochs>)>);

impl Logs {
    pub(super) fn new(logs: Vec<(&'static str, Arc<Epochs>)>) -> Self {
        Self(logs)
    }

    fn find(&self, name: &str) -> Option<&(&'static str, Arc<Epochs>)> {
        self.0.iter().find(|(known, _)| *known == name)
    }
}

impl Gate {
    /// Waits until this instance has applied what the request's token names.
    pub(super) async fn await_written(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let Some(logs) = self.logs.get() else {
            return Ok(());
        };
        let Some(token) = token_in(headers) else { return Ok(()) };
        for place in token.split('~').take(PLACES_MAX) {
            let Some((name, epoch, xid)) = parse(place) else { continue };
            let Some((_, epochs)) = logs.find(name) else { continue };
            // Of another life of the log there is nothing to wait for.
            if tokio::time::timeout(WAIT, epochs.seen(epoch, xid)).await.is_err() {
                let detail =
                    "What you wrote has not arrived at this server yet. Try again in a second.";
                return Err(Problem::new(Code::NotYet, detail).retry_after_s(1));
            }
        }
        Ok(())
    }

    /// Says with a write where it stands.
    pub(super) fn say_written(&self, asked: &Asked, written: &Written, response: &mut Response) {
        let Some(logs) = self.logs.get().filter(|_| !written.is_empty()) else { return };
        let places = written.iter().filter_map(|(name, position)| {
            let (_, epochs) = logs.find(name)?;
            Some(format!("{name}.{:x}.{}.{}", epochs.log_epoch(), position.xid, position.seq))
        });
        let token = places.collect::<Vec<_>>().join("~");
        let by_cookie = asked
            .caller
            .as_ref()
            .is_some_and(|caller| matches!(caller.credential, Credential::Console(_)));
        if by_cookie {
            let cookie = format!("{COOKIE}={token}; Path=/; Max-Age=30; SameSite=Lax; HttpOnly");
            if let Ok(value) = HeaderValue::from_str(&cookie) {
                response.headers_mut().append(header::SET_COOKIE, value);
            }
        }
        if let Ok(value) = HeaderValue::from_str(&token) {
            response.headers_mut().insert(TOKEN, value);
        }
    }
}

fn token_in(headers: &HeaderMap) -> Option<&str> {
    if let Some(token) = headers.get(TOKEN) {
        return token.to_str().ok();
    }
    let cookies = headers.get(header::COOKIE)?.to_str().ok()?;
    cookies.split(';').find_map(|pair| pair.trim().strip_prefix(COOKIE)?.strip_prefix('='))
}

fn parse(place: &str) -> Option<(&str, u64, i64)> {
    let mut parts = place.split('.');
    let (name, epoch, xid) = (parts.next()?, parts.next()?, parts.next()?);
    Some((name, u64::from_str_radix(epoch, 16).ok()?, xid.parse().ok()?))
}
