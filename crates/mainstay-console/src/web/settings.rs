//! The account's settings: password, sign-ins, API keys.

use axum::{extract::State, response::Response};
use http::{HeaderValue, StatusCode, header};
use mainstay_core::{
    auth::{ApiKeyId, AuthError, Caller, NewApiKey, Origin, Scope, SessionId},
    error::Problem,
    http::{Form, LimitClass, Path, Route, route::Routes},
};
use serde::Deserialize;

use super::{Console, FORM_BYTES_MAX, refused::Refused};
use crate::{
    account::{
        keys::{self, Keys},
        settings::{self, Security},
    },
    form::FormErrors,
    visit::{Return, Visit},
};

const SECURITY: &str = "/settings/security";
const KEYS: &str = "/settings/keys";
/// How long the old secret of a rotated key lives.
const OVERLAP_S: i64 = 24 * 3_600;

pub(super) fn routes(page: &Routes<Console>) -> Vec<Route> {
    let form = |route: Route| route.takes_form(FORM_BYTES_MAX);
    vec![
        page.get("/settings", overview).signed_in(),
        page.get(SECURITY, security).signed_in(),
        form(page.post("/settings/password", change_password)).limit(LimitClass::Auth),
        form(page.post("/settings/sessions/{id}/end", end_session)),
        page.get(KEYS, keys_page).signed_in(),
        form(page.post(KEYS, make_key)),
        form(page.post("/settings/keys/{id}/rotate", rotate_key)),
        form(page.post("/settings/keys/{id}/revoke", revoke_key)),
    ]
}

type Answer = Result<Response, Problem>;

async fn overview(State(console): State<Console>, caller: Caller, visit: Visit) -> Answer {
    let me = console.auth().me(&caller).await?;
    let links = console.site.front().settings();
    Ok(visit.page(settings::overview(&visit.shell(), &links, me.email.as_deref())))
}

async fn security(State(console): State<Console>, caller: Caller, visit: Visit) -> Answer {
    let sessions = console.auth().sessions(&caller).await?;
    let view = Security { sessions, errors: FormErrors::default() };
    Ok(visit.page(settings::security(&visit.shell(), &view)))
}

#[derive(Deserialize)]
struct PasswordForm {
    #[serde(default)]
    current_password: String,
    #[serde(default)]
    new_password: String,
}

async fn change_password(
    State(console): State<Console>,
    caller: Caller,
    visit: Visit,
    origin: Origin,
    Form(form): Form<PasswordForm>,
) -> Answer {
    let PasswordForm { current_password, new_password } = form;
    let auth = console.auth();
    let changed = auth.change_password(&caller, &current_password, &new_password, &origin).await;
    let Err(error) = changed else {
        return Ok(console
            .site
            .go_and_say(SECURITY, "Password changed. Every other sign-in has ended."));
    };
    let refused = Refused::read(error)?;
    let sessions = auth.sessions(&caller).await?;
    let view = Security { sessions, errors: refused.errors.clone() };
    let visit = visit.at(SECURITY);
    Ok(refused.answer(&visit, settings::security(&visit.shell(), &view)))
}

async fn end_session(
    State(console): State<Console>,
    caller: Caller,
    origin: Origin,
    Path(session): Path<SessionId>,
    Form(_form): Form<Return>,
) -> Answer {
    match console.auth().end_session(&caller, session, &origin).await {
        // It ended by itself meanwhile: that is what was wanted.
        Ok(()) | Err(AuthError::NotFound) => {
            Ok(console.site.go_and_say(SECURITY, "Signed out there."))
        }
        Err(error) => Err(error.into()),
    }
}

impl Console {
    async fn keys(&self, caller: &Caller) -> Result<Keys, Problem> {
        let offered = Scope::ALL.iter().copied().filter(|scope| caller.has(*scope)).collect();
        Ok(Keys { keys: self.auth().api_keys(caller).await?, offered, ..Keys::default() })
    }

    /// The page with a secret, which is on it and nowhere else.
    async fn secret(&self, caller: &Caller, visit: Visit, made: NewApiKey) -> Answer {
        let view = Keys { made: Some(made), ..self.keys(caller).await? };
        let visit = visit.at(KEYS);
        let mut response = visit.page_as(StatusCode::CREATED, keys::keys(&visit.shell(), &view));
        let never = HeaderValue::from_static("no-store");
        response.headers_mut().insert(header::CACHE_CONTROL, never);
        Ok(response)
    }
}

async fn keys_page(State(console): State<Console>, caller: Caller, visit: Visit) -> Answer {
    let view = Keys { scopes: vec![Scope::Read], ..console.keys(&caller).await? };
    Ok(visit.page(keys::keys(&visit.shell(), &view)))
}

#[derive(Deserialize)]
struct KeyForm {
    #[serde(default)]
    name: String,
    // Boxes that are ticked, each under a name of its own: a form's fields are read once each.
    read: Option<String>,
    write: Option<String>,
    moderate: Option<String>,
    admin: Option<String>,
    #[serde(rename = "boards:write")]
    boards_write: Option<String>,
}

impl KeyForm {
    fn scopes(&self) -> Vec<Scope> {
        let ticked = [&self.read, &self.write, &self.moderate, &self.admin, &self.boards_write];
        let all = Scope::ALL.iter().zip(ticked);
        all.filter(|(_, tick)| tick.is_some()).map(|(scope, _)| *scope).collect()
    }
}

async fn make_key(
    State(console): State<Console>,
    caller: Caller,
    visit: Visit,
    origin: Origin,
    Form(form): Form<KeyForm>,
) -> Answer {
    let scopes = form.scopes();
    match console.auth().create_api_key(&caller, &form.name, &scopes, &origin).await {
        Ok(made) => console.secret(&caller, visit, made).await,
        Err(error) => {
            let refused = Refused::read(error)?;
            let errors = refused.errors.clone();
            let view = Keys { name: form.name, scopes, errors, ..console.keys(&caller).await? };
            let visit = visit.at(KEYS);
            Ok(refused.answer(&visit, keys::keys(&visit.shell(), &view)))
        }
    }
}

async fn rotate_key(
    State(console): State<Console>,
    caller: Caller,
    visit: Visit,
    origin: Origin,
    Path(key): Path<ApiKeyId>,
    Form(_form): Form<Return>,
) -> Answer {
    let made = console.auth().rotate_api_key(&caller, key, OVERLAP_S, &origin).await?;
    console.secret(&caller, visit, made).await
}

async fn revoke_key(
    State(console): State<Console>,
    caller: Caller,
    origin: Origin,
    Path(key): Path<ApiKeyId>,
    Form(_form): Form<Return>,
) -> Answer {
    console.auth().revoke_api_key(&caller, key, &origin).await?;
    Ok(console.site.go_and_say(KEYS, "Key revoked."))
}
