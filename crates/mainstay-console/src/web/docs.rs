//! The interface's reference, from the same list of routes as the router.

use axum::{extract::State, response::Response};
use mainstay_core::{
    auth::{Role, Scope},
    error::Code,
    http::{
        Access, Kind, Route,
        route::{Answer, BodyKind},
    },
};
use maud::{Markup, html};
use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value};

use super::Console;
use crate::{component::page_head, shell::Head, visit::Visit};

pub(super) async fn page(State(console): State<Console>, visit: Visit) -> Response {
    let routes = console.routes.get().map(Vec::as_slice).unwrap_or_default();
    let head = Head { title: "API", wide: true, ..Head::default() };
    visit.page(visit.shell().page(&head, &reference(routes)))
}

/// The reference of these routes; pages of the console are not in it.
fn reference(routes: &[Route]) -> Markup {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/shapes".into();
    settings.meta_schema = None;
    let mut generator = SchemaGenerator::new(settings);
    let mut groups: Vec<(&str, Vec<Markup>)> = Vec::new();
    for route in routes.iter().filter(|route| route.kind == Kind::Api || route.group == "Live") {
        let shown = operation(route, &mut generator);
        match groups.iter_mut().find(|(group, _)| *group == route.group) {
            Some((_, operations)) => operations.push(shown),
            None => groups.push((route.group, vec![shown])),
        }
    }
    let shapes = generator.take_definitions(true);
    html! {
        (page_head("API", &html! {
            a .button.small href="/api/v1/openapi.json" data-plain { "OpenAPI 3.1 document" }
        }))
        div .docs {
            nav .card.docs-nav aria-label="Contents" {
                ul {
                    li { a href="#begin" { "Begin" } }
                    @for (group, _) in &groups { li { a href=(format!("#{}", slug(group))) { (group) } } }
                    li { a href="#problems" { "Problems" } }
                    li { a href="#shapes" { "Shapes" } }
                }
            }
            div .docs-body {
                (begin())
                @for (group, operations) in &groups {
                    section aria-labelledby=(slug(group)) {
                        h2 #(slug(group)) { (group) }
                        @for operation in operations { (operation) }
                    }
                }
                (problems())
                section aria-labelledby="shapes" {
                    h2 #shapes { "Shapes" }
                    p .sub { "What bodies and answers are made of." }
                    @for (name, schema) in &shapes { (shape(name, schema)) }
                }
            }
        }
    }
}

