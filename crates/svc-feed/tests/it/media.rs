//! Uploads: refused with a reason and without a trace, or kept, cleaned, served as their post is, and gone with it.

use mainstay_testkit::program::{Answer, Client, Engine, eventually, id_of};
use serde_json::{Value, json};

use crate::{
    act, both_engines, both_engines_held, feed, moderator,
    weak_points::{http, server},
};

const ROCKET: &[u8] = include_bytes!("../data/rocket.jpg");
const CAT: &[u8] = include_bytes!("../data/chelsea.png");
const PLANT: &[u8] = include_bytes!("../data/allium-oreophilum.jpg");
const TRUNCATED: &[u8] = include_bytes!("../data/truncated.jpg");

async fn upload(owner: &Client, bytes: &[u8]) -> Value {
    owner.upload("photo", bytes).await.expect(201)
}

async fn post_with(author: &Client, media: &[&Value], visibility: &str) -> Value {
    let media: Vec<&Value> = media.iter().map(|media| &media["id"]).collect();
    let new = json!({ "media": media, "visibility": visibility });
    author.post("/api/v1/posts", new).await.expect(201)
}

/// A PNG of this size in a few bytes: all of it is one colour.
fn png_that_claims(width: u32, height: u32) -> Vec<u8> {
    let chunk = |kind: &[u8; 4], body: &[u8]| {
        let mut chunk = u32::try_from(body.len()).unwrap().to_be_bytes().to_vec();
        chunk.extend_from_slice(kind);
        chunk.extend_from_slice(body);
        let mut crc = crc32fast::Hasher::new();
        crc.update(kind);
        crc.update(body);
        chunk.extend_from_slice(&crc.finalize().to_be_bytes());
        chunk
    };
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    // One bit a pixel, grey.
    header.extend_from_slice(&[1, 0, 0, 0, 0]);
    let rows = vec![0; (width as usize).div_ceil(8) * height as usize + height as usize];
    let mut packed = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut packed, &rows).unwrap();
    let body = packed.finish().unwrap();
    let parts = [chunk(b"IHDR", &header), chunk(b"IDAT", &body), chunk(b"IEND", b"")];
    [b"\x89PNG\r\n\x1a\n".to_vec(), parts.concat()].concat()
}

#[tokio::test]
async fn bad_files_are_refused_with_their_reason_and_leave_nothing_behind() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let bomb = png_that_claims(10_000, 10_000);
        assert!(bomb.len() < 20_000, "a bomb is small: {}", bomb.len());
        let html = b"<!doctype html><html><script>alert(1)</script></html>".to_vec();
        let disguised = [b"\xff\xd8\xff\xe0".as_slice(), &html].concat();
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>".to_vec();
        let cases: [(&str, &[u8], &str); 8] = [
            ("empty.jpg", b"", "empty"),
            ("truncated.jpg", TRUNCATED, "truncated"),
            ("page.jpg", &html, "wrong_type"),
            ("disguised.jpg", &disguised, ""),
            ("drawing.png", &svg, "wrong_type"),
            ("bomb.png", &bomb, "too_many_pixels"),
            ("cut.png", &CAT[..CAT.len() / 2], "truncated"),
            ("one.gif", b"GIF89a", ""),
        ];
        for (name, bytes, code) in cases {
            let problem = ada.upload(name, bytes).await.expect_problem(422, "invalid");
            let fault = &problem["errors"][0];
            assert_eq!(fault["pointer"], "/file", "{name}: {problem}");
            assert!(code.is_empty() || fault["code"] == code, "{name}: {problem}");
            assert!(fault["detail"].as_str().unwrap().len() > 20, "{name}: {problem}");
        }
        let form = "multipart/form-data; boundary=b";
        let posts =
            |body: &'static str| ada.request(http::Method::POST, "/api/v1/media").body(form, body);
        let none = "--b\r\ncontent-disposition: form-data; name=\"alt\"\r\n\r\nwords\r\n--b--\r\n";
        posts(none).await.expect_problem(422, "invalid");
        let open = "--b\r\ncontent-disposition: form-data; name=\"file\"\r\n\r\nGIF89a and no end";
        let answer = posts(open).await;
        assert!([400, 422].contains(&answer.status), "{answer:?}");
        let answer = ada.post("/api/v1/media", json!({ "file": "x" })).await;
        answer.expect_problem(415, "unsupported_media_type");
        assert_eq!(house.blob_files(), Vec::<std::path::PathBuf>::new());
    })
    .await;
}

