//! Competitions, results and prizes.

use axum::extract::State;
use mainstay_contract::{boards::CompetitionId, ts::Ts};
use mainstay_core::{
    auth::{Caller, Role, Scope},
    error::Code,
    http::{
        Access, Body, Created, IfMatch, Json, MaybeBody, MaybeCaller, NoBody, NoContent, PageQuery,
        Path, Query, Route, route::Routes,
    },
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    model::competition::Phase,
    service::{
        Acting, After, Boards, CompetitionView, EditCompetition, Join, NewCompetition, PayoutView,
        ResultsView,
    },
};

/// Which competitions.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ListQuery {
    /// Only those in this phase.
    phase: Option<Phase>,
    /// Only those that the caller takes part in.
    mine: bool,
    /// How many, 1 to 100; 20 if absent.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of competitions.
#[derive(Debug, Serialize, JsonSchema)]
struct CompetitionsPage {
    /// The one that begins last first; with `phase=upcoming` the one that begins first.
    items: Vec<CompetitionView>,
    /// Asks for the next page; absent at the end.
    next_cursor: Option<String>,
}

/// What is approved.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ApproveQuery {
    /// The `proposed_at` that was looked at. If something else was proposed since, it is not approved.
    proposed_at: Option<Ts>,
}

pub(super) fn routes(boards: &Boards) -> Vec<Route> {
    let r = Routes::api(boards, "Competitions");
    let keepers = Access::Role(Role::Admin, Scope::BoardsWrite);
    vec![
        r.post("/api/v1/competitions", create)
            .about("Make a competition")
            .details(
                "Its score is what counts of a metric of each participant's activity between start and end. It has a board \
                 of its id, and one with `.teams` behind it where people play in teams.",
            )
            .access(keepers)
            .takes::<NewCompetition>(64 << 10)
            .answers::<CompetitionView>(201),
        r.get("/api/v1/competitions", list)
            .about("List competitions")
            .query::<ListQuery>()
            .answers::<CompetitionsPage>(200),
        r.get("/api/v1/competitions/{id}", show)
            .about("Read a competition")
            .answers::<CompetitionView>(200),
        r.patch("/api/v1/competitions/{id}", edit)
            .about("Change a competition that has not begun")
            .details(
                "Metric and teams stay. Once somebody has joined, so do fees and prizes; and its times can be moved until five \
                 minutes before it begins.",
            )
            .access(keepers)
            .versioned()
            .takes::<EditCompetition>(64 << 10)
            .answers::<CompetitionView>(200)
            .refuses(&[Code::Conflict]),
        r.delete("/api/v1/competitions/{id}", cancel)
            .about("Call a competition off and give the money back")
            .details("The first 500 people have it back with that, the others within seconds.")
            .admins()
            .timeout_ms(60_000)
            .answers_empty(204)
            .refuses(&[Code::Conflict]),
        r.post("/api/v1/competitions/{id}/join", join)
            .about("Join a competition and pay for it")
            .may_take::<Join>(4 << 10)
            .answers::<CompetitionView>(200)
            .refuses(&[Code::Conflict]),
        r.delete("/api/v1/competitions/{id}/join", leave)
            .about("Leave a competition before it begins, and have the money back")
            .answers::<CompetitionView>(200)
            .refuses(&[Code::Conflict]),
        r.get("/api/v1/competitions/{id}/results", results)
            .about("Read results that are final")
            .query::<PageQuery>()
            .answers::<ResultsView>(200)
            .refuses(&[Code::Conflict]),
        r.get("/api/v1/competitions/{id}/payout", payout)
            .about("Read prizes as they are proposed or paid")
            .admins()
            .answers::<PayoutView>(200),
        r.post("/api/v1/competitions/{id}/payout", propose)
            .about("Propose the prizes that follow from the results")
            .admins()
            .answers::<PayoutView>(200)
            .refuses(&[Code::Conflict]),
        r.post("/api/v1/competitions/{id}/payout/approve", approve)
            .about("Approve what another administrator has proposed, and pay it")
            .query::<ApproveQuery>()
            .admins()
            .timeout_ms(30_000)
            .answers::<PayoutView>(200)
            .refuses(&[Code::Conflict]),
    ]
}

