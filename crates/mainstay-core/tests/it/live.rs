//! The live channel over real sockets.

mod bounds;
mod resume;
mod streams;
mod topics;

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::{SinkExt as _, StreamExt as _};
use mainstay_core::{
    auth::{self, Auth, Caller, Credential, NewAccount, PasswordCost, Role, Scopes, Secrets},
    cache::Tag,
    clock::Clock,
    contract::{
        account::{ApiKey, Session},
        id::User,
    },
    db::{Db, Location, Position},
    error::{Code, Problem},
    http::{
        middleware::{Gate, GateSettings, Limits},
        router,
        server::{ServerSettings, serve},
    },
    ids,
    limit::Limit,
    live::{
        Figures, Filter, Live, LiveMessage, LiveSettings, Origin, Subscription, TopicKind, api,
    },
    telemetry::{HttpMetrics, Metrics},
};
use serde_json::{Value, json};
use tokio::{net::TcpStream, sync::watch, task::JoinHandle};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream,
    tungstenite::{self, Message, client::IntoClientRequest as _},
};

/// Nothing takes this long unless it hangs.
const HANG: Duration = Duration::from_secs(20);

/// A running server with the topics `room:NAME` for everybody, `home` for the signed-in, and `broken`.
struct House {
    live: Live,
    clock: Clock,
    metrics: Metrics,
    auth: Auth,
    /// The records of accounts, gone with the house.
    _folder: tempfile::TempDir,
    address: SocketAddr,
    /// Bits of authors whose messages `home` does not show.
    blocked: Arc<Mutex<Vec<u128>>>,
    stop_live: watch::Sender<bool>,
    stop_server: watch::Sender<bool>,
    running: JoinHandle<()>,
    serving: JoinHandle<()>,
}

async fn house(settings: LiveSettings) -> House {
    let clock = Clock::system();
    let metrics = Metrics::new();
    let live = Live::new(settings, Figures::new(&metrics), clock.clone());
    let blocked = Arc::<Mutex<Vec<u128>>>::default();
    live.topic(room());
    live.topic(home(blocked.clone()));
    let folder = tempfile::tempdir().unwrap();
    let auth = accounts(folder.path(), clock.clone()).await;
    let gate_settings = GateSettings {
        in_flight_max: 1_000,
        header_bytes_max: 32 << 10,
        trusted_proxies: Vec::new(),
        cors_origins: Vec::new(),
        https: false,
    };
    let limits = Limits::new([Limit::per_s(1, 1); 5], false);
    let counted = HttpMetrics::new(&metrics);
    let gate = Gate::new(gate_settings, auth.clone(), clock.clone(), limits, counted, None);
    let gate = Arc::new(gate);
    let router = router::router(api::routes(&live), &gate).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop_live, stopped) = watch::channel(false);
    let running = tokio::spawn(live.clone().run(stopped));
    let (stop_server, mut stopped) = watch::channel(false);
    let serving = tokio::spawn(async move {
        let stop = async move { drop(stopped.wait_for(|stop| *stop).await) };
        serve(listener, router, ServerSettings::default(), stop).await;
    });
    House {
        live,
        clock,
        metrics,
        auth,
        _folder: folder,
        address,
        blocked,
        stop_live,
        stop_server,
        running,
        serving,
    }
}

pub(super) async fn accounts(folder: &std::path::Path, clock: Clock) -> Auth {
    let location = Location::Sqlite { folder: folder.to_owned(), durable: false };
    let db = Db::open(&location, "core", auth::MIGRATIONS, clock.clone()).await.unwrap();
    // These tests are not about what a password costs.
    let password_cost = PasswordCost { memory_kib: 64, passes: 1, lanes: 1 };
    let settings = auth::Settings { password_cost, ..Default::default() };
    Auth::open(db, &Secrets { master: [7; 32] }, settings, clock).await.unwrap()
}

