//! Blobs in a bucket of S3 or of a server that speaks its protocol.
//!
//! S3 is durable when it answers. Committing is a copy inside the bucket, then the removal of the staged object;
//! both may be repeated.

use std::{ops::Range, pin::Pin, time::Duration};

use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt};
use mainstay_contract::ts::Ts;
use object_store::{
    ClientOptions, Error as StoreError, GetOptions, GetRange, MultipartUpload, ObjectMeta,
    ObjectStore, ObjectStoreExt, RetryConfig,
    aws::{AmazonS3, AmazonS3Builder},
    multipart::MultipartStore,
    path::Path,
};
use url::Url;

use super::{BlobError, BlobInfo, BlobStream, Cleaned, Meter, staging_name};

mod unfinished;

/// One part of a long upload, and the most that goes up in one request. S3 takes 10,000 parts: 78 GiB.
const PART_BYTES: usize = 8 * 1024 * 1024;
/// Pages of 1,000 unfinished uploads that one cleaning works through.
const PAGES_MAX: usize = 100;

/// How an S3 bucket is reached.
#[derive(Debug, Clone, Default)]
pub struct S3Settings {
    /// `https://host[:port]`, with the bucket's name in it for [`S3Addressing::Host`]; empty = Amazon's for the region.
    pub endpoint: String,
    /// Such as `eu-central-1`; empty = `us-east-1`, which most other servers take.
    pub region: String,
    /// The access key's id; empty = what the machine's role gives (container or instance metadata).
    pub access_key_id: String,
    /// The access key's secret.
    pub secret_access_key: String,
    /// How the bucket is named in a request.
    pub addressing: S3Addressing,
    /// Whether `endpoint` may be plain `http://`, for a server on the same machine or in tests.
    pub allow_http: bool,
}

/// How the bucket is named in a request.
#[derive(
    Debug,
    Clone,
    Copy,
    Default,
    PartialEq,
    Eq,
    serde::Serialize,
    serde::Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum S3Addressing {
    /// `https://endpoint/bucket/key`: every server takes it.
    #[default]
    Path,
    /// `https://bucket.endpoint/key`.
    Host,
}

#[derive(Debug)]
pub(super) struct Bucket {
    store: AmazonS3,
    prefix: Path,
    /// Where the bucket is, for the request that `store` does not offer.
    url: Url,
    region: String,
}

impl Bucket {
    /// `place` is `bucket` or `bucket/prefix`.
    pub(super) fn open(place: &str, settings: &S3Settings) -> Result<Self, BlobError> {
        let (bucket, prefix) = place.split_once('/').unwrap_or((place, ""));
        let wrong = |reason: String| BlobError::Settings { reason };
        if bucket.is_empty() {
            return Err(wrong("the bucket is missing; write it like s3://bucket/prefix".into()));
        }
        let region =
            if settings.region.is_empty() { "us-east-1" } else { settings.region.as_str() };
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name(bucket)
            .with_region(region)
            .with_virtual_hosted_style_request(settings.addressing == S3Addressing::Host)
            .with_retry(RetryConfig {
                max_retries: 3,
                retry_timeout: Duration::from_secs(20),
                ..RetryConfig::default()
            })
            .with_client_options(
                // No bound on a whole request: a film is streamed as fast as its reader reads.
                ClientOptions::new()
                    .with_allow_http(settings.allow_http)
                    .with_connect_timeout(Duration::from_secs(5))
                    .with_timeout_disabled()
                    .with_read_timeout(Duration::from_secs(20)),
            );
        if !settings.endpoint.is_empty() {
            builder = builder.with_endpoint(&settings.endpoint);
        }
        if !settings.access_key_id.is_empty() {
            builder = builder
                .with_access_key_id(&settings.access_key_id)
                .with_secret_access_key(&settings.secret_access_key);
        }
        let prefix = Path::parse(prefix).map_err(|error| {
            wrong(format!("the prefix of s3://{place} cannot be used: {error}"))
        })?;
        let store = builder
            .build()
            .map_err(|error| wrong(format!("s3://{place} cannot be used: {error}")))?;
        let url = bucket_url(bucket, region, settings)
            .ok_or_else(|| wrong(format!("`{}` is no endpoint of S3", settings.endpoint)))?;
        Ok(Self { store, prefix, url, region: region.to_owned() })
    }

