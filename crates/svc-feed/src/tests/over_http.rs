//! The routes, through the real router: statuses, shapes and who may call what.

use axum::body::Body;
use http::{Request, header};
use http_body_util::BodyExt as _;
use mainstay_core::{
    auth::{NewAccount, Origin},
    http::{
        middleware::{Gate, GateSettings, Limits},
        openapi::document,
        router::{Router, clash, incomplete, router},
    },
    limit::Limit,
    telemetry::HttpMetrics,
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;

/// The program's router over Feed.
struct Site {
    router: Router,
}

impl Site {
    fn over(town: &Town) -> Self {
        let settings = GateSettings {
            in_flight_max: 100,
            header_bytes_max: 32 << 10,
            trusted_proxies: Vec::new(),
            cors_origins: Vec::new(),
            https: false,
        };
        // Rates are not what these tests are about, and their clock stands still.
        let limits = Limits::new([Limit::per_s(1, 1); 5], false);
        let metrics = HttpMetrics::new(&Metrics::new());
        let auth = town.core.auth.clone();
        let gate = Gate::new(settings, auth, town.clock.clone(), limits, metrics, None);
        Self { router: router(crate::api::routes(&town.feed), &Arc::new(gate)).unwrap() }
    }

    /// Sends a request and returns status and body.
    async fn call(&self, method: &str, path: &str, token: &str, body: Value) -> (u16, Value) {
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
        let request = request.body(body).unwrap();
        let response = self.router.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&bytes).unwrap_or_default())
    }
}

impl Town {
    /// Registers somebody; their id and access token.
    async fn signed_in(&self, handle: &str) -> (UserId, String) {
        let new = NewAccount {
            handle: handle.into(),
            email: format!("{handle}@example.org"),
            password: "correct horse battery".into(),
        };
        let signed_in = self.core.auth.register(new, &Origin::default()).await.unwrap();
        self.met(signed_in.user.id, handle).await;
        (signed_in.user.id, signed_in.access_token.to_string())
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_route_says_what_it_is_and_none_stands_twice() {
    for town in towns().await {
        let routes = crate::api::routes(&town.feed);
        assert_eq!(clash(&routes), None);
        assert_eq!(incomplete(&routes), [""; 0]);
        let document = document(&routes, "1");
        assert!(document["paths"]["/api/v1/moderation/actions"]["post"].is_object());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn people_meet_are_told_and_complain_over_http() {
    for town in towns().await {
        let site = Site::over(&town);
        let ((ada, ada_token), (bob, bob_token)) =
            (town.signed_in("ada").await, town.signed_in("bob").await);
        let follow = format!("/api/v1/users/{ada}/follow");
        assert_eq!(site.call("PUT", &follow, "", Value::Null).await.0, 401);
        for _ in 0..2 {
            let (status, relation) = site.call("PUT", &follow, &bob_token, Value::Null).await;
            assert_eq!((status, &relation["following"]), (200, &json!(true)), "{relation}");
        }
        let (status, page) = site.call("GET", "/api/v1/users/by-handle/Ada", "", json!(null)).await;
        assert_eq!((status, &page["follower_count"]), (200, &json!(1)), "{page}");
        let path = format!("/api/v1/users/{ada}/followers?limit=1");
        let (_, followers) = site.call("GET", &path, "", Value::Null).await;
        assert_eq!(followers["items"][0]["handle"], "bob");
        let (status, refused) =
            site.call("PUT", &format!("/api/v1/users/{bob}/mute"), &bob_token, Value::Null).await;
        assert_eq!((status, &refused["errors"][0]["code"]), (422, &json!("oneself")));

        town.take_facts().await;
        let (_, told) = site.call("GET", "/api/v1/notifications", &ada_token, Value::Null).await;
        assert_eq!(
            (&told["items"][0]["kind"], &told["unread_count"]),
            (&json!("follow"), &json!(1))
        );
        let up_to = json!({ "up_to": told["items"][0]["id"] });
        let read = "/api/v1/notifications/read";
        let (status, left) = site.call("POST", read, &ada_token, up_to.clone()).await;
        assert_eq!((status, left), (200, json!({ "unread_count": 0 })));
        assert_eq!(site.call("POST", read, &bob_token, up_to).await.0, 422);

        let edit = json!({ "private": true, "bio": "I count.", "avatar": null });
        let (status, page) = site.call("PATCH", "/api/v1/profile", &ada_token, edit).await;
        assert_eq!(
            (status, &page["private"], &page["bio"]),
            (200, &json!(true), &json!("I count."))
        );
        let (_, found) = site.call("GET", "/api/v1/search?q=ad&kind=people", "", Value::Null).await;
        assert_eq!(found["items"][0]["id"], ada.to_string());
        let (status, _) = site.call("GET", "/api/v1/search?q=", "", Value::Null).await;
        assert_eq!(status, 422);

        let complaint = json!({ "target": ada, "reason": "She counts." });
        let (status, report) = site.call("POST", "/api/v1/reports", &bob_token, complaint).await;
        assert_eq!((status, &report["target"]), (201, &json!(ada)));
        let queue = "/api/v1/moderation/queue";
        assert_eq!(site.call("GET", queue, &bob_token, Value::Null).await.0, 403);
        let weights = json!({ "weights": { "like": 1.0 } });
        let dry_run = "/api/v1/explore/dry-run";
        assert_eq!(site.call("POST", dry_run, &bob_token, weights).await.0, 403);
    }
}
