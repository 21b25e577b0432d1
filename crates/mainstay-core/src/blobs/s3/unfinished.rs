//! Uploads in parts that were never completed: no listing of objects shows them, but their parts are stored and paid.
//!
//! `object_store` can abort an upload but not list them, so the one request `GET /bucket?uploads&prefix=…` (S3's
//! ListMultipartUploads) is signed with its signer and sent from here. MinIO answers it with an empty list for a prefix
//! that is no whole key; it removes unfinished uploads by itself after a day.

use std::time::Duration;

use http::Method;
use mainstay_contract::ts::Ts;
use object_store::{
    aws::{AwsAuthorizer, AwsCredential},
    client::{HttpRequest, HttpRequestBody},
};
use url::Url;

use crate::blobs::{BlobError, BoxError};

const DOING: &str = "list the unfinished uploads";
/// One page of S3's answer has at most 1,000 uploads of some hundred bytes each.
const ANSWER_BYTES_MAX: usize = 4 << 20;

/// An upload that has begun.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Unfinished {
    /// The last part of its key, a name in `staging/`.
    pub(super) name: String,
    pub(super) upload_id: String,
    pub(super) started: Ts,
}

/// The first page of uploads under `prefix`, oldest keys first; the next is the first once these are gone.
pub(super) async fn list(
    bucket: &Url,
    prefix: &str,
    region: &str,
    credential: &AwsCredential,
) -> Result<Vec<Unfinished>, BlobError> {
    let failed = |source: BoxError| BlobError::Unavailable { doing: DOING, source };
    let mut url = bucket.clone();
    url.query_pairs_mut().append_pair("prefix", prefix).append_pair("uploads", "");
    let mut request: HttpRequest = http::Request::builder()
        .method(Method::GET)
        .uri(url.as_str())
        .body(HttpRequestBody::empty())
        .map_err(|error| failed(error.into()))?;
    AwsAuthorizer::new(credential, "s3", region)
        .try_authorize(&mut request, None)
        .map_err(|error| failed(error.into()))?;
    let client = reqwest::Client::builder()
        .timeout(Duration::from_secs(20))
        .redirect(reqwest::redirect::Policy::none())
        .build()
        .map_err(|error| failed(error.into()))?;
    let mut answer = client
        .get(url)
        .headers(request.headers().clone())
        .send()
        .await
        .and_then(reqwest::Response::error_for_status)
        .map_err(|error| failed(error.without_url().into()))?;
    let mut xml = Vec::new();
    while let Some(chunk) =
        answer.chunk().await.map_err(|error| failed(error.without_url().into()))?
    {
        xml.extend_from_slice(&chunk);
        if xml.len() > ANSWER_BYTES_MAX {
            return Err(failed("the answer is longer than any page of uploads".into()));
        }
    }
    parse(&String::from_utf8_lossy(&xml)).ok_or_else(|| failed("the answer is unreadable".into()))
}

/// Reads the uploads out of the answer. Their keys, ids and times need no unescaping in XML.
fn parse(xml: &str) -> Option<Vec<Unfinished>> {
    if !xml.contains("<ListMultipartUploadsResult") {
        return None;
    }
    xml.split("<Upload>").skip(1).map(upload).collect()
}

fn upload(xml: &str) -> Option<Unfinished> {
    let text = |tag: &str| {
        let (_, rest) = xml.split_once(&format!("<{tag}>"))?;
        rest.split_once(&format!("</{tag}>")).map(|(text, _)| text.trim())
    };
    Some(Unfinished {
        name: text("Key")?.rsplit('/').next()?.to_owned(),
        upload_id: text("UploadId")?.to_owned(),
        started: text("Initiated")?.parse().ok()?,
    })
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test panics on failure")]

    use super::{Unfinished, parse};

    #[test]
    fn an_answer_of_s3_is_read() {
        // As documented for ListMultipartUploads.
        let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
            <ListMultipartUploadsResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">
              <Bucket>bucket</Bucket><KeyMarker></KeyMarker><MaxUploads>3</MaxUploads>
              <IsTruncated>true</IsTruncated>
              <Upload><Key>prefix/staging/0a1b</Key><UploadId>XMgbGlrZSBlbHZpbmc</UploadId>
                <Initiator><ID>arn</ID><DisplayName>user</DisplayName></Initiator>
                <StorageClass>STANDARD</StorageClass>
                <Initiated>2010-11-10T20:48:33.000Z</Initiated></Upload>
              <Upload><Key>prefix/staging/ffff</Key><UploadId>VXBsb2FkIElE</UploadId>
                <Initiated>2010-11-10T20:49:33.000Z</Initiated></Upload>
            </ListMultipartUploadsResult>"#;
        let found = parse(xml).unwrap();
        assert_eq!(
            found[0],
            Unfinished {
                name: "0a1b".into(),
                upload_id: "XMgbGlrZSBlbHZpbmc".into(),
                started: "2010-11-10T20:48:33Z".parse().unwrap(),
            }
        );
        assert_eq!((found.len(), found[1].name.as_str()), (2, "ffff"));
    }

    #[test]
    fn an_error_page_is_not_an_empty_list() {
        assert_eq!(parse("<html>bad gateway</html>"), None);
        assert_eq!(parse("<ListMultipartUploadsResult><Upload><Key>a</Key></Upload>"), None);
    }
}
