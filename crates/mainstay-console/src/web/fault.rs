//! The page for a problem, in the visitor's own shell.

use http::{HeaderValue, Method, Uri, header};
use mainstay_core::{
    error::{Code, Problem},
    http::middleware::{Asking, Shown},
};

use crate::{
    component::query_text,
    fault::{Fault, fault_page},
    visit::{Site, Visit, local},
};

/// Shows a problem; whoever has to sign in is led there, and back afterwards.
pub(super) async fn show(site: &Site, problem: &Problem, asking: &Asking) -> Shown {
    if problem.code == Code::Unauthenticated {
        let address = match return_path(asking) {
            Some(path) if path != "/" => format!("/sign-in?return_to={}", query_text(&path)),
            _ => "/sign-in".to_owned(),
        };
        if let Ok(to) = HeaderValue::from_str(&address) {
            return Shown::Elsewhere(to);
        }
    }
    let visit = Visit::read(site, asking.caller.clone(), &asking.headers, &asking.uri).await;
    let faults: Vec<&str> = problem.faults.iter().map(|fault| fault.detail.as_str()).collect();
    // What the page's own words say better than the API's: nothing here, and what broke.
    let detail = match problem.code {
        Code::NotFound | Code::Internal | Code::MethodNotAllowed | Code::CursorExpired => {
            String::new()
        }
        Code::MalformedCursor => "The address names a place in this list that is not there.".into(),
        _ if faults.is_empty() => problem.detail.to_string(),
        _ => faults.join(" "),
    };
    let list_href = match problem.code {
        Code::CursorExpired | Code::MalformedCursor => without_cursor(&asking.uri),
        _ => String::new(),
    };
    let fault = Fault {
        status: problem.code.status(),
        title: "",
        detail: &detail,
        list_href: &list_href,
        request_id: &asking.id.0,
    };
    Shown::Page(fault_page(&visit.shell(), &fault).into_string())
}

/// The list from its top.
fn without_cursor(uri: &Uri) -> String {
    let rest = uri.query().unwrap_or_default().split('&');
    let rest: Vec<&str> = rest.filter(|part| !part.starts_with("cursor=")).collect();
    match rest.join("&") {
        rest if rest.is_empty() => uri.path().to_owned(),
        rest => format!("{}?{rest}", uri.path()),
    }
}

/// The page that was asked for, or the one whose form was sent.
fn return_path(asking: &Asking) -> Option<String> {
    if asking.method == Method::GET {
        return asking.uri.path_and_query().map(|path| path.as_str().to_owned());
    }
    let text = |name| asking.headers.get(name).and_then(|value| value.to_str().ok());
    let (_, rest) = text(header::REFERER)?.split_once("://")?;
    let path = rest.strip_prefix(text(header::HOST)?)?;
    local(path).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_begins_at_its_address_without_the_cursor() {
        for (asked, top) in [
            ("/explore?cursor=abc", "/explore"),
            ("/search?q=a&kind=people&cursor=abc", "/search?q=a&kind=people"),
            ("/people/ada?cursor=x&view=media", "/people/ada?view=media"),
        ] {
            assert_eq!(without_cursor(&Uri::from_static(asked)), top);
        }
    }
}
