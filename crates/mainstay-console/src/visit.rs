//! From a request to its [`Shell`], and from markup to a response.
//!
//! A handler takes a [`Visit`], shows a page with [`Visit::page`] and leads elsewhere after a form with [`Site::go`].

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header, request::Parts};
use mainstay_contract::ts::Ts;
use mainstay_core::{
    auth::{Auth, Caller, Credential, Role},
    clock::Clock,
    error::{Code, Problem},
    front::{Face, Front, NavItem},
    http::{Cursors, MaybeCaller, reply},
    mount::Core,
};
use maud::Markup;
use serde::{Deserialize, Serialize};

use crate::shell::{FRAGMENT_HEADER, Flash, Shell, Theme, Viewer};

/// The cookie in which a message waits for the next page.
const FLASH_COOKIE: &str = "mainstay_flash";
/// What the message is sealed for.
const FLASH_LIST: &str = "flash";
/// A message that no page has shown by then is dropped.
const FLASH_LIFE_S: u32 = 60;
/// The longest address that a form may return to.
const RETURN_LEN_MAX: usize = 2_048;
/// The longest tag of a language.
const LOCALE_LEN_MAX: usize = 35;

/// What pages of every service need of the core. Cloning is cheap.
#[derive(Clone)]
pub struct Site {
    inner: Arc<Inner>,
}

struct Inner {
    auth: Auth,
    clock: Clock,
    front: Front,
    cursors: Cursors,
}

#[derive(Serialize, Deserialize)]
struct Told {
    good: bool,
    text: String,
    until: Ts,
}

