//! What handlers take from a request. Each failure is a [`Problem`] that says what to correct.

use std::{borrow::Cow, convert::Infallible, str::FromStr};

use axum::{
    extract::{FromRequest, FromRequestParts, Request},
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{Extensions, HeaderMap, header, request::Parts};
use http_body_util::BodyExt as _;
use serde::{
    Deserialize,
    de::{DeserializeOwned, IgnoredAny},
};

use super::{
    key::Key,
    middleware::Known,
    router::PathParams,
    wording::{Said, say},
};
use crate::{
    auth::Caller,
    db::Once,
    error::{Code, Fault, Problem},
};

/// The caller; `401` for strangers, but the middleware has seen to that on every route that is not public.
impl<S: Sync> FromRequestParts<S> for Caller {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        caller(&parts.extensions).cloned().ok_or_else(|| {
            Problem::new(Code::Unauthenticated, "Sign in and send the access token.")
                .into_response()
        })
    }
}

fn caller(extensions: &Extensions) -> Option<&Caller> {
    Known::of(extensions)?.caller.as_ref()
}

/// The caller, if one is known. A bad token is an error before the handler, never a stranger.
#[derive(Debug, Clone)]
pub struct MaybeCaller(pub Option<Caller>);

impl<S: Sync> FromRequestParts<S> for MaybeCaller {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        Ok(Self(caller(&parts.extensions).cloned()))
    }
}

/// Where the request came from, as the middleware found it, for the audit log.
#[derive(Debug, Clone)]
pub struct Origin(pub String);

impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Infallible> {
        let known = Known::of(&parts.extensions);
        Ok(Self(known.map_or_else(String::new, |known| known.address.to_string())))
    }
}

/// The one parameter of the path. A text that cannot be such a thing is not found: there is none of that name.
#[derive(Debug, Clone, Copy)]
pub struct Path<T>(pub T);

impl<S: Send + Sync, T: FromStr> FromRequestParts<S> for Path<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        let params = parts.extensions.get::<PathParams>();
        let value = params.and_then(|PathParams(values)| values.first()?.as_ref()?.parse().ok());
        value.map(Self).ok_or_else(|| not_found().into_response())
    }
}

/// The two parameters of the path.
#[derive(Debug, Clone, Copy)]
pub struct Path2<A, B>(pub A, pub B);

impl<S: Send + Sync, A: FromStr, B: FromStr> FromRequestParts<S> for Path2<A, B> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        let params = parts.extensions.get::<PathParams>();
        let values = params.and_then(|PathParams(values)| match values.as_slice() {
            [Some(a), Some(b)] => Some((a.parse().ok()?, b.parse().ok()?)),
            _ => None,
        });
        values.map(|(a, b)| Self(a, b)).ok_or_else(|| not_found().into_response())
    }
}

fn not_found() -> Problem {
    Problem::new(Code::NotFound, "There is nothing here, or it is not for you to see.")
}

/// The query parameters.
#[derive(Debug, Clone)]
pub struct Query<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequestParts<S> for Query<T> {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        let text = parts.uri.query().unwrap_or_default();
        // A cursor is looked at as a whole where it is opened.
        if let Some((name, _)) = nul_in(text.as_bytes()).filter(|(name, _)| name != "cursor") {
            return Err(unread(Fault::new(format!("?{name}"), "malformed", NO_NUL)).into_response());
        }
        let pairs =
            serde_urlencoded::Deserializer::new(url::form_urlencoded::parse(text.as_bytes()));
        serde_path_to_error::deserialize(pairs).map(Self).map_err(|error| {
            let Said { code, field, detail } = say(&error.inner().to_string());
            let name = field.unwrap_or_else(|| error.path().to_string());
            let fault = Fault::new(format!("?{name}"), code.unwrap_or("malformed"), detail);
            unread(fault).into_response()
        })
    }
}

fn unread(fault: Fault) -> Problem {
    let detail = "A parameter in the address cannot be read; see `errors`.";
    let mut problem = Problem::new(Code::MalformedParameter, detail);
    problem.faults = vec![fault];
    problem
}

/// What is said of a text with a NUL, which no text of a person has and Postgres does not keep.
const NO_NUL: &str = "Leave the character NUL (U+0000) out.";

/// The first pair of a query or form that has a NUL.
fn nul_in(text: &[u8]) -> Option<(Cow<'_, str>, Cow<'_, str>)> {
    if memchr::memmem::find(text, b"%00").is_none() && memchr::memchr(0, text).is_none() {
        return None;
    }
    url::form_urlencoded::parse(text)
        .find(|(name, value)| name.contains('\0') || value.contains('\0'))
}

