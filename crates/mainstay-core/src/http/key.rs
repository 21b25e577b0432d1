//! The idempotency key of a request.

use std::fmt;

use aws_lc_rs::digest;
use axum::{
    extract::FromRequestParts,
    response::{IntoResponse, Response},
};
use http::request::Parts;

use super::middleware::Known;
use crate::{
    db::Once,
    error::{Fault, Problem},
};

/// The longest idempotency key.
const KEY_LEN_MAX: usize = 200;

/// The caller's idempotency key, if they sent one, before it is bound to what they sent with it. For handlers that read
/// their body as a stream; the others have it from [`super::Body`] and [`super::NoBody`].
#[derive(Default)]
pub struct Key(Option<Unbound>);

struct Unbound {
    caller: String,
    key: String,
    /// Method and path so far.
    request: digest::Context,
}

impl Key {
    /// The key among the headers. Strangers have none: their keys would meet those of other strangers.
    ///
    /// # Errors
    /// `Invalid` if it is no key.
    pub(super) fn of(parts: &Parts) -> Result<Self, Problem> {
        let Some(value) = parts.headers.get("idempotency-key") else { return Ok(Self(None)) };
        let key = value.to_str().ok().filter(|key| !key.is_empty() && key.len() <= KEY_LEN_MAX);
        let Some(key) = key else {
            let fault = Fault::new(
                "Idempotency-Key",
                "malformed",
                format!("Send 1 to {KEY_LEN_MAX} visible ASCII characters."),
            );
            return Err(Problem::invalid(vec![fault]));
        };
        let caller = Known::of(&parts.extensions).and_then(|known| known.caller.as_ref());
        let Some(caller) = caller else { return Ok(Self(None)) };
        let mut request = digest::Context::new(&digest::SHA256);
        request.update(parts.method.as_str().as_bytes());
        request.update(parts.uri.path().as_bytes());
        request.update(&[0]);
        let (caller, key) = (caller.user.to_string(), key.to_owned());
        Ok(Self(Some(Unbound { caller, key, request })))
    }

    /// The key bound to what was sent: the bytes of the body, or what stands for them.
    pub fn over(self, body: &[&[u8]]) -> Option<Once> {
        self.0.map(|Unbound { caller, key, mut request }| {
            body.iter().for_each(|bytes| request.update(bytes));
            Once { caller, key, fingerprint: request.finish().as_ref().to_vec() }
        })
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Key").field(&self.0.as_ref().map(|unbound| &unbound.key)).finish()
    }
}

impl<S: Sync> FromRequestParts<S> for Key {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Response> {
        Self::of(parts).map_err(IntoResponse::into_response)
    }
}
