//! Before the handler: where from, who, how often, and whether they may.

use std::{net::IpAddr, sync::Arc};

use axum::{body::Body, extract::Request};
use http::{Extensions, HeaderMap, header};

use mainstay_contract::ts::Ts;

use super::{Gate, Known, PeerAddress, changes, limits::Who};
use crate::{
    auth::{self, Caller, Credential},
    error::{Code, Problem},
    http::route::{Access, Kind, LimitClass, Route},
    limit::Decision,
};

const CSRF_TOKEN: &str = "x-csrf-token";
const SITE: &str = "sec-fetch-site";

/// Most bytes of path and query.
pub(in crate::http) const TARGET_BYTES_MAX: usize = 8 << 10;
/// What HTTP/1.1 writes of a header besides its name and value.
const HEADER_EXTRA_BYTES: usize = ": \r\n".len();

impl Gate {
    /// Refuses an address or headers that are too long. The sockets take a little more, so that whoever is not
    /// far above learns of it as of every other problem.
    pub(super) fn bound_head(&self, request: &Request) -> Result<(), Problem> {
        let target = request.uri().path_and_query().map_or(0, |target| target.as_str().len());
        if target > TARGET_BYTES_MAX {
            let detail = format!("The address has more than {TARGET_BYTES_MAX} bytes.");
            return Err(Problem::new(Code::UriTooLong, detail));
        }
        let bound = self.settings.header_bytes_max;
        let lengths = request
            .headers()
            .iter()
            .map(|(name, value)| name.as_str().len() + value.len() + HEADER_EXTRA_BYTES);
        if lengths.sum::<usize>() > bound {
            let detail = format!("The headers have more than {bound} bytes.");
            return Err(Problem::new(Code::HeadersTooLarge, detail));
        }
        Ok(())
    }

    /// Where the request came from.
    pub(super) fn client_address(&self, request: &Request) -> IpAddr {
        let peer = request
            .extensions()
            .get::<PeerAddress>()
            .map_or(IpAddr::from([127, 0, 0, 1]), |peer| peer.0.ip().to_canonical());
        if !self.trusts(peer) {
            return peer;
        }
        // From the right: the first address that no trusted proxy added.
        let forwarded = request.headers().get_all("x-forwarded-for").iter();
        let hops: Vec<IpAddr> = forwarded
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(','))
            .filter_map(|hop| hop.trim().parse().ok())
            .collect();
        hops.into_iter().rev().find(|hop| !self.trusts(*hop)).unwrap_or(peer)
    }

    fn trusts(&self, address: IpAddr) -> bool {
        self.settings.trusted_proxies.iter().any(|net| net.contains(&address))
    }

    /// Authenticates, counts and authorises; the handler runs only if this succeeds.
    pub(super) async fn admit(
        &self,
        route: &Route,
        request: &mut Request,
        known: &mut Known,
        now: Ts,
    ) -> Result<Option<Decision>, (Problem, Option<Decision>)> {
        // Who signs in or refreshes often still sends the token that has just expired; there nobody asks who calls.
        let asks =
            route.asks && (route.limit != LimitClass::Auth || route.access != Access::Public);
        let cached = if asks { self.auth.cached(request.headers(), now) } else { None };
        let caller = match cached {
            Some(caller) => Ok(Some(caller)),
            // In a box, as whatever is rarely awaited: the room for it would be moved about with every request.
            None if asks && auth::shows_credentials(request.headers()) => {
                Box::pin(self.look_up(request.headers(), known.address, now)).await?
            }
            None => Ok(None),
        };
        // Bad credentials count against the address, like none.
        let who = match &caller {
            Ok(Some(caller)) => Who::User(caller.user.bits()),
            _ => Who::Address(known.address),
        };
        let decision = if_allowed(self.limits.load().check(route.limit, who, now))?;
        let refused = |problem| (problem, decision);
        // Before anything is refused: the log and the page of the refusal say whom it met.
        known.caller = caller.map_err(refused)?;
        authorise(route.access, known.caller.as_ref(), request).map_err(refused)?;
        if let Some(Caller { credential: Credential::Console(session), .. }) = known.caller {
            let token: Arc<str> = self.auth.csrf_token(session).into();
            self.same_site(route, request, &token).map_err(refused)?;
            known.form_token = Some(token);
        }
        Ok(decision)
    }

    /// Finds out who shows these credentials, which are not known yet. That costs a read, and anybody can make some up:
    /// an address that has shown too many that are no good is refused before, wherever it sends them. The others at
    /// that address who are known already do not notice.
    async fn look_up(
        &self,
        headers: &HeaderMap,
        address: IpAddr,
        now: Ts,
    ) -> Result<Result<Option<Caller>, Problem>, (Problem, Option<Decision>)> {
        let limits = self.limits.load_full();
        if_allowed(limits.look_at_guesses(address, now))?;
        let caller = self.auth.authenticate(headers).await;
        // What the engine cannot tell at the moment is no guess.
        let guessed = match &caller {
            Ok(caller) => caller.is_none(),
            Err(problem) => problem.code.status() < 500,
        };
        if guessed {
            limits.count_guess(address, now);
        }
        Ok(caller)
    }

    /// A request that carries the console's cookie and changes something must come from the console.
    fn same_site(&self, route: &Route, request: &Request, token: &str) -> Result<(), Problem> {
        if !changes(request.method()) {
            return Ok(());
        }
        let refused = || {
            Problem::new(
                Code::CsrfFailed,
                "Reload the page and try again; the form did not carry this session's token.",
            )
        };
        let site = request.headers().get(SITE).and_then(|value| value.to_str().ok());
        if site.is_some_and(|site| site != "same-origin" && site != "none") {
            return Err(refused());
        }
        // Forms carry the token as a field, which their extractor compares.
        let given = request.headers().get(CSRF_TOKEN);
        match given {
            Some(given) if same(given.as_bytes(), token.as_bytes()) => Ok(()),
            None if route.kind == Kind::Page => Ok(()),
            _ => Err(refused()),
        }
    }
}

