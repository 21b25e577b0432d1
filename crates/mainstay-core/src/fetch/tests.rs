//! Real servers on loopback, as an attacker would set them up.
#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use axum::{
    Router,
    body::Body,
    response::{IntoResponse, Redirect},
    routing::get,
};
use bytes::Bytes;
use futures_util::{FutureExt, stream};
use http::{HeaderMap, StatusCode};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};

use super::{FetchError, FetchLimits, Fetched, Fetcher, Resolver};

/// Serves `router` on a free loopback port for the rest of the test.
async fn serve(router: Router) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    address
}

/// Answers every connection with these bytes and then holds it open.
async fn serve_raw(answer: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut socket, _peer)) = listener.accept().await {
            let mut request = [0; 2_048];
            if socket.read(&mut request).await.is_ok() && socket.write_all(answer).await.is_ok() {
                open.push(socket);
            }
        }
    });
    address
}

/// Counts who comes, and answers.
async fn serve_counted() -> (SocketAddr, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&calls);
    let router = Router::new().fallback(move || {
        counted.fetch_add(1, Ordering::SeqCst);
        std::future::ready("secret")
    });
    (serve(router).await, calls)
}

fn limits(allow: &[SocketAddr]) -> FetchLimits {
    let allow =
        allow.iter().map(|a| format!("{}/32:{}", a.ip(), a.port()).parse().unwrap()).collect();
    FetchLimits { total: Duration::from_secs(20), max_bytes: 1_000, allow }
}

