//! Syncing activity, what counts of it, goals and achievements.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use mainstay_contract::ts::Ts;
use mainstay_core::{
    auth::Caller,
    error::{Code, Fault, Problem},
    http::{Body, Json, ListBody, NoBody, NoContent, OneOrList, Path, Query, Route, route::Routes},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::scores::ItemProblem;
use crate::{
    error::Error,
    model::activity::{day_of, day_start, is_name},
    service::{
        AchievementView, ActivityView, Boards, DayView, GoalView, NewActivity,
        activities::ACTIVITIES_MAX,
    },
};

/// The most days of one series.
const DAYS_MAX: i64 = 400;

/// One answer of a list of intervals.
#[derive(Debug, Serialize, JsonSchema)]
struct ActivityAnswer {
    /// 200 if it was taken; else the status that it would have been refused with alone.
    status: u16,
    /// The interval as it is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    activity: Option<ActivityView>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ItemProblem>,
}

impl From<Result<ActivityView, Problem>> for ActivityAnswer {
    fn from(answer: Result<ActivityView, Problem>) -> Self {
        match answer {
            Ok(activity) => Self { status: 200, activity: Some(activity), problem: None },
            Err(problem) => {
                let status = problem.code.status();
                Self { status, activity: None, problem: Some(problem.into()) }
            }
        }
    }
}

/// What became of a list of intervals.
#[derive(Debug, Serialize, JsonSchema)]
struct ActivityAnswers {
    /// One for each interval, in the order of the list.
    items: Vec<ActivityAnswer>,
}

/// What became of one interval, or of each of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is only the shape of the answer")]
enum Synced {
    One(ActivityView),
    List(ActivityAnswers),
}

/// Which intervals.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct ListQuery {
    /// What was measured; `steps` if absent.
    metric: Option<String>,
    /// How many, 1 to 100; 20 if absent.
    #[schemars(range(min = 1, max = 100))]
    limit: Option<u32>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

/// A page of intervals.
#[derive(Debug, Serialize, JsonSchema)]
struct ActivitiesPage {
    /// Newest first.
    items: Vec<ActivityView>,
    /// Asks for the next page; absent at the end.
    next_cursor: Option<String>,
}

/// Which days of what.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SpanQuery {
    /// What was measured.
    metric: String,
    /// The first UTC day, such as `2026-03-01`; an instant stands for its day.
    from: String,
    /// The day after the last.
    to: String,
}

/// A sum.
#[derive(Debug, Serialize, JsonSchema)]
struct Total {
    /// What counts, of all sources.
    total: i64,
}

/// A series.
#[derive(Debug, Serialize, JsonSchema)]
struct Days {
    /// In order; days without anything are left out.
    items: Vec<DayView>,
}

/// Sources in the order in which they count.
#[derive(Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Sources {
    /// Who is first counts where several tell of the same time; who is not named comes after, by name.
    #[schemars(length(max = 20))]
    priority: Vec<String>,
}

/// A goal.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct SetGoal {
    /// So much each UTC day.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    per_day: i64,
}

/// Goals.
#[derive(Debug, Serialize, JsonSchema)]
struct Goals {
    /// By metric.
    items: Vec<GoalView>,
}

/// Achievements.
#[derive(Debug, Serialize, JsonSchema)]
struct Achievements {
    /// First things first.
    items: Vec<AchievementView>,
}

