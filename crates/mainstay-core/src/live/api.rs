//! The routes of the live channel.

use axum::{
    extract::{
        FromRequestParts, State,
        ws::{WebSocketUpgrade, rejection::WebSocketUpgradeRejection},
    },
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, Uri, header, request::Parts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Live, Place, protocol, socket, stream, ticket::TICKET_LIFE, topics};
use crate::{
    auth::{Caller, Scope},
    error::{Code, Fault, Problem},
    http::{
        Access, Created, LimitClass, MaybeCaller, Query, Route,
        middleware::{ClientAddress, RequestId},
        route::Routes,
    },
};

/// What a connection starts with besides messages; more is allocated when they come.
const BUFFER_BYTES: usize = 4 << 10;
/// Written bytes that the socket holds at most while the client does not read.
const WRITTEN_BYTES_MAX: usize = 1 << 20;

/// The WebSocket, the event stream, and the tickets for both.
pub fn routes(live: &Live) -> Vec<Route> {
    let raw = Routes::raw(live, "Live");
    let api = Routes::api(live, "Live");
    vec![
        raw.get("/api/v1/live", open_socket)
            .about("Follow topics over a WebSocket")
            .limit(LimitClass::Read)
            .timeout_ms(0),
        raw.get("/api/v1/live/sse", open_stream)
            .about("Follow topics as an event stream")
            .limit(LimitClass::Read)
            .timeout_ms(0),
        api.post("/api/v1/live/tickets", issue_ticket)
            .about("Get a ticket for one live connection")
            .details(
                "For clients that cannot send `Authorization` when they connect: `GET /api/v1/live?ticket=` or \
                 `GET /api/v1/live/sse?topics=&ticket=`. A ticket is good once, within 60 s, at this instance.",
            )
            .access(Access::SignedIn(Scope::Read))
            .unkeyed()
            .answers::<TicketView>(201)
            .refuses(&[Code::RateLimited, Code::Overloaded]),
    ]
}

/// A ticket for one live connection.
#[derive(Debug, Serialize, JsonSchema)]
struct TicketView {
    /// Send it as `?ticket=`.
    ticket: String,
    /// How long it can be used.
    expires_in_s: u64,
}

/// What may stand in the address.
#[derive(Debug, Deserialize)]
pub(super) struct LiveQuery {
    ticket: Option<String>,
    /// Of the event stream: the topics, separated by commas.
    topics: Option<String>,
    /// Of the event stream: the last `id`, for clients that cannot send `Last-Event-ID`.
    after: Option<String>,
}

async fn issue_ticket(
    State(live): State<Live>,
    caller: Caller,
) -> Result<Created<TicketView>, Problem> {
    let ticket = live.ticket(caller)?;
    Ok(Created(TicketView { ticket, expires_in_s: TICKET_LIFE.as_secs() }))
}

/// The upgrade, if the request asks for one; what is wrong with it is answered after the caller was looked at.
pub(super) struct Upgrade(pub(super) Result<WebSocketUpgrade, WebSocketUpgradeRejection>);

impl<S: Send + Sync> FromRequestParts<S> for Upgrade {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self(WebSocketUpgrade::from_request_parts(parts, state).await))
    }
}

/// Everything about the request that decides who may connect.
pub(super) type Asked = (MaybeCaller, ClientAddress, HeaderMap, Uri, Query<LiveQuery>);

async fn open_socket(
    State(live): State<Live>,
    request_id: RequestId,
    asked: Asked,
    Upgrade(upgrade): Upgrade,
) -> Response {
    let upgrade = match upgrade {
        Ok(upgrade) => upgrade,
        Err(rejection) => return no_upgrade(&rejection).into_response(),
    };
    let place = match admit(&live, &asked) {
        Ok(place) => place,
        Err(problem) => return problem.into_response(),
    };
    bounded(upgrade)
        .on_upgrade(move |socket| socket::serve(socket, place, request_id.0.to_string()))
}

