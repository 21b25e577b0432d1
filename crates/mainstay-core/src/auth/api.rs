//! The routes of accounts. A handler takes, calls one use case and answers; rules are elsewhere.

use std::convert::Infallible;

use axum::{
    extract::{FromRequestParts, State},
    response::{IntoResponse, Response},
};
use http::{HeaderValue, header, request::Parts};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    Account, ApiKeyId, ApiKeyView, Auth, Caller, NewAccount, NewApiKey, Origin, Scope, SessionId,
    SessionView, SignOut, SignedIn,
};
use crate::{
    error::{Code, Problem},
    http::{
        Body, Created, Json, LimitClass, MaybeBody, NoContent, Path, Route,
        middleware::ClientAddress, route::Routes,
    },
};

/// The largest body of these routes.
const BODY_BYTES_MAX: usize = 8 << 10;
/// How long the old secret of a rotated key lives if the caller does not say.
const OVERLAP_S: i64 = 24 * 3_600;

/// The routes of accounts, sessions and API keys.
pub fn routes(auth: &Auth) -> Vec<Route> {
    let mut routes = sign_in_routes(&Routes::api(auth, "Accounts"));
    routes.extend(key_routes(&Routes::api(auth, "API keys")));
    routes
}

fn sign_in_routes(api: &Routes<Auth>) -> Vec<Route> {
    vec![
        api.post("/api/v1/auth/register", register)
            .about("Register and sign in")
            .public()
            .limit(LimitClass::Auth)
            .takes::<Register>(BODY_BYTES_MAX)
            .answers::<SignedIn>(201)
            .refuses(&[Code::Invalid, Code::Taken, Code::Overloaded, Code::Forbidden]),
        api.post("/api/v1/auth/login", login)
            .about("Sign in")
            .details("After several wrong passwords the answer is 429 for a while, also for the right one.")
            .public()
            .limit(LimitClass::Auth)
            .takes::<Login>(BODY_BYTES_MAX)
            .answers::<SignedIn>(200)
            .refuses(&[Code::Unauthenticated, Code::Suspended, Code::Overloaded]),
        api.post("/api/v1/auth/refresh", refresh)
            .about("Get the next pair of tokens")
            .details(
                "A refresh token is used once. The last one may be sent again for ten seconds and gives the same \
                 successor; an older one ends the session, because somebody holds a copy.",
            )
            .public()
            .limit(LimitClass::Auth)
            .takes::<Refresh>(BODY_BYTES_MAX)
            .answers::<SignedIn>(200)
            .refuses(&[Code::Unauthenticated, Code::Suspended]),
        api.post("/api/v1/auth/logout", logout)
            .about("Sign out, here or everywhere")
            .signed_in()
            .unkeyed()
            .may_take::<Logout>(BODY_BYTES_MAX)
            .answers_empty(204),
        api.get("/api/v1/me", me).about("The caller's account").signed_in().answers::<Account>(200),
        api.post("/api/v1/me/password", change_password)
            .about("Change one's password")
            .details(
                "Ends every other sign-in of the account; this one and API keys stay. A wrong present password counts \
                 like a wrong sign-in: after several the answer is 429 for a while.",
            )
            .limit(LimitClass::Auth)
            .takes::<ChangePassword>(BODY_BYTES_MAX)
            .answers_empty(204)
            .refuses(&[Code::Invalid, Code::Conflict, Code::Overloaded]),
        api.get("/api/v1/sessions", sessions)
            .about("The caller's sign-ins")
            .details("The one used last first, all of them: an account has at most 500.")
            .signed_in()
            .answers::<Sessions>(200),
        api.delete("/api/v1/sessions/{id}", end_session)
            .about("End a sign-in")
            .signed_in()
            .unkeyed()
            .answers_empty(204)
            .refuses(&[Code::NotFound]),
        api.get("/.well-known/jwks.json", jwks)
            .about("The keys that verify access tokens")
            .answers::<serde_json::Value>(200),
    ]
}

