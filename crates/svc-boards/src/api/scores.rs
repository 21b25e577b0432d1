//! Submitting scores.

use axum::{
    extract::State,
    response::{IntoResponse as _, Response},
};
use mainstay_core::{
    auth::Caller,
    error::{Code, Fault, Problem},
    http::{Json, ListBody, NoBody, NoContent, OneOrList, Path, Path2, Route, route::Routes},
};
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    error::Error,
    service::{Boards, EntryView, NewScore, scores::SCORES_MAX},
};

/// A body of scores: 10,000 with metadata of a usual size.
const BODY_BYTES_MAX: usize = 8 << 20;

/// One answer of a list of scores.
#[derive(Debug, Serialize, JsonSchema)]
struct ScoreAnswer {
    /// 200 if it was taken; else the status that it would have been refused with alone.
    status: u16,
    /// How its owner stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    entry: Option<EntryView>,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<ItemProblem>,
}

/// Why one thing of a list was refused.
#[derive(Debug, Serialize, JsonSchema)]
pub(super) struct ItemProblem {
    /// The stable code.
    code: &'static str,
    /// What to do.
    detail: String,
    /// Each fault, with pointers into the thing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
}

impl From<Result<EntryView, Problem>> for ScoreAnswer {
    fn from(answer: Result<EntryView, Problem>) -> Self {
        match answer {
            Ok(entry) => Self { status: 200, entry: Some(entry), problem: None },
            Err(problem) => {
                let status = problem.code.status();
                Self { status, entry: None, problem: Some(problem.into()) }
            }
        }
    }
}

impl From<Problem> for ItemProblem {
    fn from(problem: Problem) -> Self {
        let Problem { code, detail, faults, .. } = problem;
        Self { code: code.as_str(), detail: detail.into_owned(), errors: faults }
    }
}

/// What became of a list of scores.
#[derive(Debug, Serialize, JsonSchema)]
struct ScoreAnswers {
    /// One for each score, in the order of the list.
    items: Vec<ScoreAnswer>,
}

/// What became of one score, or of each of a list.
#[derive(Debug, Serialize, JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is only the shape of the answer")]
enum Submitted {
    One(EntryView),
    List(ScoreAnswers),
}

pub(super) fn routes(boards: &Boards) -> Vec<Route> {
    let r = Routes::api(boards, "Boards");
    vec![
        r.post("/api/v1/boards/{board}/scores", submit)
            .about("Submit a score, or up to 10,000")
            .details(
                "A single score is answered with its owner's entry. A list is taken in its order in one commit and answered \
                 with a result for each: what is wrong with one does not keep the others. Ranks are those of the moment of \
                 the answer. With an `Idempotency-Key` nothing is taken twice.",
            )
            .takes::<OneOrList<NewScore>>(BODY_BYTES_MAX)
            .timeout_ms(30_000)
            .answers::<Submitted>(200)
            .refuses(&[Code::Conflict, Code::RateLimited]),
        r.delete("/api/v1/boards/{board}/entries/{owner}", remove)
            .about("Remove an entry of the present period")
            .answers_empty(204),
    ]
}

async fn submit(
    State(boards): State<Boards>,
    caller: Caller,
    Path(board): Path<String>,
    body: ListBody<NewScore>,
) -> Result<Response, Error> {
    match body.value {
        OneOrList::One(new) => {
            let answers = boards.submit(&caller, &board, vec![Ok(new)], body.once).await?;
            match answers.into_iter().next() {
                Some(answer) => Ok(Json(answer?).into_response()),
                None => Err(Problem::internal("a score without an answer".to_owned()).into()),
            }
        }
        OneOrList::List(list) => {
            if list.len() > SCORES_MAX {
                let detail = format!("Send at most {SCORES_MAX} scores at once.");
                let fault = Fault::new("", "too_many", detail);
                return Err(Error::Invalid(vec![fault]));
            }
            let answers = boards.submit(&caller, &board, list, body.once).await?;
            let items = answers.into_iter().map(ScoreAnswer::from).collect();
            Ok(Json(ScoreAnswers { items }).into_response())
        }
    }
}

async fn remove(
    State(boards): State<Boards>,
    caller: Caller,
    Path2(board, owner): Path2<String, String>,
    body: NoBody,
) -> Result<NoContent, Error> {
    boards.remove_entry(&caller, &board, &owner, body.once).await.map(|()| NoContent)
}
