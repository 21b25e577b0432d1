//! `mainstay user create`, with the program stopped and running.

use serde_json::{Value, json};

use crate::program::{Place, Serving};

pub(crate) const PASSWORD: &str = "correct horse battery staple";

pub(crate) fn create(place: &Place, handle: &str, role: &str) -> crate::program::Ended {
    let words = format!(
        "user create {handle} --email {handle}@example.org --role {role} --password-stdin --json"
    );
    place.run_with(&words, PASSWORD)
}

/// The status that signing in is answered with, and the answer.
pub(crate) fn sign_in(serving: &Serving, login: &str, password: &str) -> (u16, Value) {
    answered(&serving.post("/api/v1/auth/login", &json!({ "login": login, "password": password })))
}

/// The status of an answer, and its JSON.
pub(crate) fn answered(answer: &str) -> (u16, Value) {
    let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
    let (_, body) = answer.split_once("\r\n\r\n").unwrap();
    (status, serde_json::from_str(body).unwrap())
}

#[test]
fn an_account_is_made_whether_the_program_runs_or_not() {
    let place = Place::new();
    let stopped = create(&place, "ada", "admin").printed_json();
    assert_eq!((&stopped["handle"], &stopped["role"]), (&json!("ada"), &json!("admin")));

    let serving = place.serve();
    let running = create(&place, "grace", "moderator").printed_json();
    assert_eq!((&running["handle"], &running["role"]), (&json!("grace"), &json!("moderator")));
    for handle in ["ada", "grace"] {
        let (status, answer) = sign_in(&serving, handle, PASSWORD);
        assert_eq!(status, 200, "{answer}");
    }
}

#[test]
fn what_is_not_accepted_ends_with_5_and_says_why_stopped_or_running() {
    let place = Place::new();
    create(&place, "ada", "user").printed();
    let stopped = create(&place, "ada", "user").complained(5);
    let short = "user create bob --email bob@example.org --password-stdin";
    let weak = place.run_with(short, "x\n").complained(5);
    assert!(weak.starts_with("mainstay: failed to make the account: password: "), "{weak}");

    let _serving = place.serve();
    let running = create(&place, "ada", "user").complained(5);
    assert!(running.contains("failed to make the account: handle: "), "{running}");
    assert_eq!(stopped, running);
    assert_eq!(place.run_with(short, "x\n").complained(5), weak);
    assert!(!format!("{stopped}{running}{weak}").contains(PASSWORD));
}
