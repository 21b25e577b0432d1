//! Uploads whose bytes are in a bucket of a real S3 server, from the request to the sweep.

use mainstay_testkit::{
    S3,
    program::{Engine, Program, Setup, id_of},
};
use serde_json::json;

use crate::{
    feed,
    uploads::{frames, is_served, mp4},
};

const ROCKET: &[u8] = include_bytes!("../data/rocket.jpg");
const HOUR_S: i64 = 3_600;

/// Feed on a bucket, with a clock that stands until the test turns it.
fn on(bucket: &str) -> Setup {
    let s3 = S3::shared();
    feed()
        .set("blobs.url", &format!("s3://{bucket}/feed"))
        .set("blobs.endpoint", s3.endpoint())
        .set("blobs.allow_http", "true")
        .set("blobs.region", S3::REGION)
        .set("blobs.access_key", S3::ACCESS_KEY)
        .set("blobs.secret_key", S3::SECRET_KEY)
        .holding_the_clock()
}

async fn swept(house: &Program, after_s: i64, bucket: &str) -> Vec<String> {
    house.clock().advance_s(after_s);
    house.work("feed.sweep_media").await;
    S3::shared().objects(bucket).await.unwrap()
}

#[tokio::test]
async fn what_is_uploaded_into_a_bucket_is_served_from_it_and_goes_with_its_post() {
    // Above what goes up in one request.
    let film = mp4(&frames(20_000_000));
    for engine in [Engine::Sqlite, Engine::Postgres] {
        let bucket = S3::shared().create_bucket().await.unwrap();
        let house = on(&bucket).start(engine).await;
        let (ada, bea) = (house.person("ada").await, house.person("bea").await);
        let picture = ada.upload("rocket.jpg", ROCKET).once("rocket").await.expect(201);
        assert_eq!(ada.upload("rocket.jpg", ROCKET).once("rocket").await.expect(201), picture);
        let moving = ada.upload_in_chunks("film.mp4", &film).await.expect(201);
        ada.upload("torn.jpg", &ROCKET[..1_000]).await.expect_problem(422, "invalid");
        let stored = S3::shared().objects(&bucket).await.unwrap();
        let copies = picture["variants"].as_array().unwrap().len();
        assert_eq!(stored.len(), 2 + copies, "the files, and nothing staged: {stored:?}");
        assert_eq!(house.blob_files(), Vec::<std::path::PathBuf>::new());

        let file = picture["url"].as_str().unwrap();
        bea.get(file).await.expect_problem(404, "not_found");
        let new = json!({ "media": [picture["id"], moving["id"]] });
        let post = ada.post("/api/v1/posts", new).await.expect(201);
        // What two people upload is stored once.
        let same = bea.upload("rocket.jpg", ROCKET).await.expect(201);
        let theirs = bea.post("/api/v1/posts", json!({ "media": [same["id"]] })).await.expect(201);
        assert_eq!(S3::shared().objects(&bucket).await.unwrap(), stored);
        for (media, content_type) in [(&picture, "image/jpeg"), (&moving, "video/mp4")] {
            is_served(&house.stranger(), media, content_type).await;
        }
        for copy in picture["variants"].as_array().unwrap() {
            assert_eq!(bea.get(copy["url"].as_str().unwrap()).await.status, 200);
        }

        ada.delete(&format!("/api/v1/posts/{}", id_of(&post))).await.expect(204);
        house.stranger().get(file).await.expect_problem(404, "not_found");
        assert_eq!(swept(&house, HOUR_S - 60, &bucket).await, stored, "they may be used again");
        let left = swept(&house, 2 * 60, &bucket).await;
        assert_eq!(left.len(), 1 + copies, "the film is gone: {left:?}");
        is_served(&bea, &same, "image/jpeg").await;
        bea.delete(&format!("/api/v1/posts/{}", id_of(&theirs))).await.expect(204);
        assert_eq!(swept(&house, HOUR_S + 60, &bucket).await, Vec::<String>::new());
        house.end().await;
    }
}