async fn whole(mut fetched: Fetched) -> Result<Vec<u8>, FetchError> {
    let mut body = Vec::new();
    while let Some(chunk) = fetched.chunk().await? {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

async fn refusal(fetcher: &Fetcher, url: &str) -> FetchError {
    match fetcher.get(url).await {
        Err(error) => error,
        Ok(fetched) => whole(fetched).await.err().unwrap(),
    }
}

/// Gives one answer after another; the last one for ever.
fn answers(list: Vec<Vec<IpAddr>>) -> (Resolver, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let resolver: Resolver = Arc::new(move |_host| {
        let turn = counter.fetch_add(1, Ordering::SeqCst).min(list.len() - 1);
        std::future::ready(Ok(list[turn].clone())).boxed()
    });
    (resolver, asked)
}

#[tokio::test]
async fn an_allowed_address_is_fetched_without_anything_that_tells_who_we_are() {
    let router = Router::new().route(
        "/picture",
        get(async |headers: HeaderMap| {
            for name in ["cookie", "referer", "authorization", "x-forwarded-for"] {
                assert!(!headers.contains_key(name), "{name}");
            }
            ([("content-type", "image/png")], "bytes")
        }),
    );
    let server = serve(router).await;
    let fetcher = Fetcher::new(limits(&[server]));
    let fetched = fetcher.get(&format!("http://{server}/picture#part")).await.unwrap();
    assert_eq!(fetched.content_type.as_deref(), Some("image/png"));
    assert_eq!(whole(fetched).await.unwrap(), b"bytes");
}

#[tokio::test]
async fn private_hosts_are_refused_in_every_spelling() {
    let (server, calls) = serve_counted().await;
    let port = server.port();
    let fetcher = Fetcher::new(limits(&[]));
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[::]",
        "localhost",
        "LOCALHOST",
        "①②⑦.0.0.1",
        "169.254.169.254",
        "10.0.0.1",
        "[fd00:ec2::254]",
    ] {
        for url in [format!("http://{host}:{port}/"), format!("http://{host}/")] {
            let error = refusal(&fetcher, &url).await;
            assert!(matches!(error, FetchError::RefusedAddress { .. }), "{url}: {error}");
        }
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn urls_that_are_not_plain_http_are_refused() {
    let fetcher = Fetcher::new(limits(&[]));
    for url in [
        "",
        "picture.jpg",
        "//example.org/x",
        "ftp://example.org/x",
        "file:///etc/passwd",
        "gopher://example.org/",
        "data:image/png;base64,AAAA",
        "http://user@example.org/",
        "http://user:secret@example.org/",
        "http://:secret@example.org/",
        "http://",
        "http:///",
    ] {
        let error = refusal(&fetcher, url).await;
        let other = matches!(error, FetchError::NotResolvable { .. }) && url == "http:///";
        assert!(matches!(error, FetchError::BadUrl { .. }) || other, "{url}: {error}");
    }
    let long = format!("http://example.org/{}", "x".repeat(5_000));
    assert!(matches!(refusal(&fetcher, &long).await, FetchError::BadUrl { .. }));
}

#[tokio::test]
async fn other_ports_of_public_hosts_are_refused() {
    let fetcher = Fetcher::new(limits(&[]));
    let error = refusal(&fetcher, "http://1.1.1.1:22/").await;
    assert!(matches!(error, FetchError::RefusedPort { port: 22 }), "{error}");
}

#[tokio::test]
async fn an_exception_for_one_port_does_not_open_another() {
    let (allowed, _calls) = serve_counted().await;
    let (private, calls) = serve_counted().await;
    let fetcher = Fetcher::new(limits(&[allowed]));
    assert!(fetcher.get(&format!("http://{allowed}/")).await.is_ok());
    let error = refusal(&fetcher, &format!("http://{private}/")).await;
    assert!(matches!(error, FetchError::RefusedAddress { .. }), "{error}");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_into_the_private_network_is_refused() {
    let (private, calls) = serve_counted().await;
    for target in [
        format!("http://{private}/"),
        format!("http://localhost:{}/", private.port()),
        format!("//[::ffff:127.0.0.1]:{}/", private.port()),
        "http://127.0.0.2/".to_owned(),
    ] {
        let to = target.clone();
        let redirect = get(move || std::future::ready(Redirect::temporary(&to)));
        let server = serve(Router::new().route("/", redirect)).await;
        let fetcher = Fetcher::new(limits(&[server]));
        let error = refusal(&fetcher, &format!("http://{server}/")).await;
        assert!(matches!(error, FetchError::RefusedAddress { .. }), "{target}: {error}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn a_redirect_to_another_scheme_or_with_a_password_is_refused() {
    for target in ["file:///etc/passwd", "http://user:secret@127.0.0.1/", "gopher://127.0.0.1/"] {
        let redirect = get(move || std::future::ready(Redirect::temporary(target)));
        let server = serve(Router::new().route("/", redirect)).await;
        let fetcher = Fetcher::new(limits(&[server]));
        let error = refusal(&fetcher, &format!("http://{server}/")).await;
        assert!(matches!(error, FetchError::BadUrl { .. }), "{target}: {error}");
    }
}

#[test]
fn a_redirect_from_https_to_http_is_refused() {
    let from = "https://example.org/a".parse().unwrap();
    let answer = |to: &str| {
        let answer = http::Response::builder().status(302).header("location", to);
        reqwest::Response::from(answer.body("").unwrap())
    };
    let down = super::next_url(&from, &answer("http://example.org/a"));
    assert!(matches!(down, Err(FetchError::Downgraded)));
    let next = super::next_url(&from, &answer("/b")).unwrap().unwrap();
    assert_eq!(next.as_str(), "https://example.org/b");
}

#[tokio::test]
async fn three_redirects_are_followed_and_a_fourth_is_not() {
    let hops = Router::new()
        .route("/4", get(async || Redirect::permanent("/3")))
        .route("/3", get(async || Redirect::to("/2")))
        .route("/2", get(async || Redirect::temporary("1")))
        .route("/1", get(async || (StatusCode::FOUND, [("location", "/0")])))
        .route("/0", get(async || "here"));
    let server = serve(hops).await;
    let fetcher = Fetcher::new(limits(&[server]));
    let fetched = fetcher.get(&format!("http://{server}/3")).await.unwrap();
    assert_eq!(fetched.url.path(), "/0");
    assert_eq!(whole(fetched).await.unwrap(), b"here");
    let error = refusal(&fetcher, &format!("http://{server}/4")).await;
    assert!(matches!(error, FetchError::TooManyRedirects), "{error}");
}

#[tokio::test]
async fn a_resolvers_second_answer_is_never_used() {
    let (server, calls) = serve_counted().await;
    // The first answer may be fetched; the second is where the attacker wants to get. Both are loopback, and only the
    // first is allowed, so the server would answer on either.
    let first = vec![server.ip()];
    let second = vec![IpAddr::from([127, 0, 0, 2])];
    let (resolver, asked) = answers(vec![first, second]);
    let fetcher = Fetcher::with_resolver(limits(&[server]), resolver);
    let url = format!("http://rebinding.example:{}/", server.port());
    let fetched = fetcher.get(&url).await.unwrap();
    assert_eq!(whole(fetched).await.unwrap(), b"secret");
    assert_eq!(asked.load(Ordering::SeqCst), 1, "one look-up for check and connection together");
    assert_eq!(calls.load(Ordering::SeqCst), 1);
    let error = refusal(&fetcher, &url).await;
    assert!(matches!(error, FetchError::RefusedAddress { .. }), "{error}");
    assert_eq!(calls.load(Ordering::SeqCst), 1, "the refused answer was not connected to");
}

#[tokio::test]
async fn a_redirect_to_the_same_name_is_resolved_and_checked_anew() {
    let redirect = Router::new().route("/", get(async || Redirect::temporary("/next")));
    let server = serve(redirect).await;
    let (resolver, asked) =
        answers(vec![vec![server.ip()], vec![IpAddr::from([169, 254, 169, 254])]]);
    let fetcher = Fetcher::with_resolver(limits(&[server]), resolver);
    let url = format!("http://rebinding.example:{}/", server.port());
    let error = refusal(&fetcher, &url).await;
    assert!(matches!(error, FetchError::RefusedAddress { .. }), "{error}");
    assert_eq!(asked.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn one_private_address_among_public_ones_refuses_the_host() {
    let (server, calls) = serve_counted().await;
    let mixed = vec![IpAddr::from([1, 1, 1, 1]), server.ip()];
    let (resolver, _asked) = answers(vec![mixed]);
    let fetcher = Fetcher::with_resolver(limits(&[]), resolver);
    let error = refusal(&fetcher, "http://mixed.example/").await;
    assert!(matches!(error, FetchError::RefusedAddress { .. }), "{error}");
    assert_eq!(calls.load(Ordering::SeqCst), 0);
}

#[tokio::test]
async fn names_without_addresses_say_so() {
    let (empty, _asked) = answers(vec![vec![]]);
    let failing: Resolver =
        Arc::new(|_host| std::future::ready(Err(io::Error::from(io::ErrorKind::NotFound))).boxed());
    for resolver in [empty, failing] {
        let fetcher = Fetcher::with_resolver(limits(&[]), resolver);
        let error = refusal(&fetcher, "http://nowhere.example/").await;
        assert!(matches!(error, FetchError::NotResolvable { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_cut_whatever_its_length_says() {
    let chunks = get(async || {
        Body::from_stream(stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[7; 100]))))
    });
    let exact = get(async || vec![7; 1_000]);
    let router = Router::new()
        .route("/endless", chunks)
        .route("/1000", exact)
        .route("/1001", get(async || vec![7; 1_001]));
    let server = serve(router).await;
    let fetcher = Fetcher::new(limits(&[server]));
    for path in ["endless", "1001"] {
        let error = refusal(&fetcher, &format!("http://{server}/{path}")).await;
        assert!(matches!(error, FetchError::TooLarge { max_bytes: 1_000 }), "{path}: {error}");
    }
    let fetched = fetcher.get(&format!("http://{server}/1000")).await.unwrap();
    assert_eq!(whole(fetched).await.unwrap().len(), 1_000);
}

#[tokio::test]
async fn a_length_that_lies_is_an_error_and_not_half_a_file() {
    let short = serve_short().await;
    let fetcher = Fetcher::new(limits(&[short]));
    let error = refusal(&fetcher, &format!("http://{short}/")).await;
    assert!(matches!(error, FetchError::Unreachable { .. }), "{error}");
}

/// Announces 10 bytes, sends 3 and hangs up.
async fn serve_short() -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut socket, _peer)) = listener.accept().await {
            let mut request = [0; 2_048];
            if socket.read(&mut request).await.is_ok() {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc";
                socket.write_all(answer).await.unwrap();
            }
        }
    });
    address
}

#[tokio::test]
async fn silence_and_a_body_that_never_ends_time_out() {
    let silent = serve_raw(b"").await;
    let half_a_header = serve_raw(b"HTTP/1.1 200 OK\r\ncontent-").await;
    let half_a_body = serve_raw(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nabc").await;
    for server in [silent, half_a_header, half_a_body] {
        let total = Duration::from_millis(200);
        let fetcher = Fetcher::new(FetchLimits { total, ..limits(&[server]) });
        let error = refusal(&fetcher, &format!("http://{server}/")).await;
        assert!(matches!(error, FetchError::TimedOut { .. }), "{error}");
    }
}

#[tokio::test]
async fn a_resolver_that_never_answers_times_out() {
    let resolver: Resolver = Arc::new(|_host| std::future::pending().boxed());
    let total = Duration::from_millis(200);
    let fetcher = Fetcher::with_resolver(FetchLimits { total, ..limits(&[]) }, resolver);
    let error = refusal(&fetcher, "http://slow.example/").await;
    assert!(matches!(error, FetchError::TimedOut { .. }), "{error}");
}

#[tokio::test]
async fn answers_that_are_not_the_file_are_told_by_their_status() {
    let router = Router::new()
        .route("/missing", get(async || StatusCode::NOT_FOUND))
        .route("/partial", get(async || StatusCode::PARTIAL_CONTENT))
        .route("/nowhere", get(async || StatusCode::FOUND.into_response()))
        .route("/broken", get(async || (StatusCode::FOUND, [("location", "http://[")])));
    let server = serve(router).await;
    let fetcher = Fetcher::new(limits(&[server]));
    for (path, code) in [("missing", 404), ("partial", 206), ("nowhere", 302), ("broken", 302)] {
        let error = refusal(&fetcher, &format!("http://{server}/{path}")).await;
        let FetchError::BadStatus { status } = &error else { unreachable!("{path}: {error}") };
        assert_eq!(status.as_u16(), code, "{path}");
    }
}
