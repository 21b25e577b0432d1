//! Bans of boards, by moderators.

use axum::extract::State;
use mainstay_console::visit::Visit;
use mainstay_core::{
    auth::Caller,
    error::Problem,
    http::{Form, Query, Route, extract::Origin, route::Routes},
};
use serde::Deserialize;

use super::{Answer, FORM_BYTES_MAX, Names, PAGE_LEN, REFUSED, Web, said};
use crate::{
    error::Error,
    page::cut,
    pages::{
        bans::{BanLine, BansPage, bans_page},
        keeping::Kept,
    },
    service::NewBan,
};

const BANS: &str = Kept::Bans.href();

pub(super) fn routes(page: &Routes<Web>) -> Vec<Route> {
    let form = |route: Route| route.moderators().takes_form(FORM_BYTES_MAX).timeout_ms(60_000);
    vec![
        page.get(BANS, list).moderators(),
        form(page.post(BANS, ban)),
        form(page.post("/admin/boards/bans/lift", lift)),
    ]
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Listed {
    board: String,
    cursor: Option<String>,
}

async fn list(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Query(listed): Query<Listed>,
) -> Answer {
    let board = listed.board.trim();
    match web.bans(&caller, board, listed.cursor.as_deref()).await.map_err(no_board) {
        Ok(view) => Ok(visit.page(bans_page(&visit.shell(), &view))),
        Err(error) => {
            let view =
                BansPage { listed: board.to_owned(), refused: said(error)?, ..BansPage::default() };
            Ok(visit.page_as(REFUSED, bans_page(&visit.shell(), &view)))
        }
    }
}

/// The board that is named; `None` for every board.
fn named(board: &str) -> Option<&str> {
    Some(board).filter(|board| !board.is_empty())
}

impl Web {
    async fn bans(
        &self,
        caller: &Caller,
        board: &str,
        cursor: Option<&str>,
    ) -> Result<BansPage, Error> {
        let list = format!("bans page {board}");
        let after: String = self.boards.open_cursor(&list, cursor)?.unwrap_or_default();
        let mut views = self.boards.list_bans(caller, named(board), &after, PAGE_LEN + 1).await?;
        let next_cursor =
            cut(&mut views, PAGE_LEN).map(|last| self.boards.seal_cursor(&list, &last.owner));
        let by: Vec<String> = views.iter().map(|view| view.banned_by.to_string()).collect();
        let people = views.iter().map(|view| &view.owner).chain(&by).map(|name| &**name);
        let names = Names::of(self.site.auth(), people).await?;
        let lines = views.into_iter().zip(by).map(|(view, by)| BanLine {
            name: names.of_owner(&view.owner),
            by: names.of_owner(&by),
            view,
        });
        let (bans, listed) = (lines.collect(), board.to_owned());
        Ok(BansPage { board: listed.clone(), listed, bans, next_cursor, ..BansPage::default() })
    }

    /// The owner that is meant by what was typed.
    pub(super) async fn owner(&self, typed: &str) -> Result<String, Error> {
        let Some(handle) = typed.strip_prefix('@') else {
            return match typed.is_empty() {
                true => Err(Error::invalid("/owner", "required", "Say whom.")),
                false => Ok(typed.to_owned()),
            };
        };
        let found = self.site.auth().find_by_handle(handle).await.map_err(Problem::from)?;
        match found {
            Some(found) => Ok(found.id.to_string()),
            None => Err(Error::invalid("/owner", "unknown", "Nobody has this handle.")),
        }
    }

    async fn ban(&self, caller: &Caller, origin: String, sent: &Sent) -> Result<(), Error> {
        let owner = self.owner(sent.owner.trim()).await?;
        let new = NewBan { reason: sent.reason.clone() };
        match named(sent.board.trim()) {
            Some(board) => {
                self.boards.any_board(board).await.map_err(no_board)?;
                self.boards.ban((caller, origin), (board, &owner), &new, None).await?;
            }
            None => {
                self.boards.ban_everywhere((caller, origin), &owner, &new, None).await?;
            }
        }
        Ok(())
    }
}

pub(super) fn no_board(error: Error) -> Error {
    match error {
        Error::NotFound => Error::invalid("/board", "unknown", "There is no board of this name."),
        other => other,
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Sent {
    owner: String,
    board: String,
    reason: String,
}

impl Sent {
    /// Where the list is that the ban stands in.
    fn list(&self) -> String {
        match named(self.board.trim()) {
            Some(board) => {
                format!("{BANS}?board={}", mainstay_console::component::query_text(board))
            }
            None => BANS.to_owned(),
        }
    }
}

async fn ban(
    State(web): State<Web>,
    caller: Caller,
    visit: Visit,
    Origin(origin): Origin,
    Form(sent): Form<Sent>,
) -> Answer {
    let error = match web.ban(&caller, origin, &sent).await {
        Ok(()) => return Ok(web.site.go_and_say(&sent.list(), "Banned.")),
        // What cannot be an owner.
        Err(Error::NotFound) => Error::invalid("/owner", "malformed", "This can be nobody."),
        Err(error) => error,
    };
    let errors = said(error)?;
    let listed = match errors.at("/board") {
        Some(_unknown) => "",
        None => sent.board.trim(),
    };
    let view = web.bans(&caller, listed, None).await?;
    let Sent { owner, board, reason } = sent;
    let view = BansPage { owner, board, reason, errors, ..view };
    let visit = visit.at(BANS);
    Ok(visit.page_as(REFUSED, bans_page(&visit.shell(), &view)))
}

async fn lift(
    State(web): State<Web>,
    caller: Caller,
    Origin(origin): Origin,
    Form(sent): Form<Sent>,
) -> Answer {
    let done = match named(&sent.board) {
        Some(board) => web.boards.unban((&caller, origin), (board, &sent.owner), None).await,
        None => web.boards.unban_everywhere((&caller, origin), &sent.owner, None).await,
    };
    match done {
        // Somebody else was faster: that is what was wanted.
        Ok(()) | Err(Error::NotFound) => {
            Ok(web.site.go_and_say(&sent.list(), "The ban is lifted."))
        }
        Err(error) => Err(error),
    }
}
