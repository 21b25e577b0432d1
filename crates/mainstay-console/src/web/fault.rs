//! The page for a problem, in the visitor's own shell.

use http::{HeaderValue, Method, header};
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
        Code::NotFound | Code::Internal | Code::MethodNotAllowed => String::new(),
        _ if faults.is_empty() => problem.detail.to_string(),
        _ => faults.join(" "),
    };
    let fault = Fault {
        status: problem.code.status(),
        title: "",
        detail: &detail,
        request_id: &asking.id.0,
    };
    Shown::Page(fault_page(&visit.shell(), &fault).into_string())
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
