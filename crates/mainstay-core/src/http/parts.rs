//! A form in parts (`multipart/form-data`), read as it comes.
//!
//! The route's bound on the whole body is the gate's; axum's own of 2 MB, which comes with its extractor, is off here
//! and only here.

use axum::extract::{
    DefaultBodyLimit, FromRequest as _, Multipart, Request,
    multipart::{Field, MultipartError},
};
use bytes::Bytes;
use futures_util::{Stream, stream};
use http::StatusCode;

use crate::error::{Code, Problem};

/// The parts of a form, in order.
#[derive(Debug)]
pub struct Parts(Multipart);

/// One part: a text or a file.
#[derive(Debug)]
pub struct Part<'a>(Field<'a>);

/// Why the rest of a form cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("read a form in parts")]
pub struct PartsError(#[source] MultipartError);

impl Parts {
    /// The form in the body of `request`.
    ///
    /// # Errors
    /// `UnsupportedMediaType` if it is none.
    pub async fn of(mut request: Request) -> Result<Self, Problem> {
        DefaultBodyLimit::disable().apply(&mut request);
        match Multipart::from_request(request, &()).await {
            Ok(parts) => Ok(Self(parts)),
            Err(rejection) => {
                let detail = "Send the form as `multipart/form-data`.";
                Err(Problem::new(Code::UnsupportedMediaType, detail).because(rejection))
            }
        }
    }

    /// The next part; what the last one has left is passed over.
    ///
    /// # Errors
    /// As [`PartsError`] says.
    pub async fn next(&mut self) -> Result<Option<Part<'_>>, PartsError> {
        Ok(self.0.next_field().await.map_err(PartsError)?.map(Part))
    }
}

impl Part<'_> {
    /// Its name; empty if it has none.
    pub fn name(&self) -> &str {
        self.0.name().unwrap_or_default()
    }

    /// The name of the file in it; empty if no file was chosen.
    pub fn file_name(&self) -> &str {
        self.0.file_name().unwrap_or_default()
    }

    /// Its words, at most `bytes_max`.
    ///
    /// # Errors
    /// `TooLarge`, `MalformedBody`.
    pub async fn text(mut self, bytes_max: usize) -> Result<String, Problem> {
        let mut bytes = Vec::new();
        while let Some(chunk) = self.0.chunk().await.map_err(PartsError)? {
            if bytes.len() + chunk.len() > bytes_max {
                let detail = "A field of the form is longer than this server takes.";
                return Err(Problem::new(Code::TooLarge, detail));
            }
            bytes.extend_from_slice(&chunk);
        }
        String::from_utf8(bytes).map_err(|error| {
            let detail = "A field of the form is not UTF-8 text.";
            Problem::new(Code::MalformedBody, detail).because(error)
        })
    }
}

impl<'a> Part<'a> {
    /// Its bytes, as they come; an error ends them.
    pub fn into_stream(self) -> impl Stream<Item = Result<Bytes, PartsError>> + Send + Unpin + 'a {
        Box::pin(stream::try_unfold(self.0, async |mut field| {
            let chunk = field.chunk().await.map_err(PartsError)?;
            Ok(chunk.map(|chunk| (chunk, field)))
        }))
    }
}

impl From<PartsError> for Problem {
    fn from(error: PartsError) -> Self {
        if error.0.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::new(Code::TooLarge, "The body is larger than this route takes.");
        }
        let detail =
            "The form cannot be read, or it ended before all of it had arrived. Send it again.";
        Self::new(Code::MalformedBody, detail).because(error)
    }
}