pub(super) fn routes(boards: &Boards) -> Vec<Route> {
    let r = Routes::api(boards, "Activity");
    vec![
        r.post("/api/v1/activities", sync)
            .about("Sync an interval of activity, or up to 1,000")
            .details(
                "A sync of the same interval replaces the one before and never adds twice. Intervals of one source do \
                 not overlap. Time that several sources tell of counts once, from the one that stands first in the \
                 person's order of sources: of an interval of which a source before it covers a part, the rest counts \
                 in proportion to its time, rounded down. A day takes 3,000 intervals of a metric, and as much as is \
                 plausible.",
            )
            .takes::<OneOrList<NewActivity>>(1 << 20)
            .answers::<Synced>(200)
            .refuses(&[Code::Conflict]),
        r.get("/api/v1/activities", list)
            .about("List one's own intervals, newest first")
            .signed_in()
            .query::<ListQuery>()
            .answers::<ActivitiesPage>(200),
        r.get("/api/v1/activities/totals", total)
            .about("Sum up one's own activity")
            .details("Days are those of UTC. An interval counts in the day in which it starts.")
            .signed_in()
            .query::<SpanQuery>()
            .answers::<Total>(200),
        r.get("/api/v1/activities/days", days)
            .about("List what counts of each of one's own days")
            .signed_in()
            .query::<SpanQuery>()
            .answers::<Days>(200),
        r.get("/api/v1/activities/sources", sources)
            .about("Read the order of one's own sources")
            .signed_in()
            .answers::<Sources>(200),
        r.put("/api/v1/activities/sources", set_sources)
            .about("Say which of one's own sources count first")
            .details("What was synced before is counted anew.")
            .takes::<Sources>(8 << 10)
            .timeout_ms(30_000)
            .answers::<Sources>(200),
        r.get("/api/v1/activities/goals", goals)
            .about("List one's own goals and how they go")
            .signed_in()
            .answers::<Goals>(200),
        r.put("/api/v1/activities/goals/{metric}", set_goal)
            .about("Set a goal for each day")
            .takes::<SetGoal>(4 << 10)
            .answers::<GoalView>(200)
            .refuses(&[Code::Conflict]),
        r.get("/api/v1/activities/goals/{metric}", goal)
            .about("Read one of one's own goals and how it goes")
            .signed_in()
            .answers::<GoalView>(200),
        r.delete("/api/v1/activities/goals/{metric}", delete_goal)
            .about("Forget a goal")
            .answers_empty(204),
        r.get("/api/v1/activities/achievements", achievements)
            .about("List what one has achieved")
            .signed_in()
            .answers::<Achievements>(200),
    ]
}

async fn sync(
    State(boards): State<Boards>,
    caller: Caller,
    body: ListBody<NewActivity>,
) -> Result<Response, Error> {
    match body.value {
        OneOrList::One(new) => {
            let answers = boards.sync(&caller, vec![Ok(new)], body.once).await?;
            match answers.into_iter().next() {
                Some(answer) => Ok(Json(answer?).into_response()),
                None => Err(Problem::internal("an activity without an answer".to_owned()).into()),
            }
        }
        OneOrList::List(list) if list.len() > ACTIVITIES_MAX => {
            let detail = format!("Send at most {ACTIVITIES_MAX} intervals at once.");
            Err(Error::Invalid(vec![Fault::new("", "too_many", detail)]))
        }
        OneOrList::List(list) => {
            let answers = boards.sync(&caller, list, body.once).await?;
            let items = answers.into_iter().map(ActivityAnswer::from).collect();
            Ok(Json(ActivityAnswers { items }).into_response())
        }
    }
}

async fn list(
    State(boards): State<Boards>,
    caller: Caller,
    Query(query): Query<ListQuery>,
) -> Result<Json<ActivitiesPage>, Error> {
    let metric = query.metric.unwrap_or_else(|| "steps".to_owned());
    let limit = match query.limit.unwrap_or(20) {
        limit @ 1..=100 => limit as usize,
        _ => return Err(Error::invalid("?limit", "out_of_range", "Ask for 1 to 100 items.")),
    };
    let name = format!("activities {} {metric}", caller.user);
    let before: Option<(Ts, String)> = boards.open_cursor(&name, query.cursor.as_deref())?;
    let (before, source) = before.unwrap_or((Ts::from_micros(i64::MAX / 2), String::new()));
    let items = boards.activities(caller.user, &metric, (before, &source), limit).await?;
    let last = items.last().filter(|_| items.len() == limit);
    let next_cursor = last.map(|last| boards.seal_cursor(&name, &(last.start, &last.source)));
    Ok(Json(ActivitiesPage { items, next_cursor }))
}

