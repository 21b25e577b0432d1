//! Uploads as they come: large and long ones, repeats, how much one person may have, and what a crash leaves.

use std::{net::Ipv4Addr, sync::atomic::Ordering, time::Duration};

use futures_util::future::join_all;
use image::{RgbImage, codecs::jpeg::JpegEncoder};
use mainstay_core::{
    http::{LimitClass, route::BodyKind},
    statements,
};
use mainstay_testkit::program::{Client, Engine, Program, id_of};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::{
    both_engines, feed,
    weak_points::{http, server},
};

const ROCKET: &[u8] = include_bytes!("../data/rocket.jpg");
const SECRET: &[u8] = b"written by somebody";

statements! {
    /// How often it was said that a published post changed.
    EDITED = "select count(*) from feed.outbox where name = 'feed.post_edited.v1'";
}

/// A photograph of nothing, which no coder makes smaller.
fn noise(width: u32, height: u32) -> Vec<u8> {
    let mut bits = 0x9e37_79b9_7f4a_7c15_u64;
    let mut random = || {
        bits ^= bits << 13;
        bits ^= bits >> 7;
        bits ^= bits << 17;
        bits.to_le_bytes()[0]
    };
    let picture =
        RgbImage::from_fn(width, height, |_, _| image::Rgb([random(), random(), random()]));
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 100).encode_image(&picture).unwrap();
    bytes
}

/// Bytes of a film that are not all the same.
pub(crate) fn frames(count: usize) -> Vec<u8> {
    (0..count).map(|at| (at / 251) as u8).collect()
}

pub(crate) fn mp4(frames: &[u8]) -> Vec<u8> {
    let boxed = |name: &[u8; 4], body: &[u8]| {
        let length = u32::try_from(body.len() + 8).unwrap();
        [&length.to_be_bytes(), name.as_slice(), body].concat()
    };
    let track = boxed(b"trak", &boxed(b"tkhd", &[0; 84]));
    let moov = [boxed(b"mvhd", &[0; 100]), track, boxed(b"udta", SECRET)].concat();
    [boxed(b"ftyp", b"mp42\0\0\0\0mp42isom"), boxed(b"moov", &moov), boxed(b"mdat", frames)]
        .concat()
}

fn webm(frames: &[u8]) -> Vec<u8> {
    let element = |id: u32, body: &[u8]| {
        let size = (1_u64 << 56) | body.len() as u64;
        [&id.to_be_bytes(), size.to_be_bytes().as_slice(), body].concat()
    };
    let head = element(0x1a45_dfa3, b"\x42\x82\x84webm");
    let segment = [
        element(0x1654_ae6b, b"track"),
        element(0x1f43_b675, frames),
        element(0x1254_c367, SECRET),
    ];
    [head, element(0x1853_8067, &segment.concat())].concat()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

/// Every file of an upload, to the last byte, in parts.
pub(crate) async fn is_served(reader: &Client, media: &Value, content_type: &str) -> Vec<u8> {
    let url = media["url"].as_str().unwrap();
    let whole = reader.get(url).await;
    assert_eq!((whole.status, whole.header("content-type")), (200, content_type));
    let size = whole.body.len();
    assert_eq!(media["size_bytes"], size);
    for (from, to) in
        [(0, 99), (size / 2, (size / 2 + 70_000).min(size - 1)), (size - 10, size - 1)]
    {
        let part = reader.get(url).header("range", &format!("bytes={from}-{to}")).await;
        assert_eq!(part.status, 206);
        assert_eq!(part.header("content-range"), format!("bytes {from}-{to}/{size}"));
        assert!(part.body == whole.body[from..=to], "bytes {from} to {to}");
    }
    whole.body
}

#[tokio::test]
async fn a_large_photograph_and_long_films_are_taken_and_served_in_parts() {
    let photograph = noise(2_800, 2_000);
    assert!((20_000_000..30 << 20).contains(&photograph.len()), "{}", photograph.len());
    let frames = frames(60_000_000);
    let (long, short) = (mp4(&frames), webm(&frames[..3_000_000]));
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let media = ada.upload("photograph.jpg", &photograph).await.expect(201);
        assert_eq!((&media["width"], &media["height"]), (&json!(2_800), &json!(2_000)));
        is_served(&ada, &media, "image/jpeg").await;
        for (film, content_type, frames) in
            [(&long, "video/mp4", &frames[..]), (&short, "video/webm", &frames[..3_000_000])]
        {
            let media = ada.upload("film", film).await.expect(201);
            assert_eq!(
                (&media["kind"], &media["content_type"]),
                (&json!("video"), &json!(content_type))
            );
            let served = is_served(&ada, &media, content_type).await;
            assert_eq!(served.len(), film.len(), "no offset changes");
            assert!(contains(&served[..4_096], &frames[..1_000]), "what is shown is not touched");
            let ends = [&served[..4_096], &served[served.len() - 4_096..]].concat();
            assert!(!contains(&ends, SECRET));
        }
    })
    .await;
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_too_large_whether_it_says_so_or_not() {
    let setup = feed().set("feed.image_bytes_max", "500000").set("feed.video_bytes_max", "1000000");
    let film = mp4(&frames(1_100_000));
    let photograph = noise(484, 344);
    assert!((600_000..900_000).contains(&photograph.len()), "{}", photograph.len());
    setup
        .on_both_engines(async |house| {
            let ada = house.person("ada").await;
            ada.upload("film.mp4", &film).await.expect_problem(413, "too_large");
            ada.upload("photograph.jpg", &photograph).await.expect_problem(413, "too_large");
            let silent = ada.upload_in_chunks("film.mp4", &film[..1_000_100]).await;
            silent.expect_problem(413, "too_large");
            let cut = ada.upload_in_chunks("film.mp4", &film[..900_000]).await;
            cut.expect_problem(422, "invalid");
            assert_eq!(house.blob_files(), Vec::<std::path::PathBuf>::new());
        })
        .await;
}