    fn at(&self, key: &str) -> Path {
        key.split('/').fold(self.prefix.clone(), |path, part| path.join(part))
    }

    pub(super) async fn stage<S>(
        &self,
        mut body: Pin<&mut S>,
        mut meter: Meter,
    ) -> Result<(Path, Meter), BlobError>
    where
        S: Stream<Item = Result<Bytes, BlobError>>,
    {
        let path = self.at("staging").join(staging_name()?);
        let mut part = BytesMut::new();
        let mut upload: Option<Box<dyn MultipartUpload>> = None;
        let sent = loop {
            match body.next().await {
                None => break Ok(()),
                Some(Err(error)) => break Err(error),
                Some(Ok(chunk)) => {
                    if let Err(error) = meter.take(&chunk) {
                        break Err(error);
                    }
                    part.extend_from_slice(&chunk);
                    if part.len() >= PART_BYTES
                        && let Err(error) = self.send_parts(&path, &mut upload, &mut part).await
                    {
                        break Err(error);
                    }
                }
            }
        };
        let finished = match sent {
            Err(error) => Err(error),
            Ok(()) => self.finish(&path, &mut upload, part.freeze()).await,
        };
        if let Err(error) = finished {
            if let Some(mut upload) = upload
                && let Err(abort) = upload.abort().await
            {
                tracing::warn!(error = %abort, "an upload stays until the next cleaning");
            }
            return Err(error);
        }
        Ok((path, meter))
    }

    /// Sends whole parts; S3 wants all but the last to have one size.
    async fn send_parts(
        &self,
        path: &Path,
        upload: &mut Option<Box<dyn MultipartUpload>>,
        part: &mut BytesMut,
    ) -> Result<(), BlobError> {
        if upload.is_none() {
            *upload =
                Some(self.store.put_multipart(path).await.map_err(failed("start an upload"))?);
        }
        if let Some(upload) = upload {
            while part.len() >= PART_BYTES {
                let whole = part.split_to(PART_BYTES).freeze();
                upload.put_part(whole.into()).await.map_err(failed("upload a part"))?;
            }
        }
        Ok(())
    }

    async fn finish(
        &self,
        path: &Path,
        upload: &mut Option<Box<dyn MultipartUpload>>,
        rest: Bytes,
    ) -> Result<(), BlobError> {
        let doing = "finish an upload";
        match upload {
            None => self.store.put(path, rest.into()).await.map(|_put| ()).map_err(failed(doing)),
            Some(upload) => {
                if !rest.is_empty() {
                    upload.put_part(rest.into()).await.map_err(failed("upload a part"))?;
                }
                upload.complete().await.map(|_put| ()).map_err(failed(doing))
            }
        }
    }

    /// Copies even onto equal bytes, because that renews the time by which `delete` goes; so no if-none-match here.
    pub(super) async fn commit(&self, staged: &Path, key: &str) -> Result<(), BlobError> {
        self.store.copy(staged, &self.at(key)).await.map_err(failed("copy an object"))?;
        self.discard(staged).await;
        Ok(())
    }

    pub(super) async fn read_staged(&self, staged: &Path) -> Result<Bytes, BlobError> {
        let doing = "get a staged object";
        let got = self.store.get(staged).await.map_err(failed(doing))?;
        got.bytes().await.map_err(failed(doing))
    }

    pub(super) async fn discard(&self, staged: &Path) {
        if let Err(error) = self.store.delete(staged).await {
            tracing::warn!(%error, "a staged object stays until the next cleaning");
        }
    }

    pub(super) async fn put(&self, key: &str, bytes: Bytes) -> Result<(), BlobError> {
        let put = self.store.put(&self.at(key), bytes.into()).await;
        put.map(|_put| ()).map_err(failed("put an object"))
    }

    pub(super) async fn stream(
        &self,
        key: &str,
        range: Option<Range<u64>>,
    ) -> Result<BlobStream, BlobError> {
        let path = self.at(key);
        if let Some(range) = &range {
            // S3 cuts a range at the end of the object without a word; the caller has promised the whole of it.
            let size_bytes = self.head(key).await?.size_bytes;
            if range.start >= range.end || range.end > size_bytes {
                return Err(BlobError::OutOfRange { size_bytes });
            }
        }
        let options = GetOptions { range: range.map(GetRange::Bounded), ..GetOptions::default() };
        let got = self.store.get_opts(&path, options).await.map_err(failed("get an object"))?;
        Ok(got.into_stream().map(|chunk| chunk.map_err(failed("get an object"))).boxed())
    }

