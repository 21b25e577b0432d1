//! Blobs in a bucket of a real S3 server.

use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use mainstay_contract::ts::Ts;
use mainstay_core::blobs::{BlobError, Blobs, BoxError, Cleaned, S3Addressing, S3Settings};
use mainstay_testkit::S3;

const NEVER: Ts = Ts::from_micros(0);
const EVER: Ts = Ts::from_micros(i64::MAX);

async fn bucket() -> Blobs {
    let server = S3::shared();
    let bucket = server.create_bucket().await.unwrap();
    let settings = S3Settings {
        endpoint: server.endpoint().to_owned(),
        region: S3::REGION.to_owned(),
        access_key_id: S3::ACCESS_KEY.to_owned(),
        secret_access_key: S3::SECRET_KEY.to_owned(),
        addressing: S3Addressing::Path,
        allow_http: true,
    };
    Blobs::open(&format!("s3://{bucket}/some/prefix"), &settings).unwrap()
}

fn body(chunks: usize) -> impl futures_util::Stream<Item = Result<Bytes, BoxError>> + Send {
    let chunk = Bytes::from(vec![7; 1_000_003]);
    stream::iter((0..chunks).map(move |_| Ok(chunk.clone())))
}

#[tokio::test]
async fn blobs_of_every_size_are_read_back_from_a_bucket() {
    let blobs = bucket().await;
    blobs.check().await.unwrap();
    let hash = blobs.put(Bytes::from_static(b"hello world")).await.unwrap();
    assert_eq!(&blobs.read(&hash, 11).await.unwrap()[..], b"hello world");
    let mut part = blobs.stream(&hash, Some(4..8)).await.unwrap();
    assert_eq!(&part.next().await.unwrap().unwrap()[..], b"o wo");
    let beyond = blobs.stream(&hash, Some(4..80)).await.err().unwrap();
    assert!(matches!(beyond, BlobError::OutOfRange { size_bytes: 11 }));
    // In one request, and in parts.
    for chunks in [1, 21] {
        let staged = blobs.stage(body(chunks), 1 << 30).await.unwrap();
        let hash = blobs.commit(staged).await.unwrap();
        assert_eq!(blobs.read(&hash, 1 << 30).await.unwrap().len(), chunks * 1_000_003);
    }
    assert_eq!(blobs.clean_staging(EVER).await.unwrap(), Cleaned::default());
    assert!(!blobs.delete(&hash, NEVER).await.unwrap(), "younger than asked");
    assert!(blobs.delete(&hash, EVER).await.unwrap());
    assert!(matches!(blobs.read(&hash, 11).await, Err(BlobError::NotFound)));
}

#[tokio::test]
async fn what_uploads_leave_in_a_bucket_is_cleaned() {
    let blobs = bucket().await;
    let refused = blobs.stage(body(21), 12_000_000).await.err().unwrap();
    assert!(matches!(refused, BlobError::TooLarge { .. }));
    assert_eq!(blobs.clean_staging(EVER).await.unwrap(), Cleaned::default(), "aborted at once");
    drop(blobs.stage(body(1), 1 << 30).await.unwrap());
    // An upload in parts whose program ends: its parts are in no listing of objects.
    let endless = body(12).chain(stream::pending());
    let cut = tokio::time::timeout(Duration::from_secs(2), blobs.stage(endless, 1 << 30)).await;
    assert!(cut.is_err());
    assert_eq!(blobs.clean_staging(NEVER).await.unwrap(), Cleaned { removed: 0, kept: 2 });
    assert_eq!(blobs.clean_staging(EVER).await.unwrap(), Cleaned { removed: 2, kept: 0 });
    assert_eq!(blobs.clean_staging(EVER).await.unwrap(), Cleaned::default());
}
