//! Bans, on one board and on all of them.

use axum::extract::State;
use mainstay_core::{
    auth::Caller,
    error::Code,
    http::{
        Body, Json, NoBody, NoContent, PageQuery, Path, Path2, Query, Route, extract::Origin,
        route::Routes,
    },
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Error,
    page::cut,
    service::{BanView, Boards, NewBan},
};

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
    vec![
        r.get("/api/v1/boards/{board}/bans", list)
            .moderators()
            .about("List who is banned on a board")
            .query::<PageQuery>()
            .answers::<BansPage>(200)
            .refuses(&[Code::MalformedCursor]),
        r.get("/api/v1/boards/{board}/bans/{owner}", show)
            .moderators()
            .about("Read a ban on a board")
            .answers::<BanView>(200),
        r.put("/api/v1/boards/{board}/bans/{owner}", ban)
            .moderators()
            .about("Ban an owner on a board")
            .details(
                "Their entries are gone at once, in every period and from pages that are being walked. What they brought to \
                 others through rules is taken back in the same moment; on a board with more than 20,000 submissions it \
                 follows. What rules score meanwhile is kept and counts once the ban is lifted; what they submit \
                 themselves is refused.",
            )
            .takes::<NewBan>(8 << 10)
            .timeout_ms(60_000)
            .answers::<BanView>(200),
        r.delete("/api/v1/boards/{board}/bans/{owner}", unban)
            .moderators()
            .about("Lift a ban on a board")
            .details("What was submitted before counts again, as if there had been no ban.")
            .timeout_ms(60_000)
            .answers_empty(204),
        r.get("/api/v1/board-bans", list_everywhere)
            .moderators()
            .about("List who is banned on every board")
            .query::<PageQuery>()
            .answers::<BansPage>(200)
            .refuses(&[Code::MalformedCursor]),
        r.get("/api/v1/board-bans/{owner}", show_everywhere)
            .moderators()
            .about("Read a ban on every board")
            .answers::<BanView>(200),
        r.put("/api/v1/board-bans/{owner}", ban_everywhere)
            .moderators()
            .about("Ban an owner on every board")
            .details("As on one board; and on boards that are made later.")
            .takes::<NewBan>(8 << 10)
            .timeout_ms(60_000)
            .answers::<BanView>(200),
        r.delete("/api/v1/board-bans/{owner}", unban_everywhere)
            .moderators()
            .about("Lift a ban on every board")
            .details("A ban on a single board stays.")
            .timeout_ms(60_000)
            .answers_empty(204),
    ]
}

/// A page of bans on `board`, or of those on every board.
async fn page(
    boards: &Boards,
    caller: &Caller,
    board: Option<&str>,
    query: &PageQuery,
) -> Result<Json<BansPage>, Error> {
    let (list, limit) = (format!("bans {board:?}"), query.limit()?);
    let after = boards.open_cursor::<String>(&list, query.cursor.as_deref())?.unwrap_or_default();
    let mut items = boards.list_bans(caller, board, &after, limit + 1).await?;
    let next_cursor = cut(&mut items, limit).map(|last| boards.seal_cursor(&list, &last.owner));
    Ok(Json(BansPage { items, next_cursor }))
}

async fn list(
    State(boards): State<Boards>,
    caller: Caller,
    Path(board): Path<String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<BansPage>, Error> {
    page(&boards, &caller, Some(&board), &query).await
}

async fn list_everywhere(
    State(boards): State<Boards>,
    caller: Caller,
    Query(query): Query<PageQuery>,
) -> Result<Json<BansPage>, Error> {
    page(&boards, &caller, None, &query).await
}

async fn show(
    State(boards): State<Boards>,
    caller: Caller,
    Path2(board, owner): Path2<String, String>,
) -> Result<Json<BanView>, Error> {
    boards.show_ban(&caller, Some(&board), &owner).await.map(Json)
}

async fn show_everywhere(
    State(boards): State<Boards>,
    caller: Caller,
    Path(owner): Path<String>,
) -> Result<Json<BanView>, Error> {
    boards.show_ban(&caller, None, &owner).await.map(Json)
}

async fn ban(
    State(boards): State<Boards>,
    caller: Caller,
    Origin(origin): Origin,
    Path2(board, owner): Path2<String, String>,
    body: Body<NewBan>,
) -> Result<Json<BanView>, Error> {
    boards.ban((&caller, origin), (&board, &owner), &body.value, body.once).await.map(Json)
}

async fn ban_everywhere(
    State(boards): State<Boards>,
    caller: Caller,
    Origin(origin): Origin,
    Path(owner): Path<String>,
    body: Body<NewBan>,
) -> Result<Json<BanView>, Error> {
    boards.ban_everywhere((&caller, origin), &owner, &body.value, body.once).await.map(Json)
}

async fn unban(
    State(boards): State<Boards>,
    caller: Caller,
    Origin(origin): Origin,
    Path2(board, owner): Path2<String, String>,
    body: NoBody,
) -> Result<NoContent, Error> {
    boards.unban((&caller, origin), (&board, &owner), body.once).await.map(|()| NoContent)
}

async fn unban_everywhere(
    State(boards): State<Boards>,
    caller: Caller,
    Origin(origin): Origin,
    Path(owner): Path<String>,
    body: NoBody,
) -> Result<NoContent, Error> {
    boards.unban_everywhere((&caller, origin), &owner, body.once).await.map(|()| NoContent)
}
