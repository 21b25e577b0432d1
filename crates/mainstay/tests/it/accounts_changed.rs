//! `mainstay user role`, `password`, `suspend` and `restore`, with the program stopped and running.

use mainstay_testkit::program::eventually;
use rusqlite::Connection;
use serde_json::{Value, json};

use crate::{
    accounts::{PASSWORD, answered, create, sign_in},
    program::{Place, Serving},
};

const NEXT: &str = "a staple and a battery";
/// What a place that tries passwords again and again needs.
const NO_RATES: &str = "--set limit.enabled=false";

fn shown(place: &Place, handle: &str, field: &str) -> String {
    let account = place.run(&format!("user show {handle} --json")).printed_json();
    account[field].as_str().unwrap().to_owned()
}

/// Leaves of `handle` what is left of somebody who was forgotten.
fn forget(place: &Place, handle: &str) {
    let records = Connection::open(place.path().join("data/db/core.db")).unwrap();
    let key = "delete from subject_key where subject = (select id from account where handle = ?1)";
    assert_eq!(records.execute(key, [handle]).unwrap(), 1);
    let blank = "update account set email_sealed = null, email_index = null, password = null where handle = ?1";
    assert_eq!(records.execute(blank, [handle]).unwrap(), 1);
}

fn token(signed_in: &Value, name: &str) -> String {
    signed_in[name].as_str().unwrap().to_owned()
}

fn refresh(serving: &Serving, token: &str) -> u16 {
    answered(&serving.post("/api/v1/auth/refresh", &json!({ "refresh_token": token }))).0
}

#[test]
fn a_role_is_changed_stopped_or_running_but_the_last_administrator_keeps_it() {
    for runs in [false, true] {
        let place = Place::new();
        create(&place, "ada", "admin").printed();
        create(&place, "bob", "user").printed();
        let serving = runs.then(|| place.serve());
        let admins_only = "/api/v1/audit";
        let bob = serving.as_ref().map(|serving| {
            let bob = token(&sign_in(serving, "bob", PASSWORD).1, "access_token");
            assert_eq!(serving.get_as(&bob, admins_only), "HTTP/1.1 403 Forbidden");
            bob
        });
        let said = place.run("user role ada moderator").complained(5);
        let why = "This is the last administrator who can act. Make somebody else an administrator first.";
        assert_eq!(said, format!("mainstay: failed to change the role: {why}\n"));
        assert_eq!(shown(&place, "ada", "role"), "admin");

        let said = place.run("user role BOB admin").printed();
        assert!(
            said.starts_with("bob (user_") && said.ends_with(") has the role admin\n"),
            "{said}"
        );
        if let (Some(serving), Some(bob)) = (&serving, &bob) {
            assert_eq!(
                serving.get_as(bob, admins_only),
                "HTTP/1.1 200 OK",
                "from the next request"
            );
        }
        let changed = place.run("user role ada user --json").printed_json();
        assert_eq!((&changed["handle"], &changed["role"]), (&json!("ada"), &json!("user")));
        place.run("user role bob user").complained(5);
        place.run("user role bob king").complained(2);
        let said = place.run("user role zoe admin").complained(5);
        assert!(said.contains("There is no account `zoe`."), "{said}");
    }
}

#[test]
fn who_forgot_the_password_gets_another_and_every_sign_in_ends_while_the_program_runs() {
    let place = Place::new();
    create(&place, "bob", "user").printed();
    create(&place, "eve", "user").printed();
    let serving = place.serve_with(NO_RATES);
    let (bob, eve) = (sign_in(&serving, "bob", PASSWORD).1, sign_in(&serving, "eve", PASSWORD).1);
    let me = "/api/v1/me";
    let (old, hers) = (token(&bob, "access_token"), token(&eve, "access_token"));
    assert_eq!(serving.get_as(&old, me), "HTTP/1.1 200 OK");
    for _ in 0..8 {
        sign_in(&serving, "bob", "what was it");
    }
    assert_eq!(sign_in(&serving, "bob", PASSWORD).0, 429, "he is locked out");

    let said = place.run_with("user password bob --password-stdin", NEXT).printed();
    let now = "has a new password and is signed out everywhere; API keys stay\n";
    assert!(said.starts_with("bob (user_") && said.ends_with(now), "{said}");
    assert_eq!(sign_in(&serving, "bob", NEXT).0, 200, "he is heard at once");
    assert_eq!(sign_in(&serving, "bob", PASSWORD).0, 401);
    assert_eq!(serving.get_as(&old, me), "HTTP/1.1 401 Unauthorized");
    assert_eq!(refresh(&serving, &token(&bob, "refresh_token")), 401);
    assert_eq!(serving.get_as(&hers, me), "HTTP/1.1 200 OK", "others stay");
    assert_eq!(refresh(&serving, &token(&eve, "refresh_token")), 200);
}

