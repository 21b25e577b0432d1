//! Why a file is not taken, in words for whoever sends it.

use mainstay_core::{
    blobs::{BlobError, BoxError},
    error::{Code, Fault, Problem},
    fetch::FetchError,
    http::parts::PartsError,
};

use super::room::NoRoom;
use crate::{error::Error, media::MediaError};

/// What is wrong with a file, in a stable word.
fn fault_code(error: &MediaError) -> &'static str {
    match error {
        MediaError::Empty => "empty",
        MediaError::UnknownType => "unknown_type",
        MediaError::WrongType { .. } => "wrong_type",
        MediaError::Truncated { .. } => "truncated",
        MediaError::Damaged { .. } => "damaged",
        MediaError::Unsupported { .. } => "unsupported",
        MediaError::TooLarge { .. } => "too_large",
        MediaError::TooManyPixels { .. } => "too_many_pixels",
        MediaError::TooManyFrames { .. } => "too_many_frames",
        MediaError::Busy => "busy",
        MediaError::Failed { .. } => "failed",
    }
}

/// The file is not what can be taken, or there is too much to do.
pub(super) fn refuse(error: MediaError, pointer: &'static str) -> Error {
    let fault = Fault::new(pointer, fault_code(&error), sentence(&error.to_string()));
    let problem = match error {
        MediaError::TooLarge { .. } => Problem::new(Code::TooLarge, fault.detail.clone()),
        MediaError::Busy => Problem::new(Code::Overloaded, fault.detail.clone()).retry_after_s(5),
        MediaError::Failed { source } => Problem::invalid(vec![fault.clone()]).because(source),
        _ => Problem::invalid(vec![fault.clone()]),
    };
    let mut problem = problem;
    if problem.faults.is_empty() {
        problem.faults = vec![fault];
    }
    problem.into()
}

/// `the file is …` → `The file is ….`
fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(char::to_uppercase).into_iter().flatten();
    format!("{}.", first.chain(letters).collect::<String>())
}

/// The body did not come to its end.
pub(super) fn cut_off(error: BoxError) -> Error {
    let error = match error.downcast::<FetchError>() {
        Ok(fetch) => return not_fetched(&fetch),
        Err(error) => error,
    };
    let error = match error.downcast::<PartsError>() {
        Ok(parts) => return Problem::from(*parts).into(),
        Err(error) => error,
    };
    if error.is::<NoRoom>() {
        return no_room();
    }
    let detail = "The upload ended before all of it had arrived. Send it again.";
    Problem::new(Code::MalformedBody, detail).because(error).into()
}

pub(super) fn not_fetched(error: &FetchError) -> Error {
    Error::invalid("/media_url", "not_fetched", sentence(&error.to_string()))
}

pub(super) fn no_room() -> Error {
    Error::Conflict(
        "Your uploads that stand in no post take up all the room they may. Post them, or wait: they end after a day.",
    )
}

/// The file did not get into staging.
pub(super) fn not_staged(error: BlobError, pointer: &'static str) -> Error {
    match error {
        BlobError::Interrupted { source } => match source.downcast::<MediaError>() {
            Ok(error) => refuse(*error, pointer),
            Err(source) => cut_off(source),
        },
        BlobError::TooLarge { max_bytes } => refuse(MediaError::TooLarge { max_bytes }, pointer),
        other => storage(other),
    }
}

/// The store did not do it.
pub(super) fn storage(error: BlobError) -> Error {
    match error {
        BlobError::NotFound => Error::NotFound,
        other => Problem::new(
            Code::Unavailable,
            "The media store does not answer at the moment. Try again in a few seconds.",
        )
        .retry_after_s(5)
        .because(other)
        .into(),
    }
}