#[tokio::test]
async fn a_repeat_of_an_upload_is_the_same_upload() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        for (name, bytes) in [("photo", ROCKET), ("film", &mp4(&frames(100_000)))] {
            let first = ada.upload(name, bytes).once(name).await.expect(201);
            let files = house.blob_files();
            assert_eq!(ada.upload(name, bytes).once(name).await.expect(201), first);
            assert_eq!(house.blob_files(), files);
            let other = ada.upload(name, &mp4(&frames(10))).once(name).await;
            other.expect_problem(422, "idempotency_key_reused");
            let path = format!("/api/v1/media/{}", id_of(&first));
            let key = format!("words for a {name}");
            let alt = |words: &str| ada.patch(&path, json!({ "alt": words })).once(&key);
            let described = alt("first").await.expect(200);
            ada.patch(&path, json!({ "alt": "second" })).await.expect(200);
            assert_eq!(alt("first").await.expect(200), described, "nothing is done again");
            alt("third").await.expect_problem(422, "idempotency_key_reused");
        }
        let keyed = |path: &str, method: &str| {
            let parameters = &house.document()["paths"][path][method]["parameters"];
            parameters.as_array().unwrap().iter().any(|one| one["name"] == "Idempotency-Key")
        };
        assert!(keyed("/api/v1/media", "post") && keyed("/api/v1/views/{id}", "patch"));
        for path in ["/api/v1/auth/register", "/api/v1/auth/logout", "/api/v1/api-keys"] {
            assert!(!keyed(path, "post"), "{path} promises what it does not do");
        }
    })
    .await;
}

/// A small picture; it has one file.
fn small() -> Vec<u8> {
    noise(40, 40)
}

#[tokio::test]
async fn what_stands_in_no_post_is_bounded_for_each_person() {
    let probe = feed().start(Engine::Sqlite).await;
    let picture = small();
    let size = probe.person("ada").await.upload("p", &picture).await.expect(201)["size_bytes"]
        .as_i64()
        .unwrap();
    probe.end().await;
    let setup = feed().set("feed.unattached_bytes_max", &(10 * size + size / 2).to_string());
    setup
        .on_both_engines(async |house| {
            let ada = house.person("ada").await;
            let all = join_all((0..64).map(async |_| ada.upload("p", &picture).await)).await;
            let mut kept = Vec::new();
            for answer in all {
                match answer.status {
                    201 => kept.push(answer.json()["id"].clone()),
                    // Too many pictures at once.
                    503 => drop(answer.expect_problem(503, "overloaded")),
                    _ => drop(answer.expect_problem(409, "conflict")),
                }
            }
            assert!(kept.len() <= 10, "{} at once", kept.len());
            while kept.len() < 10 {
                kept.push(ada.upload("p", &picture).await.expect(201)["id"].clone());
            }
            ada.upload("p", &picture).await.expect_problem(409, "conflict");
            house.person("bea").await.upload("p", &picture).await.expect(201);
            ada.post("/api/v1/posts", json!({ "media": kept[..3] })).await.expect(201);
            for _ in 0..3 {
                ada.upload("p", &picture).await.expect(201);
            }
            ada.upload("p", &picture).await.expect_problem(409, "conflict");
        })
        .await;
}

#[tokio::test]
async fn bytes_to_which_nothing_came_to_refer_go_after_an_hour() {
    // The file itself has room, its narrower copies beside it have not: that shows when the bytes are stored.
    let setup = feed().set("feed.unattached_bytes_max", &ROCKET.len().to_string());
    setup
        .holding_the_clock()
        .on_both_engines(async |house| {
            let ada = house.person("ada").await;
            ada.upload("rocket.jpg", ROCKET).await.expect_problem(409, "conflict");
            let left = house.blob_files();
            assert!(!left.is_empty());
            house.clock().advance_s(30 * 60);
            house.work("feed.sweep_media").await;
            assert_eq!(house.blob_files(), left, "they may belong to an upload under way");
            house.clock().advance_s(31 * 60);
            house.work("feed.sweep_media").await;
            assert_eq!(house.blob_files(), Vec::<std::path::PathBuf>::new());
        })
        .await;
}