    pub(super) async fn head(&self, key: &str) -> Result<BlobInfo, BlobError> {
        let meta = self.store.head(&self.at(key)).await.map_err(failed("look at an object"))?;
        Ok(BlobInfo { size_bytes: meta.size, modified: instant(&meta) })
    }

    pub(super) async fn delete(&self, key: &str, unless_since: Ts) -> Result<bool, BlobError> {
        match self.head(key).await {
            Ok(info) if info.modified >= unless_since => return Ok(false),
            Ok(_older) => {}
            Err(BlobError::NotFound) => return Ok(true),
            Err(error) => return Err(error),
        }
        self.remove(&self.at(key)).await.map(|()| true)
    }

    async fn remove(&self, path: &Path) -> Result<(), BlobError> {
        match self.store.delete(path).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("remove an object")(error)),
        }
    }

    pub(super) async fn clean_staging(&self, before: Ts) -> Result<Cleaned, BlobError> {
        let mut cleaned = Cleaned::default();
        let staging = self.at("staging");
        let mut listed = self.store.list(Some(&staging));
        while let Some(meta) = listed.next().await {
            let meta = meta.map_err(failed("list the staged objects"))?;
            if instant(&meta) >= before {
                cleaned.kept += 1;
            } else {
                self.remove(&meta.location).await?;
                cleaned.removed += 1;
            }
        }
        self.clean_unfinished(before, &mut cleaned).await?;
        Ok(cleaned)
    }

    /// Aborts uploads in parts that nobody completed.
    async fn clean_unfinished(&self, before: Ts, cleaned: &mut Cleaned) -> Result<(), BlobError> {
        let staging = self.at("staging");
        let prefix = format!("{staging}/");
        for _page in 0..PAGES_MAX {
            let credential = self.store.credentials().get_credential().await;
            let credential = credential.map_err(failed("get the credentials"))?;
            let found = unfinished::list(&self.url, &prefix, &self.region, &credential).await?;
            let (old, young): (Vec<_>, Vec<_>) =
                found.into_iter().partition(|upload| upload.started < before);
            for upload in &old {
                let path = staging.clone().join(upload.name.as_str());
                match self.store.abort_multipart(&path, &upload.upload_id).await {
                    Ok(()) | Err(StoreError::NotFound { .. }) => cleaned.removed += 1,
                    Err(error) => return Err(failed("abort an upload")(error)),
                }
            }
            // Young ones stand in the way of the next page; they will be old at a later cleaning.
            if old.is_empty() || !young.is_empty() {
                cleaned.kept += young.len() as u64;
                return Ok(());
            }
        }
        Ok(())
    }

    pub(super) async fn check(&self) -> Result<(), BlobError> {
        let staging = self.at("staging");
        match self.store.list(Some(&staging)).next().await {
            Some(Err(error)) => Err(failed("list the staged objects")(error)),
            Some(Ok(_)) | None => Ok(()),
        }
    }
}

/// The address of the bucket itself, as `object_store` forms it.
fn bucket_url(bucket: &str, region: &str, settings: &S3Settings) -> Option<Url> {
    let endpoint = if settings.endpoint.is_empty() {
        match settings.addressing {
            S3Addressing::Path => format!("https://s3.{region}.amazonaws.com"),
            S3Addressing::Host => format!("https://{bucket}.s3.{region}.amazonaws.com"),
        }
    } else {
        settings.endpoint.trim_end_matches('/').to_owned()
    };
    match settings.addressing {
        S3Addressing::Path => Url::parse(&format!("{endpoint}/{bucket}")).ok(),
        S3Addressing::Host => Url::parse(&endpoint).ok(),
    }
}

fn failed(doing: &'static str) -> impl Fn(StoreError) -> BlobError {
    move |error| match error {
        StoreError::NotFound { .. } => BlobError::NotFound,
        other => BlobError::Unavailable { doing, source: other.into() },
    }
}

fn instant(meta: &ObjectMeta) -> Ts {
    Ts::from_micros(meta.last_modified.timestamp_micros())
}
