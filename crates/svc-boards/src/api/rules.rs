//! Rules that score from facts.

use axum::extract::State;
use mainstay_core::{
    auth::{Role, Scope},
    error::Code,
    http::{Access, Body, Json, NoBody, NoContent, Path, Route, route::Routes},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    model::rule::RuleSettings,
    service::{Boards, RuleView, TriedView},
};

/// All rules.
#[derive(Debug, Serialize, JsonSchema)]
struct Rules {
    /// By name.
    items: Vec<RuleView>,
}

/// On how many facts a rule is tried.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DryRun {
    /// 1 to 1,000, the newest ones.
    #[schemars(range(min = 1, max = 1_000))]
    last: u32,
}

/// What a rule would make of facts.
#[derive(Debug, Serialize, JsonSchema)]
struct Tried {
    /// Newest first.
    items: Vec<TriedView>,
}

pub(super) fn routes(boards: &Boards) -> Vec<Route> {
    let r = Routes::api(boards, "Rules");
    let keepers = Access::Role(Role::Admin, Scope::BoardsWrite);
    vec![
        r.get("/api/v1/boards/rules", list)
            .about("List rules")
            .access(keepers)
            .answers::<Rules>(200),
        r.get("/api/v1/boards/rules/{rule}", show)
            .about("Read a rule and what it could not score")
            .access(keepers)
            .answers::<RuleView>(200),
        r.put("/api/v1/boards/rules/{rule}", put)
            .about("Make a rule or change it")
            .details(
                "Whenever the fact `on` happens and `when` holds, `value` is submitted for `owner` on `board`, once for each \
                 fact. Expressions know whole numbers, texts in quotes, fields of the fact (`a.b`), `+ - * / %`, comparisons, \
                 `&& || !`, `min(a, b)` and `max(a, b)`.",
            )
            .access(keepers)
            .takes::<RuleSettings>(16 << 10)
            .answers::<RuleView>(200)
            .refuses(&[Code::Conflict]),
        r.delete("/api/v1/boards/rules/{rule}", delete)
            .about("Forget a rule")
            .access(keepers)
            .answers_empty(204),
        r.post("/api/v1/boards/rules/{rule}/dry-run", dry_run)
            .about("Try a rule on the last facts, without writing anything")
            .access(keepers)
            .unkeyed()
            .takes::<DryRun>(4 << 10)
            .answers::<Tried>(200)
            .refuses(&[Code::Conflict]),
    ]
}

async fn list(State(boards): State<Boards>) -> Result<Json<Rules>, Error> {
    Ok(Json(Rules { items: boards.rules().await? }))
}

async fn show(
    State(boards): State<Boards>,
    Path(rule): Path<String>,
) -> Result<Json<RuleView>, Error> {
    boards.rule(&rule).await.map(Json)
}

async fn put(
    State(boards): State<Boards>,
    Path(rule): Path<String>,
    body: Body<RuleSettings>,
) -> Result<Json<RuleView>, Error> {
    boards.put_rule(&rule, body.value, body.once).await.map(Json)
}

async fn delete(
    State(boards): State<Boards>,
    Path(rule): Path<String>,
    body: NoBody,
) -> Result<NoContent, Error> {
    boards.delete_rule(&rule, body.once).await.map(|()| NoContent)
}

async fn dry_run(
    State(boards): State<Boards>,
    Path(rule): Path<String>,
    body: Body<DryRun>,
) -> Result<Json<Tried>, Error> {
    Ok(Json(Tried { items: boards.dry_run(&rule, body.value.last).await? }))
}