#[tokio::test]
async fn a_post_takes_ten_pictures_and_refuses_eleven() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let mut media = Vec::new();
        for _ in 0..11 {
            media.push(upload(&ada, ROCKET).await["id"].clone());
        }
        let eleven = ada.post("/api/v1/posts", json!({ "media": media })).await;
        let problem = eleven.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/media");
        let ten = json!({ "media": media[1..] });
        let post = ada.post("/api/v1/posts", ten.clone()).await.expect(201);
        let shown: Vec<&Value> =
            post["media"].as_array().unwrap().iter().map(|media| &media["id"]).collect();
        assert_eq!(shown, media[1..].iter().collect::<Vec<_>>());
        ada.post("/api/v1/posts", ten).await.expect_problem(422, "invalid");
        let twice = json!({ "media": [media[0], media[0]] });
        ada.post("/api/v1/posts", twice).await.expect_problem(422, "invalid");
        let eve = house.person("eve").await;
        let stolen = json!({ "media": [media[0]] });
        let problem = eve.post("/api/v1/posts", stolen).await.expect_problem(422, "invalid");
        assert_eq!(problem["errors"][0]["pointer"], "/media/0");
    })
    .await;
}

#[tokio::test]
async fn what_a_camera_writes_about_its_owner_is_not_served() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        assert!(contains(PLANT, b"Exif"), "the photograph has metadata");
        let media = upload(&ada, PLANT).await;
        assert_eq!(media["content_type"], "image/jpeg");
        assert!(!media["blurhash"].as_str().unwrap().is_empty());
        let variants = media["variants"].as_array().unwrap();
        let widths: Vec<i64> = variants.iter().map(|v| v["width"].as_i64().unwrap()).collect();
        assert!(widths.starts_with(&[320]) && widths.is_sorted(), "{widths:?}");
        let urls = variants.iter().chain([&media]).map(|file| file["url"].as_str().unwrap());
        for url in urls {
            let answer = ada.get(url).await;
            assert_eq!(answer.status, 200);
            assert!(!contains(&answer.body, b"Exif"), "{url}");
            assert!(!contains(&answer.body, b"Photoshop"), "{url}");
        }
    })
    .await;
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[tokio::test]
async fn a_file_is_served_whole_in_parts_and_not_again() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let media = upload(&ada, CAT).await;
        let url = media["url"].as_str().unwrap();
        post_with(&ada, &[&media], "public").await;
        let stranger = house.stranger();
        let whole = stranger.get(url).await;
        assert_eq!(whole.status, 200);
        assert_eq!(whole.header("content-type"), "image/png");
        assert_eq!(whole.header("cache-control"), "public, max-age=31536000, immutable");
        assert_eq!(whole.header("accept-ranges"), "bytes");
        assert_eq!(whole.header("x-content-type-options"), "nosniff");
        assert_eq!(whole.body.len() as i64, media["size_bytes"].as_i64().unwrap());
        let tag = whole.header("etag").to_owned();
        let kept = stranger.get(url).header("if-none-match", &tag).await;
        assert_eq!((kept.status, kept.body.len()), (304, 0));
        for (range, part) in [
            ("bytes=0-99", &whole.body[..100]),
            ("bytes=100-199", &whole.body[100..200]),
            ("bytes=-50", &whole.body[whole.body.len() - 50..]),
        ] {
            let answer = stranger.get(url).header("range", range).await;
            assert_eq!((answer.status, answer.body.as_slice()), (206, part), "{range}");
            assert!(answer.header("content-range").starts_with("bytes "), "{range}");
        }
        let beyond = stranger.get(url).header("range", "bytes=99999999-").await;
        beyond.expect_problem(416, "range_not_satisfiable");
        let changed = stranger.get(url).header("range", "bytes=0-9").header("if-range", "\"no\"");
        assert_eq!(changed.await.status, 200);
        for variant in media["variants"].as_array().unwrap() {
            let narrow = stranger.get(variant["url"].as_str().unwrap()).await;
            assert_eq!(narrow.header("cache-control"), "public, max-age=31536000, immutable");
        }
    })
    .await;
}

