//! Seasons and tiers of a board.

use axum::extract::State;
use mainstay_core::{
    error::Code,
    http::{Json, MaybeCaller, PageQuery, Path2, Query, Route, route::Routes},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Error,
    service::{Boards, SeasonView},
};

/// The tiers of an owner.
#[derive(Debug, Serialize, JsonSchema)]
struct TiersView {
    /// The tier that they play the present season in, or would if they scored now.
    tier: String,
    /// Seasons that they have played, newest first.
    items: Vec<SeasonView>,
    /// Asks for earlier ones; absent at the end.
    next_cursor: Option<String>,
}

pub(super) fn routes(boards: &Boards) -> Vec<Route> {
    let r = Routes::api(boards, "Boards");
    vec![
        r.get("/api/v1/boards/{board}/tiers/{owner}", tiers)
            .about("List the seasons that an owner has played on a board, newest first")
            .details(
                "Each with its tier, cohort, and once it is over the rank in the cohort and what it brought. A ban or other \
                 settings that come after the end of a season change its ranks, and not who moved up or down.",
            )
            .query::<PageQuery>()
            .answers::<TiersView>(200)
            .refuses(&[Code::MalformedCursor]),
    ]
}

async fn tiers(
    State(boards): State<Boards>,
    MaybeCaller(caller): MaybeCaller,
    Path2(board, owner): Path2<String, String>,
    Query(query): Query<PageQuery>,
) -> Result<Json<TiersView>, Error> {
    let (list, limit) = (format!("tiers {board} {owner}"), query.limit()?);
    let before = boards.open_cursor(&list, query.cursor.as_deref())?.unwrap_or(i64::MAX);
    let found = boards.tiers_of(caller.as_ref(), (&board, &owner), (before, limit)).await?;
    let (tier, items, last) = found;
    let next_cursor = last.map(|last| boards.seal_cursor(&list, &last));
    Ok(Json(TiersView { tier, items, next_cursor }))
}
