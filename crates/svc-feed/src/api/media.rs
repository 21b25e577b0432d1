//! Uploads, and the files that are served.

use std::ops::Range;

use axum::{
    body::Body,
    extract::{Request, State},
    response::{IntoResponse as _, Response},
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use mainstay_contract::id::MediaId;
use mainstay_core::{
    auth::Caller,
    error::{Code, Problem},
    http::{
        Body as JsonBody, Created, Json, Key, LimitClass, MaybeCaller, Parts, Path, Route,
        extract::Path2, route::Routes,
    },
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    error::Error,
    service::{Feed, Served, Upload},
    view::MediaView,
};

/// Room for the other parts of a form beside the file.
const FORM_BYTES: usize = 64 << 10;
/// The largest part that is no file.
const TEXT_BYTES_MAX: usize = 16 << 10;

pub(super) fn routes(feed: &Feed) -> Vec<Route> {
    let api = Routes::api(feed, "Media");
    let raw = Routes::raw(feed, "Media");
    vec![
        api.post("/api/v1/media", upload)
            .about("Upload a picture or film")
            .details(
                "The part `file` holds a JPEG, PNG, GIF, WebP, MP4 or WebM; its content decides, not its name. The part \
                 `alt`, before it, describes it. An upload that is not attached to a post ends after 24 hours; all of a \
                 person's that are not can take 2 GiB (`feed.unattached_bytes_max`), then the next one is 409.",
            )
            .takes_parts(feed.upload_bytes_max() + FORM_BYTES)
            .limit(LimitClass::Upload)
            .timeout_ms(600_000)
            .answers::<MediaView>(201)
            .refuses(&[Code::Overloaded, Code::Conflict]),
        api.patch("/api/v1/media/{id}", describe)
            .about("Describe a picture")
            .takes::<Describe>(16 << 10)
            .answers::<MediaView>(200),
        raw.get("/media/{id}", full).limit(LimitClass::Free),
        raw.get("/media/{id}/{width}", narrow).limit(LimitClass::Free),
    ]
}

/// Words for a picture.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Describe {
    /// At most 1,000 characters.
    #[schemars(length(max = 1000))]
    alt: String,
}

async fn upload(
    State(feed): State<Feed>,
    caller: Caller,
    key: Key,
    request: Request,
) -> Result<Created<MediaView>, Error> {
    let mut parts = Parts::of(request).await?;
    let mut alt = String::new();
    while let Some(part) = parts.next().await.map_err(Problem::from)? {
        match part.name() {
            "alt" => alt = part.text(TEXT_BYTES_MAX).await?,
            "file" => {
                let upload = Upload { owner: caller.user, alt: &alt, pointer: "/file", key };
                return feed.upload(upload, part.into_stream()).await.map(Created);
            }
            _ => {}
        }
    }
    Err(Error::invalid("/file", "required", "Send the file in the part `file`."))
}

async fn describe(
    State(feed): State<Feed>,
    caller: Caller,
    Path(media): Path<MediaId>,
    body: JsonBody<Describe>,
) -> Result<Json<MediaView>, Error> {
    feed.set_alt(caller.user, media, &body.value.alt, body.once).await.map(Json)
}

async fn full(
    State(feed): State<Feed>,
    MaybeCaller(caller): MaybeCaller,
    Path(media): Path<MediaId>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    serve(&feed, caller, media, 0, &headers).await
}

async fn narrow(
    State(feed): State<Feed>,
    MaybeCaller(caller): MaybeCaller,
    Path2(media, width): Path2<MediaId, u32>,
    headers: HeaderMap,
) -> Result<Response, Error> {
    if width == 0 {
        return Err(Error::NotFound);
    }
    serve(&feed, caller, media, width, &headers).await
}

