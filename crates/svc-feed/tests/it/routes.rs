//! What holds for every route.

use http::Method;
use mainstay_core::{
    auth::Role,
    http::{
        Route,
        route::{Access, BodyKind, Kind},
    },
};
use mainstay_testkit::program::{Client, Program};
use serde_json::Value;

use crate::both_engines;

/// A post, person, comment or anything else that nobody has.
fn path_of_nothing(route: &Route) -> String {
    let nothing = |part: &str| match part {
        "{tag}" => "nothing".to_owned(),
        "{width}" => "320".to_owned(),
        part if part.starts_with('{') => {
            // The id of something of this kind that is not there.
            let kind = route.path.split('/').rev().skip_while(|p| *p != part).nth(1).unwrap();
            let prefix = match kind {
                "users" => "user",
                "follow-requests" => "user",
                kind => kind.trim_end_matches('s'),
            };
            format!("{prefix}_01hjryxyjbf3nta8pn9d0z3fke")
        }
        part => part.to_owned(),
    };
    route.path.split('/').map(nothing).collect::<Vec<_>>().join("/")
}

fn api(house: &Program) -> impl Iterator<Item = &Route> {
    house.routes().iter().filter(|route| route.kind == Kind::Api)
}

async fn send(client: &Client, route: &Route, body: Option<&str>) -> (u16, String) {
    let path = path_of_nothing(route);
    let mut request = client.request(route.method.clone(), &path);
    if let Some(body) = body {
        request = request.body("application/json", body);
    }
    let answer = request.await;
    (answer.status, String::from_utf8_lossy(&answer.body).into_owned())
}

#[tokio::test]
async fn every_statement_is_understood_by_both_engines() {
    both_engines(async |house| {
        let count = house.prepare_every_statement().await;
        assert!(count > 80, "only {count} statements were found");
    })
    .await;
}

#[tokio::test]
async fn every_private_route_refuses_strangers() {
    both_engines(async |house| {
        let stranger = house.stranger();
        let private = house.routes().iter().filter(|r| r.access != Access::Public);
        let private: Vec<&Route> = private.filter(|r| r.access != Access::Loopback).collect();
        assert!(private.len() > 15, "only {} private routes were found", private.len());
        for route in private {
            let body = matches!(route.body, BodyKind::Json(_)).then_some("{}");
            let (status, said) = send(&stranger, route, body).await;
            assert_eq!(status, 401, "{}: {said}", route.name());
        }
    })
    .await;
}

#[tokio::test]
async fn a_forged_token_is_refused_on_public_routes_too() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let mut forged = ada.token().to_owned();
        forged.pop();
        for token in ["nonsense", forged.as_str()] {
            let client = ada.with_token(token);
            let answer = client.get("/api/v1/timelines/latest").await;
            answer.expect_problem(401, "unauthenticated");
        }
    })
    .await;
}

#[tokio::test]
async fn garbage_as_a_body_is_a_clear_refusal_everywhere() {
    both_engines(async |house| {
        let ada = house.person_as(Role::Admin, "ada").await;
        let bodies: [&[u8]; 9] = [
            b"",
            b"{",
            b"nonsense",
            b"[]",
            b"null",
            b"17",
            b"\"text\"",
            b"{\"no_such_field\": {\"a\": [1, 2]}}",
            b"\xff\xfe\x00",
        ];
        let mut names = 0..;
        let taking = api(house).filter(|route| route.method != Method::GET);
        for route in taking {
            for body in bodies {
                let path = path_of_nothing(route);
                let leaver;
                let caller = match route.path.ends_with("/logout") {
                    // Signing out is what an empty object asks for.
                    true => {
                        leaver = house.person(&format!("leaver{}", names.next().unwrap())).await;
                        &leaver
                    }
                    false => &ada,
                };
                let request = caller.request(route.method.clone(), &path);
                let answer = request.body("application/json", body).await;
                let said = String::from_utf8_lossy(&answer.body).into_owned();
                let name = route.name();
                // An object without a field that the route knows is a body where every field may be absent; nothing at
                // all is one where the body itself may be.
                let may_do = body.starts_with(b"{\"") || body.is_empty() && !route.body_required;
                if matches!(route.body, BodyKind::Json(_)) && !may_do {
                    let refused = [400, 404, 413, 415, 422].contains(&answer.status);
                    assert!(refused, "{name} with {body:?}: {} {said}", answer.status);
                }
                assert!(answer.status < 500, "{name} with {body:?}: {} {said}", answer.status);
                if answer.status >= 400 {
                    assert_eq!(answer.header("content-type"), "application/problem+json", "{name}");
                }
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_of_another_type_is_415_and_a_long_one_413() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let posts = ada.request(Method::POST, "/api/v1/posts");
        let answer = posts.body("text/plain", "{\"caption\": \"hello\"}").await;
        answer.expect_problem(415, "unsupported_media_type");
        let long = format!("{{\"caption\": \"{}\"}}", "x".repeat(70 << 10));
        let posts = ada.request(Method::POST, "/api/v1/posts");
        posts.body("application/json", long).await.expect_problem(413, "too_large");
    })
    .await;
}

#[tokio::test]
async fn what_does_not_exist_is_404_whatever_its_id_looks_like() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let ids = [
            "post_01hjryxyjbf3nta8pn9d0z3fke",
            "post_",
            "17",
            "user_01hjryxyjbf3nta8pn9d0z3fke",
            "post_zzzzzzzzzzzzzzzzzzzzzzzzzz",
            "%00",
            "..%2f..%2fetc",
        ];
        for id in ids {
            ada.get(&format!("/api/v1/posts/{id}")).await.expect_problem(404, "not_found");
            ada.delete(&format!("/api/v1/posts/{id}")).await.expect_problem(404, "not_found");
            ada.put(&format!("/api/v1/posts/{id}/like")).await.expect_problem(404, "not_found");
            let path = format!("/api/v1/posts/{id}/comments");
            ada.get(&path).await.expect_problem(404, "not_found");
            ada.get(&format!("/media/{id}")).await.expect_problem(404, "not_found");
        }
    })
    .await;
}

#[tokio::test]
async fn the_document_is_served_and_names_every_route_of_the_interface() {
    both_engines(async |house| {
        let served: Value = house.stranger().get("/api/v1/openapi.json").await.expect(200);
        assert_eq!(&served, house.document());
        assert_eq!(served["openapi"], "3.1.0");
        let mut ids = std::collections::BTreeSet::new();
        for route in api(house) {
            let operation = &served["paths"][route.path][route.method.as_str().to_lowercase()];
            assert!(operation.is_object(), "{} is not in the document", route.name());
            let answers = operation["responses"].as_object().unwrap();
            assert!(
                answers.keys().any(|status| status.starts_with('2') || status == "101"),
                "{} says nothing of success",
                route.name()
            );
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{}", route.name());
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap().to_owned()),
                "{} has another route's operation id",
                route.name()
            );
        }
        every_reference_is_there(&served, &served);
    })
    .await;
}

fn every_reference_is_there(document: &Value, value: &Value) {
    match value {
        Value::Object(fields) => {
            if let Some(Value::String(reference)) = fields.get("$ref") {
                let pointer = reference.strip_prefix('#').unwrap();
                assert!(document.pointer(pointer).is_some(), "{reference} leads nowhere");
            }
            fields.values().for_each(|value| every_reference_is_there(document, value));
        }
        Value::Array(items) => {
            items.iter().for_each(|value| every_reference_is_there(document, value));
        }
        _ => {}
    }
}
