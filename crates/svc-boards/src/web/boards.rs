//! Boards and what stands on them.

use axum::extract::State;
use mainstay_console::visit::Visit;
use mainstay_core::http::{Path, Query, Route, route::Routes};
use serde::Deserialize;

use super::{Answer, Names, PAGE_LEN, Web};
use crate::{
    error::Error,
    pages::{
        board::{BoardPage, EntryLine, Mine, board_page},
        boards::{BoardLine, BoardsPage, boards_page},
    },
    service::{EntriesQuery, EntryView, Items, StandingQuery},
};

/// As many as those who watch are told of.
const TOP: u32 = 100;
/// Entries around the reader.
const AROUND: u32 = 5;

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    vec![page.get("/boards", list), page.get("/boards/{board}", show)]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    cursor: Option<String>,
}

async fn list(State(web): State<Web>, visit: Visit, Query(listed): Query<Listed>) -> Answer {
    let (boards, caller) = (&web.boards, visit.caller.as_ref());
    let after: Option<String> = boards.open_cursor("boards", listed.cursor.as_deref())?;
    let (views, last) = boards.list_boards(caller, &after.unwrap_or_default(), PAGE_LEN).await?;
    let mut lines = Vec::with_capacity(views.len());
    for view in views {
        let query = EntriesQuery { limit: Some(1), ..EntriesQuery::default() };
        let top = boards.entries(caller, &view.id, &query).await?;
        let names = Names::of(web.site.auth(), top.items.iter().map(|item| &*item.owner)).await?;
        let leader = top.items.first().map(|entry| {
            let score = entry.scores.first().map(ToString::to_string).unwrap_or_default();
            (names.of_owner(&entry.owner), score)
        });
        lines.push(BoardLine {
            id: view.id,
            title: view.settings.title,
            count: top.count,
            leader,
            ends_at: view.period.ends_at,
        });
    }
    let next_cursor = last.map(|last| boards.seal_cursor("boards", &last));
    Ok(visit.page(boards_page(&visit.shell(), &BoardsPage { boards: lines, next_cursor })))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shown {
    window: Option<String>,
}

async fn show(
    State(web): State<Web>,
    visit: Visit,
    Path(id): Path<String>,
    Query(shown): Query<Shown>,
) -> Answer {
    let (boards, caller) = (&web.boards, visit.caller.as_ref());
    let board = boards.show_board(caller, &id).await?;
    let window = shown.window;
    let query =
        EntriesQuery { limit: Some(TOP), window: window.clone(), ..EntriesQuery::default() };
    let page = boards.entries(caller, &id, &query).await?;
    let around = match caller {
        Some(caller) => {
            let query = StandingQuery { limit: Some(AROUND), window, ..StandingQuery::default() };
            let own = caller.user.to_string();
            match boards.around(Some(caller), &id, &own, &query).await {
                Ok(around) => around.items,
                Err(Error::NotFound) => Items::default(),
                Err(error) => return Err(error),
            }
        }
        None => Items::default(),
    };
    let owners = page.items.iter().chain(around.iter()).map(|item| &*item.owner);
    let names = Names::of(web.site.auth(), owners).await?;
    let own = caller.map(|caller| caller.user.to_string());
    let mine = around.iter().find(|entry| Some(&entry.owner) == own.as_ref()).map(|entry| Mine {
        rank: entry.rank,
        around: around.iter().map(|entry| line(entry, &names)).collect(),
    });
    let view = BoardPage {
        title: board.settings.title.clone(),
        columns: board.settings.columns.iter().map(|column| column.name.clone()).collect(),
        ties: board.settings.ties,
        entries: page.items.iter().map(|entry| line(entry, &names)).collect(),
        count: page.count,
        current: page.period.number == board.period.number,
        period: page.period.number,
        span: (page.period.starts_at, page.period.ends_at),
        mine,
        competition_href: board.competition_id.map(|id| format!("/competitions/{id}")),
        id,
    };
    Ok(visit.page(board_page(&visit.shell(), &view)))
}

/// An entry with what its owner is called.
pub(super) fn line(entry: &EntryView, names: &Names) -> EntryLine {
    EntryLine {
        rank: entry.rank,
        owner: entry.owner.clone(),
        name: names.of_owner(&entry.owner),
        scores: entry.scores.iter().map(ToString::to_string).collect(),
        updated_at: entry.updated_at,
    }
}
