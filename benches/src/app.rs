//! The program in this process: the same core, Feed and router as `mainstay serve`, without sockets. It makes people
//! and posts for the other benchmarks, and takes requests directly for those that measure without a network.

use std::{path::Path, time::Duration};

use anyhow::{Context as _, ensure};
use axum::body::Body;
use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::BodyExt as _;
use mainstay_contract::id::UserId;
use mainstay_core::{
    auth::{self, Auth, NewAccount, Origin, PasswordCost, load_or_create_master_key},
    blobs::Blobs,
    clock::Clock,
    db::{Location, PgSettings},
    http::{
        middleware::{GateSettings, Limits},
        router::Router,
        server::ServerSettings,
    },
    limit::Limit,
    live::LiveSettings,
    mount::{Core, CoreParts},
    program::{Program, ProgramSettings},
    telemetry::Metrics,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

/// How long the people of a benchmark stay signed in.
const SIGNED_IN_S: i64 = 6 * 3_600;

/// The program, opened on a data folder. Rate limits and the access log are off.
pub struct App {
    program: Program,
    router: Router,
    auth: Auth,
}

/// Somebody who is signed in.
#[derive(Debug, Clone)]
pub struct Person {
    /// Who.
    pub id: UserId,
    /// The value of their `Authorization` header.
    pub authorization: String,
}

/// SQLite files in the data folder, where `mainstay serve` has them, durable.
///
/// # Errors
/// If the folder cannot be made.
pub fn sqlite(data: &Path) -> anyhow::Result<Location> {
    let folder = data.join("db");
    std::fs::create_dir_all(&folder).context("make the database's folder")?;
    Ok(Location::Sqlite { folder, durable: true })
}

/// A Postgres database as `mainstay serve` reaches it by default.
pub fn postgres(url: &str) -> Location {
    let url = url.to_owned();
    Location::Postgres(PgSettings { url, connections_max: 16, statement_timeout_ms: 10_000 })
}

impl App {
    /// Opens the program on `data` and starts what works in the background.
    ///
    /// # Errors
    /// If a part cannot be opened.
    pub async fn open(data: &Path, location: Location) -> anyhow::Result<Self> {
        let core = Core::open(CoreParts {
            clock: Clock::system(),
            location,
            blobs: Blobs::open(&data.join("blobs").display().to_string(), &Default::default())?,
            secrets: load_or_create_master_key(data)?,
            auth: auth::Settings {
                access_ttl_s: SIGNED_IN_S,
                recheck_s: SIGNED_IN_S,
                password_cost: PasswordCost { memory_kib: 64, passes: 1, lanes: 1 },
                password_queue_max: 4_096,
                ..auth::Settings::default()
            },
            live: LiveSettings::default(),
            metrics: Metrics::new(),
            redis: None,
        })
        .await?;
        let auth = core.auth.clone();
        let (_, feed) = svc_feed::mount(&core, svc_feed::Config::default()).await?;
        let mut program = Program::assemble(
            core,
            vec![feed],
            Vec::new(),
            ProgramSettings {
                gate: GateSettings {
                    in_flight_max: 4_096,
                    header_bytes_max: 32 << 10,
                    trusted_proxies: Vec::new(),
                    cors_origins: Vec::new(),
                    https: false,
                },
                limits: Limits::new([Limit::per_s(1, 1); 5], false),
                server: ServerSettings::default(),
                access: None,
                poll: Duration::from_millis(250),
                retention_days: 30,
                job_workers: 1,
                version: "bench".to_owned(),
            },
        )?;
        program.start();
        let router = program.router();
        Ok(Self { program, router, auth })
    }

    /// The router, which takes requests as the sockets would hand them over.
    pub fn router(&self) -> Router {
        self.router.clone()
    }

    /// Accounts and credentials, for a gate of the benchmark's own.
    pub fn auth(&self) -> Auth {
        self.auth.clone()
    }

    /// Registers `count` people and signs them in.
    ///
    /// # Errors
    /// If one is refused.
    pub async fn people(&self, count: usize) -> anyhow::Result<Vec<Person>> {
        let mut people = Vec::with_capacity(count);
        for number in 0..count {
            let handle = format!("person{number:05}");
            let new = NewAccount {
                email: format!("{handle}@example.org"),
                handle,
                password: "correct horse battery".to_owned(),
            };
            let signed_in = self.auth.register(new, &Origin::default()).await?;
            let authorization = format!("Bearer {}", signed_in.access_token);
            people.push(Person { id: signed_in.user.id, authorization });
        }
        Ok(people)
    }

    /// Uploads a picture for somebody and returns its id.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn upload(&self, person: &Person, picture: &[u8]) -> anyhow::Result<String> {
        let mut body =
            b"--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"p\"\r\n\r\n"
                .to_vec();
        body.extend_from_slice(picture);
        body.extend_from_slice(b"\r\n--b--\r\n");
        let request = Request::post("/api/v1/media")
            .header(header::CONTENT_TYPE, "multipart/form-data; boundary=b")
            .header(header::AUTHORIZATION, &person.authorization)
            .body(Body::from(body))?;
        let (status, answer) = self.send(request).await?;
        ensure!(status == StatusCode::CREATED, "an upload was answered {status}: {answer:?}");
        let answer: Value = serde_json::from_slice(&answer)?;
        Ok(answer["id"].as_str().context("an upload has no id")?.to_owned())
    }

    /// Writes a post for somebody and returns its id.
    ///
    /// # Errors
    /// If it is refused.
    pub async fn post(
        &self,
        person: &Person,
        caption: &str,
        media: &[String],
    ) -> anyhow::Result<String> {
        let body = json!({ "caption": caption, "media": media }).to_string();
        let request = post_request(person, body)?;
        let (status, answer) = self.send(request).await?;
        ensure!(status == StatusCode::CREATED, "a post was answered {status}: {answer:?}");
        let answer: Value = serde_json::from_slice(&answer)?;
        Ok(answer["id"].as_str().context("a post has no id")?.to_owned())
    }

    /// Sends a request without a body and returns the answer.
    ///
    /// # Errors
    /// If the body breaks off.
    pub async fn ask(
        &self,
        person: &Person,
        method: Method,
        path: &str,
    ) -> anyhow::Result<(StatusCode, Bytes)> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, &person.authorization);
        self.send(request.body(Body::empty())?).await
    }

    async fn send(&self, request: Request<Body>) -> anyhow::Result<(StatusCode, Bytes)> {
        send(self.router.clone(), request).await
    }

    /// Ends the background work and closes the records.
    pub async fn close(mut self) {
        self.program.end().await;
    }
}

/// A request that writes a post.
///
/// # Errors
/// If the header is no header.
pub fn post_request(person: &Person, body: String) -> anyhow::Result<Request<Body>> {
    Ok(Request::post("/api/v1/posts")
        .header(header::CONTENT_TYPE, "application/json")
        .header(header::AUTHORIZATION, &person.authorization)
        .body(Body::from(body))?)
}

/// Hands a request to a router and returns the answer.
///
/// # Errors
/// If the body breaks off.
pub async fn send(router: Router, request: Request<Body>) -> anyhow::Result<(StatusCode, Bytes)> {
    let answer = match router.oneshot(request).await {
        Ok(answer) => answer,
        Err(never) => match never {},
    };
    let status = answer.status();
    Ok((status, answer.into_body().collect().await?.to_bytes()))
}