fn key_routes(api: &Routes<Auth>) -> Vec<Route> {
    vec![
        api.get("/api/v1/api-keys", api_keys)
            .about("The caller's API keys")
            .details("Oldest first, all of them: an account has at most 50.")
            .signed_in()
            .answers::<ApiKeys>(200),
        api.post("/api/v1/api-keys", create_api_key)
            .about("Make an API key")
            .details(
                "The secret is in this answer and nowhere else, so an idempotency key is not heeded here: a repeat makes \
                 another key.",
            )
            .signed_in()
            .unkeyed()
            .takes::<CreateApiKey>(BODY_BYTES_MAX)
            .answers::<NewApiKey>(201)
            .refuses(&[Code::Invalid, Code::Conflict]),
        api.delete("/api/v1/api-keys/{id}", revoke_api_key)
            .about("Revoke an API key")
            .signed_in()
            .unkeyed()
            .answers_empty(204)
            .refuses(&[Code::NotFound]),
        api.post("/api/v1/api-keys/{id}/rotate", rotate_api_key)
            .about("Give an API key a second secret")
            .signed_in()
            .unkeyed()
            .may_take::<RotateApiKey>(BODY_BYTES_MAX)
            .answers::<NewApiKey>(201)
            .refuses(&[Code::Invalid, Code::NotFound]),
    ]
}

/// What somebody registers with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Register {
    /// 3 to 30 letters from a to z, digits, `_` and `.`; shown in lower case.
    #[schemars(length(min = 3, max = 30), regex(pattern = r"^[A-Za-z0-9_.]+$"))]
    handle: String,
    /// An e-mail address.
    #[schemars(length(max = 254), email)]
    email: String,
    /// 8 to 256 characters, none of the most common passwords.
    #[schemars(length(min = 8, max = 256))]
    password: String,
}

/// What somebody signs in with.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Login {
    /// The handle or the e-mail address.
    login: String,
    /// The password.
    password: String,
}

/// The present password and the next.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct ChangePassword {
    /// The present one.
    current_password: String,
    /// 8 to 256 characters, none of the most common passwords, and not the present one.
    #[schemars(length(min = 8, max = 256))]
    new_password: String,
}

/// A refresh token.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Refresh {
    /// From the last answer.
    refresh_token: String,
}

/// What to sign out of.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct Logout {
    /// Every sign-in of the account, not only this one.
    everywhere: bool,
}

/// An API key to make.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct CreateApiKey {
    /// 1 to 100 characters, for the owner.
    #[schemars(length(min = 1, max = 100))]
    name: String,
    /// What it may be used for; nothing beyond the owner's role.
    #[schemars(length(min = 1))]
    scopes: Vec<Scope>,
}

/// How to rotate an API key.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
struct RotateApiKey {
    /// Seconds until the present secret ends, at most 90 days; a day if absent.
    #[schemars(range(min = 0, max = 7_776_000))]
    overlap_s: i64,
}

impl Default for RotateApiKey {
    fn default() -> Self {
        Self { overlap_s: OVERLAP_S }
    }
}

/// The caller's sign-ins, all of them.
#[derive(Serialize, JsonSchema)]
struct Sessions {
    items: Vec<SessionView>,
    /// Always null: the list is whole.
    next_cursor: Option<String>,
}

/// The caller's API keys, all of them.
#[derive(Serialize, JsonSchema)]
struct ApiKeys {
    items: Vec<ApiKeyView>,
    /// Always null: the list is whole.
    next_cursor: Option<String>,
}

type Answer<T> = Result<T, Problem>;

async fn register(
    State(auth): State<Auth>,
    origin: Origin,
    body: Body<Register>,
) -> Answer<Created<SignedIn>> {
    let Register { handle, email, password } = body.value;
    Ok(Created(auth.register(NewAccount { handle, email, password }, &origin).await?))
}

