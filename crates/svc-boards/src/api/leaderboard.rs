//! The leaderboard of guide 2, at its addresses.

use std::time::Instant;

use axum::extract::State;
use mainstay_core::{
    auth::Caller,
    error::Code,
    http::{Body, Json, MaybeCaller, Path, Query, Route, route::Routes},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::Error,
    model::score::Written,
    service::{Boards, DayUpdate, EntriesQuery, LeaderboardEntry},
};

/// How many entries.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct TopQuery {
    /// 1 to 1,000; 100 if absent.
    #[schemars(range(min = 1, max = 1_000))]
    limit: Option<u32>,
}

/// A leaderboard.
#[derive(Debug, Serialize, JsonSchema)]
struct Leaderboard {
    /// The competition, or a board, of which the first column is told.
    competition_id: String,
    /// Best first.
    entries: Vec<LeaderboardEntry>,
}

pub(super) fn routes(boards: &Boards) -> Vec<Route> {
    let r = Routes::api(boards, "Leaderboard");
    vec![
        r.get("/api/v1/leaderboard/{competition}", top)
            .about("Read the top of a competition")
            .query::<TopQuery>()
            .answers::<Leaderboard>(200),
        r.post("/api/v1/leaderboard/update", update)
            .about("Set what one has done today")
            .details(
                "Sets one's own UTC day, or what is left of it since the competition has begun; a later figure replaces an \
                 earlier one. It is kept as an interval of the source `leaderboard`, so it counts in every competition of \
                 that metric that had begun by then.",
            )
            .takes::<DayUpdate>(4 << 10)
            .answers::<LeaderboardEntry>(200)
            .refuses(&[Code::Conflict, Code::NotFound]),
    ]
}

async fn top(
    State(boards): State<Boards>,
    MaybeCaller(caller): MaybeCaller,
    Path(competition): Path<String>,
    Query(query): Query<TopQuery>,
) -> Result<Json<Leaderboard>, Error> {
    let query = EntriesQuery { limit: Some(query.limit.unwrap_or(100)), ..EntriesQuery::default() };
    let page = boards.entries(caller.as_ref(), &competition, &query).await?;
    let entry = |entry: &crate::service::EntryView| LeaderboardEntry {
        rank: entry.rank,
        user_id: entry.owner.clone(),
        score: entry.scores.first().cloned().unwrap_or(Written::Whole(0)),
    };
    let entries = page.items.iter().map(entry).collect();
    Ok(Json(Leaderboard { competition_id: competition, entries }))
}

async fn update(
    State(boards): State<Boards>,
    caller: Caller,
    body: Body<DayUpdate>,
) -> Result<Json<LeaderboardEntry>, Error> {
    let (began, competition_id) = (Instant::now(), body.value.competition_id);
    let entry = boards.update_day(&caller, body.value, body.once).await?;
    let LeaderboardEntry { user_id, score, .. } = &entry;
    let duration_ms = began.elapsed().as_millis() as u64;
    tracing::info!(%user_id, %competition_id, %score, duration_ms, "score updated");
    Ok(Json(entry))
}
