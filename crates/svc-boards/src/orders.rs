//! What the command line asks of Boards: the use cases of the API, for whoever owns the data folder.

use std::sync::Arc;

use mainstay_core::{
    db::BoxFuture,
    error::{Code, Problem},
    http::{IfMatch, read_value},
    mount::Order,
};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use crate::{
    error::Error,
    model::board::BoardSettings,
    service::{Boards, EntriesQuery, NewScore, StandingQuery, boards::Board},
};

/// Every order.
pub(crate) fn orders(boards: &Boards) -> Vec<Order> {
    vec![
        order(boards, "board.list", |boards, of: List| Box::pin(list(boards, of))),
        order(boards, "board.show", |boards, of: Named| Box::pin(show(boards, of))),
        order(boards, "board.put", |boards, of: Put| Box::pin(put(boards, of))),
        order(boards, "board.delete", |boards, of: Named| Box::pin(delete(boards, of))),
        order(boards, "board.top", |boards, of: Top| Box::pin(top(boards, of))),
        order(boards, "board.rank", |boards, of: Rank| Box::pin(rank(boards, of))),
        order(boards, "board.submit", |boards, of: Submit| Box::pin(submit(boards, of))),
    ]
}

type Ordered = BoxFuture<'static, Result<Value, Error>>;

fn order<A: DeserializeOwned + Send + 'static>(
    boards: &Boards,
    name: &'static str,
    run: fn(Boards, A) -> Ordered,
) -> Order {
    let boards = boards.clone();
    let run = move |arguments: Value| -> BoxFuture<'static, Result<Value, Problem>> {
        let boards = boards.clone();
        Box::pin(async move { Ok(run(boards, read_value(&arguments)?).await?) })
    };
    Order { name, run: Arc::new(run) }
}

/// Which boards.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    /// Those with names after this one.
    after: String,
    limit: usize,
}

/// Which board.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    board: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Put {
    board: String,
    settings: BoardSettings,
    /// Also if there is one of this name with other settings.
    #[serde(default)]
    replace: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Top {
    board: String,
    limit: u32,
    window: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Rank {
    board: String,
    owner: String,
    window: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Submit {
    board: String,
    scores: Vec<NewScore>,
}

async fn list(boards: Boards, of: List) -> Result<Value, Error> {
    let (items, next) = boards.all_boards(&of.after, of.limit).await?;
    Ok(json!({ "items": items, "next": next }))
}

/// The error of an order about something that is not there: who owns the data may know that it is not.
fn named(error: Error, what: impl FnOnce() -> String) -> Error {
    match error {
        error if error.is_not_found() => Problem::new(Code::NotFound, what()).into(),
        error => error,
    }
}

async fn board_named(boards: &Boards, id: &str) -> Result<Arc<Board>, Error> {
    let found = boards.any_board(id).await;
    found.map_err(|error| named(error, || format!("There is no board `{id}`.")))
}

async fn show(boards: Boards, of: Named) -> Result<Value, Error> {
    let board = board_named(&boards, &of.board).await?;
    Ok(json!(boards.view_of(&board).await?))
}

async fn put(boards: Boards, of: Put) -> Result<Value, Error> {
    Ok(json!(boards.put_board(None, &of.board, of.settings, of.replace, None).await?))
}

async fn delete(boards: Boards, of: Named) -> Result<Value, Error> {
    board_named(&boards, &of.board).await?;
    boards.delete_board(None, &of.board, IfMatch::Any, None).await?;
    Ok(json!({}))
}

async fn top(boards: Boards, of: Top) -> Result<Value, Error> {
    let board = board_named(&boards, &of.board).await?;
    let query =
        EntriesQuery { limit: Some(of.limit), window: of.window, ..EntriesQuery::default() };
    Ok(json!(boards.entries_of(board, &query).await?))
}

async fn rank(boards: Boards, of: Rank) -> Result<Value, Error> {
    let board = board_named(&boards, &of.board).await?;
    let query = StandingQuery { window: of.window, ..StandingQuery::default() };
    let entry = boards.entry_of(board, &of.owner, &query).await;
    let nobody = || format!("`{}` has no entry in that period.", of.owner);
    Ok(json!(entry.map_err(|error| named(error, nobody))?))
}

async fn submit(boards: Boards, of: Submit) -> Result<Value, Error> {
    board_named(&boards, &of.board).await?;
    let answers = boards.submit_as_operator(&of.board, of.scores).await?;
    let items = answers.into_iter().map(|answer| match answer {
        Ok(entry) => json!({ "entry": entry }),
        Err(problem) => {
            let faults = problem.faults.iter().map(|fault| format!("{}: {}", fault.pointer, fault.detail));
            let faults: Vec<String> = faults.collect();
            json!({ "refused": if faults.is_empty() { problem.detail.to_string() } else { faults.join(" ") } })
        }
    });
    Ok(json!({ "items": items.collect::<Vec<_>>() }))
}