fn begin() -> Markup {
    html! {
        section .card.stack aria-labelledby="begin" {
            h2 #begin { "Begin" }
            p { "Send and receive JSON. Make an account, then send the access token, or an API key, with every call:" }
            pre tabindex="0" { code {
    "curl -s localhost:8080/api/v1/auth/login -H 'content-type: application/json' \\
     -d '{\"login\": \"HANDLE\", \"password\": \"PASSWORD\"}'
curl -s localhost:8080/api/v1/me -H \"authorization: Bearer $TOKEN\""
            } }
            ul .bullets {
                li { "Times are RFC 3339 in UTC. Ids carry their kind, such as " code { "post_…" } "." }
                li { "Lists answer " code { "items" } " and " code { "next_cursor" } "; send it back as "
                    code { "?cursor=" } " until it is null. " code { "?limit=" } " takes 1 to 100, or what the list says." }
                li { "A write with an " code { "Idempotency-Key" }
                    " header happens once: a repeat gets the first answer." }
                li { "What says a " code { "version" } " can be changed on condition that it is still that: send "
                    code { "If-Match: \"v7\"" } " for 7. Otherwise the answer is 412 with the present one." }
                li { "Errors are " code { "application/problem+json" } " with a stable " code { "code" } ", a "
                    code { "request_id" } ", and for input that is not valid every fault with a JSON pointer." }
            }
        }
    }
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Markup {
    let query = route.query.map(|query| fields_of(&(query.0)(generator).to_value(), generator));
    let body = match route.body {
        BodyKind::Json(schema) => Some(fields_of(&schema(generator).to_value(), generator)),
        BodyKind::None | BodyKind::Form | BodyKind::Multipart => None,
    };
    let answers: Vec<Markup> =
        route.answers.iter().map(|answer| answered(answer, generator)).collect();
    let id = slug(&route.name());
    html! {
        details .card.operation #(id) {
            summary {
                span class=(format!("method method-{}", route.method.as_str().to_ascii_lowercase()))
                    { (route.method.as_str()) }
                code .route-path { (route.path) }
                span .route-about { (route.summary) }
            }
            div .stack {
                @if !route.description.is_empty() { p { (prose(route.description)) } }
                p .sub { (who(route.access)) }
                @if let Some(query) = query { h3 { "Query" } (query) }
                @if let Some(body) = body { h3 { "Body" } (body) }
                @if route.versioned { p .sub { "Heeds " code { "If-Match" } "." } }
                @if matches!(route.body, BodyKind::Multipart) {
                    h3 { "Body" } p { code { "multipart/form-data" } ", at most "
                        (crate::format::grouped(i64::try_from(route.body_bytes_max >> 20).unwrap_or(0))) " MiB." }
                }
                @if !answers.is_empty() { h3 { "Answers" } ul .bullets { @for answer in answers { li { (answer) } } } }
                @if !route.problems.is_empty() {
                    p .sub { "Can refuse with " @for (at, code) in route.problems.iter().enumerate() {
                        @if at > 0 { ", " }
                        a href=(format!("#problem-{}", code.as_str())) { code { (code.as_str()) } }
                    } "." }
                }
            }
        }
    }
}

fn who(access: Access) -> Markup {
    let scope = |scope: Scope| html! { " An API key needs the scope " code { (scope) } "." };
    html! {
        @match access {
            Access::Public => { "Everybody may call it." }
            Access::SignedIn(needed) => { "Whoever is signed in may call it." (scope(needed)) }
            Access::Role(role, needed) => {
                @match role {
                    Role::User => { "Whoever is signed in may call it." }
                    Role::Moderator => { "Moderators may call it." }
                    Role::Admin => { "Administrators may call it." }
                }
                (scope(needed))
            }
            Access::Loopback => { "Administrators may call it, and the machine itself." }
        }
    }
}

fn answered(answer: &Answer, generator: &mut SchemaGenerator) -> Markup {
    html! {
        strong { (answer.status) } " "
        @match (answer.schema, answer.content_type) {
            (Some(schema), _) => { (kind(&schema(generator).to_value())) }
            (None, Some(content_type)) => { code { (content_type) } }
            (None, None) => { "without a body" }
        }
    }
}

