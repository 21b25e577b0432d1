//! Reading boards.

use axum::extract::State;
use mainstay_core::{
    auth::Caller,
    error::Code,
    http::{
        Body, Json, LimitClass, MaybeCaller, PageQuery, Path, Path2, Query, Route, route::Routes,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    service::{
        Boards, EntriesPage, EntriesQuery, EntryHistoryView, EvidenceView, HistoryQuery,
        StandingQuery, StandingView,
    },
};

/// Whose entries.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Lookup {
    /// At most 1,000.
    #[schemars(length(max = 1_000))]
    owners: Vec<String>,
}

/// Scores with their evidence.
#[derive(Debug, Serialize, JsonSchema)]
struct EvidencePage {
    /// Newest first.
    items: Vec<EvidenceView>,
    /// Asks for the next page; absent at the end.
    next_cursor: Option<String>,
}

/// Whoever likes a post and then reads a board sees what a rule makes of it; whoever follows somebody has them among
/// their friends.
const SHOWS: &[&str] = &["rules_feed", "friends"];

pub(super) fn routes(boards: &Boards) -> Vec<Route> {
    let r = Routes::api(boards, "Boards");
    vec![
        r.get("/api/v1/boards/{board}/entries", entries)
            .about("Page through a board")
            .details(
                "Later pages show the board as it stood at the first one, for ten minutes; after that the cursor has expired \
                 (410). With `at` it is the board as it stood at that instant; two such are worked out at a time (503), of at \
                 most four million submissions. With `friends=true` it is the caller (401 if there is none) and whom they \
                 follow in Feed, ranked among themselves, of whom at most 10,000 are looked at; where Feed does not run, the \
                 caller alone. With `cohort` it is a cohort of a season, also of a past one: its number, or `me` for the \
                 caller's (401). Seats of a season that many played before it follow some seconds after its first scores.",
            )
            .query::<EntriesQuery>()
            .shows(SHOWS)
            .answers::<EntriesPage>(200)
            .refuses(&[Code::CursorExpired, Code::Unauthenticated])
            .timeout_ms(30_000),
        r.get("/api/v1/boards/{board}/entries/{owner}", entry)
            .about("Read how an owner stands")
            .query::<StandingQuery>()
            .shows(SHOWS)
            .answers::<StandingView>(200)
            .refuses(&[Code::Unauthenticated])
            .timeout_ms(30_000),
        r.get("/api/v1/boards/{board}/entries/{owner}/history", history)
            .about("Read how an owner's rank went")
            .details(
                "How they stood at up to 100 instants of a span, under the settings and bans of now; else as with `at`.",
            )
            .limit(LimitClass::Search)
            .query::<HistoryQuery>()
            .shows(SHOWS)
            .answers::<EntryHistoryView>(200)
            .timeout_ms(30_000),
        r.get("/api/v1/boards/{board}/entries/{owner}/around", around)
            .about("Read an owner's neighbourhood")
            .query::<StandingQuery>()
            .shows(SHOWS)
            .answers::<EntriesPage>(200)
            .refuses(&[Code::Unauthenticated])
            .timeout_ms(30_000),
        r.get("/api/v1/boards/{board}/entries/{owner}/evidence", evidence)
            .moderators()
            .about("Read what an owner has sent as evidence")
            .query::<PageQuery>()
            .answers::<EvidencePage>(200)
            .refuses(&[Code::MalformedCursor]),
        r.post("/api/v1/boards/{board}/entries/lookup", lookup)
            .about("Read how several owners stand")
            .public()
            .limit(LimitClass::Read)
            .unkeyed()
            .query::<StandingQuery>()
            .takes::<Lookup>(256 << 10)
            .answers::<EntriesPage>(200)
            .refuses(&[Code::Unauthenticated])
            .timeout_ms(30_000),
    ]
}

async fn entries(
    State(boards): State<Boards>,
    MaybeCaller(caller): MaybeCaller,
    Path(board): Path<String>,
    Query(query): Query<EntriesQuery>,
) -> Result<Json<EntriesPage>, Error> {
    boards.entries(caller.as_ref(), &board, &query).await.map(Json)
}

async fn entry(
    State(boards): State<Boards>,
    MaybeCaller(caller): MaybeCaller,
    Path2(board, owner): Path2<String, String>,
    Query(query): Query<StandingQuery>,
) -> Result<Json<StandingView>, Error> {
    boards.entry(caller.as_ref(), &board, &owner, &query).await.map(Json)
}

async fn history(
    State(boards): State<Boards>,
    MaybeCaller(caller): MaybeCaller,
    Path2(board, owner): Path2<String, String>,
    Query(query): Query<HistoryQuery>,
) -> Result<Json<EntryHistoryView>, Error> {
    boards.entry_history(caller.as_ref(), &board, &owner, &query).await.map(Json)
}

async fn evidence(
    State(boards): State<Boards>,
    caller: Caller,
    Path2(board, owner): Path2<String, String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<EvidencePage>, Error> {
    let (list, limit) = (format!("evidence {board} {owner}"), query.limit()?);
    let before = boards.open_cursor(&list, query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let (items, last) = boards.evidence(&caller, &board, &owner, (before, limit)).await?;
    let next_cursor = last.map(|last| boards.seal_cursor(&list, &last));
    Ok(Json(EvidencePage { items, next_cursor }))
}

async fn around(
    State(boards): State<Boards>,
    MaybeCaller(caller): MaybeCaller,
    Path2(board, owner): Path2<String, String>,
    Query(query): Query<StandingQuery>,
) -> Result<Json<EntriesPage>, Error> {
    boards.around(caller.as_ref(), &board, &owner, &query).await.map(Json)
}

async fn lookup(
    State(boards): State<Boards>,
    MaybeCaller(caller): MaybeCaller,
    Path(board): Path<String>,
    Query(query): Query<StandingQuery>,
    body: Body<Lookup>,
) -> Result<Json<EntriesPage>, Error> {
    boards.lookup(caller.as_ref(), &board, &body.value.owners, &query).await.map(Json)
}
