//! Connections over real sockets: which methods an address takes, and who may hold a connection for how long.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{body::Body, response::Response};
use bytes::Bytes;
use http::{StatusCode, header};
use mainstay_core::{
    clock::Clock,
    http::{
        middleware::{Gate, GateSettings, Limits},
        reply::whole,
        route::Routes,
        router::router,
        server::{ServerSettings, serve},
    },
    limit::Limit,
    telemetry::{HttpMetrics, Metrics},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    sync::{mpsc, watch},
    task::JoinHandle,
};

use mainstay_testkit::program::{Engine, Setup};

use crate::live::accounts;

/// Nothing takes this long unless it hangs.
const HANG: Duration = Duration::from_secs(20);
/// How long a head may take.
const HEAD: Duration = Duration::from_millis(100);
const ORIGIN: &str = "https://elsewhere.example";

/// A server with `GET /whole`, and `GET /slow`, whose pieces the test hands in.
struct House {
    address: SocketAddr,
    pieces: mpsc::Sender<Bytes>,
    stop: watch::Sender<bool>,
    serving: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl House {
    async fn start() -> Self {
        Self::start_with(ServerSettings::default().idle_timeout).await
    }

    async fn start_with(idle_timeout: Duration) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let auth = accounts(folder.path(), Clock::system()).await;
        let settings = GateSettings {
            in_flight_max: 100,
            header_bytes_max: 32 << 10,
            trusted_proxies: Vec::new(),
            cors_origins: vec![ORIGIN.to_owned()],
            https: false,
        };
        let limits = Limits::new([Limit::per_s(1, 1); 5], false);
        let metrics = HttpMetrics::new(&Metrics::new());
        let gate = Arc::new(Gate::new(settings, auth, Clock::system(), limits, metrics, None));
        let (pieces, handed) = mpsc::channel(4);
        let handed = Arc::new(Mutex::new(Some(handed)));
        let routes = Routes::raw(&(), "Test");
        let slow = move || {
            let handed = handed.lock().unwrap().take();
            let pieces = futures_util::stream::unfold(handed, |handed| async {
                let mut handed = handed?;
                let piece: Bytes = handed.recv().await?;
                Some((Ok::<_, std::io::Error>(piece), Some(handed)))
            });
            std::future::ready(Response::new(Body::from_stream(pieces)))
        };
        let whole = async || whole(StatusCode::OK, "text/plain", "the whole answer");
        let routes = vec![routes.get("/whole", whole), routes.get("/slow", slow)];
        let router = router(routes, &gate).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let settings =
            ServerSettings { header_timeout: HEAD, idle_timeout, ..ServerSettings::default() };
        let (stop, mut stopped) = watch::channel(false);
        let serving = tokio::spawn(async move {
            let stop = async move { drop(stopped.wait_for(|stop| *stop).await) };
            serve(listener, router, settings, stop).await;
        });
        Self { address, pieces, stop, serving, _folder: folder }
    }

    /// A connection on which `bytes` were sent.
    async fn send(&self, bytes: &str) -> TcpStream {
        let mut connection = TcpStream::connect(self.address).await.unwrap();
        connection.write_all(bytes.as_bytes()).await.unwrap();
        connection
    }

    /// Everything that is answered to a request that asks for the connection's end.
    async fn answer(&self, first_line: &str, headers: &str) -> String {
        let request = format!("{first_line}\r\nhost: test\r\nconnection: close\r\n{headers}\r\n");
        read_to_end(&mut self.send(&request).await).await.to_lowercase()
    }

    async fn end(self) {
        self.stop.send_replace(true);
        drop(self.pieces);
        self.serving.await.unwrap();
    }
}

async fn read_to_end(connection: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    tokio::time::timeout(HANG, connection.read_to_end(&mut bytes)).await.unwrap().unwrap();
    String::from_utf8(bytes).unwrap()
}