#[test]
fn who_forgot_the_password_gets_another_and_every_sign_in_ends_while_the_program_is_stopped() {
    let place = Place::new();
    create(&place, "bob", "user").printed();
    let serving = place.serve();
    let bob = sign_in(&serving, "bob", PASSWORD).1;
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));

    let words = "user password bob --password-stdin --json";
    assert_eq!(place.run_with(words, NEXT).printed_json()["handle"], "bob");
    let serving = place.serve();
    assert_eq!(sign_in(&serving, "bob", NEXT).0, 200);
    assert_eq!(sign_in(&serving, "bob", PASSWORD).0, 401);
    assert_eq!(refresh(&serving, &token(&bob, "refresh_token")), 401);
    let old = token(&bob, "access_token");
    assert_eq!(serving.get_as(&old, "/api/v1/me"), "HTTP/1.1 401 Unauthorized");
}

#[test]
fn a_password_that_breaks_a_rule_or_has_nobody_is_refused_and_the_old_one_stays() {
    let place = Place::new();
    create(&place, "bob", "user").printed();
    create(&place, "cid", "user").printed();
    forget(&place, "cid");
    for runs in [false, true] {
        let serving = runs.then(|| place.serve());
        let set = |handle: &str, password: &str| {
            place.run_with(&format!("user password {handle} --password-stdin"), password)
        };
        for weak in ["short", "bob@example.org", "password123"] {
            let said = set("bob", weak).complained(5);
            assert!(
                said.starts_with("mainstay: failed to change the password: password: "),
                "{said}"
            );
        }
        let said = set("zoe", NEXT).complained(5);
        assert!(said.contains("There is no account `zoe`.") && !said.contains(NEXT), "{said}");
        let said = set("cid", NEXT).complained(5);
        assert!(said.contains("This person was forgotten"), "{said}");
        assert!(place.run("user password bob").complained(2).contains("--password-stdin"));
        if let Some(serving) = serving {
            assert_eq!(sign_in(&serving, "bob", PASSWORD).0, 200);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_suspended_is_out_in_every_service_until_restored_stopped_or_running() {
    let place = Place::new();
    create(&place, "bob", "user").printed();
    let profile = "/api/v1/users/by-handle/bob";
    let out = async |serving: &Serving, status: &str| {
        let line = format!("HTTP/1.1 {status}");
        eventually("Feed has heard of it", async || serving.get(profile) == line).await;
    };
    let serving = place.serve_with(NO_RATES);
    out(&serving, "200 OK").await;
    let bob = token(&sign_in(&serving, "bob", PASSWORD).1, "access_token");
    let said = place.run("user suspend bob").printed();
    assert!(said.ends_with(" is suspended and signed out everywhere\n"), "{said}");
    assert_eq!(serving.get_as(&bob, "/api/v1/me"), "HTTP/1.1 403 Forbidden");
    assert_eq!(sign_in(&serving, "bob", PASSWORD).0, 403);
    out(&serving, "404 Not Found").await;
    let said = place.run_with("user password bob --password-stdin", NEXT).printed();
    assert!(said.ends_with("; the account is still suspended\n"), "{said}");
    let said = place.run("user restore bob").printed();
    assert!(said.ends_with(" may sign in again\n"), "{said}");
    out(&serving, "200 OK").await;
    assert_eq!(sign_in(&serving, "bob", NEXT).0, 200);
    assert!(place.run("user suspend zoe").complained(5).contains("There is no account `zoe`."));
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));

    let suspended = place.run("user suspend bob --json").printed_json();
    assert_eq!(suspended["state"], "suspended");
    assert_eq!(
        place.run("user suspend bob --json").printed_json(),
        suspended,
        "again is no change"
    );
    assert!(place.run("user restore zoe").complained(5).contains("There is no account `zoe`."));
    let serving = place.serve_with(NO_RATES);
    assert_eq!(sign_in(&serving, "bob", NEXT).0, 403);
    out(&serving, "404 Not Found").await;
    serving.signal("TERM");
    assert_eq!(serving.end().0, Some(0));
    assert_eq!(place.run("user restore bob --json").printed_json()["state"], "active");
    let serving = place.serve();
    assert_eq!(sign_in(&serving, "bob", NEXT).0, 200);
    out(&serving, "200 OK").await;
}