async fn serve(
    feed: &Feed,
    caller: Option<Caller>,
    media: MediaId,
    width: u32,
    asked: &HeaderMap,
) -> Result<Response, Error> {
    let file = feed.media_file(caller.map(|caller| caller.user), media, width).await?;
    // The bytes behind an id never change, so the id is the tag.
    let tag = format!("\"{media}-{width}\"");
    let names_it = |name| {
        asked.get(name).is_some_and(|value: &HeaderValue| value.as_bytes() == tag.as_bytes())
    };
    if names_it(header::IF_NONE_MATCH) {
        return Ok(kept(&file, &tag, StatusCode::NOT_MODIFIED, Body::empty()));
    }
    let current = !asked.contains_key(header::IF_RANGE) || names_it(header::IF_RANGE);
    let wanted = asked.get(header::RANGE).filter(|_| current).and_then(|value| value.to_str().ok());
    let range = match wanted.map(|text| parse_range(text, file.size_bytes)) {
        None | Some(Asked::Whole) => None,
        Some(Asked::Part(range)) => Some(range),
        Some(Asked::Outside) => {
            let detail = format!("The file has {} bytes.", file.size_bytes);
            let mut response = Problem::new(Code::RangeNotSatisfiable, detail).into_response();
            if let Ok(value) = HeaderValue::from_str(&format!("bytes */{}", file.size_bytes)) {
                response.headers_mut().insert(header::CONTENT_RANGE, value);
            }
            return Ok(response);
        }
    };
    let body = Body::from_stream(feed.media_bytes(&file, range.clone()).await?);
    let mut response = kept(&file, &tag, StatusCode::OK, body);
    let headers = response.headers_mut();
    let length = range.as_ref().map_or(file.size_bytes, |range| range.end - range.start);
    headers.insert(header::CONTENT_LENGTH, length.into());
    if let Some(range) = range {
        let text = format!("bytes {}-{}/{}", range.start, range.end - 1, file.size_bytes);
        if let Ok(value) = HeaderValue::from_str(&text) {
            headers.insert(header::CONTENT_RANGE, value);
        }
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// An answer with the file's headers. What everybody may see is kept by anybody; the rest by nobody.
fn kept(file: &Served, tag: &str, status: StatusCode, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let caching =
        if file.open { "public, max-age=31536000, immutable" } else { "private, no-store" };
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(caching));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if let Ok(value) = HeaderValue::from_str(&file.content_type) {
        headers.insert(header::CONTENT_TYPE, value);
    }
    if let Ok(value) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, value);
    }
    response
}

#[derive(Debug, PartialEq)]
enum Asked {
    Whole,
    Part(Range<u64>),
    Outside,
}

/// One range of bytes (RFC 9110, section 14). Several ranges, or a unit that is not bytes, get the whole file.
fn parse_range(text: &str, size: u64) -> Asked {
    let Some((first, last)) = text.strip_prefix("bytes=").and_then(|spec| spec.split_once('-'))
    else {
        return Asked::Whole;
    };
    let range = match (first.trim().parse::<u64>(), last.trim().parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..last.saturating_add(1).min(size),
        (Ok(first), Err(_)) if last.trim().is_empty() => first..size,
        (Err(_), Ok(suffix)) if first.trim().is_empty() && suffix > 0 => {
            size.saturating_sub(suffix)..size
        }
        (Err(_), Ok(_)) if first.trim().is_empty() => return Asked::Outside,
        _ => return Asked::Whole,
    };
    if range.start >= size { Asked::Outside } else { Asked::Part(range) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_cut_to_the_file_and_refused_outside_of_it() {
        assert_eq!(parse_range("bytes=0-9", 100), Asked::Part(0..10));
        assert_eq!(parse_range("bytes=90-", 100), Asked::Part(90..100));
        assert_eq!(parse_range("bytes=-5", 100), Asked::Part(95..100));
        assert_eq!(parse_range("bytes=95-400", 100), Asked::Part(95..100));
        assert_eq!(parse_range("bytes=100-", 100), Asked::Outside);
        assert_eq!(parse_range("bytes=-0", 100), Asked::Outside);
        assert_eq!(parse_range("bytes=0-1,5-6", 100), Asked::Whole);
        assert_eq!(parse_range("lines=1-2", 100), Asked::Whole);
    }
}
