//! Forms with files, read part by part: what is no file is bounded, files go straight to the store.

use axum::extract::Request;
use mainstay_contract::id::UserId;
use mainstay_core::{
    error::{Code, Fault, Problem},
    http::{
        Key,
        middleware::check_form_token,
        parts::{self, Part},
    },
};

use crate::{
    error::Error,
    service::{Feed, Upload},
    view::MediaView,
};

/// The largest part that is no file.
const TEXT_BYTES_MAX: usize = 32 << 10;

/// The parts of a form, in order. That the form is ours was seen before the first of them is given out.
pub(super) struct Parts(parts::Parts);

impl Parts {
    /// Reads the form's token, which stands first.
    pub(super) async fn read(request: Request) -> Result<Self, Error> {
        let extensions = request.extensions().clone();
        let mut parts = parts::Parts::of(request).await?;
        let given = match parts.next().await.map_err(Problem::from)? {
            Some(first) if first.name() == "csrf" => Some(text(first).await?),
            _ => None,
        };
        check_form_token(&extensions, given.as_deref())?;
        Ok(Self(parts))
    }

    /// The next part with its name.
    pub(super) async fn next(&mut self) -> Result<Option<(String, Part<'_>)>, Error> {
        let part = self.0.next().await.map_err(Problem::from)?;
        Ok(part.map(|part| (part.name().to_owned(), part)))
    }
}

/// The words of a part.
pub(super) async fn text(part: Part<'_>) -> Result<String, Error> {
    Ok(part.text(TEXT_BYTES_MAX).await?)
}

/// Stores the file of a part. `None` if no file was chosen; the faults of one that is refused.
pub(super) async fn file(
    feed: &Feed,
    owner: UserId,
    part: Part<'_>,
    pointer: &'static str,
) -> Result<Option<Result<MediaView, Vec<Fault>>>, Error> {
    if part.file_name().is_empty() {
        return Ok(None);
    }
    let upload = Upload { owner, alt: "", pointer, key: Key::default() };
    match feed.upload(upload, part.into_stream()).await {
        Ok(media) => Ok(Some(Ok(media))),
        Err(error) => {
            let mut problem = Problem::from(error);
            if problem.code == Code::Conflict {
                problem.faults = vec![Fault::new(pointer, "no_room", problem.detail.clone())];
            }
            if problem.faults.is_empty() {
                return Err(problem.into());
            }
            Ok(Some(Err(problem.faults)))
        }
    }
}
