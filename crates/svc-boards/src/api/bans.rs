//! Bans on boards.

use axum::extract::State;
use mainstay_core::{
    auth::{Caller, Role, Scope},
    http::{
        Access, Body, Json, NoBody, NoContent, PageQuery, Path, Path2, Query, Route, route::Routes,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    service::{BanView, Boards},
};

/// Why somebody is banned.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Ban {
    /// At most 500 characters, for those who look at it later.
    #[schemars(length(min = 1, max = 500))]
    reason: String,
}

/// A page of bans.
#[derive(Debug, Serialize, JsonSchema)]
struct BansPage {
    /// By owner.
    items: Vec<BanView>,
    /// Asks for the next page; absent at the end.
    next_cursor: Option<String>,
}

pub(super) fn routes(boards: &Boards) -> Vec<Route> {
    let r = Routes::api(boards, "Boards");
    let keepers = Access::Role(Role::Admin, Scope::BoardsWrite);
    vec![
        r.get("/api/v1/boards/{board}/bans", list)
            .about("List who is banned on a board")
            .access(keepers)
            .query::<PageQuery>()
            .answers::<BansPage>(200),
        r.put("/api/v1/boards/{board}/bans/{owner}", put)
            .about("Ban an owner on a board")
            .details(
                "Their entries are gone at once, in every period, and so is every score that came from them, such as the \
                 points that their likes have given others. What they submit from now on is refused.",
            )
            .access(keepers)
            .takes::<Ban>(8 << 10)
            .timeout_ms(60_000)
            .answers::<BanView>(200),
        r.delete("/api/v1/boards/{board}/bans/{owner}", delete)
            .about("Lift a ban: what was submitted counts again")
            .access(keepers)
            .timeout_ms(60_000)
            .answers_empty(204),
    ]
}

async fn list(
    State(boards): State<Boards>,
    Path(board): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<BansPage>, Error> {
    let (name, limit) = (format!("bans {board}"), query.limit()?);
    let after: Option<String> = boards.open_cursor(&name, query.cursor.as_deref())?;
    let items = boards.bans(&board, &after.unwrap_or_default(), limit).await?;
    let last = items.last().filter(|_| items.len() == limit);
    let next_cursor = last.map(|last| boards.seal_cursor(&name, &last.owner));
    Ok(Json(BansPage { items, next_cursor }))
}

async fn put(
    State(boards): State<Boards>,
    caller: Caller,
    Path2(board, owner): Path2<String, String>,
    body: Body<Ban>,
) -> Result<Json<BanView>, Error> {
    boards.ban(caller.user, &board, &owner, body.value.reason, body.once).await.map(Json)
}

async fn delete(
    State(boards): State<Boards>,
    Path2(board, owner): Path2<String, String>,
    body: NoBody,
) -> Result<NoContent, Error> {
    boards.unban(&board, &owner, body.once).await.map(|()| NoContent)
}