async fn refused_everywhere(reader: &Client, media: &Value) {
    let variants = media["variants"].as_array().unwrap();
    for file in variants.iter().chain([media]) {
        reader.get(file["url"].as_str().unwrap()).await.expect_problem(404, "not_found");
    }
}

fn is_private(answer: &Answer) {
    assert_eq!((answer.status, answer.header("cache-control")), (200, "private, no-store"));
}

#[tokio::test]
async fn pictures_are_seen_by_whom_their_post_is_seen_and_kept_by_nobody_else() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let bea = house.person("bea").await;
        let eve = house.person("eve").await;
        bea.put(&format!("/api/v1/users/{}/follow", ada.id)).await.expect(200);
        let unattached = upload(&ada, ROCKET).await;
        let private = upload(&ada, ROCKET).await;
        post_with(&ada, &[&private], "private").await;
        let followers = upload(&ada, ROCKET).await;
        let post = post_with(&ada, &[&followers], "followers").await;
        for media in [&unattached, &private, &followers] {
            is_private(&ada.get(media["url"].as_str().unwrap()).await);
            refused_everywhere(&eve, media).await;
            refused_everywhere(&house.stranger(), media).await;
        }
        refused_everywhere(&bea, &private).await;
        is_private(&bea.get(followers["url"].as_str().unwrap()).await);
        // The same bytes under another id: who knows the one learns nothing of the other.
        assert_ne!(private["id"], followers["id"]);
        let path = format!("/api/v1/posts/{}", id_of(&post));
        ada.patch(&path, json!({ "visibility": "public" })).await.expect(200);
        let answer = eve.get(followers["url"].as_str().unwrap()).await;
        assert_eq!(answer.header("cache-control"), "public, max-age=31536000, immutable");
    })
    .await;
}

#[tokio::test]
async fn pictures_of_what_was_deleted_hidden_or_removed_are_404_at_once() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let judge = moderator(house).await;
        let stranger = house.stranger();
        for how in ["delete", "hide", "remove"] {
            let media = upload(&ada, ROCKET).await;
            let post = post_with(&ada, &[&media], "public").await;
            assert_eq!(stranger.get(media["url"].as_str().unwrap()).await.status, 200);
            match how {
                "delete" => {
                    ada.delete(&format!("/api/v1/posts/{}", id_of(&post))).await.expect(204);
                }
                how => act(&judge, id_of(&post), how).await,
            }
            refused_everywhere(&stranger, &media).await;
        }
    })
    .await;
}

#[tokio::test]
async fn the_bytes_go_when_the_last_reference_does() {
    both_engines_held(async |house| {
        let ada = house.person("ada").await;
        let (one, two) = (upload(&ada, ROCKET).await, upload(&ada, ROCKET).await);
        let files = house.blob_files();
        assert!(!files.is_empty());
        let first = post_with(&ada, &[&one], "public").await;
        let second = post_with(&ada, &[&two], "public").await;
        assert_eq!(house.blob_files(), files, "the same bytes are kept once");
        let delete = async |post: &Value| {
            ada.delete(&format!("/api/v1/posts/{}", id_of(post))).await.expect(204);
            house.clock().advance_s(3_720);
            house.work("feed.sweep_media").await;
        };
        delete(&first).await;
        assert_eq!(house.blob_files(), files, "the other post still shows them");
        assert_eq!(house.stranger().get(two["url"].as_str().unwrap()).await.status, 200);
        delete(&second).await;
        assert_eq!(house.blob_files(), Vec::<std::path::PathBuf>::new());
    })
    .await;
}