/// Whether a text in this JSON has a NUL: it can only stand as an escape, after an even number of backslashes.
fn has_nul_escape(json: &[u8]) -> bool {
    memchr::memmem::find_iter(json, b"\\u0000").any(|at| {
        let before = json.get(..at).unwrap_or_default();
        before.iter().rev().take_while(|byte| **byte == b'\\').count() % 2 == 0
    })
}

/// `limit` and `cursor` of a list.
#[derive(Debug, Clone, Default, Deserialize, schemars::JsonSchema)]
#[serde(default)]
pub struct PageQuery {
    /// How many items, 1 to 100; 20 if absent.
    #[schemars(range(min = 1, max = 100))]
    pub limit: Option<u32>,
    /// `next_cursor` of the page before.
    pub cursor: Option<String>,
}

impl PageQuery {
    /// How many items.
    ///
    /// # Errors
    /// `Invalid` outside of 1 to 100.
    pub fn limit(&self) -> Result<usize, Problem> {
        match self.limit.unwrap_or(20) {
            limit @ 1..=100 => Ok(limit as usize),
            _ => Err(Problem::invalid(vec![Fault::new(
                "?limit",
                "out_of_range",
                "Ask for 1 to 100 items.",
            )])),
        }
    }
}

/// A JSON body, and the idempotency key if the caller sent one.
#[derive(Debug)]
pub struct Body<T> {
    /// What was sent.
    pub value: T,
    /// The key, bound to the caller, the route and these bytes.
    pub once: Option<Once>,
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Response> {
        read_json(request).await.map_err(IntoResponse::into_response)
    }
}

/// A JSON body, or its defaults if none was sent, and the idempotency key if the caller sent one.
#[derive(Debug)]
pub struct MaybeBody<T> {
    /// What was sent.
    pub value: T,
    /// The key, bound to the caller, the route and these bytes.
    pub once: Option<Once>,
}

impl<S: Sync, T: DeserializeOwned + Default> FromRequest<S> for MaybeBody<T> {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Response> {
        let headers = request.headers();
        let sent = headers.contains_key(header::CONTENT_TYPE)
            || headers.contains_key(header::TRANSFER_ENCODING)
            || headers.get(header::CONTENT_LENGTH).is_some_and(|length| length != "0");
        if !sent {
            let (mut parts, _empty) = request.into_parts();
            let NoBody { once } = NoBody::from_request_parts(&mut parts, state).await?;
            return Ok(Self { value: T::default(), once });
        }
        let read = async {
            let (bytes, once) = json_body(request).await?;
            let value = if bytes.is_empty() { T::default() } else { one_value(&bytes)? };
            Ok::<_, Problem>(Self { value, once })
        };
        read.await.map_err(IntoResponse::into_response)
    }
}

async fn read_json<T: DeserializeOwned>(request: Request) -> Result<Body<T>, Problem> {
    let (bytes, once) = json_body(request).await?;
    Ok(Body { value: one_value(&bytes)?, once })
}

/// The bytes of a body that says it is JSON, and the idempotency key.
async fn json_body(request: Request) -> Result<(Bytes, Option<Once>), Problem> {
    if !is_json(request.headers()) {
        let detail = "Send JSON with `Content-Type: application/json`.";
        return Err(Problem::new(Code::UnsupportedMediaType, detail));
    }
    let (parts, body) = request.into_parts();
    let bytes = whole_body(body).await?;
    let once = Key::of(&parts)?.over(&[&bytes]);
    Ok((bytes, once))
}

fn one_value<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    // Serde would read a struct from a list of its fields' values, which no document of ours allows.
    if is_list(bytes) && serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
        let detail = "Send a JSON object.".to_owned();
        return Err(Problem::invalid(vec![Fault::new("", "wrong_shape", detail)]));
    }
    if has_nul_escape(bytes) {
        return Err(Problem::invalid(vec![Fault::new("", "malformed", NO_NUL)]));
    }
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json)
        .map_err(|error| not_this_shape(bytes, &error.path().to_string(), error.inner()))?;
    json.end().map_err(|error| not_this_shape(bytes, "", &error))?;
    Ok(value)
}

/// What `value` says, read as a body is that came over the network.
///
/// # Errors
/// `Invalid`, with the place at which it has another shape.
pub fn read_value<T: DeserializeOwned>(value: &serde_json::Value) -> Result<T, Problem> {
    one_value(value.to_string().as_bytes())
}

fn is_list(bytes: &[u8]) -> bool {
    bytes.trim_ascii_start().first() == Some(&b'[')
}

/// One thing, or several in a list: for routes that a loop would call otherwise.
#[derive(Debug)]
pub enum OneOrList<T> {
    /// An object.
    One(T),
    /// A list; what could not be read of it stands in its place as the problem that it would be alone.
    List(Vec<Result<T, Problem>>),
}

