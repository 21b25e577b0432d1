//! Reports and moderation, and what administrators try out on explore.

use axum::extract::State;
use mainstay_core::{
    auth::{Caller, Origin},
    error::Code,
    http::{Body, Created, Json, PageQuery, Query, Route, route::Routes},
};
use schemars::JsonSchema;
use serde::Deserialize;

use crate::{
    error::Error,
    model::rank::Weights,
    service::{ActBody, ActedView, DryRunView, Feed, NewReportBody, ReportView},
    view::{DecidedView, Page, ReportedView},
};

pub(super) fn routes(feed: &Feed) -> Vec<Route> {
    let r = Routes::api(feed, "Moderation");
    vec![
        r.post("/api/v1/reports", report)
            .about("Report a post, a comment or a person")
            .details("A repeat while the first report waits is the same report.")
            .takes::<NewReportBody>(8 << 10)
            .answers::<ReportView>(201),
        r.get("/api/v1/moderation/queue", queue)
            .moderators()
            .about("List what was reported")
            .details("What waits longest comes first.")
            .query::<PageQuery>()
            .answers::<Page<ReportedView>>(200)
            .refuses(&[Code::MalformedCursor]),
        r.get("/api/v1/moderation/decisions", decisions)
            .moderators()
            .about("List what was hidden or removed and who was suspended")
            .details("The newest decision first. What was taken back is not in it; the audit log has it all.")
            .query::<PageQuery>()
            .answers::<Page<DecidedView>>(200)
            .refuses(&[Code::MalformedCursor]),
        r.post("/api/v1/moderation/actions", act)
            .moderators()
            .about("Hide, restore or remove something, or suspend a person")
            .details(
                "Resolves the reports of it and is written to the audit log. `restore` on what is shown dismisses its \
                 reports. A removed post can be restored for 30 days; then it is erased.",
            )
            .takes::<ActBody>(8 << 10)
            .answers::<ActedView>(200)
            .refuses(&[Code::Conflict, Code::NotFound]),
        r.post("/api/v1/explore/dry-run", dry_run)
            .admins()
            .unkeyed()
            .about("Try other weights for explore")
            .details("Ranks the last day's public posts, at most 10,000, under the present and the given weights; changes nothing.")
            .takes::<DryRun>(4 << 10)
            .answers::<DryRunView>(200),
    ]
}

/// Weights to be tried.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct DryRun {
    /// What likes, comments and views would weigh; what is absent has its default.
    weights: Weights,
}

async fn report(
    State(feed): State<Feed>,
    caller: Caller,
    body: Body<NewReportBody>,
) -> Result<Created<ReportView>, Error> {
    feed.report(&caller, body.value, body.once).await.map(Created)
}

async fn queue(
    State(feed): State<Feed>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<ReportedView>>, Error> {
    feed.moderation_queue(caller.user, page.limit()?, page.cursor.as_deref()).await.map(Json)
}

async fn decisions(
    State(feed): State<Feed>,
    caller: Caller,
    Query(page): Query<PageQuery>,
) -> Result<Json<Page<DecidedView>>, Error> {
    feed.decided(caller.user, page.limit()?, page.cursor.as_deref()).await.map(Json)
}

async fn act(
    State(feed): State<Feed>,
    caller: Caller,
    origin: Origin,
    body: Body<ActBody>,
) -> Result<Json<ActedView>, Error> {
    let origin = origin.address.map(|address| address.to_string()).unwrap_or_default();
    feed.moderate(&caller, body.value, origin, body.once).await.map(Json)
}

async fn dry_run(
    State(feed): State<Feed>,
    _caller: Caller,
    body: Body<DryRun>,
) -> Result<Json<DryRunView>, Error> {
    feed.dry_run(body.value.weights).await.map(Json)
}