#[tokio::test]
async fn an_upload_that_is_not_attached_ends_after_a_day() {
    both_engines_held(async |house| {
        let ada = house.person("ada").await;
        let media = upload(&ada, ROCKET).await;
        let kept = upload(&ada, CAT).await;
        post_with(&ada, &[&kept], "private").await;
        let url = media["url"].as_str().unwrap();
        house.clock().advance_s(24 * 3_600 - 60);
        house.work("feed.sweep_media").await;
        is_private(&ada.get(url).await);
        house.clock().advance_s(121);
        house.work("feed.sweep_media").await;
        ada.get(url).await.expect_problem(404, "not_found");
        let late = json!({ "media": [media["id"]] });
        ada.post("/api/v1/posts", late).await.expect_problem(422, "invalid");
        house.clock().advance_s(3_720);
        house.work("feed.sweep_media").await;
        is_private(&ada.get(kept["url"].as_str().unwrap()).await);
        let variants = kept["variants"].as_array().unwrap().len();
        assert_eq!(house.blob_files().len(), 1 + variants);
    })
    .await;
}

/// The program sweeps by itself, without anybody asking: at start, and then again and again.
#[tokio::test]
async fn the_sweep_runs_by_itself() {
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let house = feed().holding_the_clock().start(engine).await;
        let ada = house.person("ada").await;
        let post = post_with(&ada, &[&upload(&ada, ROCKET).await], "public").await;
        ada.delete(&format!("/api/v1/posts/{}", id_of(&post))).await.expect(204);
        assert!(!house.blob_files().is_empty());
        house.clock().advance_s(3_720);
        let house = house.restart().await;
        eventually("the sweep", async || house.blob_files().is_empty()).await;
        house.end().await;
    }
}

#[tokio::test]
async fn words_for_a_picture_are_its_owners_to_write() {
    both_engines(async |house| {
        let ada = house.person("ada").await;
        let eve = house.person("eve").await;
        let media = upload(&ada, CAT).await;
        let path = format!("/api/v1/media/{}", id_of(&media));
        let alt = json!({ "alt": "a cat that looks up" });
        eve.patch(&path, alt.clone()).await.expect_problem(404, "not_found");
        assert_eq!(ada.patch(&path, alt.clone()).await.expect(200)["alt"], alt["alt"]);
        let post = post_with(&ada, &[&media], "public").await;
        assert_eq!(post["media"][0]["alt"], alt["alt"]);
        let long = json!({ "alt": "x".repeat(1_001) });
        ada.patch(&path, long).await.expect_problem(422, "invalid");
        ada.patch(&path, json!({ "alt": "a cat" })).await.expect(200);
        let shown = ada.get(&format!("/api/v1/posts/{}", id_of(&post))).await.expect(200);
        assert_eq!(shown["media"][0]["alt"], "a cat");
    })
    .await;
}

#[tokio::test]
async fn a_repeat_of_a_post_by_address_is_answered_without_another_fetch() {
    let (port, asked) = server(http("200 OK", ROCKET)).await;
    let asked = || asked.load(std::sync::atomic::Ordering::SeqCst);
    let setup = feed().set("feed.fetch_allow", &format!("[\"127.0.0.1/32:{port}\"]"));
    setup
        .on_both_engines(async |house| {
            let ada = house.person("ada").await;
            let before = asked();
            let new = json!({ "media_url": format!("http://127.0.0.1:{port}/rocket.jpg") });
            let post = || ada.post("/api/v1/posts", new.clone()).once("by address");
            let first = post().await.expect(201);
            let files = house.blob_files();
            assert_eq!(post().await.expect(201), first);
            assert_eq!(asked() - before, 1);
            assert_eq!(house.blob_files(), files);
            let other = json!({ "media_url": "http://127.0.0.1:1/" });
            let other = ada.post("/api/v1/posts", other).once("by address").await;
            other.expect_problem(422, "idempotency_key_reused");
        })
        .await;
}