fn problems() -> Markup {
    html! {
        section aria-labelledby="problems" {
            h2 #problems { "Problems" }
            p .sub { "The field " code { "type" } " of a problem leads to its line here." }
            div .table-scroll tabindex="0" role="region" aria-label="Table of problems" {
                table .table {
                    thead { tr { th scope="col" { "Code" } th scope="col" { "Status" } th scope="col" { "What it says" } } }
                    tbody {
                        @for code in Code::ALL {
                            tr #(format!("problem-{}", code.as_str())) {
                                td { code { (code.as_str()) } } td { (code.status()) } td { (code.title()) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn shape(name: &str, schema: &Value) -> Markup {
    html! {
        div .card.stack.shape #(format!("shape-{}", slug(name))) {
            h3 { (name) }
            @if let Some(text) = schema.get("description").and_then(Value::as_str) { p { (prose(text)) } }
            @if let Some(fields) = schema.get("properties").and_then(Value::as_object) {
                (table(fields, schema))
            } @else { p { (kind(schema)) } }
        }
    }
}

/// The fields of a schema, or of the shape that it names.
fn fields_of(schema: &Value, generator: &mut SchemaGenerator) -> Markup {
    let named = reference_name(schema).and_then(|name| generator.definitions().get(name));
    let schema = named.unwrap_or(schema);
    match schema.get("properties").and_then(Value::as_object) {
        Some(fields) => table(fields, schema),
        None => html! { p { (kind(schema)) } },
    }
}

fn table(fields: &Map<String, Value>, schema: &Value) -> Markup {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    html! {
        dl .fields {
            @for (name, field) in fields {
                div {
                    dt { code { (name) } @if required.contains(&name.as_str()) { span .mark { "required" } }
                        span .field-kind { (kind(field)) } }
                    @if let Some(text) = field.get("description").and_then(Value::as_str) { dd { (prose(text)) } }
                }
            }
        }
    }
}

fn reference_name(schema: &Value) -> Option<&str> {
    schema.get("$ref").and_then(Value::as_str)?.rsplit('/').next()
}

/// What a schema takes, in words.
fn kind(schema: &Value) -> Markup {
    if let Some(name) = reference_name(schema) {
        return html! { a href=(format!("#shape-{}", slug(name))) { (name) } };
    }
    for choice in ["oneOf", "anyOf"] {
        if let Some(all) = schema.get(choice).and_then(Value::as_array) {
            return html! { @for (at, one) in all.iter().enumerate() { @if at > 0 { " or " } (kind(one)) } };
        }
    }
    if let Some(one) = schema.get("const") {
        return html! { code { (one) } };
    }
    if let Some(all) = schema.get("enum").and_then(Value::as_array) {
        return html! { @for (at, one) in all.iter().enumerate() { @if at > 0 { " or " } code { (one) } } };
    }
    let types: Vec<&str> = match schema.get("type") {
        Some(Value::String(one)) => vec![one],
        Some(Value::Array(all)) => all.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    html! {
        @if types.is_empty() { "any JSON" }
        @for (at, one) in types.iter().enumerate() {
            @if at > 0 { " or " }
            @match (*one, schema.get("items")) {
                ("array", Some(items)) => { "list of " (kind(items)) }
                _ => { (one) }
            }
        }
        (bounds(schema))
    }
}

fn bounds(schema: &Value) -> Markup {
    let number = |key: &str| schema.get(key).and_then(Value::as_i64).map(crate::format::grouped);
    let of = |least: &str, most: &str, unit: &str| match (number(least), number(most)) {
        (Some(least), Some(most)) => format!(", {least} to {most}{unit}"),
        (Some(least), None) => format!(", at least {least}{unit}"),
        (None, Some(most)) => format!(", at most {most}{unit}"),
        (None, None) => String::new(),
    };
    html! {
        (of("minimum", "maximum", "")) (of("minLength", "maxLength", " characters"))
        (of("minItems", "maxItems", " items"))
    }
}

/// Text with what stands between backticks as code.
fn prose(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// `put-api-v1-posts-id-like`: letters and digits, joined by single hyphens.
fn slug(text: &str) -> String {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    words.collect::<Vec<_>>().join("-").to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_are_told_in_words() {
        for (schema, words) in [
            (json!({ "type": "string", "maxLength": 2200 }), "string, at most 2,200 characters"),
            (json!({ "type": ["string", "null"] }), "string or null"),
            (
                json!({ "type": "array", "items": { "$ref": "#/shapes/PostView" } }),
                "list of <a href=\"#shape-postview\">PostView</a>",
            ),
            (json!({ "enum": ["a", "b"] }), "<code>\"a\"</code> or <code>\"b\"</code>"),
        ] {
            assert_eq!(kind(&schema).into_string().replace("&quot;", "\""), words);
        }
    }

    #[test]
    fn every_problem_has_its_place() {
        let page = reference(&[]).into_string();
        for code in Code::ALL {
            assert!(page.contains(&format!("id=\"problem-{}\"", code.as_str())));
        }
    }
}