impl Site {
    /// On this core.
    pub fn new(core: &Core) -> Self {
        let inner = Inner {
            auth: core.auth.clone(),
            clock: core.clock.clone(),
            front: core.front.clone(),
            cursors: core.cursors.clone(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Accounts.
    pub fn auth(&self) -> &Auth {
        &self.inner.auth
    }

    /// What services add to the console.
    pub fn front(&self) -> &Front {
        &self.inner.front
    }

    /// Leads on after a form (`303`). An address that is not a path of this site leads to `/`.
    pub fn go(&self, to: &str) -> Response {
        let to = local(to).and_then(|to| HeaderValue::from_str(to).ok());
        let mut response = StatusCode::SEE_OTHER.into_response();
        response
            .headers_mut()
            .insert(header::LOCATION, to.unwrap_or(HeaderValue::from_static("/")));
        response
    }

    /// The same, and the page that follows says `text` once.
    pub fn go_and_say(&self, to: &str, text: &str) -> Response {
        let mut response = self.go(to);
        let until = self.inner.clock.now().plus_s(FLASH_LIFE_S.into());
        let told = Told { good: true, text: text.to_owned(), until };
        // Sealed, so that no other site of the same domain can put words into our mouth.
        let sealed = self.inner.cursors.seal(FLASH_LIST, &told);
        add_cookie(
            &mut response,
            &format!(
                "{FLASH_COOKIE}={sealed}; Path=/; HttpOnly; SameSite=Lax; Max-Age={FLASH_LIFE_S}"
            ),
        );
        response
    }

    fn flash(&self, headers: &HeaderMap, now: Ts) -> Option<Flash> {
        let sealed = cookie(headers, FLASH_COOKIE)?;
        let told: Told = self.inner.cursors.open(FLASH_LIST, sealed).ok()?;
        (told.until > now).then_some(Flash { good: told.good, text: told.text })
    }
}

impl AsRef<Site> for Site {
    fn as_ref(&self) -> &Site {
        self
    }
}

/// One request for a page: who looks, and how they want it shown.
#[derive(Debug, Clone)]
pub struct Visit {
    /// Who looks, if that is known.
    pub caller: Option<Caller>,
    /// Path and query of the page, to which its forms return.
    pub path: String,
    viewer: Option<Viewer>,
    nav: Arc<Vec<NavItem>>,
    csrf: String,
    unread_count: i64,
    theme: Theme,
    flash: Option<Flash>,
    locale: String,
    now: Ts,
    fragment: bool,
}

impl<S: AsRef<Site> + Send + Sync> FromRequestParts<S> for Visit {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Infallible> {
        let MaybeCaller(caller) = MaybeCaller::from_request_parts(parts, state).await?;
        Ok(Self::read(state.as_ref(), caller, &parts.headers, &parts.uri).await)
    }
}

impl Visit {
    /// Reads a request of `caller`.
    pub async fn read(site: &Site, caller: Option<Caller>, headers: &HeaderMap, uri: &Uri) -> Self {
        let now = site.inner.clock.now();
        let face = match &caller {
            Some(caller) => site.inner.front.face(caller).await.unwrap_or_default(),
            None => Face::default(),
        };
        let session = caller.as_ref().and_then(|caller| match caller.credential {
            Credential::Console(session) => Some(session),
            Credential::Session(_) | Credential::ApiKey(..) => None,
        });
        let unread_count = face.unread_count;
        Self {
            path: uri.path_and_query().map_or("/", |path| path.as_str()).to_owned(),
            viewer: caller.as_ref().map(|caller| viewer(caller, face)),
            caller,
            nav: site.inner.front.nav(),
            csrf: session.map(|session| site.inner.auth.csrf_token(session)).unwrap_or_default(),
            unread_count,
            theme: cookie(headers, "theme").map_or(Theme::System, Theme::parse),
            flash: site.flash(headers, now),
            locale: locale(headers),
            now,
            fragment: headers.get(FRAGMENT_HEADER).is_some_and(|part| part.as_bytes() == b"main"),
        }
    }

    /// The same, as if the page at `path` had been asked for: for a form that is shown again.
    #[must_use]
    pub fn at(mut self, path: impl Into<String>) -> Self {
        self.path = path.into();
        self
    }

    /// The same without the count of unread notifications, which were all read by this request.
    #[must_use]
    pub fn unread(mut self, unread_count: i64) -> Self {
        self.unread_count = unread_count;
        self
    }

    /// The shell around the page.
    pub fn shell(&self) -> Shell<'_> {
        Shell {
            viewer: self.viewer.clone(),
            nav: &self.nav,
            csrf: &self.csrf,
            unread_count: self.unread_count,
            theme: self.theme,
            flash: self.flash.clone(),
            locale: &self.locale,
            now: self.now,
            path: &self.path,
            fragment: self.fragment,
        }
    }

    /// Answers `200` with this page.
    pub fn page(&self, page: Markup) -> Response {
        self.page_as(StatusCode::OK, page)
    }

    /// Answers with this page: `422` when it shows a form again with what is wrong.
    pub fn page_as(&self, status: StatusCode, page: Markup) -> Response {
        let mut response = reply::whole(status, "text/html; charset=utf-8", page.into_string());
        let headers = response.headers_mut();
        headers.append(header::VARY, HeaderValue::from_static(FRAGMENT_HEADER));
        if self.fragment {
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        }
        if self.flash.is_some() {
            add_cookie(&mut response, &format!("{FLASH_COOKIE}=; Path=/; Max-Age=0"));
        }
        response
    }

    /// Who is signed in; for routes that nobody else reaches.
    ///
    /// # Errors
    /// `Unauthenticated` for strangers.
    pub fn signed_in(&self) -> Result<&Caller, Problem> {
        self.caller
            .as_ref()
            .ok_or_else(|| Problem::new(Code::Unauthenticated, "Sign in to see this page."))
    }
}

fn viewer(caller: &Caller, face: Face) -> Viewer {
    let or_handle = |text: String| if text.is_empty() { caller.handle.to_string() } else { text };
    Viewer {
        id: caller.user,
        handle: caller.handle.to_string(),
        display_name: or_handle(face.display_name),
        avatar_url: face.avatar_url,
        profile_href: match face.profile_href.is_empty() {
            true => "/settings".to_owned(),
            false => face.profile_href,
        },
        moderator: caller.acts_as(Role::Moderator),
        admin: caller.acts_as(Role::Admin),
    }
}

/// The first language that the reader asks for, for numbers and times.
fn locale(headers: &HeaderMap) -> String {
    let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    let first = asked.and_then(|asked| asked.split([',', ';']).next()).unwrap_or_default().trim();
    let plain = (2..=LOCALE_LEN_MAX).contains(&first.len())
        && first.split('-').all(|part| {
            (1..=8).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_alphanumeric())
        });
    if plain { first.to_owned() } else { "en".to_owned() }
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    lines.flat_map(|line| line.split(';')).find_map(|pair| {
        let (known, value) = pair.split_once('=')?;
        (known.trim() == name).then_some(value.trim())
    })
}

pub(crate) fn add_cookie(response: &mut Response, cookie: &str) {
    if let Ok(value) = HeaderValue::from_str(cookie) {
        response.headers_mut().append(header::SET_COOKIE, value);
    }
}

/// The fields of a form that does something and returns to where it stood.
#[derive(Debug, Clone, Default, Deserialize)]
pub struct Return {
    /// Path and query of the page with the form.
    #[serde(default)]
    pub return_to: String,
}

/// `to` if it is a path of this site, so that a form or link of ours never leads to another.
pub fn local(to: &str) -> Option<&str> {
    let mut bytes = to.bytes();
    // `//host` and `/\host` are addresses of other sites to a browser; so are control characters between the two.
    let plain = bytes.next() == Some(b'/')
        && !matches!(bytes.next(), Some(b'/' | b'\\'))
        && to.len() <= RETURN_LEN_MAX
        && !to.bytes().any(|byte| byte.is_ascii_control());
    plain.then_some(to)
}

/// Refuses a form that another site sent in the visitor's name. Where nobody is signed in yet there is no token to
/// compare, but browsers say where a form comes from.
///
/// # Errors
/// `CsrfFailed`.
pub fn from_this_site(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: HeaderName| headers.get(name).map(|value| value.to_str().unwrap_or("null"));
    let ours = match (text(HeaderName::from_static("sec-fetch-site")), text(header::ORIGIN)) {
        (Some(site), _) => site == "same-origin" || site == "none",
        (None, Some(origin)) => {
            let from = origin.split_once("://").map(|(_, authority)| authority);
            from.zip(text(header::HOST)).is_some_and(|(from, host)| from.eq_ignore_ascii_case(host))
        }
        // No browser: nobody's cookies are at stake.
        (None, None) => true,
    };
    match ours {
        true => Ok(()),
        false => Err(Problem::new(
            Code::CsrfFailed,
            "Open the page on this site and send the form from there.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_returns_to_this_site_only() {
        for good in ["/", "/home", "/posts/post_1?x=//y#z"] {
            assert_eq!(local(good), Some(good));
        }
        let long = format!("/{}", "a".repeat(RETURN_LEN_MAX));
        for bad in [
            "",
            "home",
            "//evil.example",
            "/\\evil.example",
            "/\t/evil.example",
            "https://evil.example",
            &long,
        ] {
            assert_eq!(local(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_strangers_form_comes_from_this_site_or_from_no_browser() {
        let from = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            from_this_site(&headers).is_ok()
        };
        assert!(from(&[]));
        assert!(from(&[("sec-fetch-site", "same-origin"), ("origin", "http://elsewhere")]));
        assert!(from(&[("origin", "http://here:80"), ("host", "here:80")]));
        assert!(!from(&[("sec-fetch-site", "cross-site")]));
        assert!(!from(&[("sec-fetch-site", "same-site")]));
        assert!(!from(&[("origin", "http://elsewhere"), ("host", "here")]));
        assert!(!from(&[("origin", "null"), ("host", "here")]));
    }

    #[test]
    fn the_locale_is_a_plain_tag() {
        let of = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::ACCEPT_LANGUAGE, HeaderValue::from_static(text));
            locale(&headers)
        };
        assert_eq!(of("de-AT,de;q=0.9"), "de-AT");
        assert_eq!(of("*"), "en");
        assert_eq!(of("x\" onload=y"), "en");
    }
}
