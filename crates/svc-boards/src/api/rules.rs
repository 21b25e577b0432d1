//! Rules that score from facts.

use axum::extract::State;
use mainstay_core::{
    auth::{Role, Scope},
    error::Code,
    http::{
        Access, Body, Json, LimitClass, NoBody, NoContent, PageQuery, Path, Query, Route,
        route::Routes,
    },
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Error,
    model::rule::RuleSettings,
    service::{Acting, Boards, DryRun, DryRunView, RuleView},
};

/// A page of rules.
#[derive(Debug, Serialize, JsonSchema)]
struct RulesPage {
    /// By name.
    items: Vec<RuleView>,
    /// Asks for the next page; absent at the end.
    next_cursor: Option<String>,
}

pub(super) fn routes(boards: &Boards) -> Vec<Route> {
    let r = Routes::api(boards, "Boards");
    let keepers = Access::Role(Role::Admin, Scope::BoardsWrite);
    vec![
        r.get("/api/v1/boards/rules", list)
            .about("List rules")
            .access(keepers)
            .query::<PageQuery>()
            .answers::<RulesPage>(200)
            .refuses(&[Code::MalformedCursor]),
        r.put("/api/v1/boards/rules/{rule}", put)
            .about("Make a rule or change it")
            .details(
                "When a fact `on` is told and `when` holds, `value` is scored for `owner` on `board`, with the board's \
                 operator or another. Expressions know the fact's fields (`a.b` for those of objects), whole numbers, \
                 `'texts'`, `true`, `false`, `null`, `( )`, `!`, `&& ||`, `== != < <= > >=`, `+ - * / %`, `min(a, b)` \
                 and `max(a, b)`. A new rule counts what is told from then on, each fact once. A fact that it cannot be \
                 applied to is listed in `errors` and not tried again.",
            )
            .access(keepers)
            .takes::<RuleSettings>(16 << 10)
            .answers::<RuleView>(200)
            .refuses(&[Code::Conflict]),
        r.get("/api/v1/boards/rules/{rule}", show)
            .about("Read a rule and what it could not be applied to")
            .access(keepers)
            .answers::<RuleView>(200),
        r.delete("/api/v1/boards/rules/{rule}", delete)
            .about("Delete a rule")
            .details("What it scored stays.")
            .access(keepers)
            .answers_empty(204)
            .refuses(&[Code::Conflict]),
        r.post("/api/v1/boards/rules/{rule}/dry-run", dry_run)
            .about("Try a rule on facts that were told")
            .details(
                "On the last ones of its kind, at most 1,000, among the newest 100,000 facts of their service. Send \
                 `rule` to try what it is to say before it is made or changed. Nothing is written.",
            )
            .access(keepers)
            .limit(LimitClass::Search)
            .unkeyed()
            .takes::<DryRun>(16 << 10)
            .answers::<DryRunView>(200),
    ]
}

async fn list(
    State(boards): State<Boards>,
    Query(query): Query<PageQuery>,
) -> Result<Json<RulesPage>, Error> {
    let after = boards.open_cursor::<String>("rules", query.cursor.as_deref())?;
    let (items, last) = boards.list_rules(&after.unwrap_or_default(), query.limit()?).await?;
    let next_cursor = last.map(|last| boards.seal_cursor("rules", &last));
    Ok(Json(RulesPage { items, next_cursor }))
}

async fn put(
    State(boards): State<Boards>,
    by: Acting,
    Path(rule): Path<String>,
    body: Body<RuleSettings>,
) -> Result<Json<RuleView>, Error> {
    boards.put_rule(by, &rule, body.value, body.once).await.map(Json)
}

async fn show(
    State(boards): State<Boards>,
    Path(rule): Path<String>,
) -> Result<Json<RuleView>, Error> {
    boards.rule(&rule).await.map(Json)
}

async fn delete(
    State(boards): State<Boards>,
    by: Acting,
    Path(rule): Path<String>,
    body: NoBody,
) -> Result<NoContent, Error> {
    boards.delete_rule(by, &rule, body.once).await.map(|()| NoContent)
}

async fn dry_run(
    State(boards): State<Boards>,
    Path(rule): Path<String>,
    body: Body<DryRun>,
) -> Result<Json<DryRunView>, Error> {
    boards.dry_run(&rule, body.value).await.map(Json)
}
