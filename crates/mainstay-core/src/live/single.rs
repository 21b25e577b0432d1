//! A socket of one topic at an address of a service's own: for addresses that others have fixed.
//!
//! The client says nothing; it gets how the topic stands, then the topic's messages as `{"type": .., ..data}`. Where a
//! client of the common socket would be told to load anew, it gets how the topic stands once more. Who may connect, how
//! many, and for how long is as on the common socket.

use std::{convert::Infallible, sync::Arc};

use axum::{
    extract::FromRequestParts,
    response::{IntoResponse as _, Response},
};
use http::request::Parts;

use super::{
    Live,
    api::{Asked, Upgrade, admit, bounded, no_upgrade},
    protocol, socket, topics,
};
use crate::{auth::Caller, db::BoxFuture, error::Problem, http::middleware::RequestId};

/// Says how the topic stands, as the text of a message; nothing if its reader may not have it any more.
pub type Greet = Arc<dyn Fn() -> BoxFuture<'static, Option<String>> + Send + Sync>;

/// A request for a socket of one topic.
pub struct SingleSocket {
    asked: Asked,
    upgrade: Upgrade,
    request_id: RequestId,
}

impl<S: Send + Sync> FromRequestParts<S> for SingleSocket {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Response> {
        let refused = |never: Infallible| match never {};
        Ok(Self {
            request_id: RequestId::from_request_parts(parts, state)
                .await
                .map_err(axum::response::IntoResponse::into_response)?,
            asked: Asked::from_request_parts(parts, state)
                .await
                .map_err(axum::response::IntoResponse::into_response)?,
            upgrade: Upgrade::from_request_parts(parts, state).await.map_err(refused)?,
        })
    }
}

impl SingleSocket {
    /// Answers with a socket on which `topic` is told, after what `greet` makes of the caller.
    ///
    /// # Errors
    /// As for the common socket, and what the topic says of the caller.
    pub async fn follow(
        self,
        live: &Live,
        topic: &str,
        greet: impl FnOnce(Option<Caller>) -> Greet,
    ) -> Result<Response, Problem> {
        let Upgrade(upgrade) = self.upgrade;
        let upgrade = upgrade.map_err(|rejection| no_upgrade(&rejection))?;
        let place = admit(live, &self.asked)?;
        let mut resolved = place.resolve(&[topic.to_owned()]).await;
        if let Some((topic, problem)) = resolved.refused.pop() {
            topics::log_refusal(&topic, &problem, &self.request_id.0);
            return Err(problem);
        }
        place.live.inner.hub.begin(
            &place.conn,
            resolved.new,
            None,
            Vec::<protocol::Frame>::new(),
            false,
        );
        let greet = greet(place.conn.caller.clone());
        Ok(bounded(upgrade)
            .on_upgrade(move |socket| socket::serve_single(socket, place, greet))
            .into_response())
    }
}
