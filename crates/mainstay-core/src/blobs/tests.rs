//! The folder store: what it promises to a caller, and what a crash leaves.
#![expect(clippy::unwrap_used, reason = "a test panics on failure")]

use std::{fs, path::Path};

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use mainstay_contract::ts::Ts;
use tempfile::TempDir;

use super::{BlobError, BlobHash, Blobs, BoxError, Cleaned, S3Settings};

const EVER: Ts = Ts::from_micros(i64::MAX);
const NEVER: Ts = Ts::from_micros(0);

fn folder() -> (TempDir, Blobs) {
    let dir = tempfile::tempdir().unwrap();
    let blobs = Blobs::open(dir.path().to_str().unwrap(), &S3Settings::default()).unwrap();
    (dir, blobs)
}

fn body(
    chunks: &[&'static str],
) -> impl futures_util::Stream<Item = Result<Bytes, BoxError>> + Send + use<> {
    let chunks: Vec<_> = chunks.iter().map(|c| Ok(Bytes::from_static(c.as_bytes()))).collect();
    stream::iter(chunks)
}

fn staged_files(dir: &TempDir) -> usize {
    fs::read_dir(dir.path().join("staging")).unwrap().count()
}

async fn text(mut chunks: super::BlobStream) -> String {
    let mut whole = Vec::new();
    while let Some(chunk) = chunks.next().await {
        whole.extend_from_slice(&chunk.unwrap());
    }
    String::from_utf8(whole).unwrap()
}

#[tokio::test]
async fn a_body_in_chunks_is_read_back_whole_and_in_ranges() {
    let (dir, blobs) = folder();
    let staged = blobs.stage(body(&["hello ", "", "world"]), 11).await.unwrap();
    assert_eq!(staged.size_bytes(), 11);
    let hash = blobs.commit(staged).await.unwrap();
    // The published SHA-256 of this text.
    let hex = "b94d27b9934d3e08a52e52d7da7dabfac484efe37a5380ee9088f7ace2efcde9";
    assert_eq!(hash.to_string(), hex);
    assert_eq!(hex.parse::<BlobHash>().unwrap(), hash);
    assert!(dir.path().join("b9/4d").join(hex).is_file());
    assert_eq!(&blobs.read(&hash, 11).await.unwrap()[..], b"hello world");
    assert_eq!(blobs.head(&hash).await.unwrap().size_bytes, 11);
    assert_eq!(text(blobs.stream(&hash, Some(4..8)).await.unwrap()).await, "o wo");
    assert_eq!(text(blobs.stream(&hash, None).await.unwrap()).await, "hello world");
    assert_eq!(staged_files(&dir), 0);
}

#[tokio::test]
async fn ranges_outside_the_blob_and_reads_beyond_the_bound_are_refused() {
    let (_dir, blobs) = folder();
    let hash = blobs.put(Bytes::from_static(b"hello world")).await.unwrap();
    for range in [0..12, 11..11, 20..30, 5..5] {
        let refused = blobs.stream(&hash, Some(range.clone())).await.err().unwrap();
        assert!(matches!(refused, BlobError::OutOfRange { size_bytes: 11 }), "{range:?}");
    }
    let refused = blobs.read(&hash, 10).await.err().unwrap();
    assert!(matches!(refused, BlobError::TooLarge { max_bytes: 10 }));
}

#[tokio::test]
async fn the_same_bytes_twice_are_one_blob_and_renew_its_time() {
    let (dir, blobs) = folder();
    let first = blobs.put(Bytes::from_static(b"twice")).await.unwrap();
    let place = dir.path().join(first.key());
    let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000);
    fs::File::options().append(true).open(&place).unwrap().set_modified(old).unwrap();
    assert_eq!(blobs.head(&first).await.unwrap().modified, NEVER.plus_s(1_000_000));
    assert_eq!(blobs.put(Bytes::from_static(b"twice")).await.unwrap(), first);
    let renewed = blobs.head(&first).await.unwrap().modified;
    assert!(renewed > NEVER.plus_s(1_600_000_000));
    assert!(!blobs.delete(&first, renewed).await.unwrap(), "committed again: must stay");
    assert_eq!(&blobs.read(&first, 5).await.unwrap()[..], b"twice");
    assert!(blobs.delete(&first, EVER).await.unwrap());
    assert!(matches!(blobs.read(&first, 5).await, Err(BlobError::NotFound)));
    assert!(blobs.delete(&first, EVER).await.unwrap(), "gone twice is gone");
}