#[tokio::test]
async fn whatever_takes_a_file_is_limited_as_an_upload() {
    let house = feed().start(Engine::Sqlite).await;
    let takes_file = |route: &&mainstay_core::http::Route| {
        matches!(route.body, BodyKind::Multipart)
            || (&route.method, route.path) == (&http::Method::POST, "/api/v1/posts")
    };
    let routes: Vec<_> = house.routes().iter().filter(takes_file).collect();
    assert!(routes.len() >= 5, "{}", routes.len());
    for route in routes {
        assert_eq!(route.limit, LimitClass::Upload, "{} {}", route.method, route.path);
    }
    house.end().await;
}

/// A server that takes connections and says nothing; its port.
async fn silent() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        let mut open = Vec::new();
        while let Ok((socket, _)) = listener.accept().await {
            open.push(socket);
        }
    });
    port
}

fn post_route(house: &Program) -> Duration {
    let route = house
        .routes()
        .iter()
        .find(|route| (&route.method, route.path) == (&http::Method::POST, "/api/v1/posts"));
    Duration::from_millis(route.unwrap().timeout_ms.into())
}

#[tokio::test]
async fn a_server_that_says_nothing_is_said_to_be_at_fault() {
    let port = silent().await;
    let setup = feed()
        .set("feed.fetch_allow", &format!("[\"127.0.0.1/32:{port}\"]"))
        .set("feed.fetch_ms_max", "300");
    setup
        .on_both_engines(async |house| {
            let ada = house.person("ada").await;
            let new = json!({ "media_url": format!("http://127.0.0.1:{port}/rocket.jpg") });
            let problem = ada.post("/api/v1/posts", new).await.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], "/media_url");
            assert_eq!(problem["errors"][0]["code"], "not_fetched");
        })
        .await;
    let house = feed().start(Engine::Sqlite).await;
    // The fetch as it is by default, and two waits of 10 s for the pool.
    assert!(post_route(&house) > Duration::from_secs(15 + 20));
    house.end().await;
}

#[tokio::test]
async fn a_post_that_is_refused_leaves_no_file_that_was_fetched_for_it() {
    let (port, asked) = server(http("200 OK", ROCKET)).await;
    let setup = feed().set("feed.fetch_allow", &format!("[\"127.0.0.1/32:{port}\"]"));
    setup
        .on_both_engines(async |house| {
            let before = asked.load(Ordering::SeqCst);
            let (ada, bea) = (house.person("ada").await, house.person("bea").await);
            let theirs = bea.upload("p", &small()).await.expect(201);
            let files = house.blob_files();
            let url = format!("http://127.0.0.1:{port}/rocket.jpg");
            let new = json!({ "media": [theirs["id"]], "media_url": url });
            let problem = ada.post("/api/v1/posts", new).await.expect_problem(422, "invalid");
            assert_eq!(problem["errors"][0]["pointer"], "/media/0");
            assert_eq!(asked.load(Ordering::SeqCst), before, "it was not even fetched");
            assert_eq!(house.blob_files(), files);
        })
        .await;
}

#[tokio::test]
async fn other_words_for_a_picture_are_told_of_where_they_are_seen() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let edited = async || {
            let mut tx = house.db("feed").read().await.unwrap();
            let (count,): (i64,) = tx.one(&EDITED, &[]).await.unwrap();
            count
        };
        let media = ada.upload("p", &small()).await.expect(201);
        let path = format!("/api/v1/media/{}", id_of(&media));
        let new = json!({ "media": [media["id"]], "draft": true });
        let post = ada.post("/api/v1/posts", new).await.expect(201);
        ada.patch(&path, json!({ "alt": "a draft" })).await.expect(200);
        assert_eq!(edited().await, 0, "nobody sees a draft");
        let post_path = format!("/api/v1/posts/{}", id_of(&post));
        let published = ada.patch(&post_path, json!({ "draft": false })).await.expect(200);
        assert_eq!(published["media"][0]["alt"], "a draft");
        ada.patch(&path, json!({ "alt": "a picture" })).await.expect(200);
        assert_eq!(edited().await, 1);
        let face = ada.upload("p", &small()).await.expect(201);
        ada.patch("/api/v1/profile", json!({ "avatar": face["id"] })).await.expect(200);
        let seen = async || {
            let post = house.stranger().get(&post_path).await.expect(200);
            let page = house.stranger().get("/api/v1/timelines/explore").await.expect(200);
            let author = |post: &Value| post["author"]["avatar"]["alt"].clone();
            (author(&post), author(&page["items"][0]))
        };
        assert_eq!(seen().await, (json!(""), json!("")));
        let path = format!("/api/v1/media/{}", id_of(&face));
        ada.patch(&path, json!({ "alt": "Ada" })).await.expect(200);
        assert_eq!(seen().await, (json!("Ada"), json!("Ada")));
    })
    .await;
}