/// The upgrade with our bounds.
pub(super) fn bounded(upgrade: WebSocketUpgrade) -> WebSocketUpgrade {
    upgrade
        .max_message_size(socket::MESSAGE_BYTES_MAX)
        .max_frame_size(socket::MESSAGE_BYTES_MAX)
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_write_buffer_size(WRITTEN_BYTES_MAX)
}

pub(super) fn no_upgrade(rejection: &WebSocketUpgradeRejection) -> Problem {
    let detail = "Open this address as a WebSocket (version 13), or use /api/v1/live/sse for an event stream.";
    Problem::new(Code::UpgradeRequired, detail).because(rejection.to_string())
}

async fn open_stream(
    State(live): State<Live>,
    request_id: RequestId,
    asked: Asked,
) -> Result<Response, Problem> {
    let place = admit(&live, &asked)?;
    let (_, _, headers, _, Query(query)) = &asked;
    let names: Vec<String> = query
        .topics
        .iter()
        .flat_map(|topics| topics.split(','))
        .filter(|name| !name.is_empty())
        .map(str::to_owned)
        .collect();
    let most = live.inner.hub.settings.topics_max;
    if names.is_empty() || names.len() > most {
        let detail = format!("Name 1 to {most} topics, separated by commas.");
        return Err(Problem::invalid(vec![Fault::new("?topics", "out_of_range", detail)]));
    }
    let given = headers.get("last-event-id").and_then(|id| id.to_str().ok());
    let after = given.or(query.after.as_deref()).filter(|after| !after.is_empty());
    follow(place, &names, after, &request_id.0).await
}

/// Begins the topics of an event stream. When the caller gets none of them the answer is the first one's problem.
async fn follow(
    place: Place,
    names: &[String],
    after: Option<&str>,
    request_id: &str,
) -> Result<Response, Problem> {
    let mut resolved = place.resolve(names).await;
    if resolved.new.is_empty() && !resolved.refused.is_empty() {
        return Err(resolved.refused.swap_remove(0).1);
    }
    let mut answers = Vec::new();
    for (topic, problem) in &resolved.refused {
        topics::log_refusal(topic, problem, request_id);
        answers.push(protocol::refused(topic, problem, request_id));
    }
    let from = place.live.inner.hub.begin(&place.conn, resolved.new, after, answers, false);
    Ok(stream::answer(place, &from))
}

/// Looks at where the request comes from and who sends it, and takes a place.
pub(super) fn admit(live: &Live, asked: &Asked) -> Result<Place, Problem> {
    let (MaybeCaller(caller), address, headers, uri, Query(query)) = asked;
    check_origin(headers, uri, &live.inner.hub.settings.origins)?;
    let caller = match &query.ticket {
        Some(ticket) => Some(live.inner.tickets.redeem(ticket, live.inner.clock.now())?),
        None => caller.clone(),
    };
    if caller.as_ref().is_some_and(|caller| !caller.has(Scope::Read)) {
        return Err(Problem::new(Code::Forbidden, "The API key does not have the scope for this."));
    }
    live.enter(caller, address.0)
}

/// Another site's page may not connect with a visitor's cookie: browsers say where a request comes from.
fn check_origin(headers: &HeaderMap, uri: &Uri, allowed: &[String]) -> Result<(), Problem> {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("null"));
    let ours = match text("origin") {
        Some(origin) => {
            let host = text(header::HOST.as_str()).or(uri.authority().map(|it| it.as_str()));
            let from = origin.split_once("://").map(|(_, authority)| authority);
            let same = from.zip(host).is_some_and(|(from, host)| from.eq_ignore_ascii_case(host));
            same || allowed.iter().any(|one| one.eq_ignore_ascii_case(origin))
        }
        None => text("sec-fetch-site").is_none_or(|site| site == "same-origin" || site == "none"),
    };
    if ours {
        return Ok(());
    }
    let detail = "This site's pages may not connect here; the operator names other origins in `http.cors_origins`.";
    Err(Problem::new(Code::Forbidden, detail))
}
