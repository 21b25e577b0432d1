//! `If-Match`: a change that is made only to the version of a record that its sender has read.
//!
//! The tag of version 7 is `"v7"`. It is not the entity tag of an answer, which is made from bytes with counters in
//! them: a like would make every edit fail.

use std::sync::Arc;

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::{header, request::Parts};

use crate::error::{Code, Fault, Problem};

/// What the field `If-Match` of a request asks for. Only for routes that declare it with
/// [`Route::versioned`](super::Route::versioned).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum IfMatch {
    /// Whatever version there is: the field is absent or `*`. The last writer wins.
    #[default]
    Any,
    /// One of these versions. None, if every tag was one that no record has.
    OneOf(Arc<[i64]>),
}

impl IfMatch {
    /// Sees that the record, which is at `version`, is one that the change was meant for. To be asked in the
    /// transaction of the change, behind whatever makes writers of the record queue up.
    ///
    /// # Errors
    /// `PreconditionFailed`, with the version that it is at, if it is none of them.
    pub fn check(&self, version: i64) -> Result<(), Problem> {
        match self {
            Self::OneOf(wanted) if !wanted.contains(&version) => Err(outdated(version)),
            Self::Any | Self::OneOf(_) => Ok(()),
        }
    }

    /// Reads the values of all `If-Match` fields; `None` if they are not a list of entity tags.
    fn parse<'a>(fields: impl Iterator<Item = &'a [u8]>) -> Option<Self> {
        let mut tags = Vec::new();
        let mut any = false;
        for field in fields {
            if field.trim_ascii() == b"*" {
                any = true;
            } else {
                read_tags(field, &mut tags)?;
            }
        }
        match (any, tags.is_empty()) {
            (true, true) => Some(Self::Any),
            (false, false) => Some(Self::OneOf(tags.into_iter().filter_map(version_of).collect())),
            // Both, or an empty list.
            _ => None,
        }
    }
}

/// Reads the tags of one field, separated by commas. A weak one is never the same as another (RFC 9110, 8.8.3.2), so it
/// stands for one that no record has.
fn read_tags<'a>(field: &'a [u8], tags: &mut Vec<&'a [u8]>) -> Option<()> {
    let mut rest = field.trim_ascii();
    while !rest.is_empty() {
        // A list may have empty places.
        if let Some(after) = rest.strip_prefix(b",") {
            rest = after.trim_ascii_start();
            continue;
        }
        let weak = rest.strip_prefix(b"W/");
        let quoted = weak.unwrap_or(rest).strip_prefix(b"\"")?;
        let end = quoted.iter().position(|byte| *byte == b'"')?;
        let (tag, after) = quoted.split_at_checked(end)?;
        // What is visible, and what lies above ASCII.
        if !tag.iter().all(|byte| *byte > b' ' && *byte != 0x7f) {
            return None;
        }
        tags.push(if weak.is_some() { b"" } else { tag });
        rest = after.strip_prefix(b"\"")?.trim_ascii_start();
        if !rest.is_empty() && !rest.starts_with(b",") {
            return None;
        }
    }
    Some(())
}

/// The version that a tag names, as it is written in one way only; `None` for tags of anything else.
fn version_of(tag: &[u8]) -> Option<i64> {
    let digits = std::str::from_utf8(tag).ok()?.strip_prefix('v')?;
    let version: i64 = digits.parse().ok()?;
    (version.to_string() == digits).then_some(version)
}

fn outdated(version: i64) -> Problem {
    let mut problem = Problem::new(
        Code::PreconditionFailed,
        "It was changed since you read it. Read it again, then send the change with its present version.",
    );
    problem.faults = vec![Fault::new(
        "If-Match",
        "outdated",
        format!("The present version is {version}: send `If-Match: \"v{version}\"`."),
    )];
    problem
}

fn malformed() -> Problem {
    let mut problem =
        Problem::new(Code::MalformedParameter, "A header cannot be read; see `errors`.");
    problem.faults = vec![Fault::new(
        "If-Match",
        "malformed",
        "Send the field `version` of what you have read, with `v` and in quotes, such as `\"v7\"`; or `*` for any.",
    )];
    problem
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        if !parts.headers.contains_key(header::IF_MATCH) {
            return Ok(Self::Any);
        }
        let fields = parts.headers.get_all(header::IF_MATCH).iter();
        let read = Self::parse(fields.map(http::HeaderValue::as_bytes));
        read.ok_or_else(|| malformed().into_response())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(fields: &[&str]) -> Option<IfMatch> {
        IfMatch::parse(fields.iter().map(|field| field.as_bytes()))
    }

    fn one_of(versions: &[i64]) -> Option<IfMatch> {
        Some(IfMatch::OneOf(versions.into()))
    }

    #[test]
    fn a_list_of_tags_names_the_versions_among_them() {
        for (fields, wanted) in [
            (&["\"v7\""][..], one_of(&[7])),
            (&[" \"v7\" , \"v8\" "], one_of(&[7, 8])),
            (&["\"v7\"", "\"v8\""], one_of(&[7, 8])),
            (&["\"v7\",, \"v8\","], one_of(&[7, 8])),
            (&["*"], Some(IfMatch::Any)),
            // Tags of something else: well formed, and no version of anything.
            (&["\"7\"", "\"v07\"", "\"v+7\"", "\"v\"", "\"\"", "\"a,b\""], one_of(&[])),
            (&["W/\"v7\"", "\"v99999999999999999999\"", "\"v8\""], one_of(&[8])),
        ] {
            assert_eq!(read(fields), wanted, "{fields:?}");
        }
    }

    #[test]
    fn what_is_no_list_of_tags_is_not_read() {
        for field in ["", " ", "v7", "7", "\"v7", "v7\"", "\"v7\" \"v8\"", ",", "\"v 7\""] {
            assert_eq!(read(&[field]), None, "{field:?}");
        }
        assert_eq!(read(&["*", "\"v7\""]), None);
        assert_eq!(read(&["*, \"v7\""]), None);
    }

    #[test]
    fn only_a_wanted_version_passes() {
        assert!(IfMatch::Any.check(3).is_ok());
        let either = one_of(&[2, 3]).unwrap_or_default();
        assert!(either.check(2).is_ok() && either.check(3).is_ok());
        let code = either.check(4).map_err(|problem| problem.code);
        assert_eq!(code, Err(Code::PreconditionFailed));
        assert!(one_of(&[]).is_some_and(|none| none.check(1).is_err()));
    }
}
