//! Fetches what a user's URL points to, without becoming the user's arm into the private network (SSRF).
//!
//! For every hop: the URL is checked, its host is resolved once, **every** address of the answer is checked, and the
//! connection goes to exactly those addresses. Nothing looks the name up again, so a second answer (DNS rebinding) has
//! no use. Redirects are followed here, not by the client, each as a new hop. No proxy, cookies or referrer.
//!
//! Reading order: this file, then `fetch/address.rs` for which addresses are public.

use std::{
    error::Error,
    future::Future,
    io,
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use futures_util::{Stream, future::BoxFuture, stream};
use http::{StatusCode, header};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use tokio::time::{Instant, timeout_at};
use url::{Host, Url};

mod address;

pub use address::{Allow, NotAnAllow};

/// Turns a host name into its addresses; the bound on time is the fetch's.
pub type Resolver =
    Arc<dyn Fn(String) -> BoxFuture<'static, io::Result<Vec<IpAddr>>> + Send + Sync>;

/// Redirects that are followed; the next one is an error.
const REDIRECTS_MAX: usize = 3;
/// Addresses of one name that are looked at; a longer answer is refused.
const ADDRESSES_MAX: usize = 32;
/// The longest URL that is taken.
const URL_BYTES_MAX: usize = 4_096;

/// Why a URL was not fetched, in words for the user who gave it.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// Not a URL, or not one that is fetched.
    #[error("the address cannot be fetched: {reason}")]
    BadUrl {
        /// What to change.
        reason: &'static str,
    },
    /// The host, or where it redirects, is private, local or reserved.
    #[error("{host} is not a public address; give the URL of a public server")]
    RefusedAddress {
        /// The host as in the URL.
        host: String,
    },
    /// Neither 80 nor 443.
    #[error("port {port} is not fetched from; use a URL on port 80 or 443")]
    RefusedPort {
        /// The port.
        port: u16,
    },
    /// The name has no address.
    #[error("{host} cannot be found; check the spelling of the URL")]
    NotResolvable {
        /// The host as in the URL.
        host: String,
        /// What the resolver said, if anything.
        #[source]
        source: Option<io::Error>,
    },
    /// From https to http.
    #[error("the server redirects from https to http; give the https URL of the file itself")]
    Downgraded,
    /// More than three hops.
    #[error(
        "the server redirects more than {REDIRECTS_MAX} times; give the URL of the file itself"
    )]
    TooManyRedirects,
    /// The answer is longer than the bound.
    #[error("the file is larger than {max_bytes} bytes; give a smaller one")]
    TooLarge {
        /// The bound.
        max_bytes: u64,
    },
    /// The bound on the whole fetch is over.
    #[error(
        "the server did not send the file within {} s; try again or upload the file",
        .after.as_secs_f32()
    )]
    TimedOut {
        /// The bound.
        after: Duration,
    },
    /// The server answered, but not with the file.
    #[error(
        "the server answers with status {}; check that the URL opens without signing in",
        .status.as_u16()
    )]
    BadStatus {
        /// The status.
        status: StatusCode,
    },
    /// No connection, no TLS, or the connection broke.
    #[error("the server cannot be reached or broke off; try again or upload the file")]
    Unreachable {
        /// What happened.
        #[source]
        source: Box<dyn Error + Send + Sync>,
    },
}

/// Bounds and exceptions of a [`Fetcher`].
#[derive(Debug, Clone)]
pub struct FetchLimits {
    /// From the first look-up to the last byte, all hops together.
    pub total: Duration,
    /// The longest body.
    pub max_bytes: u64,
    /// Addresses and ports that are fetched although they are not public; empty in production.
    pub allow: Vec<Allow>,
}

/// Fetches URLs within [`FetchLimits`]. A clone shares everything.
#[derive(Clone)]
pub struct Fetcher {
    limits: Arc<FetchLimits>,
    resolver: Resolver,
}

impl std::fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Fetcher").field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// An answer whose body has not been read.
#[derive(Debug)]
pub struct Fetched {
    /// Where it came from, after redirects.
    pub url: Url,
    /// What the server says it is; for information, never to be believed.
    pub content_type: Option<String>,
    response: reqwest::Response,
    deadline: Instant,
    left_bytes: u64,
    limits: Arc<FetchLimits>,
}

