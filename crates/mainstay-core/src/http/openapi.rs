//! The OpenAPI 3.1 document, from the same list as the router.

use schemars::{SchemaGenerator, generate::SchemaSettings};
use serde_json::{Map, Value, json};

use super::{
    reply::ProblemJson,
    route::{Access, BodyKind, Kind, Route},
};
use crate::error::Code;

/// The document of these routes. Pages of the console and raw files are not in it.
pub fn document(routes: &[Route], version: &str) -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = SchemaGenerator::new(settings);
    let mut paths = Map::new();
    for route in routes.iter().filter(|route| route.kind == Kind::Api) {
        let operation = operation(route, &mut generator);
        let entry = paths.entry(route.path).or_insert_with(|| json!({}));
        if let Some(entry) = entry.as_object_mut() {
            entry.insert(route.method.as_str().to_ascii_lowercase(), operation);
        }
    }
    generator.subschema_for::<ProblemJson<'static>>();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Mainstay", "version": version,
            "description": "One program with the services that nearly every product needs. Errors are RFC 9457 problems; lists are paged by cursor; writes take an `Idempotency-Key` where it is declared.",
            "license": { "name": "Apache-2.0 OR MIT" }
        },
        "paths": paths,
        "components": {
            "schemas": generator.take_definitions(true),
            "securitySchemes": {
                "bearer": { "type": "http", "scheme": "bearer", "description": "An access token or an API key." }
            }
        }
    })
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut operation = json!({
        "operationId": operation_id(route),
        "summary": route.summary,
        "tags": [route.group],
        "parameters": parameters(route, generator),
        "responses": responses(route, generator),
    });
    let Some(map) = operation.as_object_mut() else { return operation };
    if !route.description.is_empty() {
        map.insert("description".into(), route.description.into());
    }
    match route.body {
        BodyKind::None => {}
        BodyKind::Json(schema) => {
            let schema = schema(generator);
            map.insert("requestBody".into(), json!({ "required": route.body_required, "content": { "application/json": { "schema": schema } } }));
        }
        BodyKind::Multipart => {
            let schema = json!({
                "type": "object", "required": ["file"],
                "properties": { "file": { "type": "string", "contentMediaType": "application/octet-stream" } }
            });
            map.insert("requestBody".into(), json!({ "required": true, "content": { "multipart/form-data": { "schema": schema } } }));
        }
        BodyKind::Form => {}
    }
    let security = match route.access {
        Access::Public => json!([{}, { "bearer": [] }]),
        Access::Loopback | Access::SignedIn(_) | Access::Role(..) => json!([{ "bearer": [] }]),
    };
    map.insert("security".into(), security);
    operation
}

/// `put_posts_id_like`.
fn operation_id(route: &Route) -> String {
    let path = route
        .path
        .trim_start_matches("/api/v1")
        .replace(['/', '-', '.'], "_")
        .replace(['{', '}'], "");
    format!("{}{path}", route.method.as_str().to_ascii_lowercase())
}

fn parameters(route: &Route, generator: &mut SchemaGenerator) -> Vec<Value> {
    let mut all: Vec<Value> = route
        .path
        .split('/')
        .filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
        .map(|name| {
            json!({ "name": name.trim_start_matches('*'), "in": "path", "required": true, "schema": { "type": "string" } })
        })
        .collect();
    if let Some(query) = route.query {
        let schema = (query.0)(generator);
        let schema = resolve(schema.as_value(), generator);
        let required: Vec<&str> = schema
            .get("required")
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        for (name, schema) in
            schema.get("properties").and_then(Value::as_object).into_iter().flatten()
        {
            let needed = required.contains(&name.as_str());
            all.push(json!({ "name": name, "in": "query", "required": needed, "schema": schema }));
        }
    }
    if heeds_keys(route) {
        all.push(json!({
            "name": "Idempotency-Key", "in": "header", "required": false,
            "description": "Names this write; a repeat with the same key returns the first answer.",
            "schema": { "type": "string", "minLength": 1, "maxLength": 200 }
        }));
    }
    if route.versioned {
        all.push(json!({
            "name": "If-Match", "in": "header", "required": false,
            "description": "Makes the change only if the record's `version` is the one named, such as `\"v7\"` for 7; otherwise 412. `*` or nothing: whatever version there is.",
            "schema": { "type": "string" }
        }));
    }
    all
}

fn heeds_keys(route: &Route) -> bool {
    route.keyed && route.access != Access::Public
}

/// The schema behind a reference into the components.
fn resolve(schema: &Value, generator: &mut SchemaGenerator) -> Value {
    let Some(name) =
        schema.get("$ref").and_then(Value::as_str).and_then(|path| path.rsplit('/').next())
    else {
        return schema.clone();
    };
    generator.definitions().get(name).cloned().unwrap_or_else(|| schema.clone())
}

fn responses(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut all = Map::new();
    for answer in &route.answers {
        let mut response = json!({ "description": "Done." });
        if let (Some(map), Some(content_type)) = (response.as_object_mut(), answer.content_type) {
            let schema =
                answer.schema.map_or_else(|| json!({}), |schema| schema(generator).to_value());
            map.insert("content".into(), json!({ content_type: { "schema": schema } }));
        }
        all.insert(answer.status.to_string(), response);
    }
    if route.method == http::Method::GET {
        all.insert(
            "304".into(),
            json!({ "description": "It is what the caller has: its `If-None-Match` matched." }),
        );
    }
    for code in every_problem(route) {
        let problem = json!({
            "description": code.title(),
            "content": { "application/problem+json": { "schema": { "$ref": "#/components/schemas/Problem" } } }
        });
        all.entry(code.status().to_string()).or_insert(problem);
    }
    Value::Object(all)
}

/// What a route can answer besides its own: what its access, body and parameters make possible.
fn every_problem(route: &Route) -> Vec<Code> {
    let mut codes =
        vec![Code::RateLimited, Code::Internal, Code::Unavailable, Code::Unauthenticated];
    codes.extend([Code::UriTooLong, Code::HeadersTooLarge]);
    if route.access != Access::Public {
        codes.push(Code::Forbidden);
    }
    if matches!(route.body, BodyKind::Json(_) | BodyKind::Multipart) {
        codes.extend([
            Code::MalformedBody,
            Code::TooLarge,
            Code::UnsupportedMediaType,
            Code::Invalid,
        ]);
    }
    if route.query.is_some() {
        codes.extend([Code::MalformedParameter, Code::Invalid]);
    }
    if route.path.contains('{') {
        codes.push(Code::NotFound);
    }
    if heeds_keys(route) {
        codes.push(Code::Invalid);
    }
    if route.versioned {
        codes.extend([Code::MalformedParameter, Code::PreconditionFailed]);
    }
    codes.extend(route.problems);
    codes
}