/// What was decided, if it was for the request.
fn if_allowed(decision: Option<Decision>) -> Result<Option<Decision>, (Problem, Option<Decision>)> {
    let Some(Decision { allowed: false, retry_after_s, .. }) = decision else {
        return Ok(decision);
    };
    let detail = format!("More requests than allowed came from you; wait {retry_after_s} s.");
    Err((Problem::new(Code::RateLimited, detail).retry_after_s(retry_after_s), decision))
}

fn authorise(access: Access, caller: Option<&Caller>, request: &Request) -> Result<(), Problem> {
    let strangers =
        || Problem::new(Code::Unauthenticated, "Sign in and send the access token or an API key.");
    let forbidden = |detail: &'static str| Problem::new(Code::Forbidden, detail);
    match access {
        Access::Public => Ok(()),
        Access::SignedIn(scope) => {
            let caller = caller.ok_or_else(strangers)?;
            if caller.has(scope) {
                Ok(())
            } else {
                Err(forbidden("The API key does not have the scope for this."))
            }
        }
        Access::Role(role, scope) => {
            let caller = caller.ok_or_else(strangers)?;
            if caller.role < role {
                return Err(forbidden("Your account does not have the role for this."));
            }
            if caller.has(scope) {
                Ok(())
            } else {
                Err(forbidden("The API key does not have the scope for this."))
            }
        }
        Access::Loopback => {
            let admin = caller.is_some_and(|caller| caller.acts_as(crate::auth::Role::Admin));
            let near = is_near(request.extensions(), request.headers());
            if admin || near { Ok(()) } else { Err(strangers()) }
        }
    }
}

/// Whether the request came from this machine itself, and not through a proxy on it.
pub(super) fn is_near(extensions: &Extensions, headers: &HeaderMap) -> bool {
    let near = extensions.get::<PeerAddress>().is_some_and(|peer| peer.0.ip().is_loopback());
    near && !headers.contains_key("x-forwarded-for") && !headers.contains_key("forwarded")
}

/// Refuses a body that says it is too long, and cuts one that does not say.
pub(super) fn bound_body(route: &Route, request: &mut Request) -> Result<(), Problem> {
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length =
        length.and_then(|value| value.to_str().ok()).and_then(|value| value.parse::<u64>().ok());
    let bound = route.body_bytes_max;
    if length.is_some_and(|length| length > bound as u64) && changes(request.method()) {
        let detail = format!("The body has more than the {bound} bytes that this route takes.");
        return Err(Problem::new(Code::TooLarge, detail));
    }
    // Most requests have no body; then there is nothing to bound.
    if http_body::Body::is_end_stream(request.body()) {
        return Ok(());
    }
    let body = std::mem::replace(request.body_mut(), Body::empty());
    *request.body_mut() = Body::new(http_body_util::Limited::new(body, bound));
    Ok(())
}

/// Compares a form's token with the session's; requests without the console's cookie need none. The extractor of forms
/// does this by itself; whoever reads the parts of a form does it before anything else.
///
/// # Errors
/// `CsrfFailed`.
pub fn check_form_token(extensions: &Extensions, given: Option<&str>) -> Result<(), Problem> {
    let Some(expected) = Known::of(extensions).and_then(|known| known.form_token.as_ref()) else {
        return Ok(());
    };
    if given.is_some_and(|given| same(given.as_bytes(), expected.as_bytes())) {
        return Ok(());
    }
    Err(Problem::new(
        Code::CsrfFailed,
        "Reload the page and send the form again; it did not carry this session's token.",
    ))
}

/// The form token of the caller's console session, for pages that draw forms; empty for others.
pub fn form_token(extensions: &Extensions) -> String {
    let token = Known::of(extensions).and_then(|known| known.form_token.as_ref());
    token.map_or_else(String::new, ToString::to_string)
}

fn same(a: &[u8], b: &[u8]) -> bool {
    aws_lc_rs::constant_time::verify_slices_are_equal(a, b).is_ok()
}