impl Fetcher {
    /// A fetcher that asks the system's resolver.
    pub fn new(limits: FetchLimits) -> Self {
        Self::with_resolver(limits, Arc::new(|host| Box::pin(look_up(host))))
    }

    /// A fetcher that asks `resolver`, once for each hop.
    pub fn with_resolver(limits: FetchLimits, resolver: Resolver) -> Self {
        Self { limits: Arc::new(limits), resolver }
    }

    /// Asks for `url` with GET and follows at most three redirects; the body waits in the answer.
    ///
    /// # Errors
    /// Every [`FetchError`]. `TooLarge` here if the server announces too much.
    pub async fn get(&self, url: &str) -> Result<Fetched, FetchError> {
        let deadline = Instant::now() + self.limits.total;
        let fetched = within(deadline, &self.limits, self.follow(url, deadline)).await?;
        if fetched.response.content_length().is_some_and(|length| length > fetched.left_bytes) {
            return Err(FetchError::TooLarge { max_bytes: self.limits.max_bytes });
        }
        Ok(fetched)
    }

    async fn follow(&self, url: &str, deadline: Instant) -> Result<Fetched, FetchError> {
        let mut url = parse(url)?;
        for _hop in 0..=REDIRECTS_MAX {
            let response = self.hop(&url, deadline).await?;
            let status = response.status();
            if status == StatusCode::OK {
                let content_type = response.headers().get(header::CONTENT_TYPE);
                return Ok(Fetched {
                    url,
                    content_type: content_type.and_then(|v| v.to_str().ok()).map(str::to_owned),
                    response,
                    deadline,
                    left_bytes: self.limits.max_bytes,
                    limits: Arc::clone(&self.limits),
                });
            }
            url = next_url(&url, &response)?.ok_or(FetchError::BadStatus { status })?;
        }
        Err(FetchError::TooManyRedirects)
    }

