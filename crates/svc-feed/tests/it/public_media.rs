//! Media that everybody sees are fetched from another place, if one is configured; private ones never.

use mainstay_testkit::program::{Client, id_of};
use serde_json::{Value, json};

use crate::{both_engines, feed};

const CAT: &[u8] = include_bytes!("../data/chelsea.png");
const PLACE: &str = "https://cdn.example.org/mainstay";

/// Every address of the media in an answer.
fn addresses(view: &Value) -> Vec<String> {
    let mut all = Vec::new();
    for media in view["media"].as_array().unwrap() {
        let copies = media["variants"].as_array().unwrap().iter();
        all.extend(copies.chain([media]).map(|one| one["url"].as_str().unwrap().to_owned()));
    }
    assert!(all.len() > 1, "{view}");
    all
}

fn are_at(view: &Value, place: &str) {
    for address in addresses(view) {
        assert!(address.starts_with(&format!("{place}/media/media_")), "{address}");
    }
}

async fn post(author: &Client, more: Value) -> Value {
    let media = author.upload("cat", CAT).await.expect(201);
    assert!(media["url"].as_str().unwrap().starts_with("/media/"), "nobody else sees it yet");
    let mut new = json!({ "media": [media["id"]] });
    new.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    author.post("/api/v1/posts", new).await.expect(201)
}

#[tokio::test]
async fn media_are_fetched_elsewhere_while_everybody_may_see_their_post() {
    let elsewhere = feed().set("blobs.public_url", "https://cdn.example.org/mainstay/");
    elsewhere
        .on_both_engines(async |house| {
            let ada = house.person("ada").await;
            let public = post(&ada, json!({})).await;
            are_at(&public, PLACE);
            let path = format!("/api/v1/posts/{}", id_of(&public));
            let read = async || ada.get(&path).await.expect(200);
            are_at(&read().await, PLACE);
            let latest = house.stranger().get("/api/v1/timelines/latest").await.expect(200);
            are_at(&latest["items"][0], PLACE);
            // The other place asks here, under the same path, and may keep the answer.
            for address in addresses(&public) {
                let here = address.strip_prefix(PLACE).unwrap();
                let answer = house.stranger().get(here).await;
                assert_eq!(answer.status, 200, "{here}");
                assert!(answer.header("cache-control").starts_with("public"), "{here}");
            }

            for more in [json!({ "visibility": "followers" }), json!({ "draft": true })] {
                are_at(&post(&ada, more).await, "");
            }
            let edit = |visibility: &str| ada.patch(&path, json!({ "visibility": visibility }));
            are_at(&edit("private").await.expect(200), "");
            are_at(&read().await, "");
            are_at(&edit("public").await.expect(200), PLACE);
            are_at(&read().await, PLACE);
            ada.patch("/api/v1/profile", json!({ "private": true })).await.expect(200);
            are_at(&read().await, "");
        })
        .await;
}

#[tokio::test]
async fn pages_may_show_media_from_there_and_from_nowhere_else() {
    let policy = async |setup: mainstay_testkit::program::Setup| {
        let house = setup.start(mainstay_testkit::program::Engine::Sqlite).await;
        let ada = house.person("ada").await;
        post(&ada, json!({})).await;
        let page = house.stranger().get("/explore").await;
        let shown = String::from_utf8_lossy(&page.body).contains(&format!("src=\"{PLACE}/media/"));
        let policy = page.header("content-security-policy").to_owned();
        house.end().await;
        (policy, shown)
    };
    let (here, shown) = policy(feed()).await;
    assert!(here.contains("img-src 'self' blob: data:; media-src 'self' blob:;"), "{here}");
    assert!(!shown);
    let (there, shown) = policy(feed().set("blobs.public_url", PLACE)).await;
    let origin = "https://cdn.example.org";
    let both = format!(
        "img-src 'self' {origin} blob: data:; media-src 'self' {origin} blob:; connect-src 'self'"
    );
    assert!(there.contains(&both), "{there}");
    assert!(shown, "the page shows it from there");
}

#[tokio::test]
async fn without_another_place_media_are_fetched_here() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        are_at(&post(&ada, json!({})).await, "");
    })
    .await;
}
