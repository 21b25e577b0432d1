//! Somebody who talks to a program over HTTP, and what they are answered.
#![expect(clippy::panic, reason = "a test that cannot go on must fail")]

use std::{future::IntoFuture, net::SocketAddr, pin::Pin, sync::Arc};

use http::{HeaderMap, HeaderName, Method, header};
use serde_json::Value;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use super::{
    contract::Contract,
    listener::{Listener, Source, Transport},
};

const BOUNDARY: &str = "the-boundary-of-a-test";
const CHUNK_BYTES: usize = 64 << 10;

/// A stranger or a person. Cloning is cheap.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    address: SocketAddr,
    contract: Arc<Contract>,
    token: Option<String>,
    /// Who it is, as `user_…`; empty for a stranger.
    pub id: String,
    /// The handle; empty for a stranger.
    pub handle: String,
}

impl Client {
    pub(super) fn new(http: reqwest::Client, address: SocketAddr, contract: Arc<Contract>) -> Self {
        let (id, handle) = (String::new(), String::new());
        Self { http, address, contract, token: None, id, handle }
    }

    /// A stranger to any program that listens at `address`; answers are not compared with a document.
    ///
    /// # Panics
    /// If the system gives no client.
    pub fn stranger_at(address: SocketAddr) -> Self {
        let http = reqwest::Client::builder().no_proxy().build();
        let http = http.unwrap_or_else(|error| panic!("failed to make a client: {error}"));
        Self::new(http, address, Arc::new(Contract::new(Value::Null)))
    }

    /// The same person at another address, such as that of the program after a restart.
    #[must_use]
    pub fn moved_to(&self, address: SocketAddr) -> Self {
        Self { address, ..self.clone() }
    }

    /// The person whom a registration or sign-in has answered with.
    ///
    /// # Panics
    /// If it is no such answer.
    #[must_use]
    pub fn signed_in(self, answer: &Value) -> Self {
        let text = |value: &Value| match value.as_str() {
            Some(text) => text.to_owned(),
            None => panic!("{answer} is no sign-in"),
        };
        let user = &answer["user"];
        let (id, handle) = (text(&user["id"]), text(&user["handle"]));
        Self { token: Some(text(&answer["access_token"])), id, handle, ..self }
    }

    /// The same person with another access token or API key.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The same person at another instance.
    #[must_use]
    pub fn at(&self, other: &super::Program) -> Self {
        let (http, address) = (other.http.clone(), other.address);
        Self { http, address, ..self.clone() }
    }

    /// The access token; empty for a stranger.
    pub fn token(&self) -> &str {
        self.token.as_deref().unwrap_or_default()
    }

    /// A request that is sent when it is awaited.
    pub fn request(&self, method: Method, path: &str) -> Request {
        let url = format!("http://{}{path}", self.address);
        let mut request = self.http.request(method.clone(), url);
        if let Some(token) = &self.token {
            request = request.bearer_auth(token);
        }
        Request { method, path: path.to_owned(), request, contract: self.contract.clone() }
    }

    /// `GET path`.
    pub fn get(&self, path: &str) -> Request {
        self.request(Method::GET, path)
    }

    /// `POST path` with JSON.
    pub fn post(&self, path: &str, body: Value) -> Request {
        self.request(Method::POST, path).json(&body)
    }

    /// `PATCH path` with JSON.
    pub fn patch(&self, path: &str, body: Value) -> Request {
        self.request(Method::PATCH, path).json(&body)
    }

    /// `PUT path` without a body.
    pub fn put(&self, path: &str) -> Request {
        self.request(Method::PUT, path)
    }

    /// `DELETE path`.
    pub fn delete(&self, path: &str) -> Request {
        self.request(Method::DELETE, path)
    }

    /// Listens to live topics, such as `post:post_…,home`, on an event stream.
    ///
    /// # Panics
    /// If the stream is refused.
    pub async fn listen(&self, topics: &str) -> Listener {
        self.listen_on(Transport::EventStream, topics, "").await
    }

    /// Listens to live topics over this transport, from where `after` was received; from now on if it is empty.
    ///
    /// # Panics
    /// If the connection is refused.
    pub async fn listen_on(&self, transport: Transport, topics: &str, after: &str) -> Listener {
        match transport {
            Transport::EventStream => {
                let path = format!("/api/v1/live/sse?topics={topics}&after={after}");
                match self.get(&path).request.send().await {
                    Ok(response) if response.status().is_success() => {
                        Listener::new(Source::EventStream { response, rest: String::new() })
                    }
                    refused => panic!("{topics} cannot be listened to: {refused:?}"),
                }
            }
            Transport::WebSocket => {
                let mut listener = Listener::new(self.open_socket("/api/v1/live").await);
                let topics: Vec<&str> = topics.split(',').collect();
                let after = (!after.is_empty()).then_some(after);
                listener.subscribe(&topics, after).await;
                listener
            }
        }
    }

    /// Listens to a WebSocket at an address of its own, which needs no subscribing.
    ///
    /// # Panics
    /// If the connection is refused.
    pub async fn listen_at(&self, path: &str) -> Listener {
        Listener::new(self.open_socket(path).await)
    }

