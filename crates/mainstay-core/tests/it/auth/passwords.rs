//! A person changes their password.

use http::header;
use mainstay_core::{
    audit,
    auth::{AuthError, Origin, Scope, SignedIn},
    error::{Code, Problem},
};
use serde_json::{Value, json};

use super::{House, PASSWORD, engines, home, http::Site};

const NEXT: &str = "a staple and a battery";
const PATH: &str = "/api/v1/me/password";

fn change(current: &str, new: &str) -> Value {
    json!({ "current_password": current, "new_password": new })
}

/// The pointers and codes of a refusal.
fn faults(problem: &Value) -> Vec<(&str, &str)> {
    let faults = problem["errors"].as_array().unwrap().iter();
    faults.map(|f| (f["pointer"].as_str().unwrap(), f["code"].as_str().unwrap())).collect()
}

async fn knows(house: &House, password: &str) -> bool {
    // From an address of its own, so that it neither counts nor forgives what the tests count.
    let elsewhere = Origin { address: Some([198, 51, 100, 1].into()), agent: None };
    house.auth.login("bob", password, &elsewhere).await.is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_password_ends_every_other_sign_in_and_nobody_elses() {
    for house in engines().await {
        let site = Site::over(&house);
        let (laptop, phone) = (house.register("bob").await, house.login("bob").await);
        let browser = house.auth.login_console("bob", PASSWORD, &home()).await.unwrap();
        let eve = house.register("eve").await;
        let caller = house.caller(&laptop).await;
        let key = house.auth.create_api_key(&caller, "key", &[Scope::Read], &home()).await;
        let key = key.unwrap().secret;
        // Known to this instance, as they would be in use.
        house.caller(&phone).await;
        house.auth.authenticate_cookie(&browser.cookie).await.unwrap();

        let (status, body) = site.post(PATH, &laptop.access_token, change(PASSWORD, NEXT)).await;
        assert_eq!((status.as_u16(), body), (204, Value::Null));
        assert_eq!(site.get("/api/v1/me", &laptop.access_token).await.0, 200, "this one stays");
        house.auth.refresh(&laptop.refresh_token, &home()).await.unwrap();
        assert_eq!(site.get("/api/v1/me", &phone.access_token).await.0, 401);
        assert!(house.auth.refresh(&phone.refresh_token, &home()).await.is_err());
        assert!(house.auth.authenticate_cookie(&browser.cookie).await.is_err());
        assert_eq!(site.get("/api/v1/me", &key).await.0, 200, "keys stay");
        assert_eq!(site.get("/api/v1/me", &eve.access_token).await.0, 200);
        assert!(knows(&house, NEXT).await && !knows(&house, PASSWORD).await);

        let mut tx = house.db.read().await.unwrap();
        let log = audit::list(&mut tx, i64::MAX, 100).await.unwrap();
        drop(tx);
        let bob = laptop.user.id.to_string();
        let entry = log.iter().find(|entry| entry.action == "account.change_password").unwrap();
        assert_eq!((&entry.actor, &entry.target), (&bob, &bob));
        assert_eq!(entry.detail.0, json!({ "ended": 2 }));
        let text = format!("{log:?}");
        assert!(!text.contains(PASSWORD) && !text.contains(NEXT));
        // Other instances hear of each end.
        let there = house.other_instance().await;
        house.facts().await.iter().for_each(|fact| there.apply(fact));
        assert!(there.authenticate_bearer(&phone.access_token).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_with_a_new_password_is_said_all_at_once_and_changes_nothing() {
    for house in engines().await {
        let site = Site::over(&house);
        let SignedIn { access_token, .. } = house.register("bob").await;
        for (current, new, expected) in [
            ("", "short", &[("/current_password", "required"), ("/new_password", "too_short")][..]),
            (PASSWORD, PASSWORD, &[("/new_password", "unchanged")]),
            (PASSWORD, "bob@example.org", &[("/new_password", "too_common")]),
            (PASSWORD, "password123", &[("/new_password", "too_common")]),
            ("not this one", NEXT, &[("/current_password", "wrong")]),
            (&"x".repeat(2_000), NEXT, &[("/current_password", "wrong")]),
        ] {
            let (status, problem) = site.post(PATH, &access_token, change(current, new)).await;
            assert_eq!(status, 422, "{problem}");
            assert_eq!(faults(&problem), expected);
        }
        assert_eq!(site.post(PATH, "", change(PASSWORD, NEXT)).await.0, 401);
        let (status, _) = site.post(PATH, &access_token, json!({ "new_password": NEXT })).await;
        assert!(status.is_client_error());
        assert!(knows(&house, PASSWORD).await && !knows(&house, NEXT).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_present_passwords_lock_out_and_count_with_wrong_sign_ins() {
    for house in engines().await {
        let site = Site::over(&house);
        let SignedIn { access_token, .. } = house.register("bob").await;
        // The router's callers come from here.
        let here = Origin { address: Some([127, 0, 0, 1].into()), agent: None };
        for _ in 0..2 {
            assert!(house.auth.login("Bob", "wrong password", &here).await.is_err());
        }
        for _ in 0..3 {
            let (status, _) = site.post(PATH, &access_token, change("wrong password", NEXT)).await;
            assert_eq!(status, 422);
        }
        let (status, locked) = site.post(PATH, &access_token, change(PASSWORD, NEXT)).await;
        assert_eq!((status.as_u16(), &locked["code"]), (429, &json!("rate_limited")));
        let sign_in = house.auth.login("bob", PASSWORD, &here).await;
        assert!(matches!(sign_in, Err(AuthError::LockedOut { .. })));
        let mut tx = house.db.read().await.unwrap();
        let log = audit::list(&mut tx, i64::MAX, 100).await.unwrap();
        drop(tx);
        let refused = log.iter().filter(|entry| entry.action == "account.refuse_password");
        assert_eq!(refused.count(), 3);
        house.clock.advance_s(1);
        assert_eq!(site.post(PATH, &access_token, change(PASSWORD, NEXT)).await.0, 204);
        assert!(knows(&house, NEXT).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_changes_no_password() {
    for house in engines().await {
        let site = Site::over(&house);
        let bob = house.register("bob").await;
        let caller = house.caller(&bob).await;
        let scopes = [Scope::Read, Scope::Write];
        let key = house.auth.create_api_key(&caller, "key", &scopes, &home()).await.unwrap();
        let (status, problem) = site.post(PATH, &key.secret, change(PASSWORD, NEXT)).await;
        assert_eq!((status.as_u16(), &problem["code"]), (403, &json!("forbidden")));
        assert!(knows(&house, PASSWORD).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_64_changes_at_once_one_wins_and_no_sign_in_with_the_old_password_survives() {
    for house in engines().await {
        let bob = house.register("bob").await;
        let caller = house.caller(&bob).await;
        let mut changes = tokio::task::JoinSet::new();
        let mut sign_ins = tokio::task::JoinSet::new();
        for n in 0..64 {
            let (auth, caller) = (house.auth.clone(), caller.clone());
            let new = format!("{NEXT} {n}");
            changes.spawn(async move {
                let changed = auth.change_password(&caller, PASSWORD, &new, &home()).await;
                changed.map(|()| new).map_err(|error| Problem::from(error).code)
            });
            let auth = house.auth.clone();
            // Each from its own address: locking out is not what this is about.
            let from = Origin { address: Some([203, 0, 113, n].into()), agent: None };
            sign_ins.spawn(async move { auth.login("bob", PASSWORD, &from).await.ok() });
        }
        let changed = changes.join_all().await;
        let won: Vec<_> = changed.iter().filter_map(|done| done.as_ref().ok()).collect();
        assert_eq!(won.len(), 1, "{changed:?}");
        let expected = [Code::Conflict, Code::Invalid, Code::RateLimited];
        assert!(
            changed
                .iter()
                .all(|done| done.is_ok() || expected.contains(&done.clone().unwrap_err()))
        );
        assert!(knows(&house, won[0]).await && !knows(&house, PASSWORD).await);
        for session in sign_ins.join_all().await.into_iter().flatten() {
            let alive = house.auth.authenticate_bearer(&session.access_token).await;
            assert!(alive.is_err(), "a sign-in with the old password lives on");
        }
        house.caller(&bob).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_changes_its_password_only_with_its_token() {
    for house in engines().await {
        let site = Site::over(&house);
        house.register("bob").await;
        let browser = house.auth.login_console("bob", PASSWORD, &home()).await.unwrap();
        let cookie =
            house.auth.session_cookie(&browser.cookie, mainstay_core::auth::Transport::Plain);
        let cookie = cookie.split(';').next().unwrap();
        for (token, expected) in
            [("guessed".to_owned(), 403), (house.auth.csrf_token(browser.session), 204)]
        {
            let request = http::Request::post(PATH)
                .header(header::COOKIE, cookie)
                .header(header::CONTENT_TYPE, "application/json")
                .header("x-csrf-token", token)
                .body(change(PASSWORD, NEXT).to_string().into());
            let (status, body) = site.send(request.unwrap()).await;
            assert_eq!(status, expected, "{body}");
        }
        assert!(house.auth.authenticate_cookie(&browser.cookie).await.is_ok());
    }
}