/// Reads until `text` has come.
async fn read_until(connection: &mut TcpStream, text: &str) {
    let mut read = Vec::new();
    let reading = async {
        while !String::from_utf8_lossy(&read).contains(text) {
            assert!(connection.read_buf(&mut read).await.unwrap() > 0, "it ended before {text}");
        }
    };
    tokio::time::timeout(HANG, reading).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_sends_nothing_or_half_a_head_is_ended_and_who_waits_for_an_answer_is_not() {
    let house = House::start_with(HEAD).await;
    let mut slow = house.send("GET /slow HTTP/1.1\r\nhost: test\r\n\r\n").await;
    house.pieces.send("one".into()).await.unwrap();
    read_until(&mut slow, "one").await;
    // Three ways to hold a connection without asking for anything; their end shows that the time is over.
    for held in ["", "GET /who", "PRI * HTTP/2.0\r\n"] {
        let answer = read_to_end(&mut house.send(held).await).await;
        assert_eq!(answer, "", "{held:?}");
    }
    house.pieces.send("two".into()).await.unwrap();
    read_until(&mut slow, "two").await;
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_may_be_quiet_between_two_requests() {
    let house = House::start().await;
    let asked = "GET /whole HTTP/1.1\r\nhost: test\r\n\r\n";
    let mut kept = house.send(asked).await;
    read_until(&mut kept, "the whole answer").await;
    // Longer than a head may take, and than it may take to be noticed.
    for _ in 0..3 {
        assert_eq!(read_to_end(&mut house.send("").await).await, "");
    }
    kept.write_all(asked.as_bytes()).await.unwrap();
    read_until(&mut kept, "the whole answer").await;
    // The next head may not take longer than the first.
    kept.write_all(b"GET /who").await.unwrap();
    assert_eq!(read_to_end(&mut kept).await, "");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_get_without_the_body_and_another_method_is_told_what_there_is() {
    let house = House::start().await;
    let head = house.answer("HEAD /whole HTTP/1.1", "").await;
    assert!(head.starts_with("http/1.1 200") && head.contains("content-length: 16\r\n"), "{head}");
    assert!(head.ends_with("\r\n\r\n"), "{head}");
    let refused = house.answer("DELETE /whole HTTP/1.1", "").await;
    assert!(refused.starts_with("http/1.1 405"), "{refused}");
    assert!(refused.contains("allow: get, head\r\n"), "{refused}");
    assert!(refused.contains("\"code\":\"method_not_allowed\""), "{refused}");
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_of_a_named_origin_may_send_requests_and_no_other() {
    let house = House::start().await;
    let asks = "access-control-request-method: GET\r\n";
    let named = format!("{}: {ORIGIN}\r\n{asks}", header::ORIGIN);
    let answer = house.answer("OPTIONS /whole HTTP/1.1", &named).await;
    assert!(answer.starts_with("http/1.1 204"), "{answer}");
    assert!(answer.contains(&format!("access-control-allow-origin: {ORIGIN}\r\n")), "{answer}");
    assert!(answer.contains("access-control-allow-methods: get, head\r\n"), "{answer}");
    let other = format!("{}: https://other.example\r\n{asks}", header::ORIGIN);
    let answer = house.answer("OPTIONS /whole HTTP/1.1", &other).await;
    assert!(answer.starts_with("http/1.1 405"), "{answer}");
    assert!(!answer.contains("access-control-allow-origin"), "{answer}");
    house.end().await;
}

/// HTTP/1.1 and HTTP/2 alike, and as a problem like every other.
#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_is_too_large_is_refused_with_a_problem() {
    let house = House::start().await;
    let client = |http2: bool| {
        let builder = reqwest::Client::builder().no_proxy();
        if http2 { builder.http2_prior_knowledge() } else { builder }.build().unwrap()
    };
    let base = format!("http://{}/whole", house.address);
    for client in [client(false), client(true)] {
        let with_header = |bytes| client.get(&base).header("x-large", "x".repeat(bytes));
        let with_query = |bytes: usize| client.get(format!("{base}?{}", "q".repeat(bytes)));
        for fits in [with_header(31 << 10), with_query(8_180)] {
            assert_eq!(fits.send().await.unwrap().status(), 200);
        }
        for (request, status, code) in [
            (with_header(33 << 10), 431, "headers_too_large"),
            (with_query(8_200), 414, "uri_too_long"),
        ] {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.status(), status);
            assert_eq!(answer.headers()[header::CONTENT_TYPE], "application/problem+json");
            let problem: serde_json::Value =
                serde_json::from_slice(&answer.bytes().await.unwrap()).unwrap();
            assert_eq!(problem["code"], code);
        }
        // Far above, the library refuses it without reading on.
        let far = with_header(100 << 10).send().await;
        assert!(far.is_err() || far.is_ok_and(|answer| answer.status() == 431));
    }
    house.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bound_on_headers_holds_however_small() {
    let setup = Setup::of(&[]).set("http.header_bytes_max", "1024");
    let house = setup.start(Engine::Sqlite).await;
    let with_header = |bytes| house.stranger().get("/health").header("x-large", &"x".repeat(bytes));
    with_header(500).await.expect(200);
    with_header(1_024).await.expect_problem(431, "headers_too_large");
    house.end().await;
}
