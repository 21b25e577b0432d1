//! The OpenAPI document against the program that serves it, tried from outside by schemathesis.

use std::process::Stdio;

use mainstay_core::auth::Role;
use mainstay_testkit::{program::Engine, schemathesis};
use serde_json::json;
use tokio::process::Command;

use crate::feed;

/// Examples for each operation; enough to meet every parameter, few enough for each run.
const EXAMPLES: &str = "8";
/// What is held against each answer.
const CHECKS: &str = "not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance";

#[tokio::test(flavor = "multi_thread")]
async fn the_document_says_what_the_program_answers_on_sqlite() {
    examine(Engine::Sqlite).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_document_says_what_the_program_answers_on_postgres() {
    examine(Engine::Postgres).await;
}

/// The engines differ in what they refuse, such as a NUL in a text, which nobody but a fuzzer sends.
async fn examine(engine: Engine) {
    let house = feed().start(engine).await;
    let admin = house.person_as(Role::Admin, "examiner").await;
    // A key outlives the sign-outs that are tried as well.
    let scopes = json!(["read", "write", "moderate", "admin"]);
    let key = admin
        .post("/api/v1/api-keys", json!({ "name": "examiner", "scopes": scopes }))
        .await
        .expect(201);
    let key =
        ["secret", "key"].iter().find_map(|name| key.get(*name)?.as_str()).unwrap().to_owned();
    let base = format!("http://{}", house.address());
    // It keeps what it found for the next time; a test begins anew.
    let folder = tempfile::tempdir().unwrap();
    let run = Command::new(schemathesis().unwrap())
        .current_dir(folder.path())
        .args(["run", &format!("{base}/api/v1/openapi.json"), "--url", &base, "--checks", CHECKS])
        .args(["--header", &format!("Authorization: Bearer {key}")])
        .args(["--max-examples", EXAMPLES, "--seed", "1", "--workers", "1", "--no-color"])
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = run.await.unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("passed"), "it tried nothing: {said}");
    house.end().await;
}
