//! Signing in and out, registering, and the account's settings.

use axum::{extract::State, response::Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mainstay_core::{
    auth::{Auth, AuthError, Caller, ConsoleSignedIn, NewAccount, Origin, SignOut, Transport},
    error::{Code, Problem},
    http::{Form, LimitClass, Query, Route, route::Routes},
};
use serde::Deserialize;

use super::{Console, FORM_BYTES_MAX};
use crate::{
    account::{self, Register, Settings, SignIn},
    form::{FieldError, FormErrors},
    visit::{Return, Visit, add_cookie, from_this_site, local},
};

pub(super) fn routes(page: &Routes<Console>) -> Vec<Route> {
    vec![
        page.get("/sign-in", sign_in_page),
        page.post("/sign-in", sign_in).public().limit(LimitClass::Auth).takes_form(FORM_BYTES_MAX),
        page.get("/register", register_page),
        page.post("/register", register)
            .public()
            .limit(LimitClass::Auth)
            .takes_form(FORM_BYTES_MAX),
        page.post("/sign-out", sign_out).public().takes_form(FORM_BYTES_MAX),
        page.get("/settings", settings).signed_in(),
        page.post("/settings/sign-out-everywhere", sign_out_everywhere)
            .signed_in()
            .takes_form(FORM_BYTES_MAX),
    ]
}

impl Console {
    fn auth(&self) -> &Auth {
        self.site.auth()
    }

    fn transport(&self) -> Transport {
        if self.https { Transport::Tls } else { Transport::Plain }
    }

    /// Leads on with the session's cookie.
    fn signed_in(&self, session: &ConsoleSignedIn, to: &str) -> Response {
        let mut response = self.site.go(to);
        add_cookie(&mut response, &self.auth().session_cookie(&session.cookie, self.transport()));
        response
    }

    /// Leads on without the session's cookie, and without what the browser kept of the pages.
    fn signed_out(&self, to: &str) -> Response {
        let mut response = self.site.go(to);
        add_cookie(&mut response, &self.auth().ended_cookie(self.transport()));
        let kept = HeaderValue::from_static("\"cache\"");
        response.headers_mut().insert("clear-site-data", kept);
        response
    }
}

/// Where to go after signing in: not back to the form.
fn after(return_to: &str) -> &str {
    local(return_to)
        .filter(|to| !to.starts_with("/sign-in") && !to.starts_with("/register"))
        .unwrap_or("/")
}

async fn sign_in_page(
    State(console): State<Console>,
    visit: Visit,
    Query(query): Query<Return>,
) -> Response {
    if visit.caller.is_some() {
        return console.site.go(after(&query.return_to));
    }
    let view = SignIn { return_to: after(&query.return_to), ..SignIn::default() };
    visit.page(account::sign_in(&visit.shell(), &view))
}

#[derive(Deserialize)]
struct SignInForm {
    #[serde(default)]
    login: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    return_to: String,
}

async fn sign_in(
    State(console): State<Console>,
    visit: Visit,
    headers: HeaderMap,
    origin: Origin,
    Form(form): Form<SignInForm>,
) -> Result<Response, Problem> {
    from_this_site(&headers)?;
    let to = after(&form.return_to);
    let mut faults = Vec::new();
    for (empty, pointer, detail) in [
        (form.login.trim().is_empty(), "/login", "Write your handle or your e-mail address."),
        (form.password.is_empty(), "/password", "Write your password."),
    ] {
        if empty {
            faults.push(FieldError { pointer: pointer.into(), detail: detail.into() });
        }
    }
    let refused = if faults.is_empty() {
        match console.auth().login_console(&form.login, &form.password, &origin).await {
            Ok(session) => return Ok(console.signed_in(&session, to)),
            Err(error) => Refused::read(error)?,
        }
    } else {
        Refused::with(faults)
    };
    let visit = visit.at("/sign-in");
    let view = SignIn { login: &form.login, return_to: to, errors: refused.errors.clone() };
    Ok(refused.answer(&visit, account::sign_in(&visit.shell(), &view)))
}

async fn register_page(
    State(console): State<Console>,
    visit: Visit,
    Query(query): Query<Return>,
) -> Response {
    if visit.caller.is_some() {
        return console.site.go(after(&query.return_to));
    }
    let view = Register { return_to: after(&query.return_to), ..Register::default() };
    visit.page(account::register(&visit.shell(), &view))
}

#[derive(Deserialize)]
struct RegisterForm {
    #[serde(default)]
    handle: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    return_to: String,
}

async fn register(
    State(console): State<Console>,
    visit: Visit,
    headers: HeaderMap,
    origin: Origin,
    Form(form): Form<RegisterForm>,
) -> Result<Response, Problem> {
    from_this_site(&headers)?;
    let RegisterForm { handle, email, password, return_to } = form;
    let to = after(&return_to);
    let new = NewAccount { handle: handle.clone(), email: email.clone(), password };
    let refused = match console.auth().register_console(new, &origin).await {
        Ok(session) => return Ok(console.signed_in(&session, to)),
        Err(error) => Refused::read(error)?,
    };
    let visit = visit.at("/register");
    let view =
        Register { handle: &handle, email: &email, return_to: to, errors: refused.errors.clone() };
    Ok(refused.answer(&visit, account::register(&visit.shell(), &view)))
}

/// Why a form is shown again.
struct Refused {
    status: StatusCode,
    retry_after_s: Option<u32>,
    errors: FormErrors,
}

impl Refused {
    fn with(faults: Vec<FieldError>) -> Self {
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self { status, retry_after_s: None, errors: FormErrors(faults) }
    }

    /// What the form can say; a failure of ours is passed on.
    fn read(error: AuthError) -> Result<Self, Problem> {
        let problem = Problem::from(error);
        let status = match problem.code {
            Code::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Code::Overloaded => StatusCode::SERVICE_UNAVAILABLE,
            Code::Suspended | Code::Forbidden => StatusCode::FORBIDDEN,
            Code::Unauthenticated | Code::Invalid | Code::Taken | Code::Conflict => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            _ => return Err(problem),
        };
        let errors = FormErrors::of(&problem);
        Ok(Self { status, retry_after_s: problem.retry_after_s, errors })
    }

    fn answer(&self, visit: &Visit, page: maud::Markup) -> Response {
        let mut response = visit.page_as(self.status, page);
        if let Some(seconds) = self.retry_after_s {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

async fn sign_out(
    State(console): State<Console>,
    visit: Visit,
    origin: Origin,
    Form(_form): Form<Return>,
) -> Result<Response, Problem> {
    if let Some(caller) = &visit.caller {
        console.auth().logout(caller, SignOut::Here, &origin).await?;
    }
    Ok(console.signed_out("/"))
}

async fn sign_out_everywhere(
    State(console): State<Console>,
    caller: Caller,
    origin: Origin,
    Form(_form): Form<Return>,
) -> Result<Response, Problem> {
    console.auth().logout(&caller, SignOut::Everywhere, &origin).await?;
    Ok(console.signed_out("/sign-in"))
}

async fn settings(
    State(console): State<Console>,
    caller: Caller,
    visit: Visit,
) -> Result<Response, Problem> {
    let me = console.auth().me(&caller).await?;
    let sessions = console.auth().sessions(&caller).await?;
    let view = Settings {
        email: me.email.as_deref().unwrap_or_default(),
        session_count: i64::try_from(sessions.len()).unwrap_or(i64::MAX),
    };
    let links = console.site.front().settings();
    let more: Vec<_> =
        links.iter().map(|link| (link.icon, link.title, link.text, link.href)).collect();
    Ok(visit.page(account::settings(&visit.shell(), &view, &more)))
}
