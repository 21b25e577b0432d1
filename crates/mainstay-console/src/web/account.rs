//! Signing in and out, and registering.

use axum::{extract::State, response::Response};
use http::{HeaderMap, HeaderValue};
use mainstay_core::{
    auth::{Auth, AuthError, Caller, ConsoleSignedIn, NewAccount, Origin, SignOut, Transport},
    error::{Fault, Problem},
    http::{Form, LimitClass, Query, Route, route::Routes},
};
use serde::Deserialize;

use super::{Console, FORM_BYTES_MAX, refused::Refused};
use crate::{
    account::gate::{self, Gate},
    visit::{Return, Visit, add_cookie, from_this_site, local},
};

pub(super) fn routes(page: &Routes<Console>) -> Vec<Route> {
    let form = |route: Route| route.public().limit(LimitClass::Auth).takes_form(FORM_BYTES_MAX);
    vec![
        page.get("/sign-in", sign_in_page),
        form(page.post("/sign-in", sign_in)),
        page.get("/register", register_page),
        form(page.post("/register", register)),
        page.post("/sign-out", sign_out).public().takes_form(FORM_BYTES_MAX),
        page.post("/settings/sign-out-everywhere", sign_out_everywhere).takes_form(FORM_BYTES_MAX),
    ]
}

/// What either form holds; the other's fields stay empty.
#[derive(Default, Deserialize)]
#[serde(default)]
struct GateForm {
    login: String,
    handle: String,
    email: String,
    password: String,
    return_to: String,
}

impl Console {
    pub(super) fn auth(&self) -> &Auth {
        self.site.auth()
    }

    fn transport(&self) -> Transport {
        if self.https { Transport::Tls } else { Transport::Plain }
    }

    /// The empty form; who is signed in already is led on.
    fn gate(&self, gate: Gate, visit: &Visit, asked: &Return) -> Response {
        let return_to = after(&asked.return_to);
        if visit.caller.is_some() {
            return self.site.go(return_to);
        }
        let typed = gate::Typed { return_to, ..gate::Typed::default() };
        visit.page(gate.page(&visit.shell(), &typed))
    }

    /// Leads on with the session's cookie, or shows the form again with what is wrong.
    fn enter(
        &self,
        gate: Gate,
        visit: Visit,
        form: &GateForm,
        entered: Result<ConsoleSignedIn, AuthError>,
    ) -> Result<Response, Problem> {
        let return_to = after(&form.return_to);
        let session = match entered {
            Ok(session) => session,
            Err(error) => {
                let refused = Refused::read(error)?;
                let visit = visit.at(gate.path());
                let name = if gate == Gate::SignIn { &form.login } else { &form.handle };
                let errors = refused.errors.clone();
                let typed = gate::Typed { name, email: &form.email, return_to, errors };
                return Ok(refused.answer(&visit, gate.page(&visit.shell(), &typed)));
            }
        };
        let mut response = self.site.go(return_to);
        add_cookie(&mut response, &self.auth().session_cookie(&session.cookie, self.transport()));
        Ok(response)
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
    Query(asked): Query<Return>,
) -> Response {
    console.gate(Gate::SignIn, &visit, &asked)
}

async fn register_page(
    State(console): State<Console>,
    visit: Visit,
    Query(asked): Query<Return>,
) -> Response {
    console.gate(Gate::Register, &visit, &asked)
}

async fn sign_in(
    State(console): State<Console>,
    visit: Visit,
    headers: HeaderMap,
    origin: Origin,
    Form(form): Form<GateForm>,
) -> Result<Response, Problem> {
    from_this_site(&headers)?;
    let empty = [
        (form.login.trim().is_empty(), "/login", "Write your handle or your e-mail address."),
        (form.password.is_empty(), "/password", "Write your password."),
    ];
    let empty = empty.into_iter().filter(|(empty, ..)| *empty);
    let faults: Vec<Fault> =
        empty.map(|(_, pointer, detail)| Fault::new(pointer, "required", detail)).collect();
    let entered = match faults.is_empty() {
        true => console.auth().login_console(&form.login, &form.password, &origin).await,
        false => Err(AuthError::Invalid(faults)),
    };
    console.enter(Gate::SignIn, visit, &form, entered)
}

async fn register(
    State(console): State<Console>,
    visit: Visit,
    headers: HeaderMap,
    origin: Origin,
    Form(form): Form<GateForm>,
) -> Result<Response, Problem> {
    from_this_site(&headers)?;
    let (handle, email) = (form.handle.clone(), form.email.clone());
    let new = NewAccount { handle, email, password: form.password.clone() };
    let entered = console.auth().register_console(new, &origin).await;
    console.enter(Gate::Register, visit, &form, entered)
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
