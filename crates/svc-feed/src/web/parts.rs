//! Forms with files, read part by part: what is no file is bounded, files go straight to the store.

use axum::extract::{
    FromRequest as _, Multipart, Request,
    multipart::{Field, MultipartError},
};
use futures_util::stream;
use http::StatusCode;
use mainstay_contract::id::UserId;
use mainstay_core::{
    error::{Code, Fault, Problem},
    http::middleware::check_form_token,
};

use crate::{error::Error, service::Feed, view::MediaView};

/// The largest part that is no file.
const TEXT_BYTES_MAX: usize = 32 << 10;

/// The parts of a form, in order. That the form is ours was seen before the first of them is given out.
pub(super) struct Parts(Multipart);

impl Parts {
    /// Reads the form's token, which stands first.
    pub(super) async fn read(request: Request) -> Result<Self, Error> {
        let extensions = request.extensions().clone();
        let mut parts = Multipart::from_request(request, &()).await.map_err(|_rejection| {
            Problem::new(Code::UnsupportedMediaType, "Send the form as `multipart/form-data`.")
        })?;
        let given = match parts.next_field().await.map_err(broken)? {
            Some(first) if first.name() == Some("csrf") => Some(text(first).await?),
            _ => None,
        };
        check_form_token(&extensions, given.as_deref())?;
        Ok(Self(parts))
    }

    /// The next part with its name.
    pub(super) async fn next(&mut self) -> Result<Option<(String, Field<'_>)>, Error> {
        let field = self.0.next_field().await.map_err(broken)?;
        Ok(field.map(|field| (field.name().unwrap_or_default().to_owned(), field)))
    }
}

/// The words of a part.
pub(super) async fn text(mut field: Field<'_>) -> Result<String, Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = field.chunk().await.map_err(broken)? {
        if bytes.len() + chunk.len() > TEXT_BYTES_MAX {
            let detail = "A field of the form is longer than this server takes.";
            return Err(Problem::new(Code::TooLarge, detail).into());
        }
        bytes.extend_from_slice(&chunk);
    }
    String::from_utf8(bytes).map_err(|_bad| {
        Problem::new(Code::MalformedBody, "A field of the form is not UTF-8 text.").into()
    })
}

/// Stores the file of a part. `None` if no file was chosen; the faults of one that is refused.
pub(super) async fn file(
    feed: &Feed,
    owner: UserId,
    field: Field<'_>,
    pointer: &'static str,
) -> Result<Option<Result<MediaView, Vec<Fault>>>, Error> {
    if field.file_name().is_none_or(str::is_empty) {
        return Ok(None);
    }
    let body = Box::pin(stream::try_unfold(field, async |mut field| {
        let chunk = field.chunk().await?;
        Ok::<_, MultipartError>(chunk.map(|chunk| (chunk, field)))
    }));
    match feed.upload(owner, body, "", pointer).await {
        Ok(media) => Ok(Some(Ok(media))),
        Err(error) => {
            let problem = Problem::from(error);
            if problem.faults.is_empty() {
                return Err(problem.into());
            }
            Ok(Some(Err(problem.faults)))
        }
    }
}

fn broken(error: MultipartError) -> Error {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::new(Code::TooLarge, "The form is larger than this server takes.").into();
    }
    let detail = "The form cannot be read, or it ended too early. Send it again.";
    Problem::new(Code::MalformedBody, detail).because(error).into()
}
