//! The socket of guide 2, at its address.

use std::sync::Arc;

use axum::{extract::State, response::Response};
use mainstay_core::{
    error::Problem,
    http::{LimitClass, Path, Route, route::Routes},
    live::single::SingleSocket,
};

use crate::service::Boards;

pub(super) fn routes(boards: &Boards) -> Vec<Route> {
    let raw = Routes::raw(boards, "Boards");
    vec![
        raw.get("/ws/leaderboard/{competition}", follow)
            .about("Follow a competition over a WebSocket of its own")
            .details(
                "First `{\"type\": \"snapshot\", \"entries\": [{rank, user_id, score}]}` with the first hundred, then \
                 `{\"type\": \"patch\", \"entries\": [{place, rank, user_id, score}], \"gone\": [..]}` at most ten times a \
                 second: take out everybody it names, then put the entries in at their places, in order. Where \
                 something may have been missed, another snapshot comes.",
            )
            .limit(LimitClass::Read)
            .timeout_ms(0),
    ]
}

async fn follow(
    State(boards): State<Boards>,
    Path(competition): Path<String>,
    socket: SingleSocket,
) -> Result<Response, Problem> {
    let topic = format!("leaderboard:{competition}");
    let live = boards.live().clone();
    socket
        .follow(&live, &topic, |caller| {
            Arc::new(move || {
                let (boards, caller, id) = (boards.clone(), caller.clone(), competition.clone());
                Box::pin(
                    async move { boards.leaderboard_snapshot(caller.as_ref(), &id).await.ok() },
                )
            })
        })
        .await
}