    async fn open_socket(&self, path: &str) -> Source {
        let mut request = match format!("ws://{}{path}", self.address).into_client_request() {
            Ok(request) => request,
            Err(error) => panic!("a WebSocket cannot be asked for: {error}"),
        };
        if let Some(token) = &self.token
            && let Ok(value) = format!("Bearer {token}").parse()
        {
            request.headers_mut().insert(header::AUTHORIZATION, value);
        }
        match tokio_tungstenite::connect_async(request).await {
            Ok((socket, _)) => Source::WebSocket(Box::new(socket)),
            Err(error) => panic!("the WebSocket is refused: {error}"),
        }
    }

    /// Uploads a file in the part `file`.
    pub fn upload(&self, name: &str, bytes: &[u8]) -> Request {
        self.request(Method::POST, "/api/v1/media").body(&form_type(), form(name, bytes))
    }

    /// The same without saying how long it is.
    pub fn upload_in_chunks(&self, name: &str, bytes: &[u8]) -> Request {
        let body = form(name, bytes);
        let chunks: Vec<Result<Vec<u8>, std::io::Error>> =
            body.chunks(CHUNK_BYTES).map(|chunk| Ok(chunk.to_vec())).collect();
        let body = reqwest::Body::wrap_stream(futures_util::stream::iter(chunks));
        let mut request = self.request(Method::POST, "/api/v1/media");
        request.request = request.request.header(header::CONTENT_TYPE, form_type()).body(body);
        request
    }
}

fn form_type() -> String {
    format!("multipart/form-data; boundary={BOUNDARY}")
}

fn form(name: &str, bytes: &[u8]) -> Vec<u8> {
    let head = format!(
        "--{BOUNDARY}\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\n\
         content-type: application/octet-stream\r\n\r\n"
    );
    [head.as_bytes(), bytes, format!("\r\n--{BOUNDARY}--\r\n").as_bytes()].concat()
}

/// A request that is sent when it is awaited.
#[must_use = "a request is sent when it is awaited"]
pub struct Request {
    method: Method,
    path: String,
    request: reqwest::RequestBuilder,
    contract: Arc<Contract>,
}

impl Request {
    /// The same with a header.
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.request = self.request.header(name, value);
        self
    }

    /// The same with an idempotency key.
    pub fn once(self, key: &str) -> Self {
        self.header("idempotency-key", key)
    }

    /// The same with JSON.
    pub fn json(self, body: &Value) -> Self {
        self.body("application/json", body.to_string())
    }

    /// The same with a body of any type.
    pub fn body(mut self, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        self.request = self.request.header(header::CONTENT_TYPE, content_type).body(body.into());
        self
    }
}

impl Request {
    /// What it was answered with; an error if the program went away before all of the answer was there.
    ///
    /// # Errors
    /// What the connection says.
    pub async fn attempt(self) -> Result<Answer, reqwest::Error> {
        let Self { method, path, request, contract } = self;
        let response = request.send().await?;
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        let body = response.bytes().await?.to_vec();
        let answer = Answer { asked: format!("{method} {path}"), status, headers, body };
        contract.check(&method, &path, status, answer.header(header::CONTENT_TYPE.as_str()));
        Ok(answer)
    }
}

impl IntoFuture for Request {
    type Output = Answer;
    type IntoFuture = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(async move {
            let asked = format!("{} {}", self.method, self.path);
            self.attempt().await.unwrap_or_else(|error| lost(&asked, &error))
        })
    }
}

fn lost(asked: &str, error: &reqwest::Error) -> Answer {
    panic!("{asked} was not answered: {error:?}")
}

/// What a request was answered with.
#[derive(Debug)]
pub struct Answer {
    asked: String,
    /// The status.
    pub status: u16,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The JSON of an answer with this status; null if there is no body.
    ///
    /// # Panics
    /// If the status is another, with the body.
    #[track_caller]
    pub fn expect(self, status: u16) -> Value {
        assert_eq!(self.status, status, "{}: {}", self.asked, String::from_utf8_lossy(&self.body));
        self.json()
    }

    /// The problem of an answer with this status and code, after a look at its form.
    ///
    /// # Panics
    /// If it is another answer, with its body.
    #[track_caller]
    pub fn expect_problem(self, status: u16, code: &str) -> Value {
        let said = format!("{}: {}", self.asked, String::from_utf8_lossy(&self.body));
        assert_eq!(self.status, status, "{said}");
        assert_eq!(self.header("content-type"), "application/problem+json", "{said}");
        let problem = self.json();
        assert_eq!(problem["code"], code, "{said}");
        assert_eq!(problem["status"], status, "{said}");
        assert!(problem["request_id"].as_str().is_some_and(|id| !id.is_empty()), "{said}");
        assert!(problem["detail"].as_str().is_some_and(|text| !text.is_empty()), "{said}");
        problem
    }

    /// A header's text; empty if it is not there.
    pub fn header(&self, name: &str) -> &str {
        let name: Option<HeaderName> = name.parse().ok();
        let value = name.and_then(|name| self.headers.get(name));
        value.and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body as JSON; null if it is empty.
    ///
    /// # Panics
    /// If it is something else.
    #[track_caller]
    pub fn json(&self) -> Value {
        if self.body.is_empty() {
            return Value::Null;
        }
        serde_json::from_slice(&self.body).unwrap_or_else(|error| {
            let body = String::from_utf8_lossy(&self.body);
            panic!("{}: the answer is not JSON: {error}: {body}", self.asked)
        })
    }
}

/// The `id` of what was answered.
///
/// # Panics
/// If it has none.
#[track_caller]
pub fn id_of(value: &Value) -> &str {
    value["id"].as_str().unwrap_or_else(|| panic!("{value} has no id"))
}
