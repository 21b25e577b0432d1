//! The routes, through the real router.

use std::sync::Arc;

use axum::body::Body;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt as _;
use mainstay_core::{
    auth::{SignedIn, api},
    http::{
        Access,
        middleware::{Gate, GateSettings, Limits},
        router::{Router, router},
    },
    limit::Limit,
    telemetry::{HttpMetrics, Metrics},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::{House, PASSWORD, engines, home};

/// The program's router over a house.
pub(super) struct Site {
    router: Router,
}

/// An answer: status and body; null where there is none.
pub(super) type Answer = (StatusCode, Value);

impl Site {
    pub(super) fn over(house: &House) -> Self {
        // Rates are not what most tests are about, and their clock stands still.
        Self::limited(house, Limits::new([Limit::per_s(1, 1); 5], false))
    }

    fn limited(house: &House, limits: Limits) -> Self {
        let settings = GateSettings {
            in_flight_max: 100,
            header_bytes_max: 32 << 10,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            https: false,
        };
        let metrics = HttpMetrics::new(&Metrics::new());
        let (auth, clock) = (house.auth.clone(), house.clock.clone());
        let gate = Arc::new(Gate::new(settings, auth, clock, limits, metrics, None));
        Self { router: router(api::routes(&house.auth), &gate).unwrap() }
    }

    pub(super) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    async fn call(&self, method: &str, path: &str, token: &str, body: Value) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if !token.is_empty() {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        let body = if body.is_null() {
            Body::empty()
        } else {
            request = request.header(header::CONTENT_TYPE, "application/json");
            Body::from(body.to_string())
        };
        self.send(request.body(body).unwrap()).await
    }

    pub(super) async fn post(&self, path: &str, token: &str, body: Value) -> Answer {
        self.call("POST", path, token, body).await
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call("GET", path, token, Value::Null).await
    }
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_person_registers_signs_in_refreshes_and_signs_out() {
    for house in engines().await {
        let site = Site::over(&house);
        let new = json!({ "handle": "bob", "email": "bob@example.org", "password": PASSWORD });
        let (status, bob) = site.post("/api/v1/auth/register", "", new.clone()).await;
        assert_eq!(status, 201, "{bob}");
        assert_eq!(bob["user"]["handle"], "bob");
        assert_eq!(bob["expires_in_s"], 900);
        let (status, taken) = site.post("/api/v1/auth/register", "", new).await;
        assert_eq!((status.as_u16(), text(&taken["code"])), (409, "taken"));
        let (status, me) = site.get("/api/v1/me", text(&bob["access_token"])).await;
        assert_eq!((status.as_u16(), text(&me["email"])), (200, "bob@example.org"));
        let login = json!({ "login": "bob@example.org", "password": PASSWORD });
        let (status, phone) = site.post("/api/v1/auth/login", "", login).await;
        assert_eq!(status, 200);
        let token = json!({ "refresh_token": phone["refresh_token"] });
        let (status, phone) = site.post("/api/v1/auth/refresh", "", token).await;
        assert_eq!(status, 200);
        let access = text(&phone["access_token"]);
        let (_, sessions) = site.get("/api/v1/sessions", access).await;
        assert_eq!(sessions["items"].as_array().unwrap().len(), 2);
        assert_eq!(sessions["items"][0]["address"], "127.0.0.1");
        // Without a body it is this sign-in that ends.
        let (status, _) = site.post("/api/v1/auth/logout", access, Value::Null).await;
        assert_eq!(status, 204);
        assert_eq!(site.get("/api/v1/me", access).await.0, 401);
        let access = text(&bob["access_token"]);
        assert_eq!(site.get("/api/v1/me", access).await.0, 200);
        let everywhere = json!({ "everywhere": true });
        assert_eq!(site.post("/api/v1/auth/logout", access, everywhere).await.0, 204);
        assert_eq!(site.get("/api/v1/me", access).await.0, 401);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_made_listed_rotated_and_revoked() {
    for house in engines().await {
        let site = Site::over(&house);
        let SignedIn { access_token, .. } = house.register("bob").await;
        let new = json!({ "name": "sync", "scopes": ["read"] });
        let (status, key) = site.post("/api/v1/api-keys", &access_token, new).await;
        assert_eq!(status, 201, "{key}");
        let path = format!("/api/v1/api-keys/{}", text(&key["id"]));
        assert_eq!(site.get("/api/v1/me", text(&key["secret"])).await.0, 200);
        // Scopes are checked where the route is declared.
        let (status, refused) =
            site.post("/api/v1/auth/logout", text(&key["secret"]), json!({})).await;
        assert_eq!((status.as_u16(), text(&refused["code"])), (403, "forbidden"));
        let rotate = format!("{path}/rotate");
        let (status, second) = site.post(&rotate, &access_token, json!({ "overlap_s": 60 })).await;
        assert_eq!((status.as_u16(), &second["secret_count"]), (201, &json!(2)));
        let (_, keys) = site.get("/api/v1/api-keys", &access_token).await;
        assert_eq!(keys["items"].as_array().unwrap().len(), 1);
        assert!(keys["items"][0].get("secret").is_none());
        assert_eq!(site.call("DELETE", &path, &access_token, Value::Null).await.0, 204);
        assert_eq!(site.call("DELETE", &path, &access_token, Value::Null).await.0, 404);
        assert_eq!(site.get("/api/v1/me", text(&second["secret"])).await.0, 401);
        let beyond = json!({ "name": "sync", "scopes": ["admin"] });
        let (status, refused) = site.post("/api/v1/api-keys", &access_token, beyond).await;
        assert_eq!((status.as_u16(), text(&refused["errors"][0]["pointer"])), (422, "/scopes/0"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_private_route_refuses_strangers_and_bad_credentials() {
    for house in engines().await {
        let site = Site::over(&house);
        for route in api::routes(&house.auth) {
            let path = route.path.replace("{id}", "session_01h455vb4pex5vsknk084sn02q");
            let method = route.method.as_str();
            if route.access == Access::Public {
                continue;
            }
            for token in ["", "nonsense", "mk_nonsense", "a.b.c"] {
                let (status, problem) = site.call(method, &path, token, json!({})).await;
                assert_eq!(status, 401, "{method} {path} {token}: {problem}");
            }
        }
        assert_eq!(site.get("/.well-known/jwks.json", "").await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_access_token_beside_it_does_not_hinder_a_refresh() {
    for house in engines().await {
        let site = Site::over(&house);
        let bob = house.register("bob").await;
        house.clock.advance_s(901);
        assert_eq!(site.get("/api/v1/me", &bob.access_token).await.0, 401);
        let token = json!({ "refresh_token": bob.refresh_token });
        let (status, next) = site.post("/api/v1/auth/refresh", &bob.access_token, token).await;
        assert_eq!(status, 200, "{next}");
        assert_eq!(site.get("/api/v1/me", text(&next["access_token"])).await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_end_in_429_with_a_time_to_wait() {
    for house in engines().await {
        house.register("bob").await;
        let site = Site::over(&house);
        let wrong = json!({ "login": "bob", "password": "wrong password" });
        for _ in 0..5 {
            let (status, problem) = site.post("/api/v1/auth/login", "", wrong.clone()).await;
            assert_eq!((status.as_u16(), text(&problem["code"])), (401, "unauthenticated"));
        }
        let (status, problem) = site.post("/api/v1/auth/login", "", wrong).await;
        assert_eq!((status.as_u16(), text(&problem["code"])), (429, "rate_limited"));
    }
}

/// Guessing must not cost the records more than guessers are allowed.
#[tokio::test(flavor = "multi_thread")]
async fn credentials_of_an_address_that_guessed_too_often_are_not_looked_up() {
    for house in engines().await {
        let (bob, eve) = (house.register("bob").await, house.register("eve").await);
        let site = Site::limited(&house, Limits::new([Limit::per_s(1, 3); 5], true));
        assert_eq!(site.get("/api/v1/me", &bob.access_token).await.0, 200);
        for guess in ["mk_one", "mk_two", "three"] {
            assert_eq!(site.get("/api/v1/me", guess).await.0, 401);
        }
        let (status, problem) = site.get("/api/v1/me", "mk_four").await;
        assert_eq!((status.as_u16(), text(&problem["code"])), (429, "rate_limited"));
        // Nobody can tell a good one from a guess without looking it up.
        assert_eq!(site.get("/api/v1/me", &eve.access_token).await.0, 429);
        // Who is known already counts for themselves.
        assert_eq!(site.get("/api/v1/me", &bob.access_token).await.0, 200);
        house.clock.advance_s(1);
        assert_eq!(site.get("/api/v1/me", &eve.access_token).await.0, 200);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_cookie_makes_a_stranger_and_a_live_one_needs_its_form_token() {
    for house in engines().await {
        house.register("bob").await;
        let site = Site::over(&house);
        let signed_in = house.auth.login_console("bob", PASSWORD, &home()).await.unwrap();
        let send = async |method: &str, path: &str, cookie: &str, token: &str| {
            let request = Request::builder()
                .method(method)
                .uri(path)
                .header(header::COOKIE, format!("mainstay_session={cookie}"));
            let request =
                if token.is_empty() { request } else { request.header("x-csrf-token", token) };
            site.send(request.body(Body::empty()).unwrap()).await
        };
        assert_eq!(send("GET", "/.well-known/jwks.json", "stale", "").await.0, 200);
        assert_eq!(send("GET", "/api/v1/me", "stale", "").await.0, 401);
        let cookie = &signed_in.cookie;
        assert_eq!(send("GET", "/api/v1/me", cookie, "").await.0, 200);
        let (status, problem) = send("POST", "/api/v1/auth/logout", cookie, "").await;
        assert_eq!((status.as_u16(), text(&problem["code"])), (403, "csrf_failed"));
        let token = house.auth.csrf_token(signed_in.session);
        assert_eq!(send("POST", "/api/v1/auth/logout", cookie, &token).await.0, 204);
        assert_eq!(send("GET", "/api/v1/me", cookie, "").await.0, 401);
    }
}
