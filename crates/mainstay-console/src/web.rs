//! The console's own routes: files, signing in, the account's settings, the theme, the documents, and the error page.
//!
//! Pages of services are theirs; they take a [`Visit`] like those here.

mod account;
mod audit;
mod docs;
mod fault;
mod refused;
mod settings;

use std::sync::{Arc, OnceLock};

use axum::{
    extract::{Request, State},
    response::Response,
};
use http::{HeaderValue, StatusCode, header};
use mainstay_core::{
    error::{Code, Problem},
    front::{Audience, NavItem, Place},
    http::{Form, LimitClass, Route, reply, route::Routes},
    mount::Core,
    program::{AuditLogs, Program},
};
use serde::Deserialize;

use crate::{
    assets,
    shell::Theme,
    visit::{Site, Visit, add_cookie},
};

/// The largest body of the console's own forms.
const FORM_BYTES_MAX: usize = 16 << 10;
/// How long a chosen theme is remembered.
const THEME_LIFE_S: u32 = 365 * 24 * 60 * 60;

/// What the console itself adds to the navigation, after what services do.
const NAV: NavItem = NavItem {
    key: "audit",
    part: "admin",
    label: "Audit log",
    href: "/audit",
    icon: "clock",
    audience: Audience::Administrators,
    place: Place::Side,
    counts_unread: false,
    letter: Some('a'),
};

/// The console of a program. Cloning is cheap.
#[derive(Clone)]
pub struct Console {
    site: Site,
    https: bool,
    /// Every route of the program, once they are known.
    routes: Arc<OnceLock<Vec<Route>>>,
    /// Who did what in it, likewise.
    audit: Arc<OnceLock<AuditLogs>>,
}

impl AsRef<Site> for Console {
    fn as_ref(&self) -> &Site {
        &self.site
    }
}

impl Console {
    /// A console on this core. `https` says that browsers reach it over TLS: cookies then never travel in clear.
    pub fn new(core: &Core, https: bool) -> Self {
        Self { site: Site::new(core), https, routes: Arc::default(), audit: Arc::default() }
    }

    /// The console's own routes.
    pub fn routes(&self) -> Vec<Route> {
        let page = Routes::pages(self);
        let raw = Routes::raw(self, "Console");
        let mut routes = vec![
            raw.get("/assets/{*path}", asset).limit(LimitClass::Free).asks_nobody(),
            page.get("/", start),
            page.get("/docs", docs::page),
            page.post("/theme", choose_theme).public().takes_form(FORM_BYTES_MAX),
        ];
        routes.extend(account::routes(&page));
        routes.extend(settings::routes(&page));
        routes.push(audit::route(&page));
        routes
    }

    /// Shows problems of the program's pages as pages, its routes at `/docs` and its audit logs at `/audit`.
    pub fn attach(&self, program: &Program) {
        self.routes.get_or_init(|| program.routes().to_vec());
        self.audit.get_or_init(|| program.audit().clone());
        self.site.front().add_nav(&[NAV]);
        let site = self.site.clone();
        program.gate().error_page(Box::new(move |problem, asking| {
            let site = site.clone();
            Box::pin(async move { fault::show(&site, problem, asking).await })
        }));
    }
}

/// A file. Its address names its content, so it may be kept for ever.
async fn asset(request: Request) -> Result<Response, Problem> {
    let asset = assets::find(request.uri().path()).ok_or_else(|| {
        Problem::new(Code::NotFound, "There is no such file; load the page again.")
    })?;
    let mut response = reply::whole(StatusCode::OK, asset.content_type, asset.bytes.as_slice());
    let forever = HeaderValue::from_static("public, max-age=31536000, immutable");
    response.headers_mut().insert(header::CACHE_CONTROL, forever);
    Ok(response)
}

/// The first place of the navigation that the visitor sees.
async fn start(State(console): State<Console>, visit: Visit) -> Response {
    let nav = console.site.front().nav();
    let first = nav.iter().find(|item| {
        item.place == Place::SideAndBar
            && (item.audience == Audience::Everybody
                || (item.audience == Audience::SignedIn && visit.caller.is_some()))
    });
    console.site.go(first.map_or("/docs", |item| item.href))
}

#[derive(Deserialize)]
struct ThemeForm {
    #[serde(default)]
    theme: String,
    #[serde(default)]
    return_to: String,
}

async fn choose_theme(State(console): State<Console>, Form(form): Form<ThemeForm>) -> Response {
    let mut response = console.site.go(&form.return_to);
    let (theme, secure) =
        (Theme::parse(&form.theme).name(), if console.https { "; Secure" } else { "" });
    // Without HttpOnly: the script changes it too.
    let cookie = format!("theme={theme}; Path=/; Max-Age={THEME_LIFE_S}; SameSite=Lax{secure}");
    add_cookie(&mut response, &cookie);
    response
}