async fn create(
    State(boards): State<Boards>,
    by: Acting,
    body: Body<NewCompetition>,
) -> Result<Created<CompetitionView>, Error> {
    boards.create_competition(by, body.value, body.once).await.map(Created)
}

async fn list(
    State(boards): State<Boards>,
    MaybeCaller(caller): MaybeCaller,
    Query(query): Query<ListQuery>,
) -> Result<Json<CompetitionsPage>, Error> {
    let limit = PageQuery { limit: query.limit, cursor: None }.limit()?;
    let user = caller.as_ref().map(|caller| caller.user);
    let name = format!("competitions {:?} {} {:?}", query.phase, query.mine, user);
    let after: Option<After> = boards.open_cursor(&name, query.cursor.as_deref())?;
    let (items, last) =
        boards.competitions(caller.as_ref(), query.mine, query.phase, after, limit).await?;
    let next_cursor = last.map(|last| boards.seal_cursor(&name, &last));
    Ok(Json(CompetitionsPage { items, next_cursor }))
}

async fn show(
    State(boards): State<Boards>,
    MaybeCaller(caller): MaybeCaller,
    Path(id): Path<CompetitionId>,
) -> Result<Json<CompetitionView>, Error> {
    boards.competition(caller.as_ref(), id).await.map(Json)
}

async fn edit(
    State(boards): State<Boards>,
    by: Acting,
    Path(id): Path<CompetitionId>,
    wanted: IfMatch,
    body: Body<EditCompetition>,
) -> Result<Json<CompetitionView>, Error> {
    boards.edit_competition(by, id, body.value, wanted, body.once).await.map(Json)
}

async fn cancel(
    State(boards): State<Boards>,
    by: Acting,
    Path(id): Path<CompetitionId>,
    body: NoBody,
) -> Result<NoContent, Error> {
    boards.cancel_competition(by, id, body.once).await.map(|()| NoContent)
}

async fn join(
    State(boards): State<Boards>,
    caller: Caller,
    Path(id): Path<CompetitionId>,
    body: MaybeBody<Join>,
) -> Result<Json<CompetitionView>, Error> {
    boards.join_competition(caller.user, id, body.value, body.once).await.map(Json)
}

async fn leave(
    State(boards): State<Boards>,
    caller: Caller,
    Path(id): Path<CompetitionId>,
    body: NoBody,
) -> Result<Json<CompetitionView>, Error> {
    boards.leave_competition(caller.user, id, body.once).await.map(Json)
}

async fn results(
    State(boards): State<Boards>,
    Path(id): Path<CompetitionId>,
    Query(query): Query<PageQuery>,
) -> Result<Json<ResultsView>, Error> {
    let after = boards.open_cursor(&format!("results {id}"), query.cursor.as_deref())?;
    boards.results(id, after.unwrap_or(0), query.limit()?).await.map(Json)
}

async fn payout(
    State(boards): State<Boards>,
    Path(id): Path<CompetitionId>,
) -> Result<Json<PayoutView>, Error> {
    boards.payout(id).await.map(Json)
}

async fn propose(
    State(boards): State<Boards>,
    by: Acting,
    Path(id): Path<CompetitionId>,
    body: NoBody,
) -> Result<Json<PayoutView>, Error> {
    boards.propose_payout(by, id, body.once).await.map(Json)
}

async fn approve(
    State(boards): State<Boards>,
    by: Acting,
    Path(id): Path<CompetitionId>,
    Query(query): Query<ApproveQuery>,
    body: NoBody,
) -> Result<Json<PayoutView>, Error> {
    boards.approve_payout(by, id, query.proposed_at, body.once).await.map(Json)
}
