//! Consistency tokens: a write says where it stands in its logs, and a read that shows the token sees at least that.
//!
//! `log.epoch.transaction.row`, several joined by `~`; opaque to clients, and without secrets, so it is not signed. A
//! browser carries it in a cookie for a short while, so that the page after a form shows what the form did.

use std::time::Duration;

use axum::response::Response;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{Asked, Gate};
use crate::{
    auth::Credential,
    db::Position,
    error::{Code, Problem},
    events::{Log, consumer::Progress},
    http::route::Route,
};

const TOKEN: HeaderName = HeaderName::from_static("mainstay-token");
const COOKIE: &str = "mainstay_token";
/// The longest that a read waits for a write to arrive.
const WAIT: Duration = Duration::from_secs(2);
/// Logs that one token may name.
const PLACES_MAX: usize = 16;

/// Positions that a request wrote.
pub(super) type Written = Vec<(&'static str, Position)>;

/// The logs that this instance follows, and how far its consumers have come in them.
pub struct Followed {
    /// By the name of the service that writes it.
    pub logs: Vec<(&'static str, Log)>,
    /// By the name of the consumer and of the service whose facts it takes.
    pub consumers: Vec<(&'static str, &'static str, Progress)>,
}

impl Followed {
    fn find(&self, name: &str) -> Option<&Log> {
        self.logs.iter().find(|(known, _)| *known == name).map(|(_, log)| log)
    }

    /// Resolves once what a token names is applied here, and taken by the consumers whose effect the route shows.
    async fn seen(&self, route: &Route, token: &str) {
        for place in token.split('~').take(PLACES_MAX) {
            let Some((name, epoch, position)) = parse(place) else { continue };
            let Some(log) = self.find(name) else { continue };
            if log.seen(epoch, position).await.is_err() {
                // Of another life of the log there is nothing to wait for.
                continue;
            }
            for (consumer, source, progress) in &self.consumers {
                if *source == name && route.shows.contains(consumer) {
                    progress.taken(position).await;
                }
            }
        }
    }
}

impl Gate {
    /// Waits until this instance has applied what the request's token names.
    pub(super) async fn await_written(
        &self,
        route: &Route,
        headers: &HeaderMap,
    ) -> Result<(), Problem> {
        let Some(followed) = self.followed.get() else { return Ok(()) };
        let Some(token) = token_in(headers) else { return Ok(()) };
        let seen = tokio::time::timeout(WAIT, followed.seen(route, token));
        Box::pin(seen).await.map_err(|_late| {
            let detail =
                "What you wrote has not arrived at this server yet. Try again in a second.";
            Problem::new(Code::NotYet, detail).retry_after_s(1)
        })
    }

    /// Says with a write where it stands.
    pub(super) fn say_written(&self, asked: &Asked, written: &Written, response: &mut Response) {
        let Some(followed) = self.followed.get().filter(|_| !written.is_empty()) else { return };
        let places = written.iter().filter_map(|(name, position)| {
            let epoch = followed.find(name)?.epochs().log_epoch();
            Some(format!("{name}.{epoch:x}.{}.{}", position.xid, position.seq))
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

fn parse(place: &str) -> Option<(&str, u64, Position)> {
    let mut parts = place.split('.');
    let (name, epoch) = (parts.next()?, u64::from_str_radix(parts.next()?, 16).ok()?);
    let (xid, seq) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    Some((name, epoch, Position { xid, seq }))
}