impl<T: schemars::JsonSchema> schemars::JsonSchema for OneOrList<T> {
    fn schema_name() -> Cow<'static, str> {
        format!("{}OrList", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<T>();
        let list = generator.subschema_for::<Vec<T>>();
        schemars::json_schema!({ "anyOf": [one, list] })
    }
}

/// A JSON body of one thing or a list, and the idempotency key if the caller sent one.
#[derive(Debug)]
pub struct ListBody<T> {
    /// What was sent.
    pub value: OneOrList<T>,
    /// The key, bound to the caller, the route and these bytes.
    pub once: Option<Once>,
}

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for ListBody<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Response> {
        read_list(request).await.map_err(IntoResponse::into_response)
    }
}

async fn read_list<T: DeserializeOwned>(request: Request) -> Result<ListBody<T>, Problem> {
    let (bytes, once) = json_body(request).await?;
    if !is_list(&bytes) {
        return Ok(ListBody { value: OneOrList::One(one_value(&bytes)?), once });
    }
    let items: Vec<&serde_json::value::RawValue> =
        serde_json::from_slice(&bytes).map_err(|error| not_this_shape(&bytes, "", &error))?;
    let items = items.into_iter().map(|item| one_value(item.get().as_bytes())).collect();
    Ok(ListBody { value: OneOrList::List(items), once })
}

/// Malformed JSON is 400; JSON of another shape is 422 with a pointer to the place.
fn not_this_shape(bytes: &[u8], path: &str, error: &serde_json::Error) -> Problem {
    let said = error.to_string();
    // Where one of several shapes is wanted and none of them is there, the library says that it is no JSON.
    let is_json = || {
        said.starts_with("expected value") && serde_json::from_slice::<IgnoredAny>(bytes).is_ok()
    };
    if !error.is_data() && !is_json() {
        let detail = format!("The body is not JSON: {error}.");
        return Problem::new(Code::MalformedBody, detail);
    }
    let Said { code, field, detail } = say(&said);
    let mut pointer = match path {
        "" | "." => String::new(),
        path => format!("/{}", path.replace(['.', '['], "/").replace(']', "")),
    };
    // A field that is not known is the end of the path already.
    if let Some(field) =
        field.filter(|field| code != Some("unknown") || !pointer.ends_with(&format!("/{field}")))
    {
        pointer = format!("{pointer}/{}", field.replace('~', "~0").replace('/', "~1"));
    }
    Problem::invalid(vec![Fault::new(pointer, code.unwrap_or("wrong_shape"), detail)])
}

fn is_json(headers: &HeaderMap) -> bool {
    let value =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim();
    essence.eq_ignore_ascii_case("application/json")
        || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// Reads a body whose length the middleware has bounded.
pub(crate) async fn whole_body(body: axum::body::Body) -> Result<Bytes, Problem> {
    body.collect().await.map(http_body_util::Collected::to_bytes).map_err(body_failed)
}

/// Why a body could not be read: too long, or the caller went away.
pub fn body_failed(error: axum::Error) -> Problem {
    let inner = error.into_inner();
    if inner.downcast_ref::<http_body_util::LengthLimitError>().is_some() {
        return Problem::new(Code::TooLarge, "The body is larger than this route takes.");
    }
    Problem::new(Code::MalformedBody, "The body ended before all of it had arrived.").because(inner)
}

/// No body, and the idempotency key if the caller sent one.
#[derive(Debug)]
pub struct NoBody {
    /// The key, bound to the caller and the route.
    pub once: Option<Once>,
}

impl<S: Sync> FromRequestParts<S> for NoBody {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        let key = Key::of(parts).map_err(IntoResponse::into_response)?;
        Ok(Self { once: key.over(&[]) })
    }
}

/// A form of the console. The hidden field `csrf` has been compared with the session's.
#[derive(Debug)]
pub struct Form<T>(pub T);

impl<S: Sync, T: DeserializeOwned> FromRequest<S> for Form<T> {
    type Rejection = Response;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Response> {
        read_form(request).await.map(Self).map_err(IntoResponse::into_response)
    }
}

async fn read_form<T: DeserializeOwned>(request: Request) -> Result<T, Problem> {
    let (parts, body) = request.into_parts();
    let bytes = whole_body(body).await?;
    let given = url::form_urlencoded::parse(&bytes).find(|(name, _)| name == "csrf");
    super::middleware::check_form_token(
        &parts.extensions,
        given.as_ref().map(|(_, value)| value.as_ref()),
    )?;
    if let Some((name, _)) = nul_in(&bytes) {
        return Err(Problem::invalid(vec![Fault::new(format!("/{name}"), "malformed", NO_NUL)]));
    }
    let pairs = url::form_urlencoded::parse(&bytes).filter(|(name, _)| name != "csrf");
    let text: String =
        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    serde_urlencoded::from_str(&text).map_err(|error| {
        Problem::new(Code::MalformedBody, format!("The form cannot be read: {error}."))
    })
}