/// The days that are asked for.
fn span(query: &SpanQuery) -> Result<(i64, i64), Error> {
    let mut faults = Vec::new();
    if !is_name(&query.metric) {
        faults.push(Fault::new("?metric", "characters", "Name a metric, such as `steps`."));
    }
    let mut day = |at: &'static str, text: &str| {
        let midnight = format!("{text}T00:00:00Z");
        let read = text.parse::<Ts>().or_else(|_day_only| midnight.parse());
        read.map(day_of).unwrap_or_else(|_odd| {
            faults.push(Fault::new(at, "malformed", "Write a day, such as 2026-03-01."));
            0
        })
    };
    let (from, to) = (day("?from", &query.from), day("?to", &query.to));
    match faults.is_empty() {
        true => Ok((from, to)),
        false => Err(Error::Invalid(faults)),
    }
}

async fn total(
    State(boards): State<Boards>,
    caller: Caller,
    Query(query): Query<SpanQuery>,
) -> Result<Json<Total>, Error> {
    let (from, to) = span(&query)?;
    let total = boards.total(caller.user, &query.metric, from, to).await?;
    Ok(Json(Total { total }))
}

async fn days(
    State(boards): State<Boards>,
    caller: Caller,
    Query(query): Query<SpanQuery>,
) -> Result<Json<Days>, Error> {
    let (from, to) = span(&query)?;
    if to.saturating_sub(from) > DAYS_MAX {
        let detail = format!("Ask for at most {DAYS_MAX} days.");
        return Err(Error::invalid("?to", "out_of_range", detail));
    }
    let days = boards.days(caller.user, &query.metric, from, to).await?;
    let view = |(day, value): (i64, i64)| {
        let day = day_start(day).to_string();
        DayView { day: day.get(..10).unwrap_or(&day).to_owned(), value }
    };
    Ok(Json(Days { items: days.into_iter().map(view).collect() }))
}

async fn sources(State(boards): State<Boards>, caller: Caller) -> Result<Json<Sources>, Error> {
    Ok(Json(Sources { priority: boards.priority(caller.user).await? }))
}

async fn set_sources(
    State(boards): State<Boards>,
    caller: Caller,
    body: Body<Sources>,
) -> Result<Json<Sources>, Error> {
    let priority = boards.set_priority(caller.user, body.value.priority, body.once).await?;
    Ok(Json(Sources { priority }))
}

async fn goals(State(boards): State<Boards>, caller: Caller) -> Result<Json<Goals>, Error> {
    Ok(Json(Goals { items: boards.goals(caller.user).await? }))
}

async fn set_goal(
    State(boards): State<Boards>,
    caller: Caller,
    Path(metric): Path<String>,
    body: Body<SetGoal>,
) -> Result<Json<GoalView>, Error> {
    boards.set_goal(caller.user, &metric, body.value.per_day, body.once).await.map(Json)
}

async fn goal(
    State(boards): State<Boards>,
    caller: Caller,
    Path(metric): Path<String>,
) -> Result<Json<GoalView>, Error> {
    boards.goal(caller.user, &metric).await.map(Json)
}

async fn delete_goal(
    State(boards): State<Boards>,
    caller: Caller,
    Path(metric): Path<String>,
    body: NoBody,
) -> Result<NoContent, Error> {
    boards.delete_goal(caller.user, &metric, body.once).await.map(|()| NoContent)
}

async fn achievements(
    State(boards): State<Boards>,
    caller: Caller,
) -> Result<Json<Achievements>, Error> {
    Ok(Json(Achievements { items: boards.achievements(caller.user).await? }))
}
