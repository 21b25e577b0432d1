//! Who does what is kept in the audit log.

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse as _, Response},
};
use http::request::Parts;
use mainstay_contract::id::UserId;
use mainstay_core::{
    audit::{self, Entry},
    auth::Caller,
    db::Tx,
    http::extract::Origin,
};
use serde_json::Value;

use crate::error::Error;

/// Whoever owns the data folder.
const OPERATOR: &str = "operator";

/// A person who acts, and from where.
#[derive(Debug, Clone)]
pub(crate) struct Acting {
    /// Who.
    pub(crate) user: UserId,
    /// From which network address; empty if it is not known.
    pub(crate) origin: String,
}

impl Acting {
    /// Keeps what they have done to `target`.
    pub(super) async fn note(
        &self,
        tx: &mut Tx,
        action: &'static str,
        target: impl ToString,
        detail: Value,
    ) -> Result<(), Error> {
        note(tx, Some(self), action, target, detail).await
    }
}

/// Keeps what was done to `target`; by nobody means from the command line.
pub(super) async fn note(
    tx: &mut Tx,
    by: Option<&Acting>,
    action: &'static str,
    target: impl ToString,
    detail: Value,
) -> Result<(), Error> {
    let actor = by.map_or_else(|| OPERATOR.to_owned(), |by| by.user.to_string());
    let origin = by.map(|by| by.origin.clone()).unwrap_or_default();
    let target = target.to_string();
    Ok(audit::append(tx, &Entry { actor, action, target, detail, origin }).await?)
}

impl<S: Send + Sync> FromRequestParts<S> for Acting {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let Caller { user, .. } = Caller::from_request_parts(parts, state).await?;
        let origin = Origin::from_request_parts(parts, state).await;
        let Origin(origin) = origin.map_err(|never| never.into_response())?;
        Ok(Self { user, origin })
    }
}
