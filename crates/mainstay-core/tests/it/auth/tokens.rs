//! Access tokens: whose signature, which algorithm, how long.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use mainstay_core::{
    auth::{Actor, Auth, AuthError, Secrets, Settings, SignedIn},
    clock::Clock,
};
use serde_json::{Value, json};

use super::{House, NOON, engines, settings};

async fn accepted(house: &House, token: &str) -> bool {
    match house.auth.authenticate_bearer(token).await {
        Ok(_) => true,
        Err(AuthError::Unauthenticated) => false,
        Err(other) => panic!("{other:?}"),
    }
}

fn part(token: &str, place: usize) -> Value {
    let part = token.split('.').nth(place).unwrap();
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

fn encoded(value: &Value) -> String {
    URL_SAFE_NO_PAD.encode(value.to_string())
}

async fn bob(house: &House) -> SignedIn {
    house.register("bob").await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_says_who_and_for_how_long_and_any_program_can_verify_it() {
    for house in engines().await {
        let bob = bob(&house).await;
        let claims = part(&bob.access_token, 1);
        let now_s = NOON.as_micros() / 1_000_000;
        assert_eq!(claims["sub"], json!(bob.user.id));
        assert_eq!(claims["handle"], json!("bob"));
        assert_eq!(claims["role"], json!("user"));
        assert_eq!(claims["iss"], json!("mainstay"));
        assert_eq!((&claims["iat"], &claims["exp"]), (&json!(now_s), &json!(now_s + 900)));
        let set: jsonwebtoken::jwk::JwkSet =
            serde_json::from_value(house.auth.jwks().await.unwrap()).unwrap();
        let header = jsonwebtoken::decode_header(&bob.access_token).unwrap();
        let jwk = set.find(&header.kid.unwrap()).unwrap();
        let key = jsonwebtoken::DecodingKey::from_jwk(jwk).unwrap();
        let mut validation = jsonwebtoken::Validation::new(Algorithm::EdDSA);
        validation.validate_exp = false;
        validation.set_issuer(&["mainstay"]);
        jsonwebtoken::decode::<Value>(&bob.access_token, &key, &validation).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_without_a_signature_or_with_a_mac_of_the_public_key_is_refused() {
    for house in engines().await {
        let token = bob(&house).await.access_token;
        let kid = part(&token, 0)["kid"].clone();
        let claims = token.split('.').nth(1).unwrap();
        for alg in ["none", "None", "NONE"] {
            let header = encoded(&json!({ "typ": "JWT", "alg": alg, "kid": kid }));
            assert!(!accepted(&house, &format!("{header}.{claims}.")).await, "{alg}");
            let signature = token.rsplit('.').next().unwrap();
            assert!(!accepted(&house, &format!("{header}.{claims}.{signature}")).await, "{alg}");
        }
        let jwks = house.auth.jwks().await.unwrap();
        let text = jwks["keys"][0]["x"].as_str().unwrap();
        let raw = URL_SAFE_NO_PAD.decode(text).unwrap();
        for secret in [raw.as_slice(), text.as_bytes(), jwks["keys"][0].to_string().as_bytes()] {
            let mut header = Header::new(Algorithm::HS256);
            header.kid = kid.as_str().map(Into::into);
            let key = EncodingKey::from_secret(secret);
            let forged = jsonwebtoken::encode(&header, &part(&token, 1), &key).unwrap();
            assert!(!accepted(&house, &forged).await);
        }
        assert!(accepted(&house, &token).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_with_any_changed_character_is_refused() {
    for house in engines().await {
        let token = bob(&house).await.access_token;
        assert!(accepted(&house, &token).await, "it is in memory from now on");
        for place in (0..token.len()).step_by(7) {
            let mut changed = token.clone().into_bytes();
            changed[place] = if changed[place] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert!(!accepted(&house, &changed).await, "{place}: {changed}");
        }
        let mut claims = part(&token, 1);
        claims["role"] = json!("admin");
        let parts: Vec<_> = token.split('.').collect();
        let promoted = format!("{}.{}.{}", parts[0], encoded(&claims), parts[2]);
        assert!(!accepted(&house, &promoted).await);
        for odd in
            ["", ".", "..", "a.b.c", "mk_", "mk_x", &token[..token.len() - 4], &"a".repeat(1 << 20)]
        {
            assert!(!accepted(&house, odd).await, "{}", &odd[..odd.len().min(20)]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_expires_to_the_second_whether_or_not_it_is_in_memory() {
    for house in engines().await {
        let token = bob(&house).await.access_token;
        house.clock.advance_s(899);
        assert!(accepted(&house, &token).await);
        let there = house.other_instance().await;
        house.clock.advance_s(1);
        assert!(!accepted(&house, &token).await);
        assert!(there.authenticate_bearer(&token).await.is_err());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotated_key_verifies_until_its_last_token_has_expired() {
    for house in engines().await {
        let (there, asked) = (house.other_instance().await, house.other_instance().await);
        let old = bob(&house).await;
        house.clock.advance_s(30);
        let kid = house.auth.rotate_signing_key(Actor::Operator).await.unwrap();
        let new = house.auth.refresh(&old.refresh_token, &super::home()).await.unwrap();
        assert_ne!(part(&old.access_token, 0)["kid"], kid);
        assert_eq!(part(&new.access_token, 0)["kid"], kid);
        assert_eq!(house.auth.jwks().await.unwrap()["keys"].as_array().unwrap().len(), 2);
        for instance in [&house.auth, &there] {
            for token in [&old.access_token, &new.access_token] {
                instance.authenticate_bearer(token).await.unwrap();
            }
        }
        // Whoever asks any instance for the keys gets the new one too, even if no token made it look.
        house.clock.advance_s(1);
        assert_eq!(asked.jwks().await.unwrap(), house.auth.jwks().await.unwrap());
        // An instance that has not heard of it may sign with the old key for a minute; those tokens live as long.
        house.clock.advance_s(900 + 120);
        house.auth.rotate_signing_key(Actor::Operator).await.unwrap();
        let kids = house.auth.jwks().await.unwrap()["keys"].to_string();
        assert!(!kids.contains(part(&old.access_token, 0)["kid"].as_str().unwrap()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_of_another_house_or_for_another_issuer_is_refused() {
    for (house, elsewhere) in engines().await.into_iter().zip(engines().await) {
        let foreign = elsewhere.register("bob").await;
        bob(&house).await;
        assert!(!accepted(&house, &foreign.access_token).await);
        // The same key under another issuer's name: a token made for one product is none for the other.
        let other = Settings { issuer: "other".into(), ..settings() };
        let (db, clock) = (house.db.clone(), house.clock.clone());
        let auth = Auth::open(db, &house.secrets, other, clock).await.unwrap();
        let token = auth.login("bob", super::PASSWORD, &super::home()).await.unwrap();
        assert!(!accepted(&house, &token.access_token).await);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_outlives_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let location =
        mainstay_core::db::Location::Sqlite { folder: folder.path().to_owned(), durable: true };
    let clock = Clock::manual(NOON);
    let secrets = mainstay_core::auth::load_or_create_master_key(folder.path()).unwrap();
    let open = async |secrets: Secrets| {
        let migrations = mainstay_core::auth::MIGRATIONS;
        let db = mainstay_core::db::Db::open(&location, "core", migrations, clock.clone());
        let db = db.await.unwrap();
        let auth = Auth::open(db.clone(), &secrets, settings(), clock.clone()).await.unwrap();
        (db, auth)
    };
    let (db, auth) = open(secrets).await;
    let bob = auth.register(super::new("bob"), &super::home()).await.unwrap();
    drop(auth);
    db.close().await;
    drop(db);
    let again = mainstay_core::auth::load_or_create_master_key(folder.path()).unwrap();
    let (_db, auth) = open(again).await;
    auth.authenticate_bearer(&bob.access_token).await.unwrap();
    auth.refresh(&bob.refresh_token, &super::home()).await.unwrap();
}