fn room() -> TopicKind {
    TopicKind {
        prefix: "room",
        resolve: Arc::new(|_, name| {
            Box::pin(async move {
                if name == "secret" {
                    return Err(Problem::new(Code::NotFound, "There is no such room."));
                }
                Ok(Subscription::to(Tag::text("room", &name)))
            })
        }),
    }
}

fn home(blocked: Arc<Mutex<Vec<u128>>>) -> TopicKind {
    TopicKind {
        prefix: "home",
        resolve: Arc::new(move |caller, _| {
            let blocked = blocked.clone();
            Box::pin(async move {
                if caller.is_none() {
                    return Err(Problem::new(Code::Unauthenticated, "Sign in first."));
                }
                let filter: Filter = Arc::new(move |message: &LiveMessage| {
                    !blocked.lock().unwrap().contains(&message.about[0])
                });
                Ok(Subscription::to(Tag::named("posts")).filtered(filter))
            })
        }),
    }
}

fn message(n: i64) -> LiveMessage {
    let origin = Origin { log: "demo", log_epoch: 7, position: Position { xid: n, seq: n } };
    LiveMessage::new("said", &json!({ "n": n }), origin).unwrap()
}

fn person() -> Caller {
    let clock = Clock::system();
    Caller {
        user: ids::new_id::<User>(clock.now()),
        handle: "ada".into(),
        role: Role::User,
        credential: Credential::Session(ids::new_id::<Session>(clock.now())),
    }
}

/// A WebSocket client.
struct Client(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl House {
    fn say(&self, room: &str, n: i64) {
        self.live.publish(Tag::text("room", room), message(n));
    }

    async fn connect_with(
        &self,
        query: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Client, tungstenite::Error> {
        let address = format!("ws://{}/api/v1/live{query}", self.address);
        let mut request = address.into_client_request().unwrap();
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().unwrap());
        }
        let (socket, _) = tokio_tungstenite::connect_async(request).await?;
        Ok(Client(socket))
    }

    async fn connect(&self) -> Client {
        self.connect_with("", &[]).await.unwrap()
    }

    async fn connect_as(&self, caller: &Caller) -> Client {
        let ticket = self.live.ticket(caller.clone()).unwrap();
        self.connect_with(&format!("?ticket={ticket}"), &[]).await.unwrap()
    }

    /// Ends everything and sees that it ends.
    async fn end(self) {
        self.stop_live.send_replace(true);
        self.stop_server.send_replace(true);
        within(self.running).await.unwrap();
        within(self.serving).await.unwrap();
    }
}

impl Client {
    async fn send(&mut self, value: Value) {
        self.0.send(Message::text(value.to_string())).await.unwrap();
    }

    /// The next message that is JSON.
    async fn next(&mut self) -> Value {
        loop {
            match within(self.0.next()).await.unwrap().unwrap() {
                Message::Text(text) => return serde_json::from_str(&text).unwrap(),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Subscribes one topic and takes the answer to it.
    async fn subscribe(&mut self, topic: &str, after: Option<&str>) -> Value {
        self.send(json!({ "subscribe": [topic], "after": after })).await;
        let answer = self.next().await;
        assert_eq!(answer["topic"], topic);
        answer
    }

    /// Reads until the server closes: the code and the reason.
    async fn closing(&mut self) -> (u16, String) {
        loop {
            match within(self.0.next()).await.unwrap().unwrap() {
                Message::Close(frame) => {
                    let frame = frame.unwrap();
                    return (frame.code.into(), frame.reason.to_string());
                }
                _ => continue,
            }
        }
    }
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(HANG, work).await.unwrap()
}

/// Waits until `done`, looking whenever other tasks had their turn.
async fn until(done: impl Fn() -> bool) {
    within(async {
        while !done() {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// The status of an upgrade that was refused.
fn status(refused: Result<Client, tungstenite::Error>) -> u16 {
    match refused {
        Err(tungstenite::Error::Http(response)) => response.status().as_u16(),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("connected"),
    }
}
