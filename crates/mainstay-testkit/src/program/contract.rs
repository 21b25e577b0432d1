//! The document of the interface as a judge: an answer that a route does not declare fails the test that got it.
#![expect(clippy::panic, reason = "a test that cannot go on must fail")]

use http::Method;
use serde_json::Value;

/// The OpenAPI document.
pub(super) struct Contract(Value);

impl Contract {
    pub(super) fn new(document: Value) -> Self {
        Self(document)
    }

    pub(super) fn document(&self) -> &Value {
        &self.0
    }

    /// Sees that the answer is one that the route declares. Paths outside of the document, and methods that a path does
    /// not have, are not its matter.
    pub(super) fn check(&self, method: &Method, path: &str, status: u16, content_type: &str) {
        let Some(operation) = self.operation(method, path) else { return };
        let declared = &operation["responses"][status.to_string()];
        let Some(response) = declared.as_object() else {
            panic!("{method} {path} answered {status}, which it does not declare");
        };
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        let declares = match response.get("content").and_then(Value::as_object) {
            Some(content) => content.contains_key(essence),
            None => essence.is_empty(),
        };
        assert!(
            declares,
            "{method} {path} answered {status} as `{essence}`, which it does not declare"
        );
    }

    fn operation(&self, method: &Method, path: &str) -> Option<&Value> {
        let path = path.split('?').next().unwrap_or_default();
        let paths = self.0["paths"].as_object()?;
        let mut fitting: Vec<&String> =
            paths.keys().filter(|template| fits(template, path)).collect();
        // `/users/me` is not somebody whose id is `me`.
        fitting.sort_by_key(|template| template.matches('{').count());
        let template = fitting.first()?;
        paths.get(*template)?.get(method.as_str().to_ascii_lowercase())
    }
}

fn fits(template: &str, path: &str) -> bool {
    let (mut ours, mut theirs) = (template.split('/'), path.split('/'));
    loop {
        match (ours.next(), theirs.next()) {
            (None, None) => return true,
            (Some(our), Some(their)) if our == their || our.starts_with('{') => {}
            _ => return false,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn contract() -> Contract {
        let answers = json!({ "200": { "content": { "application/json": {} } }, "204": {} });
        Contract::new(json!({ "paths": { "/a/{id}": { "get": { "responses": answers } } } }))
    }

    #[test]
    fn declared_answers_and_foreign_paths_pass() {
        contract().check(&Method::GET, "/a/1?limit=2", 200, "application/json; charset=utf-8");
        contract().check(&Method::GET, "/a/1", 204, "");
        contract().check(&Method::GET, "/b", 500, "text/html");
        contract().check(&Method::PUT, "/a/1", 405, "text/html");
    }

    #[test]
    #[should_panic(expected = "answered 404")]
    fn a_status_that_is_not_declared_fails() {
        contract().check(&Method::GET, "/a/1", 404, "application/json");
    }

    #[test]
    #[should_panic(expected = "as `text/html`")]
    fn a_content_type_that_is_not_declared_fails() {
        contract().check(&Method::GET, "/a/1", 200, "text/html");
    }
}