#[tokio::test]
async fn a_body_that_is_too_long_or_breaks_off_leaves_nothing() {
    let (dir, blobs) = folder();
    let refused = blobs.stage(body(&["12345", "6"]), 5).await.err().unwrap();
    assert!(matches!(refused, BlobError::TooLarge { max_bytes: 5 }));
    let broken = stream::iter([Ok(Bytes::from_static(b"abc")), Err(BoxError::from("gone"))]);
    let refused = blobs.stage(broken, 100).await.err().unwrap();
    assert!(matches!(refused, BlobError::Interrupted { .. }));
    drop(blobs.stage(body(&["never committed"]), 100).await.unwrap());
    assert_eq!(staged_files(&dir), 0);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "only staging/ itself");
}

#[tokio::test]
async fn an_upload_that_is_cancelled_leaves_nothing() {
    let (dir, blobs) = folder();
    let endless =
        stream::iter([Ok::<_, BoxError>(Bytes::from_static(b"abc"))]).chain(stream::pending());
    let mut upload = Box::pin(blobs.stage(endless, 100));
    while staged_files(&dir) == 0 {
        tokio::select! {
            biased;
            _done = &mut upload => unreachable!("the body never ends"),
            () = tokio::task::yield_now() => {}
        }
    }
    drop(upload);
    assert_eq!(staged_files(&dir), 0);
}

#[tokio::test]
async fn what_a_crash_left_is_cleaned_and_a_running_upload_is_not() {
    let (dir, blobs) = folder();
    fs::write(dir.path().join("staging/left-by-a-crash"), b"half").unwrap();
    let running = blobs.stage(body(&["running"]), 100).await.unwrap();
    assert_eq!(blobs.clean_staging(NEVER).await.unwrap(), Cleaned { removed: 0, kept: 2 });
    let left = fs::File::options().append(true).open(dir.path().join("staging/left-by-a-crash"));
    left.unwrap().set_modified(std::time::UNIX_EPOCH).unwrap();
    let hour = NEVER.plus_s(3_600);
    assert_eq!(blobs.clean_staging(hour).await.unwrap(), Cleaned { removed: 1, kept: 1 });
    blobs.commit(running).await.unwrap();
}

#[tokio::test]
async fn damaged_bytes_are_never_handed_out_as_whole() {
    let (dir, blobs) = folder();
    let hash = blobs.put(Bytes::from_static(b"intact")).await.unwrap();
    fs::write(dir.path().join(hash.key()), b"in act").unwrap();
    assert!(matches!(blobs.read(&hash, 100).await, Err(BlobError::Damaged { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_delete_that_meets_a_fresh_commit_never_takes_it() {
    let (dir, blobs) = folder();
    let bytes = Bytes::from_static(b"contended");
    let hash = blobs.put(bytes.clone()).await.unwrap();
    for _round in 0..64 {
        let place = fs::File::options().append(true).open(dir.path().join(hash.key())).unwrap();
        place.set_modified(std::time::UNIX_EPOCH).unwrap();
        let deleting = {
            let blobs = blobs.clone();
            tokio::spawn(async move { blobs.delete(&hash, NEVER.plus_s(3_600)).await })
        };
        blobs.put(bytes.clone()).await.unwrap();
        deleting.await.unwrap().unwrap();
        assert_eq!(blobs.read(&hash, 100).await.unwrap(), bytes);
    }
}

#[test]
fn urls_that_name_no_store_are_refused_with_a_hint() {
    for url in ["", "ftp://host/x", "s3://", "s3:///prefix", "file://elsewhere/x"] {
        let refused = Blobs::open(url, &S3Settings::default()).err().unwrap();
        assert!(matches!(refused, BlobError::Settings { .. }), "{url}: {refused}");
    }
    let dir = tempfile::tempdir().unwrap();
    let url = format!("file://{}/deep/er", dir.path().display());
    Blobs::open(&url, &S3Settings::default()).unwrap();
    assert!(Path::new(dir.path()).join("deep/er/staging").is_dir());
}