async fn login(
    State(auth): State<Auth>,
    origin: Origin,
    body: Body<Login>,
) -> Answer<Json<SignedIn>> {
    let Login { login, password } = body.value;
    Ok(Json(auth.login(&login, &password, &origin).await?))
}

async fn refresh(
    State(auth): State<Auth>,
    origin: Origin,
    body: Body<Refresh>,
) -> Answer<Json<SignedIn>> {
    Ok(Json(auth.refresh(&body.value.refresh_token, &origin).await?))
}

async fn logout(
    State(auth): State<Auth>,
    caller: Caller,
    origin: Origin,
    MaybeBody { value: body, .. }: MaybeBody<Logout>,
) -> Answer<NoContent> {
    let what = if body.everywhere { SignOut::Everywhere } else { SignOut::Here };
    auth.logout(&caller, what, &origin).await?;
    Ok(NoContent)
}

async fn me(State(auth): State<Auth>, caller: Caller) -> Answer<Json<Account>> {
    Ok(Json(auth.me(&caller).await?))
}

async fn change_password(
    State(auth): State<Auth>,
    caller: Caller,
    origin: Origin,
    body: Body<ChangePassword>,
) -> Answer<NoContent> {
    let ChangePassword { current_password, new_password } = body.value;
    auth.change_password(&caller, &current_password, &new_password, &origin).await?;
    Ok(NoContent)
}

async fn sessions(State(auth): State<Auth>, caller: Caller) -> Answer<Json<Sessions>> {
    let items = auth.sessions(&caller).await?;
    Ok(Json(Sessions { items, next_cursor: None }))
}

async fn end_session(
    State(auth): State<Auth>,
    caller: Caller,
    origin: Origin,
    Path(session): Path<SessionId>,
) -> Answer<NoContent> {
    auth.end_session(&caller, session, &origin).await?;
    Ok(NoContent)
}

async fn jwks(State(auth): State<Auth>) -> Answer<Response> {
    let mut response = Json(auth.jwks().await?).into_response();
    // Public, and short: whoever meets an unknown `kid` asks again anyway.
    let age = HeaderValue::from_static("public, max-age=300");
    response.headers_mut().insert(header::CACHE_CONTROL, age);
    Ok(response)
}

async fn api_keys(State(auth): State<Auth>, caller: Caller) -> Answer<Json<ApiKeys>> {
    let items = auth.api_keys(&caller).await?;
    Ok(Json(ApiKeys { items, next_cursor: None }))
}

async fn create_api_key(
    State(auth): State<Auth>,
    caller: Caller,
    origin: Origin,
    body: Body<CreateApiKey>,
) -> Answer<Created<NewApiKey>> {
    let CreateApiKey { name, scopes } = body.value;
    Ok(Created(auth.create_api_key(&caller, &name, &scopes, &origin).await?))
}

async fn revoke_api_key(
    State(auth): State<Auth>,
    caller: Caller,
    origin: Origin,
    Path(key): Path<ApiKeyId>,
) -> Answer<NoContent> {
    auth.revoke_api_key(&caller, key, &origin).await?;
    Ok(NoContent)
}

async fn rotate_api_key(
    State(auth): State<Auth>,
    caller: Caller,
    origin: Origin,
    Path(key): Path<ApiKeyId>,
    MaybeBody { value: body, .. }: MaybeBody<RotateApiKey>,
) -> Answer<Created<NewApiKey>> {
    Ok(Created(auth.rotate_api_key(&caller, key, body.overlap_s, &origin).await?))
}

/// Where the request came from: the address that the middleware found, and what the client says it is.
impl<S: Sync> FromRequestParts<S> for Origin {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let ClientAddress(address) = ClientAddress::from_request_parts(parts, state).await?;
        let agent = parts.headers.get(header::USER_AGENT);
        let agent = agent.and_then(|agent| agent.to_str().ok()).map(ToOwned::to_owned);
        Ok(Self { address: Some(address), agent })
    }
}
