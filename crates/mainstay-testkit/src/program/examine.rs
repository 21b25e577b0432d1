//! The OpenAPI document against the program that serves it, tried from outside by schemathesis.

use std::process::Stdio;

use mainstay_core::auth::Role;
use serde_json::json;
use tokio::process::Command;

use super::Program;
use crate::tools::schemathesis;

/// Examples for each operation; enough to meet every parameter, few enough for each run.
const EXAMPLES: &str = "8";
/// What is held against each answer.
const CHECKS: &str = "not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance";

impl Program {
    /// Tries every operation of the program's document, as an administrator, with input that the document allows and
    /// input that it does not.
    ///
    /// # Panics
    /// If an answer is not one that the document has, or a server error.
    pub async fn examine(&self) {
        let admin = self.person_as(Role::Admin, "examiner").await;
        // A key outlives the sign-outs that are tried as well.
        let scopes = json!(["read", "write", "moderate", "admin"]);
        let key = admin
            .post("/api/v1/api-keys", json!({ "name": "examiner", "scopes": scopes }))
            .await
            .expect(201);
        let secret = ["secret", "key"].iter().find_map(|name| key.get(*name)?.as_str());
        let key = secret.unwrap_or_else(|| panic!("{key} holds no key")).to_owned();
        let base = format!("http://{}", self.address());
        // It keeps what it found for the next time; a test begins anew.
        let folder = tempfile::tempdir().unwrap_or_else(|error| panic!("no folder: {error}"));
        let program = schemathesis().unwrap_or_else(|error| panic!("{error}"));
        let output = Command::new(program)
            .current_dir(folder.path())
            .args(["run", &format!("{base}/api/v1/openapi.json"), "--url", &base])
            .args(["--checks", CHECKS, "--header", &format!("Authorization: Bearer {key}")])
            .args(["--max-examples", EXAMPLES, "--seed", "1", "--workers", "1", "--no-color"])
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .output()
            .await
            .unwrap_or_else(|error| panic!("schemathesis did not run: {error}"));
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}");
        assert!(said.contains("passed"), "it tried nothing: {said}");
    }
}
