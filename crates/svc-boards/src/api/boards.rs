//! Boards and their periods.

use axum::extract::State;
use mainstay_core::{
    auth::{Role, Scope},
    error::Code,
    http::{
        Access, Body, IfMatch, Json, MaybeCaller, NoBody, NoContent, PageQuery, Path, Query, Route,
        route::Routes,
    },
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Error,
    model::board::BoardSettings,
    service::{Acting, BoardView, Boards, EditBoard, PeriodView},
};

/// A page of boards.
#[derive(Debug, Serialize, JsonSchema)]
struct BoardsPage {
    /// By name.
    items: Vec<BoardView>,
    /// Asks for the next page; absent at the end.
    next_cursor: Option<String>,
}

/// A page of periods.
#[derive(Debug, Serialize, JsonSchema)]
struct PeriodsPage {
    /// Newest first.
    items: Vec<PeriodView>,
    /// Asks for the next page; absent at the end.
    next_cursor: Option<String>,
}

pub(super) fn routes(boards: &Boards) -> Vec<Route> {
    let r = Routes::api(boards, "Boards");
    let keepers = Access::Role(Role::Admin, Scope::BoardsWrite);
    vec![
        r.get("/api/v1/boards", list)
            .about("List boards")
            .query::<PageQuery>()
            .answers::<BoardsPage>(200),
        r.put("/api/v1/boards/{board}", put)
            .about("Make a board or give it other settings")
            .details(
                "Scores that were submitted are kept: where the new settings make other entries of them, the board is \
                 built anew, one with more than 20,000 submissions a little later. Columns stay as many as they are, with their \
                 decimals, once there are scores. With `tiers` each period is a season: whoever scores in it first takes a seat \
                 in the cohort of their tier that is being filled, the first of each cohort move up at its end and the last move \
                 down. Rules of a season in which somebody has a seat stay; others, and tiers that are new, begin with the next \
                 reset. Once owners play, tiers are added above the highest only (409). Without `tiers` the present season ends \
                 and moves nobody.",
            )
            .access(keepers)
            .takes::<BoardSettings>(64 << 10)
            .timeout_ms(60_000)
            .answers::<BoardView>(200)
            .refuses(&[Code::Conflict]),
        r.get("/api/v1/boards/{board}", show).about("Read a board").answers::<BoardView>(200),
        r.patch("/api/v1/boards/{board}", edit)
            .about("Change a board")
            .access(keepers)
            .versioned()
            .takes::<EditBoard>(64 << 10)
            .timeout_ms(60_000)
            .answers::<BoardView>(200)
            .refuses(&[Code::Conflict]),
        r.delete("/api/v1/boards/{board}", delete)
            .about("Delete a board and all that it holds")
            .access(keepers)
            .versioned()
            .answers_empty(204)
            .refuses(&[Code::Conflict]),
        r.get("/api/v1/boards/{board}/periods", periods)
            .about("List a board's periods, newest first")
            .query::<PageQuery>()
            .answers::<PeriodsPage>(200),
    ]
}

async fn list(
    State(boards): State<Boards>,
    MaybeCaller(caller): MaybeCaller,
    Query(query): Query<PageQuery>,
) -> Result<Json<BoardsPage>, Error> {
    let after = boards.open_cursor::<String>("boards", query.cursor.as_deref())?;
    let after = after.unwrap_or_default();
    let (items, last) = boards.list_boards(caller.as_ref(), &after, query.limit()?).await?;
    let next_cursor = last.map(|last| boards.seal_cursor("boards", &last));
    Ok(Json(BoardsPage { items, next_cursor }))
}

async fn put(
    State(boards): State<Boards>,
    by: Acting,
    Path(board): Path<String>,
    body: Body<BoardSettings>,
) -> Result<Json<BoardView>, Error> {
    boards.put_board(Some(by), &board, body.value, true, body.once).await.map(Json)
}

async fn show(
    State(boards): State<Boards>,
    MaybeCaller(caller): MaybeCaller,
    Path(board): Path<String>,
) -> Result<Json<BoardView>, Error> {
    boards.show_board(caller.as_ref(), &board).await.map(Json)
}

async fn edit(
    State(boards): State<Boards>,
    by: Acting,
    Path(board): Path<String>,
    wanted: IfMatch,
    body: Body<EditBoard>,
) -> Result<Json<BoardView>, Error> {
    boards.edit_board(by, &board, body.value, wanted, body.once).await.map(Json)
}

async fn delete(
    State(boards): State<Boards>,
    by: Acting,
    Path(board): Path<String>,
    wanted: IfMatch,
    body: NoBody,
) -> Result<NoContent, Error> {
    boards.delete_board(Some(by), &board, wanted, body.once).await.map(|()| NoContent)
}

async fn periods(
    State(boards): State<Boards>,
    MaybeCaller(caller): MaybeCaller,
    Path(board): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<PeriodsPage>, Error> {
    let (list, limit) = (format!("periods {board}"), query.limit()?);
    let before = boards.open_cursor(&list, query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let items = boards.periods(caller.as_ref(), &board, before, limit).await?;
    let full = items.len() == limit;
    let last = items.last().filter(|last| full && last.number > 1);
    let next_cursor = last.map(|last| boards.seal_cursor(&list, &last.number));
    Ok(Json(PeriodsPage { items, next_cursor }))
}