    /// One request to one checked set of addresses.
    async fn hop(&self, url: &Url, deadline: Instant) -> Result<reqwest::Response, FetchError> {
        let addresses = self.checked_addresses(url).await?;
        let client = reqwest::Client::builder()
            .dns_resolver(Arc::new(Pinned(addresses.clone())))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .referer(false)
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .timeout(deadline.saturating_duration_since(Instant::now()))
            .user_agent(concat!("Mainstay/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(unreachable_because)?;
        let request = client.get(url.clone()).header(header::ACCEPT, "image/*, video/*, */*;q=0.1");
        let response = request.send().await.map_err(|error| self.failed(error))?;
        // The client was given nothing but these addresses; if it went elsewhere all the same, its answer is refused.
        if response.remote_addr().is_some_and(|peer| !addresses.contains(&peer)) {
            return Err(FetchError::RefusedAddress { host: host_text(url) });
        }
        Ok(response)
    }

    /// The addresses of `url`'s host, if each of them may be fetched from.
    async fn checked_addresses(&self, url: &Url) -> Result<Vec<SocketAddr>, FetchError> {
        let port = url.port_or_known_default().unwrap_or(0);
        let host = host_text(url);
        let found = match url.host() {
            Some(Host::Ipv4(v4)) => vec![IpAddr::V4(v4)],
            Some(Host::Ipv6(v6)) => vec![IpAddr::V6(v6)],
            Some(Host::Domain(name)) => match (self.resolver)(name.to_owned()).await {
                Ok(found) => found,
                Err(error) => {
                    return Err(FetchError::NotResolvable { host, source: Some(error) });
                }
            },
            None => return Err(FetchError::BadUrl { reason: "it names no server" }),
        };
        if found.is_empty() {
            return Err(FetchError::NotResolvable { host, source: None });
        }
        if found.len() > ADDRESSES_MAX {
            return Err(FetchError::RefusedAddress { host });
        }
        for address in &found {
            if self.limits.allow.iter().any(|allow| allow.permits(*address, port)) {
                continue;
            }
            if !address::is_public(*address) {
                return Err(FetchError::RefusedAddress { host });
            }
            if port != 80 && port != 443 {
                return Err(FetchError::RefusedPort { port });
            }
        }
        Ok(found.into_iter().map(|address| SocketAddr::new(address, port)).collect())
    }

    fn failed(&self, error: reqwest::Error) -> FetchError {
        failed(error, &self.limits)
    }
}

impl Fetched {
    /// The next bytes of the body; `None` at its end.
    ///
    /// # Errors
    /// `TooLarge` as soon as the body passes the bound, whatever length was announced; `TimedOut`; `Unreachable`.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, FetchError> {
        let limits = Arc::clone(&self.limits);
        let next = async { self.response.chunk().await.map_err(|error| failed(error, &limits)) };
        let chunk = within(self.deadline, &self.limits, next).await?;
        if let Some(chunk) = &chunk {
            self.left_bytes = self
                .left_bytes
                .checked_sub(chunk.len() as u64)
                .ok_or(FetchError::TooLarge { max_bytes: self.limits.max_bytes })?;
        }
        Ok(chunk)
    }

    /// The body as a stream of [`Fetched::chunk`]s; an error ends it.
    pub fn into_body(self) -> impl Stream<Item = Result<Bytes, FetchError>> + Send {
        stream::unfold(Some(self), async |fetched| {
            let mut fetched = fetched?;
            match fetched.chunk().await {
                Ok(Some(chunk)) => Some((Ok(chunk), Some(fetched))),
                Ok(None) => None,
                Err(error) => Some((Err(error), None)),
            }
        })
    }
}

/// The client's resolver: whatever it is asked, the checked addresses.
struct Pinned(Vec<SocketAddr>);

impl Resolve for Pinned {
    fn resolve(&self, _name: Name) -> Resolving {
        let addresses: Addrs = Box::new(self.0.clone().into_iter());
        Box::pin(std::future::ready(Ok(addresses)))
    }
}

async fn look_up(host: String) -> io::Result<Vec<IpAddr>> {
    Ok(tokio::net::lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
}

fn parse(text: &str) -> Result<Url, FetchError> {
    let bad = |reason| Err(FetchError::BadUrl { reason });
    if text.len() > URL_BYTES_MAX {
        return bad("it is longer than 4096 bytes");
    }
    match Url::parse(text) {
        Ok(url) => check(url),
        Err(_unreadable) => bad("it is not a URL; write it like https://example.org/picture.jpg"),
    }
}

fn check(url: Url) -> Result<Url, FetchError> {
    let bad = |reason| Err(FetchError::BadUrl { reason });
    if !matches!(url.scheme(), "http" | "https") {
        return bad("only http and https are fetched");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return bad("it contains a user name or password; leave them out");
    }
    if url.as_str().len() > URL_BYTES_MAX {
        return bad("it is longer than 4096 bytes");
    }
    Ok(url)
}

/// Where a redirect leads, checked like a URL from the user; `None` if the answer is no redirect.
fn next_url(from: &Url, response: &reqwest::Response) -> Result<Option<Url>, FetchError> {
    if !matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let location = response.headers().get(header::LOCATION).and_then(|value| value.to_str().ok());
    let Some(to) = location.and_then(|text| from.join(text).ok()) else {
        return Ok(None);
    };
    if from.scheme() == "https" && to.scheme() == "http" {
        return Err(FetchError::Downgraded);
    }
    check(to).map(Some)
}

fn host_text(url: &Url) -> String {
    url.host_str().unwrap_or_default().to_owned()
}

async fn within<T>(
    deadline: Instant,
    limits: &FetchLimits,
    work: impl Future<Output = Result<T, FetchError>>,
) -> Result<T, FetchError> {
    match timeout_at(deadline, work).await {
        Ok(done) => done,
        Err(_elapsed) => Err(FetchError::TimedOut { after: limits.total }),
    }
}

fn failed(error: reqwest::Error, limits: &FetchLimits) -> FetchError {
    if error.is_timeout() {
        FetchError::TimedOut { after: limits.total }
    } else {
        unreachable_because(error)
    }
}

/// Without the URL, which may carry a secret in its query and would end up in the log.
fn unreachable_because(error: reqwest::Error) -> FetchError {
    FetchError::Unreachable { source: error.without_url().into() }
}

#[cfg(test)]
mod tests;
