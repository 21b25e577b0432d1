//! What was sent with scores as evidence, for moderators.

use axum::extract::State;
use mainstay_console::visit::Visit;
use mainstay_core::{
    auth::Caller,
    http::{Query, Route, route::Routes},
};
use serde::Deserialize;

use super::{Answer, PAGE_LEN, REFUSED, Web, bans::no_board, said};
use crate::{
    error::Error,
    pages::{
        evidence::{EvidencePage, evidence_page},
        keeping::Kept,
    },
};

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    vec![page.get(Kept::Evidence.href(), show).moderators()]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    board: String,
    owner: String,
    cursor: Option<String>,
}

async fn show(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Query(asked): Query<Asked>,
) -> Answer {
    let (board, owner) = (asked.board.trim().to_owned(), asked.owner.trim().to_owned());
    let view = EvidencePage { board, owner, ..EvidencePage::default() };
    if view.board.is_empty() && view.owner.is_empty() {
        return Ok(visit.page(evidence_page(&visit.shell(), &view)));
    }
    match web.evidence(&caller, &view, asked.cursor.as_deref()).await {
        Ok(view) => Ok(visit.page(evidence_page(&visit.shell(), &view))),
        Err(error) => {
            let view = EvidencePage { errors: said(error)?, ..view };
            Ok(visit.page_as(REFUSED, evidence_page(&visit.shell(), &view)))
        }
    }
}

impl Web {
    async fn evidence(
        &self,
        caller: &Caller,
        asked: &EvidencePage,
        cursor: Option<&str>,
    ) -> Result<EvidencePage, Error> {
        let owner = self.owner(&asked.owner).await?;
        let list = format!("evidence page {} {owner}", asked.board);
        let before = self.boards.open_cursor(&list, cursor)?.unwrap_or(i64::MAX);
        let found = self.boards.evidence(caller, &asked.board, &owner, (before, PAGE_LEN)).await;
        let (sent, last) = found.map_err(no_board)?;
        let next_cursor = last.map(|last| self.boards.seal_cursor(&list, &last));
        Ok(EvidencePage { sent: Some(sent), next_cursor, ..asked.clone() })
    }
}
